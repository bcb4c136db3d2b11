"""Noise-contrastive estimation: an unnormalized model is fitted, its constant included, by telling data from known noise."""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_one_each, require_positive, require_rank, require_same_shape
from theory_jax.foundations.maximum_likelihood import categorical_negative_log_likelihood


def log_odds(model_log_prob, noise_log_prob, *, noise_ratio=1.0):
    r"""G = log m(x) - log n(x) - log nu: the log-odds of data against noise, for nu = noise_ratio draws of noise for each datum.

    The model m need not be normalized: with a learned constant, m(x) = e^(c - E(x)), the fit normalizes it. The noise n must be.

    Raises ValueError if the shapes differ, or noise_ratio is not positive.  Source: Gutmann & Hyvärinen 2012, eq. 5.
    [...], [...] -> [...]
    """
    require_positive(noise_ratio=noise_ratio)
    require_same_shape(model_log_prob=model_log_prob, noise_log_prob=noise_log_prob)
    return jnp.subtract(model_log_prob, noise_log_prob) - math.log(noise_ratio)


def data_loss(log_odds):
    r"""-log sigma(G) = log(1 + e^-G), in nats: the cost of a datum, to which the model gives the log-odds G of being one.

    Source: Gutmann & Hyvärinen 2012, eq. 8.
    [...] -> [...]
    """
    return jax.nn.softplus(-log_odds)


def noise_loss(log_odds):
    r"""-log(1 - sigma(G)) = log(1 + e^G), in nats: the cost of a draw of noise, to which the model gives the log-odds G.

    Source: Gutmann & Hyvärinen 2012, eq. 8.
    [...] -> [...]
    """
    return jax.nn.softplus(log_odds)


def loss(data_log_odds, noise_log_odds):
    r"""log(1 + e^-G_b) + sum_j log(1 + e^G_bj), in nats: of a datum, and of the K draws of noise that belong to it.

    The noise is summed: with K draws for each datum the log-odds have the noise_ratio K.

    Raises ValueError unless noise_log_odds has a row for each of data_log_odds, and a column.
    Source: Gutmann & Hyvärinen 2012, eq. 8.
    [B], [B, K] -> [B]
    """
    require_rank(1, data_log_odds=data_log_odds)
    _require_columns(noise_log_odds=noise_log_odds)
    require_one_each(noise_log_odds, data_log_odds=data_log_odds)
    return data_loss(data_log_odds) + jnp.sum(noise_loss(noise_log_odds), axis=1)


def information_loss(scores):
    r"""log sum_j e^s_j - s_0, in nats (InfoNCE): the cost of telling the partner, in column 0, among K candidates.

    log K less its mean is at most the mutual information, if the other candidates are drawn apart from the example.

    Raises ValueError unless scores has two axes, and a column.  Source: van den Oord et al. 2018, eq. 4.
    [B, K] -> [B]
    """
    _require_columns(scores=scores)
    return categorical_negative_log_likelihood(jnp.zeros(jnp.shape(scores)[0], dtype=int), scores)


def _require_columns(**arrays):
    require_rank(2, **arrays)
    for name, array in arrays.items():
        require(jnp.shape(array)[1] > 0, f"{name} has shape {list(jnp.shape(array))}; it must have at least one column")
