"""Exercises of the lecture: Selective state spaces: a recurrence that chooses what to keep."""

import math

import jax.numpy as jnp
from scipy.optimize import brentq
from sympy import Rational, Symbol, exp, limit, log

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space.selective import delta, derivation, gate, z
from theory_jax.state_space.discretization import zero_order_hold
from theory_jax.state_space.selective import inverse_softplus, selective_scan


@derivation.exercise(
    "With which biases do steps begin at 0.001 and at 0.1?",
    "-6.9073 and -2.2522: a little below the logarithms, since the softplus of a small exponential is nearly itself.",
    level="easy",
    hint="The page has the inverse of the softplus.",
)
def two_biases():
    yield inverse_softplus(jnp.array([0.001])), "-6.9073"
    yield inverse_softplus(jnp.array([0.1])), "-2.2522"


@derivation.exercise(
    r"For the rate $-1$ and a $z$ of 0, which weight has the input with the exact hold, and with $\Delta B$? Is the map from "
    "one token to the state linear, if $z$ is $u$?",
    prose(
        r"{gate} and {step}: 0.5 and 0.6931. It is not: with the exact hold the state is $\sigma(u) u$, which is 1.762 at 2 "
        "and not twice its value at 1, 1.462. The step that depends on the input costs linearity, and with it the kernel.",
        gate=holds(gate, "=", Rational(1, 2), when={z: 0}),
        step=holds(delta, "=", log(2), when={z: 0}),
    ),
    level="medium",
    hint="What are the gate and the step at 0? For linearity, compare the state at 1 and at 2.",
)
def two_weights():
    yield value(gate, {z: 0}), "0.5"
    yield value(delta, {z: 0}), "0.6931"
    yield 2 * value(gate, {z: 2}), "1.762"
    yield 2 * value(gate, {z: 1}), "1.462"


@derivation.exercise(
    "A marked token is stored with a $z$ of 10 and followed by 63 others with $-10$. Which share of the state is it in the end?",
    prose(
        r"$\sigma(10) (1 - \sigma(-10))^{63}$, which is $\sigma(10)^{64}$ since {rest}: 0.9971. Twice as many tokens lose "
        "about twice as much.",
        rest=holds(1 - 1 / (1 + exp(z)), "=", gate),
    ),
    level="medium",
    hint=r"Each later token leaves the share $1 - \sigma$ of what there is.",
)
def a_share():
    yield value(gate, {z: 10}) ** 64, "0.9971"


@derivation.exercise(
    "A marked token is stored with $z$, and followed by 1000 others with $-z$. How large must $z$ be, if 99% of the state are to "
    "come from it in the end?",
    r"At least 11.51: $\sigma(z)^{1001}$ must be 0.99. The other tokens then have steps of 0.00001. For ten times as many tokens "
    r"$z$ grows by $\log 10$ only, to 13.81.",
    level="medium",
    hint="As in the exercise on a share, all factors are the same power of one gate.",
)
def how_far_apart():
    for others, said in ((1000, "11.51"), (10000, "13.81")):
        needed = brentq(lambda at, power=others + 1: value(gate, {z: at}) ** power - 0.99, 1.0, 20.0)
        yield needed, said
        if others == 1000:
            yield value(delta, {z: -needed}), "0.00001"


@derivation.exercise(
    r"A token with the step $\log 4$, the rate $-1$ and an input of 1 is split into two tokens of half the step with the same "
    r"input. Which state do both versions leave from 0, with the exact hold and with $\Delta B$? What if it is split into ever "
    "more?",
    r"The exact hold leaves 0.75 both times: it is the integral over the same time. With $\Delta B$ it is 1.3863 for one token "
    r"and 1.0397 for two, and in the limit of ever more it falls to $\frac34$, too. So a model with $\Delta B$ that sees the "
    "same signal at twice the rate, with half the steps, has another state.",
    level="hard",
    hint="Two halves of the decay multiply to the whole one; sum a geometric series for many parts.",
)
def split_tokens():
    whole = math.log(4)
    for parts, said in ((1, "1.3863"), (2, "1.0397")):
        ones, sizes = jnp.ones((1, parts, 1)), jnp.full((1, parts, 1), whole / parts)
        yield selective_scan(ones, sizes, ones, ones, jnp.zeros((1, 1, 1)), -jnp.ones((1, 1)), jnp.zeros(1))[1][0, 0, 0], said
        moving, driving = (part[0, 0] for part in zero_order_hold(-jnp.ones((1, 1)), jnp.ones((1, 1)), step_size=whole / parts))
        yield sum(driving * moving**age for age in range(parts)), "0.75"
    part = Symbol("x", positive=True)  # the length of one of many parts
    yield limit(part * (1 - exp(-log(4))) / (1 - exp(-part)), part, 0), Rational(3, 4)
