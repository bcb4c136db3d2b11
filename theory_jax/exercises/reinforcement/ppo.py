"""Exercises of the lecture: Several steps from one batch: the clipped surrogate, what it promises and what it does not."""

import jax
import jax.numpy as jnp
from sympy import Rational, exp, log, series, sqrt

from theory_jax.derivation.notation import Divergence, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.reinforcement._ppo import clipped_objective
from theory_jax.lectures.reinforcement.ppo import beta, derivation, epsilon, nu, o, pi, six_slopes, x
from theory_jax.reinforcement.ppo import clipped_policy_loss


@derivation.exercise(
    r"What are the six gradients of the example's steps in $\log \pi$?",
    r"$-\rho A$ where nothing is cut. For the advantage 1: (-0.5, -1, 0); for $-1$: (0, 1, 1.5).",
    level="easy",
    hint="Which of the six steps are on the flat side of their objective?",
)
def six_gradients():
    yield from zip(six_slopes().left, ("(-0.5, -1, 0)", "(0, 1, 1.5)"), strict=True)


@derivation.exercise(
    "What is the slope of the right curve of the figure at the new probabilities 0.91 and 0.95?",
    r"Below 0.92 both actions count: $\frac{d}{dp} (p - 9 (1 - p))$; above it the first alone: (10, 1).",
    level="medium",
    hint="At which new probability does the ratio of the second action leave the clip?",
)
def slopes_of_the_expectation():
    yield jax.grad(lambda p: jnp.sum(clipped_objective(p)))(jnp.array([0.91, 0.95])), "(10, 1)"


@derivation.exercise(
    r"One may pay for $\mathrm{KL}(\pi \,\|\, o)$ or for $\mathrm{KL}(o \,\|\, \pi)$. Do the best policies differ at a high "
    "price? Take two actions that were equally likely, with the advantages 1 and $-1$.",
    prose(
        r"For $\mathrm{KL}(\pi \,\|\, o)$ the best policy is tilted: it does the first action with probability $1 / (1 + "
        r"e^{-2/\beta})$. For the other, the probabilities "
        "sum to one, {sum}, at {nu}, so it is {first} of the first. Both have the value, slope and curvature (1/2, 1/2, 0) in "
        r"$1/\beta$ at 0: they differ in the third order. At the price 10 they are (0.5498, 0.5495).",
        sum=holds(plus(beta / (2 * (nu - 1)), beta / (2 * (nu + 1))), "=", 1),
        nu=where(nu, (beta + sqrt(beta**2 + 4)) / 2),
        first=holds(beta / (2 * (nu - 1)), "=", 1 / (1 + sqrt(1 + 4 / beta**2) - 2 / beta)),
    ),
    level="hard",
    hint="Write both probabilities as functions of the inverse price, and expand them at 0.",
)
def both_penalties_of_a_small_step():
    policies = 1 / (1 + exp(-2 * x)), 1 / (1 + sqrt(1 + 4 * x**2) - 2 * x)  # x is 1 / beta
    for policy in policies:
        yield [float(policy.diff(x, order).subs(x, 0)) for order in (0, 1, 2)], "(1/2, 1/2, 0)"
    yield [float(policy.subs(x, 0.1)) for policy in policies], "(0.5498, 0.5495)"


@derivation.exercise(
    "Two actions were equally likely, and one batch moves their ratios to the two ends of the clip. How large is the divergence "
    "of the old policy from the new one, for the clip 0.2, and for a small clip?",
    r"For the clip 0.2 it is 0.0204 nats. For a small clip it is $\epsilon^2/2$: a clip of 0.2 is about as much as a trust "
    "region of 0.02 nats here. It is no bound: other steps of the batch may carry the ratios beyond their ends.",
    level="medium",
    hint=r"The new probabilities are $(1 \pm \epsilon)/2$; expand the mean of minus the logarithms of the ratios.",
)
def the_divergence_at_the_ends():
    given = {o: (Rational(1, 2),) * 2, pi: (Rational(3, 5), Rational(2, 5))}
    yield value(Divergence(o, pi), given), "0.0204"
    yield series(-(log(1 + epsilon) + log(1 - epsilon)) / 2, epsilon, 0, 3).removeO(), epsilon**2 / 2


@derivation.exercise(
    r"A step has the advantage $-1$ and, after some epochs, the ratio 20. How large are its loss and the slope of its loss in "
    r"$\log \pi$? What do they become if the loss of a step with a negative advantage is also kept from exceeding three times "
    "the advantage's size, as some programs do?",
    r"Both are 20: the clip leaves a bad action that has become likely to be pushed back with its full ratio, and one such step "
    "can dominate a batch. With the second clip the loss is 3 and the slope 0: the step no longer pushes back at all.",
    level="medium",
    hint="On which side is the objective flat if the advantage is negative?",
)
def a_bad_action_that_became_likely():
    def loss(log_prob, most):
        of_step = clipped_policy_loss(log_prob[None, None], jnp.zeros((1, 1)), -jnp.ones((1, 1)), clip=0.2)[0, 0]
        return jnp.minimum(of_step, most)

    for most, said in ((jnp.inf, ("20", "20")), (3.0, ("3", "0"))):
        found = jax.value_and_grad(loss)(jnp.log(20.0), most)
        yield from zip(found, said, strict=True)
