"""Exercises of the lecture: Heun's sampler: from noise to data along a curve, with a second slope for every step."""

import math

import jax.numpy as jnp
from sympy import sqrt

from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.heun_sampler import churn, denoising_euler_step, karras_sigmas
from theory_jax.lectures.diffusion.heun_sampler import _one, derivation, gamma


@derivation.exercise(
    "How many evaluations of the denoiser do 18 steps take? How large is the last step that is not to 0, over its level?",
    r"$2 \cdot 18 - 1$, that is 35. From $\sigma_{16}$, which is 0.00753, to 0.002: 0.7343 of its level.",
)
def eighteen_steps():
    levels = karras_sigmas(num_steps=18)
    yield 2 * (len(levels) - 1) - 1, "35"
    yield levels[16], "0.00753"
    yield 1 - levels[17] / levels[16], "0.7343"


@derivation.exercise(
    r"The data are a single point $y$. Where does one step of Euler's method from any level to 0 end?",
    "At the point itself, here at 3, since the denoiser always returns it: the curve is a straight line.",
)
def a_point():
    yield denoising_euler_step(_one(7)[None], _one(5), _one(0), lambda x, level: 0 * x + 3), "3"


@derivation.exercise(
    r"By which factor does churn raise the variance of the noise at its largest, $\sqrt2 - 1$, with noise of scale 1?",
    prose("By the factor {factor}.", factor=holds((1 + gamma) ** 2, "=", 2, when={gamma: sqrt(2) - 1})),
)
def doubled():
    yield churn(jnp.zeros((1, 1)), jnp.ones((1, 1)), _one(1), gamma=math.sqrt(2) - 1, noise_scale=1.0)[1] ** 2, "2"
