"""Exercises of the lecture: Vector quantization: a discrete code, trained by gradients."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import sympify

from theory_jax.latent.vector_quantization import codebook_perplexity, ema_codebook_update, nearest_code, vector_quantization_loss
from theory_jax.lectures.latent.vector_quantization import _line, derivation


@derivation.exercise(
    "Where is the border between the codes $(0, 0)$ and $(2, 0)$, and which code has a vector on it?",
    "Where the first coordinate is 1. A vector there is as near to both, and gets the lower index, 0.",
    level="easy",
    hint="Which points are as far from one code as from the other?",
)
def a_border():
    yield np.mean([0.0, 2.0]), "1"
    yield nearest_code(np.array([[1.0, 5.0]]), np.array([[0.0, 0.0], [2.0, 0.0]]))[0], "0"


@derivation.exercise(
    r"The example's vectors, no memory and $\epsilon$ at 0.5: what are the smoothed counts and the codes?",
    "The counts 2 and 1 become 1.875 and 1.125, and the sums 1.2 and 1.8 give the codes 0.64 and 1.6, not the means 0.6 and 1.8.",
    level="easy",
    hint="Add one half to both counts, and rescale them so that their sum is 3 again.",
)
def smoothed():
    zero = np.zeros(2)
    moved = ema_codebook_update(_line, np.array([0, 0, 1]), zero, zero[:, None], decay=0.0, epsilon=0.5)
    yield moved[1][:, 0] / moved[2][:, 0], "1.875 and 1.125"
    yield moved[2][:, 0], "0.64 and 1.6"


@derivation.exercise(
    "Two of four codes are used equally often. What does a learned prior gain over a uniform one, in nats and in bits?",
    r"$\log 4 - \log 2$, 0.6931 nats, one bit for every code that is written: it knows that two codes never occur.",
    level="medium",
    hint="The best learned prior is the distribution of the codes that are used.",
)
def a_learned_prior():
    perplexity = codebook_perplexity(np.array([0, 2, 0, 2]), num_codes=4)
    yield np.log(4) - jnp.log(perplexity), "0.6931"


@derivation.exercise(
    r"A vector $z$ is at 1, its code $e$ at 0; both make gradient steps of size 0.1 on the quantizer's loss with $\beta$ at "
    "0.25, and the decoder has no say. By which factor does their distance shrink in a step, and where do they meet?",
    r"By 0.75: the code comes by 0.2 of the distance, the vector by 0.05. No step changes $z + \beta e$, so they meet at 0.8: "
    "the code travels four times as far as the vector.",
    level="medium",
    hint="Write both steps in the distance; then look for a sum of both positions that does not change.",
)
def where_they_meet():
    z, e = jnp.ones((1, 1)), jnp.zeros((1, 1))
    slopes = jax.grad(lambda z, e: vector_quantization_loss(z, e, commitment=0.25).sum(), argnums=(0, 1))
    for step in range(100):
        of_z, of_code = slopes(z, e)
        if not step:
            yield (-0.1 * of_code[0, 0], 0.1 * of_z[0, 0]), "0.2 of the distance, the vector by 0.05"
        z, e = z - 0.1 * of_z, e - 0.1 * of_code
        if not step:
            yield (z - e)[0, 0], "0.75"
    yield z[0, 0], "0.8"
    yield e[0, 0], "0.8"


@derivation.exercise(
    "Find four vectors in a plane and two codes at which Lloyd's steps are at rest, although the sum of squares is 16 times "
    "as large as it could be.",
    "The corners of a rectangle of width 4 and height 1. With the codes in the middle of the long sides the sum is 16, with "
    "those in the middle of the short sides 1. Both pairs are the means of their cells, so no step moves them: the start "
    "decides, and no bound holds for the ratio, the square of width over height.",
    level="hard",
    hint="Take the corners of a rectangle, and the two ways of halving it.",
)
def at_rest_far_from_the_best():
    corners = np.array([[x, y] for x in (-2.0, 2.0) for y in (-0.5, 0.5)])
    for codes, found in ((np.array([[0.0, -0.5], [0.0, 0.5]]), "16"), (np.array([[-2.0, 0.0], [2.0, 0.0]]), "1")):
        named = nearest_code(corners, codes)
        yield np.sum((corners - codes[np.asarray(named)]) ** 2), found
        _, _, moved = ema_codebook_update(corners, named, np.zeros(2), np.zeros((2, 2)), decay=0.0, epsilon=1e-12)
        yield sympify(float(np.abs(moved - codes).max().round(9))), sympify(0.0)
