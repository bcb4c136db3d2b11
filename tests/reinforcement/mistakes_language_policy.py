"""Wrong rewards of tokens and wrong policies by tokens that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.reinforcement import language_policy as right
from tests.support.mistakes import Mistake


def _chosen(tokens, logits, mask):
    return logits.log_softmax(-1).gather(-1, tokens.long().clamp(0, logits.shape[-1] - 1).unsqueeze(-1)).squeeze(-1)


def _shaped(score, log_probs, reference_log_probs, mask, *, kl_coefficient, sign=-1.0, counted=None, mean=False, at="last"):
    counts = mask.bool() if counted is None else counted
    log_ratio = torch.where(counts, log_probs - reference_log_probs, 0.0)
    cost = sign * kl_coefficient * (log_ratio / counts.sum(1, keepdim=True) if mean else log_ratio)
    position = torch.arange(mask.shape[1])
    last = {
        "last": (mask * (position + 1)).argmax(1),
        "end": torch.full((len(mask),), mask.shape[1] - 1),
        "length": mask.sum(1) - 1,
    }[at]
    return cost + torch.where(position == last.unsqueeze(1), score.unsqueeze(1), 0.0)


def _objective(log_probs, reference_log_probs, rewards, *, kl_coefficient, sign=1.0, turned=False):
    never = (log_probs == -torch.inf) | (reference_log_probs == -torch.inf)
    log_ratio = log_probs.masked_fill(never, 0.0) - reference_log_probs.masked_fill(never, 0.0)
    cost = (reference_log_probs if turned else log_probs).exp() * (-log_ratio if turned else log_ratio)
    return (log_probs.exp() * rewards - sign * kl_coefficient * cost).sum(-1)


def _values(rewards, reference_log_probs, *, kl_coefficient, soft):
    values = [rewards]
    for table in reversed(reference_log_probs):
        values.append(soft(values[-1], table, kl_coefficient))
    return tuple(values[:0:-1])


def _policy(rewards, reference_log_probs, *, kl_coefficient, soft):
    values = (*_values(rewards, reference_log_probs, kl_coefficient=kl_coefficient, soft=soft), rewards)
    return tuple(
        (table + after / kl_coefficient).log_softmax(-1) for table, after in zip(reference_log_probs, values[1:], strict=True)
    )


def _mean(value, table, beta):
    return (table.exp() * value).sum(-1)


def _best(value, table, beta):
    return value.masked_fill(table == -torch.inf, -torch.inf).amax(-1)


def _by_exponentials(value, table, beta):
    return beta * (table.exp() * (value / beta).exp()).sum(-1).log()


def _by_log_sum_exp(value, table, beta):
    return beta * (table + value / beta).logsumexp(-1)


MISTAKES = (
    Mistake("masked_token_log_probs", "padding counted", lambda tokens, logits, mask: _chosen(tokens, logits, mask)),
    Mistake("masked_token_log_probs", "NaN flows back from padding", lambda tokens, logits, mask: (
        _chosen(tokens, logits, mask) * mask)),
    Mistake("masked_token_log_probs", "shifted once more", lambda tokens, logits, mask: (
        right.masked_token_log_probs(tokens, logits.roll(1, dims=1), mask))),
    Mistake("masked_token_log_probs", "not normalized", lambda tokens, logits, mask: (
        logits.gather(-1, tokens.long().clamp(0, logits.shape[-1] - 1).unsqueeze(-1)).squeeze(-1).masked_fill(~mask, 0.0))),
    Mistake("masked_token_log_probs", "accepts a row without a token", lambda tokens, logits, mask: (
        _chosen(tokens.masked_fill(~mask, 0), logits.masked_fill(~mask.unsqueeze(-1), 0.0), mask).masked_fill(~mask, 0.0)),
        only_checks=True),
    Mistake("shaped_rewards", "score at the last padded position", lambda *given, **price: _shaped(*given, **price, at="end")),
    Mistake("shaped_rewards", "score where the length ends, as without a prompt", lambda *given, **price: (
        _shaped(*given, **price, at="length"))),
    Mistake("shaped_rewards", "sign of the divergence", lambda *given, **price: _shaped(*given, **price, sign=1.0)),
    Mistake("shaped_rewards", "divergence on the prompt", lambda score, log_probs, reference_log_probs, mask, **price: (
        _shaped(score, log_probs, reference_log_probs, mask, **price, counted=torch.ones_like(mask, dtype=torch.bool)))),
    Mistake("shaped_rewards", "reference from a different shift", lambda score, log_probs, reference_log_probs, mask, **price: (
        _shaped(score, log_probs, reference_log_probs.roll(1, dims=1), mask, **price))),
    Mistake("shaped_rewards", "divergence averaged while the score is a sum", lambda *given, **price: (
        _shaped(*given, **price, mean=True))),
    Mistake("shaped_rewards", "accepts any score, mask and price", lambda *given, **price: _shaped(*given, **price),
            only_checks=True),
    Mistake("kl_regularized_objective", "divergence added", lambda *given, **price: _objective(*given, **price, sign=-1.0)),
    Mistake("kl_regularized_objective", "divergence turned "
    "over", lambda *given, **price: _objective(*given, **price, turned=True)),
    Mistake("kl_regularized_objective", "mean over the "
    "texts", lambda log_probs, reference_log_probs, rewards, *, kl_coefficient: (
        (rewards - kl_coefficient * (log_probs - reference_log_probs)).mean(-1))),
    Mistake("kl_regularized_objective", "finite where the reference never "
    "goes", lambda *given, **price: _objective(*given, **price)),
    Mistake("backward_soft_values", "plain mean", lambda *given, **price: _values(*given, **price, soft=_mean)),
    Mistake("backward_soft_values", "maximum", lambda *given, **price: _values(*given, **price, soft=_best)),
    Mistake("backward_soft_values", "overflows at a low price", lambda *given, **price: (
        _values(*given, **price, soft=_by_exponentials))),
    Mistake("backward_soft_values", "the price outside only", lambda **given: (
        _values(**given, soft=lambda v, table, beta: beta * (table + v).logsumexp(-1)))),
    Mistake("backward_soft_values", "begins with the last prefix", lambda rewards, reference_log_probs, **price: (
        right.backward_soft_values(rewards, reference_log_probs, **price)[::-1])),
    Mistake("optimal_token_log_probs", "values by plain means", lambda *given, **price: _policy(*given, **price, soft=_mean)),
    Mistake("optimal_token_log_probs", "values of the best text", lambda *given, **price: _policy(*given, **price, soft=_best)),
    Mistake("optimal_token_log_probs", "the price multiplied", lambda rewards, reference_log_probs, *, kl_coefficient: (
        right.optimal_token_log_probs(rewards, reference_log_probs, kl_coefficient=1 / kl_coefficient))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("shaped_rewards", "by comparing positions", lambda score, log_probs, reference_log_probs, mask, **price: (
        _shaped(score, log_probs.masked_fill(~mask, 0.0), reference_log_probs.masked_fill(~mask, 0.0), mask, **price)),
        core_alone=True),
    Mistake("backward_soft_values", "by log-sum-exp", lambda *given, **price: _values(*given, **price, soft=_by_log_sum_exp),
            core_alone=True),
)  # fmt: skip
