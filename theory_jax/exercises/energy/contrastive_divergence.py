"""Exercises of the lecture: Contrastive divergence: the price of a short chain."""

import jax.numpy as jnp
import numpy as np
from sympy import Integer, Pow, Rational, exp

from theory_jax.derivation.notation import Total
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.energy._short_chains import enumerated, second_eigenvalue
from theory_jax.lectures.energy.contrastive_divergence import (
    MACHINE,
    W1,
    W2,
    _expected_update,
    b1,
    b2,
    c,
    derivation,
    fall,
    h,
    w1,
    w2,
)


@derivation.exercise(
    "What is the update of CD with no step at all?",
    "It is 0, whatever the data: the chain has not moved, and both terms are means over the same states.",
    level="easy",
    hint="Where is the chain when both means are taken?",
)
def no_step():
    yield jnp.abs(_expected_update(*MACHINE, steps=0)[0]).sum(), "0"


@derivation.exercise(
    r"How many steps does the example need for the update of $c$ to be right to one part in a million?",
    prose(
        "Five, the first integer above 4.58: {five}, while {four}.",
        five=holds(Pow(Rational(53, 1080), 5, evaluate=False), "<=", Rational(1, 10**6)),
        four=holds(Pow(Rational(53, 1080), 4, evaluate=False), ">", Rational(1, 10**6)),
    ),
    level="easy",
    hint="The relative error is a power of the second eigenvalue; take its logarithm.",
)
def steps_for_six_digits():
    _, steps, _ = enumerated(*MACHINE)
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
    level="medium",
    hint="What does the hidden unit know of the visible layer, and the visible layer of the hidden unit?",
)
def without_weights():
    yield _expected_update(np.zeros((2, 1)), np.array([1.0, -1.0]), np.array([2.0]))[1][0], "0.2689"


@derivation.exercise(
    "Two visible units and a hidden one with both weights 4, the visible biases -2 and the hidden bias -4, and the data 11 "
    "alone. The learning rate of persistent CD is so small that the model hardly moves, and its chains begin at the data. How "
    "large is the relative error of its first and of its tenth update of $c$, and that of the tenth update of CD-1?",
    "The second eigenvalue is 0.7342: the first error is 0.7342 for both. The tenth update of PCD ends ten steps from the data, "
    "so it is 0.0455; that of CD-1 still 0.7342, since its chain begins at the data again.",
    level="medium",
    hint="How many steps from the data is the state that an update is computed from?",
)
def chains_that_persist():
    machine = (np.full((2, 1), 4.0), np.full(2, -2.0), np.full(1, -4.0))
    gradient, first, tenth = (float(_expected_update(*machine, steps=steps)[2][0]) for steps in (600, 1, 10))
    yield 1 - first / gradient, "0.7342"
    yield 1 - tenth / gradient, "0.0455"


@derivation.exercise(
    "In the machine of the example, find data for which the likelihood's gradient of $b_1$ is 0 and the expected update of CD-1 "
    "is not. What does that mean for the place where training by CD-1 ends?",
    "The model has $v_1$ on with probability 8/13. So do data that are 10 with this probability and 00 else; they switch $h$ "
    "on with probability 47/78, the model with 9/13, and the update of $b_1$ is a sixth of the difference of both, 7/468 or "
    "0.015. A parameter that the likelihood would leave is moved, so training may end elsewhere than at the maximum of the "
    "likelihood.",
    level="hard",
    hint="Let the data agree with the model in the mean of $v_1$ alone, and compare how often $h$ is on after the step up.",
)
def a_gradient_of_zero():
    model, matrix, on = map(np.asarray, enumerated(*MACHINE))
    first = np.array([0.0, 0.0, 1.0, 1.0])  # v_1 of the states 00, 01, 10, 11
    data = np.array([5 / 13, 0.0, 8 / 13, 0.0])
    yield model @ first, "8/13"
    yield data @ on[:, 0], "47/78"
    yield model @ on[:, 0], "9/13"
    yield data @ first - data @ matrix @ first, "7/468"
    yield 7 / 468, "0.015"
