"""Exercises of the lecture: Training a VAE: what the linear case knows about collapse."""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq
from sympy import Rational, sqrt

from theory_jax.derivation.notation import Slope
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.vae_training import cyclical_kl_weight, free_bits_kl, kl_per_dimension
from theory_jax.lectures.latent.vae_training import V, a, beta, derivation, lam, loss, s, t, w


@derivation.exercise(
    prose(
        "What is the best variance of a latent with {w} and {s} if its rate has the weight 2?", w=where(w, sqrt(3)), s=where(s, 1)
    ),
    prose("{best}, which is 0.4; with the weight 1 it is 0.25.", best=holds(1 / a, "=", Rational(2, 5), when={beta: 2})),
    level="easy",
    hint="The page has the best variance as a function of the ratio of the squared weight and the noise.",
)
def the_best_variance():
    yield value(1 / a, {w: sqrt(3), s: 1, beta: 2}), "0.4"
    yield value(1 / a, {w: sqrt(3), s: 1, beta: 1}), "0.25"


@derivation.exercise(
    r"For how many of 7 steps of a cycle is the weight 1, if half of the cycle is a ramp? And what does a floor of 0.5 make of "
    r"the rates 0.1 and 2?",
    r"At steps 4, 5 and 6: 3 of 7, not half. The raised rate is 2.5; a floor under the sum would not raise it.",
    level="easy",
    hint="Write down the weight at each of the 7 steps, counted from 0.",
)
def counting():
    yield jnp.sum(cyclical_kl_weight(jnp.arange(7), cycle_length=7) == 1), "3"
    yield free_bits_kl(jnp.array([[0.1, 2.0]]), minimum=0.5), "2.5"


@derivation.exercise(
    "The rate of a latent has a floor of 0.5 nats. With the variance 1, how far may the encoder's mean go at no cost? With the "
    "mean 0, how narrow may the encoder be?",
    "The mean may go to 1, where the rate is half of its square. The variance may fall to 0.1586, where the rate is the floor. "
    "So half a nat pays for a deviation of 0.3982, or for a shift by 1, but not for both.",
    level="medium",
    hint="Set the rate equal to the floor; the second equation needs a numerical solution.",
)
def what_the_floor_pays_for():
    def rate(mean, variance):
        return float(kl_per_dimension(jnp.array([[mean]]), jnp.log(jnp.array([[variance]])))[0, 0])

    yield brentq(lambda mean: rate(mean, 1.0) - 0.5, 0.1, 3.0), "1"
    narrow = brentq(lambda variance: rate(0.0, variance) - 0.5, 0.01, 0.9)
    yield narrow, "0.1586"
    yield narrow**0.5, "0.3982"


@derivation.exercise(
    "The data have the variance 4. Near collapse, gradient flow leaves along the direction of negative curvature, which grows as "
    "$e^{kt}$, with $k$ minus that curvature. How long does it take to grow a thousandfold with noise 1, and with noise 3.9?",
    "With noise 1 the rate $k$ is 1.7720 and the time 3.8983. With noise 3.9 it is 0.0062, and the time 1120: the saddle is "
    "still one, but a latent that is only slow to leave it looks collapsed.",
    level="medium",
    hint="The curvatures are the eigenvalues of the quadratic form in the two weights; one of them is negative.",
)
def slow_to_leave():
    for noise, growth, time, digits in ((1, "1.7720", "3.8983", 4), (Rational(39, 10), "0.0062", "1120", 0)):
        at_collapse = {lam: 4, s: noise, w: 0, V: 0, t: 1}
        form = [[value(Slope(Slope(loss, one), other), at_collapse) for one in (w, V)] for other in (w, V)]
        k = -np.linalg.eigvalsh(np.array(form))[0]
        yield k, growth
        yield np.round(np.log(1000) / k, digits), time


@derivation.exercise(
    r"Let the noise be learned, too, with data of variance 4 in one dimension. Does the latent survive?",
    "It need not: weight 0 with noise variance 4 has the loss 2.1121, the same as the optimum with a latent. In one dimension "
    "noise can replace signal. In several dimensions one noise is shared, and what is large enough for the first direction would "
    "be too large for the others.",
    level="hard",
    hint="Compare the best loss with a latent and the loss at weight 0, as functions of the noise.",
)
def noise_for_signal():
    yield value(loss, {lam: 4, s: 4, w: 0, V: 0, t: 1}), "2.1121"
