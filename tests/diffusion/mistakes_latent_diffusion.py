"""Wrong forms of latent diffusion's functions that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.diffusion import latent_diffusion as right
from tests.support.mistakes import Mistake


def _exchanged(moments):
    """Log-variances before means."""
    return torch.cat(moments.chunk(2, dim=1)[::-1], dim=1) if moments.shape[1] % 2 == 0 else moments


def _in_turns(moments):
    """Mean and log-variance channel by channel."""
    return torch.cat([moments[:, ::2], moments[:, 1::2]], dim=1) if moments.shape[1] % 2 == 0 else moments


def _sample(moments, noise, *, log_var_min=-30.0, log_var_max=20.0, power=0.5, bounded=None, clamp=torch.clamp):
    right.sample_latent(moments, noise, log_var_min=log_var_min, log_var_max=log_var_max)  # its checks
    mean, log_var = moments.chunk(2, dim=1)
    return mean + (power * clamp(log_var, log_var_min, log_var_max)).exp() * noise


def _slope_everywhere(log_var, low, high):
    return log_var + (log_var.clamp(low, high) - log_var).detach()


def _kl(moments, *, log_var_min=-30.0, log_var_max=20.0, reduce=torch.sum, clamp=torch.clamp):
    right.latent_kl(moments, log_var_min=log_var_min, log_var_max=log_var_max)  # its checks
    mean, log_var = (part.flatten(1) for part in moments.unsqueeze(-1).chunk(2, dim=1))
    log_var = clamp(log_var, log_var_min, log_var_max)
    return reduce(mean**2 + log_var.exp() - 1 - log_var, dim=1) / 2


def _quantize(latent, codebook, *, through=True, channels=1, codes_move=False, last=False):
    right.quantize_latent(latent, codebook)  # its checks
    places = latent.movedim(channels, -1)
    distances = (places[..., None, :] - codebook).square().sum(-1)
    indices = distances.shape[-1] - 1 - distances.flip(-1).argmin(-1) if last else distances.argmin(-1)
    codes = codebook[indices]
    found = codes if codes_move else codes.detach() + ((places - places.detach()) if through else 0)
    return found.movedim(-1, channels), indices


def _by_the_sum(latent, codebook):
    """z + (e - z): rounded."""
    quantized, indices = right.quantize_latent(latent, codebook)
    return 1000 * latent - (1000 * latent - quantized).detach() - 999 * (latent - latent.detach()), indices


MISTAKES = (
    Mistake("sample_latent", "the halves exchanged", lambda moments, noise, **clamps: right.sample_latent(
        _exchanged(moments), noise, **clamps)),
    Mistake("sample_latent", "in turns", lambda moments, noise, **clamps: right.sample_latent(
        _in_turns(moments), noise, **clamps)),
    Mistake("sample_latent", "the variance for the deviation", lambda moments, noise, **clamps: _sample(
        moments, noise, power=1.0, **clamps)),
    Mistake("sample_latent", "the clamps of the defaults", lambda moments, noise, *, log_var_min=-30.0, log_var_max=20.0: _sample(
        moments, noise)),
    Mistake("sample_latent", "a slope beyond the clamps", lambda moments, noise, **clamps: _sample(
        moments, noise, clamp=_slope_everywhere, **clamps)),
    Mistake("sample_latent", "clamps in any order", lambda moments, noise, *, log_var_min=-30.0, log_var_max=20.0: (
        right.sample_latent(moments, noise, log_var_min=min(log_var_min, log_var_max), log_var_max=max(
            log_var_min, log_var_max))), only_checks=True),
    Mistake("latent_kl", "the halves exchanged", lambda moments, **clamps: right.latent_kl(_exchanged(moments), **clamps)),
    Mistake("latent_kl", "the mean over entries", lambda moments, **clamps: _kl(moments, reduce=torch.mean, **clamps)),
    Mistake("latent_kl", "not clamped", lambda moments, **clamps: _kl(
        moments, clamp=lambda v, low, high: v.clamp(-60, 60), **clamps)),
    Mistake("latent_kl", "a slope beyond the clamps", lambda moments, **clamps: _kl(moments, clamp=_slope_everywhere, **clamps)),
    Mistake("quantize_latent", "channels last", lambda latent, codebook: _quantize(latent, codebook, channels=-1)
            if latent.shape[-1] == codebook.shape[1] else right.quantize_latent(latent, codebook)),
    Mistake("quantize_latent", "no gradient", lambda latent, codebook: _quantize(latent, codebook, through=False)),
    Mistake("quantize_latent", "the codes move", lambda latent, codebook: _quantize(latent, codebook, codes_move=True)),
    Mistake("quantize_latent", "the last of several", lambda latent, codebook: _quantize(latent, codebook, last=True)),
    Mistake("quantize_latent", "rounded by a sum", _by_the_sum),
    Mistake("scaling_factor", "the deviation", lambda latents: right.scaling_factor(latents).reciprocal()),
    Mistake("scaling_factor", "of the variance", lambda latents: right.scaling_factor(latents).square()),
    Mistake("scaling_factor", "one entry fewer", lambda latents: right.scaling_factor(latents) * 0 + 1 / latents.std()),
    Mistake("scaling_factor", "about zero", lambda latents: right.scaling_factor(latents) * 0 + latents.square().mean().rsqrt()),
    Mistake("scaling_factor", "of each example", lambda latents: right.scaling_factor(latents) * 0 + (
        1 / latents.flatten(1).std(1, correction=0).mean())),
    Mistake("normalize_latent", "scaled before the shift", lambda latent, *, scale, shift=0.0: (
        right.normalize_latent(latent, scale=scale) - shift)),
    Mistake("normalize_latent", "divided", lambda latent, *, scale, shift=0.0: right.normalize_latent(
        latent, scale=1 / scale if scale else scale, shift=shift)),
    Mistake("normalize_latent", "any scale", lambda latent, *, scale, shift=0.0: (latent - shift) * scale, only_checks=True),
    Mistake("denormalize_latent", "shifted before", lambda latent, *, scale, shift=0.0: right.denormalize_latent(
        latent + shift, scale=scale)),
    Mistake("denormalize_latent", "no shift", lambda latent, *, scale, shift=0.0: right.denormalize_latent(latent, scale=scale)),
)  # fmt: skip

EQUIVALENT = (
    Mistake("sample_latent", "as written", _sample),
    Mistake("quantize_latent", "by all distances", _quantize),
    Mistake(
        "scaling_factor",
        "by the moments about the mean",
        lambda latents: right.scaling_factor(latents) * 0 + (latents - latents.mean()).square().mean().rsqrt(),
    ),
)
