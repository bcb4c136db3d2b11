"""The features of the worked example in both domains, how often hypotheses differ, and the figure of distance and bound."""

from itertools import product

import numpy as np

from theory_jax.adversarial.domain_adversarial import domain_loss, proxy_a_distance

DOMAINS = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])  # the features' probabilities: source, target
ALL = np.array(list(product((0, 1), repeat=3)))  # every hypothesis and every labeling, [8, 3]
SOURCE, TARGET = DOMAINS


def differ(law, one, other):
    """How often each of some hypotheses disagrees with each of others, [N, M]."""
    return (one[:, None] != other[None]) @ law


def draw_domains(distance, errors):
    """Left: loss and proxy distance of two Gaussians. Right: the errors of all hypotheses under the bound."""
    shifts, grid = np.linspace(0, 4, 21), np.linspace(-8, 12, 401)
    step = grid[1] - grid[0]
    source, target = (np.exp(-((grid - mean) ** 2) / 2) / np.sqrt(2 * np.pi) for mean in (0.0, shifts[:, None]))
    logits = (grid - shifts[:, None]) ** 2 / 2 - grid**2 / 2
    losses = [np.asarray(domain_loss(logits.ravel(), np.full(logits.size, d))).reshape(logits.shape) for d in (1, 0)]
    distance.plot(shifts, step * (source * losses[0] + target * losses[1]).sum(axis=1) / 2, label="least domain loss, nats")
    distance.plot(shifts, proxy_a_distance(step * np.minimum(source, target).sum(axis=1) / 2), label="proxy distance")
    distance.axhline(np.log(2), color="gray", linewidth=1, linestyle=":")
    distance.set(xlabel="distance of the two means", ylabel="least loss and proxy distance")
    distance.legend()
    labels = np.array([[0, 1, 1], [0, 0, 1]])
    found = [differ(law, ALL, label[None])[:, 0] for law, label in zip(DOMAINS, labels, strict=True)]
    joint, ends = (found[0] + found[1]).min(), np.array([0.0, 1.0])
    errors.plot(ends, ends + 0.3 + joint, label=r"$\epsilon_s + \mathrm{TV} + \lambda^*$")
    errors.plot(ends, ends, color="gray", linewidth=1, linestyle=":", label=r"$\epsilon_s$")
    errors.plot(*found, "o", label="a hypothesis")
    errors.set(xlabel="error in the source", ylabel="error in the target", ylim=(0, 1.6))
    errors.legend()
