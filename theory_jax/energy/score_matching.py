"""Score matching: how a model is fitted through the slope of its log-density, in which no normalizer occurs."""

import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_batch,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from theory_jax.flows.hutchinson_trace import exact_divergence, hutchinson_divergence
from theory_jax.mathematics.levels import sum_each


def explicit_loss(x, score_fn):
    r"""1/2 ||s(x)||^2 + div s(x), with s = score_fn: on average over data the Fisher divergence, up to a constant of the data.

    The divergence takes D derivatives for D entries of an example. score_fn([B, ...]) -> [B, ...] treats every example by itself
    and must have a slope: of steps, the score of a piecewise linear energy, the divergence is 0 wherever it is computed.

    Raises ValueError if x has no batch axis or score_fn does not return the shape of x.  Source: Hyvärinen 2005, theorem 1.
    [B, ...] -> [B]
    """
    divergence = exact_divergence(x, _checked(score_fn))
    return divergence + _half_squares("x", score_fn(x))


def sliced_loss(x, probes, score_fn):
    r"""1/P sum_k [ v_k^T J v_k + 1/2 (v_k . s(x))^2 ], J = ds/dx: unbiased for the explicit loss where E v v^T = I.

    Raises ValueError if x has no batch axis, score_fn does not return the shape of x, or probes does not hold one or more of it.
    Source: Song et al. 2019, eq. 7.
    [B, ...], [P, B, ...] -> [B]
    """
    divergence = hutchinson_divergence(x, probes, _checked(score_fn))
    along = jnp.sum(probes * score_fn(x), axis=tuple(range(2, jnp.ndim(probes))))
    return divergence + jnp.mean(along**2, axis=0) / 2


def variance_reduced_sliced_loss(x, probes, score_fn):
    r"""1/P sum_k v_k^T J v_k + 1/2 ||s(x)||^2, J = ds/dx: the sliced loss with its second term in closed form.

    Raises ValueError if x has no batch axis, score_fn does not return the shape of x, or probes does not hold one or more of it.
    Source: Song et al. 2019, eq. 8.
    [B, ...], [P, B, ...] -> [B]
    """
    divergence = hutchinson_divergence(x, probes, _checked(score_fn))
    return divergence + _half_squares("x", score_fn(x))


def denoising_loss(x, noise, score_fn, *, sigma):
    r"""1/2 ||s(x + sigma noise) + noise/sigma||^2, with s = score_fn: least for the score of the data with noise of this sigma.

    Raises ValueError if x has no batch axis, noise or the result of score_fn has another shape, or sigma is not positive.
    Source: Vincent 2011, section 4.2.
    [B, ...], [B, ...] -> [B]
    """
    require_positive(sigma=sigma)
    require_same_shape(x=x, noise=noise)
    return _half_squares("x", _checked(score_fn)(x + sigma * noise) + noise / sigma)


def gaussian_score(x, mean, precision):
    r"""grad_x log N(x; mean, precision^-1) = -precision (x - mean).

    Raises ValueError if mean or precision does not fit x, or precision is not symmetric.  Source: Hyvärinen 2005, section 3.1.
    [B, D], [D], [D, D] -> [B, D]
    """
    require_rank(2, x=x)
    size = jnp.shape(x)[1]
    require_shape((size,), mean=mean)
    require_shape((size, size), precision=precision)
    # the inverse of a covariance in float32 is symmetric up to its rounding
    symmetric = lambda p: abs(p - p.T) <= 1e-5 * abs(p).max()  # noqa: E731
    require_values("precision", precision, symmetric, "the entry across the diagonal: a precision is symmetric")
    return -jnp.einsum("ij,bj->bi", precision, x - mean)


def fisher_divergence(score_p, score_q):
    r"""1/2 ||s_p - s_q||^2 at every example: its mean over draws from p is the Fisher divergence of q from p.

    Raises ValueError if the shapes of score_p and score_q differ, or they have no batch axis.
    Source: Hyvärinen 2005, eq. 2; Song & Kingma 2021, section 3.
    [B, ...], [B, ...] -> [B]
    """
    require_same_shape(score_p=score_p, score_q=score_q)
    return _half_squares("score_p", jnp.subtract(score_p, score_q))


def _half_squares(name, rows):
    """1/2 of the sum of every example's squares, [B]; name: the argument's, for errors."""
    require_batch(**{name: rows})
    return sum_each(rows**2) / 2


def _checked(score_fn):
    """score_fn, which must return the shape that it is given."""

    def score(x):
        result = score_fn(x)
        given, wanted = list(jnp.shape(result)), list(jnp.shape(x))
        require(given == wanted, f"score_fn returns shape {given}; it must return that of x, {wanted}")
        return result

    return score
