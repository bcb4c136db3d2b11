"""Exercises of the lecture: What made convolutional GANs trainable: batch normalization and even kernels."""

import math

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import prose, where
from theory_jax.lectures.adversarial.dcgan import backward, derivation, eps, g, h, x


@derivation.exercise(
    prose("A batch has two values, and {zero}. What comes out, and what goes back?", zero=where(eps, 0)),
    r"$-1$ and $1$ (or the reverse), whatever the values are; so the gradient is 0, 0.",
    level="easy",
    hint="Both are equally far from their mean.",
)
def two_values():
    yield value(h, {x: (0.3, 5.3), eps: 0}), "$-1$ and $1$"
    yield value(backward, {x: (0.3, 5.3), g: (2, -7), eps: 0}), "0, 0"


@derivation.exercise(
    r"In the example the values are doubled, to 2, 4, 6. What is the gradient?",
    "$h$ stays the same and $r$ is halved, so the gradient is half of the example's: 0.1021, -0.2041, 0.1021.",
    level="easy",
    hint="Which of the factors of the gradient change under a stretch?",
)
def doubled_values():
    yield value(backward, {x: (2, 4, 6), g: (1, 0, 0), eps: 0}), "0.1021, -0.2041, 0.1021"


@derivation.exercise(
    r"By which factor does a layer with 1024 inputs, leaky slope 0.2 and weights from $\mathcal{N}(0, 0.02^2)$ change the mean "
    "square, and which deviation of the weights would keep it?",
    "By 0.2130, the factor above. The deviation 0.0433 would keep it.",
    level="medium",
    hint="Independent weights add squares; the rectifier keeps half of the inputs, and shrinks the others.",
)
def the_factor_of_a_layer():
    yield 1024 * 0.02**2 * (1 + 0.2**2) / 2, "0.2130"
    yield math.sqrt(2 / (1024 * 1.04)), "0.0433"


@derivation.exercise(
    "In the example the gradient that arrives is 5, 7, 9. What goes back, and what if it is 1, 4, 9?",
    "It is 0, 0, 0 first: whatever is linear in the values, up to a constant, is taken out. Of the other only the bend is left, "
    "0.4082, -0.8165, 0.4082.",
    level="medium",
    hint="Split the gradient into its mean, its part along the normalized values, and a rest.",
)
def a_gradient_in_a_line():
    yield value(backward, {x: (1, 2, 3), g: (5, 7, 9), eps: 0}), "0, 0, 0"
    yield value(backward, {x: (1, 2, 3), g: (1, 4, 9), eps: 0}), "0.4082, -0.8165, 0.4082"


@derivation.exercise(
    "The values of a channel are 1, 2, 3 for the data and 7, 9, 11 for the fakes. What can the layers after a batch "
    "normalization see if data and fakes are batches apart, and what if they are one batch? (The small number is zero.)",
    "Apart, both become -1.2247, 0, 1.2247: the generator's wrong mean and scale are invisible from there on. As one batch "
    "they become -1.2063, -0.9382, -0.6702 and 0.4021, 0.9382, 1.4743, apart by sign. DCGAN leaves the discriminator's input "
    "without normalization, so its first layer sees mean and scale.",
    level="hard",
    hint="Compute the fakes' values from the data's by a stretch and a shift.",
)
def two_batches_or_one():
    yield value(h, {x: (1, 2, 3), eps: 0}), "-1.2247, 0, 1.2247"
    yield value(h, {x: (7, 9, 11), eps: 0}), "-1.2247, 0, 1.2247"
    together = value(h, {x: (1, 2, 3, 7, 9, 11), eps: 0})
    yield together[:3], "-1.2063, -0.9382, -0.6702"
    yield together[3:], "0.4021, 0.9382, 1.4743"
