"""Exercises of the lecture: From supervised text to preferences: two roads to one policy."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.lectures.preference._two_roads import REFERENCE, VERDICTS, tilts
from theory_jax.lectures.preference.pipeline import derivation
from theory_jax.preference.pipeline import completion_mask, supervised_loss, win_rate


@derivation.exercise(
    "What is the win rate of the tilt in the example, at the price 1, if ties count as wins?",
    r"$\frac14 \cdot \frac12 + \frac14 \cdot \frac34 + \frac12$, that is 13/16.",
)
def ties_won():
    yield 0.25 * 0.5 + 0.25 * 0.75 + 0.5, "13/16"
    yield jnp.exp(tilts((1.0,))[0]) @ np.ceil(VERDICTS) @ np.exp(REFERENCE), "13/16"


@derivation.exercise(
    r"A text of 3 tokens has a prompt of 1. Which logits have slopes in the supervised loss, and how large is the loss if every "
    r"token is one of two, equally likely?",
    r"Those at 0 and 1, the first of which is at the prompt; the loss is $\log 2$, 0.6931 nats a token.",
)
def which_logits():
    tokens, mask = np.zeros((1, 3), int), completion_mask(np.array([1]), np.array([3]), width=3)
    slopes = jax.grad(lambda logits: supervised_loss(tokens, logits, mask)[0])(jnp.zeros((1, 3, 2)))
    yield np.flatnonzero(np.abs(slopes).sum((0, 2))), "0 and 1"
    yield supervised_loss(tokens, jnp.zeros((1, 3, 2)), mask)[0], "0.6931"


@derivation.exercise(
    r"How often can a policy at most win against a reference that gives 8 completions of different rewards the same probability?",
    r"It draws the best alone, which the reference also draws in one case of 8: $1 - \frac{1}{16}$, or 0.9375.",
)
def the_largest_win_rate():
    yield win_rate(jnp.full(8, 7.0), jnp.arange(8.0)), "0.9375"
