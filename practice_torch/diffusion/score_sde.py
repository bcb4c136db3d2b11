"""Diffusion as a stochastic differential equation: coefficients, the equation that runs backward, and steps of samplers."""

import math

import torch

from practice_torch.arguments import (
    require,
    require_one_each,
    require_positive,
    require_same_shape,
    require_unit_interval,
    require_values,
)
from practice_torch.mathematics.levels import as_rows, per_example


def variance_preserving_alpha_bar(time, *, beta_min=0.1, beta_max=20.0):
    r"""exp(-B(time)), B(time) = beta_min time + (beta_max - beta_min) time^2/2: how much of the data's variance is left.

    B is the integral of beta(time) = beta_min + (beta_max - beta_min) time, from the data at time 0 to noise at time 1.

    Raises ValueError for a time outside [0, 1], or unless 0 <= beta_min <= beta_max.
    Source: Song et al. 2021, eq. 11 and 33.
    [...] -> [...]
    """
    _require_betas(beta_min, beta_max)
    require_unit_interval(time=time)
    return torch.exp(-time * (beta_min + (beta_max - beta_min) / 2 * time))


def variance_preserving_sde(x, time, *, beta_min=0.1, beta_max=20.0):
    r"""-beta(time) x/2 and sqrt(beta(time)): drift and diffusion of dx = f dt + g dw that keep the variance 1.

    Raises ValueError unless time has one entry in [0, 1] for each example, and 0 <= beta_min <= beta_max.
    Source: Song et al. 2021, eq. 11.
    [B, ...], [B] -> [B, ...], [B]
    """
    _require_betas(beta_min, beta_max)
    require_one_each(x, time=time)
    require_unit_interval(time=time)
    beta = torch.lerp(torch.full_like(time, beta_min), torch.full_like(time, beta_max), time)
    return per_example(-beta / 2, x) * x, beta.sqrt()


def variance_exploding_sigma(time, *, sigma_min, sigma_max):
    r"""sigma_min (sigma_max/sigma_min)^time: the deviation of the noise that is added to the data, which are not scaled.

    Raises ValueError for a time outside [0, 1], or unless 0 < sigma_min <= sigma_max.
    Source: Song et al. 2021, eq. 9 and appendix C.
    [...] -> [...]
    """
    require(0 < sigma_min <= sigma_max, f"sigma_min is {sigma_min}; it must be positive and at most sigma_max, {sigma_max}")
    require_unit_interval(time=time)
    return sigma_min * torch.exp(time * math.log(sigma_max / sigma_min))


def reverse_drift(score, drift, diffusion):
    r"""f - g^2 grad log p: the drift with which the equation runs backward in time and has the same densities; g stays.

    Raises ValueError if the shapes of score and drift differ, or diffusion has not one entry for each example.
    Source: Anderson 1982; Song et al. 2021, eq. 6.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(score=score, drift=drift)
    require_one_each(score, diffusion=diffusion)
    return torch.addcmul(drift, per_example(diffusion.square(), score), score, value=-1)


def euler_maruyama_step(x, drift, diffusion, noise, step_size):
    r"""x + f step_size + g sqrt(|step_size|) noise, with standard normal noise; a negative step_size goes backward in time.

    Raises ValueError if the shapes of x, drift and noise differ, or diffusion or step_size has not one entry for each example.
    Source: Maruyama 1955; Song et al. 2021, algorithms 2 and 3.
    [B, ...], [B, ...], [B], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(x=x, drift=drift, noise=noise)
    require_one_each(x, diffusion=diffusion, step_size=step_size)
    still = step_size == 0  # the root has an infinite slope there
    scale = diffusion * step_size.abs().masked_fill(still, 1.0).sqrt().masked_fill(still, 0.0)
    return x + per_example(step_size, x) * drift + per_example(scale, x) * noise


def langevin_corrector_step(x, score, noise, *, signal_to_noise=0.16):
    r"""x + e s + sqrt(2 e) z, e = 2 (signal_to_noise |z|/|s|)^2 for each example: a Langevin step in proportion to its noise.

    Raises ValueError if the shapes of x, score and noise differ, an example of score is zero, or signal_to_noise is not positive.
    Source: Song et al. 2021, algorithm 4 (variance exploding).
    [B, ...], [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(x=x, score=score, noise=noise)
    require_positive(signal_to_noise=signal_to_noise)
    lengths = torch.linalg.vector_norm(as_rows(score), dim=1)
    require_values("score", lengths, lambda length: length > 0, "of positive length in every example (shown is its length)")
    ratio = per_example(signal_to_noise * torch.linalg.vector_norm(as_rows(noise), dim=1) / lengths, x)
    return x + 2 * ratio * (ratio * score + noise)  # e = 2 ratio^2, and sqrt(2 e) = 2 ratio


def _require_betas(beta_min, beta_max):
    require(0 <= beta_min <= beta_max, f"beta_min is {beta_min}; it must be at least 0 and at most beta_max, {beta_max}")
