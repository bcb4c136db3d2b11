"""Figures of Langevin chains: the variance on which they settle, and two wells."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.energy.energy_models import gaussian_mixture_energy
from theory_jax.energy.langevin import gaussian_stationary_variance, langevin_sample

WELLS = (jnp.array([[-1.0], [1.0]]), jnp.log(jnp.full(2, 0.1)), jnp.log(jnp.full(2, 0.5)))


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
