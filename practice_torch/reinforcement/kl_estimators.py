"""Estimators of KL(pi || pi_0) from samples of pi, the divergence itself, and the coefficient that holds it near a target.

Log-probabilities of the samples (of tokens, or of whole texts) come in; the gradient, if any, flows through both of them.
"""

import torch

from practice_torch.arguments import require, require_positive, require_rank, require_same_shape, require_values
from practice_torch.mathematics.elementary import exp_above_tangent


def kl_k1(log_probs, reference_log_probs):
    r"""k_1 = log pi(x) - log pi_0(x), x ~ pi: unbiased for KL(pi || pi_0), in nats, of either sign.

    As a loss it does nothing: its expected gradient is 0. +inf where the reference never goes.

    Raises ValueError if the shapes differ, log_probs is not finite (a sample has positive probability), or
    reference_log_probs is NaN or +inf.  Source: Schulman 2020, Approximating KL divergence.
    [...], [...] -> [...]
    """
    return -_log_ratio(log_probs, reference_log_probs)


def kl_k2(log_probs, reference_log_probs):
    r"""k_2 = 1/2 (log pi(x) - log pi_0(x))^2, x ~ pi: never negative, biased for KL(pi || pi_0), in nats.

    As a loss it has the expected gradient of KL(pi || pi_0). +inf where the reference never goes.

    Raises ValueError if the shapes differ, log_probs is not finite (a sample has positive probability), or
    reference_log_probs is NaN or +inf.  Source: Schulman 2020, Approximating KL divergence.
    [...], [...] -> [...]
    """
    return _log_ratio(log_probs, reference_log_probs).square() / 2


def kl_k3(log_probs, reference_log_probs):
    r"""k_3 = e^d - 1 - d, d = log pi_0(x) - log pi(x), x ~ pi: never negative, unbiased for KL(pi || pi_0), in nats.

    As a loss it has the expected gradient of KL(pi_0 || pi). +inf where the reference never goes. Its relative accuracy is full,
    however close the two are.

    Raises ValueError if the shapes differ, log_probs is not finite (a sample has positive probability), or
    reference_log_probs is NaN or +inf.  Source: Schulman 2020, Approximating KL divergence; Shao et al. 2024, eq. 4.
    [...], [...] -> [...]
    """
    return exp_above_tangent(_log_ratio(log_probs, reference_log_probs))


def token_kl(logits, reference_logits):
    r"""KL(pi || pi_0) = sum_v pi(v) (log pi(v) - log pi_0(v)) of two softmaxes over the last axis, in nats.

    Summed as pi_0(v) - pi(v) + pi(v) (log pi(v) - log pi_0(v)), of which no term is negative, so that no rounding of large terms
    hides a small divergence. +inf, with the gradient 0, where the reference never does what pi does.

    Raises ValueError if the shapes differ, or a row of logits or reference_logits has no finite largest entry.
    Source: Cover & Thomas, eq. 2.26.
    [..., V], [..., V] -> [...]
    """
    require_same_shape(logits=logits, reference_logits=reference_logits)
    log_p, log_q = _log_softmax(logits=logits), _log_softmax(reference_logits=reference_logits)
    never, beyond = log_p == -torch.inf, log_q == -torch.inf
    p, q = log_p.exp(), log_q.exp()
    d = (log_q - log_p).masked_fill(never | beyond, 0.0)
    near = d.abs() < 1
    terms = torch.where(near, p * exp_above_tangent(torch.where(near, d, 0.0)), q - p * (1 + d))
    terms = torch.where(never, q, terms)
    return terms.sum(dim=-1).masked_fill((beyond & ~never).any(dim=-1), torch.inf)


def adaptive_coefficient(coefficient, observed_kl, *, target, gain, clip=0.2):
    r"""beta' = beta (1 + gain clip(observed_kl / target - 1, -clip, clip)): the next coefficient of the divergence.

    It stays as it is if the divergence is on target, and changes by the share gain * clip at most, so it stays positive.

    Raises ValueError if coefficient, target, gain or clip is not positive, observed_kl is not finite, or gain * clip is not below
    1.  Source: Ziegler et al. 2019, section 2.2.
    [], [] -> []
    """
    require_positive(target=target, gain=gain, clip=clip)
    require(
        gain * clip < 1, f"gain is {gain} and clip {clip}; their product must be below 1, so that the coefficient stays positive"
    )
    require_rank(0, coefficient=coefficient, observed_kl=observed_kl)
    require_values("coefficient", coefficient, lambda a: a > 0, "positive")
    require_values("observed_kl", observed_kl, torch.isfinite, "finite")
    return coefficient * (1 + gain * (observed_kl / target - 1).clamp(-clip, clip))


def _log_ratio(log_probs, reference_log_probs):
    """d = log pi_0 - log pi, which is -inf where the reference never goes."""
    require_same_shape(log_probs=log_probs, reference_log_probs=reference_log_probs)
    require_values("log_probs", log_probs, torch.isfinite, "finite: a sample has positive probability")
    require_values("reference_log_probs", reference_log_probs, lambda a: a < torch.inf, "a logarithm, neither NaN nor +inf")
    return reference_log_probs - log_probs


def _log_softmax(**named):
    """Log-probabilities over the last axis, which must have a finite largest entry."""
    ((name, logits),) = named.items()
    require(logits.ndim > 0 and logits.shape[-1] > 0, f"{name} has shape {list(logits.shape)}; its last axis must not be empty")
    require_values(name, logits.amax(dim=-1, keepdim=True), torch.isfinite, "finite in the largest entry of every row")
    return logits.log_softmax(dim=-1)
