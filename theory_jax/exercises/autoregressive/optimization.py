"""Exercises of the lecture: AdamW: how far a step can go, what its corrections correct, and decay next to the step."""

import math

import jax.numpy as jnp
from sympy import Rational

from theory_jax.autoregressive.optimization import adamw_step
from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.optimization import c, derivation, eta, lam, size, step, theta


@derivation.exercise(
    r"Where does the first step take a parameter at 0 whose gradient is $-10^{-6}$, with the rate 0.001, no $\varepsilon$ and "
    r"no decay?",
    "To 0.001: by the whole rate, however small the gradient.",
    level="easy",
    hint="The first step without the small number is a sign.",
)
def a_small_gradient():
    zero = jnp.zeros(1)
    yield adamw_step(jnp.full(1, -1e-6), zero, zero, zero, step=1, learning_rate=0.001, epsilon=0.0)[0][0], "0.001"


@derivation.exercise(
    r"What is the bound of a step without averaging of gradients, with 0 for $\beta_1$ and 0.999 for $\beta_2$?",
    r"$1/\sqrt{1 - \beta_2}$, or 31.62: without the average a lone gradient goes ten times as far.",
    level="medium",
    hint="Insert the factors into the bound of the page, and into the step of a lone gradient.",
)
def without_momentum():
    yield 1 / math.sqrt(0.001), "31.62"
    move = adamw_step(
        jnp.ones(1), jnp.zeros(1), jnp.zeros(1), jnp.zeros(1), step=40_000, learning_rate=1.0, epsilon=0.0, beta1=0.0
    )[0]
    yield -move[0], "31.62"


_long = {c: 1, lam: Rational(1, 10), eta: Rational(1, 1000), theta: 20}


@derivation.exercise(
    "Which size does no parameter keep in long training, if steps are at most one rate long and the decay is 0.1? How near is "
    "a bound that starts at 20 after 10,000 steps with the rate 0.001?",
    prose(
        "None stays above {limit}. The bound is {bound}: 13.68 after 10,000 steps.",
        limit=holds(c / lam, "=", 10, when=_long, named=True),
        bound=holds(size, "=", plus(10, 10 * Rational(9999, 10000) ** step), when=_long, named=True),
    ),
    level="easy",
    hint="Where do decay and step cancel?",
)
def the_largest_parameter():
    yield 1 / 0.1, "10"
    yield float(size.family.definition.subs(_long | {step: 10000})), "13.68"


@derivation.exercise(
    r"An embedding that no text uses has the gradient 0. Its entry 1 is decayed with $\lambda$ 0.0001 and the rate 0.001, once "
    r"next to the step, and once by a penalty whose gradient is $\lambda \theta$, without $\varepsilon$. How far does the "
    r"first step move it? What does a hundred times smaller $\lambda$ change?",
    "Next to the step it moves by 1e-7, and by 1e-9 with the smaller decay. The penalty moves it by 0.001 with both: it is the "
    "only gradient, so it is divided by its own size. A penalty, however small, pulls unused entries to zero at the full rate.",
    level="medium",
    hint="Which step does Adam take if the only gradient is that of the penalty?",
)
def an_unused_embedding():
    one, zero = jnp.ones(1), jnp.zeros(1)
    for decay, said in ((1e-4, "1e-7"), (1e-6, "1e-9")):
        given = {"step": 1, "learning_rate": 0.001, "epsilon": 0.0}
        moved = adamw_step(decay * one, one, zero, zero, **given)[0][0]
        yield 1 - moved, "0.001"
        next_to = adamw_step(zero, one, zero, zero, step=1, learning_rate=0.001, weight_decay=decay)[0][0]
        yield 1 - next_to, said


@derivation.exercise(
    r"Take 0.9 for $\beta_1$ and 0.5 for $\beta_2$, so that $\beta_1^2$ is above $\beta_2$. A parameter receives one gradient at "
    r"the first step, and zeros after it. How long is the 21st step, in rates, without $\varepsilon$? What goes wrong, and "
    "what with the usual factors?",
    "19.77 rates, and every later step is longer: the average of the gradients falls by the factor 0.9 a step, the root of the "
    r"average of squares by $\sqrt{0.5}$, so their quotient grows by 1.2728. No bound holds. With the usual factors the same "
    "step has the length 0.0629.",
    level="hard",
    hint="Follow both averages through the silence; what is the quotient of their factors?",
)
def squares_forgotten_too_fast():
    for second, said in ((0.5, "19.77"), (0.999, "0.0629")):
        parameter, first_moment, second_moment = jnp.zeros(1), jnp.zeros(1), jnp.zeros(1)
        for number in range(1, 22):
            before, gradient = parameter, jnp.full(1, float(number == 1))
            parameter, first_moment, second_moment = adamw_step(
                gradient,
                parameter,
                first_moment,
                second_moment,
                step=number,
                learning_rate=1.0,
                epsilon=0.0,
                beta1=0.9,
                beta2=second,
            )
        yield (before - parameter)[0], said
    yield 0.9 / math.sqrt(0.5), "1.2728"
