"""Wrong forms of DPM-Solver that the rows must refuse, and other right forms that they must accept."""

from functools import partial

import torch

from practice_torch.diffusion import dpm_solver as right
from practice_torch.mathematics.levels import per_example
from tests.support.mistakes import Mistake, after_checks


def _alpha(level):
    return (2 * level).sigmoid().sqrt()


def _sigma(level):
    return (-2 * level).sigmoid().sqrt()


def _first(x, x0_pred, lambda_from, lambda_to, *, scale=_sigma, weight=_alpha, length=1.0, expm1=torch.expm1):
    kept = scale(lambda_to) / scale(lambda_from)
    return per_example(kept, x) * x - per_example(weight(lambda_to) * expm1(length * (lambda_from - lambda_to)), x) * x0_pred


def _second(x, x0_pred, x0_pred_before, lambda_before, lambda_from, lambda_to, *, share=None, step=_first):
    r = (lambda_from - lambda_before) / (lambda_to - lambda_from)
    share = per_example((1 / (2 * r)) if share is None else share(r), x)
    return step(x, (1 + share) * x0_pred - share * x0_pred_before, lambda_from, lambda_to)


def _midpoint(x, lambda_from, lambda_to, denoise_fn, *, argument=0.5, way=0.5, stage=True, shares=(0.0, 1.0), whole=True):
    def step(x, noise, now, after):
        scale = _alpha(after) / _alpha(now)
        return per_example(scale, x) * x - per_example(_sigma(after) * torch.expm1(after - now), x) * noise

    middle = lambda_from + way * (lambda_to - lambda_from)
    first = denoise_fn(x, lambda_from)
    halfway = step(x, first, lambda_from, middle) if stage else x
    second = denoise_fn(halfway, lambda_from + argument * (lambda_to - lambda_from))
    noise = shares[0] * first + shares[1] * second
    return step(x, noise, lambda_from, lambda_to) if whole else step(halfway, noise, middle, lambda_to)


def _sample(x, lambdas, denoise_fn, *, lower_order_final=True, second=_second, old=None, order_one=lambda i, steps: i == 0):
    before, steps = torch.zeros_like(x), len(lambdas) - 1
    for i in range(steps):
        now, after = (level.expand(len(x)) for level in lambdas[i : i + 2])
        x0 = denoise_fn(x, now)
        if order_one(i, steps) or (lower_order_final and i == steps - 1):
            x = _first(x, x0, now, after)
        else:
            x = second(x, x0, before, lambdas[max(i - 1, 0)].expand(len(x)), now, after)
        before = x0 if old is None else old(x0, before, i)
    return x


def _wrong(function, name, form, **how):
    return Mistake(function, name, after_checks(right, function, partial(form, **how)))


FIRST, SECOND, MIDPOINT, SAMPLE = (
    "first_order_step",
    "multistep_second_order_step",
    "singlestep_second_order_step",
    "multistep_sample",
)

MISTAKES = (
    Mistake("half_log_snr", "the log-SNR itself", lambda alpha_bar: 2 * right.half_log_snr(alpha_bar)),
    Mistake("half_log_snr", "noise over signal", lambda alpha_bar: -right.half_log_snr(alpha_bar)),
    Mistake("half_log_snr", "clamped at both ends", lambda alpha_bar: right.half_log_snr(alpha_bar).clamp(-10, 10)),
    _wrong(FIRST, "weights of the log-SNR, not of half of it", _first, scale=lambda level: _sigma(level / 2)),
    _wrong(FIRST, "a step of the log-SNR itself", _first, length=2.0),
    _wrong(FIRST, "e^h for e^-h", _first, length=-1.0),
    _wrong(FIRST, "e^-h - 1, which cancels", _first, expm1=lambda h: h.exp() - 1),
    _wrong(FIRST, "squares of the weights", _first, weight=lambda level: _alpha(level) ** 2),
    _wrong(FIRST, "the noise's step, fed with the data", _first, scale=_alpha, weight=_sigma, length=-1.0),
    Mistake(FIRST, "back to the noise, too", lambda x, x0_pred, lambda_from, lambda_to: right.first_order_step(
        x, x0_pred, torch.minimum(lambda_from, lambda_to).clamp(-30, 30), (
            torch.maximum(lambda_from, lambda_to) + 1e-3 * (lambda_from == lambda_to)).clamp(-30, 30)), only_checks=True),
    _wrong(SECOND, "r inverted", _second, share=lambda r: r / 2),
    _wrong(SECOND, "plus and minus exchanged", _second, share=lambda r: -1 / (2 * r)),
    _wrong(SECOND, "to the end of the step", _second, share=lambda r: 1 / r),
    _wrong(SECOND, "steps taken to be equal", _second, share=lambda r: torch.full_like(r, 0.5)),
    _wrong(SECOND, "order one", _second, share=torch.zeros_like),
    _wrong(SECOND, "e^-h - 1, which cancels", _second, step=partial(_first, expm1=lambda h: h.exp() - 1)),
    Mistake(SECOND, "predictions in any order", lambda x, x0_pred, x0_pred_before, lambda_before, lambda_from, lambda_to: (
        right.multistep_second_order_step(x, x0_pred, x0_pred_before, torch.minimum(lambda_before, lambda_from - 1).clamp(-30), (
            lambda_from), lambda_to)), only_checks=True),
    _wrong(MIDPOINT, "order one", _midpoint, shares=(1.0, 0.0)),
    _wrong(MIDPOINT, "the mean of both predictions", _midpoint, shares=(0.5, 0.5)),
    _wrong(MIDPOINT, "the first level as argument twice", _midpoint, argument=0.0),
    _wrong(MIDPOINT, "the last level as argument", _midpoint, argument=1.0),
    _wrong(MIDPOINT, "a first stage to the end", _midpoint, way=1.0, argument=1.0),
    _wrong(MIDPOINT, "no first stage", _midpoint, stage=False),
    _wrong(MIDPOINT, "two half steps", _midpoint, whole=False),
    Mistake(MIDPOINT, "the slope of the first prediction forgotten", lambda x, lambda_from, lambda_to, denoise_fn: (
        right.singlestep_second_order_step(x, lambda_from, lambda_to, lambda x, level: (
            denoise_fn(x, level).detach() if level is lambda_from else denoise_fn(x, level))))),
    _wrong(SAMPLE, "order one", _sample, order_one=lambda i, steps: True),
    Mistake(SAMPLE, "order one at the end, whatever is wanted", lambda x, lambdas, denoise_fn, *, lower_order_final=True: (
        right.multistep_sample(x, lambdas, denoise_fn))),
    Mistake(SAMPLE, "order two at the end, whatever is wanted", lambda x, lambdas, denoise_fn, *, lower_order_final=True: (
        right.multistep_sample(x, lambdas, denoise_fn, lower_order_final=False))),
    _wrong(SAMPLE, "r inverted", _sample, second=partial(_second, share=lambda r: r / 2)),
    _wrong(SAMPLE, "the first prediction kept", _sample, old=lambda x0, before, i: x0 if i == 0 else before),
    _wrong(SAMPLE, "only one step of order two", _sample, order_one=lambda i, steps: i != 1),
    Mistake(SAMPLE, "any levels", lambda x, lambdas, denoise_fn, **how: right.multistep_sample(
        x, lambdas.clamp(-30, 30).sort().values, denoise_fn, **how), only_checks=True),
)  # fmt: skip


EQUIVALENT = (
    Mistake("half_log_snr", "the inverse of a sigmoid", after_checks(
        right, "half_log_snr", lambda alpha_bar: alpha_bar.logit() / 2)),
    Mistake(FIRST, "written again", after_checks(right, FIRST, _first)),
    Mistake(SECOND, "with r", after_checks(right, SECOND, _second)),
    Mistake(MIDPOINT, "step by step", after_checks(right, MIDPOINT, _midpoint)),
    Mistake(SAMPLE, "step by step", after_checks(right, SAMPLE, _sample)),
)  # fmt: skip
