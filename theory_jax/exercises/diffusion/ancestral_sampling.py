"""Exercises of the lecture: Ancestral sampling: the reverse process, walked."""

import jax.numpy as jnp

from theory_jax.diffusion._gaussian_data import noised_variance
from theory_jax.diffusion.ancestral_sampling import dynamic_threshold, gaussian_sampling_variance
from theory_jax.lectures.diffusion.ancestral_sampling import _LEVELS, derivation


@derivation.exercise(
    "In the example, which variance of the second step leaves only the start and the last noise in the error, for data of "
    "variance one quarter?",
    r"The true one, $\beta_2 V_1 / V_2$, which is 0.2312. It is between 0.1420 and 0.36.",
)
def the_right_variance():
    yield 0.36 * noised_variance(0.25, 0.81) / noised_variance(0.25, 0.5184), "0.2312"


@derivation.exercise(
    r"All data are at one point. What is $v_0$?",
    "The best prediction is exact, so the last step returns the point itself: the samples have variance 0, whatever the earlier "
    "steps did.",
)
def one_point():
    yield gaussian_sampling_variance(jnp.zeros(1), _LEVELS)[0], "0"


@derivation.exercise(
    r"The data are $(1, \dots, 1)$ in 12 dimensions, and the prediction is $(3, 1, \dots, 1)$. What is its squared error, as it "
    "is, clipped to $[-1, 1]$, and after the dynamic threshold with 3 for $S$?",
    r"As it is 4, clipped 0. The threshold turns the prediction into $(1, \frac13, \dots, \frac13)$, with the error $11 \cdot "
    r"\frac49$, which is 4.8889.",
)
def the_threshold_moves_correct_entries():
    x = jnp.ones((1, 12)).at[0, 0].set(3.0)
    yield jnp.sum((x - 1) ** 2), "4"
    yield jnp.sum((jnp.clip(x, -1, 1) - 1) ** 2), "0"
    yield jnp.sum((dynamic_threshold(x, quantile=1.0) - 1) ** 2), "4.8889"
