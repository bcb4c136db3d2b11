"""Losses of linear scores on standard normal data, and their figures."""

import functools
import math

import jax.numpy as jnp
import numpy as np

from theory_jax.energy.score_matching import denoising_loss, explicit_loss, fisher_divergence

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def of_linear_models(factors, sigma):
    """Mean explicit loss, Fisher divergence and denoising loss of -factor x under N(0, 1), by quadrature, [3, factors]."""
    x, noise = (jnp.asarray(grid.reshape(-1, 1)) for grid in np.meshgrid(NODES, NODES))
    chance = np.outer(WEIGHTS, WEIGHTS).ravel()
    fields = [functools.partial(jnp.multiply, -factor) for factor in factors]
    losses = [(explicit_loss(x, s), fisher_divergence(-x, s(x)), denoising_loss(x, noise, s, sigma=sigma)) for s in fields]
    return (np.array(losses) @ chance).T


def draw_losses(losses):
    """Three losses of the model -factor x on standard normal data."""
    factors = np.linspace(0, 2, 13)
    explicit, fisher, noisy = of_linear_models(factors, 0.5)
    losses.plot(factors, fisher, label="Fisher divergence")
    losses.plot(factors, explicit, label="explicit")
    losses.plot(factors, noisy - 1.6, label="denoising")
    losses.vlines([0.8, 1.0], -0.5, 0.5, color="gray", linewidth=0.8)
    losses.set(xlabel=r"$\lambda$", ylabel="mean loss")
    losses.legend()


def draw_spread(spread):
    """The standard deviation of the denoising loss at its optimum, of 4000 samples (dots) and derived (line)."""
    x, e = jnp.asarray(np.random.default_rng(3).standard_normal((2, 4000, 1)))
    sigmas = np.geomspace(0.01, 1, 9)
    found = [denoising_loss(x, e, lambda y, s=s: -y / (1 + s**2), sigma=float(s)).std() for s in sigmas]
    spread.loglog(sigmas, (1 / sigmas**2 - 1 / (1 + sigmas**2)) / math.sqrt(2))
    spread.loglog(sigmas, found, "o", color="gray", markersize=4)
    spread.set(xlabel=r"$\sigma$", ylabel="standard deviation of the loss")
