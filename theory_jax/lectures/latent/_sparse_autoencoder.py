"""Shrinkage of three data by a dictionary of seven units, and the figure of the lecture on sparse autoencoders."""

import jax.numpy as jnp
import numpy as np

from theory_jax.latent.sparse_autoencoder import iterative_shrinkage_step, l1_penalty, soft_threshold

DICTIONARY = np.random.default_rng(1).standard_normal((4, 7))
DATUM = np.random.default_rng(2).standard_normal((3, 4))
WEIGHT = 0.3
LARGEST = float(np.linalg.norm(DICTIONARY, 2) ** 2)


def objective(codes):
    return jnp.sum((codes @ DICTIONARY.T - DATUM) ** 2, axis=1) / 2 + WEIGHT * l1_penalty(codes)


def shrunk(steps, step_size):
    """The codes after 0, 1, ... steps from 0."""
    codes = [jnp.zeros((3, 7))]
    for _ in range(steps):
        codes.append(iterative_shrinkage_step(DATUM, codes[-1], DICTIONARY, penalty=WEIGHT, step_size=step_size))
    return codes


def solution():
    """The best codes, by 3,000 steps in NumPy: those of the code would take seconds."""
    codes = np.zeros((3, 7))
    for _ in range(3000):
        moved = codes - (codes @ DICTIONARY.T - DATUM) @ DICTIONARY / LARGEST
        codes = np.sign(moved) * np.maximum(np.abs(moved) - WEIGHT / LARGEST, 0)
    return codes


def draw_thresholds_and_steps(left, right):
    """The best activity over the pull under two penalties, and the objective over the steps at three step sizes."""
    pulls = np.linspace(-3, 3, 121)[:, None]
    left.plot(pulls, soft_threshold(jnp.asarray(pulls), threshold=1.0), label="absolute values")
    left.plot(pulls, pulls / 2, label="squares")
    left.plot(pulls, pulls, "--", color="gray", linewidth=0.8)
    left.set(xlabel="pull", ylabel="best activity")
    left.legend()
    least = float(objective(solution()).mean())
    for factor in (1.0, 0.25, 2.2):
        path = [float(objective(codes).mean()) - least for codes in shrunk(60, factor / LARGEST)]
        right.semilogy(path, label=f"{factor:g}")
    right.set(xlabel="steps", ylabel="objective above its least", ylim=(1e-3, 1e2))
    right.legend()
