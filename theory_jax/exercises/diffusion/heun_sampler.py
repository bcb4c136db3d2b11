"""Exercises of the lecture: Heun's sampler: from noise to data along a curve, with a second slope for every step."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integer, Rational, Symbol, cos, sqrt, tan, trigsimp

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.heun_sampler import churn, denoising_euler_step, karras_sigmas
from theory_jax.lectures.diffusion.heun_sampler import U, V, _one, c, derivation, first, gamma, sigma, tau


@derivation.exercise(
    r"The data are a single point $y$. Where does one step of Euler's method from any level to 0 end?",
    "At the point itself, here at 3, since the denoiser always returns it: the curve is a straight line.",
    level="easy",
    hint="What does the denoiser return there?",
)
def a_point():
    yield denoising_euler_step(_one(7)[None], _one(5), _one(0), lambda x, level: 0 * x + 3), "3"


@derivation.exercise(
    r"By which factor does churn raise the variance of the noise at its largest, $\sqrt2 - 1$, with noise of scale 1?",
    prose("By the factor {factor}.", factor=holds((1 + gamma) ** 2, "=", 2, when={gamma: sqrt(2) - 1})),
    level="easy",
    hint="The level is multiplied by one more than the share that is added.",
)
def doubled():
    yield churn(jnp.zeros((1, 1)), jnp.ones((1, 1)), _one(1), gamma=math.sqrt(2) - 1, noise_scale=1.0)[1] ** 2, "2"


@derivation.exercise(
    "How many evaluations of the denoiser do 18 steps take? How large is the last step that is not to 0, over its level?",
    r"$2 \cdot 18 - 1$, that is 35. From $\sigma_{16}$, which is 0.00753, to 0.002: 0.7343 of its level.",
    level="easy",
    hint="Every step but the last takes two slopes.",
)
def eighteen_steps():
    levels = karras_sigmas(num_steps=18)
    yield 2 * (len(levels) - 1) - 1, "35"
    yield levels[16], "0.00753"
    yield 1 - levels[17] / levels[16], "0.7343"


@derivation.exercise(
    "All steps but the last are exact, and the last one is Euler's, from a level $\\sigma$ to 0. Which share of the variance of "
    r"normal data do the samples lose, and how much is it for data of variance $\frac14$ from 0.002 and from 0.5?",
    prose(
        "The step keeps {kept} of the variance, so the share {lost} is lost: 0.000016 from 0.002, and 0.5 from a level as large "
        "as the data's deviation. Euler's last step is harmless only where the noise is far below the data.",
        kept=c / V,
        lost=holds(1 - c / V, "=", sigma**2 / V, named=True),
    ),
    level="medium",
    hint="Put 0 for the level where Euler's step ends, and divide its square by the exact factor.",
)
def the_last_step():
    for level, printed in ((Rational(1, 500), "0.000016"), (Rational(1, 2), "0.5")):
        given = {sigma: level, tau: 0, c: Rational(1, 4)}
        yield 1 - value(first**2 * V / U, given), printed


@derivation.exercise(
    r"Write the levels as $\sqrt c \tan \theta$ for normal data of variance $c$. What is Euler's factor over the exact one, and "
    r"which 18 steps from 80 to 0 lose the least variance for $c$ of $\frac14$? Compare with the code's levels.",
    "It is the cosine of the difference of the two angles, the factor of DDIM's step. Steps of equal angle are best: they keep "
    "0.8727 of the variance, the code's levels 0.7159. The exponent 7 puts steps where the curve of such data is nearly "
    "straight; but real data have directions of small variance, whose angles turn there.",
    level="hard",
    hint="Divide the square of Euler's factor by that of the curve, and write its numerator and denominator by tangents.",
)
def euler_in_angles():
    here, there = Symbol("p"), Symbol("q")
    given = {sigma: sqrt(c) * tan(here), tau: sqrt(c) * tan(there)}
    ratio = derivation.ground().expand(first**2 * V / U).subs({s: derivation.ground().expand(n) for s, n in given.items()})
    yield trigsimp(ratio - cos(here - there) ** 2), Integer(0)
    levels = np.asarray(karras_sigmas(num_steps=18), dtype=np.float64)
    factors = 1 + np.diff(levels) * levels[:-1] / (0.25 + levels[:-1] ** 2)
    yield np.prod(factors) ** 2 * (0.25 + 80**2) / 0.25, "0.7159"
    yield math.cos(math.atan(160) / 18) ** 36, "0.8727"
