"""Gaussian mixtures at scale: densities, the two steps of expectation-maximization, and draws.

A component is given by its mean and by the lower triangular factor L of its covariance L L^T. Points are taken a block at a time,
so that what is made of B K D numbers stays in the processor's cache.
"""

import math

import torch

from practice_torch.arguments import (
    require,
    require_at_least,
    require_log_probs,
    require_rank,
    require_shape,
    require_values,
    values_are_free,
)
from practice_torch.autoregressive.decoding import categorical_from_uniform
from practice_torch.foundations.jensen import log_mean_exp
from practice_torch.mathematics.elementary import underflowing_exp

BLOCK = 2**17  # numbers in an intermediate result: 1 MB in float64
_CLOSE = 5e-6  # of sums of probabilities to one: where they are not as close, require_log_probs decides


def component_log_density(x, means, scale_tril):
    r"""log N(x; means_k, L_k L_k^T) of every component, in nats, with L_k the lower triangle of scale_tril_k.

    Raises ValueError if the shapes of means and scale_tril do not fit x, or scale_tril has a diagonal entry that is not
    positive.  Source: Bishop 2006, section 9.2.
    [B, D], [K, D], [K, D, D] -> [B, K]
    """
    _require_components(x, means, scale_tril)
    return _joined(_log_joints(x, None, means, scale_tril))


def mixture_log_density(x, log_weights, means, scale_tril):
    r"""log sum_k e^log_weights_k N(x; means_k, L_k L_k^T), in nats.

    Raises ValueError if the shapes of log_weights, means and scale_tril do not fit, log_weights does not sum to one, or
    scale_tril has a diagonal entry that is not positive.  Source: Bishop 2006, eq. 9.7.
    [B, D], [K], [K, D], [K, D, D] -> [B]
    """
    _require_weights(log_weights, means)
    _require_components(x, means, scale_tril)
    blocks = (log_mean_exp(joint.mT) for joint in _log_joints(x, log_weights, means, scale_tril))
    return torch.cat(list(blocks)) + math.log(len(means))


def log_responsibilities(x, log_weights, means, scale_tril):
    r"""log p(k|x): the posterior of the component that a point came from, in nats; the E-step.

    Raises ValueError if the shapes of log_weights, means and scale_tril do not fit, log_weights does not sum to one, or
    scale_tril has a diagonal entry that is not positive.  Source: Bishop 2006, eq. 9.13.
    [B, D], [K], [K, D], [K, D, D] -> [B, K]
    """
    _require_weights(log_weights, means)
    _require_components(x, means, scale_tril)
    empty = (log_weights == -torch.inf).unsqueeze(1)  # an empty component stays empty
    blocks = (joint.log_softmax(0) for joint in _log_joints(x, log_weights, means, scale_tril))
    return _joined(block.masked_fill(empty, -torch.inf) for block in blocks)


def m_step(x, log_responsibilities, *, regularization=0.0):
    r"""The mixture that maximizes the expected complete log-likelihood: weights N_k / B, weighted means and covariances.

    N_k = sum_n r_nk, mean_k = sum_n r_nk x_n / N_k, L_k L_k^T = sum_n r_nk (x_n - mean_k)(x_n - mean_k)^T / N_k +
    regularization I. Returns (log_weights, means, scale_tril).

    Raises ValueError if x is empty, log_responsibilities has not a row for each point, a row of log_responsibilities does not
    sum to one, a component has no point, a covariance is singular, or regularization is negative.
    Source: Dempster, Laird & Rubin 1977; Bishop 2006, eq. 9.24 to 9.26.
    [B, D], [B, K] -> [K], [K, D], [K, D, D]
    """
    _require_fitting(x, log_responsibilities)
    require_at_least(0, regularization=regularization)
    require(len(x) > 0, f"x has shape {list(x.shape)}; it must hold at least one point")
    largest = log_responsibilities.detach().amax(0)
    rows = _rows(x.shape[1] * log_responsibilities.shape[1])
    points, parts = x.split(rows), log_responsibilities.split(rows)
    # relative to the largest responsibility of a component: they do not all underflow, however small the component is
    shares = [underflowing_exp((part - largest).mT.contiguous()) for part in parts]
    if values_are_free(largest) and not _sum_to_one(shares, largest):
        require_log_probs(log_responsibilities=log_responsibilities)
    require_values("log_responsibilities", largest, lambda r: r > -torch.inf, "above -inf for some point: a component is empty")
    counts = sum(share.sum(1) for share in shares)
    means = sum(share @ some for share, some in zip(shares, points, strict=True)) / counts.unsqueeze(1)
    # second moments around the new means: those around the origin would lose the digits of narrow clusters far from it
    moments = x.new_zeros(*means.shape, x.shape[1])
    for share, some in zip(shares, points, strict=True):
        away = some.mT.contiguous() - means.unsqueeze(2)
        moments = torch.baddbmm(moments, away * share.unsqueeze(1), away.mT)
    floor = regularization * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    covariances = moments / counts[:, None, None] + floor
    scale_tril, failed = torch.linalg.cholesky_ex(covariances)
    if values_are_free(failed):
        singular = torch.nonzero(failed)
        found = f"{int(failed.count_nonzero())} covariances are singular, the first that of component {singular[:1].sum()}"
        require(not len(singular), f"regularization is {regularization}; it must be larger, since {found}")
    return largest + counts.log() - math.log(len(x)), means, scale_tril


def expected_complete_log_likelihood(x, log_responsibilities, log_weights, means, scale_tril):
    r"""sum_k r_k (log_weights_k + log N(x; means_k, L_k L_k^T)), in nats; a component with r_k = 0 does not count.

    Raises ValueError if the shapes of log_responsibilities, log_weights, means and scale_tril do not fit, a row of
    log_responsibilities or log_weights does not sum to one, or scale_tril has a diagonal entry that is not positive.
    Source: Bishop 2006, eq. 9.40.
    [B, D], [B, K], [K], [K, D], [K, D, D] -> [B]
    """
    _require_weights(log_weights, means)
    _require_components(x, means, scale_tril)
    _require_responsibilities(x, log_responsibilities)
    require_shape((len(x), len(means)), log_responsibilities=log_responsibilities)
    log_joint = _joined(_log_joints(x, log_weights, means, scale_tril))
    log_joint = log_joint.masked_fill(log_responsibilities == -torch.inf, 0.0)
    return torch.linalg.vecdot(log_responsibilities.exp(), log_joint)


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
    chosen = categorical_from_uniform(log_weights.expand(len(uniforms), -1), uniforms)
    return means[chosen] + torch.linalg.vecdot(scale_tril.tril()[chosen], noise.unsqueeze(1))


def _log_joints(x, log_weights, means, scale_tril):
    """log weight_k + log N(x; ...), [K, rows], a block of points after another. Points lie along the last axis, which is long:
    sums over the few coordinates and components are then sums of vectors."""
    components, size = means.shape
    factor = scale_tril.tril()
    identity = torch.eye(size, dtype=factor.dtype, device=factor.device).expand_as(factor)
    # L_k^-1 / sqrt 2: its product with x - mean_k has the exponent as the sum of its squares
    whitening = torch.linalg.solve_triangular(factor, identity, upper=False) / math.sqrt(2)
    peaks = -factor.diagonal(dim1=1, dim2=2).log().sum(1) - size / 2 * math.log(2 * math.pi)
    peaks = (peaks if log_weights is None else peaks + log_weights).unsqueeze(1)
    # of all components it is one matrix product, less the same of the means
    centers = torch.linalg.vecdot(whitening, means.unsqueeze(1)).reshape(-1, 1)
    for points in x.split(_rows(means.numel())):
        whitened = torch.addmm(centers, whitening.flatten(0, 1), points.mT, beta=-1)
        yield peaks - whitened.square().unflatten(0, (components, size)).sum(1)


def _rows(numbers):
    """Number of points per block, given the numbers for each point."""
    return max(1, BLOCK // max(1, numbers))


def _joined(blocks):
    return torch.cat(list(blocks), 1).mT


def _require_components(x, means, scale_tril, *, name="x"):
    require_rank(2, **{name: x}, means=means)
    (components, width), size = means.shape, x.shape[1]
    require(width == size, f"means has shape {list(means.shape)}; its rows must have {size} entries, as those of {name}")
    require_shape((components, size, size), scale_tril=scale_tril)
    require_values("scale_tril", scale_tril.diagonal(dim1=1, dim2=2), lambda d: d > 0, "positive on the diagonal")


def _require_weights(log_weights, means):
    require_rank(2, means=means)
    require(len(means) > 0, f"means has shape {list(means.shape)}; a mixture needs at least one component")
    require_shape((len(means),), log_weights=log_weights)
    require_log_probs(log_weights=log_weights)


def _sum_to_one(shares, largest):
    """Whether every row of responsibilities seems to, at the price of a product: its probabilities are shares e^largest."""
    scale = underflowing_exp(largest)
    return all(bool(((scale @ share.detach() - 1).abs() <= _CLOSE).all()) for share in shares)


def _require_responsibilities(x, log_responsibilities):
    _require_fitting(x, log_responsibilities)
    require_log_probs(log_responsibilities=log_responsibilities)


def _require_fitting(x, log_responsibilities):
    require_rank(2, x=x, log_responsibilities=log_responsibilities)
    given, rows = list(log_responsibilities.shape), len(x)
    fits = given[0] == rows and given[1] > 0
    require(fits, f"log_responsibilities has shape {given}; it must have a row for each of {rows} points, and a component")
