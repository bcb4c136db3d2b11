"""Exercises of the lecture: U-Net: time as rotations, blocks that begin as the identity, and what a skip connection carries."""

import jax.numpy as jnp

from theory_jax.derivation.draws import draw
from theory_jax.diffusion.unet import residual_block
from theory_jax.lectures.diffusion._unet import block
from theory_jax.lectures.diffusion.unet import derivation


@derivation.exercise(
    r"By how many pixels of the input does one $3 \times 3$ convolution widen the field of view after $k$ halvings? After three?",
    r"It adds one pixel of its own level on each side, so $2 \cdot 2^k$ pixels of the input; after three halvings 16.",
)
def field_of_view():
    yield 2 * 2**3, "16"


@derivation.exercise(
    r"What is the least loss of a network without skip connections behind two halvings, on images of $32 \times 32 \times 3$?",
    r"$\frac{15}{16}$ of $3072$, so 2880.",
)
def behind_two_halvings():
    yield (1 - 4**-2) * 32 * 32 * 3, "2880"


@derivation.exercise(
    r"By what factor do ten blocks change the variance, if each branch has the variance of its input and is uncorrelated with "
    r"it? And if their last convolutions are zero?",
    "By $2^{10}$, which is 1024, and by 1.",
)
def ten_blocks():
    yield 2**10, "1024"
    x, embedding, parameters = draw(1, 2, 3, 3), draw(1, 5, seed=2), block()
    parameters[8:] = 0 * parameters[8], 0 * parameters[9]
    y = x
    for _ in range(10):
        y = residual_block(y, embedding, *parameters, num_groups=2)
    yield jnp.var(y) / jnp.var(x), "1"
