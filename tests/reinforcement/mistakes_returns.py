"""Wrong forms of returns and advantages that the rows must refuse, and other right forms that they must accept."""

from functools import partial

import torch

from practice_torch.reinforcement import returns as right
from tests.support.mistakes import Mistake


def _backwards(terms, factors, last=None):
    """The recursion as it is usually written: one step after the other."""
    total, totals = torch.zeros_like(terms[:, 0]) if last is None else last, []
    for t in reversed(range(terms.shape[1])):
        total = terms[:, t] + factors[:, t] * total
        totals.append(total)
    return torch.stack(totals[::-1], 1) if totals else terms


def _in_blocks(terms, factors, levels=1, size=16):
    """The sum in blocks, to each of which the next one is added: after `levels` of such sums, only the sum of that block."""
    rest = -terms.shape[1] % size
    terms, factors = (torch.nn.functional.pad(part, (0, rest)).unflatten(1, (-1, size)) for part in (terms, factors))
    totals = _backwards(terms.flatten(0, 1), factors.flatten(0, 1)).view(terms.shape)
    faded = factors.flip(2).cumprod(2).flip(2)
    starts = totals[..., 0]
    if levels and starts.shape[1] > 1:
        starts = _in_blocks(starts, faded[..., 0], levels - 1, size)
    following = torch.nn.functional.pad(starts[:, 1:], (0, 1))
    return (totals + faded * following[..., None]).flatten(1)[:, : terms.shape[1] * size - rest]


def _returns_in_blocks(rewards, terminals, bootstrap, *, discount, levels):
    factors = discount * _going_on(rewards, terminals)
    last = (rewards[:, -1] + factors[:, -1] * bootstrap)[:, None]
    return _in_blocks(torch.cat((rewards[:, :-1], last), 1), factors, levels)


def _going_on(rewards, terminals):
    """1 - d_t."""
    return 1 - terminals.to(rewards.dtype)


def _advantages(rewards, values, terminals, *, discount, trace_decay, bootstraps=None, traces=None, paid=1.0, inside=1.0):
    """GAE with a separate mask for the bootstrap, the trace and the reward; inside: what the next value is multiplied by."""
    keep = _going_on(rewards, terminals)
    bootstraps, traces = (keep if mask is None else mask for mask in (bootstraps, traces))
    errors = paid * rewards + discount * inside * bootstraps * values[:, 1:] - values[:, :-1]
    return _backwards(errors, discount * trace_decay * traces)


def _one_step_late(rewards, terminals):
    """1 - d_(t+1): the end is looked up with the step that follows it."""
    keep = _going_on(rewards, terminals)
    return torch.cat((keep[:, 1:], torch.ones_like(keep[:, :1])), 1)


def _advantages_read_late(rewards, values, terminals, **numbers):
    late = _one_step_late(rewards, terminals)
    return _advantages(rewards, values, terminals, bootstraps=late, traces=late, **numbers)


def _advantages_of_a_cut_row_as_an_end(rewards, values, terminals, **numbers):
    keep = _going_on(rewards, terminals) * torch.tensor([1.0] * (rewards.shape[1] - 1) + [0.0], dtype=rewards.dtype)
    return _advantages(rewards, values, terminals, bootstraps=keep, traces=keep, **numbers)


def _advantages_by_division(rewards, values, terminals, *, discount, trace_decay):
    """Cumulative sums of discounted errors, divided by the discounts again: nothing to divide by after 0, and few digits left."""
    errors = right.temporal_difference_errors(rewards, values, terminals, discount=discount)
    weights = (discount * trace_decay * _going_on(rewards, terminals)).cumprod(1).roll(1, 1)
    weights[:, 0] = 1
    return (weights * errors).flip(1).cumsum(1).flip(1) / weights


def _advantages_in_two_ends(rewards, values, terminals, *, discount, trace_decay):
    """Only the first end of a row is seen."""
    seen = (terminals.long().cumsum(1) == 1) & (terminals != 0)
    return right.generalized_advantages(rewards, values, seen, discount=discount, trace_decay=trace_decay)


def _returns_from_the_left(rewards, terminals, bootstrap, *, discount):
    """Rewards that are past, in place of those to come."""
    return _backwards(rewards.flip(1), discount * _going_on(rewards, terminals).flip(1), bootstrap).flip(1)


def _returns_from_the_row(rewards, terminals, bootstrap, *, discount):
    """Every return discounted to the beginning of the row."""
    totals = right.discounted_returns(rewards, terminals, bootstrap, discount=discount)
    return totals * discount ** torch.arange(rewards.shape[1])


def _steps(rewards, values, terminals, *, discount, num_steps, beyond=True, once=False):
    """Sweeps; beyond: a row's end goes on with the last value; once: the value at the end is discounted once."""
    factors, last = discount * _going_on(rewards, terminals), values[:, -1:] * (1.0 if beyond else 0.0)
    for n in range(num_steps):
        following = values[:, 1:] / (discount ** (num_steps - 1) if once and n == 0 else 1.0)
        values = torch.cat((rewards + factors * following, last), 1)
    return values[:, :-1]


def _lambda_without_the_tail(rewards, values, terminals, *, discount, trace_decay):
    """The longest return gets the weight (1 - lambda) lambda^(N-1) like the others."""
    row, length = (rewards, values, terminals), rewards.shape[1]
    by_steps = [right.n_step_returns(*row, discount=discount, num_steps=n + 1) for n in range(length)]
    inside = [torch.arange(length) + n < length for n in range(length)]
    weighed = (trace_decay**n * within * by_steps[n] for n, within in enumerate(inside))
    return (1 - trace_decay) * sum(weighed)


def _lambda_by_advantages(rewards, values, terminals, **numbers):
    return right.generalized_advantages(rewards, values, terminals, **numbers) + values[:, :-1]


def _whiten(advantages, mask, *, epsilon, correction=0, axes=(0, 1), root=False, everywhere=False, power=0.5):
    valid = mask != 0
    kept = advantages.masked_fill(~valid, 0)
    counted = torch.ones_like(kept) if everywhere else valid.to(kept.dtype)
    count = counted.sum(axes, keepdim=True).clamp(min=1)
    centered = (kept - kept.sum(axes, keepdim=True) / count) * counted
    variance = centered.square().sum(axes, keepdim=True) / (count - correction).clamp(min=1)
    divisor = (variance + epsilon).sqrt() if root else torch.where(variance > 0, variance, 1e-30) ** power + epsilon
    return (centered / divisor).masked_fill(~valid, 0)


def _whiten_by_product(advantages, mask, *, epsilon):
    """The mask as a factor: padding that is not a number is not 0 times anything."""
    weights = mask.to(advantages.dtype)
    count = weights.sum().clamp(min=1)
    centered = (advantages - (weights * advantages).sum() / count) * weights
    return centered / (torch.linalg.vector_norm(centered) / count.sqrt() + epsilon)


def _whiten_by_moments(advantages, mask, *, epsilon):
    """Mean of the squares less the square of the mean: no digit is left far from zero."""
    kept, count = advantages.masked_fill(mask == 0, 0), (mask != 0).sum().clamp(min=1)
    mean = kept.sum() / count
    variance = (kept.square().sum() / count - mean.square()).clamp(min=1e-30)
    return ((kept - mean) / (variance.sqrt() + epsilon)).masked_fill(mask == 0, 0)


MISTAKES = (
    Mistake("discounted_returns", "goes on over the end", lambda rewards, terminals, bootstrap, *, discount: (
        right.discounted_returns(rewards, 0 * terminals.long(), bootstrap, discount=discount))),
    Mistake("discounted_returns", "the reward of the end lost", lambda rewards, terminals, bootstrap, *, discount: (
        right.discounted_returns(rewards * _going_on(rewards, terminals), terminals, bootstrap, discount=discount))),
    Mistake("discounted_returns", "nothing guessed for what follows", lambda rewards, terminals, bootstrap, *, discount: (
        right.discounted_returns(rewards, terminals, 0 * bootstrap, discount=discount))),
    Mistake("discounted_returns", "rewards of the past", _returns_from_the_left),
    Mistake("discounted_returns", "discounted to the beginning of the row", _returns_from_the_row),
    Mistake("discounted_returns", "of the steps beyond a block only those of the next one",
            partial(_returns_in_blocks, levels=0)),
    Mistake("discounted_returns", "of the steps beyond 256 only those of the next block", partial(_returns_in_blocks, levels=1)),
    Mistake("discounted_returns", "ends inverted bit by bit", lambda rewards, terminals, bootstrap, *, discount: (
        _backwards(rewards, discount * (~terminals if not terminals.is_floating_point() else 1 - terminals).to(rewards.dtype),
                   bootstrap))),
    Mistake("discounted_returns", "accepts any ends and discounts", lambda rewards, terminals, bootstrap, *, discount: (
        _backwards(rewards, discount * _going_on(rewards, terminals), bootstrap)), only_checks=True),
    Mistake("temporal_difference_errors", "bootstraps over the end", lambda rewards, values, terminals, *, discount: (
        rewards + discount * values[:, 1:] - values[:, :-1] + 0 * terminals)),
    Mistake("temporal_difference_errors", "the end read one step late", lambda rewards, values, terminals, *, discount: (
        rewards + discount * _one_step_late(rewards, terminals) * values[:, 1:] - values[:, :-1])),
    Mistake("temporal_difference_errors", "the target detached", lambda rewards, values, terminals, *, discount: (
        rewards + discount * _going_on(rewards, terminals) * values[:, 1:].detach() - values[:, :-1])),
    Mistake("temporal_difference_errors", "value less what was observed", lambda **row: (
        -right.temporal_difference_errors(**row))),
    Mistake("n_step_returns", "one step more", lambda num_steps, **row: (
        right.n_step_returns(**row, num_steps=num_steps + 1))),
    Mistake("n_step_returns", "no guess at the row's end", lambda **row: _steps(**row, beyond=False)),
    Mistake("n_step_returns", "the value discounted once", lambda **row: _steps(**row, once=True)),
    Mistake("generalized_advantages", "the end read one step late", _advantages_read_late),
    Mistake("generalized_advantages", "a cut row taken for an end", _advantages_of_a_cut_row_as_an_end),
    Mistake("generalized_advantages", "the trace goes on over the end", lambda rewards, values, terminals, **numbers: (
        _advantages(rewards, values, terminals, traces=torch.ones_like(rewards), **numbers))),
    Mistake("generalized_advantages", "bootstraps over the end", lambda rewards, values, terminals, **numbers: (
        _advantages(rewards, values, terminals, bootstraps=torch.ones_like(rewards), **numbers))),
    Mistake("generalized_advantages", "the reward of the end lost", lambda rewards, values, terminals, **numbers: (
        _advantages(rewards, values, terminals, paid=_going_on(rewards, terminals), **numbers))),
    Mistake("generalized_advantages", "decay on the value in the error", lambda trace_decay, **row: (
        _advantages(**row, trace_decay=trace_decay, inside=trace_decay))),
    Mistake("generalized_advantages", "decayed, not discounted", lambda trace_decay, **row: (
        _backwards(right.temporal_difference_errors(**row), trace_decay * _going_on(row["rewards"], row["terminals"])))),
    Mistake("generalized_advantages", "by division through the discounts", _advantages_by_division),
    Mistake("generalized_advantages", "only the first end of a row", _advantages_in_two_ends),
    Mistake("lambda_returns", "the longest return weighed like the others", _lambda_without_the_tail),
    Mistake("lambda_returns", "through the advantages: values near 1000 leave few digits", _lambda_by_advantages),
    Mistake("lambda_returns", "the whole return", lambda rewards, values, terminals, *, discount, trace_decay: (
        right.discounted_returns(rewards, terminals, values[:, -1], discount=discount) + 0 * values[:, :-1])),
    Mistake("whiten", "the deviation of a sample", lambda **given: _whiten(**given, correction=1)),
    Mistake("whiten", "epsilon under the root", lambda **given: _whiten(**given, root=True)),
    Mistake("whiten", "padding counted", lambda **given: _whiten(**given, everywhere=True)),
    Mistake("whiten", "row by row", lambda **given: _whiten(**given, axes=(1,))),
    Mistake("whiten", "divided by the variance", lambda **given: _whiten(**given, power=1.0)),
    Mistake("whiten", "mean and deviation detached", lambda advantages, mask, *, epsilon: (
        right.whiten(advantages.detach(), mask, epsilon=epsilon) + 0 * advantages.nan_to_num(posinf=0.0))),
    Mistake("whiten", "the mask as a factor", _whiten_by_product),
    Mistake("whiten", "variance from the moments", _whiten_by_moments),
)  # fmt: skip

EQUIVALENT = (
    Mistake("generalized_advantages", "one step after the other", _advantages, core_alone=True),
    Mistake("discounted_returns", "in blocks of blocks", partial(_returns_in_blocks, levels=9), core_alone=True),
    Mistake(
        "discounted_returns",
        "one step after the other",
        lambda rewards, terminals, bootstrap, *, discount: _backwards(
            rewards, discount * _going_on(rewards, terminals), bootstrap
        ),
        core_alone=True,
    ),
)
