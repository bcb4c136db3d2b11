"""A panel of the figure of the lecture on Jensen's inequality."""

import math

import jax.numpy as jnp
import numpy as np


def draw_heights(axes, bregman_divergence):
    """The exponential, its tangent at the mean of three values, and their heights above it, from the topic's function."""
    values = np.array([-0.5, 1.0, 2.5])
    line = np.linspace(-1, 3, 81)
    axes.plot(line, np.exp(line), label="$e^x$")
    axes.plot(line, math.e * line, linestyle="--", color="gray", label="tangent at the mean")
    height = bregman_divergence(jnp.array(values)[:, None], jnp.ones((3, 1)), lambda y: jnp.exp(y[:, 0]))
    axes.vlines(values, math.e * values, math.e * values + np.asarray(height), linewidth=3, alpha=0.5)
    axes.plot(1.0, np.exp(values).mean(), "o", color="gray")
    axes.set(xlabel="$x$", ylabel="$f(x)$")
    axes.legend()
