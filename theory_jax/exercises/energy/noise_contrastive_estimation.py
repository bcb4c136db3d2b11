"""Exercises of the lecture: Noise-contrastive estimation: a model is fitted, and normalized, by telling data from noise."""

import math

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import binom
from sympy import Rational, log, symbols

from theory_jax.derivation.notation import Total, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.noise_contrastive_estimation import data_loss, information_loss, loss, noise_loss
from theory_jax.lectures.energy.noise_contrastive_estimation import at_truth, d, derivation, k, m, n, nu


@derivation.exercise(
    "What is the loss of a classifier that knows nothing, with one sample of noise for each datum? And InfoNCE with equal "
    "scores?",
    r"Log-odds of 0 cost $\log 2$ for each, 1.3863 together; equal scores cost $\log K$, 1.3863 for four candidates.",
    level="easy",
    hint="Equal scores and log-odds of zero mean that every answer is equally likely.",
)
def nothing_is_known():
    yield loss(jnp.zeros(1), jnp.zeros((1, 1))), "1.3863"
    yield information_loss(jnp.zeros((1, 4))), "1.3863"


@derivation.exercise(
    prose(
        r"Someone adds $\log \nu$ to the log-odds in place of its negative. To which mass is the model fitted, for "
        "{two}?",
        two=where(nu, 2),
    ),
    prose(
        "The right log-odds are those of $d$, so the fit is {fit}, since then {odds}. Its mass is {mass}, or 0.25.",
        fit=where(m, d / 4),
        odds=holds(plus(log(m), log(nu)), "=", plus(log(d), -log(nu)), wrong={"one sign": plus(log(d), log(nu))}),
        mass=holds(Total(k, m), "=", Rational(1, 4), named=True),
    ),
    level="medium",
    hint="The best log-odds do not change; solve for the model that has them now.",
)
def wrong_sign():
    yield value(Total(k, d / nu**2), {d: (0.75, 0.25), nu: 2}), "0.25"


@derivation.exercise(
    "A representation is trained by InfoNCE with 256 candidates. How much information can it be shown to hold?",
    r"At most $\log 256$, which is 5.545 nats, since the loss is not negative.",
    level="easy",
    hint="What is the least value that the loss can have?",
)
def most_information():
    yield math.log(256) - information_loss(jnp.concatenate([jnp.full((1, 1), 900.0), jnp.zeros((1, 255))], axis=1)), "5.545"


@derivation.exercise(
    "A program leaves $-\\log n_k - \\log \\nu$ out of the log-odds, as negative sampling of words does. To which $m$ is it "
    "fitted? Two symbols agree with their partners with chance 4/5 and are equally frequent: what is $\\log m$ of a pair that "
    "agrees, with five samples of noise?",
    r"To $d_k/(\nu n_k)$, the ratio of both densities over $\nu$, which is no density. For the pair $\log 1.6 - \log 5$, or "
    "-1.1394: the pointwise mutual information, shifted by the logarithm of the number of samples.",
    level="medium",
    hint="The best log-odds are known: set the ones of the program equal to them.",
)
def without_the_noise_density():
    def cost(odds):
        datum, noise = data_loss(jnp.full((1, 1), odds)), noise_loss(jnp.full((1, 1), odds))
        return float(jnp.squeeze(0.8 * datum + 5 * 0.5 * noise))

    yield minimize_scalar(cost, bounds=(-4, 4), method="bounded", options={"xatol": 1e-9}).x, "-1.1394"


@derivation.exercise(
    r"How sharply does the loss of $e^c d$ determine the constant, at most, over all distributions of the noise? Which noise is "
    "that, and what do it and the noise of the example reach with one sample for each datum?",
    r"At most $\frac{\nu}{1 + \nu}$, with noise of the data's own distribution: the curvature is a sum of $\frac{\nu d_k "
    r"n_k}{d_k + \nu n_k}$, which is concave in $n$, so moving mass between states does not help where all slopes are equal. "
    "It is 0.5, and 0.4667 for the fair noise. Noise like the data is best for the constant.",
    level="hard",
    hint="The curvature is the sum of what the states tell; where is its slope in the noise the same for all states?",
)
def sharpest_constant():
    slopes = [
        (nu * first * second / (first + nu * second)).diff(second).subs({second: first}) for first, second in [symbols("d n")]
    ]
    yield slopes[0], (nu / (1 + nu) ** 2)
    for noise, printed in (((0.75, 0.25), "0.5"), ((0.5, 0.5), "0.4667")):
        yield value(Total(k, at_truth), {d: (0.75, 0.25), n: noise, nu: 1}), printed


@derivation.exercise(
    "A perfect code has 64 symbols, all equally likely, so it holds $\\log 64$ nats. How many candidates are enough for InfoNCE "
    "to show all of it but 0.1?",
    r"With the best scores the loss is $\log(1 + N)$, where $N$ is the number of other candidates that have the same symbol, on "
    r"average $\frac{K-1}{64}$. By Jensen's inequality the mean loss is at most $\log(1 + \frac{K-1}{64})$, and the gap at most "
    r"$\log(1 + \frac{63}{K})$: 600 are enough, since this is 0.1 at 599.02. With 64 candidates the gap is 0.567.",
    level="hard",
    hint="Which candidates have the highest score, and how many of them are there on average?",
)
def candidates_enough():
    def gap(K):
        others = np.arange(K)
        loss = binom.pmf(others, K - 1, 1 / 64) @ np.log1p(others)
        return math.log(64) - (math.log(K) - loss)

    yield 63 / math.expm1(0.1), "599.02"
    yield float(gap(600) <= 0.1 < math.log1p(63 / 599)) * 600, "600"
    yield gap(64), "0.567"
