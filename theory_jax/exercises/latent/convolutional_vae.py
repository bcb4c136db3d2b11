"""Exercises of the lecture: From a vector to an image: convolutions, their transposes, and checkerboards."""

import jax.numpy as jnp
from sympy import Integer

from theory_jax.latent.convolutional_vae import convolution2d, transposed_convolution2d
from theory_jax.lectures.latent.convolutional_vae import derivation


@derivation.exercise(
    "An image of 28 pixels, a kernel of 4, the stride 2 and the padding 1: how long is the output, and what comes back?",
    "14, and 28.",
    level="easy",
    hint="Insert the numbers into the formula of the size; does the stride divide what the floor is taken of?",
)
def twenty_eight():
    there = convolution2d(jnp.ones((1, 1, 1, 30)), jnp.ones((1, 1, 1, 4)), jnp.zeros(1), stride=2)
    yield there.shape[3], "14"
    yield transposed_convolution2d(there, jnp.ones((1, 1, 1, 4)), jnp.zeros(1), stride=2).shape[3] - 2, "28"


@derivation.exercise(
    "A kernel of 5 x 5 with the stride 2 on a constant image: which counts does a block of 2 x 2 inner pixels have?",
    "3 and 2 along each axis, so 9, 6, 6, 4.",
    level="easy",
    hint="Count the weights along one axis first, for both parities.",
)
def nine_to_four():
    made = transposed_convolution2d(jnp.ones((1, 1, 6, 6)), jnp.ones((1, 1, 5, 5)), jnp.zeros(1), stride=2)
    yield made[0, 0, 6:8, 6:8].ravel(), "9, 6, 6, 4"


@derivation.exercise(
    "An input of 6 with a kernel of 3 and the stride 2, without padding: what comes back from the transposed convolution, and "
    "how can the size be repaired?",
    "The output has 2 entries, and 5 come back: the last input was in no window. One entry more at the end, which libraries call "
    "output padding, repairs the size; nothing is added there but the bias.",
    level="medium",
    hint="Where does the last window of the convolution end?",
)
def a_pixel_is_lost():
    there = convolution2d(jnp.ones((1, 1, 1, 6)), jnp.ones((1, 1, 1, 3)), jnp.zeros(1), stride=2)
    yield there.shape[3], "2"
    yield transposed_convolution2d(there, jnp.ones((1, 1, 1, 3)), jnp.zeros(1), stride=2).shape[3], "5"


@derivation.exercise(
    "At the start of training the weights are independent with mean 0 and variance 1. On a constant image of ones, how large "
    "is the mean squared difference of neighboring inner outputs on one axis, for the transposed convolution with a kernel of "
    "four and the stride 2, and for repeating followed by a kernel of three? How large is the mean square of an output?",
    "The transposed one has 4, at a mean square of 2; repeating has 0, at 3. A stride that divides the kernel makes the counts "
    "equal, not the sums of the weights: a network begins with checkerboards and has to unlearn them.",
    level="medium",
    hint="Which weights does each of two neighbors collect, and which do they share?",
)
def at_the_start():
    ones, none, neighbors = jnp.ones((1, 1, 1, 6)), jnp.zeros(1), []
    for unit in jnp.eye(4):  # an output is linear in the weights: one at a time
        neighbors.append(transposed_convolution2d(ones, unit.reshape(1, 1, 1, 4), none, stride=2)[0, 0, 0, 6:8])
    first, second = jnp.stack(neighbors, axis=1)
    yield jnp.sum((first - second) ** 2), "4"
    yield jnp.sum(first**2), "2"
    neighbors = [convolution2d(ones, unit.reshape(1, 1, 1, 3), none, stride=1)[0, 0, 0, 1:3] for unit in jnp.eye(3)]
    first, second = jnp.stack(neighbors, axis=1)  # of a constant, repeated: a constant
    yield jnp.sum((first - second) ** 2), "0"
    yield jnp.sum(first**2), "3"


@derivation.exercise(
    "Another layer that doubles computes two channels by convolutions with kernels of three, stride 1 and padding 1, and "
    "interleaves their entries (a pixel shuffle). Which transposed convolution is it on one axis? With the kernels (1, 2, 3) "
    "for even entries and (0, 1, 1) for odd ones, what does a constant of ones become inside, and which start draws no "
    "checkerboard?",
    "One of stride 2, padding 2 and a kernel of six, here (3, 1, 2, 1, 1, 0): both kernels turned over and interleaved. The "
    "constant becomes 6, 2, 6, 2. If both channels start with the same kernel, the layer repeats the result of one "
    "convolution, and no constant becomes a checkerboard until training moves them apart.",
    level="hard",
    hint="Follow one input entry: to which entries of both channels does it go, and with which weights?",
)
def a_pixel_shuffle():
    x, none = jnp.array([[[[1.0, 4.0, -2.0, 3.0, 0.5, 1.0]]]]), jnp.zeros(1)
    kernels, joined = jnp.array([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]]), jnp.array([3.0, 1.0, 2.0, 1.0, 1.0, 0.0])
    yield jnp.ravel(kernels[:, ::-1].T), "(3, 1, 2, 1, 1, 0)"

    def shuffled(x):
        padded = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (1, 1)))
        return jnp.ravel(convolution2d(padded, kernels.reshape(2, 1, 1, 3), jnp.zeros(2), stride=1)[0, :, 0].T)

    def transposed(x):
        return transposed_convolution2d(x, joined.reshape(1, 1, 1, 6), none, stride=2)[0, 0, 0, 2:-2]

    yield float(jnp.max(jnp.abs(shuffled(x) - transposed(x)))), Integer(0)
    yield transposed(jnp.ones((1, 1, 1, 6)))[4:8], "6, 2, 6, 2"
