"""Exercises of the lecture: Returns and advantages: between one reward with a guess, and everything that was observed."""

import numpy as np
from sympy import Rational

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement import _runs as runs
from theory_jax.lectures.reinforcement.returns import ALIVE, REWARDS, VALUES, c, delta, derivation, gamma, lam, r, v
from theory_jax.reinforcement.returns import generalized_advantages, temporal_difference_errors


@derivation.exercise(
    r"What are the advantages of the example with the decay one half if the guess behind the row is 4?",
    prose(
        r"The last error becomes {error}. From the end the advantages are $3$, $-\frac32 + \frac34$ and $1 - \frac{3}{16}$, that "
        "is (0.8125, -0.75, 3).",
        error=holds(delta.at(2), "=", 3, when={r.at(2): 2, c.at(2): 1, v.at(3): 4, v.at(2): 1, gamma: Rational(1, 2)}),
    ),
    level="easy",
    hint="Only the last error changes; then go back from the end.",
)
def another_guess_behind_the_row():
    yield generalized_advantages(REWARDS, VALUES.at[0, 3].set(4.0), ALIVE, discount=0.5, trace_decay=0.5), "(0.8125, -0.75, 3)"


@derivation.exercise(
    r"In the process of the figure, by how much does moving seem too good in state 0, as a function of $\lambda$, if the guess "
    r"is one too high in state 1?",
    r"After the first step, the even policy is in either state with probability $\frac12$, whatever was done. So only "
    r"$\epsilon_1$ depends on the action, 0 for staying and 1 for moving: by $\frac12 (1 - \lambda)$. For the decays 0, one half "
    r"and 1: (0.5, 0.25, 0).",
    level="medium",
    hint="How probable is state 1 after one step, after two, and does the first action matter?",
)
def too_good_a_move():
    wrong = runs.EXACT + np.array([0.0, 1.0])
    yield [np.subtract(*runs.moments(decay, wrong, 3)[0][::-1]) - 0.25 for decay in (0.0, 0.5, 1.0)], "(0.5, 0.25, 0)"


@derivation.exercise(
    "What is the variance of the advantage estimate there, in a row without end, if the guess is exact?",
    prose(
        r"In state 0 the error is $\mp\frac18$, in state 1 $\pm\frac58$. The first has the mean square {first}, every later one "
        "{later}. The sum is {sum}; for the decays 0, one half and 1: 1/64, 7/240, 1/12.",
        first=Rational(1, 64),
        later=holds(times(Rational(1, 2), plus(Rational(1, 64), Rational(25, 64))), "=", Rational(13, 64)),
        sum=holds(
            plus(Rational(1, 64), times(Rational(13, 64), (gamma * lam) ** 2 / (1 - (gamma * lam) ** 2))),
            "=",
            (1 + 12 * (gamma * lam) ** 2) / (64 * (1 - (gamma * lam) ** 2)),
        ),
    ),
    level="hard",
    hint="With an exact guess the variances of the errors add up: which states are visited, and when?",
)
def noise_of_a_long_row():
    state, action = np.indices((2, 2)).reshape(2, -1)
    following = runs.STAY_OR_MOVE.argmax(axis=2)[state, action]
    row = runs.PAID[state, action][:, None], np.stack([runs.EXACT[state], runs.EXACT[following]], axis=1), np.zeros((4, 1))
    squares = (temporal_difference_errors(*row, discount=0.5)[:, 0] ** 2).reshape(2, 2).mean(axis=1)
    yield [squares[0] + squares.mean() * x**2 / (1 - x**2) for x in (0.0, 0.25, 0.5)], "1/64, 7/240, 1/12"


@derivation.exercise(
    "With the discount 0.99 and the decay 0.95, from how many steps ahead on does an error count less than half of its size in "
    "an advantage? What do the weights of all errors sum to, in a row without end?",
    "From 12 steps on: each step has the factor 0.9405, and 11 of them leave 0.509. The weights sum to the inverse of one less "
    "this factor, 16.81, so the estimate looks about 17 steps ahead, although the return itself looks 100 steps ahead.",
    level="easy",
    hint="The weights are powers of one number.",
)
def how_far_a_trace_reaches():
    rows = np.zeros((1, 400)), np.zeros((1, 401)), np.zeros((1, 400))
    weights = [
        generalized_advantages(_with_one_reward(rows[0], step), *rows[1:], discount=0.99, trace_decay=0.95)[0, 0]
        for step in (1, 11, 12)
    ]
    yield weights[0], "0.9405"
    yield weights[1], "0.509"
    yield next(step for step in range(100) if float(weights[0]) ** step < 0.5), "12"
    yield generalized_advantages(rows[0] + 1, *rows[1:], discount=0.99, trace_decay=0.95)[0, 0], "16.81"


def _with_one_reward(rewards, step):
    return rewards + (np.arange(rewards.shape[1]) == step)


@derivation.exercise(
    "Every step pays 1 for ever, the discount is 0.99, and the guesses are exact. A time limit cuts the row after 10 steps, and "
    "a program records this as the end of an episode. What are the last and the first advantage, with the decay 0.95, and what "
    "should they be?",
    r"The value of every state is 100, so all errors and advantages should be 0. The false end makes the last one $1 - 100$, or "
    "-99, and the first -57.0: ten steps that did nothing wrong are punished, and a guess that is fitted to such returns falls.",
    level="medium",
    hint="Only one error changes; which guess is missing from it?",
)
def a_time_limit_taken_for_an_end():
    rewards, guesses = np.ones((1, 10)), np.full((1, 11), 100.0)
    for cut, said in ((0.0, ("0", "0")), (1.0, ("-99", "-57.0"))):
        ends = cut * (np.arange(10)[None] == 9)
        found = generalized_advantages(rewards, guesses, ends, discount=0.99, trace_decay=0.95)[0]
        yield from zip((found[-1], found[0]), said, strict=True)
