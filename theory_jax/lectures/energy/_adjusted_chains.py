"""Metropolis-adjusted Langevin on a standard normal distribution: the acceptance, the variance after a step, and figures."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.energy.langevin import gaussian_stationary_variance
from theory_jax.energy.metropolis_adjusted_langevin import acceptance_log_ratio


def energy_of_normal(x):
    """The energy of a standard normal distribution, [N, D] -> [N]."""
    return jnp.sum(x**2, axis=1) / 2


def mean_share(s):
    """2 Phi(-s/2)."""
    return math.erfc(s / math.sqrt(8))


def by_quadrature(lengths):
    """The acceptance in equilibrium, and the variance after a step, on N(0, 1): on a grid of states and noises, [2, lengths]."""
    grid = np.linspace(-6, 6, 97)
    x, e = (part.reshape(-1, 1) for part in np.meshgrid(grid, grid, indexing="ij"))
    chance = np.exp(-(x**2 + e**2) / 2)[:, 0]
    chance /= chance.sum()
    rows = []
    for length in lengths:
        y = (1 - length) * x + math.sqrt(2 * length) * e
        accept = np.minimum(
            1, np.exp(acceptance_log_ratio(jnp.asarray(x), jnp.asarray(y), energy_of_normal, step_size=float(length)))
        )
        rows.append((chance @ accept, chance @ (accept * y[:, 0] ** 2 + (1 - accept) * x[:, 0] ** 2)))
    return np.array(rows).T


def draw_bias(bias):
    """The variances of the unadjusted and of the adjusted chain against the length of the step, and the share accepted."""
    lengths = np.linspace(0.05, 1.5, 12)
    accepted, variance = by_quadrature(lengths)
    bias.plot(lengths, [gaussian_stationary_variance(jnp.ones(()), step_size=float(h)) for h in lengths], label="unadjusted")
    bias.plot(lengths, variance, "o", color="gray", markersize=4, label="adjusted")
    bias.plot(lengths, accepted, label="accepted")
    bias.set(xlabel="length of the step, $h$", ylabel="variance; share", ylim=(0, 4))
    bias.legend()


def draw_speed(acceptance):
    """The speed in many dimensions against the acceptance."""
    s = np.linspace(0.02, 4, 80)
    speed = np.array([each ** (2 / 3) * mean_share(each) for each in s])
    acceptance.plot([mean_share(each) for each in s], speed / speed.max())
    acceptance.axvline(0.574, color="gray", linewidth=0.8)
    acceptance.set(xlabel="accepted, in many dimensions", ylabel="speed, relative to the best")


def draw_two_wells(without, adjusted):
    """Chains of long steps in a double well: where 2000 of them are after 150 steps, without and with the acceptance."""
    random, length = np.random.default_rng(4), 0.04
    energy, slope = lambda x: 2 * (x**2 - 1) ** 2 + 0.3 * x, lambda x: 8 * x * (x**2 - 1) + 0.3  # noqa: E731 (two formulas)
    chains = {"always": random.uniform(-1.2, 1.2, 2000), "adjusted": random.uniform(-1.2, 1.2, 2000)}
    for _ in range(150):
        for name, x in chains.items():
            y = x - length * slope(x) + math.sqrt(2 * length) * random.standard_normal(2000)
            log_ratio = energy(x) - energy(y) - (x - y) * (slope(x) + slope(y)) / 2 + length / 4 * (slope(x) ** 2 - slope(y) ** 2)
            accepted = (name == "always") | (np.log(random.random(2000)) < log_ratio)
            chains[name] = np.where(accepted, y, x)
    line = np.linspace(-2.4, 2.4, 161)
    target = np.exp(-energy(line))
    for panel, name, title in ((without, "always", "every move accepted"), (adjusted, "adjusted", "accepted with min(1, r)")):
        panel.hist(chains[name], bins=np.linspace(-2.4, 2.4, 33), density=True, alpha=0.4)
        panel.plot(line, target / (target.sum() * (line[1] - line[0])), color="C1")
        panel.set(xlabel="$x$", ylabel="density", title=title, ylim=(0, 1.1))
