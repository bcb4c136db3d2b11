"""Wrong forms of noise schedules that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.diffusion import noise_schedules as right
from tests.support.mistakes import Mistake


def _product(betas, *, first=True, late=False):
    levels = (1 - betas).cumprod(0)
    if late:
        return torch.cat([levels.new_ones(2), levels[:-1]])
    return torch.cat([levels.new_ones(1), levels]) if first else levels


def _betas(num_steps, beta_start, beta_end, power=1.0, end=True):
    last = beta_end if end else beta_end - (beta_end - beta_start) / num_steps
    return torch.linspace(beta_start**power, last**power, num_steps) ** (1 / power)


def _linear(*, num_steps, beta_start=1e-4, beta_end=0.02, power=1.0, factor=1.0, first=True, end=True):
    return _product(factor * _betas(num_steps, beta_start, beta_end, power, end), first=first)


def _scaled(*, num_steps, beta_start=0.00085, beta_end=0.012, power=0.5, squared=True):
    betas = _betas(num_steps, beta_start, beta_end, power)
    return _product(betas if squared else betas.sqrt())


def _cosine(*, num_steps, offset=0.008, beta_max=0.999, power=2, over_first=True, clip="betas", points=None):
    times = torch.arange(num_steps + 1) / (points or num_steps)
    f = torch.cos((times + offset) / (1 + offset) * math.pi / 2) ** power
    if clip == "alpha bar":
        return (f / f[0]).clamp(min=1 - beta_max)
    if not over_first:
        return torch.cat([f.new_ones(1), f[1:]])
    betas = 1 - f[1:] / f[:-1]
    return _product(betas.clamp(max=beta_max) if clip else betas)


def _rescale(alpha_bar, *, power=0.5, first=1, back=True, squared=True, end=True):
    root = alpha_bar**power
    moved = (root - root[-1]) * (root[first] / (root[first] - root[-1]) if back else 1)
    moved = torch.cat([alpha_bar.new_ones(1), moved[1:]]) if end else moved
    return moved ** (1 / power) if squared else moved


def _sigmas(*, num_steps, sigma_min, sigma_max, points=None, linear=False, reverse=False):
    if points:  # the first of T + 1 points of the line in the place of zero
        return torch.linspace(math.log(sigma_min), math.log(sigma_max), num_steps + 1).exp()
    line = torch.linspace(*((sigma_min, sigma_max) if linear else (math.log(sigma_min), math.log(sigma_max))), num_steps)
    sigmas = line if linear else line.exp()
    return torch.cat([torch.zeros(1), sigmas.flip(0) if reverse else sigmas])


def _shift(alpha_bar, *, base_resolution, resolution, times=2.0, sign=1.0):
    shift = sign * times * math.log(base_resolution / resolution)
    factor = math.exp(shift)
    return alpha_bar * factor / (1 - alpha_bar + alpha_bar * factor)


def _through_log_snr(alpha_bar, *, base_resolution, resolution):
    return torch.sigmoid(torch.logit(alpha_bar) + 2 * math.log(base_resolution / resolution))


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


def _after_checks(name, other):
    """Another right form of a function, behind that function's own checks."""

    def form(*given, **named):
        getattr(right, name)(*given, **named)
        return other(*given, **named)

    return form


MISTAKES = (
    Mistake("alpha_bar_from_betas", "T entries: no 1 for the data", _wrong(_product, first=False)),
    Mistake("alpha_bar_from_betas", "one step late", _wrong(_product, late=True)),
    Mistake("alpha_bar_from_betas", "the product of the betas", lambda betas: _product(1 - betas)),
    Mistake("alpha_bar_from_betas", "1 less the sum", lambda betas: torch.cat([betas.new_ones(1), 1 - betas.cumsum(0)])),
    Mistake(
        "alpha_bar_from_betas",
        "through logarithms: no slope where a beta is 1",
        lambda betas: torch.cat([betas.new_ones(1), torch.log1p(-betas).cumsum(0).exp()]),
    ),
    Mistake("alpha_bar_from_betas", "betas are not looked at", lambda betas: _product(betas), only_checks=True),
    Mistake("linear_alpha_bar", "T entries: no 1 for the data", _wrong(_linear, first=False)),
    Mistake("linear_alpha_bar", "the end left out", _wrong(_linear, end=False)),
    Mistake("linear_alpha_bar", "roots linear", _wrong(_linear, power=0.5)),
    Mistake(
        "linear_alpha_bar",
        "scaled by 1000/T unasked",
        lambda *, num_steps, **betas: _linear(num_steps=num_steps, factor=1000 / num_steps, **betas),
    ),
    Mistake("scaled_linear_alpha_bar", "betas linear where roots must be", _wrong(_scaled, power=1.0)),
    Mistake("scaled_linear_alpha_bar", "roots not squared", _wrong(_scaled, squared=False)),
    Mistake("cosine_alpha_bar", "the square omitted", _wrong(_cosine, power=1)),
    Mistake("cosine_alpha_bar", "not divided by f(0)", _wrong(_cosine, over_first=False)),
    Mistake("cosine_alpha_bar", "alpha bar clipped in place of the betas", _wrong(_cosine, clip="alpha bar")),
    Mistake("cosine_alpha_bar", "never clipped", _wrong(_cosine, clip="")),
    Mistake(
        "cosine_alpha_bar",
        "T + 1 points called T",
        lambda *, num_steps, **rest: _cosine(num_steps=num_steps, points=num_steps + 1, **rest),
    ),
    Mistake("rescale_zero_terminal_snr", "alpha bar moved, not its root", _wrong(_rescale, power=1.0)),
    Mistake("rescale_zero_terminal_snr", "not scaled back", _wrong(_rescale, back=False)),
    Mistake("rescale_zero_terminal_snr", "keeps the data's entry, not the first step", _wrong(_rescale, first=0)),
    Mistake("rescale_zero_terminal_snr", "the data's entry moved", _wrong(_rescale, end=False)),
    Mistake("rescale_zero_terminal_snr", "the root returned", _wrong(_rescale, squared=False)),
    Mistake("rescale_zero_terminal_snr", "any array taken for a schedule", _rescale, only_checks=True),
    Mistake("log_linear_sigmas", "linear", _wrong(_sigmas, linear=True)),
    Mistake("log_linear_sigmas", "sigma_0 is sigma_min", _wrong(_sigmas, points=True)),
    Mistake("log_linear_sigmas", "downwards", _wrong(_sigmas, reverse=True)),
    Mistake("alpha_bar_from_sigmas", "sigma for its square", lambda sigmas: 1 / (1 + sigmas)),
    Mistake("alpha_bar_from_sigmas", "1 - sigma^2", lambda sigmas: 1 - sigmas.square()),
    Mistake("alpha_bar_from_sigmas", "negative sigmas pass", lambda sigmas: 1 / (1 + sigmas.square()), only_checks=True),
    Mistake("log_snr", "noise over signal", lambda alpha_bar: torch.log1p(-alpha_bar) - alpha_bar.log()),
    Mistake("log_snr", "of amplitudes", lambda alpha_bar: torch.logit(alpha_bar) / 2),
    Mistake("log_snr", "clamped at the ends", lambda alpha_bar: torch.logit(alpha_bar, eps=1e-6)),
    Mistake("alpha_bar_from_log_snr", "sign", lambda log_snr: torch.sigmoid(-log_snr)),
    Mistake("alpha_bar_from_log_snr", "e^lambda over 1 + e^lambda: inf/inf", lambda log_snr: log_snr.exp() / (1 + log_snr.exp())),
    Mistake("alpha_bar_from_log_snr", "the slope of a rounded sigmoid", lambda log_snr: torch.sigmoid(log_snr)),
    Mistake("shift_log_snr", "the other way", _wrong(_shift, sign=-1.0)),
    Mistake("shift_log_snr", "log(r0/r), not doubled", _wrong(_shift, times=1.0)),
    Mistake("shift_log_snr", "through the log-SNR: no slope at the ends", _through_log_snr),
)

EQUIVALENT = (
    Mistake("alpha_bar_from_betas", "one factor after the other", _after_checks(
        "alpha_bar_from_betas", lambda betas: torch.stack([(1 - betas[:t]).prod() for t in range(len(betas) + 1)]))),
    Mistake("linear_alpha_bar", "from its betas", _after_checks(
        "linear_alpha_bar", lambda *, num_steps, beta_start=1e-4, beta_end=0.02:
        right.alpha_bar_from_betas(beta_start + (beta_end - beta_start) * torch.arange(num_steps) / max(num_steps - 1, 1)))),
    Mistake("rescale_zero_terminal_snr", "slope and intercept", _after_checks(
        "rescale_zero_terminal_snr", lambda alpha_bar: torch.cat([alpha_bar.new_ones(1), (
            alpha_bar[1:].sqrt() - alpha_bar[-1].sqrt()).square() * alpha_bar[1]
            / (alpha_bar[1].sqrt() - alpha_bar[-1].sqrt()).square()]))),
    Mistake("log_snr", "torch's logit", _after_checks("log_snr", lambda alpha_bar: torch.logit(alpha_bar))),
    Mistake("log_snr", "log(1 - a): the difference loses nothing near 1, and is nothing near 0", _after_checks(
        "log_snr", lambda alpha_bar: alpha_bar.log() - (1 - alpha_bar).log())),
    Mistake("alpha_bar_from_log_snr", "torch's sigmoid", lambda log_snr: torch.sigmoid(log_snr), core_alone=True),
    Mistake("alpha_bar_from_sigmas", "a power", _after_checks("alpha_bar_from_sigmas", lambda sigmas: (1 + sigmas**2) ** -1)),
)  # fmt: skip
