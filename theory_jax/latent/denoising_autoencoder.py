"""The denoising autoencoder: the best reconstruction of corrupted data, the score in it, and the effect of noise on a model."""

import math

import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_same_shape,
    require_share,
    require_unit_interval,
)
from theory_jax.foundations.jensen import log_mean_exp
from theory_jax.mathematics.mixture import mean_of_data


def corrupt_gaussian(x, noise, *, sigma):
    r"""x + sigma noise: noise is standard normal, sigma its standard deviation, in units of x.

    Raises ValueError if x has not 2 axes, noise has another shape, or sigma is negative.  Source: Vincent et al. 2008.
    [B, D], [B, D] -> [B, D]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, noise=noise)
    require_at_least(0, sigma=sigma)
    return x + sigma * noise


def corrupt_masking(x, uniforms, *, probability):
    r"""0 where uniforms < probability, else x: each entry is left out with this probability. What is kept is not rescaled.

    Raises ValueError if x has not 2 axes, uniforms has another shape or an entry outside of [0, 1], or probability is not in
    [0, 1].  Source: Vincent et al. 2008.
    [B, D], [B, D] -> [B, D]
    """
    _require_uniforms(x, uniforms, probability)
    return jnp.where(uniforms < probability, 0.0, x)


def corrupt_salt_and_pepper(x, uniforms, *, probability, low=0.0, high=1.0):
    r"""low where uniforms < probability/2, high where probability/2 <= uniforms < probability, else x.

    Raises ValueError if x has not 2 axes, uniforms has another shape or an entry outside of [0, 1], or probability is not in
    [0, 1].  Source: Vincent et al. 2008.
    [B, D], [B, D] -> [B, D]
    """
    _require_uniforms(x, uniforms, probability)
    return jnp.where(uniforms < probability / 2, low, jnp.where(uniforms < probability, high, x))


def smoothed_log_density(x, data, *, sigma):
    r"""log (1/N) sum_n N(x; x_n, sigma^2 I), in nats: the density of a datum with Gaussian noise.

    Raises ValueError if x or data has not 2 axes, data has no rows or not as many columns as x, or sigma is not positive.
    Source: Vincent 2011, eq. 6; Parzen 1962.
    [B, D], [N, D] -> [B]
    """
    _require_data(x, data, sigma)
    squares = jnp.sum(jnp.square((x[:, None] - data) / sigma), axis=2)
    return log_mean_exp(-squares / 2) - jnp.shape(x)[1] * (math.log(sigma) + math.log(2 * math.pi) / 2)


def empirical_denoiser(x_noisy, data, *, sigma):
    r"""E[x|x_noisy] = sum_n w_n x_n, w = softmax_n(-||x_noisy - x_n||^2 / (2 sigma^2)): the best guess of the datum.

    Raises ValueError if x_noisy or data has not 2 axes, data has no rows or not as many columns as x_noisy, or sigma is not
    positive.  Source: Alain & Bengio 2014; Efron 2011.
    [B, D], [N, D] -> [B, D]
    """
    _require_data(x_noisy, data, sigma, "x_noisy")
    each = jnp.ones(len(x_noisy), jnp.result_type(x_noisy))
    return mean_of_data(x_noisy, data, each, sigma**2 * each)


def denoiser_score(x_noisy, denoised, *, sigma):
    r"""(denoised - x_noisy) / sigma^2: for the best denoiser the gradient of the log-density of noisy data (Tweedie's formula).

    Raises ValueError if x_noisy has not 2 axes, denoised has another shape, or sigma is not positive.
    Source: Efron 2011; Vincent 2011; Alain & Bengio 2014.
    [B, D], [B, D] -> [B, D]
    """
    require_rank(2, x_noisy=x_noisy)
    require_same_shape(x_noisy=x_noisy, denoised=denoised)
    require_positive(sigma=sigma)
    return (denoised - x_noisy) / sigma**2


def _require_uniforms(x, uniforms, probability):
    require_rank(2, x=x)
    require_same_shape(x=x, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    require_share(probability=probability)


def _require_data(x, data, sigma, name="x"):
    require_rank(2, **{name: x}, data=data)
    given, wanted = list(jnp.shape(data)), ["N", jnp.shape(x)[1]]
    require(given[0] >= 1 and given[1] == wanted[1], f"data has shape {given}; it must be {wanted}, N >= 1")
    require_positive(sigma=sigma)
