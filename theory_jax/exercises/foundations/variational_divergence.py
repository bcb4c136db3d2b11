"""Exercises of the lecture: An f-divergence is what the best critic earns."""

import math

from sympy import exp, solve

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.foundations.variational_divergence import _given, c, derivation, nwj, t, value


@derivation.exercise(
    "Which constant critic is best for Kullback-Leibler, and what is its bound?",
    prose(
        "$c - e^{c-1}$ has the slope $1 - e^{c-1}$, which is 0 for the constant 1, and the bound is {zero}, which is $f(1)$: "
        "critics that cannot tell any two points apart see no difference. A restricted class gives a weaker bound, never a "
        "false one.",
        zero=holds(nwj, "=", 0, when={t: 1}, named=True),
    ),
)
def the_best_constant():
    yield value(nwj, _given | {t: (1, 1)}), "0"
    yield solve((c - exp(c - 1)).diff(c), c)[0], "1"


@derivation.exercise(
    "By which constant should the critic of the example be shifted, and what does it gain?",
    r"By $1 - \log Z$, which is 0.3799, since $Z$ is $(e + 1)/2$. The bound rises from 0.0661 to 0.1299, Donsker and Varadhan's.",
)
def the_best_shift():
    shift = 1 - math.log((math.e + 1) / 2)
    yield shift, "0.3799"
    yield value(nwj, _given | {t: (1, 0)}), "0.0661"
    yield value(nwj, _given | {t: (1 + shift, shift)}), "0.1299"


@derivation.exercise(
    "How many samples of the model does a relative error of one tenth in the normalizer need, for Gaussians at distance 2 (2 "
    "nats)?",
    r"The relative variance of one sample is $e^4 - 1$, so $100\,(e^4 - 1)$ are needed, about 5360.",
)
def how_many():
    yield round(100 * (math.exp(4) - 1), -1), "5360"
