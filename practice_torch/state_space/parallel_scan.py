r"""x_t = a_t x_(t-1) + b_t, entry by entry: as a loop, and by doubling in ceil(log2 T) rounds; gradients are one, too.

inputs are the b_t and decay the a_t, [B, T, N]; initial is x_0, [B, N].
"""

import torch
from torch.nn.functional import pad

from practice_torch.arguments import require, require_rank, require_shape


def combine(decay_first, input_first, decay_second, input_second):
    r"""(a_2 a_1, a_2 b_1 + b_2): the map x -> a_1 x + b_1, and after it x -> a_2 x + b_2, as one map of the same form.

    Raises ValueError if the shapes differ.  Source: Blelloch 1990, section 1.4.1; Martin & Cundy 2018, section 2.2.
    [...], [...], [...], [...] -> [...], [...]
    """
    arrays = dict(input_first=input_first, decay_second=decay_second, input_second=input_second)
    require_shape(decay_first.shape, **arrays)
    return decay_second * decay_first, torch.addcmul(input_second, decay_second, input_first)


def recurrence_sequential(inputs, decay, initial):
    r"""x_t = a_t x_(t-1) + b_t for t = 1, 2, ..., T: all states, one after the other.

    Raises ValueError if the shapes do not fit or inputs has no step.  Source: Martin & Cundy 2018, eq. 1.
    [B, T, N], [B, T, N], [B, N] -> [B, T, N]
    """
    _require_recurrence(initial, inputs=inputs, decay=decay)
    states = [initial]
    for a, b in zip(decay.unbind(1), inputs.unbind(1), strict=True):
        states.append(torch.addcmul(b, a, states[-1]))
    return torch.stack(states[1:], 1)


def recurrence_parallel(inputs, decay, initial):
    r"""x_t = a_t x_(t-1) + b_t: the maps (a_1, b_1), ..., (a_t, b_t) combined, applied to x_0. No step waits for all before it.

    Raises ValueError if the shapes do not fit or inputs has no step.  Source: Blelloch 1990, section 1.4; Smith et al. 2023.
    [B, T, N], [B, T, N], [B, N] -> [B, T, N]
    """
    _require_recurrence(initial, inputs=inputs, decay=decay)
    start = torch.addcmul(inputs[:, :1], decay[:, :1], initial.unsqueeze(1))  # x_1 itself: the first map needs no x_0 any more
    kept, states, reach = decay, torch.cat((start, inputs[:, 1:]), 1), 1  # of the last `reach` maps up to each step
    while reach < inputs.shape[1]:
        longer = combine(kept[:, :-reach], states[:, :-reach], kept[:, reach:], states[:, reach:])
        kept, states = (torch.cat((old[:, :reach], new), 1) for old, new in zip((kept, states), longer, strict=True))
        reach *= 2
    return states


def recurrence_backward(upstream, states, decay, initial):
    r"""Gradients of sum_t <upstream_t, x_t> for inputs, decay and initial: g_t, g_t x_(t-1) and a_1 g_1.

    g_t = upstream_t + a_(t+1) g_(t+1) from g_(T+1) = 0: the recurrence from the end, with the decay of the step after.

    Raises ValueError if the shapes do not fit or upstream has no step.  Source: Martin & Cundy 2018, section 2.3.
    [B, T, N], [B, T, N], [B, T, N], [B, N] -> [B, T, N], [B, T, N], [B, N]
    """
    _require_recurrence(initial, upstream=upstream, states=states, decay=decay)
    after = pad(decay[:, 1:], (0, 0, 0, 1))
    reached = recurrence_parallel(upstream.flip(1), after.flip(1), torch.zeros_like(initial)).flip(1)
    before = torch.cat((initial.unsqueeze(1), states[:, :-1]), 1)
    return reached, reached * before, decay[:, 0] * reached[:, 0]


def _require_recurrence(initial, **sequences):
    """Sequences [B, T, N] with T >= 1, all of the shape of the first, and initial [B, N]."""
    (name, first), *_ = sequences.items()
    require_rank(3, **{name: first})
    batch, steps, lanes = first.shape
    require(steps > 0, f"{name} has shape {list(first.shape)}; it must be [B, T, N] with at least one step")
    require_shape((batch, steps, lanes), **sequences)
    require_shape((batch, lanes), initial=initial)
