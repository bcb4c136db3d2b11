"""Exercises of the lecture: U-Net: time as rotations, blocks that begin as the identity, and what a skip connection carries."""

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.draws import draw
from theory_jax.diffusion.unet import residual_block
from theory_jax.lectures.diffusion._unet import block
from theory_jax.lectures.diffusion.unet import derivation
from theory_jax.networks.time_embedding import sinusoidal_time_embedding


@derivation.exercise(
    r"By how many pixels of the input does one $3 \times 3$ convolution widen the field of view after $k$ halvings? After three?",
    r"It adds one pixel of its own level on each side, so $2 \cdot 2^k$ pixels of the input; after three halvings 16.",
    level="easy",
    hint="How many pixels of the input does a pixel stand for after so many halvings?",
)
def field_of_view():
    yield 2 * 2**3, "16"


@derivation.exercise(
    r"What is the least loss of a network without skip connections behind two halvings, on images of $32 \times 32 \times 3$?",
    r"$\frac{15}{16}$ of $3072$, so 2880.",
    level="easy",
    hint="A block has 16 pixels then, and one of 16 directions is seen.",
)
def behind_two_halvings():
    yield (1 - 4**-2) * 32 * 32 * 3, "2880"


@derivation.exercise(
    r"By what factor do ten blocks change the variance, if each branch has the variance of its input and is uncorrelated with "
    r"it? And if their last convolutions are zero?",
    "By $2^{10}$, which is 1024, and by 1.",
    level="medium",
    hint="Uncorrelated variances add; and a block whose last convolution is zero returns its input.",
)
def ten_blocks():
    yield 2**10, "1024"
    x, embedding, parameters = draw(1, 2, 3, 3), draw(1, 5, seed=2), block()
    parameters[8:] = 0 * parameters[8], 0 * parameters[9]
    y = x
    for _ in range(10):
        y = residual_block(y, embedding, *parameters, num_groups=2)
    yield jnp.var(y) / jnp.var(x), "1"


@derivation.exercise(
    "The frequencies are those of the example, for levels from 0 to 1000. By mistake the network is given the level divided by "
    "1000. How far apart, squared, are the embeddings of two neighboring levels, with and without the mistake, and those of the "
    "first and the last level with it?",
    "0.9195 without, and 0.000001 with it: neighbors can hardly be told apart. The first and the last level are 0.9195 apart, "
    "as far as neighbors should be.",
    level="medium",
    hint="The squared distance is a sum of squared sines of half of the difference of the times, times each frequency.",
)
def a_scaled_time():
    def apart(first, second):
        found = sinusoidal_time_embedding(jnp.array([first, second]), dim=4, max_period=100.0)
        return jnp.sum((found[0] - found[1]) ** 2)

    yield apart(500.0, 501.0), "0.9195"
    yield apart(0.5, 0.501), "0.000001"
    yield apart(0.0, 1.0), "0.9195"


@derivation.exercise(
    "Halving keeps, instead of the mean of a block of four pixels, one pixel; or the mean and a horizontal difference, as two "
    "channels; or all four pixels, as four channels. What is the least loss of a block without a skip connection? Which "
    "number of the halving decides?",
    "Where the data are known it is 3, 2 and 0, in general 4 less the rank of the map from pixels to channels: the noise in "
    "the directions that it removes is independent of all that is seen. Otherwise the loss is larger still. So picking pixels "
    "loses as much noise as averaging them, and a map without loss needs no skip connection for this.",
    level="hard",
    hint="Split the noise of a block into the part in the rows of the map and the part that is orthogonal to them.",
)
def other_halvings():
    for kept, printed in (([[1, 0, 0, 0]], "3"), ([[1 / 4] * 4], "3"), ([[1 / 4] * 4, [1, -1, 1, -1]], "2"), (np.eye(4), "0")):
        kept = np.array(kept, dtype=float)
        yield np.trace(np.eye(4) - np.linalg.pinv(kept) @ kept), printed
