"""Exercises of the lecture: Rectified flow: train on the pairs that the flow itself makes, and its paths become straight."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.flows.rectified_flow import straightness, transport_cost
from theory_jax.lectures.flows.rectified_flow import _field_of, _second_field, derivation


@derivation.exercise(
    r"Noise and data have the same distribution, $c = 1$. What are $C_0$, $C_1$, $S$ and $W$?",
    r"2, 0, $2 - \frac{\pi}{2} = 0.4292$ and $\frac{\pi}{2} = 1.5708$: independent pairs cost 2, the flow takes every start back "
    r"to itself, on a path that bends.",
)
def the_same_law():
    yield transport_cost(np.ones((1, 1)), np.array([[1.0]]))[0], "0"
    grid = jnp.linspace(0.0, 1.0, 257)
    first, second = (straightness(jnp.ones((1, 1)), some, _field_of(1.0))[0] for some in (grid[::2], grid))
    yield jnp.round(2 * second - first, 4), "0.4292"
    yield math.pi / 2, "1.5708"


@derivation.exercise(
    r"What is the mean of the cost $|x_1 - x_0|$ for $c = 4$, before and after the first round?",
    r"$x_1 - x_0$ is normal with variance 5, then 1, so it is $\sqrt{2/\pi} \sqrt 5 = 1.7841$, then $\sqrt{2/\pi} = 0.7979$: it "
    r"falls, too, as the absolute value is convex.",
)
def another_cost():
    yield math.sqrt(2 / math.pi * 5), "1.7841"
    yield math.sqrt(2 / math.pi), "0.7979"


@derivation.exercise(
    r"How many rounds does the telescope need to promise $S + W \le 0.1$ for $c = 4$, and how many are needed?",
    r"$C_0 = 5$, so it promises it for 50. Two are enough: the second round has $S + W = 0$.",
)
def rounds():
    yield 5 / 0.1, "50"
    again = straightness(jnp.ones((1, 1)), jnp.linspace(0.0, 1.0, 9), _second_field)
    yield jnp.round(again[0], 12), "0"
