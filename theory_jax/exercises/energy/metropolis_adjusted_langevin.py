"""Exercises of the lecture: Metropolis-adjusted Langevin: an exact distribution at any length of the step."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.energy.metropolis_adjusted_langevin import acceptance_log_ratio, metropolis_matrix
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
)
def one_to_two():
    ratio = acceptance_log_ratio(jnp.ones((1, 1)), jnp.full((1, 1), 2.0), energy_of_normal, step_size=0.5)
    yield ratio, "-0.375"
    yield jnp.exp(ratio), "0.687"


@derivation.exercise(
    "A proposal goes around, from 0 to 1, from there to 2 and back to 0, always. What does the chain do?",
    "Nothing: no move could be taken back, so all are rejected, and $P$ has the diagonal (1, 1, 1). Detailed balance holds, and "
    "every distribution is stationary.",
)
def around():
    matrix = metropolis_matrix(jnp.log(_HALF), jnp.asarray(np.roll(np.eye(3), 1, axis=1)))
    yield jnp.diag(matrix), "(1, 1, 1)"


@derivation.exercise(
    r"Which acceptance is best in many dimensions, if the speed is $h$ times the acceptance?",
    r"$h$ is proportional to $s^{2/3}$, so $s^{2/3} \Phi(-\frac{s}{2})$ is to be largest: where $s$ is 1.124, and 0.574 of the "
    r"steps are accepted.",
)
def bestmean_share():
    s = np.linspace(1.0, 1.3, 30_001)
    best = s[np.argmax([each ** (2 / 3) * mean_share(each) for each in s])]
    yield best, "1.124"
    yield mean_share(best), "0.574"
