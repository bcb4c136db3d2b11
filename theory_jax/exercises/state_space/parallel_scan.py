"""Exercises of the lecture: Parallel scan: a recurrence in a logarithmic number of rounds."""

import sympy

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space._parallel_scan import windows_by_round
from theory_jax.lectures.state_space.parallel_scan import a1, a2, b1, b2, derivation, x


@derivation.exercise(
    "How many rounds of doubling do 13, 16 and 17 steps need?",
    "4, 4, 5: the first number $n$ with $2^n$ at least the number of steps.",
)
def how_many_rounds():
    yield [len(windows_by_round(steps)) - 1 for steps in (13, 16, 17)], "4, 4, 5"


@derivation.exercise(
    "Let the state be a vector of 16 numbers and the decay a matrix. What joins two steps, and how many multiplications does "
    "it take, compared with decays entry by entry?",
    r"$(A_1, b_1) \bullet (A_2, b_2)$ is $(A_2 A_1, A_2 b_1 + b_2)$, with $16^3 + 16^2$ multiplications, or 4352, against $2 "
    r"\cdot 16$, or 32. A loop needs $16^2$ a step, or 256. That is why a scan wants diagonal matrices.",
)
def matrices():
    size = sympy.Integer(16)
    yield size**3 + size**2, "4352"
    yield 2 * size, "32"
    yield size**2, "256"


@derivation.exercise(
    "Let each state be the larger one of $a_t + x_{t-1}$ and $b_t$. Is this a scan, too? Join the pairs $(1, 5)$ and $(-2, 2)$.",
    prose(
        r"Yes: sums distribute over maxima as products do over sums, {joined}, so $(a_1, b_1) \bullet (a_2, b_2)$ is $(a_1 + "
        r"a_2, \max(a_2 + b_1, b_2))$. Here that is $(-1, 3)$, and from the state 3 both ways give 3.",
        joined=holds(sympy.Max(a2 + sympy.Max(a1 + x, b1), b2), "=", sympy.Max(a2 + a1 + x, a2 + b1, b2)),
    ),
)
def maxima():
    (a_first, b_first), (a_second, b_second) = (1, 5), (-2, 2)
    joined = a_first + a_second, max(a_second + b_first, b_second)
    yield joined, "(-1, 3)"
    start = 3
    yield max(joined[0] + start, joined[1]), "3"
    yield max(a_second + max(a_first + start, b_first), b_second), "3"
