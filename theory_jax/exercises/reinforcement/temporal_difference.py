"""Exercises of the lecture: Temporal differences: learning a value from one transition after the other."""

import jax.numpy as jnp
import numpy as np
from sympy import Max, Rational, solve, symbols

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._temporal import factor, mean_of_updates, means_of_two
from theory_jax.lectures.reinforcement.temporal_difference import alpha, d, derivation, gamma, k, swept, w, x
from theory_jax.reinforcement.temporal_difference import least_squares_value, td_update


@derivation.exercise(
    r"The example's policy, all values 0, both states equally often: how does one update change the values on average?",
    prose(r"By $\alpha$ times {paid}, the expected reward times its state's share: (0, 1/4).", paid=d.at(x) * swept.at(x)),
    level="easy",
    hint="All values are 0, so the target is the reward alone.",
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
    level="easy",
    hint="Each update multiplies the weight by the same factor.",
)
def a_hundred_updates():
    yield factor(0.9, 0.1, 1.0, 2.0) ** 100, "2199.8"


@derivation.exercise(
    "What is the mean of the larger of two independent standard normal estimates?",
    prose(
        "Since {maximum} and the sum has mean 0, it is half of the mean absolute difference, by the lemma 0.5642.",
        maximum=holds(Max(k, w), "=", plus(k, w, abs(k - w)) / 2),
    ),
    level="medium",
    hint="Write the larger of two numbers by their sum and the size of their difference.",
)
def the_larger_of_two():
    yield means_of_two(0.0)[0], "0.5642"


@derivation.exercise(
    r"A state pays 1 or $-1$, each half of the time, and the episode ends there. TD(0) updates its value with a constant step "
    r"size $\alpha$. Which variance does the value keep, and what is it for 0.1?",
    r"It is $\alpha/(2 - \alpha)$, or 0.0526 for 0.1: the mean update vanishes at the value 0, but the value never rests there. "
    "A step size that decreases, such as one over the number of visits, averages the noise away.",
    level="medium",
    hint="An update leaves the share one less the step size of the old value; which variance does it leave unchanged?",
)
def a_value_that_never_rests():
    variance = symbols("s", positive=True)
    (kept,) = solve((1 - alpha) ** 2 * variance + alpha**2 - variance, variance)
    yield kept, alpha / (2 - alpha)
    at = float(kept.subs(alpha, Rational(1, 10)))
    moved = [
        td_update(jnp.array([np.sqrt(at)]), 0, jnp.array(paid), 0, True, discount=0.5, step_size=0.1) for paid in (1.0, -1.0)
    ]
    yield at, "0.0526"
    yield np.mean(np.square(moved)), "0.0526"


@derivation.exercise(
    "State 0 leads to state 1 or to state 2, each half of the time, and pays nothing. State 1 pays 1 and ends the episode, "
    "state 2 pays 0 and ends it; nothing is discounted. What does TD(0) learn in a table, and what does a program learn that "
    "minimizes the mean square of the error and differentiates the target, too?",
    "TD(0) learns the values (0.5, 1, 0), where the mean square of an error is 0.125. The least one is half of it, 0.0625, at "
    "(0.5, 0.75, 0.25). States 1 and 2 are moved towards state 0 so that its next state surprises less, although "
    "both always pay the same. So the target is held constant.",
    level="hard",
    hint="Write the mean square as a function of three values, and set its slopes to zero.",
)
def a_target_that_is_differentiated():
    starts, nexts = np.eye(3)[[0, 0, 1, 2]], np.vstack([np.eye(3)[[1, 2]], np.zeros((2, 3))])
    paid = np.array([0.0, 0.0, 1.0, 0.0])
    learned = least_squares_value(jnp.array(starts), jnp.array(nexts), jnp.array(paid), discount=1.0)
    yield learned, "(0.5, 1, 0)"
    v = symbols("v_0 v_1 v_2")
    errors = paid + nexts @ np.array(v) - starts @ np.array(v)
    least = solve([sum(errors**2).diff(one) for one in v], v)
    yield [float(least[one]) for one in v], "(0.5, 0.75, 0.25)"
    for values, said in ((learned, "0.125"), (list(least.values()), "0.0625")):
        given = dict(zip(v, map(float, values), strict=True))
        yield float(sum(errors**2).subs(given)) / 4, said
