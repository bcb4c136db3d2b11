"""Exercises of the lecture: Text conditioning: what a caption is worth, and attention to its words."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.text_conditioning import cross_attention
from theory_jax.lectures.diffusion.text_conditioning import _answer, _one_channel, derivation


@derivation.exercise(
    "What is the answer of the pixel 1 in the example if only the last two words are shown?",
    prose("It is -0.3333, since the weights are {first} and {second}.", first=Rational(2, 3), second=Rational(1, 3)),
)
def the_last_two():
    yield _answer(1.0, hidden=(0,)), "-0.3333"


@derivation.exercise(
    "How fast does the answer of the pixel 1 grow with the score of the first word, if all are shown?",
    prose(
        "By its weight times what its value has more than the answer, {product}, which is 0.3265.",
        product=holds(times(Rational(4, 7), plus(1, -Rational(3, 7))), "=", Rational(16, 49)),
    ),
)
def slope_of_the_answer():
    step = 1e-6
    weights = np.exp(np.log(2.0) * np.array([1.0, 0.0, -1.0]))
    moved = weights * np.array([np.exp(step), 1.0, 1.0])
    yield (moved @ [1, 0, -1] / moved.sum() - weights @ [1, 0, -1] / weights.sum()) / step, "0.3265"


@derivation.exercise(
    'What does attention answer to the captions "red circle, blue square" and "blue circle, red square", if the words are '
    "embedded one by one?",
    "The same at every pixel: the difference is 0. The order must be written into the words' vectors by the text encoder.",
)
def order_does_not_enter():
    first = cross_attention(*_one_channel(0.7, [1.0, 2.0, -1.0, 0.5]), *(jnp.ones((1, 1)) for _ in range(4)), num_heads=1)
    other = cross_attention(*_one_channel(0.7, [-1.0, 2.0, 1.0, 0.5]), *(jnp.ones((1, 1)) for _ in range(4)), num_heads=1)
    yield jnp.abs(first - other).max(), "0"
