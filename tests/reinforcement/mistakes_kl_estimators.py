"""Wrong estimators of a divergence and wrong controllers that the rows must refuse, and other right forms they must accept."""

import torch

from practice_torch.reinforcement import kl_estimators as right
from tests.support.mistakes import Mistake


def _token(logits, reference_logits):
    return logits.log_softmax(-1), reference_logits.log_softmax(-1)


def _by_library(logits, reference_logits):
    categorical = torch.distributions.Categorical
    return torch.distributions.kl_divergence(categorical(logits=logits), categorical(logits=reference_logits))


def _mean_of_k3(logits, reference_logits):
    """Misses what pi never does: there the reference has probability that no sample sees."""
    log_p, log_q = _token(logits, reference_logits)
    never = log_p == -torch.inf
    d = torch.where(never, 0.0, log_q) - torch.where(never, 0.0, log_p)
    return (log_p.exp() * (torch.expm1(d) - d)).sum(-1)


def _whole_sum(logits, reference_logits, *, zero):
    """Term by term; zero: where the difference of the logarithms is replaced by 0."""
    log_p, log_q = _token(logits, reference_logits)
    never, beyond = log_p == -torch.inf, log_q == -torch.inf
    d = (log_q - log_p).masked_fill(zero(never, beyond), 0.0)
    terms = torch.where(never, log_q.exp(), log_q.exp() - log_p.exp() * (1 + d))
    return terms.sum(-1).masked_fill((beyond & ~never).any(-1), torch.inf)


def _turned(logits, reference_logits):
    return right.token_kl(reference_logits, logits)


def _coefficient(coefficient, observed_kl, *, target, gain, clip=0.2, low=True, sign=1.0, clipped=True):
    error = observed_kl / target - 1
    error = error.clamp(-clip if low else 0.0, clip) if clipped else error
    return coefficient * (1 + sign * gain * error)


MISTAKES = (
    Mistake("kl_k1", "turned over", lambda log_probs, reference_log_probs: reference_log_probs - log_probs),
    Mistake("kl_k1", "size alone", lambda log_probs, reference_log_probs: (log_probs - reference_log_probs).abs()),
    Mistake("kl_k1", "weighted by the probability, as in the sum over all tokens", lambda log_probs, reference_log_probs: (
        log_probs.exp() * (log_probs - reference_log_probs))),
    Mistake("kl_k1", "accepts a sample of probability 0", lambda log_probs, reference_log_probs: (
        log_probs - reference_log_probs), only_checks=True),
    Mistake("kl_k2", "without the half", lambda log_probs, reference_log_probs: (log_probs - reference_log_probs).square()),
    Mistake("kl_k2", "the gradient of k1 attached", lambda log_probs, reference_log_probs: (
        right.kl_k2(log_probs, reference_log_probs).detach() + right.kl_k1(log_probs, reference_log_probs)
        - right.kl_k1(log_probs, reference_log_probs).detach())),
    Mistake("kl_k3", "the ratio turned over", lambda log_probs, reference_log_probs: (
        right.kl_k3(reference_log_probs, log_probs))),
    Mistake("kl_k3", "e^-d in place of e^d", lambda log_probs, reference_log_probs: (
        torch.expm1(log_probs - reference_log_probs) - (reference_log_probs - log_probs))),
    Mistake("kl_k3", "exp(d) - 1 cancels", lambda log_probs, reference_log_probs: (
        (reference_log_probs - log_probs).exp() - 1 - (reference_log_probs - log_probs))),
    Mistake("kl_k3", "the difference clamped to 10, as some trainers do", lambda log_probs, reference_log_probs: (
        torch.expm1((reference_log_probs - log_probs).clamp(-10, 10)) - (reference_log_probs - log_probs).clamp(-10, 10))),
    Mistake("kl_k3", "without a gradient", lambda log_probs, reference_log_probs: (
        right.kl_k3(log_probs, reference_log_probs).detach() + 0 * log_probs)),
    Mistake("token_kl", "turned over", _turned),
    Mistake("token_kl", "mean over the vocabulary", lambda logits, reference_logits: (
        right.token_kl(logits, reference_logits) / logits.shape[-1])),
    Mistake("token_kl", "the mean of k3, which misses what pi never does", _mean_of_k3),
    Mistake("token_kl", "no softmax", lambda logits, reference_logits: (
        (logits.exp() * (logits - reference_logits)).nan_to_num(0.0).sum(-1))),
    Mistake("token_kl", "finite where the reference never goes", lambda logits, reference_logits: (
        right.token_kl(logits.clamp(min=-1e4), reference_logits.clamp(min=-1e4)))),
    Mistake("token_kl", "the slope is not a number where the reference never goes", lambda logits, reference_logits: (
        _whole_sum(logits, reference_logits, zero=lambda never, beyond: never))),
    Mistake("token_kl", "the slope is not a number where pi never goes", lambda logits, reference_logits: (
        _whole_sum(logits, reference_logits, zero=lambda never, beyond: beyond & ~never))),
    Mistake("adaptive_coefficient", "no clip", lambda *given, **numbers: _coefficient(*given, **numbers, clipped=False)),
    Mistake("adaptive_coefficient", "the wrong way", lambda *given, **numbers: _coefficient(*given, **numbers, sign=-1.0)),
    Mistake("adaptive_coefficient", "never lowered", lambda *given, **numbers: _coefficient(*given, **numbers, low=False)),
    Mistake("adaptive_coefficient", "added, not multiplied",
            lambda coefficient, observed_kl, *, target, gain, clip=0.2: (
                coefficient + gain * (observed_kl / target - 1).clamp(-clip, clip))),
    Mistake("adaptive_coefficient", "accepts any target and step", _coefficient, only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "kl_k3",
        "expm1(d) - d, as trl does",
        lambda log_probs, reference_log_probs: torch.expm1(reference_log_probs - log_probs) - (reference_log_probs - log_probs),
        core_alone=True,
    ),
    Mistake("token_kl", "torch.distributions", _by_library, core_alone=True),
    Mistake(
        "token_kl",
        "term by term",
        lambda logits, reference_logits: _whole_sum(logits, reference_logits, zero=torch.logical_or),
        core_alone=True,
    ),
)
