"""Wrong forms of the forward process that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.diffusion import forward_process as right
from tests.support.mistakes import Mistake


def _over(coefficient, x, axis=0):
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1)) if axis == 0 else coefficient.to(x.dtype)


def _mix(x, noise, kept, lost, *, power=0.5, noise_power=0.5, axis=0):
    return _over(kept**power, x, axis) * x + _over(lost**noise_power, x, axis) * noise


def _sample(x0, t, noise, alpha_bar, *, late=0, complement=False, **how):
    kept = alpha_bar[(t.long() - late).clamp(min=0)]
    return _mix(x0, noise, kept, (1 - kept.sqrt()).square() if complement else 1 - kept, **how)


def _step(x_prev, t, noise, alpha_bar, *, late=0, one_more=False, **how):
    before, after = alpha_bar[(t - 1 - late).clamp(min=0)], alpha_bar[(t - late).clamp(min=0)]
    kept = after if one_more else after / before
    return _mix(x_prev, noise, kept, 1 - kept, **how)


def _from(x_s, s, t, noise, alpha_bar, *, difference=False, from_data=False, **how):
    before, after = alpha_bar[s], alpha_bar[t]
    kept = after if from_data else torch.where(s == t, 1.0, after / before)
    return _mix(x_s, noise, kept, before - after if difference else 1 - kept, **how)


def _marginal(x0, t, alpha_bar, *, power=0.5, log_var=lambda a: torch.log1p(-a)):
    a = alpha_bar[t]
    return _over(a**power, x0) * x0, log_var(a)


def _log_prob(x_t, x_s, s, t, alpha_bar, *, power=0.5, normalizer=1.0, one=False, mean=False, from_data=False, deviation=False):
    r = alpha_bar[t] if from_data else alpha_bar[t] / alpha_bar[s]
    variance = (1 - r).sqrt() if deviation else 1 - r
    distance = (x_t - _over(r**power, x_s) * x_s).square().reshape(len(x_t), -1).sum(1)
    dimensions = 1 if one else math.prod(x_t.shape[1:])
    total = -(normalizer * dimensions * torch.log(2 * math.pi * variance) + distance / variance) / 2
    return total / math.prod(x_t.shape[1:]) if mean else total


def _torchs(x_t, x_s, s, t, alpha_bar):
    right.forward_log_prob(x_t, x_s, s, t, alpha_bar)  # for its checks
    r = _over(alpha_bar[t] / alpha_bar[s], x_s)
    log_probs = torch.distributions.Normal(r.sqrt() * x_s, (1 - r).sqrt(), validate_args=False).log_prob(x_t)
    return log_probs.unsqueeze(-1).flatten(1).sum(1)


def _step_by_jump(x_prev, t, noise, alpha_bar):
    right.forward_step(x_prev, t, noise, alpha_bar)
    return right.forward_from(x_prev, t - 1, t, noise, alpha_bar)


def _noise_first(x_s, s, t, noise, alpha_bar):
    """The noise to be added, turned around: the roles are the same, the order is not."""
    return -right.forward_from(-x_s, s, t, -noise, alpha_bar)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("forward_step", "the level for the ratio", _wrong(_step, one_more=True)),
    Mistake("forward_step", "one step late", _wrong(_step, late=1)),
    Mistake("forward_step", "beta for its root", _wrong(_step, noise_power=1.0)),
    Mistake("forward_step", "1 - beta for its root", _wrong(_step, power=1.0)),
    Mistake("forward_step", "no check of t", _step, only_checks=True),
    Mistake("forward_sample", "the level before", _wrong(_sample, late=1)),
    Mistake("forward_sample", "alpha bar for its root", _wrong(_sample, power=1.0)),
    Mistake("forward_sample", "the variance for the deviation", _wrong(_sample, noise_power=1.0)),
    Mistake("forward_sample", "1 - sqrt(a) for sqrt(1 - a)", _wrong(_sample, complement=True)),
    Mistake(
        "forward_sample",
        "t along the last axis",
        lambda x0, t, noise, alpha_bar: _sample(x0, t, noise, alpha_bar, axis=0 if x0.shape[-1] != len(t) or x0.ndim == 1 else 1),
    ),
    Mistake("forward_sample", "an infinite slope at the data itself", _sample),
    Mistake(
        "forward_sample",
        "no check of t",
        lambda x0, t, noise, alpha_bar: right.forward_sample(x0, t.long().clamp(0, len(alpha_bar) - 1), noise, alpha_bar),
        only_checks=True,
    ),
    Mistake("forward_from", "from the data", _wrong(_from, from_data=True)),
    Mistake("forward_from", "the difference of the levels", _wrong(_from, difference=True)),
    Mistake("forward_from", "the variance for the deviation", _wrong(_from, noise_power=1.0)),
    Mistake(
        "forward_from",
        "0/0 at the end of a schedule that ends at nothing",
        lambda x_s, s, t, noise, alpha_bar: _mix(x_s, noise, alpha_bar[t] / alpha_bar[s], 1 - alpha_bar[t] / alpha_bar[s]),
    ),
    Mistake(
        "forward_from",
        "back in time",
        lambda x_s, s, t, noise, alpha_bar: right.forward_from(x_s, torch.minimum(s, t), t, noise, alpha_bar),
        only_checks=True,
    ),
    Mistake("forward_marginal", "alpha bar for its root", _wrong(_marginal, power=1.0)),
    Mistake("forward_marginal", "the variance", _wrong(_marginal, log_var=lambda a: 1 - a)),
    Mistake("forward_marginal", "the log-deviation", _wrong(_marginal, log_var=lambda a: torch.log1p(-a) / 2)),
    Mistake("forward_marginal", "log(1 - a), which loses the small a", _wrong(_marginal, log_var=lambda a: torch.log(1 - a))),
    Mistake("forward_marginal", "clamped", _wrong(_marginal, log_var=lambda a: torch.log((1 - a).clamp(min=1e-20)))),
    Mistake("forward_log_prob", "without the normalizer", _wrong(_log_prob, normalizer=0.0)),
    Mistake("forward_log_prob", "the normalizer of one dimension", _wrong(_log_prob, one=True)),
    Mistake("forward_log_prob", "the mean over dimensions", _wrong(_log_prob, mean=True)),
    Mistake("forward_log_prob", "the deviation for the variance", _wrong(_log_prob, deviation=True)),
    Mistake("forward_log_prob", "the ratio for its root", _wrong(_log_prob, power=1.0)),
    Mistake("forward_log_prob", "from the data", _wrong(_log_prob, from_data=True)),
)

EQUIVALENT = (
    Mistake("forward_step", "a jump over one step", _step_by_jump),
    Mistake("forward_from", "all signs changed twice", _noise_first),
    Mistake("forward_log_prob", "torch.distributions", _torchs),
)
