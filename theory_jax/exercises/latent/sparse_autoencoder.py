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
    level="medium",
    hint="The objective is a parabola and a multiple of the code, where the code is positive: set its slope to zero.",
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
    level="easy",
    hint="The penalty is of a mean activity: which mean does each question take?",
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
    level="easy",
    hint="The penalty of one unit with one coordinate is the squared slope of the sigmoid.",
)
def saturated():
    at = contractive_penalty(jnp.array([[0.0], [5.0]]), jnp.array([[2.0]]), jnp.zeros(1))
    yield at[0], "0.25"
    yield f"{float(at[1]):.4f}", "0.0000"


@derivation.exercise(
    "How large may the step size of the algorithm's example be, with the entry 2, before its codes run away? By which factor "
    "does its error shrink a step, at its step size and at the largest one that the algorithm allows?",
    r"While the code is positive, the error is multiplied by $1 - 4 \eta$: it shrinks if $\eta$ is below 0.5, where this is "
    r"-1. At $\frac18$ the factor is 0.5. At $\frac14$ it is 0, and the first step is the solution 1.25: one unit has one "
    "curvature only.",
    level="medium",
    hint="Write the new code as a linear function of the old one, on the side where both are positive.",
)
def how_fast():
    def step(code, size):
        datum, entry = jnp.array([[3.0]]), jnp.array([[2.0]])
        return iterative_shrinkage_step(datum, jnp.array([[code]]), entry, penalty=1.0, step_size=size)[0, 0]

    yield (step(1.35, 0.125) - 1.25) / 0.1, "0.5"
    yield (step(1.35, 0.25) - 1.25) / 0.1, "0"
    yield step(0.0, 0.25), "1.25"
    yield (step(1.35, 0.5) - 1.25) / 0.1, "-1"


@derivation.exercise(
    r"Both penalties together, $\lambda |h| + \frac{\mu}{2} h^2$. What is the best activity for the pull 3 at weights of 1 "
    "each, and for which pulls is the unit off?",
    r"Where $h$ is positive the slope is $h - x + \lambda + \mu h$: the soft threshold is divided by $1 + \mu$, so the "
    "activity is 1. The unit is off for pulls of at most 1 in size, as without the square: at 0 a square has no slope.",
    level="medium",
    hint="The square has no kink; so where can the unit be off?",
)
def both_penalties():
    activities = jnp.linspace(-4, 4, 8001)

    def best(pull):
        return activities[jnp.argmin((activities - pull) ** 2 / 2 + jnp.abs(activities) + activities**2 / 2)]

    yield best(3.0), "1"
    yield max(pull for pull in jnp.linspace(0, 2, 201) if abs(best(pull)) < 1e-9), "1"


@derivation.exercise(
    "The absolute value also shrinks the units that it keeps. Suppose that an active unit costs a fixed $\\mu$ instead, however "
    "large it is. What is the best activity for a pull, and which $\\mu$ switches off the same pulls as $\\lambda$ of 1? What is "
    "lost?",
    r"A unit that is on is best at its pull, and saves $\frac12 x^2$; it is on if that is more than $\mu$. So $\mu$ of "
    r"$\frac12 \lambda^2$, 0.5, has the threshold 1, and the pull 3 stays 3 in place of 2. The objective is no longer convex: "
    "the best activity jumps from 0 to 1 at the threshold, and a small change of the datum can switch a unit.",
    level="hard",
    hint="Compare two candidates only: off, and on at its best.",
)
def a_fixed_price():
    activities = jnp.linspace(-4, 4, 8001)

    def best(pull, price=0.5):
        return activities[jnp.argmin((activities - pull) ** 2 / 2 + price * (jnp.abs(activities) > 1e-9))]

    yield best(3.0), "3"
    yield soft_threshold(jnp.array([[3.0]]), threshold=1.0)[0, 0], "2"
    yield jnp.stack([best(0.999), jnp.round(best(1.001), 2)]), "0 to 1"
    yield 1.0**2 / 2, "0.5"
