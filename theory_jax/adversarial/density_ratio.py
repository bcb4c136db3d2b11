"""Classifiers as density-ratio estimators (lecture 7): how to read p/q off a logit, and what to do with it.

p is the law of the data (the numerator), q that of the generator, r = p/q.
"""

import jax.numpy as jnp
from jax.nn import softplus

from theory_jax.arguments import require, require_binary, require_positive, require_rank, require_same_shape


def log_ratio_from_classifier(logits, *, log_prior_odds=0.0):
    r"""logit - log(pi_p/pi_q) = log p(x) - log q(x), in nats, for a calibrated classifier of p (1) against q (0).

    Raises ValueError unless logits has one axis.  Source: Sugiyama et al. 2012, section 3.
    [B] -> [B]
    """
    require_rank(1, logits=logits)
    return logits - log_prior_odds


def logistic_ratio_loss(logits, labels):
    r"""-y log sigma(l) - (1 - y) log sigma(-l), in nats, with y = 1 for draws from the numerator p and 0 for those from q.

    Raises ValueError if the shapes differ, or an entry of labels is neither 0 nor 1.
    Source: Menon & Ong 2016, section 3.
    [B], [B] -> [B]
    """
    require_rank(1, logits=logits)
    require_same_shape(logits=logits, labels=labels)
    require_binary(labels=labels)
    return softplus(jnp.where(labels == 1, -logits, logits))


def least_squares_ratio_loss(ratio_numerator, ratio_denominator):
    r"""1/2 f(x_q)^2 - f(x_p), of a ratio f at draws from the numerator p and from the denominator q: least for f = p/q.

    Raises ValueError if the shapes differ.  Source: Kanamori, Hido & Sugiyama 2009, eq. 2.
    [B], [B] -> [B]
    """
    require_rank(1, ratio_numerator=ratio_numerator)
    require_same_shape(ratio_numerator=ratio_numerator, ratio_denominator=ratio_denominator)
    return ratio_denominator**2 / 2 - ratio_numerator


def kernel_ratio_fit(kernel_numerator, kernel_denominator, *, ridge):
    r"""(K_q^T K_q / M + ridge I)^-1 mean of the rows of K_p: the weights a of the ratio K a with the least squared loss.

    Row n of K_p = kernel_numerator holds the features of draw n from p; K_q = kernel_denominator, of M draws from q. The
    penalty is ridge/2 |a|^2.

    Raises ValueError if kernel_numerator and kernel_denominator differ in their columns or have no row, or ridge is not positive.
    Source: Kanamori, Hido & Sugiyama 2009, eq. 4 (uLSIF).
    [N, K], [M, K] -> [K]
    """
    require_rank(2, kernel_numerator=kernel_numerator, kernel_denominator=kernel_denominator)
    features, given = kernel_numerator.shape[1], list(kernel_denominator.shape)
    require(given[1] == features, f"kernel_denominator has shape {given}; it must have {features} columns, as kernel_numerator")
    for name, kernel in (("kernel_numerator", kernel_numerator), ("kernel_denominator", kernel_denominator)):
        require(len(kernel) > 0, f"{name} has no row; it must have at least one")
    require_positive(ridge=ridge)
    normal = kernel_denominator.T @ kernel_denominator / len(kernel_denominator)
    return jnp.linalg.solve(normal + ridge * jnp.eye(features, dtype=normal.dtype), jnp.mean(kernel_numerator, axis=0))


def rejection_log_acceptance(log_ratio, *, log_bound):
    r"""min(0, log r - log M): with this log-probability a draw from q is kept, so that the kept ones follow p if r <= M.

    Raises ValueError unless log_ratio has one axis.  Source: von Neumann 1951; Azadi et al. 2019, section 3.
    [B] -> [B]
    """
    require_rank(1, log_ratio=log_ratio)
    return jnp.minimum(log_ratio - log_bound, 0.0)
