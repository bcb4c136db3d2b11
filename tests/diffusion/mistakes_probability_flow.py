"""Wrong forms of the probability flow that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.diffusion import probability_flow as right
from practice_torch.mathematics.levels import as_rows, per_example
from tests.support.mistakes import Mistake


def _solved(advance):
    """advance(x, now, step, v) of each step, v(x, time) the velocity."""

    def wrong(x, times, drift_fn):
        right.solve(x, times, drift_fn)  # for its checks
        for now, then in zip(times, times[1:], strict=False):
            x = advance(x, now, then - now, lambda x, time: drift_fn(x, time.to(x.dtype).expand(len(x))))
        return x

    return wrong


def _heun(x, now, step, v):
    first = v(x, now)
    return x + step / 2 * (first + v(x + step * first, now + step))


def _three_eighths(x, now, step, v):
    """Kutta's other method of order four."""
    a = v(x, now)
    b = v(x + step * a / 3, now + step / 3)
    c = v(x + step * (b - a / 3), now + 2 * step / 3)
    d = v(x + step * (a - b + c), now + step)
    return x + step / 8 * (a + 3 * b + 3 * c + d)


def _all_at_the_start(x, now, step, v):
    return right.solve(x, torch.stack([now, now + step]), lambda x, _: v(x, now))


def _classical(x, now, step, v):
    a = v(x, now)
    b = v(x + step / 2 * a, now + step / 2)
    c = v(x + step / 2 * b, now + step / 2)
    return x + step / 6 * (a + 2 * b + 2 * c + v(x + step * c, now + step))


def _unchecked(x, times, drift_fn):
    for now, then in zip(times, times[1:], strict=False):
        x = _classical(x, now, then - now, lambda x, time: drift_fn(x, time.to(x.dtype).expand(len(x))))
    return x


def _likelihood(sign=1.0, prior=True, mean=True, euler=False, half_of_the_prior=False):
    """The log-density by a loop over steps: the integral by Euler's method, or with the solver's own weights."""

    def wrong(x, probes, times, drift_fn):
        right.log_prob(x, probes, times, drift_fn)  # for its checks
        count, gained = len(probes) if mean else 1, x.new_zeros(len(x))

        def divergence(x, time):
            level = time.to(x.dtype).expand(len(x))
            pull = torch.func.vjp(lambda x: drift_fn(x, level), x)[1]
            return sum((as_rows(e) * as_rows(pull(e)[0])).sum(1) for e in probes) / count

        for now, then in zip(times, times[1:], strict=False):
            if euler:
                gained = gained + (then - now) * divergence(x, now)
                x = right.solve(x, torch.stack([now, then]), drift_fn)
                continue
            x, gained = _together(x, gained, now, then - now, drift_fn, divergence)
        rows = as_rows(x)
        constant = math.log(2 * math.pi) * (0.5 if half_of_the_prior else rows.shape[1] / 2) if prior else 0.0
        return sign * gained - rows.square().sum(1) / 2 - constant

    return wrong


def _together(x, gained, now, step, drift_fn, divergence):
    def v(x, time):
        return drift_fn(x, time.to(x.dtype).expand(len(x)))

    a, da = v(x, now), divergence(x, now)
    second = x + step / 2 * a
    b, db = v(second, now + step / 2), divergence(second, now + step / 2)
    third = x + step / 2 * b
    c, dc = v(third, now + step / 2), divergence(third, now + step / 2)
    fourth = x + step * c
    d, dd = v(fourth, now + step), divergence(fourth, now + step)
    return x + step / 6 * (a + 2 * b + 2 * c + d), gained + step / 6 * (da + 2 * db + 2 * dc + dd)


MISTAKES = (
    Mistake(
        "probability_flow_drift",
        "without the half",
        lambda score, drift, diffusion: right.probability_flow_drift(2 * score, drift, diffusion),
    ),
    Mistake(
        "probability_flow_drift",
        "g for its square",
        lambda score, drift, diffusion: drift - per_example(diffusion, score) * score / 2,
    ),
    Mistake(
        "probability_flow_drift", "plus", lambda score, drift, diffusion: right.probability_flow_drift(-score, drift, diffusion)
    ),
    Mistake(
        "probability_flow_drift",
        "the score alone",
        lambda score, drift, diffusion: right.probability_flow_drift(score, 0 * drift, diffusion),
    ),
    Mistake("solve", "Euler", _solved(lambda x, now, step, v: x + step * v(x, now))),
    Mistake("solve", "Heun", _solved(_heun)),
    Mistake("solve", "Kutta's other method", _solved(_three_eighths)),
    Mistake("solve", "all slopes at the start's time", _solved(_all_at_the_start)),
    Mistake("solve", "the length of every step", _solved(lambda x, now, step, v: _classical(x, now, step.abs(), v))),
    Mistake("solve", "one step for all times", lambda x, times, drift_fn: right.solve(x, times[[0, -1]], drift_fn)),
    Mistake("solve", "any times", _unchecked, only_checks=True),
    Mistake("log_prob", "the sign of the integral", _likelihood(sign=-1.0)),
    Mistake("log_prob", "without log 2 pi", _likelihood(prior=False)),
    Mistake("log_prob", "log 2 pi of one dimension", _likelihood(half_of_the_prior=True)),
    Mistake("log_prob", "the sum over probes", _likelihood(mean=False)),
    Mistake("log_prob", "Euler for the integral", _likelihood(euler=True)),
    Mistake(
        "log_prob", "the last density alone", lambda x, probes, times, drift_fn: right.log_prob(x, 0 * probes, times, drift_fn)
    ),
    Mistake("log_prob", "the way back", lambda x, probes, times, drift_fn: right.log_prob(x, probes, times.flip(0), drift_fn)),
)

EQUIVALENT = (
    Mistake("solve", "stage by stage", _solved(_classical)),
    Mistake("log_prob", "state and integral side by side", _likelihood()),
)
