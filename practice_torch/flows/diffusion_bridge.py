"""Diffusion models and flows as one family: score, data, noise and velocity on any Gaussian path, and the drift with noise."""

import torch

from practice_torch.arguments import require_one_each, require_rank, require_same_shape, require_values
from practice_torch.flows._arguments import require_path, require_signal_grows
from practice_torch.mathematics.levels import per_example


def velocity_from_score(x, score, alpha, sigma, alpha_slope, sigma_slope):
    r"""(alpha'/alpha) x + sigma^2 (alpha'/alpha - sigma'/sigma) score: the flow's velocity in flow time, noise at 0, data at 1.

    Raises ValueError if the shapes of x and score differ, alpha, sigma, alpha_slope or sigma_slope has not one entry for each
    example, alpha or sigma is not positive, or the path is not monotone: alpha_slope is below 0, sigma_slope above 0, or one of
    them not finite.  Source: Albergo, Boffi & Vanden-Eijnden 2023; Ma et al. 2024.
    [B, ...], [B, ...], [B], [B], [B], [B] -> [B, ...]
    """
    require_same_shape(x=x, score=score)
    require_path(x, alpha, sigma, alpha_slope, sigma_slope)
    _require_some(alpha=alpha, sigma=sigma)
    rate = alpha_slope / alpha
    of_score = sigma * (rate * sigma - sigma_slope)
    return torch.addcmul(per_example(rate, x) * x, per_example(of_score, x), score)


def score_from_velocity(x, velocity, alpha, sigma, alpha_slope, sigma_slope):
    r"""(alpha v - alpha' x)/(sigma w) with w = alpha' sigma - alpha sigma'. At alpha = 0 it is -x/sigma^2 for any velocity.

    Raises ValueError if the shapes of x and velocity differ, alpha, sigma, alpha_slope or sigma_slope has not one entry for each
    example, sigma is not positive, the path is not monotone (alpha_slope is below 0, sigma_slope above 0, or one of them not
    finite), or w is not positive.  Source: Albergo, Boffi & Vanden-Eijnden 2023; Ma et al. 2024.
    [B, ...], [B, ...], [B], [B], [B], [B] -> [B, ...]
    """
    require_same_shape(x=x, velocity=velocity)
    require_signal_grows(x, alpha, sigma, alpha_slope, sigma_slope)
    _require_some(sigma=sigma)
    scale = sigma * (alpha_slope * sigma - alpha * sigma_slope)
    return per_example(alpha / scale, x) * velocity - per_example(alpha_slope / scale, x) * x


def predictions_from_velocity(x, velocity, alpha, sigma, alpha_slope, sigma_slope):
    r"""Data (sigma v - sigma' x)/w and noise (alpha' x - alpha v)/w, with w = alpha' sigma - alpha sigma'; also at both ends.

    They are the pair with x = alpha data + sigma noise and v = alpha' data + sigma' noise.

    Raises ValueError if the shapes of x and velocity differ, alpha, sigma, alpha_slope or sigma_slope has not one entry for each
    example, the path is not monotone (alpha_slope is below 0, sigma_slope above 0, or one of them not finite), or w is not
    positive.  Source: Kingma & Gao 2023; Ma et al. 2024.
    [B, ...], [B, ...], [B], [B], [B], [B] -> [B, ...], [B, ...]
    """
    require_same_shape(x=x, velocity=velocity)
    require_signal_grows(x, alpha, sigma, alpha_slope, sigma_slope)
    w = alpha_slope * sigma - alpha * sigma_slope
    a, s, a_slope, s_slope = (per_example(c / w, x) for c in (alpha, sigma, alpha_slope, sigma_slope))
    return s * velocity - s_slope * x, a_slope * x - a * velocity


def rescale_to_linear(x, alpha, sigma):
    r"""x/(alpha + sigma) and alpha/(alpha + sigma): a place on the linear path, and the time when that path has it.

    Raises ValueError if alpha or sigma has not one entry for each example of x, one of them is negative, or both are 0.
    Source: Gao et al. 2024, Diffusion meets flow matching.
    [B, ...], [B], [B] -> [B, ...], [B]
    """
    require_one_each(x, alpha=alpha, sigma=sigma)
    require_values("alpha", alpha, lambda alpha: alpha >= 0, "at least 0")
    require_values("sigma", sigma, lambda sigma: sigma >= 0, "at least 0")
    total = alpha + sigma
    require_values("sigma", sigma, lambda sigma: total > 0, "positive where alpha is 0: nothing is left to be scaled")
    return x / per_example(total, x), alpha / total


def stochastic_drift(velocity, score, diffusion):
    r"""v + g^2/2 score: with the noise g dw next to it, the densities are those of the flow dx = v dt, for any diffusion g.

    Raises ValueError if the shapes of velocity and score differ, diffusion has not one entry for each example, or is negative.
    Source: Song et al. 2021, appendix D; Ma et al. 2024.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(velocity=velocity, score=score)
    require_one_each(velocity, diffusion=diffusion)
    require_values("diffusion", diffusion, lambda g: g >= 0, "at least 0")
    return torch.addcmul(velocity, per_example(diffusion.square() / 2, velocity), score)


def loss_weight_between(alpha, sigma, alpha_slope, sigma_slope):
    r"""(w/alpha)^2, w = alpha' sigma - alpha sigma': the squared error of the velocity by that of the noise, of one network.

    Raises ValueError unless alpha is a vector, sigma, alpha_slope and sigma_slope have as many entries, alpha is positive, the
    path is monotone (alpha_slope is at least 0, sigma_slope at most 0, both finite), and w is positive.
    Source: Kingma & Gao 2023.
    [B], [B], [B], [B] -> [B]
    """
    require_rank(1, alpha=alpha)
    require_signal_grows(alpha, alpha, sigma, alpha_slope, sigma_slope)
    _require_some(alpha=alpha)
    return (alpha_slope / alpha * sigma - sigma_slope).square()


def _require_some(**coefficients):
    why = {"alpha": "without data in x, the score does not tell the velocity", "sigma": "without noise there is no score"}
    for name, coefficient in coefficients.items():
        require_values(name, coefficient, lambda c: c > 0, f"positive: {why[name]}")
