"""Paths of probability: how a cloud of noise moves onto a data point, and with which velocity.

Time runs from 0, the noise x0, to 1, the data x1.
"""

import math

import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_one_each,
    require_same_shape,
    require_share,
    require_unit_interval,
    require_values,
)
from theory_jax.flows._arguments import require_path
from theory_jax.mathematics.elementary import expm1
from theory_jax.mathematics.levels import per_example


def linear_path(x0, x1, time):
    r"""x_t = (1 - t) x0 + t x1 and its slope in t, x1 - x0: a straight line at constant speed.

    Raises ValueError if the shapes of x0 and x1 differ, or time has not one entry in [0, 1] for each example.
    Source: Liu et al. 2023, eq. 1; Lipman et al. 2023, eq. 20 to 23.
    [B, ...], [B, ...], [B] -> [B, ...], [B, ...]
    """
    _require_ends(x0, x1, time)
    return per_example(1 - time, x0) * x0 + per_example(time, x0) * x1, x1 - x0


def optimal_transport_path(x0, x1, time, *, sigma_min=1e-4):
    r"""x_t = (1 - (1 - sigma_min) t) x0 + t x1 and its slope in t, x1 - (1 - sigma_min) x0.

    At time 1 a cloud of deviation sigma_min is left around x1; 0 gives the linear path.

    Raises ValueError if the shapes of x0 and x1 differ, time has not one entry in [0, 1] for each example, or sigma_min is
    outside [0, 1].  Source: Lipman et al. 2023, eq. 20 to 23.
    [B, ...], [B, ...], [B] -> [B, ...], [B, ...]
    """
    require_share(sigma_min=sigma_min)
    _require_ends(x0, x1, time)
    sigma = (1 - time) + sigma_min * time  # a sum of nonnegative terms: small sigmas keep their digits
    return per_example(sigma, x0) * x0 + per_example(time, x0) * x1, x1 - (1 - sigma_min) * x0


def affine_path(x0, x1, alpha, sigma, alpha_slope, sigma_slope):
    r"""x_t = alpha x1 + sigma x0 and its slope in t, alpha' x1 + sigma' x0, from the coefficients at t and their slopes.

    Raises ValueError if the shapes of x0 and x1 differ, alpha, sigma, alpha_slope or sigma_slope has not one entry for each
    example, or the path is not monotone: alpha_slope is below 0, sigma_slope above 0, or one of them not finite.
    Source: Albergo & Vanden-Eijnden 2023, section 2.
    [B, ...], [B, ...], [B], [B], [B], [B] -> [B, ...], [B, ...]
    """
    require_same_shape(x0=x0, x1=x1)
    require_path(x0, alpha, sigma, alpha_slope, sigma_slope)
    alpha, sigma, alpha_slope, sigma_slope = (per_example(c, x0) for c in (alpha, sigma, alpha_slope, sigma_slope))
    return alpha * x1 + sigma * x0, alpha_slope * x1 + sigma_slope * x0


def variance_preserving_coefficients(time, *, beta_min=0.1, beta_max=20.0):
    r"""alpha = e^(-B/2), sigma = sqrt(1 - e^(-B)), alpha' = beta alpha/2, sigma' = -beta alpha^2/(2 sigma), in flow time.

    beta = beta_min + (beta_max - beta_min) (1 - t), and B is its integral from t to 1, the time of diffusion being 1 - t. At
    time 1 sigma is 0 and sigma' is -inf; their gradients are set to 0 there.

    Raises ValueError for a time outside [0, 1], or unless 0 < beta_min <= beta_max.
    Source: Song et al. 2021, eq. 11; Lipman et al. 2023, eq. 18 and 19.
    [...] -> [...], [...], [...], [...]
    """
    require(0 < beta_min <= beta_max, f"beta_min is {beta_min}; it must be positive and at most beta_max, {beta_max}")
    require_unit_interval(time=time)
    rest = 1 - time
    beta = beta_min + (beta_max - beta_min) * rest
    integral = rest * (beta_min + (beta_max - beta_min) / 2 * rest)
    alpha, inside = jnp.exp(-integral / 2), rest > 0  # the root has no slope at 0
    sigma = jnp.where(inside, jnp.sqrt(-expm1(-jnp.where(inside, integral, 1.0))), 0.0)
    slope = jnp.where(inside, -beta * alpha**2 / (2 * jnp.where(inside, sigma, 1.0)), -jnp.inf)
    return alpha, sigma, beta * alpha / 2, slope


def cosine_coefficients(time):
    r"""alpha = sin(pi t/2), sigma = cos(pi t/2), alpha' = pi/2 sigma, sigma' = -pi/2 alpha: a quarter of a circle.

    At time 1 sigma is 0 exactly.

    Raises ValueError for a time outside [0, 1].  Source: Albergo & Vanden-Eijnden 2023, section 2.
    [...] -> [...], [...], [...], [...]
    """
    require_unit_interval(time=time)
    alpha, sigma = jnp.sin(math.pi / 2 * time), jnp.sin(math.pi / 2 * (1 - time))
    return alpha, sigma, math.pi / 2 * sigma, -math.pi / 2 * alpha


def conditional_velocity(x, x1, alpha, sigma, alpha_slope, sigma_slope):
    r"""(sigma'/sigma) (x - alpha x1) + alpha' x1: the velocity at the place x that carries N(alpha x1, sigma^2 I) along.

    Raises ValueError if the shapes of x and x1 differ, alpha, sigma, alpha_slope or sigma_slope has not one entry for each
    example, sigma is not positive, or the path is not monotone: alpha_slope is below 0, sigma_slope above 0, or one of them not
    finite.  Source: Lipman et al. 2023, theorem 3.
    [B, ...], [B, ...], [B], [B], [B], [B] -> [B, ...]
    """
    require_same_shape(x=x, x1=x1)
    require_path(x, alpha, sigma, alpha_slope, sigma_slope)
    require_values("sigma", sigma, lambda sigma: sigma > 0, "positive: at the data point itself a cloud has no velocity field")
    share = per_example(sigma_slope / sigma, x)
    return share * (x - per_example(alpha, x) * x1) + per_example(alpha_slope, x) * x1


def _require_ends(x0, x1, time):
    require_same_shape(x0=x0, x1=x1)
    require_one_each(x0, time=time)
    require_unit_interval(time=time)
