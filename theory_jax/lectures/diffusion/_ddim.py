"""Samplers of the lecture on DDIM: the panels of its figures, and the numbers of its algorithm."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE, VERMILION
from theory_jax.diffusion.ddim import ddim_step


def walk(x, noise_fn, alpha_bar):
    """All values on the way down through all levels without new noise: [T+1, B]."""
    path = [x]
    for t in range(alpha_bar.shape[0] - 1, 0, -1):
        at = np.full(len(x), t)
        path.append(ddim_step(path[-1], noise_fn(path[-1], alpha_bar[t]), 0 * x, at, at - 1, alpha_bar))
    return jnp.stack(path)


def noise_of_gaussian(x, a):
    """The best prediction of the noise for data N(0, 1/4)."""
    return jnp.sqrt(1 - a) * x / (1 - a + a / 4)


def noise_of_two_points(x, a):
    """The best prediction of the noise for data that are -1 or 1, by the mean of the data."""
    return (x - jnp.sqrt(a) * jnp.tanh(jnp.sqrt(a) * x / (1 - a))) / jnp.sqrt(1 - a)


TOP = 15  # steps of the sampler in the plane
RING = np.stack([np.sin(np.arange(6) * np.pi / 3), np.cos(np.arange(6) * np.pi / 3)], axis=1) * 1.4


def noise_of_ring(x, a):
    """The best prediction of the noise at positions [B, 2] for data that are six points of a circle."""
    weights = jax.nn.softmax(-jnp.sum((x[:, None] - jnp.sqrt(a) * RING) ** 2, axis=2) / (2 * (1 - a)), axis=1)
    return (x - jnp.sqrt(a) * weights @ RING) / jnp.sqrt(1 - a)


@functools.cache
def runs(eta):
    """60 samples on their way through all levels, [TOP + 1, 60, 2]: the first 12 have the same start."""
    rng, alpha_bar = np.random.default_rng(5), 1 / (1 + jnp.append(0.0, jnp.geomspace(0.1, 2.0, TOP)) ** 2)
    starts = rng.standard_normal((60, 2))
    starts[:12] = 0.2, -0.5
    path = [jnp.asarray(starts)]
    for t in range(TOP, 0, -1):
        at, noise = np.full(60, t), rng.standard_normal((60, 2))
        path.append(ddim_step(path[-1], noise_of_ring(path[-1], alpha_bar[t]), noise, at, at - 1, alpha_bar, eta=eta))
    return np.stack(path)


def from_noise_to_ring(ancestral, implicit, moment):
    """Draws the samples of both samplers after three more steps in every frame, with the paths of those from one start."""
    for panel, eta, title in ((ancestral, 1.0, r"$\eta = 1$, ancestral"), (implicit, 0.0, r"$\eta = 0$, no new noise")):
        path = runs(eta)[: 3 * moment + 1]
        panel.plot(*RING.T, "D", color="gray", markersize=6, markerfacecolor="none")
        panel.plot(*path[:, :12].transpose(2, 0, 1), color=VERMILION, linewidth=0.7, alpha=0.6)
        panel.plot(*path[-1, 12:].T, "o", color=BLUE, markersize=3, alpha=0.6)
        panel.plot(*path[-1, :12].T, "o", color=VERMILION, markersize=3.5)
        panel.set(xlim=(-3.4, 3.4), ylim=(-2.8, 2.8), xlabel="$x_1$", ylabel="$x_2$", title=title)


def draw_flow(axes):
    """The flow of two points, and samplers of 2 and 8 steps."""
    top = 2.5
    for steps, starts, style in (
        (24, jnp.linspace(-4, 4, 10), {"color": "gray", "linewidth": 0.6}),
        (2, jnp.array([1.0]), {"marker": "o", "label": "2 steps"}),
        (8, jnp.array([1.0]), {"marker": ".", "label": "8 steps"}),
    ):
        levels = jnp.linspace(0, top, steps + 1)
        alpha_bar = 1 / (1 + levels**2)
        path = walk(starts / math.sqrt(1 + top**2), noise_of_two_points, alpha_bar) / jnp.sqrt(alpha_bar[::-1])[:, None]
        axes.plot(levels[::-1], path, **style)
    axes.set(xlabel=r"$\varsigma$", ylabel="$y$")
    axes.legend()


def draw_costs(axes, mean, sigma, alpha_bar):
    """What a step from level 2 to level 1 costs if the data are off by 1, from the topic's functions."""
    etas, one, zero, two = np.linspace(0.05, 1.1, 15), jnp.ones(1), jnp.zeros(1), np.array([2])
    squared = [float(mean(one, zero, two, two - 1, alpha_bar, eta=eta)[0]) ** 2 for eta in etas]
    variances = [float(sigma(two, two - 1, alpha_bar, eta=eta)[0]) ** 2 for eta in etas]
    axes.semilogy(etas, np.array(squared) / (2 * np.array(variances)), label="divergence")
    axes.semilogy(etas, squared, linestyle="--", label="squared distance")
    axes.set(xlabel=r"$\eta$", ylabel="cost of one step")
    axes.legend()


def walk_down(alpha_bar, x0_from_noise, sigma, mean, step):
    """Rows of two steps from level 2 at x = 1, for data N(0, 1/4), twice, from the topic's functions."""
    yield from two_steps(
        alpha_bar, 0.0, ("(0.2945, 0, 0.76, 0.76)", "(0.4357, 0, 0.4357, 0.4357)"), x0_from_noise, sigma, mean, step
    )
    stated = "(0.2945, 0.3769, 0.5137, 0.8906)", "(0.5105, 0, 0.5105, 0.5105)"
    yield from two_steps(alpha_bar, 1.0, stated, x0_from_noise, sigma, mean, step)


def two_steps(alpha_bar, eta, stated, x0_from_noise, sigma, mean, step):
    x, z = jnp.ones(1), jnp.ones(1)
    for t, numbers in zip((2, 1), stated, strict=True):
        at = np.array([t])
        noise = noise_of_gaussian(x, alpha_bar[t])
        x0 = x0_from_noise(x, noise, at, alpha_bar)
        of_step = x0, sigma(at, at - 1, alpha_bar, eta=eta), mean(x0, x, at, at - 1, alpha_bar, eta=eta)
        x = step(x, noise, z, at, at - 1, alpha_bar, eta=eta)
        row = rf"\eta = {eta:g},\ z = 1: \quad (\hat x_0, \sigma_\eta, \text{{mean}}, x)\ \text{{from}}\ t = {t}"
        yield row, tuple(float(value[0]) for value in (*of_step, x)), numbers
