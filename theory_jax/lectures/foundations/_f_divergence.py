"""Divergences of near and of far distributions: the second figure of the lecture on f-divergences."""

import numpy as np

from theory_jax.foundations.f_divergence import f_divergence

SHOWN = {"kl": "kl", "reverse_kl": "reverse kl", "squared_hellinger": "squared hellinger", "jensen_shannon": "jensen shannon"}
CURVATURES = {"kl": 1.0, "reverse_kl": 1.0, "squared_hellinger": 0.5, "jensen_shannon": 0.25}  # f''(1)
BASE, DIRECTION = np.array([0.2, 0.3, 0.5]), np.array([0.25, -0.1, -0.15])


def near_and_far(near, far):
    """Left: divergences from a base, over what the second order says. Right: of two humps that move apart."""
    steps = np.concatenate([np.linspace(-0.7, -0.02, 20), np.linspace(0.02, 1.5, 40)])
    moved = np.log(BASE + steps[:, None] * DIRECTION)
    second = steps**2 / 2 * (DIRECTION**2 / BASE).sum()
    shifts = np.linspace(0, 8, 25)
    line = np.linspace(-5, 13, 91)
    humps = -((line - shifts[:, None]) ** 2) / 2
    humps = humps - np.log(np.exp(humps).sum(axis=1, keepdims=True))
    for name, label in SHOWN.items():
        divergences = f_divergence(moved, np.broadcast_to(np.log(BASE), moved.shape), divergence=name)
        near.plot(steps, divergences / (CURVATURES[name] * second), label=label)
        far.plot(shifts, f_divergence(np.broadcast_to(humps[:1], humps.shape), humps, divergence=name), label=label)
    near.plot(0, 1, "o", color="gray")
    near.set(xlabel=r"step $\varepsilon$", ylabel="divergence over its second order", ylim=(0, 2.5))
    near.legend(fontsize="small")
    far.set(xlabel="distance of two humps", ylabel="divergence", ylim=(0, 4))
