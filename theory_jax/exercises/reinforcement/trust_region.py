"""Exercises of the lecture: Trust regions: how far the old policy's advantages can be believed."""

import jax.numpy as jnp
import numpy as np
from sympy import sqrt

from theory_jax.derivation.notation import Slope
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.reinforcement import _pairs_of_policies as pairs
from theory_jax.lectures.reinforcement.trust_region import bound_at, derivation, x
from theory_jax.reinforcement.trust_region import improvement_bound, performance_difference


@derivation.exercise(
    "In the example, at which $x$ is the bound largest, and what is the return there?",
    prose(
        "It is {bound}, and {flat} at {place}, or 0.0495. The bound is 0.2749 there, and the return, the square of one half more "
        "than $x$, 0.3020.",
        bound=bound_at,
        flat=holds(Slope(bound_at, x), "=", 0),
        place=where(x, (sqrt(26) - 5) / 2),
    ),
)
def the_largest_bound():
    best = (np.sqrt(26) - 5) / 2
    yield best, "0.0495"
    yield pairs.of_example(improvement_bound, best)[0], "0.2749"
    yield 0.25 + pairs.of_example(performance_difference, best)[0], "0.3020"


@derivation.exercise(
    "Five times the bound is made as large as it can be, each time from where the last step ended ($x$ in steps of 0.001). "
    "Where does the policy get, and does its return ever fall?",
    "The right action's probability becomes 0.550, 0.597, 0.641, 0.682 and 0.720, and the return 0.3025, 0.3564, 0.4109, 0.4651 "
    "and 0.5184: it never falls, and rises by about 0.05 each time.",
)
def minorize_and_maximize():
    x, reached = np.arange(0, 0.49, 0.001), [0.0]
    for _ in range(5):
        reached.append(x[int(jnp.argmax(pairs.of_example(improvement_bound, x, reached[-1])))])
    yield 0.5 + np.array(reached[1:]), "0.550, 0.597, 0.641, 0.682 and 0.720"
    yield (
        pairs.returned(pairs.PROCESS, pairs.right_with(jnp.array(reached[1:])), 0.5),
        "0.3025, 0.3564, 0.4109, 0.4651 and 0.5184",
    )


@derivation.exercise(
    "Only today counts: the discount is 0. How far off is the surrogate, and what does the bound say of the best policy?",
    "It is off by 0: all of the discounted time is spent where the run begins, whatever the policy. The bound has no penalty, "
    "and in the example return and bound are 0, since state 0 pays nothing today.",
)
def only_today():
    process, news, olds = pairs.random_pairs(3)
    yield jnp.max(jnp.abs(pairs.each(improvement_bound, process, news, olds, 0.0) - pairs.returned(process, news, 0.0))), "0"
    best, even = (pairs.right_with(jnp.array([far])) for far in (0.5, 0.0))
    yield jnp.squeeze(pairs.each(improvement_bound, pairs.PROCESS, best, even, 0.0)), "0"
