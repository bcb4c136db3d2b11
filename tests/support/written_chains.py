"""Sampling chains of diffusion models, written out by functions that contracts hold, and a network to try them with."""

import itertools

import torch

from practice_torch.diffusion.ancestral_sampling import ddpm_step
from practice_torch.diffusion.ddim import ddim_step
from practice_torch.diffusion.dpm_solver import half_log_snr, multistep_sample
from practice_torch.diffusion.parameterizations import convert_prediction


def rough(x, time, condition=None):
    """Answers with all signs and of size two, another for each time and condition: predicted data are clipped on both sides.

    [B, ...], [B] or [], [B] or None -> [B, ...]
    """
    shift = time if condition is None else time + 2 * condition
    return 2 * torch.cos(3 * x + torch.as_tensor(shift).to(x).reshape(-1, *[1] * (x.ndim - 1)))


def ddim(predict, x, alpha_bar, *, count, prediction="noise", clip=None, leading=False, refit=True):
    """x at the last level carried to the data in so many deterministic steps, between levels as evenly spread as can be.

    leading: between 1, 1 + d, ..., d the rounded distance. refit=False: as diffusers, the noise is not of the clipped data.
    """
    last = len(alpha_bar) - 1
    levels = [*range(1 + last // count * (count - 1), 0, -(last // count)), 0] if leading else None
    for now, after in itertools.pairwise(levels or torch.linspace(last, 0, count + 1).round().long().tolist()):
        t, s = (torch.full((len(x),), level) for level in (now, after))
        noise = convert_prediction(predict(x, t), x, t, alpha_bar, source=prediction, target="noise")
        if refit:
            x = ddim_step(x, noise, torch.zeros_like(x), t, s, alpha_bar, clip=clip)
        else:
            x0 = (x - (1 - alpha_bar[now]).sqrt() * noise) / alpha_bar[now].sqrt()
            x = alpha_bar[after].sqrt() * x0.clamp(-clip, clip) + (1 - alpha_bar[after]).sqrt() * noise
    return x


def dpm_solver(predict, x, alpha_bar, *, count, prediction="noise", clip=None):
    """The same by DPM-Solver++ 2M to level 1, where the predicted data are the result.

    Its levels are nearest to places that are evenly spread in half the log-SNR, from that of level 1 to that of the last one, or
    to -5.1; no level is taken twice, and the last one is always taken.
    """
    clock, last, times = half_log_snr(alpha_bar.double()), len(alpha_bar) - 1, [0]
    for number, place in enumerate(torch.linspace(clock[1], clock[-1].clamp(min=-5.1), count, dtype=torch.float64), start=1):
        nearest = 1 + int((clock[1:] - place).abs().argmin()) if number < count else last
        times.append(min(max(nearest, times[-1] + 1), last - count + number))
    times = torch.tensor(times[:0:-1])
    clock = clock[times]

    def data(x, level):
        t = times[torch.searchsorted(clock, level.contiguous())]
        x0 = convert_prediction(predict(x, t), x, t, alpha_bar, source=prediction, target="x0")
        return x0 if clip is None else x0.clamp(-clip, clip)

    if count > 1:
        x = multistep_sample(x, clock, data, lower_order_final=False)
    return data(x, clock[-1:].expand(len(x)))


def ancestral(predict, x, alpha_bar, generator, *, variance="large", clip=None):
    """x at the last level carried to the data through all levels by predicted noise, with fresh noise but in the last step."""
    for level in range(len(alpha_bar) - 1, 0, -1):
        t = torch.full((len(x),), level)
        noise = torch.randn(x.shape, generator=generator) if level > 1 else torch.zeros_like(x)
        x = ddpm_step(x, predict(x, t), noise, t, alpha_bar, variance=variance, clip=clip)
    return x
