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
    level="easy",
    hint="Leave out the weight of the first word, and scale the others so that they sum to one.",
)
def the_last_two():
    yield _answer(1.0, hidden=(0,)), "-0.3333"


@derivation.exercise(
    'What does attention answer to the captions "red circle, blue square" and "blue circle, red square", if the words are '
    "embedded one by one?",
    "The same at every pixel: the difference is 0. The order must be written into the words' vectors by the text encoder.",
    level="easy",
    hint="Which words are there in either caption?",
)
def order_does_not_enter():
    first = cross_attention(*_one_channel(0.7, [1.0, 2.0, -1.0, 0.5]), *(jnp.ones((1, 1)) for _ in range(4)), num_heads=1)
    other = cross_attention(*_one_channel(0.7, [-1.0, 2.0, 1.0, 0.5]), *(jnp.ones((1, 1)) for _ in range(4)), num_heads=1)
    yield jnp.abs(first - other).max(), "0"


@derivation.exercise(
    "How fast does the answer of the pixel 1 grow with the score of the first word, if all are shown?",
    prose(
        "By its weight times what its value has more than the answer, {product}, which is 0.3265.",
        product=holds(times(Rational(4, 7), plus(1, -Rational(3, 7))), "=", Rational(16, 49)),
    ),
    level="medium",
    hint="The slope of the answer in a score is on the page; insert the weights of the example.",
)
def slope_of_the_answer():
    step = 1e-6
    weights = np.exp(np.log(2.0) * np.array([1.0, 0.0, -1.0]))
    moved = weights * np.array([np.exp(step), 1.0, 1.0])
    yield (moved @ [1, 0, -1] / moved.sum() - weights @ [1, 0, -1] / weights.sum()) / step, "0.3265"


@derivation.exercise(
    "A caption of two words is padded to 77, and the 75 hidden words get a fill value for their scores, with the scores of the "
    "shown words 0. Which share of the weight do the hidden words get at the fill values -4 and -10?",
    "At -4 it is 0.4072, and at -10 0.0017: what looks negligible for one word is not for 75.",
    level="medium",
    hint="Each hidden word has the exponential of the fill value, each shown word 1.",
)
def many_hidden_words():
    def share(filled):
        words = np.full(77, float(filled))
        words[:2] = 0
        weights = np.exp(words) / np.exp(words).sum()
        return weights[2:].sum()

    yield share(-4), "0.4072"
    yield share(-10), "0.0017"


@derivation.exercise(
    r"In a data set each image has, with probability $\eta$, the caption of another image that was drawn at random, as if the "
    "noisy image were not there. How much of the worth of captions is left? Take the coin of the example, and exchange a fifth.",
    r"The share $(1 - \eta)^2$: the best prediction with a caption moves toward that without one by the share $\eta$, and the "
    "worth is its squared distance. With the coin 0.0576 is left of 0.09, so a fifth of wrong captions costs 36 percent.",
    level="hard",
    hint="Write the noise for a caption as a mixture of two distributions; which mean has the second one?",
)
def exchanged_captions():
    right = np.array([[0.8, 0.2], [0.2, 0.8]])  # of the noise 0 or 1, for a caption that names it

    def worth(share):
        mixed = (1 - share) * right + share * right.mean(axis=0)
        predicted = mixed @ [0.0, 1.0]
        return np.mean((predicted - predicted.mean()) ** 2)

    yield worth(0.2), "0.0576"
    yield worth(0.0), "0.09"
    yield 100 * (1 - worth(0.2) / worth(0.0)), "36"
