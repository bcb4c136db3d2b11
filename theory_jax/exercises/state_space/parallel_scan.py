"""Exercises of the lecture: Parallel scan: a recurrence in a logarithmic number of rounds."""

import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space._parallel_scan import windows_by_round
from theory_jax.lectures.state_space.parallel_scan import a1, a2, b1, b2, derivation, x
from theory_jax.state_space.parallel_scan import combine, recurrence_parallel, recurrence_sequential


@derivation.exercise(
    "How many rounds of doubling do 13, 16 and 17 steps need?",
    "4, 4, 5: the first number $n$ with $2^n$ at least the number of steps.",
    level="easy",
    hint="After each round the windows are twice as long.",
)
def how_many_rounds():
    yield [len(windows_by_round(steps)) - 1 for steps in (13, 16, 17)], "4, 4, 5"


@derivation.exercise(
    "Let the state be a vector of 16 numbers and the decay a matrix. What joins two steps, and how many multiplications does "
    "it take, compared with decays entry by entry?",
    r"$(A_1, b_1) \bullet (A_2, b_2)$ is $(A_2 A_1, A_2 b_1 + b_2)$, with $16^3 + 16^2$ multiplications, or 4352, against $2 "
    r"\cdot 16$, or 32. A loop needs $16^2$ a step, or 256. That is why a scan wants diagonal matrices.",
    level="medium",
    hint="Compose two affine maps of a vector, and count the products of numbers.",
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
    level="hard",
    hint="What do maxima and sums have in common with sums and products?",
)
def maxima():
    (a_first, b_first), (a_second, b_second) = (1, 5), (-2, 2)
    joined = a_first + a_second, max(a_second + b_first, b_second)
    yield joined, "(-1, 3)"
    start = 3
    yield max(joined[0] + start, joined[1]), "3"
    yield max(a_second + max(a_first + start, b_first), b_second), "3"


@derivation.exercise(
    "Two texts are packed into one sequence, and nothing of the first may reach the second. In the example the second text "
    "begins with step 2. Which decay does that step get, what are the states, and what is the pair of all three steps? What "
    "would the quotients of the appendix do?",
    "Its decay becomes 0: the states are 3, 2 and 1, and the pair is (0, 1): whatever the initial state, the last state is 1. "
    "The scan needs no exception for it. The quotients would divide by a product that is 0.",
    level="easy",
    hint="A step that forgets everything is a map that does not depend on the state.",
)
def a_boundary():
    decay, inputs, initial = jnp.array([[[0.5], [0.0], [0.5]]]), jnp.array([[[1.0], [2.0], [0.0]]]), jnp.array([[4.0]])
    yield recurrence_parallel(inputs, decay, initial).ravel(), "3, 2 and 1"
    pair = decay[0, 0, 0], inputs[0, 0, 0]
    for step in (1, 2):
        pair = combine(*pair, decay[0, step, 0], inputs[0, step, 0])
    yield jnp.stack(pair), "(0, 1)"
    yield recurrence_sequential(inputs, decay, 100 * initial)[0, -1, 0], "1"


@derivation.exercise(
    "How many joins does doubling make for 8 steps, and for 1024, where one joining after the other makes 7 and 1023? How many "
    "at least does a machine with as many workers as steps wait for?",
    "In the round with windows of $w$ steps $T - w$ are joined: 17 for 8 steps, and 9217 for 1024, 9 times the work of the "
    "loop. With a worker for each step it waits for 10 joins in place of 1023. Schemes that climb a tree and come back make "
    "fewer than twice as many joins as the loop, in twice the rounds.",
    level="medium",
    hint="Which steps have a window before theirs, in each round?",
)
def joins():
    for steps, said in ((8, "17"), (1024, "9217")):
        by_round = [np.array(window) for window in windows_by_round(steps)]
        yield sum(int((after != before).sum()) for before, after in zip(by_round, by_round[1:], strict=False)), said
    yield len(windows_by_round(1024)) - 1, "10"
    yield round(9217 / 1023), "9"
