"""The figure of the lecture on diffusion and flow, and its check with noise on the way."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.kinds import Sides
from theory_jax.flows.diffusion_bridge import rescale_to_linear, stochastic_drift
from theory_jax.flows.probability_paths import cosine_coefficients, variance_preserving_coefficients


def normal_cdf(z):
    """The share of a standard normal number below z."""
    return np.array([(1 + math.erf(one / math.sqrt(2))) / 2 for one in np.ravel(z)]).reshape(np.shape(z))


def one_flow_in_two_pictures(places, linear):
    """Draws flow lines of data 1 and -1 on three paths, and in the coordinates of the linear one."""
    time, grid, levels = np.linspace(0.0, 0.98, 25), np.linspace(-3, 3, 121), np.array([0.1, 0.3, 0.7, 0.9])
    paths = {
        "linear": ((time, 1 - time), "-"),
        "cosine": (cosine_coefficients(jnp.array(time))[:2], "--"),
        "variance preserving": (variance_preserving_coefficients(jnp.array(time))[:2], ":"),
    }
    for (name, ((alpha, sigma), style)), color in zip(paths.items(), ("C0", "C1", "C2"), strict=True):
        alpha, sigma = np.asarray(alpha), np.asarray(sigma)
        below = (normal_cdf((grid - alpha[:, None]) / sigma[:, None]) + normal_cdf((grid + alpha[:, None]) / sigma[:, None])) / 2
        lines = np.stack([np.interp(levels, one, grid) for one in below])
        scaled_lines, shares = rescale_to_linear(jnp.array(lines), jnp.array(alpha), jnp.array(sigma))
        for axes, across, up in ((places, time, lines), (linear, shares, scaled_lines)):
            axes.plot(across, up, style, color=color, label=[name] + ["_"] * 3)
    places.set(xlabel="$t$", ylabel="$x$")
    linear.set(xlabel="$r$", ylabel="$y$")
    places.legend(loc="center left")


def every_amount_of_noise_keeps_the_variance():
    """The variance at the end for three amounts of noise on the way, with the code's drift."""

    def final(correction):
        def change(time, variance, g):
            exact = 4 * time**2 + (1 - time) ** 2
            score, rate = -1 / exact, (4 * time - (1 - time)) / exact
            return 2 * correction(rate, score, g) * variance + g**2

        variance, h = np.ones(3), 1 / 400
        g = np.array([0.0, 0.7, 2.0])
        for time in np.arange(400) * h:
            k1 = change(time, variance, g)
            k2 = change(time + h / 2, variance + h / 2 * k1, g)
            k3 = change(time + h / 2, variance + h / 2 * k2, g)
            variance = variance + h / 6 * (k1 + 2 * k2 + 2 * k3 + change(time + h, variance + h * k3, g))
        return variance

    # the code's drift is linear in both of its arguments, so it is taken apart once
    of_velocity, of_score = (
        np.asarray(stochastic_drift(jnp.full(3, one), jnp.full(3, 1.0 - one), jnp.array([0.0, 0.7, 2.0]))) for one in (1.0, 0.0)
    )
    found = final(lambda rate, score, g: of_velocity * rate + of_score * score)
    return Sides(
        left=found,
        right=np.full(3, 4.0),
        wrong={
            "the whole score": final(lambda rate, score, g: rate + g**2 * score),
            "no correction": final(lambda rate, score, g: rate),
        },
    )
