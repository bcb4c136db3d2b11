"""The evidence lower bound, the importance-weighted bound and the Renyi bounds from log p(x, z_s) and log q(z_s|x), in nats."""

import torch

from practice_torch.arguments import require, require_at_least, require_log_probs, require_rank, require_same_shape
from practice_torch.foundations.jensen import log_mean_exp


def elbo(log_joint, log_q):
    r"""The evidence lower bound from S samples of q: mean_s (log p(x, z_s) - log q(z_s|x)), in nats.

    Raises ValueError if the shapes differ or S = 0.  Source: Jordan et al. 1999; Kingma & Welling 2014, eq. 2.
    [B, S], [B, S] -> [B]
    """
    return _log_weights(log_joint, log_q).mean(dim=-1)


def importance_weighted_bound(log_joint, log_q):
    r"""log (1/S) sum_s p(x, z_s) / q(z_s|x), in nats: the bound L_S of the importance-weighted autoencoder.

    Raises ValueError if the shapes differ or S = 0.  Source: Burda et al. 2016, section 3.
    [B, S], [B, S] -> [B]
    """
    return _log_mean_exp(_log_weights(log_joint, log_q))


def renyi_bound(log_joint, log_q, *, order):
    r"""1/(1 - order) log mean_s w_s^(1 - order), in nats; at order 1 its limit, the ELBO.

    Order 0 is the importance-weighted bound; the bound falls as the order grows.

    Raises ValueError if the shapes differ, S = 0 or order < 0.  Source: Li & Turner 2016, section 3.
    [B, S], [B, S] -> [B]
    """
    require_at_least(0, order=order)
    log_w = _log_weights(log_joint, log_q)
    lower = log_w.mean(dim=-1, keepdim=True)
    if order == 1:
        return lower.squeeze(-1)
    # Around the ELBO: log mean w^p / p = ELBO + log(1 + mean(e^(p d) - 1)) / p with d = log w - ELBO. At small p d this keeps the
    # digits that log mean exp would lose to the division by p. (A row of -inf makes d NaN, and is not small.)
    deviation = (1 - order) * (log_w - lower)
    small = (deviation.abs() <= 1.0).all(dim=-1)
    inside = deviation.masked_fill(~small.unsqueeze(-1), 0.0)
    close = lower.squeeze(-1) + torch.expm1(inside).mean(dim=-1).log1p() / (1 - order)
    return torch.where(small, close, _log_mean_exp((1 - order) * log_w) / (1 - order))


def normalized_importance_weights(log_joint, log_q):
    r"""w_s / sum_r w_r: the weights of the S samples, normalized for each x.

    Raises ValueError if the shapes differ or S = 0.  Source: Burda et al. 2016, section 3.
    [B, S], [B, S] -> [B, S]
    """
    return _log_weights(log_joint, log_q).softmax(dim=-1)


def effective_sample_size(log_joint, log_q):
    r"""1 / sum_s w~_s^2 of the normalized weights: S where they are equal, near 1 where one dominates.

    Raises ValueError if the shapes differ or S = 0.  Source: Kong 1992.
    [B, S], [B, S] -> [B]
    """
    return normalized_importance_weights(log_joint, log_q).square().sum(dim=-1).reciprocal()


def exact_elbo(log_joint, log_q):
    r"""sum_k q(z_k|x) (log p(x, z_k) - log q(z_k|x)) over all K states of a finite z, in nats; 0 log 0 = 0.

    Raises ValueError if the shapes differ, K = 0 or a row of log_q does not sum to one.  Source: Neal & Hinton 1998.
    [B, K], [B, K] -> [B]
    """
    _require_pair(log_joint, log_q)
    require_log_probs(log_q=log_q)
    # A state with q = 0 contributes nothing, whatever its joint: mask it, to avoid 0 * inf.
    never = log_q == -torch.inf
    log_ratio = log_joint.masked_fill(never, 0.0) - log_q.masked_fill(never, 0.0)
    return torch.linalg.vecdot(log_q.exp(), log_ratio)


def _log_weights(log_joint, log_q):
    """log w_s = log p(x, z_s) - log q(z_s|x)."""
    _require_pair(log_joint, log_q)
    return log_joint - log_q


def _log_mean_exp(log_w):
    """log_mean_exp around the largest entry: torch's derivative is e^(x - result), which at log weights of -700 has lost three
    digits to the size of x."""
    top = log_w.detach().amax(dim=-1, keepdim=True)
    top = torch.where(top.isfinite(), top, 0.0)
    return log_mean_exp(log_w - top) + top.squeeze(-1)


def _require_pair(log_joint, log_q):
    require_rank(2, log_joint=log_joint)
    require_same_shape(log_joint=log_joint, log_q=log_q)
    require(log_joint.shape[1] > 0, f"log_joint has shape {list(log_joint.shape)}; its last axis must not be empty")
