"""A mixture of Gaussians: the joint density of a point and its component."""

import math

from practice_torch.arguments import require, require_log_probs, require_rank


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
