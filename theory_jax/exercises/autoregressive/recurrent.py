"""Exercises of the lecture: Recurrent networks: why a plain cell forgets, and what gates change."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational

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
)
def a_third():
    given = jnp.full(3, 0.5)
    each = jax.grad(jnp.prod)(given)
    yield jnp.sum(each), "0.75"
    yield each[2], "0.25"
