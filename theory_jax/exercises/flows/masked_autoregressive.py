"""Exercises of the lecture: Masked autoregressive flow: every variable given all before it."""

import numpy as np
import sympy

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.masked_autoregressive import degrees_to_mask, forward, inverse
from theory_jax.lectures.flows.masked_autoregressive import _halved, _over_noise, bent, c, derivation, tau


@derivation.exercise(
    "What is $z$ of the data point $(1, 3)$ in the example, and the log-determinant?",
    r"The means are 1 and 1, the deviations 1 and 2: $z$ is (0, 1), and the log-determinant $-\log 2$, or $-0.6931$.",
    level="easy",
    hint="The mean of the second variable is a square, and its deviation a power of two.",
)
def one_and_three():
    z, log_det = forward(np.array([[1.0, 3.0]]), _halved)
    yield z[0], "(0, 1)"
    yield log_det, "-0.6931"


@derivation.exercise(
    "Six variables, each depending on the second one before it. How many passes does the way back take?",
    "The longest chain is 1, 3, 5: 3 passes.",
    level="easy",
    hint="Follow the dependencies back from the sixth variable.",
)
def three_passes():
    looks, left, passes = np.eye(6, k=-2), np.eye(6), 0
    while left.any():
        left, passes = looks @ left, passes + 1
    yield passes, "3"


@derivation.exercise(
    prose("What is the skewness of $x_1$ in the last chain at {c} and {tau}?", c=where(c, 1), tau=where(tau, 1)),
    prose(
        "The variance is {variance}, and the third central moment {third}: the skewness is {skewness}, or 1.5396.",
        variance=holds(_over_noise((bent - c) ** 2), "=", 3, named=True),
        third=holds(_over_noise((bent - c) ** 3), "=", 8, named=True),
        skewness=8 / sympy.Integer(3) ** sympy.Rational(3, 2),
    ),
    level="medium",
    hint="Its two parts are independent, so their variances add up.",
)
def a_skewness():
    yield value(8 * c**3 / (2 * c**2 + tau**2) ** sympy.Rational(3, 2), {c: 1, tau: 1}), "1.5396"


@derivation.exercise(
    "Four variables and three hidden units of the degrees 1, 2 and 3. How many pairs of an input and an output are connected "
    "with the right masks, with strict ones in both layers, and with masks that are not strict in both? Which mistake does the "
    "training loss show?",
    "6, 3 and 9. The first mistake drops each variable's own predecessor; the model is valid and weaker, and nothing looks "
    "wrong. With the second, three outputs see their own input: the formula is no density any more, and the loss falls far "
    "below what is possible.",
    level="medium",
    hint="A path from input to output passes one hidden unit, whose degree is between theirs; which ends may be equal?",
)
def strict_and_not():
    order, hidden = np.arange(1, 5), np.arange(1, 4)
    for first, last, printed in ((False, True, "6"), (True, True, "3"), (False, False, "9")):
        into, out = degrees_to_mask(order, hidden, strict=first), degrees_to_mask(hidden, order, strict=last)
        yield np.count_nonzero(np.asarray(out, int) @ np.asarray(into, int)), printed


@derivation.exercise(
    "Every mean is $a$ times the variable before it, and all log-scales are 0. The way back starts from a $z_1$ that is off by "
    "0.000001. How far off is the twentieth variable for $a$ of one half, and of 2? And how far off is $z_{20}$ on the way "
    "from data to noise, if $x_1$ is off by as much?",
    "The error is multiplied by $a$ from each variable to the next one: it is 0.0000000000019 for one half, and 0.524288 for 2. "
    "On the way to the noise no error travels further than one variable, so $z_{20}$ is exact. Densities of data are "
    "safe; samples may blow up, with the same network.",
    level="hard",
    hint="The way to the noise is a matrix with two diagonals; what does its inverse look like?",
)
def errors_on_the_way_back():
    off = np.zeros((1, 20))
    off[0, 0] = 1e-6
    for a, printed in ((0.5, "0.0000000000019"), (2.0, "0.524288")):

        def chained(x, a=a):
            before = np.concatenate([np.zeros((len(x), 1)), np.asarray(x)[:, :-1]], axis=1)
            return a * before, np.zeros_like(before)

        yield inverse(off, chained)[0][0, 19], printed
        yield forward(off, chained)[0][0, 19], "0"
