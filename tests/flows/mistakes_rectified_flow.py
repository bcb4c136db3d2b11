"""Wrong forms of rectified flow that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.flows import rectified_flow as right
from tests.support.mistakes import Mistake


def _path(x0, times, velocity_fn):
    """Euler's end and its velocities, [N, B, ...]."""
    x, velocities = x0, []
    for k in range(len(times) - 1):
        velocities.append(velocity_fn(x, times[k].expand(len(x))))
        x = x + (times[k + 1] - times[k]) * velocities[-1]
    return x, torch.stack(velocities)


def _pairs(form):
    def wrong(x0, times, velocity_fn):
        right.reflow_pairs(x0, times, velocity_fn)  # for its checks
        return form(x0, times, velocity_fn)

    return wrong


def _straightness(*, weigh=lambda h: h, mean=lambda way, h, v: way / h.sum(), power=1.0, reduce=torch.sum):
    def wrong(x0, times, velocity_fn):
        right.straightness(x0, times, velocity_fn)
        end, velocities = _path(x0, times, velocity_fn)
        h = times.diff()
        squares = (mean(end - x0, h, velocities) - velocities).square().reshape(len(h), len(x0), x0[:1].numel())
        return (weigh(h) @ reduce(squares, 2)) ** power

    return wrong


def _unchecked(function):
    """Times that fall are taken as they are."""

    def wrong(x0, times, velocity_fn):
        return getattr(right, function)(x0, times.sort().values, velocity_fn)

    return wrong


def _at_the_end(x0, times, velocity_fn):
    """The velocity at the end of each step's time."""
    late = dict(zip(times.tolist(), times.tolist()[1:], strict=False))
    return right.reflow_pairs(x0, times, lambda x, time: velocity_fn(x, 0 * time + late[time[0].item()]) if len(x) else x)


MISTAKES = (
    Mistake("reflow_pairs", "the ends exchanged", _pairs(lambda *path: right.reflow_pairs(*path)[::-1])),
    Mistake(
        "reflow_pairs",
        "new noise, here that of the neighbor",
        _pairs(lambda x0, *path: (x0.roll(1, 0), right.reflow_pairs(x0, *path)[1])),
    ),
    Mistake("reflow_pairs", "one step", _pairs(lambda x0, times, fn: right.reflow_pairs(x0, times[[0, -1]], fn))),
    Mistake("reflow_pairs", "times at the ends of the steps", _at_the_end),
    Mistake(
        "reflow_pairs", "without a gradient", _pairs(lambda x0, times, fn: (x0, right.reflow_pairs(x0, times, fn)[1].detach()))
    ),
    Mistake("reflow_pairs", "times are sorted", _unchecked("reflow_pairs"), only_checks=True),
    Mistake("straightness", "divided by the steps", _straightness(weigh=lambda h: h / len(h))),
    Mistake("straightness", "not weighted", _straightness(weigh=lambda h: torch.ones_like(h))),
    Mistake("straightness", "from the mean of the velocities", _straightness(mean=lambda way, h, v: v.mean(0))),
    Mistake("straightness", "the way for the mean velocity", _straightness(mean=lambda way, h, v: way)),
    Mistake("straightness", "a root", _straightness(power=0.5)),
    Mistake("straightness", "the mean over dimensions", _straightness(reduce=torch.mean)),
    Mistake("straightness", "divided by the time", _straightness(weigh=lambda h: h / h.sum())),
    Mistake("straightness", "times are sorted", _unchecked("straightness"), only_checks=True),
    Mistake("transport_cost", "the distance", lambda x0, x1: right.transport_cost(x0, x1).sqrt()),
    Mistake("transport_cost", "half", lambda x0, x1: right.transport_cost(x0, x1) / 2),
    Mistake("transport_cost", "the mean over dimensions", lambda x0, x1: right.transport_cost(x0, x1) / max(1, x0[:1].numel())),
    Mistake("transport_cost", "of neighbors", lambda x0, x1: right.transport_cost(x0, x1.roll(1, 0))),
)

EQUIVALENT = (
    Mistake("reflow_pairs", "a list of velocities", _pairs(lambda x0, *path: (x0, _path(x0, *path)[0]))),
    Mistake("straightness", "a list of velocities", _straightness()),
    Mistake(
        "transport_cost",
        "rows",
        lambda x0, x1: right.transport_cost(x0, x1) * 0 + (x1 - x0).square().reshape(len(x0), x0[:1].numel()).sum(1),
    ),
)
