"""Mixtures: the joint density of a point and its Gaussian, and the mean of data that were scaled and noised. Practice wing."""

import math

from practice_torch.arguments import require, require_log_probs, require_rank
from practice_torch.mathematics.levels import as_rows


def log_joint(x, means, log_vars, log_weights):
    """log w_k N(x; m_k, e^l_k I), [B, K]; (m_k - x) in deviations, [B, K, D]; and the deviations, [K] or [B, K]."""
    require_rank(2, x=x)
    batch, dimensions = x.shape
    fits = means.ndim in (2, 3) and means.shape[-1] == dimensions and list(means.shape[:-2]) in ([], [batch])
    require(fits, f"means has shape {list(means.shape)}; it must be [K, {dimensions}] or [{batch}, K, {dimensions}]")
    require_components(means, log_vars)
    given, count = list(log_weights.shape), means.shape[-2]
    require(given == [count], f"log_weights has shape {given}; it must have one entry for each of the {count} components")
    require_log_probs(log_weights=log_weights)
    deviations = (log_vars / 2).exp()
    scaled = (means - x[:, None]) / deviations[..., None]
    log_density = -(scaled.square().sum(2) + dimensions * (log_vars + math.log(2 * math.pi))) / 2
    return log_weights + log_density, scaled, deviations


def require_components(means, log_vars):
    """A log-variance for each component."""
    given, wanted = list(log_vars.shape), list(means.shape[:-1])
    require(given == wanted, f"log_vars has shape {given}; it must be {wanted}, one for each component")


def mean_of_data(x, data, signal, variance):
    """sum_i w_i x_i, w = softmax_i(-||x - signal x_i||^2 / (2 variance)), [B, ...]; signal and variance: [B].

    It is the mean of the data that were scaled and noised to x, for the empirical distribution of the N data.
    """
    fits = data.ndim == x.ndim and len(data) >= 1 and data.shape[1:] == x.shape[1:]
    require(fits, f"data has shape {list(data.shape)}; it must be {['N', *x.shape[1:]]}, N >= 1")
    points, seen = as_rows(data), as_rows(x)
    signal, noise = signal.to(x.dtype)[:, None], variance.to(x.dtype)[:, None]
    # ||x - r y||^2 without its part that no y changes: one matrix product, no [B, N, D]; from the center, where little cancels
    center = points.mean(0)
    around, seen = points - center, seen - signal * center
    logits = (signal * (seen @ around.mT) - signal.square() * around.square().sum(1) / 2) / noise
    return (logits.softmax(1) @ points).reshape(x.shape)
