"""Exercises of the lecture: Temporal differences: learning a value from one transition after the other."""

import jax.numpy as jnp
import numpy as np
from sympy import Max, Rational

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._temporal import factor, mean_of_updates, means_of_two
from theory_jax.lectures.reinforcement.temporal_difference import alpha, d, derivation, gamma, k, swept, w, x


@derivation.exercise(
    r"The example's policy, all values 0, both states equally often: how does one update change the values on average?",
    prose(r"By $\alpha$ times {paid}, the expected reward times its state's share: (0, 1/4).", paid=d.at(x) * swept.at(x)),
)
def from_nothing():
    even, stay_or_move = jnp.full((2, 2), 0.5), jnp.array([np.eye(2), np.eye(2)[::-1]])
    found = mean_of_updates(0.1, even[0], even, stay_or_move, jnp.array([[0.0, 1.0], [0.0, 0.0]]), jnp.zeros(2), 0.5)
    yield found / 0.1, "(0, 1/4)"


@derivation.exercise(
    "In the process that diverges, at the discount 0.9 and the step size 0.1: how far has the weight grown after 100 updates?",
    prose(
        r"By {factor} each time, and $(27/25)^{100}$ is 2199.8.",
        factor=holds(
            plus(1, times(alpha, plus(2 * gamma, -1))),
            "=",
            Rational(27, 25),
            when={alpha: Rational(1, 10), gamma: Rational(9, 10)},
        ),
    ),
)
def a_hundred_updates():
    yield factor(0.9, 0.1, 1.0, 2.0) ** 100, "2199.8"


@derivation.exercise(
    "What is the mean of the larger of two independent standard normal estimates?",
    prose(
        "Since {maximum} and the sum has mean 0, it is half of the mean absolute difference, by the lemma 0.5642.",
        maximum=holds(Max(k, w), "=", plus(k, w, abs(k - w)) / 2),
    ),
)
def the_larger_of_two():
    yield means_of_two(0.0)[0], "0.5642"
