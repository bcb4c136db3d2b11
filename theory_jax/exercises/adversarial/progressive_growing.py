"""Exercises of the lecture: Progressive growing."""

import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.adversarial.progressive_growing import equalized_weight, growth_schedule
from theory_jax.lectures.adversarial._fading import SIGNS, faded_block, moved, of_pixel
from theory_jax.lectures.adversarial.progressive_growing import derivation


@derivation.exercise(
    "A stage has ten steps, and four of them fade. What is $\\alpha$ in the third stage, and what is its mean?",
    "0, 1/4, 1/2, 3/4, and then six times 1; the mean is $1 - 5/20$, that is 3/4.",
    level="easy",
    hint="Write down the shares of the ten steps.",
)
def one_stage():
    _, shares = growth_schedule(jnp.arange(20, 30), stage_steps=10, fade_steps=4)
    yield shares[:4], "0, 1/4, 1/2, 3/4"
    yield jnp.mean(shares), "3/4"


@derivation.exercise(
    "One channel of 512 is active at a pixel. What does pixel normalization make of it? And of 512 equal channels?",
    r"$\sqrt{512}$, 22.627, the largest possible value but for the small number, and 1.",
    level="easy",
    hint="What is the mean square over the channels?",
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
    level="medium",
    hint="Which share of a symmetric input's mean square does the rectifier keep?",
)
def the_gain_of_a_leaky_rectifier():
    kept = jnp.mean(leaky_rectifier(jnp.array([1.0, -1.0])) ** 2)
    yield 1 / jnp.sqrt(kept), "1.3868"
    unit = jnp.sum(equalized_weight(jnp.ones((1, 64))) ** 2)
    yield (kept * unit) ** 10, "1.480"


@derivation.exercise(
    r"In the example of two blocks, $\pm(1, -1, 1, -1)$, by how much does the bound allow the Wasserstein distance to change "
    "in one step of a fade of 400 steps? By how much does it change?",
    "By 0.01, and it changes by as much: each block has details of length 2, so the bound is 4/400, and the distance is 4 "
    "times the share. Here the critic that is best at one share is best at all of them.",
    level="medium",
    hint="Both details, the real and the generated one, count in the bound.",
)
def a_step_of_the_fade():
    lengths = np.sqrt((SIGNS.reshape(2, -1) ** 2).sum(axis=1))
    yield lengths.sum() / 400, "0.01"
    one, other = (
        np.linalg.norm(np.subtract(*(faded_block(signs, share) for signs in ([1, -1, 1, -1], [-1, 1, -1, 1]))))
        for share in (0.5, 0.5025)
    )
    yield other - one, "0.01"
    yield one / 0.5, "4"


@derivation.exercise(
    "All inputs of a unit are 1, and all its slopes are equal. By how much does Adam's first step at the rate 0.001 move the "
    "output, relative to the output's initial standard deviation, with equalized weights and 16 or 4,608 inputs? Do all layers "
    "learn at one speed in this sense?",
    "By 0.004 and 0.0679. All weights move in one direction, so the output moves by the number of inputs times a weight's "
    r"step, $0.001\, c_N$, but its initial standard deviation is only $\sqrt N\, c_N$. Weights learn at one relative speed, "
    r"outputs of wide layers still move by $\sqrt N$ times as much.",
    level="hard",
    hint="Steps of one sign add up; initial weights of random signs add up like a random walk.",
)
def speed_of_an_output():
    for inputs, said in ((16, "0.004"), (4608, "0.0679")):
        applied = equalized_weight(jnp.ones((1, inputs)), gain=1.0)[0]
        yield jnp.sum(applied) * moved(inputs, True) / jnp.sqrt(jnp.sum(applied**2)), said
