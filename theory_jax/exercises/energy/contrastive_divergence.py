"""Exercises of the lecture: Contrastive divergence: the price of a short chain."""

import jax.numpy as jnp
import numpy as np
from sympy import Integer, Pow, Rational, exp

from theory_jax.derivation.notation import Total
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.energy._short_chains import enumerated, second_eigenvalue
from theory_jax.lectures.energy.contrastive_divergence import _R, W1, W2, _expected_update, b1, b2, c, derivation, fall, h, w1, w2


@derivation.exercise(
    "What is the update of CD with no step at all?",
    "It is 0, whatever the data: the chain has not moved, and both terms are means over the same states.",
)
def no_step():
    yield jnp.abs(_expected_update(*_R, steps=0)[0]).sum(), "0"


@derivation.exercise(
    r"How many steps does the example need for the update of $c$ to be right to one part in a million?",
    prose(
        "Five, the first integer above 4.58: {five}, while {four}.",
        five=holds(Pow(Rational(53, 1080), 5, evaluate=False), "<=", Rational(1, 10**6)),
        four=holds(Pow(Rational(53, 1080), 4, evaluate=False), ">", Rational(1, 10**6)),
    ),
)
def steps_for_six_digits():
    _, steps, _ = enumerated(*_R)
    yield np.log(1e-6) / np.log(second_eigenvalue(steps)), "4.58"


@derivation.exercise(
    prose(
        "All weights are zero, {first}, {second}, {hidden}, and the data are 11. How large is the error of CD-1?",
        first=where(b1, 1),
        second=where(b2, -1),
        hidden=where(c, 2),
    ),
    prose(
        "A step forgets its start: all rows of $P$ are $p$, so the error is 0. A unit $v_1$ is on with probability {on}, and the "
        "update of its bias is {update}, 0.2689.",
        on=holds(Total(w2, fall(h).xreplace({w1: Integer(1)})), "=", 1 / (1 + exp(-b1)), when={W1: 0, W2: 0}, named=True),
        update=holds(1 - 1 / (1 + exp(-b1)), "=", 1 / (1 + exp(b1)), named=True),
    ),
)
def without_weights():
    yield _expected_update(np.zeros((2, 1)), np.array([1.0, -1.0]), np.array([2.0]))[1][0], "0.2689"
