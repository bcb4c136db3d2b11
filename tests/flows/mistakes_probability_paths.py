"""Wrong paths of probability that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.flows import probability_paths as right
from tests.support.mistakes import Mistake


def at(c, x):
    return c.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _vp(change):
    def wrong(time, *, beta_min=0.1, beta_max=20.0):
        right.variance_preserving_coefficients(time, beta_min=beta_min, beta_max=beta_max)  # for its checks
        return change(time, beta_min, beta_max)

    return wrong


def _slopes_of_diffusion(time, low, high):
    alpha, sigma, alpha_slope, sigma_slope = right.variance_preserving_coefficients(time, beta_min=low, beta_max=high)
    return alpha, sigma, -alpha_slope, -sigma_slope


def _plain(time, low, high):
    """1 - alpha^2 cancels near time 1."""
    alpha, _, alpha_slope, sigma_slope = right.variance_preserving_coefficients(time, beta_min=low, beta_max=high)
    return alpha, (1 - alpha.square()).sqrt(), alpha_slope, sigma_slope


def _no_care(time, low, high):
    """0/0 in the gradient at time 1."""
    rest = 1 - time
    beta = low + (high - low) * rest
    alpha = (-rest * (low + (high - low) / 2 * rest) / 2).exp()
    sigma = (-torch.expm1(-rest * (low + (high - low) / 2 * rest))).sqrt()
    return alpha, sigma, beta * alpha / 2, -beta * alpha.square() / (2 * sigma)


def _velocity(formula):
    def wrong(x, x1, alpha, sigma, alpha_slope, sigma_slope):
        right.conditional_velocity(x, x1, alpha, sigma, alpha_slope, sigma_slope)  # for its checks
        return formula(x, x1, *(at(c, x) for c in (alpha, sigma, alpha_slope, sigma_slope)))

    return wrong


def _unchecked_path(x0, x1, alpha, sigma, alpha_slope, sigma_slope):
    """A path that turns around."""
    right.affine_path(x0, x1, alpha, sigma, alpha_slope.abs(), sigma_slope)
    return at(alpha, x0) * x1 + at(sigma, x0) * x0, at(alpha_slope, x0) * x1 + at(sigma_slope, x0) * x0


def _at_the_start(x0, x1, time, *, sigma_min=1e-4):
    right.optimal_transport_path(x0, x1, time, sigma_min=sigma_min)
    t = at(time, x0)
    return (1 - t) * x0 + (sigma_min + (1 - sigma_min) * t) * x1, (1 - sigma_min) * x1 - x0


def _linear_velocity(x0, x1, time, *, sigma_min=1e-4):
    return right.optimal_transport_path(x0, x1, time, sigma_min=sigma_min)[0], x1 - x0


def _clipped(x, x1, alpha, sigma, alpha_slope, sigma_slope):
    return right.conditional_velocity(x, x1, alpha, sigma.clamp(min=1e-5), alpha_slope, sigma_slope)


def _over_time(time):
    """The cosine in float32 is not 0 at time 1."""
    right.cosine_coefficients(time)
    alpha, sigma = torch.sin(math.pi / 2 * time), torch.cos(math.pi / 2 * time)
    return alpha, sigma, math.pi / 2 * sigma, -math.pi / 2 * alpha


MISTAKES = (
    Mistake("linear_path", "noise and data exchanged", lambda x0, x1, time: right.linear_path(x1, x0, time)),
    Mistake("linear_path", "the velocity from data to noise", lambda x0, x1, time: (right.linear_path(x0, x1, time)[0], x0 - x1)),
    Mistake("linear_path", "the time of diffusion", lambda x0, x1, time: (right.linear_path(x0, x1, 1 - time)[0], x1 - x0)),
    Mistake("optimal_transport_path", "sigma_min at the start", _at_the_start),
    Mistake("optimal_transport_path", "the velocity of the linear path", _linear_velocity),
    Mistake(
        "optimal_transport_path",
        "linear",
        lambda x0, x1, time, *, sigma_min=1e-4: (
            right.optimal_transport_path(x0, x1, time, sigma_min=sigma_min) and right.linear_path(x0, x1, time)
        ),
    ),
    Mistake(
        "affine_path",
        "noise and data exchanged",
        lambda x0, x1, alpha, sigma, alpha_slope, sigma_slope: right.affine_path(x1, x0, alpha, sigma, alpha_slope, sigma_slope),
    ),
    Mistake("affine_path", "a path that is not monotone", _unchecked_path, only_checks=True),
    Mistake("variance_preserving_coefficients", "slopes in diffusion time", _vp(_slopes_of_diffusion)),
    Mistake(
        "variance_preserving_coefficients",
        "the time of the flow for that of diffusion",
        _vp(lambda time, low, high: right.variance_preserving_coefficients(1 - time, beta_min=low, beta_max=high)),
    ),
    Mistake("variance_preserving_coefficients", "sigma by a difference", _vp(_plain)),
    Mistake("variance_preserving_coefficients", "NaN in the gradient at time 1", _vp(_no_care)),
    Mistake(
        "cosine_coefficients",
        "without pi/2",
        lambda time: (*right.cosine_coefficients(time)[:2], *(2 / math.pi * c for c in right.cosine_coefficients(time)[2:])),
    ),
    Mistake("cosine_coefficients", "exchanged", lambda time: right.cosine_coefficients(1 - time)),
    Mistake(
        "conditional_velocity", "the ratio turned over", _velocity(lambda x, x1, a, s, da, ds: s / ds * (x - a * x1) + da * x1)
    ),
    Mistake("conditional_velocity", "no mean", _velocity(lambda x, x1, a, s, da, ds: ds / s * x + da * x1)),
    Mistake("conditional_velocity", "the mean fixed", _velocity(lambda x, x1, a, s, da, ds: ds / s * (x - a * x1))),
    Mistake("conditional_velocity", "sigma clipped at the end of a path", _clipped, only_checks=True),
)

EQUIVALENT = (
    Mistake(
        "linear_path",
        "a sum",
        lambda x0, x1, time: right.linear_path(x0, x1, time) and ((1 - at(time, x0)) * x0 + at(time, x0) * x1, x1 - x0),
    ),
    Mistake(
        "optimal_transport_path",
        "as an affine path",
        lambda x0, x1, time, *, sigma_min=1e-4: (
            right.optimal_transport_path(x0, x1, time, sigma_min=sigma_min)
            and (((1 - at(time, x0)) + sigma_min * at(time, x0)) * x0 + at(time, x0) * x1, x1 - (1 - sigma_min) * x0)
        ),
    ),
    Mistake("cosine_coefficients", "by the cosine", _over_time),
    Mistake("conditional_velocity", "collected", _velocity(lambda x, x1, a, s, da, ds: ds / s * x + (da - ds / s * a) * x1)),
)
