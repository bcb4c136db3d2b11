"""Latent diffusion (lecture 36): an autoencoder first, a diffusion model of its latents second, and the loss of each stage.

moments holds means and log-variances along its second axis, [B, 2C, ...]; a latent is [B, C, ...].
"""

import math

import jax.numpy as jnp

from theory_jax.arguments import require, require_same_shape, require_values
from theory_jax.latent.reparameterization import reparameterize
from theory_jax.latent.vae import kl_to_standard_normal
from theory_jax.latent.vector_quantization import nearest_code, straight_through


def sample_latent(moments, noise, *, log_var_min=-30.0, log_var_max=20.0):
    r"""mean + e^(log_var/2) noise: a draw of N(mean, e^log_var) if noise is one of N(0, I).

    The first half of the channels of moments is the mean, the second the log-variance, clamped to [log_var_min, log_var_max];
    beyond these it has no gradient.

    Raises ValueError if moments has an odd number of channels, noise has not the shape of half of them, or log_var_min is not
    below log_var_max.  Source: Kingma & Welling 2014, section 2.4; Rombach et al. 2022, appendix G.
    [B, C+C, ...], [B, C, ...] -> [B, C, ...]
    """
    mean, log_var = _parts(moments, log_var_min, log_var_max)
    require_same_shape(**{"half of moments": mean, "noise": noise})
    return reparameterize(_rows(noise), _rows(mean), _rows(log_var)).reshape(noise.shape)


def latent_kl(moments, *, log_var_min=-30.0, log_var_max=20.0):
    r"""KL(N(mean, e^log_var) || N(0, I)) in nats, summed over all axes but the first; mean and log_var as in sample_latent.

    Raises ValueError if moments has an odd number of channels, or log_var_min is not below log_var_max.
    Source: Kingma & Welling 2014, appendix B; Rombach et al. 2022, appendix G.
    [B, C+C, ...] -> [B]
    """
    mean, log_var = _parts(moments, log_var_min, log_var_max)
    return kl_to_standard_normal(_rows(mean), _rows(log_var))


def quantize_latent(latent, codebook):
    r"""The nearest code e_k at every place, and its index k; the lowest of several. Codes are rows, channels are axis 1.

    The value is the code's, the gradient that of latent (straight through); the codebook gets none.

    Raises ValueError if latent has less than two axes, or the shape of codebook does not fit it, or it has no code.
    Source: van den Oord et al. 2017, eq. 1 and section 3.2.
    [B, C, ...], [K, C] -> [B, C, ...], [B, ...]
    """
    require(jnp.ndim(latent) >= 2, f"latent has shape {list(jnp.shape(latent))}; it must have a batch and channels")
    places = jnp.moveaxis(latent, 1, -1)
    rows = places.reshape(math.prod(places.shape[:-1]), places.shape[-1])
    indices = nearest_code(rows, codebook)
    quantized = straight_through(rows, codebook[indices])
    return jnp.moveaxis(quantized.reshape(places.shape), -1, 1), indices.reshape(places.shape[:-1])


def scaling_factor(latents):
    r"""1/std of all entries, of all examples, channels and places: one number. std^2 is the mean of (z - mean z)^2.

    Raises ValueError if latents is empty, or all its entries are equal.  Source: Rombach et al. 2022, appendix G.
    [B, ...] -> []
    """
    require(jnp.size(latents) > 0, f"latents has shape {list(jnp.shape(latents))}; it must have an entry")
    span = jnp.max(latents) - jnp.min(latents)
    require_values("latents", span, lambda span: span > 0, "not all equal (shown: their range)")
    return 1 / jnp.sqrt(jnp.mean((latents - jnp.mean(latents)) ** 2))


def normalize_latent(latent, *, scale, shift=0.0):
    r"""(z - shift) scale: what the diffusion model sees.

    Raises ValueError unless scale is positive.  Source: Rombach et al. 2022, appendix G.
    [...] -> [...]
    """
    _require_scale(scale)
    return scale * (latent - shift)


def denormalize_latent(latent, *, scale, shift=0.0):
    r"""z/scale + shift: what the decoder sees, the inverse of normalize_latent.

    Raises ValueError unless scale is positive.  Source: Rombach et al. 2022, appendix G.
    [...] -> [...]
    """
    _require_scale(scale)
    return shift + latent / scale


def _parts(moments, log_var_min, log_var_max):
    shape = list(jnp.shape(moments))
    require(
        len(shape) >= 2 and shape[1] % 2 == 0, f"moments has shape {shape}; its second axis must hold means and log-variances"
    )
    ordered = log_var_min < log_var_max
    require(ordered, f"log_var_min is {log_var_min}; it must be below log_var_max, {log_var_max}")
    mean, log_var = jnp.split(moments, 2, axis=1)
    return mean, jnp.clip(log_var, log_var_min, log_var_max)


def _rows(x):
    """[B, ...] as [B, D]."""
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))


def _require_scale(scale):
    require_values("scale", scale, lambda scale: scale > 0, "positive")
