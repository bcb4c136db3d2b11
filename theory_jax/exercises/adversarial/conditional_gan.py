"""Exercises of the lecture.

The adversarial game with labels: what it measures, and what three discriminators make of the label.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, solve

from theory_jax.adversarial.conditional_gan import auxiliary_classifier_discriminator_loss, projection_logit
from theory_jax.adversarial.gan import discriminator_loss, jensen_shannon_divergence, optimal_discriminator_logit
from theory_jax.lectures.adversarial._labels import PAIRS, SHUFFLED
from theory_jax.lectures.adversarial.conditional_gan import derivation


@derivation.exercise(
    "What do the game and the class term become if there is one label?",
    "The game of the lecture on GANs, and 0: the classifier is always right. Here with logits of 0: 1.3863, and the same with "
    "the class terms.",
    level="easy",
    hint="What does a classifier of a single class answer?",
)
def one_label():
    none, one = jnp.zeros(1), jnp.zeros((1, 1))
    yield discriminator_loss(none, none)[0], "1.3863"
    yield auxiliary_classifier_discriminator_loss(none, none, one, one, *(np.zeros(1, int),) * 2)[0], "1.3863"


@derivation.exercise(
    "The data of a class have the mean 2, the generator's the mean 0, both with unit variance. Where is the best logit 0, and "
    "what is the label's vector on the features $(X, 1)$?",
    "At 1, in the middle. The vector is $(2, -2)$.",
    level="easy",
    hint="Compare the two densities; the constant is the product with the feature 1.",
)
def between_two_means():
    vector = jnp.array([[2.0, -(2.0**2) / 2]])
    place = jnp.array([[1.0, 1.0]])
    yield 1 + projection_logit(place, jnp.array([0]), vector, jnp.zeros(2), jnp.asarray(0.0))[0], "1"
    yield vector[0], "(2, -2)"


@derivation.exercise(
    "A generator ignores its label and makes both examples of the worked example equally often. What would the best classifier "
    "say of the first if it is trained on data alone, and if it is trained on fakes, too?",
    r"0.8, and $0.4 + 0.25$ of $0.5 + 0.5$, which is 0.65: fakes with labels that mean nothing teach it to be unsure.",
    level="medium",
    hint="Add the two tables of pairs, and read off the row of the first example.",
)
def two_classifiers():
    yield PAIRS[0, 0] / PAIRS[0].sum(), "0.8"
    yield (PAIRS + SHUFFLED)[0, 0] / (PAIRS + SHUFFLED)[0].sum(), "0.65"


@derivation.exercise(
    "The data have the labels 0.9 and 0.1, the fakes both equally often, and the generator is perfect for each label. What are "
    "the best logits of the two labels, and how large is the divergence that is left?",
    "0.5878 and -1.6094, the logarithms of the ratios of the labels, whatever the example is. The divergence is 0.1017, and no "
    "change of the examples removes it.",
    level="medium",
    hint="The best logit of a pair is a sum of two parts; one of them is zero here.",
)
def other_labels():
    data, fakes = jnp.log(jnp.array([0.9, 0.1])), jnp.log(jnp.array([0.5, 0.5]))
    yield optimal_discriminator_logit(data, fakes), "0.5878 and -1.6094"
    yield jensen_shannon_divergence(data[None], fakes[None]), "0.1017"


@derivation.exercise(
    "Two examples and two labels again: each pair that agrees has the probability a in the data, each other pair 1/2 - a, and "
    "mismatches are shuffled. Up to which a does the generator of the matching-aware game still make pairs that do not agree? "
    "How often does it make each of them at a = 0.35?",
    "Up to 3/8. At 0.35 it makes each with probability 0.05, and the data have 0.15. At 0.4, in the worked example, it makes 0 "
    "of them. So the mismatches sharpen the labels beyond what the data say.",
    level="hard",
    hint="Where the game is won, fakes and mismatches together, half each, are distributed as the data.",
)
def how_many_ambiguous():
    other = np.linspace(0.0, 0.25, 251)
    made = jnp.asarray(np.stack([0.5 - other, other, other, 0.5 - other], axis=1))

    def rests(agree):
        data = jnp.broadcast_to(jnp.array([agree, 0.5 - agree, 0.5 - agree, agree]), made.shape)
        return other[int(jnp.argmin(jensen_shannon_divergence(jnp.log(data), jnp.log((made + 0.25) / 2))))]

    agree = Symbol("a")
    yield solve(2 * (Rational(1, 2) - agree) - Rational(1, 4), agree)[0], "3/8"
    yield rests(0.35), "0.05"
    yield rests(0.4), "0"
