"""Wrong forms of linear recurrences that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.state_space import parallel_scan as right
from tests.support.mistakes import Mistake


def _loop(inputs, decay, initial, *, started=True, added=True, before=False, late=False):
    state, states = initial if started else torch.zeros_like(initial), []
    for t in range(inputs.shape[1]):
        previous, a = state, decay[:, min(t + 1, inputs.shape[1] - 1) if late else t]
        state = a * state + (inputs[:, t] if added else (1 - a) * inputs[:, t])
        states.append(previous if before else state)
    return torch.stack(states, 1)


def _doubling(inputs, decay, initial, *, swapped=False, again=False, rounds=None):
    start = right.combine(torch.ones_like(initial), initial, decay[:, 0], inputs[:, 0])[1][:, None]
    kept, states, reach = decay, torch.cat((start, inputs[:, 1:]), 1), 1
    while reach < inputs.shape[1] and (rounds is None or reach < 2**rounds):
        early, late = (kept[:, :-reach], states[:, :-reach]), (kept[:, reach:], states[:, reach:])
        longer = right.combine(*late, *early) if swapped else right.combine(*early, *late)
        kept, states = (torch.cat((old[:, :reach], new), 1) for old, new in zip((kept, states), longer, strict=True))
        reach *= 2
    return states + decay.cumprod(1) * initial[:, None] if again else states


def _divided(inputs, decay, initial):
    """x_t = P_t (x_0 + sum_s b_s / P_s), P_t the product of the decays so far."""
    product = decay.cumprod(1)
    return product * (initial[:, None] + (inputs / product).cumsum(1))


def _by_matrix(inputs, decay, initial):
    """Every product of decays from a step to a later one, T x T of them."""
    steps = inputs.shape[1]
    rows = []
    for t in range(steps):
        after = [decay[:, s + 1 : t + 1].prod(1) * inputs[:, s] for s in range(t + 1)]
        rows.append(sum(after) + decay[:, : t + 1].prod(1) * initial)
    return torch.stack(rows, 1)


def _from_the_end(upstream, after):
    reached, slopes = torch.zeros_like(upstream[:, 0]), []
    for now, a in zip(upstream.unbind(1)[::-1], after.unbind(1)[::-1], strict=True):
        reached = now + a * reached
        slopes.append(reached)
    return torch.stack(slopes[::-1], 1)


def _backward(upstream, states, decay, initial, *, shifted=True, state_after=False, first_decay=True, previous=True):
    after = torch.cat((decay[:, 1:], torch.zeros_like(decay[:, :1])), 1) if shifted else decay
    reached = _from_the_end(upstream, after)
    before = torch.cat((initial[:, None] if previous else torch.zeros_like(initial)[:, None], states[:, :-1]), 1)
    of_initial = decay[:, 0] * reached[:, 0] if first_decay else reached[:, 0] + 0 * decay[:, 0]
    return reached, reached * (states if state_after else before), of_initial


MISTAKES = (
    Mistake("combine", "the second map first", lambda decay_first, input_first, decay_second, input_second: (
        decay_second * decay_first, decay_first * input_second + input_first)),
    Mistake("combine", "the first input kept whole", lambda decay_first, input_first, decay_second, input_second: (
        decay_second * decay_first, input_first + input_second + 0 * decay_second)),
    Mistake("combine", "decays added, as logarithms are", lambda decay_first, input_first, decay_second, input_second: (
        decay_second + decay_first, decay_second * input_first + input_second)),
    Mistake("recurrence_sequential", "the initial state forgotten", lambda inputs, decay, initial: (
        _loop(inputs, decay, initial, started=False) + 0 * initial[:, None])),
    Mistake("recurrence_sequential", "the state before the input", lambda inputs, decay, initial: (
        _loop(inputs, decay, initial, before=True) + 0 * inputs + 0 * decay)),
    Mistake("recurrence_sequential", "a moving average", lambda inputs, decay, initial: (
        _loop(inputs, decay, initial, added=False))),
    Mistake("recurrence_sequential", "the decay of the step after", lambda inputs, decay, initial: (
        _loop(inputs, decay, initial, late=True))),
    Mistake("recurrence_parallel", "arguments of combine swapped", lambda inputs, decay, initial: (
        _doubling(inputs, decay, initial, swapped=True))),
    Mistake("recurrence_parallel", "the initial state twice", lambda inputs, decay, initial: (
        _doubling(inputs, decay, initial, again=True))),
    Mistake("recurrence_parallel", "a round too few", lambda inputs, decay, initial: (
        _doubling(inputs, decay, initial, rounds=3))),
    Mistake("recurrence_parallel", "divided by cumulative products", _divided),
    Mistake("recurrence_backward", "decay not shifted", lambda upstream, states, decay, initial: (
        _backward(upstream, states, decay, initial, shifted=False))),
    Mistake("recurrence_backward", "the state after the step", lambda upstream, states, decay, initial: (
        _backward(upstream, states, decay, initial, state_after=True))),
    Mistake("recurrence_backward", "the first decay forgotten", lambda upstream, states, decay, initial: (
        _backward(upstream, states, decay, initial, first_decay=False))),
    Mistake("recurrence_backward", "zero in place of the initial state", lambda upstream, states, decay, initial: (
        _backward(upstream, states, decay, initial, previous=False))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("recurrence_sequential", "by a matrix of products", _by_matrix, core_alone=True),
    Mistake("recurrence_parallel", "by doubling in another order of operations", _doubling, core_alone=True),
    Mistake("recurrence_backward", "by a loop from the end", _backward, core_alone=True),
)
