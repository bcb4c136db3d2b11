"""Exercises of the lecture: Other losses for the same game."""

import jax
import jax.numpy as jnp
from sympy import Rational

from theory_jax.adversarial.gan import jensen_shannon_divergence, minimax_generator_loss, non_saturating_generator_loss
from theory_jax.adversarial.loss_variants import (
    hinge_discriminator_loss,
    hinge_generator_loss,
    least_squares_generator_loss,
    relativistic_discriminator_loss,
)
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial.loss_variants import a, b, c, derivation


@derivation.exercise(
    prose(
        "The labels are {fake} and {real}. For which targets does the solution attract a generator that descends frozen costs? "
        "What is $f''(1)$ with the target 1?",
        fake=where(a, 0),
        real=where(b, 1),
    ),
    prose(
        "$f''(1)$, which is {curvature}, must be positive: targets above 1/2. With the target 1 it is 1/8; the divergence is "
        "convex everywhere for targets from 1 on.",
        curvature=holds((b - a) / 4 * (c - (a + b) / 2), "=", (c - Rational(1, 2)) / 4, named=True),
    ),
    level="medium",
    hint="The curvature of a point's cost at the ratio 1 decides.",
)
def attracting_targets():
    def curvature(target):
        cost = lambda ratio: least_squares_generator_loss((1 - ratio / (1 + ratio))[None], target=target)[0]  # noqa: E731
        return jax.grad(cost)(jnp.array(1.0))

    yield 0.5 - curvature(0.5) * 4, "1/2"
    yield curvature(1.0), "1/8"


@derivation.exercise(
    "Data that are equally often at two points, and a generator that has collapsed to the first. What is the Jensen-Shannon "
    "divergence of the points, and what is that of the pairs?",
    r"0.2158 for the points (the first lecture). For the pairs $P$ is $(\frac12, 0, \frac12, 0)$ on $(11, 12, 21, 22)$ and $Q$ "
    r"is $(\frac12, \frac12, 0, 0)$: half of each can be told for sure, and the divergence is $\frac12 \log 2$, 0.3466.",
    level="medium",
    hint="Write both products as tables of four pairs.",
)
def collapsed():
    data, samples = jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])
    yield jensen_shannon_divergence(jnp.log(data)[None], jnp.log(samples)[None]), "0.2158"
    both = jnp.log(jnp.outer(data, samples))
    yield jensen_shannon_divergence(both.reshape(1, 4), both.T.reshape(1, 4)), "0.3466"


@derivation.exercise(
    "A relativistic discriminator gives an image the score 3. Is the image real? What are its losses for the pairs of scores "
    "$(3, 1)$, $(103, 101)$ and $(1, 3)$?",
    "One score alone says nothing, since the loss does not change when a constant is added to all of them: 0.1269 and 0.1269. "
    "Only exchanging the two matters: 2.1269, which is more by the difference of the scores.",
    level="easy",
    hint="The loss is a function of the difference of the two scores.",
)
def scores_without_a_zero():
    losses = relativistic_discriminator_loss(jnp.array([3.0, 103.0, 1.0]), jnp.array([1.0, 101.0, 3.0]))
    yield losses[:2], "0.1269 and 0.1269"
    yield losses[2], "2.1269"


@derivation.exercise(
    "Pairs of a real example and a sample have the scores (2, -3) and (0.5, 0). What are the hinge losses of the discriminator? "
    "Which slopes do the generator's losses have at these two samples?",
    "The losses are 0 and 1.5: the first pair is beyond both margins, and teaches the discriminator nothing. The generator has "
    "no margin: the slopes are -1 and -1.",
    level="easy",
    hint="Compare each score with its margin.",
)
def beyond_the_margins():
    samples = jnp.array([-3.0, 0.0])
    yield hinge_discriminator_loss(jnp.array([2.0, 0.5]), samples), "0 and 1.5"
    yield jax.grad(lambda scores: hinge_generator_loss(scores).sum())(samples), "-1 and -1"


@derivation.exercise(
    "Near the solution a generator against frozen best discriminators is pulled back in proportion to the slope of a sample's "
    "cost in the ratio, at the ratio 1. Compare this slope of the game, of its non-saturating loss, and of least squares with "
    "the labels 0 and 1 and the target 1. Which labels of samples and data, with the data's as target, make it equal?",
    "It is 1/2, 1/2 and 1/8: least squares pulls four times less, so a learning rate does not carry over from one to the other. "
    "With the labels -1 and 1 and the target 1 it is 0.5, as in the game.",
    level="hard",
    hint="Write the cost under the best discriminator as a function of the ratio, and differentiate; doubling the labels' "
    "distance multiplies a square by four.",
)
def pulled_back():
    def of_logit(loss):
        return jax.grad(lambda ratio: loss(-jnp.log(ratio)[None])[0])(jnp.array(1.0))

    def of_squares(fake, real):
        def cost(ratio):
            return least_squares_generator_loss(((real + fake * ratio) / (1 + ratio))[None], target=real)[0]

        return jax.grad(cost)(jnp.array(1.0))

    yield jnp.stack([of_logit(minimax_generator_loss), of_logit(non_saturating_generator_loss)]), "1/2, 1/2"
    yield of_squares(0.0, 1.0), "1/8"
    yield of_squares(-1.0, 1.0), "0.5"
