"""Exercises of the lecture: Training a DDPM: levels at random, weights on average."""

import math

import jax.numpy as jnp
import sympy
from sympy import Rational

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.training import (
    exponential_moving_average,
    importance_weighted_loss,
    loss_aware_probabilities,
    warmup_decay,
)
from theory_jax.lectures.diffusion.training import F, P, V, a, c, d, derivation, q, r


@derivation.exercise(
    r"What is the floor of the mean loss for data $\mathcal{N}(0, 1)$ and two levels with the shares 0.81 and 0.5184 of signal?",
    prose(
        "With {one} the floor of a level is {share}; the mean is 0.6642.",
        one=where(c, 1),
        share=holds(a * c / V, "=", a, named=True),
    ),
    level="easy",
    hint="For each level, compare the data's part of the variance with the whole.",
)
def a_floor():
    yield (value(a * c / V, {a: 0.81, c: 1}) + value(a * c / V, {a: 0.5184, c: 1})) / 2, "0.6642"


@derivation.exercise(
    prose(
        "When does the ramp reach {decay}, and with which mean age? What is the mean age of this decay if it is constant?",
        decay=where(d, Rational(199, 200)),
    ),
    prose(
        "After {steps} steps, with the mean age 179. That of the constant decay is {age}.",
        steps=holds(9 / (1 - d) - 10, "=", 1790, named=True),
        age=holds(d / (1 - d), "=", 199, named=True),
    ),
    level="medium",
    hint="Set the ramp equal to the decay, and solve for the number of steps.",
)
def the_ramp():
    yield 9 / 0.005 - 10, "1790"
    yield (9 / 0.005 - 10) / 10, "179"
    yield 0.995 / (1 - 0.995), "199"


@derivation.exercise(
    r"Which decay brings the variance of the average to a tenth, if the iterates forget at once?",
    prose(
        "{decay}, or 0.8182: {kept}, which is 0.1.",
        decay=where(d, Rational(9, 11)),
        kept=holds((1 - d) / (1 + d), "=", Rational(1, 10)),
    ),
    level="medium",
    hint="Iterates that forget at once are independent; the fraction depends on the decay alone.",
)
def a_tenth():
    yield 9 / 11, "0.8182"
    yield value(F / P, {r: 0, d: sympy.Rational(9, 11), q: 1}), "0.1"


@derivation.exercise(
    "Two levels have the losses 3 and 1, always the same. Their levels are sampled with probabilities that are half in "
    "proportion to the losses and half uniform. What are the probabilities, and the second moment of the weighted loss, next to "
    "5 for uniform levels and the least, 4?",
    "The probabilities are 0.625 and 0.375, and the second moment is 4.2667: half of the way in the probabilities removes "
    "nearly three quarters of what uniform levels have too much. No weight exceeds 2.",
    level="easy",
    hint="A weighted loss is the loss over twice its probability; average its square.",
)
def half_uniform():
    drawn = loss_aware_probabilities(jnp.array([[3.0], [1.0]]), uniform_probability=0.5)
    losses = jnp.array([3.0, 1.0])
    weighted = importance_weighted_loss(losses, jnp.array([1, 2]), drawn)
    yield drawn[0], "0.625"
    yield drawn[1], "0.375"
    yield jnp.sum(drawn * weighted**2), "4.2667"
    yield 1 / 0.5, "2"


@derivation.exercise(
    "The average begins at the random weights of the first step. Which share of it do they still have after 9 steps with the "
    "warm-up, and after 1000 steps with the constant decay 0.999? Give a formula for the first.",
    "With the warm-up a product of fractions remains, in which nearly everything cancels: after $n$ steps it is one over the "
    "number of choices of 9 things from $n + 9$, here 1/48620. With the constant decay it is 0.3677: "
    "more than a third of the average is still the random start, and its samples are bad although training goes well.",
    level="hard",
    hint="Follow an average that starts at 1 while all iterates are 0.",
)
def the_start_that_stays():
    ramped, constant = 1.0, 1.0
    for step in range(9):
        ramped = exponential_moving_average(ramped, 0.0, decay=warmup_decay(step, decay=0.9999))
    for _ in range(1000):
        constant = exponential_moving_average(constant, 0.0, decay=0.999)
    yield ramped, "1/48620"
    yield 1 / math.comb(18, 9), "1/48620"
    yield constant, "0.3677"
