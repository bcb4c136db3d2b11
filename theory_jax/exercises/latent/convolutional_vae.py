"""Exercises of the lecture: From a vector to an image: convolutions, their transposes, and checkerboards."""

import jax.numpy as jnp

from theory_jax.latent.convolutional_vae import convolution2d, transposed_convolution2d
from theory_jax.lectures.latent.convolutional_vae import derivation


@derivation.exercise(
    "An image of 28 pixels, a kernel of 4, the stride 2 and the padding 1: how long is the output, and what comes back?",
    "14, and 28.",
)
def twenty_eight():
    there = convolution2d(jnp.ones((1, 1, 1, 30)), jnp.ones((1, 1, 1, 4)), jnp.zeros(1), stride=2)
    yield there.shape[3], "14"
    yield transposed_convolution2d(there, jnp.ones((1, 1, 1, 4)), jnp.zeros(1), stride=2).shape[3] - 2, "28"


@derivation.exercise(
    "A kernel of 5 x 5 with the stride 2 on a constant image: which counts does a block of 2 x 2 inner pixels have?",
    "3 and 2 along each axis, so 9, 6, 6, 4.",
)
def nine_to_four():
    made = transposed_convolution2d(jnp.ones((1, 1, 6, 6)), jnp.ones((1, 1, 5, 5)), jnp.zeros(1), stride=2)
    yield made[0, 0, 6:8, 6:8].ravel(), "9, 6, 6, 4"


@derivation.exercise(
    "An input of 6 with a kernel of 3 and the stride 2, without padding: what comes back from the transposed convolution, and "
    "how can the size be repaired?",
    "The output has 2 entries, and 5 come back: the last input was in no window. One entry more at the end, which libraries call "
    "output padding, repairs the size; nothing is added there but the bias.",
)
def a_pixel_is_lost():
    there = convolution2d(jnp.ones((1, 1, 1, 6)), jnp.ones((1, 1, 1, 3)), jnp.zeros(1), stride=2)
    yield there.shape[3], "2"
    yield transposed_convolution2d(there, jnp.ones((1, 1, 1, 3)), jnp.zeros(1), stride=2).shape[3], "5"
