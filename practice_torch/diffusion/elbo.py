"""The evidence lower bound of a diffusion model, term by term: a decoder, T-1 divergences of Gaussians, and a prior."""

import math

import numpy as np
import torch

from practice_torch.arguments import (
    require,
    require_at_least,
    require_same_shape,
    require_schedule,
    require_timesteps,
    require_values,
)
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.reverse_process import (
    posterior_log_variance,
    posterior_mean,
    reverse_log_variance,
    reverse_mean_from_noise,
)
from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.mathematics.levels import as_rows, per_example

_NODES, _WEIGHTS = (torch.from_numpy(array) for array in np.polynomial.legendre.leggauss(8))


def gaussian_kl(mean_q, log_var_q, mean_p, log_var_p):
    r"""KL(N(mean_q, e^log_var_q) || N(mean_p, e^log_var_p)), summed over all axes but the first; nats.

    1/2 sum [ log_var_p - log_var_q + e^(log_var_q - log_var_p) + (mean_q - mean_p)^2 e^-log_var_p - 1 ]

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, ...], [B, ...], [B, ...], [B, ...] -> [B]
    """
    require_same_shape(mean_q=mean_q, log_var_q=log_var_q, mean_p=mean_p, log_var_p=log_var_p)
    return gaussian_kl_divergence(*(as_rows(array) for array in (mean_q, log_var_q, mean_p, log_var_p)))


def prior_kl(x0, alpha_bar):
    r"""KL(q(x_T | x_0) || N(0, I)) = 1/2 sum [ a_T x_0^2 - a_T - log(1 - a_T) ], nats: what the noise at the end still tells.

    Raises ValueError if alpha_bar is no schedule.  Source: Ho et al. 2020, eq. 5.
    [B, ...], [T+1] -> [B]
    """
    require_schedule(alpha_bar)
    last = alpha_bar[-1]
    alone = -(last + torch.log1p(-last)).to(x0.dtype)  # of a dimension with x_0 = 0
    return (last.to(x0.dtype) * as_rows(x0).square() + alone).sum(1) / 2


def denoising_kl(x0, x_t, t, noise_pred, alpha_bar, *, variance="large"):
    r"""KL(q(x_(t-1) | x_t, x_0) || p(x_(t-1) | x_t)), t >= 2, p with the mean of the predicted noise and a fixed variance; nats.

    Raises ValueError if the shapes differ, t is not an integer in 2..T, alpha_bar is no schedule, a_t = 0, or variance is neither
    "large" nor "small".  Source: Ho et al. 2020, eq. 5.
    [B, ...], [B, ...], [B], [B, ...], [T+1] -> [B]
    """
    require_same_shape(x0=x0, x_t=x_t, noise_pred=noise_pred)
    require_timesteps(alpha_bar, x0, lowest=2, t=t)
    log_vars = posterior_log_variance(t, alpha_bar), reverse_log_variance(t, alpha_bar, variance=variance)
    log_var_q, log_var_p = (per_example(log_var, x_t).expand_as(x_t) for log_var in log_vars)
    mean_q, mean_p = posterior_mean(x0, x_t, t, alpha_bar), reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar)
    return gaussian_kl(mean_q, log_var_q, mean_p, log_var_p)


def discretized_gaussian_log_prob(x0, mean, log_var, *, num_levels=256):
    r"""sum log P(cell of x_0) under N(mean, e^log_var), nats: x_0 on the grid of num_levels values from -1 to 1.

    A cell reaches h = 1/(num_levels - 1) to both sides of its value, Phi((x + h - m)/s) - Phi((x - h - m)/s); the two outer cells
    are open-ended, so that the values' probabilities sum to one wherever the mean is.

    Raises ValueError if the shapes differ, num_levels < 2, or x0 is off the grid by more than 1e-4 of a cell.
    Source: Ho et al. 2020, eq. 13.
    [B, ...], [B, ...], [B, ...] -> [B]
    """
    require_same_shape(x0=x0, mean=mean, log_var=log_var)
    require_at_least(2, num_levels=num_levels)
    allowed = f"one of the {num_levels} values from -1 to 1, 2/{num_levels - 1} apart"
    require_values("x0", x0, lambda x: _on_grid(x, num_levels), allowed)
    half = 1 / (num_levels - 1)
    precision = torch.exp(-log_var / 2)
    reach, distance = half * precision, (x0 - mean) * precision
    outer = x0.abs() > 1 - half
    log_probs = _log_cell(distance.abs(), reach).where(~outer, _log_cdf(reach - x0.sign() * distance))
    return as_rows(log_probs).sum(1)


def elbo_terms(x0, noises, denoise_fn, alpha_bar, *, variance="large", num_levels=256):
    r"""The one-sample upper bound of -log p(x_0) in its T+1 terms, nats; their sum over a row is the bound.

    Column 0 is -log p(x_0 | x_1), by discretized_gaussian_log_prob; column t-1, for t = 2..T, denoising_kl at x_t; column T
    prior_kl. x_t is made with noises[t-1]. denoise_fn(x, t) -> predicted noise, t: [B].

    Raises ValueError if noises is not [T, *shape of x0], x0 is off the grid, alpha_bar is no schedule or 0 before its end,
    variance is another word, or num_levels < 2.  Source: Ho et al. 2020, eq. 5 and 13.
    [B, ...], [T, B, ...], [T+1] -> [B, T+1]
    """
    require_schedule(alpha_bar)
    steps = len(alpha_bar) - 1
    wanted = [steps, *x0.shape]
    require(list(noises.shape) == wanted, f"noises has shape {list(noises.shape)}; it must be {wanted}, a draw for every step")
    terms = []
    for level in range(1, steps + 1):
        t = torch.full(x0.shape[:1], level, device=x0.device)
        x_t = forward_sample(x0, t, noises[level - 1], alpha_bar)
        noise_pred = denoise_fn(x_t, t)
        if level > 1:
            terms.append(denoising_kl(x0, x_t, t, noise_pred, alpha_bar, variance=variance))
        else:
            mean = reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar)
            log_var = per_example(reverse_log_variance(t, alpha_bar, variance=variance), mean).expand_as(mean)
            terms.append(-discretized_gaussian_log_prob(x0, mean, log_var, num_levels=num_levels))
    return torch.stack([*terms, prior_kl(x0, alpha_bar)], dim=1)


def _on_grid(x, num_levels):
    place = (x + 1) * ((num_levels - 1) / 2)
    nearest = place.round().clamp(0, num_levels - 1)
    return (place - nearest).abs() <= 1e-4


def _log_cell(distance, reach):
    """log(Phi(d + r) - Phi(d - r)) for d >= 0, r > 0, without cancellation."""
    narrow = reach * (distance + reach) < 1
    # wide cells: the logarithms of the two tails differ by 2 at least
    d, r = distance.where(~narrow, 0.0), reach.where(~narrow, 1.0)
    near, far = _log_cdf(r - d), _log_cdf(-r - d)
    wide = near + torch.log1p(-torch.exp(far - near))
    # narrow cells: the density in the middle times the width, times the mean of what the density does across
    d, r = distance.where(narrow, 0.0), reach.where(narrow, 0.5)
    nodes, weights = _NODES.to(d), _WEIGHTS.to(d)
    across = torch.exp(-(d * r).unsqueeze(-1) * nodes - (r.square() / 2).unsqueeze(-1) * nodes.square()) @ weights
    return torch.where(narrow, torch.log(r * across) - d.square() / 2 - math.log(2 * math.pi) / 2, wide)


def _log_cdf(z):
    """log Phi(z). On the left through erfcx: its gradient keeps its digits in the far tail, unlike that of torch's log_ndtr."""
    left = z < 0
    y = z.where(left, -1.0) * -math.sqrt(0.5)
    body = torch.erfc(z.where(~left, 0.0) * math.sqrt(0.5)) / 2
    return torch.where(left, torch.log(torch.special.erfcx(y) / 2) - y.square(), torch.log1p(-body))
