"""Exercises of the lecture: Variational diffusion: only the two ends of the schedule matter."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log

from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.variational_diffusion import low_discrepancy_times
from theory_jax.lectures.diffusion._variational import total_cost
from theory_jax.lectures.diffusion.variational_diffusion import derivation, fall, s_s, s_t


@derivation.exercise(
    r"What does a chain of infinitely many steps cost for standard normal data and the best network, if $\lambda$ falls from "
    r"10 to $-10$?",
    prose("It costs 5 nats: {cost}.", cost=holds(log((1 + exp(10)) / (1 + exp(-10))) / 2, "=", 5)),
)
def a_symmetric_schedule():
    yield (math.log1p(math.exp(10)) - math.log1p(math.exp(-10))) / 2, "5"


@derivation.exercise(
    r"The squared error $M$ of a network's data is 0.1 at every level. What does a chain from the ratio 9 to 1 cost in 1, 10 "
    r"and 100 steps?",
    prose(
        "The costs telescope: {cost}, which is 0.4, however many steps there are.",
        cost=holds(plus(s_s, -s_t) / 20, "=", Rational(2, 5), when={s_t: 1, fall: 8}),
    ),
)
def a_constant_error():
    for steps in (1, 10, 100):
        yield total_cost(steps, lambda log_ratio: 0 * log_ratio + 0.1, (math.log(9), 0.0)), "0.4"


@derivation.exercise(
    r"By which factor does the variance of the batch mean fall for the function $\tau$ and $n = 8$, against independent times?",
    r"By $\frac{1}{n}$, here 0.125.",
)
def eight_times():
    shifts = (np.arange(200) + 0.5) / 200
    means = np.array([low_discrepancy_times(jnp.array(shift), batch_size=8).mean() for shift in shifts])
    yield means.var() * 12 * 8, "0.125"
