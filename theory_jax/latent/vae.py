"""The variational autoencoder (lecture 18): the bound by its loss, and the loss's two terms."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax.scipy.special import logsumexp

from theory_jax.arguments import require, require_rank, require_same_shape, require_unit_interval, require_values
from theory_jax.foundations.maximum_likelihood import gaussian_negative_log_likelihood
from theory_jax.latent.reparameterization import reparameterize
from theory_jax.mathematics.elementary import exponential_remainder

# The encoder's log-variance stays within (-10, 10).
_LOG_VAR_LIMIT = 10.0


def bernoulli_log_likelihood(x, logits):
    r"""log p(x) of independent Bernoulli pixels with success probability sigma(logits), in nats.

    sum_d [ x log sigma(logits) + (1 - x) log sigma(-logits) ]

    Raises ValueError if the shapes differ or x leaves [0, 1].  Source: Kingma & Welling 2014, appendix C.1.
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, logits=logits)
    require_unit_interval(x=x)
    # Success and failure may swap names, (x, l) -> (1 - x, -l). Name them so that no logit is positive: then x l - softplus(l)
    # subtracts nothing large from anything large, and a confident right answer is e^l away from 0, not 0.
    flip = logits > 0
    logits = jnp.where(flip, -logits, logits)
    x = jnp.where(flip, 1 - x, x)
    return jnp.sum(x * logits - jax.nn.softplus(logits), axis=-1)


def gaussian_log_likelihood(x, mean, log_var):
    r"""log N(x; mean, e^log_var), diagonal, in nats.

    -1/2 sum_d [ log 2 pi + log_var + (x - mean)^2 e^-log_var ]

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix C.2.
    [B, D], [B, D], [B, D] -> [B]
    """
    return jnp.negative(gaussian_negative_log_likelihood(x, mean, log_var))


def kl_to_standard_normal(mean, log_var):
    r"""KL(N(mean, e^log_var) || N(0, I)), diagonal, in nats.

    1/2 sum_l [ mean^2 + e^log_var - 1 - log_var ]

    This is gaussian_kl_divergence at mean_q = log_var_q = 0, in a form that keeps its relative accuracy as the KL vanishes:
    expm1(v) - v still subtracts v from v (1 + v/2), and at v = 1e-9 in float32 nothing is left.

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, L], [B, L] -> [B]
    """
    require_rank(2, mean=mean)
    require_same_shape(mean=mean, log_var=log_var)
    return jnp.sum(mean**2 / 2 + exponential_remainder(log_var) / 2, axis=-1)


def negative_elbo(x, logits, mean, log_var):
    r"""The negative evidence lower bound of a Bernoulli decoder and a standard normal prior, in nats.

    KL(N(mean, e^log_var) || N(0, I)) - log p(x | z), with logits = decoder(z) and one z drawn from N(mean, e^log_var)

    Raises ValueError if shapes differ or x leaves [0, 1].  Source: Kingma & Welling 2014, eq. 10.
    [B, D], [B, D], [B, L], [B, L] -> [B]
    """
    rate = kl_to_standard_normal(mean, log_var)
    distortion = -bernoulli_log_likelihood(x, logits)
    require(
        rate.shape == distortion.shape,
        f"mean has {rate.shape[0]} rows; it must have one for each of the {distortion.shape[0]} rows of x",
    )
    return rate + distortion


def calibrated_gaussian_negative_log_likelihood(x, mean):
    r"""-log N(x; mean, s I) at the one variance s per example that is best for it, s = mse(x, mean), in nats.

    D/2 (log 2 pi + log mse + 1),  mse = 1/D sum_d (x - mean)^2

    Raises ValueError if the shapes differ or an example is equal to its mean, reconstructed exactly (its density is unbounded).
    Source: Rybkin, Daniilidis & Levine 2021 (sigma-VAE).
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, mean=mean)
    distance = jnp.abs(x - mean)
    require_values(
        "mean",
        distance.max(axis=-1),
        lambda largest: largest > 0,
        "different from x somewhere in the row (shown is the largest residual): the best variance would be 0",
    )
    dims = x.shape[-1]
    # log mse = logsumexp(2 log |r|) - log D: squares are never formed, so none underflows. A residual of 0 contributes e^-inf;
    # its logarithm is not taken, or its gradient would be NaN.
    exact = distance == 0
    log_squares = jnp.where(exact, -jnp.inf, 2 * jnp.log(jnp.where(exact, 1, distance)))
    return dims / 2 * (math.log(2 * math.pi / dims) + logsumexp(log_squares, axis=-1) + 1)


class VariationalAutoencoder(nnx.Module):
    """Perceptrons both ways: pixels -> N(mean, e^log_var) over latents, latents -> logits of pixels.

    conditions: further inputs of the encoder and of the decoder, behind the pixels and behind the latents.
    """

    def __init__(self, *, num_pixels: int, hidden_dims: tuple[int, ...], latent_dim: int, conditions: int = 0, rngs: nnx.Rngs):
        def linear(inputs, outputs):
            return nnx.Linear(inputs, outputs, param_dtype=jnp.result_type(float), rngs=rngs)

        self.encoder = nnx.List([])
        width = num_pixels + conditions
        for hidden in hidden_dims:
            self.encoder.append(linear(width, hidden))
            width = hidden
        self.mean = linear(width, latent_dim)
        self.log_var = linear(width, latent_dim)
        self.decoder = nnx.List([])
        width = latent_dim + conditions
        for hidden in hidden_dims[::-1]:
            self.decoder.append(linear(width, hidden))
            width = hidden
        self.logits = linear(width, num_pixels)

    def encode(self, x):
        """Mean and log-variance of q(z | x): [B, D] -> [B, L], [B, L]."""
        h = x
        for layer in self.encoder:
            h = jax.nn.silu(layer(h))
        # A clamp would do for the forward pass, but it has no gradient outside its range: an encoder that overshoots once would
        # hear neither the KL nor the likelihood again. limit tanh(. / limit) is the identity to first order, and never deaf.
        return self.mean(h), _LOG_VAR_LIMIT * jnp.tanh(self.log_var(h) / _LOG_VAR_LIMIT)

    def decode(self, z):
        """Logits of the pixels of p(x | z): [B, L] -> [B, D]."""
        h = z
        for layer in self.decoder:
            h = jax.nn.silu(layer(h))
        return self.logits(h)

    def __call__(self, x, noise):
        """Logits at z = mean + e^(log_var / 2) noise, and q's parameters: [B, D], [B, L] -> [B, D], [B, L], [B, L]."""
        mean, log_var = self.encode(x)
        return self.decode(reparameterize(noise, mean, log_var)), mean, log_var
