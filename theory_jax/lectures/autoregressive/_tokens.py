"""Random logits, their heaviest sets of tokens, and the figure of the lecture on decoding."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.decoding import apply_temperature, categorical_from_uniform, top_k_filter

LOGITS = jnp.array(np.random.default_rng(0).normal(size=(5, 6), scale=1.5))
# every non-empty set of six tokens, as a row of truth values
SUBSETS = jnp.array([row for row in itertools.product((False, True), repeat=6) if any(row)])


def log_probs_of(logits):
    """The log-probabilities of logits."""
    return jax.nn.log_softmax(logits, axis=-1)


def heaviest(logits, sizes):
    """The distribution restricted to the heaviest of all sets of each size, by enumeration."""
    p = jnp.exp(log_probs_of(logits))
    laws = []
    for size in sizes:
        best = jnp.argmax(jnp.where(SUBSETS.sum(1) == size, p @ SUBSETS.T, 0.0), axis=1)
        kept = jnp.where(SUBSETS[best], p, 0.0)
        laws.append(kept / kept.sum(axis=1, keepdims=True))
    return jnp.stack(laws)


def a_path_and_a_staircase(left, right):
    """Temperature and top-k on the simplex, and the inverse distribution function."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]])
    logits = jnp.log(jnp.array([[0.55, 0.35, 0.10]]))
    path = np.concatenate(
        [np.exp(log_probs_of(apply_temperature(logits, temperature=1 / b))) for b in np.geomspace(1e-2, 30, 80)]
    )
    left.plot(*np.vstack([corners, corners[:1]]).T, color="gray", linewidth=1)
    left.plot(*(path @ corners).T, label="temperature")
    left.plot(*(np.exp(log_probs_of(logits)) @ corners)[0], "*", markersize=11, label="$p$")
    for k, mark in ((2, "o"), (1, "s")):
        left.plot(*(np.exp(log_probs_of(top_k_filter(logits, k=k))) @ corners)[0], mark, label=f"top-{k}")
    for corner, name, place in zip(corners, ("1", "2", "3"), ("right", "left", "left"), strict=True):
        left.text(*corner, f" {name} ", ha=place, va="center")
    left.set(
        xlim=(-0.8, 1.15), xlabel="distributions on the tokens 1, 2, 3", xticks=[], yticks=[], aspect="equal", title="the simplex"
    )
    left.legend(loc="upper left", fontsize=8)
    sums = np.cumsum([0.64, 0.16, 0.16, 0.04])
    right.stairs(sums, np.arange(5) + 0.5, baseline=None)
    chosen = int(categorical_from_uniform(jnp.log(jnp.array([[0.64, 0.16, 0.16, 0.04]])), jnp.array([0.72]))[0]) + 1
    right.plot([0.5, chosen, chosen], [0.72, 0.72, 0], linestyle="--", color="gray")
    right.set(xlabel="token $i$", ylabel=r"$\sum_{j \leq i} p_j$", xticks=range(1, 5), ylim=(0, 1.05), xlim=(0.5, 4.5))
    right.text(0.6, 0.74, "$u$")
