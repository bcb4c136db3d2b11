"""Exercises of the lecture: Recurrent networks: why a plain cell forgets, and what gates change."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, integrate, symbols

from theory_jax.derivation.notation import Slope
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._cells import plain_cell
from theory_jax.lectures.autoregressive.recurrent import d1, derivation, gate_value, h0, h1, half_life, w


@derivation.exercise(
    r"What is $\frac{\partial h_{10}}{\partial h_0}$ of a plain cell with one unit, the recurrent weight $\frac12$, inputs of "
    "zero and a state of zero?",
    prose(
        "The state stays zero, where the slope of a step is the weight, {slope}: $2^{-10}$, or 0.0009766.",
        slope=holds(Slope(h1, h0), "=", w, when={h0: 0, d1: 0}),
    ),
    level="easy",
    hint="Which value has the state at every step, and which slope has tanh there?",
)
def ten_steps():
    step = jax.grad(lambda state: plain_cell(jnp.zeros(1), state, jnp.full((1, 1), 0.5))[0])
    yield step(jnp.zeros(1))[0] ** 10, "0.0009766"


@derivation.exercise(
    r"Which bias gives a forget gate a half-life of 100 steps?",
    prose(
        r"At {gate}, or 0.99309, the half-life is {steps}. The bias is $\log \frac{f}{1 - f}$, or 4.968.",
        gate=where(gate_value, 2 ** Rational(-1, 100)),
        steps=holds(half_life, "=", 100, named=True),
    ),
    level="medium",
    hint="Solve the half-life for the gate, then the logistic function for the bias.",
)
def a_hundred_steps():
    gate = 2.0**-0.01
    yield value(half_life, {gate_value: 2 ** Rational(-1, 100)}), "100"
    yield gate, "0.99309"
    yield np.log(gate / (1 - gate)), "4.968"


@derivation.exercise(
    r"A linear cell, which multiplies its state by $w$, takes three steps from the state 1, with the weight $\frac12$. What is "
    "the gradient of $h_3$ by $w$, and what is left of it if it is truncated to the last step?",
    prose("It is {slope}, or 0.75, a third of it from each step: 0.25.", slope=holds(Slope(w**3, w), "=", 3 * w**2, named=True)),
    level="easy",
    hint="Write the last state as a power of the weight.",
)
def a_third():
    given = jnp.full(3, 0.5)
    each = jax.grad(jnp.prod)(given)
    yield jnp.sum(each), "0.75"
    yield each[2], "0.25"


@derivation.exercise(
    "A plain cell of one unit has the recurrent weight 2 and no input. What is the derivative of the state by the one ten "
    r"steps before, at the state 0, and where the state has settled, so that it is the tanh of twice itself?",
    "At 0 it is 1024. The state settles at 0.9575, where a step has the slope 0.1664, and ten steps have 1.62e-8. One weight "
    "makes the derivative explode or vanish: saturated units pass nothing on.",
    level="medium",
    hint="Find the fixed point by iterating; the slope of a step is the weight times the slope of tanh.",
)
def explodes_or_vanishes():
    weight = jnp.full((1, 1), 2.0)
    step = lambda state: plain_cell(jnp.zeros(1), state, weight)  # noqa: E731
    slope = jax.grad(lambda state: step(state)[0])
    settled = jnp.ones(1)
    for _ in range(40):
        settled = step(settled)
    yield slope(jnp.zeros(1))[0] ** 10, "1024"
    yield settled[0], "0.9575"
    yield slope(settled)[0], "0.1664"
    yield slope(settled)[0] ** 10, "1.62e-8"


@derivation.exercise(
    "With the recurrent weights cut, a layer of many units has forget gates that do not change, and that are spread evenly "
    "over all values from 0 to 1. Which mean share of a cell is left after $m$ steps? Compare it, after 100 steps, with a "
    "layer whose gates are all 1/2. What does the spread change?",
    "The mean of $f^m$ is $1/(m + 1)$, so 1/101 is left after 100 steps, against 7.9e-31. The fall is a power and not an "
    "exponential: at every range some units have gates that suit it. That is a reason to begin with biases that differ from "
    "unit to unit.",
    level="hard",
    hint="Average the share that one gate leaves over all gates.",
)
def spread_gates():
    f, m = symbols("f m", positive=True)
    yield integrate(f**m, (f, 0, 1)), 1 / (m + 1)
    yield integrate(f**100, (f, 0, 1)), "1/101"
    yield 0.5**100, "7.9e-31"
