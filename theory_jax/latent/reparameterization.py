"""Gradients through randomness (lecture 19): the pathwise estimator, the score-function estimator, and relaxed choices."""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from theory_jax.arguments import require, require_log_probs, require_positive, require_rank, require_same_shape, require_values


def reparameterize(noise, mean, log_var):
    r"""z = mean + e^(log_var / 2) noise: a draw from N(mean, e^log_var) if noise is a draw from N(0, I).

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, section 2.4.
    [B, L], [B, L], [B, L] -> [B, L]
    """
    require_rank(2, noise=noise)
    require_same_shape(noise=noise, mean=mean, log_var=log_var)
    return mean + jnp.exp(log_var / 2) * noise


def gaussian_parameter_score(z, mean, log_var):
    r"""The gradients of log N(z; mean, e^log_var) with respect to mean and to log_var.

    (z - mean) e^-log_var  and  1/2 ((z - mean)^2 e^-log_var - 1)

    Raises ValueError if the shapes differ.  Source: Williams 1992.
    [B, L], [B, L], [B, L] -> [B, L], [B, L]
    """
    require_rank(2, z=z)
    require_same_shape(z=z, mean=mean, log_var=log_var)
    precision_root = jnp.exp(-log_var / 2)
    standardized = (z - mean) * precision_root
    # (u - 1)(u + 1) keeps the digits of u^2 - 1 one standard deviation from the mean.
    return standardized * precision_root, (standardized - 1) * (standardized + 1) / 2


def leave_one_out_advantage(values):
    r"""f_s - mean of f_r over r != s: each sample against the average of the others, so that the baseline is independent of it.

    Raises ValueError if S < 2.  Source: Kool et al. 2019.
    [B, S] -> [B, S]
    """
    require_rank(2, values=values)
    size = values.shape[1]
    require(size >= 2, f"values has {size} samples a row; a leave-one-out baseline needs at least 2")
    return (values - jnp.mean(values, axis=-1, keepdims=True)) * (size / (size - 1))


def gumbel_from_uniform(uniforms):
    r"""g = -log(-log u): a standard Gumbel draw if u is a uniform draw.

    Raises ValueError if a uniform is outside (0, 1).  Source: Gumbel 1954; Maddison et al. 2017.
    [B, K] -> [B, K]
    """
    require_rank(2, uniforms=uniforms)
    require_values("uniforms", uniforms, lambda u: (u > 0) & (u < 1), "inside (0, 1), both ends excluded")
    return -jnp.log(-jnp.log(uniforms))


def gumbel_softmax(uniforms, logits, *, temperature):
    r"""softmax((logits + g) / temperature) with the Gumbel noise g of the uniforms: a relaxed draw from softmax(logits).

    Raises ValueError if the shapes differ, a uniform is outside (0, 1) or temperature <= 0.
    Source: Jang et al. 2017, eq. 2; Maddison et al. 2017.
    [B, K], [B, K] -> [B, K]
    """
    require_same_shape(uniforms=uniforms, logits=logits)
    require_positive(temperature=temperature)
    return jax.nn.softmax((logits + gumbel_from_uniform(uniforms)) / temperature, axis=-1)


def concrete_log_density(log_y, logits, *, temperature):
    r"""The log-density of a Gumbel-softmax draw y on the simplex (with respect to y_1 ... y_{K-1}), in nats.

    log Gamma(K) + (K-1) log tau + sum_k (l_k - (tau+1) log y_k) - K logsumexp_k(l_k - tau log y_k)

    Raises ValueError if the shapes differ, temperature <= 0, a row of log_y does not sum to one or is on the simplex's edge.
    Source: Maddison et al. 2017, definition 1.
    [B, K], [B, K] -> [B]
    """
    require_rank(2, log_y=log_y)
    require_same_shape(log_y=log_y, logits=logits)
    require_positive(temperature=temperature)
    require_values("log_y", log_y, jnp.isfinite, "finite: at y = 0 the density is 0 or infinite")
    require_log_probs(log_y=log_y)
    categories = log_y.shape[-1]
    # The log-normalizer is taken from each of the K terms, not K times from their sum: a shift of all logits costs no digits.
    tilted = logits - temperature * log_y
    log_normalizer = logsumexp(tilted, axis=-1, keepdims=True)
    constant = math.lgamma(categories) + (categories - 1) * math.log(temperature)
    return constant + jnp.sum(tilted - log_normalizer - log_y, axis=-1)
