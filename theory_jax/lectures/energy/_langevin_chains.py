"""Langevin chains: the steps of the algorithm, particles in three wells, the variance on which they settle, and two wells."""

import functools
import math

import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE, VERMILION
from theory_jax.energy.energy_models import gaussian_mixture_energy
from theory_jax.energy.langevin import gaussian_stationary_variance, langevin_sample, langevin_step

WELLS = (jnp.array([[-1.0], [1.0]]), jnp.log(jnp.full(2, 0.1)), jnp.log(jnp.full(2, 0.5)))
MOMENTS = (0, 2, 6, 20, 60, 300)
THREE = jnp.array([[-0.8, -0.5], [1.2, -0.7], [0.3, 1.3]]), jnp.log(jnp.full(3, 0.2)), jnp.log(jnp.array([0.6, 0.2, 0.2]))


def two_steps():
    """Two steps on a parabola, and where its variance settles."""
    state = jnp.array([2.0])
    for text, noise, said in (
        (r"E = x^2/2, T = 1, h = \tfrac12, x = 2, \xi = \tfrac12: \quad x", 0.5, "1.5"),
        (r"\xi = -1: \quad x", -1.0, "-0.25"),
    ):
        state = langevin_step(state, jnp.array([noise]), lambda x: x**2 / 2, step_size=0.5)
        yield text, state[0], said
    yield r"\text{the variance in the long run}", gaussian_stationary_variance(jnp.ones(()), step_size=0.5), "4/3"


@functools.cache
def particles(temperature):
    """Where 100 particles are at each of the moments, [moments, 100, 2]: they start in one place."""
    rng = np.random.default_rng(0)
    found = [jnp.asarray([1.9, 2.1] + 0.1 * rng.standard_normal((100, 2)))]
    for before, after in zip(MOMENTS, MOMENTS[1:], strict=False):
        noises = rng.standard_normal((after - before, 100, 2))
        three_wells = lambda x: gaussian_mixture_energy(x, *THREE)  # noqa: E731
        found.append(langevin_sample(found[-1], noises, three_wells, step_size=0.05, temperature=temperature))
    return np.stack(found)


def particles_find_the_density(descent, langevin, moment):
    """Draws the particles of gradient descent and of the Langevin chain over the contours of the density."""
    across, up = np.linspace(-2.6, 2.8, 25), np.linspace(-2.4, 2.9, 25)
    grid = np.stack(np.meshgrid(across, up), axis=-1)
    density = np.exp(-gaussian_mixture_energy(jnp.asarray(grid.reshape(-1, 2)), *THREE)).reshape(25, 25)
    for panel, temperature, title in ((descent, 0.0, "gradient descent"), (langevin, 1.0, "Langevin")):
        panel.contour(across, up, density, levels=density.max() * 0.5 ** np.arange(5, 0, -1), colors="gray", linewidths=0.7)
        panel.plot(*particles(temperature)[moment].T, "o", color=VERMILION if panel is descent else BLUE, markersize=3, alpha=0.6)
        panel.set(xlim=(-2.6, 2.8), ylim=(-2.4, 2.9), xlabel="$x_1$", ylabel="$x_2$", title=title)


def bias_and_two_wells(bias, wells):
    """Draws the variance on which a chain settles, and chains with a short and a long step on two wells."""
    draw_bias(bias)
    draw_wells(wells)


def draw_bias(bias):
    """The variance on which the chain settles, as a multiple of the true one, against the step; dashed, its first order."""
    lengths = np.linspace(0.05, 1.7, 34)
    bias.plot(lengths, [float(gaussian_stationary_variance(jnp.ones(()), step_size=float(s))) for s in lengths])
    bias.plot(lengths, 1 + lengths / 2, linestyle="--", color="gray", linewidth=0.8)
    bias.axvline(2, color="gray", linewidth=0.8)
    bias.set(xlabel="step $h$, in units of $v$", ylabel="variance, in units of $v$", ylim=(0.8, 6))


def draw_wells(wells):
    """Histograms of 4000 chains after 60 steps on an energy with two wells, over its density (gray)."""
    rng = np.random.default_rng(1)
    start = rng.choice([-1.0, 1.0], 4000) + math.sqrt(0.1) * rng.standard_normal(4000)
    noises = rng.standard_normal((60, 4000, 1))
    line = np.linspace(-3, 3, 121)
    wells.fill_between(line, np.exp(-gaussian_mixture_energy(jnp.asarray(line[:, None]), *WELLS)), color="0.85")
    for step in (0.01, 0.12):
        ends = langevin_sample(start[:, None], noises, lambda x: gaussian_mixture_energy(x, *WELLS), step_size=step)
        wells.hist(np.asarray(ends)[:, 0], bins=line[::3], density=True, histtype="step", label=f"$h = {step}$")
    wells.set(xlabel="state", ylabel="density")
    wells.legend()
