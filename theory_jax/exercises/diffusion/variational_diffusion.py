"""Exercises of the lecture: Variational diffusion: only the two ends of the schedule matter."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log

from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.variational_diffusion import low_discrepancy_times
from theory_jax.lectures.diffusion._variational import total_cost
from theory_jax.lectures.diffusion.variational_diffusion import derivation, fall, s_s, s_t, u, v


@derivation.exercise(
    r"What does a chain of infinitely many steps cost for standard normal data and the best network, if $\lambda$ falls from "
    r"10 to $-10$?",
    prose("It costs 5 nats: {cost}.", cost=holds(log((1 + exp(10)) / (1 + exp(-10))) / 2, "=", 5)),
    level="easy",
    hint="The cost is the information gained, half of the logarithm of a quotient.",
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
    level="easy",
    hint="The costs of the steps are differences of one quantity.",
)
def a_constant_error():
    for steps in (1, 10, 100):
        yield total_cost(steps, lambda log_ratio: 0 * log_ratio + 0.1, (math.log(9), 0.0)), "0.4"


@derivation.exercise(
    r"By which factor does the variance of the batch mean fall for the function $\tau$ and $n = 8$, against independent times?",
    r"By $\frac{1}{n}$, here 0.125.",
    level="medium",
    hint="The mean of the batch is the shift, taken modulo one eighth, plus a constant.",
)
def eight_times():
    shifts = (np.arange(200) + 0.5) / 200
    means = np.array([low_discrepancy_times(jnp.array(shift), batch_size=8).mean() for shift in shifts])
    yield means.var() * 12 * 8, "0.125"


@derivation.exercise(
    "For standard normal data and the best network the upper end of the log-SNR is moved from 10 to 13. By how much does the "
    "loss of infinitely many steps rise, and is the model's bound any worse?",
    "By 1.5 nats, and without limit as the end moves on: a continuous datum has no end of digits. The bound is as good as "
    "before: the least noisy value now tells the datum more exactly, and the best reconstruction costs 1.5 nats less.",
    level="medium",
    hint="The data given the least noisy value are Gaussian with the variance $1/(1 + S)$; what is their entropy?",
)
def another_upper_end():
    first, second = (value(log(1 + v * s_t) / 2, {v: 1, s_t: exp(end)}) for end in (10, 13))
    yield second - first, "1.5"
    before, after = (math.log(2 * math.pi * math.e / (1 + math.exp(end))) / 2 for end in (10, 13))
    yield before - after, "1.5"


@derivation.exercise(
    "Gaussian data of variance $v$, the best network and $T$ steps between two fixed ends: which levels cost least? Take the "
    "ends 3 and -2 of the example's straight schedule, $v$ of 1 and ten steps.",
    r"Those at equal quotients of $1 + v S$, so that every $\eta$ is the same: the sum of all $\log(1 + \eta)$ is fixed, and "
    r"$\eta$ is a convex function of $\log(1 + \eta)$. The excess is then 0.2358, against 0.2985 with equal steps of the "
    "log-SNR, which waste steps where $v S$ is below 1. With infinitely many steps no levels are better than others.",
    level="hard",
    hint=r"Write the excess of a step as a function of $\log(1 + \eta)$, whose sum over the steps does not depend on the levels.",
)
def the_best_levels():
    def excess(ratios):
        falls = [value(u, {v: 1, s_t: low, fall: high - low}) for high, low in zip(ratios[:-1], ratios[1:], strict=True)]
        return sum(x - math.log1p(x) for x in falls) / 2

    yield excess(np.geomspace(1 + math.exp(3), 1 + math.exp(-2), 11) - 1), "0.2358"
    yield excess(np.exp(np.linspace(3, -2, 11))), "0.2985"
