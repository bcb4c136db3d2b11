"""Exercises of the lecture: The chain rule costs nothing; the parametrization of the conditionals does."""

import itertools
import math

import jax.numpy as jnp
from sympy import Rational, log

from theory_jax.autoregressive.chain_rule import made_masks, mask_connectivity
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.chain_rule import _mixed, bias, c, derivation, summed


@derivation.exercise(
    "How many numbers do full tables for the conditionals of $D$ bits need, and how many do logistic conditionals need?",
    "Tables need a number for each past of each variable, $2^D - 1$ in all, as many as the joint distribution; logistic ones "
    "need $D (D + 1) / 2$. For ten bits: 1023 and 55.",
)
def tables_and_weights():
    yield sum(2 ** (d - 1) for d in range(1, 11)), "1023"
    yield sum(range(1, 11)), "55"


@derivation.exercise(
    "Four variables, two hidden layers with units of degree 1, 2 and 3: how many paths lead from the first variable to the last?",
    r"There are $\binom{3 + 2 - 1}{2}$, or 6.",
)
def six_paths():
    yield mask_connectivity(made_masks(jnp.arange(1, 5), (jnp.arange(1, 4),) * 2))[3, 0], "6"


@derivation.exercise(
    r"The fourth variable has the logit $\log 2\,(x_1 + x_2 + x_3)$. Which interaction of the first three does it leave?",
    prose(
        r"The third difference of $-\log(1 + 2^{x_1 + x_2 + x_3})$ is {left}, or 0.0284.",
        left=holds(-_mixed(summed), "=", log(Rational(250, 243)), when={c: log(2), bias: 0}, named=True),
    ),
)
def the_interaction_left():
    signs = {bits: (-1) ** (3 - sum(bits)) for bits in itertools.product((0, 1), repeat=3)}
    yield -sum(sign * math.log(1 + 2.0 ** sum(bits)) for bits, sign in signs.items()), "0.0284"
