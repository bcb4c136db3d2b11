"""Exercises of the lecture: The sparse autoencoder: codes of which few units speak."""

import jax.numpy as jnp

from theory_jax.latent.sparse_autoencoder import (
    bernoulli_sparsity_penalty,
    contractive_penalty,
    iterative_shrinkage_step,
    soft_threshold,
)
from theory_jax.lectures.latent.sparse_autoencoder import derivation


@derivation.exercise(
    r"One unit has the dictionary entry 2, the datum is 3, and the penalty has the weight 1. What is the best code? Somebody "
    r"thresholds with $\lambda$ in place of $\eta \lambda$, with a step size of $\frac18$, from 0. Where does that end?",
    r"The best code is $\frac{6 - 1}{4}$, 1.25. With the wrong threshold the first pull is 0.75, less than 1: the code stays at "
    "0.",
)
def a_threshold_too_large():
    code, wrong = jnp.zeros((1, 1)), jnp.zeros((1, 1))
    for _ in range(200):
        code = iterative_shrinkage_step(jnp.array([[3.0]]), code, jnp.array([[2.0]]), penalty=1.0, step_size=0.125)
        wrong = soft_threshold(wrong - 0.125 * (2 * wrong - 3) * 2, threshold=1.0)
    yield code[0, 0], "1.25"
    yield wrong[0, 0], "0"


@derivation.exercise(
    "A unit is 0.19 on one example and 0.01 on another; the target is 0.1. What is the penalty of the batch, and what is the "
    "mean of the penalties of each example?",
    "The mean activity is on target: 0 nats. Of each example alone the penalties are 0.0306 and 0.1445 nats, whose mean is "
    "0.0876.",
)
def batch_or_example():
    unit = jnp.array([[0.19], [0.01]])
    yield jnp.round(bernoulli_sparsity_penalty(unit, target=0.1)[0], 12), "0"
    each = [bernoulli_sparsity_penalty(unit[k : k + 1], target=0.1)[0] for k in range(2)]
    yield each[0], "0.0306"
    yield each[1], "0.1445"
    yield (each[0] + each[1]) / 2, "0.0876"


@derivation.exercise(
    "A sigmoid unit has the weight 2 and no bias. What is its contractive penalty at 0, and at 5?",
    "At 0 it is half active, its slope is 0.5, and the penalty 0.25. At 5 it is saturated: 0.0000.",
)
def saturated():
    at = contractive_penalty(jnp.array([[0.0], [5.0]]), jnp.array([[2.0]]), jnp.zeros(1))
    yield at[0], "0.25"
    yield f"{float(at[1]):.4f}", "0.0000"
