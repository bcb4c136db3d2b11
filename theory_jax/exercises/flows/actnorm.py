"""Exercises of the lecture: Activation normalization: one example at a time."""

import math

import numpy as np
from scipy.special import digamma
from sympy import Rational, exp, log, pi, symbols

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.actnorm import forward, initialize
from theory_jax.lectures.flows.actnorm import b, derivation, l, loss, mu, v, x


@derivation.exercise(
    "A channel has the values 2, 2, 4, 4. Where does the layer start?",
    r"The mean is 3 and the variance 1: at the shift -3 and the log-scale 0.",
    level="easy",
    hint="Compute the mean, and the variance divided by four.",
)
def four_values():
    shift, log_scale = initialize(np.array([[2.0], [2.0], [4.0], [4.0]]))
    yield shift, "-3"
    yield log_scale, "0"


@derivation.exercise(
    "Three channels of 8 by 8 positions with the log-scales 0.1, -0.2 and 0.3: what is the log-determinant?",
    r"$64 \cdot 0.2$, or 12.8.",
    level="easy",
    hint="How often does each log-scale occur in the Jacobian of one example?",
)
def sixty_four_positions():
    yield forward(np.zeros((1, 3, 8, 8)), np.zeros(3), np.array([0.1, -0.2, 0.3]))[1], "12.8"


@derivation.exercise(
    "The shift is right and the log-scale too large by $\\log 2$. How far is the loss above its minimum, a position?",
    prose(
        "By {above}, that is 0.8069.",
        above=holds(
            loss - times(Rational(1, 2), plus(1, log(2 * pi), log(v))),
            "=",
            times(Rational(1, 2), 3 - log(4)),
            when={b: -mu, l: log(2) - log(v) / 2},
            named=True,
        ),
    ),
    level="medium",
    hint="Insert the log-scale into the loss at the right shift; only two terms change.",
)
def twice_too_large():
    yield value(loss - times(Rational(1, 2), plus(1, log(2 * pi), log(v))), {x: (1, 3), b: -2, l: log(2)}), "0.8069"


@derivation.exercise(
    "A program counts the log-scales once, and not at each of the $N$ positions of the example. Where does training take the "
    "log-scale of a channel with 64 positions, and what variance has $z$ then?",
    r"It minimizes $\frac N2 v e^{2\ell} - \ell$, so $e^{2\ell} v$ is $\frac1N$: the log-scale is too small by "
    r"$\frac12 \log 64$, 2.0794, and the variance of $z$ is 1/64 in place of 1. The samples are too wide by a factor of 8.",
    level="medium",
    hint="Write down the loss of an example in one channel at the right shift, with the wrong log-determinant.",
)
def counted_once():
    scale, spread, size = symbols("l v N", positive=True)
    slope = (size * spread * exp(2 * scale) / 2 - scale).diff(scale)
    yield slope.subs(scale, log(1 / (size * spread)) / 2), Rational(0)
    yield math.log(64) / 2, "2.0794"
    yield value(exp(2 * l) * v, {x: (-1, 1), l: -math.log(64) / 2}), "1/64"


@derivation.exercise(
    "The values of a channel are standard normal. How far is the loss of fresh data above its minimum, on average, if the layer "
    "starts from $n$ of them? Try 4 and 64.",
    r"The start has the mean $m$ and the variance $w$ of the sample, and fresh data have the loss $\frac{1 + m^2}{2w} + "
    r"\frac12 \log w$ in place of $\frac12$, but for the constant. Here $m$ has the variance $\frac1n$, and $nw$ is a "
    "chi-square of $n - 1$ degrees of freedom. It is 1.6717 nats for 4 values, 0.0169 for 64, and infinite for 2 or 3: the "
    "first batch must be large.",
    level="hard",
    hint=r"The mean and the variance of a normal sample are independent; what are the expectations of $\frac1w$ and of $\log w$?",
)
def a_small_first_batch():
    for size, printed in ((4, "1.6717"), (64, "0.0169")):
        mean_log = digamma((size - 1) / 2) + math.log(2) - math.log(size)
        yield (1 + 1 / size) * size / (size - 3) / 2 + mean_log / 2 - 0.5, printed
