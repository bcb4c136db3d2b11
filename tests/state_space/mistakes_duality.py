"""Wrong forms of state-space duality that the rows must refuse, and other right forms that they must accept."""

from functools import partial

import torch

from practice_torch.state_space import duality as right
from tests.support.mistakes import Mistake


def _by_differences(log_decay, *, included=False, last=True, masked=True):
    """Of running sums; `included` has the decay of s, too, `last` that of t."""
    running = log_decay.mT.cumsum(2)
    ends = running if last else running - log_decay.mT
    sums = ends[..., None] - (running - log_decay.mT if included else running)[..., None, :]
    steps = log_decay.shape[1]
    kept = torch.ones(steps, steps, dtype=torch.bool).tril()
    return torch.where(kept, sums, -torch.inf if masked else 0.0)


def _heads(x, b, c, tiled=False):
    """b and c for every head: repeated, or wrongly the groups one after the other."""
    times = x.shape[2] // b.shape[2]
    return [array.repeat(1, 1, times, 1) if tiled else array.repeat_interleave(times, dim=2) for array in (b, c)]


def _attention(x, log_decay, b, c, *, sums=right.segment_sum, tiled=False, exchanged=False):
    b, c = _heads(x, b, c, tiled)
    b, c = (c, b) if exchanged else (b, c)
    return torch.einsum("bhts,bthn,bshn,bshp->bthp", sums(log_decay).exp(), c, b, x)


def _recurrence(x, log_decay, b, c, initial, *, decayed=True, early=False, tiled=False):
    b, c = _heads(x, b, c, tiled)
    state, outputs = initial, []
    for t in range(x.shape[1]):
        kept = log_decay[:, t, :, None, None].exp()
        before = kept * state if decayed else state
        state = before + x[:, t, :, :, None] * b[:, t, :, None]
        outputs.append(torch.einsum("bhpn,bhn->bhp", before if early else state, c[:, t]))
    return torch.stack(outputs, 1), state


def _chunked(x, log_decay, b, c, *, chunk, entering="decayed", tiled=False):
    """A chunk after the other: its attention, and the state that the chunks before it left."""
    state = torch.zeros(len(x), *x.shape[2:], b.shape[3], dtype=x.dtype)
    outputs = []
    for parts in zip(*(array.split(chunk, 1) for array in (x, log_decay, b, c)), strict=True):
        inside = _attention(*parts, tiled=tiled)
        since = parts[1].cumsum(1)
        since = {"decayed": since, "undecayed": 0 * since, "off by one": since - parts[1], "lost": since - torch.inf}[entering]
        _, read = _heads(*(parts[i] for i in (0, 2, 3)), tiled)
        outputs.append(inside + since.exp()[..., None] * torch.einsum("bhpn,bthn->bthp", state, read))
        state = _recurrence(*parts, state, tiled=tiled)[1]
    return torch.cat(outputs, 1)


def _linear(query, key, value, *, strict=0, normalized=False, causal=True):
    scores = torch.einsum("bthn,bshn->bhts", query, key)
    scores = scores.tril(-strict) if causal else scores
    scores = scores / scores.sum(-1, keepdim=True) if normalized else scores
    return torch.einsum("bhts,bshp->bthp", scores, value)


MISTAKES = (
    Mistake("segment_sum", "running sums subtracted", _by_differences),
    Mistake("segment_sum", "the decay of s included", partial(_by_differences, included=True)),
    Mistake("segment_sum", "the decay of t left out", partial(_by_differences, last=False)),
    Mistake("segment_sum", "0 above the diagonal", partial(_by_differences, masked=False)),
    Mistake("dual_quadratic", "the decay of s included", partial(_attention, sums=partial(_by_differences, included=True))),
    Mistake("dual_quadratic", "0 above the diagonal", partial(_attention, sums=partial(_by_differences, masked=False))),
    Mistake("dual_quadratic", "running sums subtracted", partial(_attention, sums=_by_differences)),
    Mistake("dual_quadratic", "groups tiled", partial(_attention, tiled=True)),
    Mistake("dual_quadratic", "b and c exchanged", partial(_attention, exchanged=True)),
    Mistake(
        "dual_quadratic",
        "the step applied twice",
        lambda *, x, log_decay, **rest: right.dual_quadratic(x=-log_decay[..., None] * x, log_decay=log_decay, **rest),
    ),
    Mistake("dual_recurrent", "the state undecayed", partial(_recurrence, decayed=False)),
    Mistake("dual_recurrent", "the output before the input", partial(_recurrence, early=True)),
    Mistake("dual_recurrent", "groups tiled", partial(_recurrence, tiled=True)),
    Mistake("dual_chunked", "the state enters undecayed", partial(_chunked, entering="undecayed")),
    Mistake("dual_chunked", "the state enters a step late", partial(_chunked, entering="off by one")),
    Mistake("dual_chunked", "chunks on their own", partial(_chunked, entering="lost")),
    Mistake("dual_chunked", "groups tiled", partial(_chunked, tiled=True)),
    Mistake("dual_chunked", "a chunk that does not divide is not refused", _chunked, only_checks=True),
    Mistake("linear_attention", "without the step itself", partial(_linear, strict=1)),
    Mistake("linear_attention", "normalized", partial(_linear, normalized=True)),
    Mistake("linear_attention", "not causal", partial(_linear, causal=False)),
)

EQUIVALENT = (
    Mistake("dual_quadratic", "by one sum", _attention, core_alone=True),
    Mistake("dual_recurrent", "by one sum at each step", _recurrence, core_alone=True),
    Mistake("dual_chunked", "a chunk after the other", _chunked, core_alone=True),
    Mistake("linear_attention", "by one sum", _linear, core_alone=True),
)
