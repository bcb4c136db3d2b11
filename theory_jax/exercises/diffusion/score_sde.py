"""Exercises of the lecture: Diffusion in continuous time, and the equations that run it backward."""

import jax.numpy as jnp

from theory_jax.diffusion.score_sde import variance_preserving_alpha_bar
from theory_jax.lectures.diffusion._equations import RATE, variance_after
from theory_jax.lectures.diffusion.score_sde import derivation


@derivation.exercise(
    r"Which variance have data of variance 1 at a time at which $e^{-B}$ is $\frac14$? And data of variance 4?",
    r"1, as at every time; and $\frac44 + \frac34$, which is 1.75.",
)
def variances():
    left = variance_preserving_alpha_bar(jnp.array(1.0), beta_min=RATE, beta_max=RATE)
    yield [1 * left + 1 - left], "1"
    yield 4 * left + 1 - left, "1.75"


@derivation.exercise(
    r"A chain has the constant rate 2 up to time 1. What is left of the data's variance after 10 steps, and in the limit?",
    r"$(1 - 0.2)^{10}$, or 0.1074, and $e^{-2}$, or 0.1353: the chain keeps less.",
)
def ten_steps():
    yield 0.8**10, "0.1074"
    yield variance_preserving_alpha_bar(jnp.array(1.0), beta_min=2.0, beta_max=2.0), "0.1353"


@derivation.exercise(
    r"A sampler takes the drift of the ordinary equation, $f - \frac12 g^2 s$, but adds the full noise. Which variance does it "
    "reach in the example, in 40 steps?",
    r"6.16 in place of 4: half of the score does not gather what the noise spreads.",
)
def half_of_the_score():
    yield variance_after(40, 1.75, half=0.5), "6.16"
