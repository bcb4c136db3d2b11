"""Wrong forms of DDIM that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.diffusion import ddim as right
from practice_torch.diffusion.ancestral_sampling import ddpm_step
from practice_torch.diffusion.parameterizations import noise_from_x0, x0_from_noise
from practice_torch.mathematics.levels import level_at
from tests.support.mistakes import Mistake


def _over(coefficient, x):
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _levels(t, s, alpha_bar, final=None):
    """a_t and a_s; a_0 is the schedule's own first entry unless something else is wanted."""
    before = alpha_bar[s.long()].where(s > 0, 1.0 if final is None else alpha_bar[final])
    return alpha_bar[t.long()], before


def _sigma(t, s, alpha_bar, *, eta, strided=True, form="right", square=False, always=None):
    eta = eta if always is None else always
    kept, before = _levels(t, s if strided else t - 1, alpha_bar)
    noisier = (1 - before) / (1 - kept)
    sigma = {
        "right": noisier.sqrt() * (1 - kept / before).sqrt(),
        "of all noise": (1 - kept).sqrt(),
        "without the first root": (1 - kept / before).sqrt(),
        "without the second root": noisier.sqrt(),
        "levels exchanged": (1 / noisier).sqrt() * (1 - kept / before).sqrt(),
    }[form]
    return (eta * sigma) ** 2 if square else eta * sigma


def _mean(x0, x_t, t, s, alpha_bar, *, eta, without_sigma=False, final=None, noise=None, root=0.5, clamp=False, **of_sigma):
    kept, before = _levels(t, s, alpha_bar, final)
    sigma = _sigma(t, s, alpha_bar, eta=eta, **of_sigma)
    rest = 1 - before - (0.0 if without_sigma else sigma**2)
    rest = rest.clamp(min=0) if clamp else rest
    if noise is None:
        noise = (x_t - _over(kept.sqrt(), x_t) * x0) / _over((1 - kept) ** root, x_t)
    return _over(before.sqrt(), x_t) * x0 + _over(rest.where(s > 0, 0.0).sqrt() if final is None else rest.sqrt(), x_t) * noise


def _step(x_t, noise_pred, noise, t, s, alpha_bar, *, eta=0.0, clip=None, rederive=True, clips=True, twice=False, sign=1, **how):
    kept, _ = _levels(t, s, alpha_bar)
    x0 = (x_t - _over((1 - kept).sqrt(), x_t) * noise_pred) / _over(kept.sqrt(), x_t)
    x0 = x0 if clip is None or not clips else x0.clamp(-clip, clip)
    mean = _mean(x0, x_t, t, s, alpha_bar, eta=eta, noise=None if rederive else noise_pred, **how)
    sigma = _sigma(t, s, alpha_bar, eta=eta, **{k: v for k, v in how.items() if k in ("strided", "form", "always")})
    return mean + sign * _over(sigma, x_t) * (noise_pred if twice else noise)


def _by_variances(t, s, alpha_bar, *, eta):
    """The same fraction multiplied out; no slope of a root at the data."""
    right.ddim_sigma(t, s, alpha_bar, eta=eta)
    kept, before = _levels(t, s, alpha_bar)
    inner = s > 0
    variance = ((1 - before) * (before - kept) / (before * (1 - kept))).where(inner, 1.0)
    return eta * variance.sqrt().where(inner, 0.0)


def _through_the_noise(x0, x_t, t, s, alpha_bar, *, eta):
    right.non_markovian_mean(x0, x_t, t, s, alpha_bar, eta=eta)
    sigma, rest = right.deviations(t, s, alpha_bar, eta)
    before = level_at(s, alpha_bar)
    return _over(before.sqrt(), x0) * x0 + _over(rest, x0) * noise_from_x0(x_t, x0, t, alpha_bar)


def _in_three_parts(x_t, noise_pred, noise, t, s, alpha_bar, *, eta=0.0, clip=None):
    right.ddim_step(x_t, noise_pred, noise, t, s, alpha_bar, eta=eta, clip=clip)
    x0 = x0_from_noise(x_t, noise_pred, t, alpha_bar)
    x0 = x0 if clip is None else x0.clip(-clip, clip)
    mean = right.non_markovian_mean(x0, x_t, t, s, alpha_bar, eta=eta)
    return mean + _over(right.ddim_sigma(t, s, alpha_bar, eta=eta), noise) * noise


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("ddim_sigma", "of a step to t - 1", _wrong(_sigma, strided=False)),
    Mistake("ddim_sigma", "of all noise so far", _wrong(_sigma, form="of all noise")),
    Mistake("ddim_sigma", "without the first root", _wrong(_sigma, form="without the first root")),
    Mistake("ddim_sigma", "without the second root", _wrong(_sigma, form="without the second root")),
    Mistake("ddim_sigma", "levels exchanged", _wrong(_sigma, form="levels exchanged")),
    Mistake("ddim_sigma", "the variance", _wrong(_sigma, square=True)),
    Mistake("ddim_sigma", "eta is forgotten", _wrong(_sigma, always=1.0)),
    Mistake("ddim_sigma", "a slope of 0/0 at the data", lambda t, s, alpha_bar, *, eta: eta * (
        (1 - alpha_bar[s]) / (1 - alpha_bar[t]) * (1 - alpha_bar[t] / alpha_bar[s])).sqrt()),
    Mistake("ddim_sigma", "up as well as down", lambda t, s, alpha_bar, *, eta: right.ddim_sigma(
        torch.maximum(t, s + 1).clamp(max=len(alpha_bar) - 1), s, alpha_bar, eta=eta), only_checks=True),
    Mistake("non_markovian_mean", "noise added to all of the old", _wrong(_mean, without_sigma=True)),
    Mistake("non_markovian_mean", "sigma of a step to t - 1", _wrong(_mean, strided=False)),
    Mistake("non_markovian_mean", "a sigma that is too large, clamped", _wrong(_mean, form="of all noise", clamp=True)),
    Mistake("non_markovian_mean", "the last step to a_1", _wrong(_mean, final=1)),
    Mistake("non_markovian_mean", "1 - a for its root", _wrong(_mean, root=1.0)),
    Mistake("non_markovian_mean", "a difference that cancels", _mean),
    Mistake("ddim_step", "direction without -sigma^2", _wrong(_step, without_sigma=True)),
    Mistake("ddim_step", "sigma of a step to t - 1", _wrong(_step, strided=False)),
    Mistake("ddim_step", "sigma without its fractions, clamped", _wrong(_step, form="of all noise", clamp=True)),
    Mistake("ddim_step", "the noise as it was predicted, next to clipped data", _wrong(_step, rederive=False)),
    Mistake("ddim_step", "never clipped", _wrong(_step, clips=False)),
    Mistake("ddim_step", "the last step to a_1", _wrong(_step, final=1)),
    Mistake("ddim_step", "the predicted noise twice", _wrong(_step, twice=True)),
    Mistake("ddim_step", "eta is forgotten", _wrong(_step, always=0.0)),
    Mistake("ddim_step", "to t - 1, wherever s is", lambda x_t, noise_pred, noise, t, s, alpha_bar, **named: right.ddim_step(
        x_t, noise_pred, noise, t, t - 1, alpha_bar, **named)),
    Mistake("ddim_step", "an ancestral step", lambda x_t, noise_pred, noise, t, s, alpha_bar, *, eta=0.0, clip=None: ddpm_step(
        x_t, noise_pred, noise, t, alpha_bar, variance="small", clip=clip)),
    Mistake("ddim_step", "no check of the signal", lambda x_t, noise_pred, noise, t, s, alpha_bar, *, eta=0.0, clip=None:
            right.step(x_t, noise_pred, noise, t, s, alpha_bar, eta, clip), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("ddim_sigma", "multiplied out", _by_variances),
    Mistake("non_markovian_mean", "through the noise", _through_the_noise),
    Mistake("ddim_step", "in three parts", _in_three_parts),
)
