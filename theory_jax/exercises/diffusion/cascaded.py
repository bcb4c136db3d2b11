"""Exercises of the lecture: Cascades: a small image first, then its details."""

import jax.numpy as jnp
from sympy import Rational, Symbol, limit, log

from theory_jax.derivation.parts import value
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
    level="easy",
    hint="The bands are half of a sum and half of differences; with a quarter each, the two directions give a factor.",
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
    level="easy",
    hint="Equal variances: only the means differ, and they shrink with the root of the level.",
)
def wide_laws():
    yield 4 / (2 * 4), "0.5"
    yield 0.5 * 4 / (2 * (0.5 * 4 + 0.5)), "0.4"
    yield 0.5 * 1 / (2 * (0.5 * 1 + 0.5)), "0.25"


@derivation.exercise(
    r"An exact second stage draws the whole image. Which $\eta$ is best in the example, and what is the first stage worth then?",
    "The largest, 1: the noisy image says nothing, and what is sampled has the distribution $p$: both divergences are 0. The "
    "first stage is of no use.",
    level="medium",
    hint="What does the noisy image tell of the true one if its value is always uniform?",
)
def full_noise():
    yield _divergence(_image_law(1.0), _TRUE), "0"
    yield _divergence(_redraw(1.0) @ _TRUE, _redraw(1.0) @ _DRAWN), "0"


@derivation.exercise(
    "Noise in sampling alone: a second stage that was trained without noise returns the small image that it is given. What is "
    r"$\mathrm{KL}(p \,\|\, q)$ of its samples in the example, without noise and with $\eta$ at 0.3, and what is it for the "
    "exact second stage that was trained with this noise?",
    "It rises from 0.2554 to 0.2917: the noise is one more error. The stage that was trained with the noise takes it out "
    "again, and with it most of the first stage's error: 0.0060, within the bound 0.0802.",
    level="medium",
    hint="The samples of a stage that returns its input have the distribution of the noisy small images.",
)
def noise_in_sampling_alone():
    kernel = _redraw(0.3)
    yield _divergence(_TRUE, _DRAWN), "0.2554"
    yield _divergence(_TRUE, kernel @ _DRAWN), "0.2917"
    yield _divergence(_TRUE, _image_law(0.3)), "0.0060"
    yield _divergence(kernel @ _TRUE, kernel @ _DRAWN), "0.0802"


@derivation.exercise(
    "Which mistake of the first stage does heavy noise repair sooner, a wrong mean or a wrong variance? Compare the orders "
    "of the mismatch in $a$ as $a$ goes to zero.",
    r"The wrong variance. A wrong mean costs $a (m - n)^2 / 2$ to first order, a wrong variance $a^2 (r - s)^2 / 4$ only. At "
    "$a$ of 0.1, for data of variance 1, a mean that is 1 off costs 0.05 and a variance of 2 costs 0.0022. So the noise that "
    "forgives the contrast of the small image leaves much of an error in its brightness.",
    level="hard",
    hint="Expand the logarithm of the ratio of the variances to second order: what is left of the first?",
)
def orders_of_the_mismatch():
    kept, mean, ratio, own = Symbol("a"), Symbol("m"), Symbol("r"), Symbol("s")
    noisy, drawn = 1 - kept + kept * own, 1 - kept + kept * ratio
    yield limit((kept * mean**2 / noisy / 2) / kept, kept, 0), mean**2 / 2
    yield limit((log(drawn / noisy) + noisy / drawn - 1) / 2 / kept**2, kept, 0), (ratio - own) ** 2 / 4
    given = {a: Rational(1, 10), s: 1, n: 0}
    yield value(mismatch, given | {m: 1, r: 1}), "0.05"
    yield value(mismatch, given | {m: 0, r: 2}), "0.0022"
