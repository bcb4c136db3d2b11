"""Adjoint gradients: an equation that runs backward in place of stored steps.

The lecture on the functions of theory_jax/flows/adjoint.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, Rational, exp

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.flows.adjoint import adjoint_gradients
from theory_jax.flows.ode_solvers import runge_kutta_4_step, solve_fixed

derivation = Derivation(
    module=__name__,
    title="Adjoint gradients: an equation that runs backward in place of stored steps",
    sources=(
        "Chen, Rubanova, Bettencourt & Duvenaud 2018, Neural ordinary differential equations",
        "Pontryagin, Boltyanskii, Gamkrelidze & Mishchenko 1962, The mathematical theory of optimal processes",
    ),
    question="A loss is known at the end of a flow, after many steps of a solver. Backpropagation stores every one of them, so "
    "memory grows with the number of steps. How does its gradient reach the start and the parameters of the velocity without "
    "the steps being stored, and is it the gradient that backpropagation finds?",
    setting=(
        prose(
            r"The flow is $x' = v(x, t, \theta)$ on $[0, T]$. The velocity is continuous, and continuously differentiable in "
            r"$x$ and in $\theta$; $J = \partial v / \partial x$ and $u = \partial v / \partial \theta$ on the path, for one "
            r"parameter $\theta$ at a time.",
            said=(r"x' = v(x, t, \theta)", r"J = \partial v / \partial x", r"u = \partial v / \partial \theta"),
        ),
        prose(
            "The loss $L$ is a differentiable function of $x_T$. The adjoint $a(t)$ is its gradient in the state at time $t$, "
            r"with the parameters as they are, a column: $a(T) = \nabla L(x_T)$.",
            said=(r"a(T) = \nabla L(x_T)",),
        ),
        prose(
            r"A small displacement $\delta$ of the state moves with the flow: $\delta' = J \delta$. The sensitivity $s = "
            r"\partial x_t / \partial \theta$ has $s' = J s + u$ and begins at 0: what the parameter did before is carried on, "
            "what it does now is added.",
            said=(r"\delta' = J \delta", r"s = \partial x_t / \partial \theta", "s' = J s + u"),
        ),
    ),
    limits=(
        "Steps of a chosen size: backpropagation also sees how they were chosen, unless their sizes are held constant.",
        r"The gradient in the time of the end, which is $a(T) \cdot v$, and losses along the path other than in the exercise.",
        "A bound of the error on the way back for fields that are not linear.",
    ),
    trained="A way to compute a gradient. `flows/continuous_flow` trains with the other: its solver takes few steps, so it "
    "differentiates them.",
)

i = derivation.index("i", "an entry of the state")
j = derivation.index("j", "an entry of the state")
h = derivation.number("h", "a small step of time, or the size of a solver's step", positive=True)
J = derivation.numbers("J", (i, j), r"the Jacobian $\partial v_i / \partial x_j$ at a time")
later = derivation.numbers("b", i, "the adjoint at the time $t + h$")
displaced = derivation.numbers(r"\delta", i, "a small displacement of the state at time $t$")
now = plus(later, times(h, Total(j, times(J.at(j, i), later.at(j)))))
transposed = derivation.chain(
    "Seen later or seen now, a displacement does the same to the loss, so the adjoint goes back by the transposed Jacobian",
    Total(i, times(later, plus(displaced, times(h, Total(j, times(J, displaced.at(j))))))),
    equals(
        Total(j, times(plus(later.at(j), times(h, Total(i, times(J, later)))), displaced.at(j))),
        r"exchange the sums: the displacement arrives as $\delta + h J \delta$, up to terms that vanish faster than $h$",
        wrong={
            "the Jacobian not transposed": Total(
                j, times(plus(later.at(j), times(h, Total(i, times(J.at(j, i), later)))), displaced.at(j))
            )
        },
    ),
    role="theorem",
    so=prose(
        r"Both are the change of the loss, for every $\delta$. So the adjoint at time $t$ is {now}, up to the same terms. Per "
        r"time it changes by {rate}, and with a step that vanishes this is $a' = -J^\top a$. The transpose comes from the "
        "exchange of the sums.",
        now=means("a_i", now),
        rate=holds(
            times(1 / h, plus(later, -now)),
            "=",
            -Total(j, times(J.at(j, i), later.at(j))),
            named=True,
            wrong={"the Jacobian not transposed": -Total(j, times(J, later.at(j)))},
        ),
        said=(r"a' = -J^\top a",),
    ),
)
a = derivation.numbers("a", i, "the adjoint")
s = derivation.numbers("s", i, r"the sensitivity $\partial x_i / \partial \theta$")
u = derivation.numbers("u", i, r"what the parameter does to the velocity now, $\partial v_i / \partial \theta$")
adjoint_rate = derivation.define("a'", -Total(j, times(J.at(j, i), a.at(j))), "the adjoint equation", over=i)
carried = derivation.define("s'", plus(Total(j, times(J, s.at(j))), u), "the rate of the sensitivity", over=i)
growth = plus(Total(i, times(adjoint_rate, s)), Total(i, times(a, carried)))
derivation.answer = prose(
    "Backward from the end the adjoint follows {adjoint}. Its product with the sensitivity then changes at the rate {growth}, "
    r"and the gradient in the parameter is the integral of this rate, $\int_0^T a \cdot u\, dt$. State, adjoint and integral are "
    "solved together from the end to the start, in the memory of a single step. The result is the gradient of the solution, up "
    "to the solver's order. Backpropagation gives the gradient of the computed steps instead; the two agree up to the same "
    "order. Where the flow contracts, the way back amplifies every error, and over a long time the adjoint fails.",
    adjoint=holds(
        adjoint_rate, "=", -Total(j, times(J.at(j, i), a.at(j))), wrong={"not transposed": -Total(j, times(J, a.at(j)))}
    ),
    growth=holds(growth, "=", Total(i, times(a, u)), named=True, wrong={"the sign": -Total(i, times(a, u))}),
)
grows = derivation.chain(
    "The product of adjoint and sensitivity grows by what the parameter does now",
    growth,
    equals(
        plus(-Total(i, Total(j, times(J.at(j, i), a.at(j), s))), Total(i, Total(j, times(a, J, s.at(j)))), Total(i, times(a, u))),
        "insert both equations",
    ),
    equals(
        Total(i, times(a, u)),
        prose(
            "the first two are the same double sum, with the names of the indices exchanged: {same}",
            same=holds(Total(i, Total(j, times(J.at(j, i), a.at(j), s))), "=", Total(i, Total(j, times(a, J, s.at(j))))),
        ),
        wrong={"nothing": Total(i, times(a, J.at(i, i), s))},
    ),
    central=True,
    so=prose(
        r"Without $u$ the product is constant, {constant}: $a(0) \cdot \delta(0) = a(T) \cdot \delta(T)$, so $a(0)$ is the "
        r"gradient in the start. With $u$, and because $s(0) = 0$: $\frac{dL}{d\theta} = a(T) \cdot s(T) = \int_0^T a \cdot u\, "
        r"dt$. As a solution backward: $g' = -a \cdot u$ from $g(T) = 0$, and $\frac{dL}{d\theta} = g(0)$. The examples of a "
        "batch share the parameters: their gradients add.",
        constant=holds(growth, "=", 0, when={u: 0}),
        said=(
            r"a(0) \cdot \delta(0) = a(T) \cdot \delta(T)",
            "s(0) = 0",
            r"\frac{dL}{d\theta} = a(T) \cdot s(T) = \int_0^T a \cdot u\, dt",
            r"g' = -a \cdot u",
            "g(T) = 0",
            r"\frac{dL}{d\theta} = g(0)",
        ),
    ),
)
for letter, words in (
    ("v", "the velocity"),
    ("L", "the loss"),
    ("x_T", "the end of the path"),
    ("x_t", "the path"),
    ("g", "the integral so far"),
):
    derivation.symbol(letter, words)
derivation.say(
    "The state is needed on the way back, for $J$ and $u$. It is not stored, but solved backward together with $a$ and $g$: "
    "twice the work of the way there or more, and the memory of one step whatever their number. Backpropagation stores every "
    "stage of every step."
)
t, T = derivation.number("t", "the time"), derivation.number("T", "the time of the end", positive=True)
rate = derivation.number(r"\lambda", "the rate of a linear field on the line, its only parameter", between=(0, Rational(1, 2)))
begin = derivation.number("x_0", "the start of the path", "x")
pull = derivation.number("c", r"the slope of the loss at the end, $a(T)$", "cotangent")
adjoint, path = times(pull, exp(rate * (T - t))), times(begin, exp(rate * t))
derivation.chain(
    "On a linear field the integral over the path is the slope of the end in the rate",
    Integral(times(pull * exp(rate * (T - t)), begin * exp(rate * t)), (t, 0, T)),
    equals(
        times(T, pull, begin, exp(rate * T)),
        prose(
            "the adjoint is {a}, since {adjoint}, and $u$ is the path itself, {x}, since {path}: the integrand is constant, "
            "{integrand}",
            a=adjoint,
            adjoint=holds(Slope(adjoint, t), "=", times(-rate, adjoint)),
            x=path,
            path=holds(Slope(path, t), "=", times(rate, path)),
            integrand=holds(times(adjoint, path), "=", times(pull, begin, exp(rate * T)), named=True),
        ),
    ),
    equals(
        pull * Slope(begin * exp(rate * T), rate),
        r"the slope of $x_T$ in $\lambda$",
        wrong={"the slope in the time": pull * Slope(begin * exp(rate * T), T)},
    ),
    role="remark",
)

derivation.say(
    prose(
        r"A solver's gradient. On the linear field a step of the classical method multiplies by $R(z)$ with {z}. "
        r"Backpropagation differentiates $R$: the slope of the end in $\lambda$ is $h R'(z) x_0$, where the solution's is $h e^z "
        "x_0$. The adjoint takes the step back, with state and adjoint in its four stages.",
        z=means("z", times(rate, h)),
    )
)
z = derivation.number("z", "the rate times the size of the step")
R = derivation.define("R", plus(1, z, z**2 / 2, z**3 / 6, z**4 / 24), "the factor of a step")
x_stages, a_stages = [Rational(1)], [Rational(1)]
for share in (Rational(1, 2), Rational(1, 2), 1):
    x_stages.append(1 - share * z * x_stages[-1])
    a_stages.append(1 + share * z * a_stages[-1])
del share, letter, words
Q = derivation.define("Q", plus(1, -(z**4) / 48, -(z**6) / 96), "the mean over the stages of adjoint times state on the way back")
derivation.chain(
    "The mean over the stages is 1 up to terms of the fourth order",
    plus(*(Rational(w, 6) * x * a for w, x, a in zip((1, 2, 2, 1), x_stages, a_stages, strict=True))),
    equals(
        Q,
        "multiply out: the adjoint grows on the way back as the state shrinks, and their product is nearly constant",
        wrong={"constant": 1, "the sign of the fourth power": plus(1, z**4 / 48, -(z**6) / 96)},
    ),
    role="lemma",
)
derivation.chain(
    "The two gradients of one step differ in the fourth power",
    plus(Slope(plus(1, z, z**2 / 2, z**3 / 6, z**4 / 24), z), times(-R, Q)),
    equals(
        plus(-(z**4) / 24, times(R, plus(z**4 / 48, z**6 / 96))),
        prose("{slope}, and the lemma", slope=holds(Slope(R, z), "=", plus(R, -(z**4) / 24))),
        wrong={"equal": 0},
    ),
    equals(plus(-(z**4) / 48, z**5 / 48, z**6 / 48, z**7 / 72, 7 * z**8 / 1152, z**9 / 576, z**10 / 2304), "multiply out"),
    so=prose(
        "Of $e^z$, backpropagation misses {through} times $z^4$ and the adjoint {back} times $z^4$, but for higher powers. Over "
        "$T/h$ steps of weight $h$ both errors, and their difference, are of order $h^4$. Neither is the other: backpropagation "
        "is exact for the computed end, the adjoint is another approximation of the solution's gradient.",
        through=holds(Limit(plus(exp(z), -Slope(R, z)) / z**4, z, 0), "=", Rational(1, 24), named=True),
        back=holds(Limit(plus(exp(z), -R * Q) / z**4, z, 0), "=", Rational(1, 48), named=True),
    ),
)
there_again = derivation.chain(
    "A step there and back misses the start in the sixth power of z",
    times(R, plus(1, -z, z**2 / 2, -(z**3) / 6, z**4 / 24)),
    equals(plus(1, z**6 / 72, z**8 / 576), "multiply out", wrong={"undone": 1}),
    so=prose(
        "For small steps the start is found again. At {z}, where the step there is stable with {there}, the factor is {factor} a "
        r"step: after 20 steps the start is missed by a factor of more than {far}. A flow that contracts forgets its start, and "
        r"any solver that goes back amplifies its errors by about $e^{|\lambda| T}$. The code compares where it arrives with "
        "$x$, and refuses times whose way back misses it by more than a hundredth.",
        z=where(z, -2),
        there=holds(R, "=", Rational(1, 3)),
        factor=holds(times(R, plus(1, -z, z**2 / 2, -(z**3) / 6, z**4 / 24)), "=", Rational(7, 3), named=True),
        far=holds(Rational(7, 3) ** 20, ">", times(2, sympy.Pow(10, 7, evaluate=False)), named=True),
    ),
)


def _at_once(**given):
    return jnp.concatenate([part.ravel() for part in adjoint_gradients(**given, times=_UNIT, velocity_fn=_linear)])


derivation.bridge(
    "The code, in one step of size 1: the end, and the gradients in the start and in the rate",
    sympy.Matrix([begin, pull, begin * pull * Q.family.definition])
    .subs(z, rate)
    .applyfunc(lambda part: part * R.family.definition.subs(z, rate)),
    _at_once,
    x=[[begin]],
    cotangent=[[pull]],
    parameters=[rate],
    calls=(adjoint_gradients,),
    wrong={
        "through the step": sympy.Matrix([begin, pull, 0]) * R.family.definition.subs(z, rate)
        + sympy.Matrix([0, 0, begin * pull * sympy.diff(R.family.definition, z).subs(z, rate)]),
        "the gradient in the rate negative": sympy.Matrix([begin, pull, -begin * pull * Q.family.definition.subs(z, rate)])
        * R.family.definition.subs(z, rate),
    },
)


@derivation.numeric(
    r"\log_2 \frac{e_N}{e_{2N}} = 4",
    because=r"A bent field of two entries and two parameters on $[0, 1]$. $e_N$ is the largest difference between the adjoint's "
    r"gradients and those of automatic differentiation through the same $N$ steps, for 5 and 10 steps.",
    tolerance=0.05,
    since="the order is reached as the steps vanish",
    role="remark",
)
def gap_to_backpropagation():
    x, cotangent, parameters = jnp.array([[0.4, -0.3]]), jnp.array([[1.0, -0.5]]), jnp.array([0.8, 0.6])

    def gap(steps):
        times = np.linspace(0.0, 1.0, steps + 1)
        end = lambda x, parameters: solve_fixed(x, times, lambda x, time: _bent(x, time, parameters))  # noqa: E731
        found = adjoint_gradients(x, cotangent, parameters, times, _bent)[1:]
        wanted = jax.vjp(end, x, parameters)[1](cotangent)
        return max(np.max(np.abs(a - b)) for a, b in zip(found, wanted, strict=True))

    order = np.log2(gap(5) / gap(10))
    return Sides(left=order, right=4.0, wrong={"one order less": 3.0, "that of one step": 5.0})


derivation.symbol("e_N", "the gap of $N$ steps")
derivation.symbol("e_{2N}", "that of twice as many")
derivation.symbol("N", "the number of steps")
_UNIT = np.array([0.0, 1.0])


def _linear(x, time, parameters):
    """The parameter times x."""
    return parameters[0] * x


def _bent(x, time, parameters):
    """Two entries, each of which moves the other."""
    first, second = x[:, 0], x[:, 1]
    return jnp.stack([jnp.sin(2 * parameters[0] * second), parameters[1] * first * second - time * jnp.cos(first)], axis=1)


def _turned(x, time, parameters):
    """The first entry moves as far as the second is."""
    return jnp.stack([parameters[0] * x[:, 1], 0 * x[:, 1]], axis=1)


@derivation.algorithm(
    "Gradients by the adjoint",
    do("$x \\leftarrow$ the end of the flow from the start, by a solver; no step is kept"),
    do(r"$a \leftarrow \nabla L(x)$, $g \leftarrow 0$, $t \leftarrow T$"),
    do("for each step of the solver, back to $t = 0$:"),
    do("$x$ follows the velocity $v$ back", by=there_again, indent=1),
    do(r"$a$ follows $-J^\top a$, one product of the Jacobian with a vector", by=transposed, indent=1),
    do(r"$g$ follows $-a \cdot u$, by the same product", by=grows, indent=1),
    do("$a$ is the gradient in the start and $g$ in the parameter", adjoint_gradients, by=grows),
)
def two_steps_back():
    def rates(state, time, rate):
        return rate * jnp.array([state[0], -state[1], 0.0]) - jnp.array([0.0, 0.0, state[0] * state[1]])

    times = np.array([0.0, 0.5, 1.0])
    end, by_start, by_rate = adjoint_gradients(jnp.array([[2.0]]), jnp.ones((1, 1)), jnp.array([0.5]), times, _linear)
    state = jnp.array([end[0, 0], 1.0, 0.0])
    yield r"\lambda = \tfrac12, x_0 = 2, h = \tfrac12: \quad (x, a, g) \text{ at } T = 1", state, "(3.2974, 1, 0)"
    for time, stated in ((1.0, "(2.56804, 1.28402, 1.64856)"), (0.5, "(2.00001, 1.6487, 3.29713)")):
        state = runge_kutta_4_step(state, time, -0.5, lambda state, time: rates(state, time, 0.5))
        yield rf"t = {time - 0.5:g}", state, stated
    yield r"\text{the code's gradients}", (by_start[0, 0], by_rate[0]), "(1.6487, 3.29713)"


@derivation.example(
    prose(
        "The linear field with {rate}, {start} and {end}, whose loss is the end $x_T$ itself, in 10 steps and in one. Then two "
        "entries of which the first moves by the second, $J$ with the rows $(0, 1)$ and $(0, 0)$; the loss is the first at the "
        "end.",
        rate=where(rate, Rational(1, 2)),
        start=where(begin, 2),
        end=where(T, 1),
    )
)
def one_half():
    given = jnp.array([[2.0]]), jnp.ones((1, 1)), jnp.array([0.5])
    fine, coarse = (adjoint_gradients(*given, np.linspace(0.0, 1.0, n + 1), _linear) for n in (10, 1))
    yield r"x_T = 2 e^{1/2}", fine[0], "3.2974"
    yield r"\frac{dL}{dx_0} = e^{1/2}", fine[1], "1.6487"
    yield r"\frac{dL}{d\lambda} = 2 e^{1/2}", fine[2], "3.2974"
    yield r"\text{in one step}", coarse[2], "3.29205"
    through = jax.grad(lambda rate: solve_fixed(given[0], _UNIT, lambda x, time: rate * x)[0, 0])(0.5)
    yield r"\text{through one step}", through, "3.29167"
    turned = adjoint_gradients(jnp.zeros((1, 2)), jnp.array([[1.0, 0.0]]), jnp.ones(1), _UNIT, _turned)
    yield r"a(0) = a(T) + J^\top a(T)", turned[1], "(1, 1)"


@derivation.figure(
    "Left: the linear field of the rate 2, in 20 steps to the time 1, and back from there: the start is found again. Right: "
    "that of the rate $-40$ in as many steps, which is stable on the way there. On the way back it leaves the path at once.",
    panels=2,
)
def there_and_back(growing, contracting):
    for axes, rate in ((growing, 2.0), (contracting, -40.0)):
        there, back = (
            float(runge_kutta_4_step(jnp.ones(()), 0.0, step, lambda x, time, rate=rate: rate * x)) for step in (0.05, -0.05)
        )
        path = there ** np.arange(21)
        axes.plot(np.linspace(0, 1, 21), path, label="there")
        axes.plot(np.linspace(1, 0, 21), path[-1] * back ** np.arange(21), "--", label="back")
        axes.set(xlabel="$t$", ylabel=f"$x_t$ for $\\lambda = {rate:g}$", yscale="log")
    growing.legend()


along = exp(T - t) - 1
