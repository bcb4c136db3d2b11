"""Exercises of the lecture: Adjoint gradients: an equation that runs backward in place of stored steps."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp

from theory_jax.derivation.notation import Slope, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.adjoint import adjoint_gradients
from theory_jax.lectures.flows.adjoint import T, _linear, along, begin, derivation, rate, t


@derivation.exercise(
    prose(r"The example with {end}: what is $\frac{dL}{d\lambda}$?", end=where(T, 2)),
    prose(
        r"With {rate} and {start} it is {gradient}, about 10.8731. The end alone, $a(T) \cdot u$, would be half of it.",
        rate=where(rate, Rational(1, 2)),
        start=where(begin, 2),
        gradient=holds(times(T, begin, exp(rate * T)), "=", 4 * exp(1)),
    ),
    level="easy",
    hint="The integrand is constant along the path of a linear field.",
)
def twice_as_long():
    given = jnp.array([[2.0]]), jnp.ones((1, 1)), jnp.array([0.5])
    yield adjoint_gradients(*given, np.linspace(0.0, 2.0, 31), _linear)[2], "10.8731"


@derivation.exercise(
    r"A loss $\int_0^T r(x_t)\, dt$ along the path: what is the adjoint equation? Check it on the line, for the linear field of "
    "the rate 1, an $r$ that is the state itself, and the time 1 of the end.",
    prose(
        r"A further entry of the state accumulates $r$, and its adjoint is 1 at all times: $a' = -J^\top a - \nabla r$. Here {a} "
        "solves it, since {equation}, which is minus itself minus 1, and is {none} at the end; at the start it "
        "is {start}, about 1.7183.",
        a=along,
        equation=holds(Slope(along, t), "=", -exp(T - t), wrong={"without the loss": -along}),
        none=holds(along, "=", 0, when={t: T}, named=True),
        start=holds(along, "=", exp(1) - 1, when={t: 0, T: 1}, named=True),
        said=(r"a' = -J^\top a - \nabla r",),
    ),
    level="medium",
    hint="Add an entry to the state whose rate is the loss, and write down its adjoint.",
)
def along_the_path():
    def with_loss(x, time, parameters):
        return jnp.stack([x[:, 0], x[:, 0]], axis=1)

    state, cotangent = jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]])
    yield adjoint_gradients(state, cotangent, jnp.zeros(1), np.linspace(0.0, 1.0, 21), with_loss)[1][0, 0], "1.7183"


@derivation.exercise(
    prose(
        r"A likelihood adds the entry $\ell' = -\nabla \cdot v$ to the state. What does the adjoint of $x$ gain? And what is the "
        r"gradient of $\ell(1)$ in $\lambda$ for the linear field $\lambda x$ in two dimensions?",
        said=(r"\ell' = -\nabla \cdot v",),
    ),
    prose(
        r"The adjoint of $\ell$ is constant, $a_\ell$, and that of $x$ gains a term: $a' = -J^\top a + a_\ell \nabla (\nabla "
        r"\cdot v)$. It contains second derivatives of $v$. Those of a network with rectifiers are 0 where they exist, so there "
        r"the term is lost. The linear field has the divergence {divergence}, twice the slope of a coordinate, so $\ell(1)$ is "
        "minus that and its gradient {gradient}.",
        divergence=holds(2 * Slope(rate * begin, begin), "=", 2 * rate, named=True),
        gradient=holds(Slope(-2 * rate, rate), "=", -2, named=True),
        said=(r"a' = -J^\top a + a_\ell \nabla (\nabla \cdot v)",),
    ),
    level="hard",
    hint="Which entries does the Jacobian of the larger state have in its last row?",
)
def with_a_likelihood():
    def with_log_density(x, time, parameters):
        return jnp.concatenate([parameters[0] * x[:, :2], -2 * parameters[0] + 0 * x[:, :1]], axis=1)

    state, cotangent = jnp.array([[0.3, -0.2, 0.0]]), jnp.array([[0.0, 0.0, 1.0]])
    yield adjoint_gradients(state, cotangent, jnp.array([0.4]), np.linspace(0.0, 1.0, 3), with_log_density)[2], "-2"


@derivation.exercise(
    r"How does the loss of the example change with the time of the end, $\frac{dL}{dT}$?",
    "By the product of the adjoint and the velocity at the end. There the adjoint is 1, and the velocity half of the state: "
    "1.6487.",
    level="easy",
    hint="If the end comes a little later, by how much does the state move on?",
)
def a_later_end():
    yield value(Slope(times(begin, exp(rate * T)), T), {begin: 2, rate: 0.5, T: 1}), "1.6487"


@derivation.exercise(
    "A flow takes 400 steps. Somebody stores every $K$-th state and, on the way back, solves each piece once more and "
    "backpropagates through it. Which $K$ needs the least memory, and what is the price next to the adjoint?",
    "A share of one in $K$ of the states is stored, and the $K$ steps of a piece: 40 together for pieces of 20 steps, in place "
    "of 400. Each step is taken twice, as often as the adjoint takes it; and the gradient is exactly that of the computed "
    "steps, also where the flow contracts, since no path is solved backward.",
    level="medium",
    hint="Add both kinds of what is stored, and find the least sum.",
)
def checkpoints():
    pieces = np.arange(1, 401)
    stored = 400 / pieces + pieces
    yield stored.min(), "40"
    yield pieces[stored.argmin()], "20"
