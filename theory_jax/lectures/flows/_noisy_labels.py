"""A model of the velocity halfway to the data 1 and -1, trained on pairs, and what its loss consists of."""

import functools
import math

import numpy as np

from theory_jax.flows.flow_matching import conditional_flow_matching_loss
from theory_jax.lectures.flows._flow_matching import sign_field

STEPS = (0, 2, 8, 30, 120)
PAIRS = 128  # in a step of training
CENTERS = np.linspace(-2, 2, 9)
POINTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
PLACES = np.concatenate([(sign + POINTS) / 2 for sign in (-1, 1)])  # where pairs are halfway, with their weights
SHARES = np.tile(WEIGHTS / (2 * math.sqrt(2 * math.pi)), 2)


def bumps(x):
    """The features of the model, [B, 9]: its velocity is a weighted mean of nine numbers."""
    heights = np.exp(-2 * (np.asarray(x)[:, None] - CENTERS) ** 2)
    return heights / heights.sum(axis=1, keepdims=True)


@functools.cache
def training():
    """At every step: the model's numbers [9], its pairs, and its losses on pairs and on the mean velocity."""
    random, weights, seen = np.random.default_rng(3), np.full(9, 2.0), []
    target = np.asarray(sign_field(PLACES, 0.5))
    for _ in range(STEPS[-1] + 1):
        noise, data = random.standard_normal(PAIRS), random.choice([-1.0, 1.0], PAIRS)
        losses = conditional_flow_matching_loss(
            noise[:, None], data[:, None], np.full(PAIRS, 0.5), lambda x, time, now=weights: bumps(x[:, 0]) @ now[:, None]
        )
        of_mean = SHARES @ (bumps(PLACES) @ weights - target) ** 2
        seen.append((weights, noise, data, np.mean(losses), of_mean))
        features = bumps((noise + data) / 2)
        weights = weights - 0.8 * 2 * features.T @ (features @ weights - (data - noise)) / PAIRS
    return seen


def labels_and_losses(labels, curves, moment):
    """Left: the pairs of a step, what the model has learned of them, and the mean velocity. Right: both losses up to the end."""
    weights, noise, data, *_ = training()[STEPS[moment]]
    grid = np.linspace(-2, 2, 81)
    labels.plot((noise + data) / 2, data - noise, ".", color="gray", markersize=3, label="pairs")
    labels.plot(grid, sign_field(grid, 0.5), "--", color="C3", label="mean velocity")
    labels.plot(grid, bumps(grid) @ weights, color="C0", label="model")
    labels.set(xlim=(-2, 2), ylim=(-5.5, 5.5), xlabel="$x$ halfway", ylabel="velocity")
    labels.legend(fontsize="small", loc="lower left")
    pairs, means = (np.array([step[n] for step in training()]) for n in (3, 4))
    level = SHARES @ (4 * (1 - np.tanh(2 * PLACES) ** 2))
    curves.semilogy(pairs, color="gray", linewidth=0.8, label=r"$L_{\mathrm{CFM}}$ of the step's pairs")
    curves.plot(means, color="C0", label=r"$L_{\mathrm{FM}}$")
    curves.axhline(level, linestyle="--", color="C3", label="floor $F$")
    curves.plot(STEPS[moment], means[STEPS[moment]], "o", color="C0")
    curves.set(ylim=(3e-4, 20), xlabel="step", ylabel="loss")
    curves.legend(fontsize="small", loc="lower left")
