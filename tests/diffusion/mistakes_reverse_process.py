"""Wrong forms of the reverse process that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.diffusion import reverse_process as right
from practice_torch.mathematics.levels import beta_at, level_at
from tests.support.mistakes import Mistake


def _levels(t, alpha_bar):
    before, after = alpha_bar[t - 1], alpha_bar[t]
    return before, after, 1 - after / before


def _over(coefficient, x):
    return coefficient.reshape(-1, *[1] * (x.ndim - 1))


def _mean(x0, x_t, t, alpha_bar, *, exchanged=False, signal_power=0.5, kept_power=0.5, late=0, data=False):
    before, after, beta = _levels((t - late).clamp(min=1), alpha_bar)
    of_data, of_noisy = before**signal_power * beta / (1 - after), (1 - beta) ** kept_power * (1 - before) / (1 - after)
    if exchanged:
        of_data, of_noisy = of_noisy, of_data
    return x0 if data else _over(of_data, x0) * x0 + _over(of_noisy, x_t) * x_t


def _posterior(t, alpha_bar, *, exchanged=False, clamp=None, log=True, large=False):
    before, after, beta = _levels(t, alpha_bar)
    ratio = (1 - after) / (1 - before) if exchanged else (1 - before) / (1 - after)
    variance = beta if large else ratio * beta
    variance = variance if clamp is None else variance.clamp(min=clamp)
    return variance.log() if log else variance


def _reverse(t, alpha_bar, *, variance="large", first="next", late=0, of_all=False, half=False):
    if variance == "large":
        before, after, beta = _levels((t - late).clamp(min=1), alpha_bar)
        return (1 - after if of_all else beta).log() / (2 if half else 1)
    if first == "large":
        return torch.where(t > 1, _posterior(t.clamp(min=2), alpha_bar), _posterior(t, alpha_bar, large=True))
    at = t.clamp(min=2) if first == "next" else t
    return _posterior(at, alpha_bar, clamp=1e-20 if first == "clamp" else None)


def _from_noise(x_t, noise_pred, t, alpha_bar, *, root=0.5, beta_power=1.0, scale="kept", kept_power=0.5):
    before, after, beta = _levels(t, alpha_bar)
    divisor = {"kept": (after / before) ** kept_power, "level": after.sqrt(), "none": torch.ones_like(after)}[scale]
    return (x_t - _over(beta**beta_power / (1 - after) ** root, x_t) * noise_pred) / _over(divisor, x_t)


def _interpolated(v, t, alpha_bar, *, logs=True, weight=lambda v: (v + 1) / 2, first=2, exchanged=False):
    large, small = _posterior(t, alpha_bar, large=True), _posterior(t.clamp(min=first), alpha_bar)
    large, small = (_over(part, v) for part in ((small, large) if exchanged else (large, small)))
    if logs:
        return weight(v) * large + (1 - weight(v)) * small
    return (weight(v) * large.exp() + (1 - weight(v)) * small.exp()).log()


def _by_precisions(x0, x_t, t, alpha_bar):
    """Two Gaussian pulls, each weighted by its precision; the first one is infinitely strong at t = 1."""
    right.posterior_mean(x0, x_t, t, alpha_bar)
    before, after, beta = level_at(t - 1, alpha_bar), level_at(t, alpha_bar), beta_at(t, alpha_bar)
    from_noisy = (after / before).sqrt() / beta * (1 - before)  # both precisions times 1 - a_(t-1)
    total = after / before / beta * (1 - before) + 1
    return _over(before.sqrt() / total, x0) * x0 + _over(from_noisy / total, x_t) * x_t


def _through_data(x_t, noise_pred, t, alpha_bar):
    right.reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar)
    after = alpha_bar[t]
    x0 = (x_t - _over((1 - after).sqrt(), x_t) * noise_pred) / _over(after.sqrt(), x_t)
    return right.posterior_mean(x0, x_t, t, alpha_bar)


def _from_the_middle(v, t, alpha_bar):
    right.interpolated_log_variance(v, t, alpha_bar)
    large, small = (_over(right.reverse_log_variance(t, alpha_bar, variance=name), v) for name in ("large", "small"))
    return (large + small) / 2 + v * (large - small) / 2


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("posterior_mean", "coefficients exchanged", _wrong(_mean, exchanged=True)),
    Mistake("posterior_mean", "a for its root", _wrong(_mean, signal_power=1.0)),
    Mistake("posterior_mean", "1 - beta for its root", _wrong(_mean, kept_power=1.0)),
    Mistake("posterior_mean", "one step late", _wrong(_mean, late=1)),
    Mistake("posterior_mean", "the prediction of the data itself", _wrong(_mean, data=True)),
    Mistake(
        "posterior_mean",
        "no check of t",
        lambda x0, x_t, t, alpha_bar: right.posterior_mean(x0, x_t, t.long().clamp(1, len(alpha_bar) - 1), alpha_bar),
        only_checks=True,
    ),
    Mistake("posterior_log_variance", "levels exchanged", _wrong(_posterior, exchanged=True)),
    Mistake("posterior_log_variance", "the variance", _wrong(_posterior, log=False)),
    Mistake("posterior_log_variance", "beta", _wrong(_posterior, large=True)),
    Mistake("posterior_log_variance", "clamped at 1e-20", _wrong(_posterior, clamp=1e-20)),
    Mistake("posterior_log_variance", "the slope of log 0", _posterior),
    Mistake("reverse_log_variance", "of all noise so far", _wrong(_reverse, of_all=True)),
    Mistake("reverse_log_variance", "the log-deviation", _wrong(_reverse, half=True)),
    Mistake("reverse_log_variance", "one step late", _wrong(_reverse, late=1)),
    Mistake("reverse_log_variance", "small is infinite at t = 1", _wrong(_reverse, first="infinite")),
    Mistake("reverse_log_variance", "small is clamped at t = 1", _wrong(_reverse, first="clamp")),
    Mistake("reverse_log_variance", "small is large at t = 1", _wrong(_reverse, first="large")),
    Mistake(
        "reverse_log_variance",
        "any word is large",
        lambda t, alpha_bar, *, variance="large": right.reverse_log_variance(
            t, alpha_bar, variance=variance if variance == "small" else "large"
        ),
        only_checks=True,
    ),
    Mistake("reverse_mean_from_noise", "the root of 1 - a forgotten", _wrong(_from_noise, root=1.0)),
    Mistake("reverse_mean_from_noise", "divided by sqrt(a_t)", _wrong(_from_noise, scale="level")),
    Mistake("reverse_mean_from_noise", "not scaled up", _wrong(_from_noise, scale="none")),
    Mistake("reverse_mean_from_noise", "the root of beta", _wrong(_from_noise, beta_power=0.5)),
    Mistake("reverse_mean_from_noise", "1 - beta for its root", _wrong(_from_noise, kept_power=1.0)),
    Mistake(
        "reverse_mean_from_noise",
        "divides by zero where no signal is left",
        lambda x_t, noise_pred, t, alpha_bar: _from_noise(x_t, noise_pred, t, alpha_bar),
        only_checks=True,
    ),
    Mistake("interpolated_log_variance", "variances interpolated", _wrong(_interpolated, logs=False)),
    Mistake("interpolated_log_variance", "v for (v + 1)/2", _wrong(_interpolated, weight=lambda v: v)),
    Mistake("interpolated_log_variance", "clipped", _wrong(_interpolated, weight=lambda v: ((v + 1) / 2).clamp(0, 1))),
    Mistake("interpolated_log_variance", "ends exchanged", _wrong(_interpolated, exchanged=True)),
    Mistake("interpolated_log_variance", "0 times infinity at t = 1", _wrong(_interpolated, first=1)),
)

EQUIVALENT = (
    Mistake("posterior_mean", "two pulls, weighted by their precisions", _by_precisions),
    Mistake("reverse_mean_from_noise", "through the data that the noise implies", _through_data),
    Mistake("interpolated_log_variance", "from the middle", _from_the_middle),
)
