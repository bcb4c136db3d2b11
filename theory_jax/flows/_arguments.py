"""Checks of arguments that flows share."""

import math

import jax.numpy as jnp

from theory_jax.arguments import require, require_one_each, require_values


def require_probes(x, probes):
    """probes: one or more of the shape of x."""
    wanted, given = list(jnp.shape(x)), list(jnp.shape(probes))
    held = len(given) > 0 and given[0] > 0 and given[1:] == wanted
    require(held, f"probes has shape {given}; it must hold one or more of {wanted}")


def velocity_at(x, time, velocity_fn):
    """velocity_fn(x, time), which must have the shape of x."""
    velocity = velocity_fn(x, time)
    found, wanted = list(jnp.shape(velocity)), list(jnp.shape(x))
    require(found == wanted, f"velocity_fn returned shape {found}; it must return that of x, {wanted}")
    return velocity


def require_path(x, alpha, sigma, alpha_slope, sigma_slope):
    """Coefficients of a path from noise to data, one of each for every example of x, and a path that does not turn back."""
    require_one_each(x, alpha=alpha, sigma=sigma, alpha_slope=alpha_slope, sigma_slope=sigma_slope)
    rises, falls = "finite and at least 0: alpha does not fall on", "finite and at most 0: sigma does not rise on"
    require_values("alpha_slope", alpha_slope, lambda slope: (slope >= 0) & (slope < math.inf), f"{rises} the way to the data")
    require_values("sigma_slope", sigma_slope, lambda slope: (slope <= 0) & (slope > -math.inf), f"{falls} the way to the data")


def require_signal_grows(x, alpha, sigma, alpha_slope, sigma_slope):
    """The same, of a path on which the ratio of signal to noise grows: alpha' sigma - alpha sigma' is positive."""
    require_path(x, alpha, sigma, alpha_slope, sigma_slope)
    allowed = "such that alpha_slope sigma - alpha sigma_slope is positive: place and velocity must tell noise from data"
    require_values("alpha_slope", alpha_slope, lambda slope: slope * sigma - alpha * sigma_slope > 0, allowed)
