"""Samplers of the lecture on continuous time: on normal data, in its algorithm, and in its figure."""

import math

import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE
from theory_jax.diffusion.score_sde import (
    euler_maruyama_step,
    reverse_drift,
    variance_preserving_alpha_bar,
    variance_preserving_sde,
)

RATE = 2 * math.log(2)


def variance_after(steps, start, share=1.0, half=1.0):
    """Backward steps with beta = log 4 on data N(0, 4): the variance at time 0, by the code's step. share: of the noise."""
    variance, none, one = start, jnp.zeros((1, 1)), jnp.ones((1, 1))
    for n in range(steps):
        now = 1 + 3 * variance_preserving_alpha_bar(jnp.array(1 - n / steps), beta_min=RATE, beta_max=RATE)
        drift, g = variance_preserving_sde(one, jnp.ones(1), beta_min=RATE, beta_max=RATE)
        drift = drift - (drift - reverse_drift(-one / now, drift, g)) * half
        step = jnp.array([-1 / steps])
        factor = euler_maruyama_step(one, drift, g, none, step)[0, 0]
        variance = factor**2 * variance + euler_maruyama_step(none, none, share * g, one, step)[0, 0] ** 2
    return float(variance)


def predict_and_correct(sde, reverse, step, correct):
    """Rows of two steps of length 1/10 from 1, with the score of the data N(0, 4) and all noises 1/2, from these functions."""
    x, half, h = jnp.ones((1, 1)), jnp.full((1, 1), 0.5), 0.1
    for time, stated in ((1.0, "(1.1763, 1.2826)"), (0.9, "(1.4622, 1.5536)")):
        drift, g = sde(x, jnp.full(1, time), beta_min=RATE, beta_max=RATE)
        predicted = step(x, reverse(-x / marginal_variance(time), drift, g), g, half, jnp.full(1, -h))
        x = correct(predicted, -predicted / marginal_variance(time - h), half)
        yield rf"x \text{{ at time }} {time - h:.1f}: \text{{ predicted, corrected}}", (predicted[0, 0], x[0, 0]), stated


def marginal_variance(time):
    return 1 + 3 * variance_preserving_alpha_bar(jnp.array(time), beta_min=RATE, beta_max=RATE)


def draw_paths(panels, alpha_bar):
    """Paths backward from the same points, without noise and with all of it."""
    rng, steps = np.random.default_rng(3), 80
    start, noises = rng.normal(size=12), rng.normal(size=(steps, 12))
    grid = np.linspace(1, 1e-3, steps + 1)
    left = np.asarray(alpha_bar(jnp.asarray(grid)))
    for panel, full in zip(panels, (0.0, 1.0), strict=True):
        path = [start]
        for n in range(steps):
            x, a = path[-1], left[n]
            score = (np.sqrt(a) * np.tanh(np.sqrt(a) * x / (1 - a)) - x) / (1 - a)
            rate, step = 0.1 + 19.9 * grid[n], grid[n + 1] - grid[n]
            drift = -rate * x / 2 - (1 + full**2) / 2 * rate * score
            path.append(x + drift * step + full * np.sqrt(rate * -step) * noises[n])
        panel.plot(grid, np.array(path), linewidth=0.8, color=BLUE)
        panel.set(xlabel="time", ylabel="$x$", title=rf"$\lambda = {full:.0f}$", ylim=(-3.6, 3.6), xlim=(1, 0))
