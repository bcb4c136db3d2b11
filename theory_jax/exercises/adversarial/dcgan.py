"""Exercises of the lecture: What made convolutional GANs trainable: batch normalization and even kernels."""

import math

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import prose, where
from theory_jax.lectures.adversarial.dcgan import backward, derivation, eps, g, h, x


@derivation.exercise(
    prose("A batch has two values, and {zero}. What comes out, and what goes back?", zero=where(eps, 0)),
    r"$-1$ and $1$ (or the reverse), whatever the values are; so the gradient is 0, 0.",
)
def two_values():
    yield value(h, {x: (0.3, 5.3), eps: 0}), "$-1$ and $1$"
    yield value(backward, {x: (0.3, 5.3), g: (2, -7), eps: 0}), "0, 0"


@derivation.exercise(
    r"In the example the values are doubled, to 2, 4, 6. What is the gradient?",
    "$h$ stays the same and $r$ is halved, so the gradient is half of the example's: 0.1021, -0.2041, 0.1021.",
)
def doubled_values():
    yield value(backward, {x: (2, 4, 6), g: (1, 0, 0), eps: 0}), "0.1021, -0.2041, 0.1021"


@derivation.exercise(
    r"By which factor does a layer with 1024 inputs, leaky slope 0.2 and weights from $\mathcal{N}(0, 0.02^2)$ change the mean "
    "square, and which deviation of the weights would keep it?",
    "By 0.2130, the factor above. The deviation 0.0433 would keep it.",
)
def the_factor_of_a_layer():
    yield 1024 * 0.02**2 * (1 + 0.2**2) / 2, "0.2130"
    yield math.sqrt(2 / (1024 * 1.04)), "0.0433"
