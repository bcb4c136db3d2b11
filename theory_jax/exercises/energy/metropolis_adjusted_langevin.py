"""Exercises of the lecture: Metropolis-adjusted Langevin: an exact distribution at any length of the step."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.energy.metropolis_adjusted_langevin import acceptance_log_ratio, metropolis_matrix, proposal_log_prob
from theory_jax.lectures.energy._adjusted_chains import energy_of_normal, mean_share
from theory_jax.lectures.energy.metropolis_adjusted_langevin import _HALF, derivation, h, v, x, y


@derivation.exercise(
    "With which chance is a move from 1 to 2 accepted, for a standard normal target and a step of one half?",
    prose(
        "The logarithm of the ratio is {ratio}, or -0.375, so with the chance 0.687.",
        ratio=holds(
            times(h / (4 * v**2), plus(x**2, -(y**2))),
            "=",
            -Rational(3, 8),
            when={h: Rational(1, 2), v: 1, x: 1, y: 2},
            named=True,
        ),
    ),
    level="easy",
    hint="On a parabola only the difference of the squares counts.",
)
def one_to_two():
    ratio = acceptance_log_ratio(jnp.ones((1, 1)), jnp.full((1, 1), 2.0), energy_of_normal, step_size=0.5)
    yield ratio, "-0.375"
    yield jnp.exp(ratio), "0.687"


@derivation.exercise(
    "A proposal goes around, from 0 to 1, from there to 2 and back to 0, always. What does the chain do?",
    "Nothing: no move could be taken back, so all are rejected, and $P$ has the diagonal (1, 1, 1). Detailed balance holds, and "
    "every distribution is stationary.",
    level="medium",
    hint="Which proposal would take a move back, and how likely is it?",
)
def around():
    matrix = metropolis_matrix(jnp.log(_HALF), jnp.asarray(np.roll(np.eye(3), 1, axis=1)))
    yield jnp.diag(matrix), "(1, 1, 1)"


@derivation.exercise(
    r"Which acceptance is best in many dimensions, if the speed is $h$ times the acceptance?",
    r"$h$ is proportional to $s^{2/3}$, so $s^{2/3} \Phi(-\frac{s}{2})$ is to be largest: where $s$ is 1.124, and 0.574 of the "
    r"steps are accepted.",
    level="hard",
    hint="The variance of the log-ratio is proportional to the cube of the step: write the speed as a function of $s$.",
)
def bestmean_share():
    s = np.linspace(1.0, 1.3, 30_001)
    best = s[np.argmax([each ** (2 / 3) * mean_share(each) for each in s])]
    yield best, "1.124"
    yield mean_share(best), "0.574"


@derivation.exercise(
    r"The best share of accepted steps in many dimensions belongs to the deviation 1.124 of $\log r$. How long is the step for "
    "it, for a standard normal target in 1000 dimensions, and in 8000?",
    r"$s^2$ is $\frac12 D h^3$ to leading order, so $h$ is 0.1362, and in 8000 dimensions half of it, 0.0681.",
    level="easy",
    hint=r"The variance of $\log r$ is $D$ times that of a coordinate; leave out the term of the sixth order.",
)
def step_of_many_dimensions():
    for dim, printed in ((1000, "0.1362"), (8000, "0.0681")):
        yield (2 * 1.124**2 / dim) ** (1 / 3), printed


@derivation.exercise(
    "Somebody keeps only the accepted moves, and does not count a state once more where a move is rejected. Which distribution "
    "has the chain of the example then?",
    "(1/3, 1/3, 1/3) in place of (1/2, 1/4, 1/4). A state's share is its probability times the chance to leave it, which is one "
    "half for the first state and 1 for the others.",
    level="medium",
    hint="Divide the rows of $P$ without the diagonal by their sums, and look for the stationary distribution.",
)
def repeats_thrown_away():
    matrix = np.asarray(metropolis_matrix(jnp.log(_HALF), jnp.asarray((1 - np.eye(3)) / 2)))
    moves = matrix - np.diag(np.diag(matrix))
    chain = np.linalg.matrix_power(moves / moves.sum(axis=1, keepdims=True), 64)
    yield chain[0], "(1/3, 1/3, 1/3)"
    yield _HALF, "(1/2, 1/4, 1/4)"


@derivation.exercise(
    "A program proposes Langevin steps, but accepts them with the ratio $p(y)/p(x)$ alone, as if the proposal were symmetric. "
    "Which distribution does it sample for a standard normal target, with a step of 0.8 and with short ones?",
    r"Detailed balance holds for a density $\pi$ whose ratio at $y$ and $x$ is $\frac{q(y|x)}{q(x|y)} \frac{p(y)}{p(x)}$. The "
    r"first factor is nearly the second, so $\pi$ is nearly $p^2$. Here it is normal with variance $1/(2 - \frac h2)$: 0.625 "
    "with the step 0.8, and 0.5 in the limit. The samples look converged, and are far too close to the mode.",
    level="hard",
    hint="Write down detailed balance for an unknown density, and solve for its ratio at two points.",
)
def half_of_the_ratio():
    def precision(h):
        x, y = jnp.array([[0.3]]), jnp.array([[1.1]])
        there, back = proposal_log_prob(y, x, x, step_size=h), proposal_log_prob(x, y, y, step_size=h)
        return (there - back + energy_of_normal(x) - energy_of_normal(y)) / ((y**2 - x**2) / -2)[:, 0]

    yield 1 / precision(0.8), "0.625"
    yield 1 / precision(1e-11), "0.5"
