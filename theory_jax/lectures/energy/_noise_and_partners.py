"""Losses of noise-contrastive estimation on a grid of the line, and of InfoNCE by enumeration."""

import itertools
import math

import jax.numpy as jnp
import numpy as np

from theory_jax.energy.noise_contrastive_estimation import data_loss, information_loss, log_odds, noise_loss

LINE = np.linspace(-12.0, 20.0, 641)


def gaussian(mean):
    return np.exp(-((LINE - mean) ** 2) / 2) / math.sqrt(2 * math.pi)


def mean_loss(mass, data, noise, ratio=1.0):
    """The mean loss of mass times the data's distribution, on the grid."""
    width = LINE[1] - LINE[0]
    odds = log_odds(jnp.log(data) + mass, jnp.log(noise), noise_ratio=ratio)
    return width * (jnp.dot(data, data_loss(odds)) + ratio * jnp.dot(noise, noise_loss(odds)))


JOINT = np.array([[0.4, 0.1], [0.1, 0.4]])


def information_of(count, scores):
    """log K less the mean InfoNCE loss of two symbols with the distribution JOINT, by enumeration of all candidates."""
    total = 0.0
    for x in range(2):
        table = list(itertools.product(range(2), repeat=count))
        chance = np.array([JOINT[x, row[0]] * 0.5 ** (count - 1) for row in table])
        total += chance @ information_loss(jnp.asarray(scores[x][np.array(table)]))
    return math.log(count) - total


def of_a_perfect_code(count, symbols):
    """log K less the InfoNCE loss where a partner has the example's symbol, and so has by chance every other candidate."""
    others = np.arange(min(count, 60))  # of K - 1 candidates so many agree by chance; more do not, but with chance 1e-9
    log_chance = (
        np.array([math.lgamma(count) - math.lgamma(count - a) - math.lgamma(a + 1) for a in others])
        - others * math.log(symbols)
        + (count - 1 - others) * math.log1p(-1 / symbols)
    )
    agree = np.arange(60) <= others[:, None]  # the partner, and those that agree
    cost = information_loss(jnp.asarray(np.where(agree, 0.0, -900.0)))
    return math.log(count) - np.exp(log_chance) @ cost


def draw_mass_and_information(mass, information):
    """The excess of the loss by the mass of the model, and log K less the loss by the number of candidates."""
    constants = np.linspace(-2.5, 2.5, 13)
    for ratio in (1.0, 10.0):
        found = np.array([mean_loss(c, gaussian(0.0), gaussian(2.0), ratio) for c in constants])
        mass.semilogx(np.exp(constants), found - found[6], label=rf"$\nu = {ratio:g}$")
    mass.set(xlabel="mass of the model, $e^c$", ylabel="excess of the loss")
    mass.legend()
    counts = 2 ** np.arange(1, 11)
    information.semilogx(counts, np.minimum(np.log(counts), math.log(64)), color="gray")
    information.semilogx(counts, [of_a_perfect_code(count, 64) for count in counts], "o", markersize=4)
    information.set(xlabel="candidates, $K$", ylabel="nats")
