"""Exercises of the lecture: Trust regions: how far the old policy's advantages can be believed."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, solve, sqrt

from theory_jax.derivation.notation import Slope
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.reinforcement import _pairs_of_policies as pairs
from theory_jax.lectures.reinforcement.trust_region import alpha, bound_at, c, derivation, e, error_bound, gamma, x
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
    level="medium",
    hint="Set the slope of the bound in the example to zero: a quadratic.",
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
    level="medium",
    hint="Write a loop: each round's best point is the next old policy.",
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
    level="easy",
    hint="Put the discount 0 into the constant of the penalty.",
)
def only_today():
    process, news, olds = pairs.random_pairs(3)
    yield jnp.max(jnp.abs(pairs.each(improvement_bound, process, news, olds, 0.0) - pairs.returned(process, news, 0.0))), "0"
    best, even = (pairs.right_with(jnp.array([far])) for far in (0.5, 0.0))
    yield jnp.squeeze(pairs.each(improvement_bound, pairs.PROCESS, best, even, 0.0)), "0"


@derivation.exercise(
    "At the discount 0.99, with advantages of size up to 1, what is the factor of the divergence in the bound? What does a "
    "step of 0.01 nats cost, and what is that next to the largest return of rewards up to 1?",
    "The factor is 39600, so the step costs 396, and no return is above 100. The bound never allows such a step; programs that "
    "take it, as TRPO does, rely on an approximation and on a test of each step and not on the theorem.",
    level="easy",
    hint="It is four times the constant of the page.",
)
def the_factor_of_a_long_horizon():
    given = {e: 1, gamma: Rational(99, 100)}
    yield value(4 * c, given), "39600"
    yield value(4 * c, given) / 100, "396"
    yield value(1 / (1 - gamma), given), "100"


@derivation.exercise(
    "In the example, leave the bound of the error as it is before the divergence enters, with the square of the largest total "
    "variation. At which $x$ is this bound largest, and what is the return there? Compare with the step that the divergence "
    "allows.",
    "The total variation is $x$, and the factor of its square is 5. So the bound is largest at 0.1, where it is 0.3 and the "
    "return 0.36. The step is twice as long as the one of 0.0495: for small steps Pinsker's inequality costs nothing, and "
    "the factor of two is the half of the penalty that the form in use does not need.",
    level="hard",
    hint="The surrogate is one quarter more than $x$ here; what is the largest advantage?",
)
def the_variation_itself():
    given = {e: Rational(5, 8), gamma: Rational(1, 2), alpha: x}
    factor = value(error_bound / alpha**2, {e: Rational(5, 8), gamma: Rational(1, 2), alpha: Rational(1, 3)})
    yield factor, "5"
    bound = Rational(1, 4) + x - error_bound.subs(given)
    (best,) = solve(bound.diff(x), x)
    yield float(best), "0.1"
    yield float(bound.subs(x, best)), "0.3"
    yield 0.25 + pairs.of_example(performance_difference, float(best))[0], "0.36"
    yield (np.sqrt(26) - 5) / 2, "0.0495"
