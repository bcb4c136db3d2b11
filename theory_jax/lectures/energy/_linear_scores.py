"""Losses of linear scores on standard normal data, and their figures."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.energy.score_matching import denoising_loss, explicit_loss, fisher_divergence, variance_reduced_sliced_loss

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
    """Three losses of the model -factor x on standard normal data, each of them quadratic in the factor: five points tell all."""
    factors, line = np.linspace(0, 2, 5), np.linspace(0, 2, 81)
    found = of_linear_models(factors, 0.5)
    explicit, fisher, noisy = (np.polyval(np.polyfit(factors, loss, 2), line) for loss in found)
    losses.plot(line, fisher, label="Fisher divergence")
    losses.plot(line, explicit, label="explicit")
    losses.plot(line, noisy - 1.6, label="denoising")
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


def losses_and_their_noise(losses, spread):
    """The figure that opens the page."""
    draw_losses(losses)
    draw_spread(spread)


def blind_to_weights(densities, divergences):
    """Left: two mixtures that differ in their weights. Right: two divergences of one from the other, by the modes' distance."""
    line = np.linspace(-8, 8, 401)

    def mixture(distance, weight):
        """The density and the score."""
        humps = [share * np.exp(-((line - at) ** 2) / 2) for share, at in ((weight, -distance / 2), (1 - weight, distance / 2))]
        density = sum(humps) / math.sqrt(2 * math.pi)
        return density, (humps[0] * (-distance / 2 - line) + humps[1] * (distance / 2 - line)) / sum(humps)

    for weight in (0.5, 0.9):
        densities.plot(line, mixture(6, weight)[0], label=f"weights {weight:g} and {1 - weight:.1f}")
    densities.set(xlabel="$x$", ylabel="density", ylim=(0, 0.52))
    densities.legend()
    distances, found = np.linspace(0, 8, 33), []
    for distance in distances:
        (p, score_p), (q, score_q) = (mixture(distance, weight) for weight in (0.5, 0.9))
        fisher = np.asarray(fisher_divergence(score_p[:, None], score_q[:, None]))
        found.append([(p @ fisher) * 0.04, (p @ np.log(p / q)) * 0.04])
    for curve, label in zip(np.transpose(found), ("Fisher", "Kullback-Leibler"), strict=True):
        divergences.plot(distances, curve, label=label)
    divergences.set(xlabel="distance of the modes", ylabel="divergence")
    divergences.legend()


def two_steps():
    """Two steps of a linear model, from one pair of data and noise."""
    one, factor = jnp.ones((1, 1)), jnp.array(0.0)
    yield r"x = v = 1, s = -x\text{: sliced}", variance_reduced_sliced_loss(one, one[None], lambda x: -x)[0], "-0.5"

    def loss(factor):
        return denoising_loss(one, one, lambda y: -factor * y, sigma=0.5)[0]

    for text, height, moved in (
        (r"x = \xi = 1, \sigma = \tfrac12, s = 0\text{: denoising}", "2", "0.3"),
        ("", "1.2013", "0.5325"),
    ):
        yield text or r"\text{denoising}", loss(factor), height
        factor = factor - 0.1 * jax.grad(loss)(factor)
        yield r"s = -\lambda y \text{ after a step of } 0.1\text{: } \lambda", factor, moved
