"""Exercises of the lecture.

The probability flow: a motion without noise that has the diffusion's densities, and its likelihood.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Poly, Rational, Symbol, expand, log, sqrt

from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.probability_flow import log_prob, probability_flow_drift, solve
from theory_jax.lectures.diffusion.probability_flow import _RATE, _TWO, V, _normal_flow, c, cost, derivation, end, x0


@derivation.exercise(
    r"What is the flow of standard normal data? What does it say of their log-density?",
    prose(
        "At {one} the variance is {V} at every time, so the velocity is 0 and points stay. The last density is exactly standard "
        "normal: the log-density is exact, at the point 2 it is $-2.9189$.",
        one=where(c, 1),
        V=holds(V, "=", 1),
    ),
    level="easy",
    hint="Insert the variance 1 into the velocity.",
)
def at_rest():
    found = log_prob(
        _TWO, jnp.ones((1, 1, 1)), jnp.array([0.0, 1.0]), lambda x, t: probability_flow_drift(-x, -x, jnp.full(1, 2**0.5))
    )
    yield found, "-2.9189"


@derivation.exercise(
    r"At which distance from 0 is the log-density of the example exact, although the last density is not standard normal?",
    prose(
        "With {c} and {end} the error, {error}, is {none} where the square of the point is {square}, or 2.985: at 1.728.",
        c=where(c, 4),
        end=where(end, Rational(7, 4)),
        error=cost,
        none=holds(cost, "=", 0, when={x0: sqrt(Rational(16, 3) * log(Rational(7, 4)))}, named=True),
        square=holds(c * log(end) / (end - 1), "=", Rational(16, 3) * log(Rational(7, 4)), named=True),
    ),
    level="medium",
    hint="The error of the log-density is known in closed form; where is it zero?",
)
def exact_by_chance():
    place = jnp.full((1, 1), math.sqrt(16 / 3 * math.log(1.75)))
    yield place**2, "2.985"
    yield place, "1.728"


@derivation.exercise(
    r"In two dimensions $J$ has the rows $(1, 2)$ and $(0, 3)$. Which values does $e^\top J e$ take for one probe with entries "
    r"$\pm 1$, and what is their mean?",
    r"$1 + 3 \pm 2$: 6 or 2, each with probability one half. Their mean is 4, the divergence.",
    level="easy",
    hint="Write the form as a sum over the four entries; which of them depend on the signs?",
)
def one_probe():
    jacobian = np.array([[1.0, 2.0], [0.0, 3.0]])
    found = [probe @ jacobian @ probe for probe in (np.array([1.0, 1.0]), np.array([1.0, -1.0]))]
    yield found[0], "6"
    yield found[1], "2"
    yield sum(found) / 2, "4"


@derivation.exercise(
    "A program uses the whole score in the velocity instead of half of it, as the reversed equation with noise does. Which "
    "variance do points of the example have at time 1, instead of 1.75?",
    r"The velocity is then $x (\frac{B'}{V} - \frac{B'}{2})$, and the variance $c\, (V/c)^2 e^{B}$: 49/16, or 3.0625 instead "
    "of 1.75. Without the noise that would balance it, the whole score leaves points too far apart.",
    level="medium",
    hint="The velocity is still a multiple of the point; integrate the slope of the logarithm of a distance.",
)
def the_whole_score():
    def twice(points, time):
        variance = (1 + 3 * jnp.exp(-_RATE * time))[:, None]
        return points * (_RATE / variance - _RATE / 2)

    ends = solve(_TWO, jnp.linspace(0.0, 1.0, 33), twice)
    yield 4 * (ends / _TWO) ** 2, "3.0625"
    yield 4 * (7 / 16) ** 2 * 4, "49/16"
    yield 4 * (solve(_TWO, jnp.linspace(0.0, 1.0, 33), _normal_flow) / _TWO) ** 2, "1.75"


@derivation.exercise(
    r"The entries of a probe $e$ are independent, and $e^\top J e$ estimates the sum of the diagonal of a matrix $J$ with two "
    r"rows and columns. What is the variance of the estimate from one probe if both entries are $\pm 1$, with equal "
    "probabilities? What is it if they are standard normal? For which $J$ is the estimate from one probe of signs exact?",
    r"With signs it is $(J_{12} + J_{21})^2$; with normal entries it is larger by $2 J_{11}^2 + 2 J_{22}^2$. For the matrix with "
    "the rows (1, 2) and (0, 3) it is 4 against 24. One probe of signs is exact if and only if the two entries off the diagonal "
    "sum to zero: for diagonal matrices, and also for rotations. So of these two kinds signs are never the worse choice.",
    level="hard",
    hint="Write the form as the diagonal with squared entries plus a product of two entries; squares of signs are constant.",
)
def two_kinds_of_probes():
    entries = Symbol("J11"), Symbol("J12"), Symbol("J21"), Symbol("J22")
    a, b, c, d = entries
    first, second = Symbol("e1"), Symbol("e2")
    form = a * first**2 + (b + c) * first * second + d * second**2
    of_signs = [form.subs({first: s1, second: s2}) for s1 in (-1, 1) for s2 in (-1, 1)]
    signs = sum((found - a - d) ** 2 for found in of_signs) / 4
    moments = {0: 1, 1: 0, 2: 1, 3: 0, 4: 3}  # of a standard normal number
    terms = Poly(expand((form - a - d) ** 2), first, second).terms()
    normal = sum(factor * moments[powers[0]] * moments[powers[1]] for powers, factor in terms)
    yield signs, (b + c) ** 2
    yield normal - signs, 2 * a**2 + 2 * d**2
    example = dict(zip(entries, (1, 2, 0, 3), strict=True))
    yield float(signs.subs(example)), "4"
    yield float(normal.subs(example)), "24"
