"""Variational diffusion in continuous time: the bound on -log p(x) in terms of the log-SNR, and networks for it."""

import math

import torch
from torch import nn
from torch.nn.functional import logsigmoid, softplus

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_values,
    values_are_free,
)
from practice_torch.mathematics.levels import as_rows, per_example
from practice_torch.networks.fourier_features import fourier_features


def linear_log_snr(time, *, log_snr_max, log_snr_min):
    r"""lambda(time) = (1 - time) lambda_max + time lambda_min: from the data at time 0 on a straight line to noise at time 1.

    Raises ValueError for a time outside [0, 1], or unless log_snr_max > log_snr_min.  Source: Kingma et al. 2021, section 3.
    [...] -> [...]
    """
    require_values("time", time, lambda time: (time >= 0) & (time <= 1), "in [0, 1]")
    ends = torch.as_tensor(log_snr_max), torch.as_tensor(log_snr_min)  # numbers, or a model's parameters
    if values_are_free(ends[1]):
        require_values("log_snr_max", ends[0], lambda top: top > ends[1], f"above log_snr_min, {log_snr_min}")
    return (1 - time) * log_snr_max + time * log_snr_min


def variance_preserving_sample(x0, noise, log_snr):
    r"""z = alpha x_0 + sigma noise, with alpha^2 = sigmoid(lambda) and sigma^2 = sigmoid(-lambda) = 1 - alpha^2.

    Raises ValueError if the shapes differ or log_snr is not one number for each example.
    Source: Kingma et al. 2021, section 3.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_one_each(x0, log_snr=log_snr)
    return per_example(_alpha(log_snr), x0) * x0 + per_example(_alpha(-log_snr), x0) * noise


def posterior(z_t, x0, log_snr_t, log_snr_s):
    r"""Mean and log-variance of q(z_s | z_t, x_0), at a level s that is less noisy than t.

    With c = 1 - e^(lambda_t - lambda_s): mean alpha_s ((1 - c) z_t/alpha_t + c x_0), variance sigma_s^2 c. Where the levels are
    equal, z_t itself and a log-variance of -inf.

    Raises ValueError if the shapes differ, a log-SNR is not one number for each example, or log_snr_s < log_snr_t.
    Source: Kingma et al. 2021, appendix A.
    [B, ...], [B, ...], [B], [B] -> [B, ...], [B]
    """
    require_same_shape(z_t=z_t, x0=x0)
    fall = _fall(z_t, log_snr_s, log_snr_t)
    # (1 - c) alpha_s/alpha_t in one exponential: far down, 1/alpha_t would overflow before 1 - c brings it back
    of_z = torch.exp((logsigmoid(log_snr_s) - logsigmoid(log_snr_t)) / 2 - fall)
    mean = per_example(of_z, z_t) * z_t + per_example(_alpha(log_snr_s) * _share(fall), x0) * x0
    return mean, (logsigmoid(-log_snr_s) + _log_share(fall)).to(z_t.dtype)


def discrete_diffusion_loss(x0_pred, x0, log_snr_s, log_snr_t):
    r"""1/2 (e^lambda_s - e^lambda_t) ||x_0 - x0_pred||^2: KL(q(z_s | z_t, x_0) || q(z_s | z_t, x0_pred)), s before t; nats.

    Raises ValueError if the shapes differ, a log-SNR is not one number for each example, or log_snr_s < log_snr_t.
    Source: Kingma et al. 2021, section 4.
    [B, ...], [B, ...], [B], [B] -> [B]
    """
    require_same_shape(x0=x0, x0_pred=x0_pred)
    weight = log_snr_s.exp() * _share(_fall(x0, log_snr_s, log_snr_t)) / 2
    return weight.to(x0.dtype) * _distance(x0, x0_pred)


def continuous_diffusion_loss(noise_pred, noise, log_snr_slope):
    r"""-1/2 lambda'(time) ||noise - noise_pred||^2, nats: its mean over uniform times is the loss of infinitely many steps.

    Raises ValueError if the shapes differ, log_snr_slope is not one number for each example, or positive (noise only grows).
    Source: Kingma et al. 2021, section 4.1.
    [B, ...], [B, ...], [B] -> [B]
    """
    require_same_shape(noise=noise, noise_pred=noise_pred)
    require_one_each(noise, log_snr_slope=log_snr_slope)
    require_values("log_snr_slope", log_snr_slope, lambda slope: slope <= 0, "at most 0: the log-SNR falls with time")
    return (-log_snr_slope / 2).to(noise.dtype) * _distance(noise, noise_pred)


def reconstruction_log_prob(z0, x0_index, values, log_snr_0):
    r"""log p(x_0 | z_0) of x_0 = values[x0_index], summed over all axes but the first; nats.

    In each dimension a choice among the K values by how well each explains z_0, all being equally likely before:
    the softmax over k of -(z_0 - alpha_0 values_k)^2 / (2 sigma_0^2).

    Raises ValueError unless x0_index has the shape of z0 and integers in 0..K-1, values is [K], K >= 2, and log_snr_0 one number
    for each example.  Source: Kingma et al. 2021, section 3.3 and appendix.
    [B, ...], [B, ...], [K], [B] -> [B]
    """
    require_same_shape(z0=z0, x0_index=x0_index)
    require_one_each(z0, log_snr_0=log_snr_0)
    require_rank(1, values=values)
    require(len(values) >= 2, f"values has {len(values)} entries; it must have at least 2 to choose from")
    require_integers(x0_index=x0_index)
    require_values("x0_index", x0_index, lambda i: (i >= 0) & (i < len(values)), f"in 0..{len(values) - 1}")
    index = as_int64(x0_index).unsqueeze(-1)
    z, right = (z0 / per_example(_alpha(log_snr_0), z0)).unsqueeze(-1), values[index]
    # minus the log-odds of the right value against each: without squares, so that no e^lambda z^2 cancels
    log_odds = (right - values) * (z - (right + values) / 2) * per_example(log_snr_0.exp(), z)
    rivals = (-log_odds).scatter(-1, index, -torch.inf).logsumexp(-1)
    return as_rows(logsigmoid(-rivals)).sum(1)


def low_discrepancy_times(u, *, batch_size):
    r"""(u + i/n) mod 1 for i = 0..n-1, n = batch_size: each uniform on [0, 1) if u is, together one in every n-th of it.

    Raises ValueError unless u is a scalar in [0, 1) and batch_size >= 1.  Source: Kingma et al. 2021, appendix I.1.
    [] -> [batch_size]
    """
    require_rank(0, u=u)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    require_at_least(1, batch_size=batch_size)
    return (u + torch.arange(batch_size, dtype=u.dtype, device=u.device) / batch_size).remainder(1)


def _alpha(log_snr):
    """sqrt(sigmoid(lambda)), and sigma at -lambda; by its logarithm, because where sigmoid has rounded to 1 it has no slope."""
    return torch.exp(logsigmoid(log_snr) / 2)


def _share(fall):
    """c = 1 - e^-fall, fall >= 0. The derivative of expm1 is expm1 + 1, which rounds a small e^-fall away."""
    far = fall > 1
    return torch.where(far, 1 - torch.exp(-fall.where(far, 1.0)), -torch.expm1(-fall.masked_fill(far, 0.0)))


def _log_share(fall):
    """log c: of a small share through expm1, of one near 1 through log1p."""
    far = fall > 1
    return torch.where(far, torch.log1p(-torch.exp(-fall.where(far, 1.0))), _share(fall.masked_fill(far, 1.0)).log())


def _distance(x, y):
    return as_rows(x - y).square().sum(1)


def _fall(x, log_snr_s, log_snr_t):
    """lambda_s - lambda_t >= 0 of every example."""
    require_one_each(x, log_snr_s=log_snr_s, log_snr_t=log_snr_t)
    if values_are_free(log_snr_t):
        require_values("log_snr_s", log_snr_s, lambda s: s >= log_snr_t, "at least log_snr_t: s is the less noisy of the two")
    return log_snr_s - log_snr_t


class NoisePredictor(nn.Module):
    """A U-Net that sees z, its Fourier features and its log-SNR: [B, C, H, W], [B] -> the noise, [B, C, H, W]."""

    def __init__(self, recipe, shape):
        super().__init__()
        self.frequencies = recipe.frequencies
        channels = shape[0] * (1 + 2 * len(recipe.frequencies))
        self.network = recipe.unet(shape, channels=channels, out_channels=shape[0])

    def forward(self, z, log_snr):
        # The U-Net expects times of some hundreds. At high noise z is nearly the noise: the difference is learned.
        return z + self.network(fourier_features(z, self.frequencies), 10 * log_snr)


class Ends(nn.Module):
    """The two ends of the schedule: the lower, and the rise to the upper, softplus(rise) > 0."""

    def __init__(self, log_snr_max, log_snr_min):
        super().__init__()
        self.bottom = nn.Parameter(torch.tensor(float(log_snr_min)))
        self.rise = nn.Parameter(torch.tensor(math.log(math.expm1(log_snr_max - log_snr_min))))

    def forward(self):
        """log_snr_max, log_snr_min"""
        return self.bottom + softplus(self.rise), self.bottom
