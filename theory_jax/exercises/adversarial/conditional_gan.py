"""Exercises of the lecture.

The adversarial game with labels: what it measures, and what three discriminators make of the label.
"""

import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.conditional_gan import auxiliary_classifier_discriminator_loss, projection_logit
from theory_jax.adversarial.gan import discriminator_loss
from theory_jax.lectures.adversarial._labels import PAIRS, SHUFFLED
from theory_jax.lectures.adversarial.conditional_gan import derivation


@derivation.exercise(
    "What do the game and the class term become if there is one label?",
    "The game of the lecture on GANs, and 0: the classifier is always right. Here with logits of 0: 1.3863, and the same with "
    "the class terms.",
)
def one_label():
    none, one = jnp.zeros(1), jnp.zeros((1, 1))
    yield discriminator_loss(none, none)[0], "1.3863"
    yield auxiliary_classifier_discriminator_loss(none, none, one, one, *(np.zeros(1, int),) * 2)[0], "1.3863"


@derivation.exercise(
    "The data of a class have the mean 2, the generator's the mean 0, both with unit variance. Where is the best logit 0, and "
    "what is the label's vector on the features $(X, 1)$?",
    "At 1, in the middle. The vector is $(2, -2)$.",
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
)
def two_classifiers():
    yield PAIRS[0, 0] / PAIRS[0].sum(), "0.8"
    yield (PAIRS + SHUFFLED)[0, 0] / (PAIRS + SHUFFLED)[0].sum(), "0.65"
