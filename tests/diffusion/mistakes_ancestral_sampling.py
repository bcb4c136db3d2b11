"""Wrong forms of ancestral sampling that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.diffusion import ancestral_sampling as right
from practice_torch.diffusion.reverse_process import reverse_log_variance, reverse_mean_from_noise
from tests.support.mistakes import Mistake


def _over(coefficient, x):
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _levels(t, alpha_bar):
    before, after = alpha_bar[t - 1].where(t > 1, 1.0), alpha_bar[t.long()]
    return before, after, 1 - after / before


def _step(
    x_t,
    noise_pred,
    noise,
    t,
    alpha_bar,
    *,
    variance="large",
    clip=None,
    last=False,
    power=0.5,
    clips="data",
    of_all=False,
    late=0,
    always=None,
    exchanged=False,
    log=False,
    upper_only=False,
):
    before, after, beta = _levels((t - late).clamp(min=1), alpha_bar)
    x0 = (x_t - _over((1 - after).sqrt(), x_t) * noise_pred) / _over(after.sqrt(), x_t)
    if clip is not None and clips == "data":
        x0 = x0.clamp(None if upper_only else -clip, clip)
    of_data, of_noisy = before.sqrt() * beta / (1 - after), (1 - beta).sqrt() * (1 - before) / (1 - after)
    mean = _over(of_noisy if exchanged else of_data, x_t) * x0 + _over(of_data if exchanged else of_noisy, x_t) * x_t
    if clip is not None and clips == "mean":
        mean = mean.clamp(-clip, clip)
    squared = 1 - after if of_all else beta
    if (always or variance) == "small":
        squared = beta * (1 - before) / (1 - after)
    spread = (squared.log() if log else squared) ** power
    spread = spread if last else torch.where(t > 1, spread, 0.0)
    return mean + _over(spread, x_t) * noise


def _sample(
    x_T, noises, denoise_fn, alpha_bar, *, variance="large", clip=None, by_step=False, early=0, least=1, once=False, **how
):
    x, levels = x_T, len(alpha_bar) - 1
    first = None
    for level in range(levels, least - 1, -1):
        t = torch.full(x.shape[:1], level)
        noise = noises[levels - level if by_step else level - 1]
        predicted = denoise_fn(x, t - early) if first is None or not once else first
        first = predicted
        x = _step(x, predicted, noise, t, alpha_bar, variance=variance, clip=clip, **how)
    return x


def _strided_betas(alpha_bar, timesteps):
    betas = 1 - alpha_bar[1:] / alpha_bar[:-1]
    return torch.cat([alpha_bar.new_ones(1), (1 - betas[timesteps.long() - 1]).cumprod(0)])


def _threshold(x0_pred, *, quantile=0.995, minimum=1.0, method="linear", signed=False, batch=False, clip=True, divide=True):
    flat = x0_pred.reshape(1, -1) if batch else x0_pred.unsqueeze(-1).flatten(1)
    scale = torch.quantile(flat if signed else flat.abs(), quantile, dim=1, interpolation=method)
    scale = scale.expand(len(x0_pred)).clamp(min=minimum)
    scale = _over(scale, x0_pred)
    x = x0_pred.clamp(-scale, scale) if clip else x0_pred
    return x / scale if divide else x


def _variance(variance_data, alpha_bar, *, variance="large", start=1.0, last=False, power=2, noise_of_data=True, always=None):
    v = torch.full_like(variance_data, start)
    for t in range(len(alpha_bar) - 1, 0, -1):
        before, after = alpha_bar[t - 1], alpha_bar[t]
        beta = 1 - after / before
        c = variance_data if noise_of_data else torch.ones_like(variance_data)
        slope = (after / before).sqrt() * (1 - before + before * c) / (1 - after + after * c)
        added = beta if (always or variance) == "large" else beta * (1 - before) / (1 - after)
        v = slope**power * v + (added if t > 1 or last else 0.0)
    return v


def _by_two_topics(x_t, noise_pred, noise, t, alpha_bar, *, variance="large", clip=None):
    """Without a clip: the mean and the variance that the reverse process has already."""
    wanted = right.ddpm_step(x_t, noise_pred, noise, t, alpha_bar, variance=variance, clip=clip)
    if clip is not None or len(alpha_bar) < 3:
        return wanted
    spread = (reverse_log_variance(t, alpha_bar, variance=variance) / 2).exp().where(t > 1, 0.0)
    return reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar) + _over(spread, x_t) * noise


def _step_by_step(x_T, noises, denoise_fn, alpha_bar, *, variance="large", clip=None):
    right.ddpm_sample(x_T, noises, denoise_fn, alpha_bar, variance=variance, clip=clip)  # for its checks
    for level in reversed(range(1, len(alpha_bar))):
        t = torch.full(x_T.shape[:1], level)
        x_T = right.ddpm_step(x_T, denoise_fn(x_T, t), noises[level - 1], t, alpha_bar, variance=variance, clip=clip)
    return x_T


def _torchs_quantile(x0_pred, *, quantile=0.995, minimum=1.0):
    found = right.dynamic_threshold(x0_pred, quantile=quantile, minimum=minimum)
    return _threshold(x0_pred, quantile=quantile, minimum=minimum) if len(x0_pred) else found  # torch has none of nothing


def _recursion(variance_data, alpha_bar, *, variance="large"):
    right.gaussian_sampling_variance(variance_data, alpha_bar, variance=variance)
    return _variance(variance_data, alpha_bar, variance=variance)


def _one_and_the_rest(alpha_bar, timesteps):
    right.respaced_alpha_bar(alpha_bar, timesteps)
    return torch.cat([alpha_bar.new_ones(1), alpha_bar[timesteps.long()]])


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("ddpm_step", "noise at the last step", _wrong(_step, last=True)),
    Mistake("ddpm_step", "the variance for the deviation", _wrong(_step, power=1.0)),
    Mistake("ddpm_step", "a root of the log-variance", _wrong(_step, log=True)),
    Mistake("ddpm_step", "the mean from what is not clipped", _wrong(_step, clips="nothing")),
    Mistake("ddpm_step", "the mean clipped, not the data", _wrong(_step, clips="mean")),
    Mistake("ddpm_step", "clipped from above only", _wrong(_step, upper_only=True)),
    Mistake("ddpm_step", "the variance of all noise so far", _wrong(_step, of_all=True)),
    Mistake("ddpm_step", "one level late", _wrong(_step, late=1)),
    Mistake("ddpm_step", "always large", _wrong(_step, always="large")),
    Mistake("ddpm_step", "always small", _wrong(_step, always="small")),
    Mistake("ddpm_step", "coefficients exchanged", _wrong(_step, exchanged=True)),
    Mistake("ddpm_step", "a slope of infinity at t = 1", _step),
    Mistake(
        "ddpm_step",
        "no check of the signal",
        lambda x_t, noise_pred, noise, t, alpha_bar, **named: right._step(
            x_t, noise_pred, noise, t, alpha_bar, named.get("variance", "large"), named.get("clip")
        ),
        only_checks=True,
    ),
    Mistake("ddpm_sample", "noises in the order of the steps", _wrong(_sample, by_step=True)),
    Mistake("ddpm_sample", "the network asked about the level before", _wrong(_sample, early=1)),
    Mistake(
        "ddpm_sample",
        "from T - 1 down to 0",
        lambda x_T, noises, denoise_fn, alpha_bar, **named: _sample(
            x_T, noises, denoise_fn, torch.cat([alpha_bar[:1], alpha_bar[:-1]]), early=1, **named
        ),
    ),
    Mistake("ddpm_sample", "the last step left out", _wrong(_sample, least=2)),
    Mistake("ddpm_sample", "the network asked once", _wrong(_sample, once=True)),
    Mistake("ddpm_sample", "noise at the last step", _wrong(_sample, last=True)),
    Mistake("ddpm_sample", "never clipped", _wrong(_sample, clips="nothing")),
    Mistake("ddpm_sample", "always large", _wrong(_sample, always="large")),
    Mistake("ddpm_sample", "no check of the noises", _sample, only_checks=True),
    Mistake("respaced_alpha_bar", "the betas of the long chain", _strided_betas),
    Mistake("respaced_alpha_bar", "without the data", lambda alpha_bar, timesteps: alpha_bar[timesteps.long()]),
    Mistake(
        "respaced_alpha_bar",
        "one level early",
        lambda alpha_bar, timesteps: torch.cat([alpha_bar[:1], alpha_bar[timesteps.long() - 1]]),
    ),
    Mistake(
        "respaced_alpha_bar",
        "no check of the order",
        lambda alpha_bar, timesteps: right.respaced_alpha_bar(alpha_bar, timesteps.unique()),
        only_checks=True,
    ),
    Mistake("dynamic_threshold", "the entry above", _wrong(_threshold, method="higher")),
    Mistake("dynamic_threshold", "the entry below", _wrong(_threshold, method="lower")),
    Mistake("dynamic_threshold", "the quantile of signed values", _wrong(_threshold, signed=True)),
    Mistake("dynamic_threshold", "one scale for the batch", _wrong(_threshold, batch=True)),
    Mistake("dynamic_threshold", "clipped only", _wrong(_threshold, divide=False)),
    Mistake("dynamic_threshold", "divided only", _wrong(_threshold, clip=False)),
    Mistake(
        "dynamic_threshold",
        "no minimum",
        lambda x0_pred, *, quantile=0.995, minimum=1.0: _threshold(x0_pred, quantile=quantile, minimum=0.0),
    ),
    Mistake(
        "dynamic_threshold",
        "straight through",
        lambda x0_pred, **named: x0_pred - x0_pred.detach() + right.dynamic_threshold(x0_pred.detach(), **named),
    ),
    Mistake("gaussian_sampling_variance", "noise at the last step", _wrong(_variance, last=True)),
    Mistake("gaussian_sampling_variance", "from nothing", _wrong(_variance, start=0.0)),
    Mistake("gaussian_sampling_variance", "the slope, not its square", _wrong(_variance, power=1)),
    Mistake("gaussian_sampling_variance", "the network of data of variance one", _wrong(_variance, noise_of_data=False)),
    Mistake("gaussian_sampling_variance", "always large", _wrong(_variance, always="large")),
    Mistake("gaussian_sampling_variance", "that of the data", lambda variance_data, alpha_bar, **_: variance_data),
)

EQUIVALENT = (
    Mistake("ddpm_step", "mean and variance of the reverse process", _by_two_topics),
    Mistake("ddpm_sample", "by the public step", _step_by_step),
    Mistake("respaced_alpha_bar", "a constant 1 and the rest", _one_and_the_rest),
    Mistake("dynamic_threshold", "torch's quantile", _torchs_quantile),
    Mistake("gaussian_sampling_variance", "step by step", _recursion),
)
