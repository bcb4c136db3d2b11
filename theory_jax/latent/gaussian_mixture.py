"""Gaussian mixtures (lecture 16): why expectation-maximization never lowers a likelihood, and its failures.

A component is given by its mean and by the lower triangular factor L of its covariance L L^T.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from theory_jax.arguments import require, require_at_least, require_log_probs, require_rank, require_shape, require_values
from theory_jax.autoregressive.decoding import categorical_from_uniform
from theory_jax.latent.latent_variable_models import discrete_log_marginal, discrete_log_posterior

_POINTS = 1024  # at once: of all of them, [B, K, D] numbers would leave the cache


def component_log_density(x, means, scale_tril):
    r"""log N(x; means_k, L_k L_k^T) of every component, in nats, with L_k the lower triangle of scale_tril_k.

    Raises ValueError if the shapes of means and scale_tril do not fit x, or scale_tril has a diagonal entry that is not
    positive.  Source: Bishop 2006, section 9.2.
    [B, D], [K, D], [K, D, D] -> [B, K]
    """
    _require_components(x, means, scale_tril)
    size, factors = x.shape[1], jnp.tril(scale_tril)
    whitening = jax.vmap(lambda factor: solve_triangular(factor, jnp.eye(size, dtype=factor.dtype), lower=True))(factors)
    peaks = -jnp.sum(jnp.log(jnp.diagonal(factors, axis1=1, axis2=2)), axis=1) - size / 2 * math.log(2 * math.pi)

    def of_point(point):
        return peaks - jnp.sum(jnp.einsum("kij,kj->ki", whitening, point - means) ** 2, axis=1) / 2

    return jax.lax.map(of_point, x, batch_size=_POINTS)


def mixture_log_density(x, log_weights, means, scale_tril):
    r"""log sum_k e^log_weights_k N(x; means_k, L_k L_k^T), in nats.

    Raises ValueError if the shapes of log_weights, means and scale_tril do not fit, log_weights does not sum to one, or
    scale_tril has a diagonal entry that is not positive.  Source: Bishop 2006, eq. 9.7.
    [B, D], [K], [K, D], [K, D, D] -> [B]
    """
    _require_weights(log_weights, means)
    return discrete_log_marginal(component_log_density(x, means, scale_tril), log_weights)


def log_responsibilities(x, log_weights, means, scale_tril):
    r"""log p(k|x): the posterior of the component that a point came from, in nats; the E-step.

    Raises ValueError if the shapes of log_weights, means and scale_tril do not fit, log_weights does not sum to one, or
    scale_tril has a diagonal entry that is not positive.  Source: Bishop 2006, eq. 9.13.
    [B, D], [K], [K, D], [K, D, D] -> [B, K]
    """
    _require_weights(log_weights, means)
    return discrete_log_posterior(component_log_density(x, means, scale_tril), log_weights)


def m_step(x, log_responsibilities, *, regularization=0.0):
    r"""The mixture that maximizes the expected complete log-likelihood: weights N_k / B, weighted means and covariances.

    N_k = sum_n r_nk, mean_k = sum_n r_nk x_n / N_k, L_k L_k^T = sum_n r_nk (x_n - mean_k)(x_n - mean_k)^T / N_k +
    regularization I. Returns (log_weights, means, scale_tril).

    Raises ValueError if x is empty, log_responsibilities has not a row for each point, a row of log_responsibilities does not
    sum to one, a component has no point, a covariance is singular, or regularization is negative.
    Source: Dempster, Laird & Rubin 1977; Bishop 2006, eq. 9.24 to 9.26.
    [B, D], [B, K] -> [K], [K, D], [K, D, D]
    """
    _require_responsibilities(x, log_responsibilities)
    require_at_least(0, regularization=regularization)
    require(len(x) > 0, f"x has shape {list(x.shape)}; it must hold at least one point")
    largest = jnp.max(log_responsibilities, axis=0)
    require_values("log_responsibilities", largest, lambda r: r > -np.inf, "above -inf for some point: a component is empty")
    log_counts = jax.nn.logsumexp(log_responsibilities, axis=0)
    # shares of a component sum to one over the points, however small the component is
    shares = jnp.exp(log_responsibilities - log_counts).T
    means = shares @ x

    def covariance(of_one):
        share, mean = of_one
        away = x - mean
        return (away * share[:, None]).T @ away

    floor = regularization * jnp.eye(x.shape[1], dtype=x.dtype)
    # one component after another: all at once, [K, B, D] numbers would leave the cache
    scale_tril = jnp.linalg.cholesky(jax.lax.map(covariance, (shares, means)) + floor)
    worst = jnp.min(jnp.diagonal(scale_tril, axis1=1, axis2=2), axis=1)
    require_values("regularization", worst, lambda d: d > 0, "large enough that no covariance is singular (shown is a diagonal)")
    return log_counts - math.log(len(x)), means, scale_tril


def expected_complete_log_likelihood(x, log_responsibilities, log_weights, means, scale_tril):
    r"""sum_k r_k (log_weights_k + log N(x; means_k, L_k L_k^T)), in nats; a component with r_k = 0 does not count.

    Raises ValueError if the shapes of log_responsibilities, log_weights, means and scale_tril do not fit, a row of
    log_responsibilities or log_weights does not sum to one, or scale_tril has a diagonal entry that is not positive.
    Source: Bishop 2006, eq. 9.40.
    [B, D], [B, K], [K], [K, D], [K, D, D] -> [B]
    """
    _require_weights(log_weights, means)
    _require_responsibilities(x, log_responsibilities)
    require_shape((len(x), len(means)), log_responsibilities=log_responsibilities)
    log_joint = log_weights + component_log_density(x, means, scale_tril)
    counts = ~jnp.isneginf(log_responsibilities)
    return jnp.sum(jnp.exp(log_responsibilities) * jnp.where(counts, log_joint, 0.0), axis=1)


def mixture_sample(uniforms, noise, log_weights, means, scale_tril):
    r"""means_k + L_k noise, with k the first component with a cumulative weight above the uniform number.

    Raises ValueError if the shapes of uniforms, log_weights, means and scale_tril do not fit noise, uniforms leaves [0, 1),
    log_weights does not sum to one, or scale_tril has a diagonal entry that is not positive.
    Source: Devroye 1986, section III.2.
    [B], [B, D], [K], [K, D], [K, D, D] -> [B, D]
    """
    _require_components(noise, means, scale_tril, name="noise")
    _require_weights(log_weights, means)
    require_shape(noise.shape[:1], uniforms=uniforms)
    require_values("uniforms", uniforms, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    chosen = categorical_from_uniform(jnp.broadcast_to(log_weights, (len(uniforms), len(log_weights))), uniforms)
    return means[chosen] + jnp.einsum("bij,bj->bi", jnp.tril(scale_tril)[chosen], noise)


def _require_components(x, means, scale_tril, *, name="x"):
    require_rank(2, **{name: x}, means=means)
    (components, width), size = means.shape, x.shape[1]
    require(width == size, f"means has shape {list(means.shape)}; its rows must have {size} entries, as those of {name}")
    require_shape((components, size, size), scale_tril=scale_tril)
    diagonal = jnp.diagonal(scale_tril, axis1=1, axis2=2)
    require_values("scale_tril", diagonal, lambda d: d > 0, "positive on the diagonal")


def _require_weights(log_weights, means):
    require_rank(2, means=means)
    require(len(means) > 0, f"means has shape {list(means.shape)}; a mixture needs at least one component")
    require_shape((len(means),), log_weights=log_weights)
    require_log_probs(log_weights=log_weights)


def _require_responsibilities(x, log_responsibilities):
    require_rank(2, x=x, log_responsibilities=log_responsibilities)
    given, rows = list(log_responsibilities.shape), len(x)
    fits = given[0] == rows and given[1] > 0
    require(fits, f"log_responsibilities has shape {given}; it must have a row for each of {rows} points, and a component")
    require_log_probs(log_responsibilities=log_responsibilities)
