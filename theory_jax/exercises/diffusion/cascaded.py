"""Exercises of the lecture: Cascades: a small image first, then its details."""

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.cascaded import haar_analysis, haar_synthesis
from theory_jax.lectures.diffusion.cascaded import (
    _DRAWN,
    _TRUE,
    _divergence,
    _image_law,
    _redraw,
    a,
    bands,
    derivation,
    m,
    mismatch,
    n,
    pixels,
    r,
    s,
)


@derivation.exercise(
    r"What are the bands of a constant image of value 1, and what comes back if $\frac14$ takes the place of $\frac12$ in both "
    "directions?",
    prose(
        "The low band is 2 and the details are 0. With $\\frac14$ the low band is {half}, and the image that comes back has "
        "the value 0.25.",
        half=holds(bands[0] / 2, "=", 1, when=dict.fromkeys(pixels, 1), named=True),
    ),
)
def constants():
    low, detail = haar_analysis(jnp.ones((1, 1, 2, 2)))
    yield low, "2"
    yield jnp.sum(jnp.abs(detail)), "0"
    yield haar_synthesis(low / 2, detail / 2)[0, 0, 0, 0] / 2, "0.25"


@derivation.exercise(
    r"Low bands have the variance 4, and the first stage has the same, with a mean that is 2 off. What is the mismatch without "
    r"noise, and at the level $\frac12$?",
    prose(
        "0.5, and 0.4, {half}. With variances of 1 and a mean that is 1 off, 0.5 falls to 0.25: wide distributions need more "
        "noise.",
        half=holds(mismatch, "=", Rational(2, 5), when={a: Rational(1, 2), s: 4, r: 4, m: 2, n: 0}),
    ),
)
def wide_laws():
    yield 4 / (2 * 4), "0.5"
    yield 0.5 * 4 / (2 * (0.5 * 4 + 0.5)), "0.4"
    yield 0.5 * 1 / (2 * (0.5 * 1 + 0.5)), "0.25"


@derivation.exercise(
    r"An exact second stage draws the whole image. Which $\eta$ is best in the example, and what is the first stage worth then?",
    "The largest, 1: the noisy image says nothing, and what is sampled has the distribution $p$: both divergences are 0. The "
    "first stage is of no use.",
)
def full_noise():
    yield _divergence(_image_law(1.0), _TRUE), "0"
    yield _divergence(_redraw(1.0) @ _TRUE, _redraw(1.0) @ _DRAWN), "0"
