"""Wrong forms of Heun's sampler that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.diffusion import heun_sampler as right
from practice_torch.mathematics.levels import per_example
from tests.support.mistakes import Mistake


def _levels(*, num_steps, sigma_min=0.002, sigma_max=80.0, rho=7.0, power=None, end=0.0, last=0):
    found = right.karras_sigmas(num_steps=num_steps, sigma_min=sigma_min, sigma_max=sigma_max, rho=rho)  # its checks
    power = rho if power is None else power(rho)
    places = torch.arange(num_steps, dtype=found.dtype) / max(num_steps - last, 1)
    roots = sigma_max ** (1 / power) + places * (sigma_min ** (1 / power) - sigma_max ** (1 / power))
    return torch.cat([roots**power, torch.full((1,), end, dtype=found.dtype)])


def _heun(x, sigma, sigma_next, denoise_fn, *, by=None, argument=None, second=0.5, masked=True):
    right.heun_step(x, sigma, sigma_next, denoise_fn)  # its checks
    step = per_example(sigma_next - sigma, x)
    slope = (x - denoise_fn(x, sigma)) / per_example(sigma, x)
    first = x + step * slope
    level = sigma_next.where(sigma_next > 0, 1.0) if masked else sigma_next
    ends = (first - denoise_fn(first, level if argument is None else sigma)) / per_example(level if by is None else sigma, x)
    return torch.where(per_example(sigma_next, x) > 0, x + step * ((1 - second) * slope + second * ends), first)


def _sample(x, noises, sigmas, denoise_fn, *, churn=0.0, churn_min=0.0, churn_max=math.inf, noise_scale=1.003, cap=2**0.5 - 1,
            step=right.heun_step, within=True, order=1, level=True, unless_needed=True):  # fmt: skip
    right.heun_sample(x, noises, sigmas, denoise_fn, churn=churn, noise_scale=noise_scale)  # its checks
    count = len(noises)
    for i, noise in enumerate(noises if order == 1 else noises.flip(0)):
        chosen = churn_min <= float(sigmas[i]) <= churn_max or not within
        gamma = min(churn / count, cap) if chosen else 0.0
        sigma = sigmas[i].to(x.dtype).expand(len(x))
        if gamma or not unless_needed:
            x, sigma = right.churn(x, noise, sigma, gamma=gamma, noise_scale=noise_scale)
        sigma = sigma if level else sigmas[i].to(x.dtype).expand(len(x))
        x = step(x, sigma, sigmas[i + 1].to(x.dtype).expand(len(x)), denoise_fn)
    return x


def _churn(x, noise, sigma, *, gamma, noise_scale=1.003, added=lambda gamma: math.sqrt((1 + gamma) ** 2 - 1), scaled=True):
    right.churn(x, noise, sigma, gamma=gamma, noise_scale=noise_scale)  # its checks
    return x + per_example(added(gamma) * sigma, x) * noise * (noise_scale if scaled else 1), sigma * (1 + gamma)


def _planted(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("karras_sigmas", "the inverse exponent", _planted(_levels, power=lambda rho: 1 / rho, last=1)),
    Mistake("karras_sigmas", "no 0 at the end", _planted(_levels, end=0.002, last=1)),
    Mistake("karras_sigmas", "one place too many", _levels),
    Mistake("karras_sigmas", "the exponent of the default", _planted(_levels, power=lambda rho: 7.0, last=1)),
    Mistake("karras_sigmas", "ends in any order", lambda *, num_steps, sigma_min=0.002, sigma_max=80.0, rho=7.0: (
        right.karras_sigmas(num_steps=num_steps, sigma_min=min(sigma_min, sigma_max), sigma_max=sigma_max, rho=rho)),
            only_checks=True),
    Mistake("denoising_euler_step", "not divided by the level", lambda x, sigma, sigma_next, denoise_fn: (
        right.denoising_euler_step(x, sigma, sigma_next, denoise_fn) * 0 + x + per_example(sigma_next - sigma, x) * (
            x - denoise_fn(x, sigma)))),
    Mistake("denoising_euler_step", "the way back", lambda x, sigma, sigma_next, denoise_fn: (
        2 * x - right.denoising_euler_step(x, sigma, sigma_next, denoise_fn))),
    Mistake("denoising_euler_step", "at the next level", lambda x, sigma, sigma_next, denoise_fn: right.denoising_euler_step(
        x, sigma, sigma_next, lambda x, _: denoise_fn(x, sigma_next))),
    Mistake("denoising_euler_step", "the slope of the estimate forgotten", lambda x, sigma, sigma_next, denoise_fn: (
        right.denoising_euler_step(x, sigma, sigma_next, lambda *given: denoise_fn(*given).detach()))),
    Mistake("heun_step", "Euler", right.denoising_euler_step),
    Mistake("heun_step", "the second slope by the first level", _planted(_heun, by="sigma")),
    Mistake("heun_step", "the first level as argument twice", _planted(_heun, argument="sigma")),
    Mistake("heun_step", "the second slope alone", _planted(_heun, second=1.0)),
    Mistake("heun_step", "0/0 behind the mask", _planted(_heun, masked=False)),
    Mistake("churn", "the share of the level", _planted(_churn, added=lambda gamma: gamma)),
    Mistake("churn", "no scale", _planted(_churn, scaled=False)),
    Mistake("churn", "the level of the start", lambda x, noise, sigma, *, gamma, noise_scale=1.003: (
        right.churn(x, noise, sigma, gamma=gamma, noise_scale=noise_scale)[0], 1 * sigma)),
    Mistake("heun_sample", "Euler", _planted(_sample, step=right.denoising_euler_step)),
    Mistake("heun_sample", "as much noise as one likes", _planted(_sample, cap=math.inf)),
    Mistake("heun_sample", "noise at all levels", _planted(_sample, within=False)),
    Mistake("heun_sample", "the level without the noise as argument", _planted(_sample, level=False)),
    Mistake("heun_sample", "noises from the last", _planted(_sample, order=-1)),
    Mistake("heun_sample", "no noise, as 0 times a noise that is not a number", _planted(_sample, unless_needed=False)),
    Mistake("heun_sample", "any levels", lambda x, noises, sigmas, denoise_fn, **how: right.heun_sample(
        x, noises, torch.cat([sigmas[:-1].abs().sort(descending=True).values, sigmas[-1:] * 0]), denoise_fn, **how),
            only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("karras_sigmas", "place by place", _planted(_levels, last=1)),
    Mistake("heun_step", "another level behind the mask", _heun),
    Mistake("churn", "the difference of squares", _churn),
    Mistake("heun_sample", "step by step", _sample),
)
