"""Exercises of the lecture: Bellman's equations: the value of a policy, and the best value of all."""

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._stay_or_move import PROCESS
from theory_jax.lectures.reinforcement._sweeps import BEST, EVEN, solved, swept
from theory_jax.lectures.reinforcement.markov_decision import V_0, V_1, alpha, beta, derivation, det, gamma, rho_0, rho_1
from theory_jax.reinforcement.markov_decision import action_value, policy_value

_far = {alpha: Rational(1, 2), beta: Rational(1, 2), rho_0: 0, rho_1: Rational(1, 2), gamma: Rational(9, 10)}


@derivation.exercise(
    "What is the even policy worth in the example at a discount of 0.9?",
    prose(
        "{det}, {first} and {second}, or (2.25, 2.75).",
        det=holds(det, "=", Rational(1, 10), when=_far),
        first=holds(V_0, "=", Rational(9, 4), when=_far),
        second=holds(V_1, "=", Rational(11, 4), when=_far),
    ),
    level="easy",
    hint="Put the discount into the two solutions of Bellman's equations.",
)
def a_farther_horizon():
    yield solved(EVEN, 0.9), "(2.25, 2.75)"


@derivation.exercise(
    "How many sweeps from zero bring the example's values within 0.01 of the best ones?",
    r"The error after $k$ sweeps is $2^{1-k}$, which is exactly the bound. It is 0.015625 after 7 sweeps and 0.0078125 after 8.",
    level="medium",
    hint="Write down the errors of the first sweeps: what does each do to the largest?",
)
def enough_sweeps():
    for number, said in ((7, "0.015625"), (8, "0.0078125")):
        yield jnp.max(jnp.abs(swept(jnp.zeros(2), number) - jnp.array([1.0, 2.0]))), said


@derivation.exercise(
    "A sweep can bring two values closer by more than the discount. Find two different values in the example that one sweep "
    "makes equal.",
    r"$(0, 3)$ and $(1, 3)$: one sweep takes both to $(1.5, 2.5)$, since state 0 looks at state 1 only.",
    level="medium",
    hint="Which numbers does the maximum in state 0 compare, and which of them does it forget?",
)
def two_become_one():
    yield swept(jnp.array([0.0, 3.0])), "(1.5, 2.5)"
    yield swept(jnp.array([1.0, 3.0])) - jnp.array([1.5, 2.5]) + jnp.array([1.0, 3.0]), "(1, 3)"


@derivation.exercise(
    "To help a learner, every transition of the example is paid the discounted potential of the next state less that of this "
    "one as well. The potential is 0 in state 0 and 1 in state 1. What are the four rewards now, and what are the even policy "
    "and the best policy worth?",
    "The rewards are (0, 0.5) in state 0 and (0.5, -1) in state 1: moving to state 1 is paid at once. Every policy is worth "
    "its old value less the potential, the even one (0.25, -0.25) and the best one (1, 1). The difference does not depend on "
    "the policy, so the best policy stays the best.",
    level="medium",
    hint="Add the additional payments along a run: which terms cancel?",
)
def a_potential():
    _, transition, reward = PROCESS
    potential = jnp.array([0.0, 1.0])
    shaped = reward + 0.5 * transition @ potential - potential[:, None]
    yield shaped[0], "(0, 0.5)"
    yield shaped[1], "(0.5, -1)"
    for policy, said in ((EVEN, "(0.25, -0.25)"), (BEST, "(1, 1)")):
        yield policy_value(transition, shaped, policy, discount=0.5), said


@derivation.exercise(
    "A guess of the best values is off by at most $e$ in each state, and the policy that is greedy for it is followed. It can "
    r"be worse than the best one by at most $2 \gamma e / (1 - \gamma)$ in a state. How small an error ruins the example's "
    "policy, and is the bound reached?",
    "State 0 is left only if the guess is larger in state 1. The best values are 1 and 2, so an error of 0.5 in each makes a "
    "tie, (1.5, 1.5), and with a little more the policy stays in state 0 for ever. It earns 0 there instead of 1, and the "
    "bound is 1: it is reached. At the discount 0.99 the factor is 198: a good guess can have a bad policy.",
    level="hard",
    hint="Which comparison decides in state 0, and how do two errors of opposite sign turn it over?",
)
def a_good_guess_with_a_bad_policy():
    best, error = solved(BEST), 0.501
    guess = best + error * jnp.array([1.0, -1.0])
    choice = jnp.argmax(action_value(guess, *PROCESS[1:], discount=0.5), axis=1)
    greedy = jnp.log(jnp.eye(2)[choice])
    yield best + 0.5 * jnp.array([1.0, -1.0]), "(1.5, 1.5)"
    yield solved(greedy)[0], "0"
    yield best[0] - solved(greedy)[0], "1"
    yield 2 * 0.5 * 0.5 / (1 - 0.5), "1"
    yield 2 * 0.99 / (1 - 0.99), "198"
