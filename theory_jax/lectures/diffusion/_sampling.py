"""Walks of the ancestral sampler on data with two humps; the errors of its variance, for Gaussian data: terms, limits, drawn."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE, VERMILION
from theory_jax.diffusion._gaussian_data import noised_variance
from theory_jax.diffusion.ancestral_sampling import ddpm_step, respaced_alpha_bar
from theory_jax.diffusion.noise_schedules import linear_alpha_bar


def weighted_errors(levels, c, variance):
    """The terms of v_0/c - 1: the start, the wrong variances, and the last noise, which is not added."""
    v = noised_variance(c, levels)
    betas = 1 - levels[1:] / levels[:-1]
    shares = levels * c / v
    added = betas if variance == "large" else betas * (1 - levels[:-1]) / (1 - levels[1:])
    wrong = shares[1:-1] * (added[1:] / v[1:-1] - betas[1:] / v[2:])
    return shares[-1] * (1 / v[-1] - 1), wrong.sum(), -betas[0] / v[1]


def limits_of_many_steps(rate, c):
    """The limit of error times steps with the large variance, and its change as the steps double with the small one."""
    found = {"large": [], "small": []}
    for steps in (10_000, 20_000, 40_000, 80_000):
        levels = (1 - rate / steps) ** np.arange(steps + 1)
        for variance, values in found.items():
            _, *later = weighted_errors(levels, c, variance)
            values.append(steps * c * sum(later))
    large, risen = np.array(found["large"]), np.diff(found["small"])
    once = 2 * risen[1:] - risen[:-1]
    return np.array([2 * large[-1] - large[-2], 2 * once[1] - once[0]])


def draw_errors(axes):
    """The error times the number of steps, for data of variance 1/4."""
    counts = np.logspace(1.7, 5, 10).astype(int)
    for name in ("large", "small"):
        errors = []
        for steps in counts:
            levels = np.asarray(linear_alpha_bar(num_steps=int(steps), beta_start=0.1 / steps, beta_end=20 / steps))
            errors.append(0.25 * steps * sum(weighted_errors(levels, 0.25, name)[1:]))
        axes.semilogx(counts, errors, marker=".", label=f"{name} variance")
    axes.set(xlabel="steps $T$", ylabel="$f(T)$")
    axes.legend()


TIMES = tuple(range(60, -1, -15))  # of the frames
CENTERS, SPREAD = np.array([-1.0, 1.0]), 0.1  # means and variance of the humps of the data


def log_joint(x, a):
    """The log-density of noisy values and their hump at the share a of the signal, up to a constant: [B] -> [B, 2]."""
    return -((x[:, None] - jnp.sqrt(a) * CENTERS) ** 2) / (2 * noised_variance(SPREAD, a))


def noise_of_humps(x, a):
    """The best prediction of the noise at noisy values [B]."""
    humps = jax.nn.softmax(log_joint(x, a), axis=1)
    return jnp.sqrt(1 - a) * jnp.sum(humps * (x[:, None] - jnp.sqrt(a) * CENTERS), axis=1) / noised_variance(SPREAD, a)


@functools.cache
def walks(every):
    """2000 values at the times of the frames, [times, 2000], of a chain that visits only every so many levels."""
    rng, levels = np.random.default_rng(2), linear_alpha_bar(num_steps=60, beta_start=0.5 / 60, beta_end=6 / 60)
    visited = respaced_alpha_bar(levels, np.arange(every, 61, every))
    x, found = jnp.asarray(rng.standard_normal(2000)), []
    for t in range(60 // every, 0, -1):
        if t * every in TIMES:
            found.append(x)
        x = ddpm_step(x, noise_of_humps(x, visited[t]), rng.standard_normal(2000), np.full(2000, t), visited)
    return levels, np.stack([*found, x])


def many_steps_and_few(many, few, moment):
    """Draws the values of both chains at a time, over the density that the forward process has there."""
    line = np.linspace(-3.2, 3.2, 65)
    for panel, every in ((many, 1), (few, 15)):
        levels, values = walks(every)
        a = levels[TIMES[moment]]
        density = np.exp(log_joint(jnp.asarray(line), a)).mean(axis=1) / math.sqrt(2 * math.pi * noised_variance(SPREAD, a))
        panel.hist(values[moment], bins=line[::2], density=True, color=BLUE if every == 1 else VERMILION, alpha=0.4)
        panel.plot(line, density, color="gray")
        panel.set(xlim=(-3.2, 3.2), ylim=(0, 0.9), xlabel="$x_t$", ylabel="density", title=f"{60 // every} steps")
