"""Exercises of the lecture: Selective state spaces: a recurrence that chooses what to keep."""

import jax.numpy as jnp
from sympy import Rational, exp, log

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space.selective import delta, derivation, gate, z
from theory_jax.state_space.selective import inverse_softplus


@derivation.exercise(
    "With which biases do steps begin at 0.001 and at 0.1?",
    "-6.9073 and -2.2522: a little below the logarithms, since the softplus of a small exponential is nearly itself.",
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
)
def a_share():
    yield value(gate, {z: 10}) ** 64, "0.9971"
