"""Exercises of the lecture: Preconditioning: what a denoiser's network should see, and what is left for it to learn."""

import jax.numpy as jnp
import numpy as np
from sympy import Integer, Rational, Symbol, exp, limit, oo, sqrt, tanh

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.edm import noise_levels, preconditioning
from theory_jax.lectures.diffusion.edm import _mean, c_in, c_out, c_skip, derivation, sigma, size, x, y, z

near, far = exp(-((z - 1) ** 2) / (2 * sigma**2)), exp(-((z + 1) ** 2) / (2 * sigma**2))


@derivation.exercise(
    r"At which level do skip and network share the work, with $\frac12$ as the skip's factor? What are median and mean of the "
    "levels?",
    prose(
        r"Where the noise is as large as the data: {skip} at the level $\sigma_d$. With 0.7 for both, the code's factor is 0.5. "
        r"The median is $e^{-1.2}$, or 0.301, the mean $e^{-1.2 + 0.72}$, or 0.619.",
        skip=holds(c_skip, "=", Rational(1, 2), when={sigma: size}),
    ),
    level="easy",
    hint="The logarithm of the level is normal with mean -1.2 and deviation 1.2.",
)
def in_the_middle():
    yield preconditioning(jnp.array([0.7]), sigma_data=0.7)[0][0], "0.5"
    yield noise_levels(jnp.zeros(1))[0], "0.301"
    xi, weight = np.polynomial.hermite_e.hermegauss(40)
    yield weight @ np.asarray(noise_levels(jnp.asarray(xi))) / weight.sum(), "0.619"


@derivation.exercise(
    prose(
        r"How large are the mean squares of $y - x$ and of $y - c_\mathrm{skip}\, x$ at {level}, in units of $\sigma_d^2$?",
        level=where(sigma, 2 * size),
    ),
    prose(
        "{noise} and {left}, or 0.8: the linear denoiser takes away four fifths of the noise.",
        noise=holds(_mean((y - x) ** 2) / size**2, "=", 4, named=True),
        left=holds(c_out**2 / size**2, "=", Rational(4, 5)),
    ),
    level="easy",
    hint="The first is the noise alone; the second is the square of the output's factor.",
)
def linear_denoising():
    yield preconditioning(jnp.array([2.0]), sigma_data=1.0)[1][0] ** 2, "0.8"
    yield 2.0**2, "4"


@derivation.exercise(
    prose(
        r"The data are $\pm 1$ with equal probability, and {level}. What is the best output of the network where "
        r"$c_\mathrm{in}\, x$ is $\sqrt{\frac12}$, that is where $x$ is 1?",
        level=where(sigma, 1),
    ),
    prose(
        r"By Bayes' rule the best denoiser at the noisy value $z$ is {best}, here 0.7616, so the best output is $(0.7616 - "
        r"\frac12)/\sqrt{\frac12}$, or 0.370: two points are no Gaussian.",
        best=holds((near - far) / (near + far), "=", tanh(z), named=True),
    ),
    level="medium",
    hint="Which of the two points did the noisy value come from, by Bayes' rule?",
)
def two_points():
    mean = jnp.tanh(1.0)
    skip, out, *_ = preconditioning(jnp.array([1.0]), sigma_data=1.0)
    yield mean, "0.7616"
    yield (mean - skip[0]) / out[0], "0.370"


@derivation.exercise(
    r"$\sigma_d$ is left at $\frac12$, but the data have mean 0 and variance 1. What are the variance of the input and the "
    r"loss at the start, at the level $\frac12$, and which loss at the start has a level far above the data?",
    "Both are 2.5, and the loss goes to 4, the variance of the data over the assumed one: the network sees and is asked for too "
    "large numbers, and high levels count four times as much as they should.",
    level="medium",
    hint=r"At the start the error is $y (1 - c_\mathrm{skip}) - c_\mathrm{skip}\, \sigma n$; take its variance with the true "
    "data.",
)
def a_wrong_size():
    def loss(level):
        given = {sigma: level, size: Rational(1, 2)}
        skip = value(c_skip, given)
        return ((1 - skip) ** 2 + skip**2 * level**2) / value(c_out, given) ** 2

    half = Rational(1, 2)
    yield value(c_in, {sigma: half, size: half}) ** 2 * (1 + 0.25), "2.5"
    yield float(loss(half)), "2.5"
    yield round(float(loss(1000)), 4), "4"


@derivation.exercise(
    "Data are Gaussian with variance $s$ in $k$ of $D$ dimensions, and 0 in the others. Which share of the mean loss at the "
    "start can no network remove, at levels near 0 and far above the data?",
    r"The share $k/D$ near level 0, and all of it far above. Of the loss, the variance of the data given the noisy value is "
    r"left, for each entry $(k/D)\, s \sigma^2/(s + \sigma^2)$ over $c_\mathrm{out}^2$. At low levels the network can learn "
    "which directions hold noise only; at high levels the data are not seen. With one dimension of ten, variance 1 and the "
    "level 0.01 the share is 0.1001.",
    level="hard",
    hint=r"The best network leaves the variance of $y$ given $x$; $\sigma_d^2$ is $s k/D$.",
)
def on_a_subspace():
    level, spread, share = (Symbol(name, positive=True) for name in ("sigma", "s", "q"))
    whole = share * spread
    left = share * spread * level**2 / (spread + level**2) * (level**2 + whole) / (level**2 * whole)
    yield limit(left, level, 0), share
    yield limit(left, level, oo), Integer(1)
    posterior = value(c_out, {sigma: Rational(1, 100), size: 1}) ** 2 / 10
    yield posterior / value(c_out, {sigma: Rational(1, 100), size: sqrt(Rational(1, 10))}) ** 2, "0.1001"
