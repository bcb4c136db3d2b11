"""Wrong forms of variational bounds that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.foundations import variational_divergence as right
from practice_torch.foundations.fenchel_conjugate import fenchel_conjugate, fenchel_conjugate_derivative
from tests.support.mistakes import Mistake


def _conjugate_of_p(critic_p, critic_q, **row):
    return fenchel_conjugate(critic_p, **row).mean() - critic_q.mean()


def _clipped(critic_p, critic_q, **row):
    """Out of the domain of f*, back in without a word."""
    inside = {"reverse_kl": -1e-3, "gan": -1e-3, "squared_hellinger": 1 - 1e-3}.get(row["divergence"], math.inf)
    return right.variational_lower_bound(critic_p, critic_q.clamp(max=inside), **row)


def _drops_infinite(critic_p, critic_q, **row):
    conjugate = fenchel_conjugate(critic_q, **row)
    return critic_p.mean() - conjugate[conjugate < math.inf].mean()


def _without_the_one(critic_p, critic_q, *, divergence, alpha=None):
    if divergence == "kl":
        return critic_p.mean() - critic_q.exp().mean()
    return right.variational_lower_bound(critic_p, critic_q, divergence=divergence, alpha=alpha)


def _no_flat_part(critic_p, critic_q, *, divergence, alpha=None):
    if divergence == "pearson_chi_squared":
        return critic_p.mean() - (critic_q**2 / 4 + critic_q).mean()
    return right.variational_lower_bound(critic_p, critic_q, divergence=divergence, alpha=alpha)


def _zero_times_infinity(log_probs_p, log_probs_q, critic, **row):
    right._require_game(log_probs_p, log_probs_q, critic)
    return (log_probs_p.exp() * critic - log_probs_q.exp() * fenchel_conjugate(critic, **row)).sum(-1)


def _silent_where_q_is_zero(log_probs_p, log_probs_q, critic, **row):
    right._require_game(log_probs_p, log_probs_q, critic)
    conjugate = fenchel_conjugate(critic, **row).masked_fill(log_probs_q == -math.inf, 0.0)
    return (log_probs_p.exp() * critic - log_probs_q.exp() * conjugate).sum(-1)


def _gap_without_slope(log_probs_p, log_probs_q, critic, **row):
    """Forgets u (T - T_opt): the rise of f* itself, not its rise above the tangent."""
    best = right.variational_gap(log_probs_p, log_probs_q, critic, **row)
    return best + (log_probs_p.exp() * critic).sum(-1)


def _mean_of_logs(critic_p, critic_q):
    right._require_samples(critic_p=critic_p, critic_q=critic_q)
    return critic_p.mean() - critic_q.mean()


def _overflowing(critic_p, critic_q):
    right._require_samples(critic_p=critic_p, critic_q=critic_q)
    return critic_p.mean() - critic_q.exp().mean().log()


def _sum_of_exponentials(critic_p, critic_q):
    right._require_samples(critic_p=critic_p, critic_q=critic_q)
    return critic_p.mean() - critic_q.logsumexp(0)


def _needs_equal_sizes(critic_p, critic_q, **row):
    return (critic_p - fenchel_conjugate(critic_q, **row)).mean()


def _log_of_the_slope(critic, **row):
    """Through the ratio itself, which overflows where its logarithm does not."""
    right.require_rank(1, critic=critic)
    right.require(row["divergence"] != "total_variation", "divergence is total_variation")
    return fenchel_conjugate_derivative(critic, **row).log()


def _nan_outside(critic, *, divergence, alpha=None):
    if divergence == "reverse_kl":
        return -torch.log(-critic)
    if divergence == "pearson_chi_squared":
        return torch.log1p(critic / 2)
    return right.log_ratio_from_critic(critic, divergence=divergence, alpha=alpha)


def _nan_gradient_outside(critic, *, divergence, alpha=None):
    """The value is masked after the fact; the gradient is not."""
    if divergence == "reverse_kl":
        return torch.where(critic < 0, -torch.log(-critic), math.inf)
    return right.log_ratio_from_critic(critic, divergence=divergence, alpha=alpha)


def _accepts_total_variation(critic, *, divergence, alpha=None):
    if divergence == "total_variation":
        return torch.zeros_like(critic)
    return right.log_ratio_from_critic(critic, divergence=divergence, alpha=alpha)


def _jensen_shannon_unhalved(critic, *, divergence, alpha=None):
    """The pair of Nowozin et al., with a generator without the factor 1/2: T = log(2u / (1 + u))."""
    if divergence == "jensen_shannon":
        return critic - torch.log(2 - critic.exp())
    return right.log_ratio_from_critic(critic, divergence=divergence, alpha=alpha)


MISTAKES = (
    Mistake("variational_lower_bound", "f* of the p samples", _conjugate_of_p),
    Mistake("variational_lower_bound", "e^T for e^(T-1)", _without_the_one),
    Mistake("variational_lower_bound", "no flat part of Pearson's conjugate", _no_flat_part),
    Mistake("variational_lower_bound", "clips critics into the domain", _clipped),
    Mistake("variational_lower_bound", "leaves out samples outside the domain", _drops_infinite),
    Mistake("variational_lower_bound", "needs equal sample sizes", _needs_equal_sizes),
    Mistake("variational_lower_bound", "sign", lambda critic_p, critic_q, **row: -right.variational_lower_bound(
        critic_p, critic_q, **row)),
    Mistake("exact_variational_bound", "p and q swapped", lambda log_probs_p, log_probs_q, critic, **row:
            right.exact_variational_bound(log_probs_q, log_probs_p, critic, **row)),
    Mistake("exact_variational_bound", "0 times infinity", _zero_times_infinity),
    Mistake("exact_variational_bound", "does not see the domain where q is zero", _silent_where_q_is_zero),
    Mistake("exact_variational_bound", "mean over the outcomes", lambda log_probs_p, log_probs_q, critic, **row:
            right.exact_variational_bound(log_probs_p, log_probs_q, critic, **row) / critic.shape[-1]),
    Mistake("exact_variational_bound", "above the divergence", lambda log_probs_p, log_probs_q, critic, **row:
            right.f_divergence(log_probs_p, log_probs_q, **row) + 1e-3),
    Mistake("variational_gap", "sign", lambda *game, **row: -right.variational_gap(*game, **row)),
    Mistake("variational_gap", "no tangent", _gap_without_slope),
    Mistake("variational_gap", "divergence the other way around", lambda log_probs_p, log_probs_q, critic, **row:
            right.f_divergence(log_probs_q, log_probs_p, **row)
            - right.exact_variational_bound(log_probs_p, log_probs_q, critic, **row)),
    Mistake("donsker_varadhan_bound", "mean of the logs", _mean_of_logs),
    Mistake("donsker_varadhan_bound", "overflows at 300 in float32, and at 800", lambda critic_p, critic_q: _overflowing(
        critic_p.float(), critic_q.float()).to(critic_p.dtype)),
    Mistake("donsker_varadhan_bound", "sum for mean", _sum_of_exponentials),
    Mistake("donsker_varadhan_bound", "NWJ", lambda critic_p, critic_q: right.variational_lower_bound(
        critic_p, critic_q, divergence="kl")),
    Mistake("log_ratio_from_critic", "the ratio, not its logarithm", lambda critic, **row: right.log_ratio_from_critic(
        critic, **row).exp()),
    Mistake("log_ratio_from_critic", "log q/p", lambda critic, **row: -right.log_ratio_from_critic(critic, **row)),
    Mistake("log_ratio_from_critic", "through the ratio, which overflows", _log_of_the_slope),
    Mistake("log_ratio_from_critic", "NaN outside the domain", _nan_outside),
    Mistake("log_ratio_from_critic", "NaN gradient outside the domain", _nan_gradient_outside),
    Mistake("log_ratio_from_critic", "accepts total variation", _accepts_total_variation, only_checks=True),
    Mistake("log_ratio_from_critic", "Jensen-Shannon without the half", _jensen_shannon_unhalved),
)  # fmt: skip


def _samplewise(critic_p, critic_q, **row):
    right._require_samples(critic_p=critic_p, critic_q=critic_q)
    return critic_p.sum() / len(critic_p) - fenchel_conjugate(critic_q, **row).sum() / len(critic_q)


def _through_logsumexp(critic_p, critic_q):
    right._require_samples(critic_p=critic_p, critic_q=critic_q)
    return critic_p.mean() - (critic_q.logsumexp(0) - math.log(len(critic_q)))


EQUIVALENT = (
    Mistake("variational_lower_bound", "sums over counts", _samplewise),
    Mistake("donsker_varadhan_bound", "logsumexp less the log of the count", _through_logsumexp),
)
