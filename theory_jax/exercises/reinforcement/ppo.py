"""Exercises of the lecture: Several steps from one batch: the clipped surrogate, what it promises and what it does not."""

import jax
import jax.numpy as jnp
from sympy import exp, sqrt

from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.reinforcement.ppo import _clipped_objective, beta, derivation, nu, six_slopes, x


@derivation.exercise(
    r"What are the six gradients of the example's steps in $\log \pi$?",
    r"$-\rho A$ where nothing is cut. For the advantage 1: (-0.5, -1, 0); for $-1$: (0, 1, 1.5).",
)
def six_gradients():
    yield from zip(six_slopes().left, ("(-0.5, -1, 0)", "(0, 1, 1.5)"), strict=True)


@derivation.exercise(
    "What is the slope of the right curve of the figure at the new probabilities 0.91 and 0.95?",
    r"Below 0.92 both actions count: $\frac{d}{dp} (p - 9 (1 - p))$; above it the first alone: (10, 1).",
)
def slopes_of_the_expectation():
    yield jax.grad(lambda p: jnp.sum(_clipped_objective(p)))(jnp.array([0.91, 0.95])), "(10, 1)"


@derivation.exercise(
    "Do the two penalties differ for small steps? Take the example's two actions at a high price.",
    prose(
        r"The tilted policy does the first action with probability $1 / (1 + e^{-2/\beta})$. For the other, the probabilities "
        "sum to one, {sum}, at {nu}, so it is {first} of the first. Both have the value, slope and curvature (1/2, 1/2, 0) in "
        r"$1/\beta$ at 0: they differ in the third order. At the price 10 they are (0.5498, 0.5495).",
        sum=holds(plus(beta / (2 * (nu - 1)), beta / (2 * (nu + 1))), "=", 1),
        nu=where(nu, (beta + sqrt(beta**2 + 4)) / 2),
        first=holds(beta / (2 * (nu - 1)), "=", 1 / (1 + sqrt(1 + 4 / beta**2) - 2 / beta)),
    ),
)
def both_penalties_of_a_small_step():
    policies = 1 / (1 + exp(-2 * x)), 1 / (1 + sqrt(1 + 4 * x**2) - 2 * x)  # x is 1 / beta
    for policy in policies:
        yield [float(policy.diff(x, order).subs(x, 0)) for order in (0, 1, 2)], "(1/2, 1/2, 0)"
    yield [float(policy.subs(x, 0.1)) for policy in policies], "(0.5498, 0.5495)"
