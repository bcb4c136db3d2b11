"""Continuous normalizing flow: a density that follows a velocity.

The lecture on the functions of theory_jax/flows/continuous_flow.py.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import scipy.linalg
import sympy
from sympy import Rational, log

from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.change_of_variables import log_abs_det_jacobian
from theory_jax.flows.continuous_flow import augmented_velocity, integrate, kinetic_energy, log_prob
from theory_jax.lectures.flows._continuous_flow import MOMENTS, axis_probes, bent, cells, growing_and_shearing, two_steps_back
from theory_jax.lectures.lemmas.jensen import jensen

derivation = Derivation(
    module=__name__,
    title="Continuous normalizing flow: a density that follows a velocity",
    sources=(
        "Chen, Rubanova, Bettencourt & Duvenaud 2018, Neural ordinary differential equations",
        "Grathwohl, Chen, Bettencourt, Sutskever & Duvenaud 2019, FFJORD: free-form continuous dynamics for scalable "
        "reversible generative models",
        "Finlay, Jacobsen, Nurbekyan & Oberman 2020, How to train your neural ODE: the world of Jacobian and kinetic "
        "regularization",
    ),
    question="A flow of layers needs a determinant for each layer, and layers that are built so that it is cheap. If points "
    "follow the velocity of an arbitrary network instead, how does the logarithm of their density change, and why is a trace "
    "enough?",
    setting=(
        r"The velocity $v(x, t)$, for $t$ in $[0, 1]$ and $x$ in $\mathbb{R}^D$, is continuous, and so is its Jacobian $J$, "
        r"the matrix $\partial v / \partial x$. Every path that follows $v$ exists on the whole interval: a bound of $J$ is "
        "enough. A network with rectifiers has no continuous $J$.",
        r"Noise $x_0$ has the positive density $p_0$, here $\mathcal{N}(0, I)$; $p_t$ is the density of the point $x_t$ on the "
        "path from $x_0$. The data are at time 1.",
        r"The matrix $M_t$ of the derivatives $\partial x_t / \partial x_0$ tells how a small displacement of the start "
        "arrives; $M_0$ is the identity $I$. Because $J$ is continuous, derivatives may be exchanged: $M_t$ changes at the "
        "rate $J M_t$, so a step later it is $(I + h J) M_t$ up to terms that vanish faster than $h$.",
        "Matrices have two rows where they are written out, and the code is compared at four dimensions where it can be.",
    ),
    limits=(
        "That solutions exist for a trained network, beyond the bound of its Jacobian.",
        "Which densities can be reached. A flow keeps orientation and topology: no tear, no fold.",
        "The solver's error in the density of a finite number of steps, beyond its order.",
    ),
)

h = derivation.number("h", "a small step of time", positive=True)
_entries = [derivation.number(f"J_{{{i}{j}}}", f"entry {i}, {j} of $J$ at a point of the path") for i in (1, 2) for j in (1, 2)]
_moved = [derivation.number(f"M_{{{i}{j}}}", f"entry {i}, {j} of $M_t$") for i in (1, 2) for j in (1, 2)]
J, M = sympy.Matrix(2, 2, _entries), sympy.Matrix(2, 2, _moved)
_step = sympy.eye(2) + h * J
det_step = derivation.define(r"\det(I + hJ)", _step.det(method="berkowitz"), "the determinant of a small step's Jacobian")
det_next = derivation.define(r"\det M_{t+h}", (_step * M).det(), r"that of $(I + hJ) M_t$")
det_now = derivation.define(r"\det M_t", M.det(), "that of the flow so far")
det_rate = derivation.define(r"\det J", J.det(), "that of the velocity's Jacobian")
trace = derivation.define(r"\mathrm{tr} J", J.trace(), "its trace, the divergence of the velocity")
small = derivation.chain(
    "The determinant of a small step is 1 plus its trace, to first order",
    det_step,
    equals(
        plus(1, times(h, trace), times(h**2, det_rate)),
        "multiply out: a product of entries next to the diagonal brings two factors $h$",
        wrong={"the determinant first": plus(1, times(h, det_rate))},
    ),
    role="lemma",
    so=prose(
        "The slope at step 0 is the trace, {slope}. In $D$ dimensions, too, every product in the determinant but that of the "
        "diagonal has two entries or more next to it, and so a factor $h^2$.",
        slope=holds(Slope(det_step, h), "=", trace, when={h: 0}),
    ),
)
growth = derivation.chain(
    "The determinant of the flow grows at the rate of the trace",
    plus(det_next, -det_now),
    equals(times(plus(det_step, -1), det_now), "the determinant of a product is the product of the determinants"),
    equals(
        times(h, plus(trace, times(h, det_rate)), det_now),
        "the lemma",
        wrong={"the determinant of $J$ for the trace": times(h, plus(det_rate, times(h, det_rate)), det_now)},
    ),
    uses=(small,),
    so=prose(
        r"Divide by $h$ and let it vanish: the slope of $\det M_t$ in the time is {rate}. So it is the exponential of an "
        "integral: it starts at 1 and is always positive, and the bars of the change of variables are not needed.",
        rate=holds(Limit(plus(det_next, -det_now) / h, h, 0), "=", times(trace, det_now), named=True),
    ),
)
t = derivation.number("t", "the time", "time")
determinant = derivation.function(r"\Delta", r"$\det M_t$ over the time, which is positive")
start = derivation.number("p_0", "the density of the noise at the start of the path", positive=True)
divergence = derivation.define(
    r"\nabla \cdot v", determinant(t).diff(t) / determinant(t), r"$\mathrm{tr} J$ on the path, by the growth of the determinant"
)
derivation.symbol("v", "the velocity", "velocity_fn")
log_p = derivation.define(r"\log p_t(x_t)", log(start) - log(determinant(t)), "the log-density, by the change of variables")
derivation.answer = prose(
    "On the path of a point the log-density falls by the divergence of the velocity, {rate}, since a small step, $I + hJ$, "
    "has the determinant {step} up to $h^2$. So the data point $x$ has the log-density of the noise $z$ that its path leads "
    "back to, minus the integral of the divergence along the path, and one solver carries the point and the integral. Any "
    "network with a continuous Jacobian may be the velocity.",
    rate=holds(Slope(log_p, t), "=", -divergence, wrong={"the sign": divergence}),
    step=plus(1, times(h, trace)),
)
central = derivation.chain(
    "Along a path the log-density falls by the divergence",
    Slope(log_p, t),
    equals(
        -Slope(determinant(t), t) / determinant(t),
        prose("{change}, where the first term is constant", change=holds(log_p, "=", plus(log(start), -log(determinant(t))))),
    ),
    equals(-divergence, "the growth of the determinant"),
    uses=(growth,),
    central=True,
    so=r"Integrate it from the noise $z$ to the data $x$: $\log p_1(x)$ is $\log p_0(z)$ minus $\int_0^1 \nabla \cdot v\, dt$. "
    r"Where paths spread, the density falls. The code starts at $x$ and runs from 1 to 0; what it accumulates, $\delta$, is "
    r"$\int_1^0 (-\nabla \cdot v)\, dt$, the same integral: the change of the log-density on the way to $z$.",
)

derivation.say(
    r"At a fixed position: the mean of a smooth function $\varphi(x_t)$ that vanishes outside of a bounded set changes at "
    r"the rate $\int \nabla\varphi \cdot v\, p_t$, by the chain rule on every path."
)
x, y = derivation.number("x", "the first coordinate of a position"), derivation.number("y", "... and the second")
_field = [derivation.function(f"v_{k}", f"coordinate {k} of the velocity", arguments=3)(x, y, t) for k in (1, 2)]
rho = derivation.function(r"\rho", "a smooth density of position and time", arguments=3)(x, y, t)
phi = derivation.function(r"\varphi", "a smooth function that vanishes far out", arguments=2)(x, y)
v1, v2 = _field
derivation.chain(
    "By parts, the change of a mean gives the continuity equation",
    plus(times(rho, v1, Slope(phi, x)), times(rho, v2, Slope(phi, y))),
    equals(
        plus(Slope(phi * rho * v1, x), Slope(phi * rho * v2, y), times(-phi, plus(Slope(rho * v1, x), Slope(rho * v2, y)))),
        "the product rule",
    ),
    so=r"The first two terms are derivatives of what vanishes far out: their integral is 0. So $\varphi\, \partial_t p_t$ "
    r"and $-\varphi\, \nabla \cdot (p_t v)$ have the same integral for every $\varphi$, which is the continuity equation: "
    r"$\partial_t p_t + \nabla \cdot (p_t v)$ is 0.",
    role="lemma",
)
derivation.chain(
    "A density that satisfies the continuity equation is that of the flow",
    plus(Slope(rho, t), times(v1, Slope(rho, x)), times(v2, Slope(rho, y)), times(rho, plus(Slope(v1, x), Slope(v2, y)))),
    equals(plus(Slope(rho, t), Slope(rho * v1, x), Slope(rho * v2, y)), "the product rule"),
    so=r"Times $\det M_t$ the first line is the slope of $\rho_t(x_t) \det M_t$ along a path: the chain rule, and the growth "
    r"of the determinant. If the second line is 0, the product stays $\rho_0(x_0)$, so $\rho_t(x_t)$ is $\rho_0(x_0) / \det "
    r"M_t$: if $\rho_0$ is $p_0$, it is $p_t$. To know that a field makes a density, it is enough to check the continuity "
    "equation. Flow matching rests on this.",
)

derivation.say(
    "A field $A x$ is solved by a matrix: the point is $M_t x_0$. Then the flow of normal noise is normal, with covariance "
    r"$M_t M_t^\top$, and both sides of the formula are known."
)
_noise = [derivation.number(f"z_{k}", f"coordinate {k} of the noise") for k in (1, 2)]
z = sympy.Matrix(_noise)
_end = M * z
squared = derivation.define(
    r"x^\top \Sigma^{-1} x",
    (_end.T * (M * M.T).adjugate() * _end)[0] / M.det() ** 2,
    r"at the end $M z$ of the path, whose covariance $\Sigma$ is $M M^\top$",
)
det_covariance = derivation.define(r"\det \Sigma", (M * M.T).det(), "the determinant of the covariance")
derivation.chain(
    "On a linear field the normal density at the end is that of the noise over the determinant",
    plus(-squared / 2, -log(det_covariance) / 2),
    equals(
        plus(-sum(part**2 for part in _noise) / 2, -log(det_now**2) / 2),
        prose(
            "{square}, and {product}",
            square=holds(squared, "=", sum(part**2 for part in _noise)),
            product=holds(det_covariance, "=", det_now**2, wrong={"once": det_now}),
        ),
        wrong={"the end in place of the start": plus(-sum(part**2 for part in _end) / 2, -log(det_now**2) / 2)},
    ),
    so=r"It is $\log \mathcal{N}(z; 0, I) - \log \det M$, both without their constant $\log 2\pi$. And $\log \det M_t$ is $t\, "
    r"\mathrm{tr} A$ by the growth of the determinant: the log-density falls at the constant rate $\mathrm{tr} A$.",
    role="remark",
)

derivation.say("The code, on a line, for the velocity $a x$, with a single step of the classical Runge-Kutta method.")
a = derivation.number("a", "the slope of a linear field on the line")
d = derivation.number("d", "a point of the data, at time 1", "x")
back = derivation.define("c", d * sum((-a) ** k / math.factorial(k) for k in range(5)), "where one step back from 1 to 0 leads")


_BACK, _ONE = np.array([1.0, 0.0]), np.ones((1, 1, 1))
_state, _time = sympy.Symbol("y"), sympy.Symbol("u")
_growing = function_of(_state, _time, a * _state)
derivation.bridge(
    "Where the code's step leads, and what it accumulates",
    (back, a),
    integrate,
    x=[[d]],
    probes=_ONE,
    times=_BACK,
    velocity_fn=_growing,
)
derivation.bridge(
    "... and the log-density that it gives",
    plus(LogDensity(back, 0, 1), -a),
    log_prob,
    x=[[d]],
    probes=_ONE,
    times=_BACK,
    velocity_fn=_growing,
    wrong={
        "the data's end": plus(LogDensity(d, 0, 1), -a),
        "from noise to data": plus(LogDensity(back.family.definition.subs(a, -a), 0, 1), -a),
    },
)


derivation.symbol("N", "the number of steps")
derivation.symbol("e_N", "the gap of $N$ steps")
derivation.symbol("e_{2N}", "that of twice as many")


@derivation.numeric(
    r"\log_2 \frac{e_N}{e_{2N}} = 4",
    because=r"A bent field of two dimensions, from 1 to $\frac12$. $e_N$ is how far the accumulated $\delta$ of $N$ steps is "
    "from minus the log-determinant of the Jacobian of these very steps, by automatic differentiation, for 6 steps and 12. "
    "Both are the log-density of a flow up to $h^4$, and neither is exactly the other: the density of few steps need not "
    "integrate to one.",
    tolerance=0.05,
    since="the order is reached as the steps vanish",
    role="remark",
)
def trace_and_determinant():
    points = jnp.array([[0.4, -0.7]])

    def gap(steps):
        times = np.linspace(1.0, 0.5, steps + 1)
        follow = lambda x: integrate(x, axis_probes(x), times, bent)  # noqa: E731
        return np.max(np.abs(follow(points)[1] + log_abs_det_jacobian(points, lambda x: follow(x)[0])))

    order = np.log2(gap(6) / gap(12))
    return Sides(left=order, right=4.0, wrong={"order two": 2.0, "that of one step": 5.0})


derivation.symbol("z", "the noise at the start of a path")
derivation.symbol("A", "the matrix of a linear field")
derivation.symbol("x_1", "the end of the path from $z$")
derivation.symbol(r"\delta", "what the code accumulates", "delta_log_prob")


@derivation.numeric(
    r"x_1 = e^A z, \quad \delta = -\mathrm{tr} A",
    because="A rotation that grows, in two dimensions, by 24 steps of the code from 0 to 1, next to SciPy's exponential of a "
    "matrix; and the way back to the noise.",
    tolerance=1e-6,
    since="the error of 24 steps",
    role="remark",
)
def linear_fields():
    matrix, noise = np.array([[0.6, -2.0], [1.0, 0.3]]), np.array([[1.0, -0.5]])
    field, times = (lambda x, time: x @ matrix.T), np.linspace(0.0, 1.0, 25)
    end, delta = integrate(jnp.asarray(noise), axis_probes(noise), times, field)
    again, undone = integrate(end, axis_probes(noise), times[::-1].copy(), field)
    wanted = np.concatenate([(scipy.linalg.expm(matrix) @ noise[0]), [-0.9], noise[0], [0.9]])
    found = np.concatenate([end[0], delta, again[0], undone])
    determinant = np.array([*wanted[:2], -np.linalg.det(matrix), *wanted[3:]])
    return Sides(left=found, right=wanted, wrong={"the determinant of A": determinant, "not back": found[[0, 1, 2, 0, 1, 2]]})


derivation.say(
    r"The trace costs a derivative for each dimension. Hutchinson's estimator replaces it by $p^\top J p$ with a random probe. "
    "The path does not depend on the probe, which is the same at all times. So the expectation goes under the integral: "
    r"the integral of $p^\top J p$ has the mean $\int \mathrm{tr} J\, dt$, and the log-density has no bias."
)
derivation.symbol("p", "a probe: the mean of $p p^\\top$ is the identity", "probes")
derivation.symbol("E", "the expectation over the probe")
derivation.symbol("J", "the Jacobian of the velocity")


@derivation.exact(
    r"E\, \delta(p) = \delta",
    because="The bent field in two dimensions and 4 steps: the mean over all probes of two signs, next to the exact trace.",
    outcomes=4,
    role="lemma",
)
def every_sign():
    points, times = np.array([[0.4, -0.7]]), np.linspace(1.0, 0.0, 5)
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    copies = np.repeat(points, 4, axis=0)
    found = integrate(jnp.asarray(copies), signs[None], times, bent)[1]
    wanted = integrate(jnp.asarray(points), axis_probes(points), times, bent)[1]
    return Sides(left=jnp.mean(found, keepdims=True), right=wanted, wrong={"the sum": 4 * wanted, "one probe alone": found[:1]})


chance = derivation.index("b", "a value of the probe")
law = derivation.law("r", chance, "its probability")
estimate = derivation.numbers(r"\hat p", chance, "the density estimated with this probe", "exp(log_prob)", positive=True)
derivation.chain(
    "The density itself is never estimated too small on average",
    plus(log(Expectation(law, estimate)), -Expectation(law, log(estimate))),
    at_least(
        0,
        prose("Jensen's inequality; equality where all probes agree, {same}", same=where(estimate, estimate.at(0))),
        dropping=jensen.at(law, estimate),
    ),
    so="The second term is the log-density. Average log-densities over probes, never densities.",
    role="remark",
)

k = derivation.index("k", "a piece of the path, or a stage of the solver")
w = derivation.law("w", k, "its share of the time")
speed = derivation.numbers("s", k, "the velocity on it, one coordinate")
T = derivation.number("T", "the time that the path takes", positive=True)
mean = derivation.define(r"\bar{s}", Expectation(w, speed), "the mean velocity, the displacement divided by $T$")
energy = derivation.define("K", T * Expectation(w, speed**2), "the kinetic energy", "kinetic_energy")
derivation.say(
    "Many fields make the same densities, and a solver needs few steps where paths are straight. Penalize what bends them: the "
    "integral of the squared speed."
)
straight = derivation.chain(
    "A straight path at constant speed has the least kinetic energy",
    energy,
    equals(
        plus(T * mean**2, T * Expectation(w, (speed - mean) ** 2)),
        "the mean of a square is the square of the mean plus the variance",
    ),
    at_least(
        (T * mean) ** 2 / T,
        prose("leave out a variance: equality if the velocity does not change, {same}", same=where(speed, speed.at(0))),
        dropping=T * Expectation(w, (speed - mean) ** 2),
        wrong={"without the time": 2 * (T * mean) ** 2 / T},
    ),
    so=prose(
        r"The coordinates add: $K$ is at least $\|x_N - x_0\|^2 / T$. The code's steps satisfy it as well as the exact path, "
        "because the weights of the stages are positive and {one}.",
        one=holds(plus(*map(Rational, ("1/6", "1/3", "1/3", "1/6"))), "=", 1),
    ),
    role="remark",
)
derivation.symbol("x_N", "the end of the path, in code after $N$ steps")
derivation.symbol("x_0", "its start")
_stages = [a * d]
for _share in (Rational(1, 2), Rational(1, 2), 1):
    _stages.append(a * (d - _share * _stages[-1]))
derivation.bridge(
    "The code's kinetic energy of one step back, for the velocity $ax$ on the line",
    sum(weight * stage**2 for weight, stage in zip((1, 2, 2, 1), _stages, strict=True)) / 6,
    kinetic_energy,
    x=[[d]],
    times=_BACK,
    velocity_fn=_growing,
)

derivation.say(
    "What does maximum likelihood do? Carry the data back: $q_0$ is the density of $z$ where $x$ has the data's density $q$. "
    r"At every point $q(x)$ is $q_0(z)/\det M$, and $p_1(x)$ is $p_0(z)/\det M$, with one determinant."
)
n = derivation.index("n", "a point of the data, and the noise that it comes from")
q = derivation.law("q", n, "the chances of the data, in cells around the points")
carried = derivation.numbers("q_0", n, "the density of the data carried back", positive=True)
base = derivation.numbers("p_0", n, "the density of the noise", positive=True)
stretch = derivation.numbers("m", n, r"$\det M$ on the path", positive=True)
derivation.chain(
    "The data are as far from the model as the data carried back are from noise",
    Expectation(q, plus(log(carried / stretch), -log(base / stretch))),
    equals(
        Expectation(q, log(carried / base)), r"the determinant cancels; the mean over data is the mean over what they come from"
    ),
    so="The divergence of $q$ from $p_1$ is that of $q_0$ from $p_0$. Training makes the data, carried back, as near to "
    "normal as the field allows. Every evaluation is the solution of an equation; flow matching trains the same field "
    "without solving it.",
)
i = derivation.index("i", "a dimension")
j = derivation.index("j", "a dimension")
slopes = derivation.numbers("J", (i, j), "the Jacobian of a linear field in any dimension")
probe = derivation.numbers("p", i, "the entries of a probe", "probes")


def _rate_of_linear(jacobian, probes):
    return augmented_velocity(jnp.ones((1, len(jacobian))), 0.5, probes, lambda x, time: x @ jacobian.T)[1]


rate_of_code = derivation.bridge(
    "The rate of the log-density in the code, from one probe",
    -Total(i, Total(j, times(probe, slopes, probe.at(j)))),
    _rate_of_linear,
    jacobian=slopes,
    probes=[[probe]],
    calls=(augmented_velocity,),
    wrong={"the trace": -Total(i, slopes.at(i, i))},
)


derivation.algorithm(
    "The log-density of a data point, and a training step",
    do(r"$x \leftarrow$ the data point, $\delta \leftarrow 0$; draw a probe $p$"),
    do("for each step of the solver, from time 1 back to 0:"),
    do(r"$(x, \delta)$ moves by the slopes $(v, -p^\top J p)$", augmented_velocity, integrate, by=rate_of_code, indent=1),
    do(r"$\log p_1 \leftarrow \log \mathcal{N}(x; 0, I) - \delta$", log_prob, by=central),
    do(r"a gradient step on $-\log p_1$, with a multiple of $K$ added", kinetic_energy, by=straight),
)(two_steps_back)


derivation.example(
    "The velocity $0.7 x$ on the line, and the data point 1, by 20 steps. Then the velocity $A x$ with the matrix "
    r"$\begin{pmatrix} 1 & 1 \\ 0 & -1 \end{pmatrix}$, from the noise $(0, 1)$; its density is carried unchanged."
)(growing_and_shearing)


derivation.figure(
    "Left: cells of normal noise under a field that parts and bends them, shaded by $p_t$. Right: the log-density at the three "
    "marked points on their way; dotted, at the start. No determinant is computed: the divergence of the field alone changes the "
    "shade. Where a cell shrinks, it darkens in proportion, where it grows, it fades: each keeps its share of the points.",
    panels=2,
    frames=[f"$t = {moment:g}$" for moment in MOMENTS],
)(cells)
