"""Multi-scale flows (Real NVP, Glow): squeeze space into channels, and let half of the variables leave early.

Forward is the way from data to noise.
"""

import math

import jax.numpy as jnp

from theory_jax.arguments import require, require_rank, require_same_shape


def squeeze(x):
    r"""z[4c + 2i + j, h, w] = x[c, 2h + i, 2w + j] with i, j in {0, 1}: blocks of 2 x 2 pixels as channels; log-determinant 0.

    Raises ValueError if x has not four axes, or its height or width is odd.  Source: Dinh et al. 2017, section 3.6.
    [B, C, 2*H, 2*W] -> [B, 4*C, H, W]
    """
    require_rank(4, x=x)
    batch, channels, height, width = x.shape
    require(height % 2 == 0 and width % 2 == 0, f"x has shape {list(x.shape)}; height and width must be even")
    blocks = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return blocks.transpose(0, 1, 3, 5, 2, 4).reshape(batch, 4 * channels, height // 2, width // 2)


def unsqueeze(x):
    r"""z[c, 2h + i, 2w + j] = x[4c + 2i + j, h, w]: squeeze undone, to the last bit.

    Raises ValueError if x has not four axes, or its channels are not a multiple of 4.  Source: Dinh et al. 2017, section 3.6.
    [B, 4*C, H, W] -> [B, C, 2*H, 2*W]
    """
    require_rank(4, x=x)
    batch, channels, height, width = x.shape
    require(channels % 4 == 0, f"x has shape {list(x.shape)}; its channels must be a multiple of 4")
    blocks = x.reshape(batch, channels // 4, 2, 2, height, width)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(batch, channels // 4, 2 * height, 2 * width)


def split_prior_log_prob(x, mean_fn, log_var_fn):
    r"""The first half a of the channels, which continues, and log p(b | a) = log N(b; mean_fn(a), e^log_var_fn(a)) of the second.

    In nats. mean_fn and log_var_fn map a batch to one of its shape.

    Raises ValueError if x has an odd number of channels or none, or mean_fn or log_var_fn does not keep the shape.
    Source: Dinh et al. 2017, section 3.6; Kingma & Dhariwal 2018, section 3.
    [B, 2*C, ...] -> [B, C, ...], [B]
    """
    shape = list(jnp.shape(x))
    require(len(shape) >= 2 and shape[1] % 2 == 0, f"x has shape {shape}; its second axis must be an even number of channels")
    kept, left = jnp.split(x, 2, axis=1)
    mean, log_var = _of_kept(kept, mean_fn, log_var_fn)
    terms = -((left - mean) ** 2 * jnp.exp(-log_var) + log_var + math.log(2 * math.pi)) / 2
    return kept, jnp.sum(terms, axis=tuple(range(1, terms.ndim)))


def split_prior_sample(kept, noise, mean_fn, log_var_fn):
    r"""x = (a, b) with b = mean_fn(a) + e^(log_var_fn(a) / 2) noise: the half that left is drawn, given the half a that was kept.

    Raises ValueError if kept has no axis for the channels, noise has another shape, or mean_fn or log_var_fn does not keep it.
    Source: Dinh et al. 2017, section 3.6; Kingma & Dhariwal 2018, section 3.
    [B, C, ...], [B, C, ...] -> [B, 2*C, ...]
    """
    shape = list(jnp.shape(kept))
    require(len(shape) >= 2, f"kept has shape {shape}; its first two axes must be the batch and the channels")
    require_same_shape(kept=kept, noise=noise)
    mean, log_var = _of_kept(kept, mean_fn, log_var_fn)
    return jnp.concatenate([kept, mean + jnp.exp(log_var / 2) * noise], axis=1)


def _of_kept(kept, mean_fn, log_var_fn):
    found = []
    for name, function in (("mean_fn", mean_fn), ("log_var_fn", log_var_fn)):
        found.append(function(kept))
        shape = list(jnp.shape(found[-1]))
        require(shape == list(kept.shape), f"{name} gives shape {shape}; it must keep that of the half, {list(kept.shape)}")
    return found
