"""Exercises of the lecture: Progressive growing."""

import jax.numpy as jnp

from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.adversarial.progressive_growing import equalized_weight, growth_schedule
from theory_jax.lectures.adversarial._fading import of_pixel
from theory_jax.lectures.adversarial.progressive_growing import derivation


@derivation.exercise(
    "A stage has ten steps, and four of them fade. What is $\\alpha$ in the third stage, and what is its mean?",
    "0, 1/4, 1/2, 3/4, and then six times 1; the mean is $1 - 5/20$, that is 3/4.",
)
def one_stage():
    _, shares = growth_schedule(jnp.arange(20, 30), stage_steps=10, fade_steps=4)
    yield shares[:4], "0, 1/4, 1/2, 3/4"
    yield jnp.mean(shares), "3/4"


@derivation.exercise(
    "One channel of 512 is active at a pixel. What does pixel normalization make of it? And of 512 equal channels?",
    r"$\sqrt{512}$, 22.627, the largest possible value but for the small number, and 1.",
)
def one_active_channel():
    yield of_pixel(jnp.zeros(512).at[7].set(3.0), 1e-8)[7], "22.627"
    yield of_pixel(jnp.full(512, 3.0), 1e-8)[0], "1"


@derivation.exercise(
    "Which gain keeps the mean square through leaky rectifiers of slope 0.2 (the lecture on convolutional GANs)? What do ten "
    r"such layers make of it with the gain $\sqrt 2$?",
    r"The squares of a unit's weights sum to $\gamma^2$ on average, and a leaky rectifier keeps the share $(1 + 0.04)/2$, 0.52, "
    r"of a symmetric input's mean square: the gain is $\sqrt{1/0.52}$, 1.3868. With $\sqrt 2$ each layer multiplies by 1.04: "
    "1.480 after ten.",
)
def the_gain_of_a_leaky_rectifier():
    kept = jnp.mean(leaky_rectifier(jnp.array([1.0, -1.0])) ** 2)
    yield 1 / jnp.sqrt(kept), "1.3868"
    unit = jnp.sum(equalized_weight(jnp.ones((1, 64))) ** 2)
    yield (kept * unit) ** 10, "1.480"
