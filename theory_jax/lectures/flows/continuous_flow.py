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
from theory_jax.derivation.notation import Expectation, LogDensity, Slope, Total, plus, times
from theory_jax.flows.change_of_variables import log_abs_det_jacobian, standard_normal_log_prob
from theory_jax.flows.continuous_flow import augmented_velocity, integrate, kinetic_energy, log_prob
from theory_jax.lectures.lemmas.jensen import jensen

derivation = Derivation(
    module=__name__,
    title="Continuous normalizing flow: a density that follows a velocity",
    sources=(
        "Chen, Rubanova, Bettencourt & Duvenaud 2018, Neural ordinary differential equations",
        "Grathwohl, Chen, Bettencourt, Sutskever & Duvenaud 2019, FFJORD: free-form continuous dynamics for scalable reversible "
        "generative models",
        "Finlay, Jacobsen, Nurbekyan & Oberman 2020, How to train your neural ODE: the world of Jacobian and kinetic "
        "regularization",
    ),
    question="A flow of layers needs a determinant for each layer, and layers that are built so that it is cheap. If points "
    "follow the velocity of an arbitrary network instead, how does the logarithm of their density change, and why is a trace "
    "enough?",
    setting=(
        r"The velocity $v(x, t)$, for $t$ in $[0, 1]$ and $x$ in $\mathbb{R}^D$, is continuous, and so is its Jacobian $J = "
        r"\partial v / \partial x$. Every solution of $x' = v(x, t)$ exists on the whole interval: a bound of $J$ is enough. A "
        "network with rectifiers has no continuous $J$.",
        r"Noise $x_0$ has the positive density $p_0$, here $\mathcal{N}(0, I)$; $p_t$ is the density of the point $x_t$ on the "
        "path from $x_0$. The data are at $t = 1$.",
        r"$M_t = \partial x_t / \partial x_0$ tells how a small displacement of the start arrives, and $M_0 = I$. Because $J$ "
        "is continuous, derivatives may be exchanged: $M_t' = J M_t$, so $M_{t+h} = (I + h J) M_t$ up to terms that vanish "
        "faster than $h$.",
        "Matrices have two rows where they are written out, and the code is compared at four dimensions where it can be.",
    ),
    answer=r"$\frac{d}{dt} \log p_t(x_t) = -\nabla \cdot v(x_t, t)$: a small step has the Jacobian $I + hJ$ with the determinant "
    r"$1 + h\, \mathrm{tr} J$ up to $h^2$. So $\log p_1(x) = \log \mathcal{N}(z; 0, I) - \int_0^1 \nabla \cdot v\, dt$ along "
    "the path that leads back from $x$ to the noise $z$, and one solver carries the point and the integral. Any network may be "
    "the velocity.",
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
    "The determinant of a step close to the identity",
    det_step,
    equals(
        plus(1, times(h, trace), times(h**2, det_rate)),
        "multiply out: a product of entries next to the diagonal brings two factors $h$",
        wrong={"the determinant first": plus(1, times(h, det_rate))},
    ),
    role="lemma",
    so=r"In $D$ dimensions, too, every product in the determinant but that of the diagonal has two entries or more next to it: "
    r"$\det(I + hJ) = 1 + h\, \mathrm{tr} J + O(h^2)$.",
)
growth = derivation.chain(
    "How the determinant of the flow grows",
    plus(det_next, -det_now),
    equals(times(plus(det_step, -1), det_now), "the determinant of a product is the product of the determinants"),
    equals(
        times(h, plus(trace, times(h, det_rate)), det_now),
        "the lemma",
        wrong={"the determinant of $J$ for the trace": times(h, plus(det_rate, times(h, det_rate)), det_now)},
    ),
    uses=(small,),
    so=r"Divide by $h$ and let it vanish: $(\det M_t)' = \mathrm{tr} J\, \det M_t$. The solution is an exponential that starts "
    r"at 1, so the determinant is always positive: the bars of the change of variables are not needed.",
)
t = derivation.number("t", "the time", "time")
determinant = derivation.function(r"\Delta", r"$\Delta(t) = \det M_t$, which is positive")
start = derivation.number("p_0", "the density of the noise at the start of the path", positive=True)
divergence = derivation.define(
    r"\nabla \cdot v", determinant(t).diff(t) / determinant(t), r"$\mathrm{tr} J$ on the path, by the growth of the determinant"
)
derivation.symbol("v", "the velocity", "velocity_fn")
derivation.chain(
    "Along a path the log-density falls by the divergence",
    Slope(plus(log(start), -log(determinant(t))), t),
    equals(
        -Slope(determinant(t), t) / determinant(t),
        r"the change of variables: $\log p_t(x_t) = \log p_0(x_0) - \log \det M_t$, where the first term is constant",
    ),
    equals(-divergence, "the growth of the determinant"),
    uses=(growth,),
    central=True,
    so=r"Integrated from the noise $z$ to the data $x$: $\log p_1(x) = \log p_0(z) - \int_0^1 \nabla \cdot v\, dt$. Where paths "
    r"spread, the density falls. The code starts at $x$ and runs from 1 to 0; what it accumulates is $\delta = \int_1^0 "
    r"(-\nabla \cdot v)\, dt = \int_0^1 \nabla \cdot v\, dt$, the change of the log-density on the way to $z$, and $\log p_1(x) "
    r"= \log \mathcal{N}(z; 0, I) - \delta$.",
)

derivation.say(
    r"At a fixed place: the mean of a smooth function $\varphi(x_t)$ that vanishes outside of a bounded set changes at the rate "
    r"$\int \nabla\varphi \cdot v\, p_t$, by the chain rule on every path."
)
x, y = derivation.number("x", "the first coordinate of a place"), derivation.number("y", "... and the second")
_field = [derivation.function(f"v_{k}", f"coordinate {k} of the velocity", arguments=3)(x, y, t) for k in (1, 2)]
rho = derivation.function(r"\rho", "a smooth density of place and time", arguments=3)(x, y, t)
phi = derivation.function(r"\varphi", "a smooth function that vanishes far out", arguments=2)(x, y)
v1, v2 = _field
derivation.chain(
    "The change of a mean, by parts",
    plus(times(rho, v1, Slope(phi, x)), times(rho, v2, Slope(phi, y))),
    equals(
        plus(Slope(phi * rho * v1, x), Slope(phi * rho * v2, y), times(-phi, plus(Slope(rho * v1, x), Slope(rho * v2, y)))),
        "the product rule",
    ),
    so=r"The first two terms are derivatives of what vanishes far out: their integral is 0. So $\int \varphi\, \partial_t p_t = "
    r"-\int \varphi\, \nabla \cdot (p_t v)$ for every $\varphi$, which is the continuity equation $\partial_t p_t + \nabla "
    r"\cdot (p_t v) = 0$.",
)
derivation.chain(
    "A density that satisfies the continuity equation is that of the flow",
    plus(Slope(rho, t), times(v1, Slope(rho, x)), times(v2, Slope(rho, y)), times(rho, plus(Slope(v1, x), Slope(v2, y)))),
    equals(plus(Slope(rho, t), Slope(rho * v1, x), Slope(rho * v2, y)), "the product rule"),
    so=r"Times $\det M_t$ the first line is the slope of $\rho_t(x_t) \det M_t$ along a path: the chain rule, and the growth of "
    r"the determinant. If the second line is 0, the product stays $\rho_0(x_0)$, so $\rho_t(x_t) = \rho_0(x_0) / \det M_t$: "
    r"with $\rho_0 = p_0$ it is $p_t$. To know that a field makes a density, it is enough to check the continuity equation. "
    "Flow matching rests on this.",
)

derivation.say(
    "A field $v = A x$ is solved by a matrix, $x_t = M_t x_0$. Then the flow of normal noise is normal, with covariance $M_t "
    r"M_t^\top$, and both sides of the formula are known."
)
_noise = [derivation.number(f"z_{k}", f"coordinate {k} of the noise") for k in (1, 2)]
z = sympy.Matrix(_noise)
_end = M * z
squared = derivation.define(
    r"x^\top \Sigma^{-1} x", (_end.T * (M * M.T).adjugate() * _end)[0] / M.det() ** 2, r"at $x = M z$, with $\Sigma = M M^\top$"
)
det_covariance = derivation.define(r"\det \Sigma", (M * M.T).det(), "the determinant of the covariance")
derivation.chain(
    "A linear field: the normal density at the end of the path",
    plus(-squared / 2, -log(det_covariance) / 2),
    equals(
        plus(-sum(part**2 for part in _noise) / 2, -log(det_now**2) / 2),
        r"$M^\top (M M^\top)^{-1} M = I$, and the determinant of a product",
        wrong={"the end in place of the start": plus(-sum(part**2 for part in _end) / 2, -log(det_now**2) / 2)},
    ),
    so=r"It is $\log \mathcal{N}(z; 0, I) - \log \det M$, both without their constant $\log 2\pi$. And $\log \det M_t = t\, "
    r"\mathrm{tr} A$ by the growth of the determinant: the log-density falls at the constant rate $\mathrm{tr} A$.",
)

derivation.say("The code, on a line, for $v = a x$, with a single step of the classical Runge-Kutta method.")
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


@derivation.numeric(
    r"\log_2 \frac{e_N}{e_{2N}} = 4",
    because=r"A bent field of two dimensions, from 1 to $\frac12$. $e_N$ is how far the accumulated $\delta$ of $N$ steps is "
    "from minus the log-determinant of the Jacobian of these very steps, by automatic differentiation, for $N = 6$ and 12. "
    "Both are the log-density of a flow up to $h^4$, and neither is exactly the other: the density of few steps need not "
    "integrate to one.",
    tolerance=0.05,
    since="the order is reached as the steps vanish",
)
def trace_and_determinant():
    points = jnp.array([[0.4, -0.7]])

    def gap(steps):
        times = np.linspace(1.0, 0.5, steps + 1)
        follow = lambda x: integrate(x, _axes(x), times, _bent)  # noqa: E731
        return np.max(np.abs(follow(points)[1] + log_abs_det_jacobian(points, lambda x: follow(x)[0])))

    order = np.log2(gap(6) / gap(12))
    return Sides(left=order, right=4.0, wrong={"order two": 2.0, "that of one step": 5.0})


derivation.symbol("e_N", "the gap of $N$ steps")
derivation.symbol("e_{2N}", "that of twice as many")
derivation.symbol("N", "the number of steps")


@derivation.numeric(
    r"x_1 = e^A z, \quad \delta = -\mathrm{tr} A",
    because="A rotation that grows, in two dimensions, by 24 steps of the code from 0 to 1, next to SciPy's exponential of a "
    "matrix; and the way back to the noise.",
    tolerance=1e-6,
    since="the error of 24 steps",
)
def linear_fields():
    matrix, noise = np.array([[0.6, -2.0], [1.0, 0.3]]), np.array([[1.0, -0.5]])
    field, times = (lambda x, time: x @ matrix.T), np.linspace(0.0, 1.0, 25)
    end, delta = integrate(jnp.asarray(noise), _axes(noise), times, field)
    again, undone = integrate(end, _axes(noise), times[::-1].copy(), field)
    wanted = np.concatenate([(scipy.linalg.expm(matrix) @ noise[0]), [-0.9], noise[0], [0.9]])
    found = np.concatenate([end[0], delta, again[0], undone])
    determinant = np.array([*wanted[:2], -np.linalg.det(matrix), *wanted[3:]])
    return Sides(left=found, right=wanted, wrong={"the determinant of A": determinant, "not back": found[[0, 1, 2, 0, 1, 2]]})


derivation.symbol("A", "the matrix of a linear field")
derivation.symbol("x_1", "the end of the path from $z$")
derivation.symbol(r"\delta", "what the code accumulates", "delta_log_prob")
derivation.symbol("z", "the noise at the start of a path")

derivation.say(
    r"The trace costs a derivative for each dimension. Hutchinson's estimator replaces it by $p^\top J p$ with a random probe. "
    "The path does not depend on the probe, which is the same at all times. So the expectation goes under the integral: $E "
    r"\int p^\top J p\, dt = \int \mathrm{tr} J\, dt$, and the log-density has no bias."
)
derivation.symbol("p", "a probe, with $E\\, p\\, p^\\top = I$", "probes")
derivation.symbol("E", "the expectation over the probe")
derivation.symbol("J", "the Jacobian of the velocity")


@derivation.exact(
    r"E\, \delta(p) = \delta",
    because="The bent field in two dimensions and 4 steps: the mean over all probes of two signs, next to the exact trace.",
    outcomes=4,
)
def every_sign():
    points, times = np.array([[0.4, -0.7]]), np.linspace(1.0, 0.0, 5)
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    copies = np.repeat(points, 4, axis=0)
    found = integrate(jnp.asarray(copies), signs[None], times, _bent)[1]
    wanted = integrate(jnp.asarray(points), _axes(points), times, _bent)[1]
    return Sides(left=jnp.mean(found, keepdims=True), right=wanted, wrong={"the sum": 4 * wanted, "one probe alone": found[:1]})


chance = derivation.index("c", "a value of the probe")
law = derivation.law("r", chance, "its probability")
estimate = derivation.numbers(r"\hat p", chance, "the density estimated with this probe", "exp(log_prob)", positive=True)
derivation.chain(
    "The density itself is estimated too large",
    plus(log(Expectation(law, estimate)), -Expectation(law, log(estimate))),
    at_least(0, "Jensen's inequality; equality if the estimate is the same for all probes", dropping=jensen.at(law, estimate)),
    so="The second term is the log-density. Average log-densities over probes, never densities.",
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
derivation.chain(
    "A straight path at constant speed has the least kinetic energy",
    energy,
    equals(
        plus(T * mean**2, T * Expectation(w, (speed - mean) ** 2)),
        "the mean of a square is the square of the mean plus the variance",
    ),
    at_least(
        (T * mean) ** 2 / T,
        "leave out a variance: equality if the velocity does not change along the path",
        dropping=T * Expectation(w, (speed - mean) ** 2),
        wrong={"without the time": 2 * (T * mean) ** 2 / T},
    ),
    so=r"The coordinates add: $K \ge \|x_N - x_0\|^2 / T$. The code's steps satisfy it as well as the exact path, because the "
    r"weights $\frac16, \frac13, \frac13, \frac16$ of the stages are positive.",
)
derivation.symbol("x_N", "the end of the path, in code after $N$ steps")
derivation.symbol("x_0", "its start")
_stages = [a * d]
for _share in (Rational(1, 2), Rational(1, 2), 1):
    _stages.append(a * (d - _share * _stages[-1]))
derivation.bridge(
    "The code's kinetic energy of one step back, for $v = ax$ on the line",
    sum(weight * stage**2 for weight, stage in zip((1, 2, 2, 1), _stages, strict=True)) / 6,
    kinetic_energy,
    x=[[d]],
    times=_BACK,
    velocity_fn=_growing,
)

derivation.say(
    "What does maximum likelihood do? Carry the data back: $q_0$ is the density of $z$ where $x$ has the data's density $q$. "
    r"At every point $q(x) = q_0(z)/\det M$ and $p_1(x) = p_0(z)/\det M$, with one determinant."
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
    so=r"$\mathrm{KL}(q \| p_1) = \mathrm{KL}(q_0 \| p_0)$. Training makes the data, carried back, as near to normal as the "
    "field allows. Every evaluation is the solution of an equation; flow matching trains the same field without solving it.",
)
i = derivation.index("i", "a dimension")
j = derivation.index("j", "a dimension")
slopes = derivation.numbers("J", (i, j), "the Jacobian of a linear field in any dimension")
probe = derivation.numbers("p", i, "the entries of a probe", "probes")


def _rate_of_linear(jacobian, probes):
    return augmented_velocity(jnp.ones((1, len(jacobian))), 0.5, probes, lambda x, time: x @ jacobian.T)[1]


derivation.bridge(
    "The rate of the log-density in the code, from one probe",
    -Total(i, Total(j, times(probe, slopes, probe.at(j)))),
    _rate_of_linear,
    jacobian=slopes,
    probes=[[probe]],
    calls=(augmented_velocity,),
    wrong={"the trace": -Total(i, slopes.at(i, i))},
)


def _axes(x):
    """The probes that make the estimated trace exact."""
    batch, size = x.shape
    return math.sqrt(size) * np.repeat(np.eye(size)[:, None], batch, axis=1)


def _bent(x, time):
    """Pulled to the line where both coordinates are equal, turned, and later bent."""
    first, second = x[:, 0], x[:, 1]
    return jnp.stack([second - first + time * jnp.tanh(2 * second), -jnp.sin(first) - second / 2], axis=1)


_GROWING = lambda x, time: 0.7 * x  # noqa: E731
_SHEAR = np.array([[1.0, 1.0], [0.0, -1.0]])


@derivation.example(
    r"$v = 0.7 x$ on the line, and $x = 1$, by 20 steps. Then $v = A x$ with $A = \begin{pmatrix} 1 & 1 \\ 0 & -1 "
    r"\end{pmatrix}$ from $z = (0, 1)$; its density is carried unchanged."
)
def growing_and_shearing():
    one, back = jnp.ones((1, 1)), np.linspace(1.0, 0.0, 21)
    z, delta = integrate(one, one[None], back, _GROWING)
    yield r"z = e^{-0.7}", z, "0.4966"
    yield r"\delta", delta, "0.7"
    yield r"\log p_1(1) = \log \mathcal{N}(z; 0, 1) - \delta", log_prob(one, one[None], back, _GROWING), "-1.7422"
    yield r"\log \mathcal{N}(1; 0, e^{1.4})", -0.5 * (math.log(2 * math.pi) + 1.4 + math.exp(-1.4)), "-1.7422"
    yield r"K = 0.35\, (1 - e^{-1.4})", kinetic_energy(one, back, _GROWING), "0.2637"
    noise = np.array([[0.0, 1.0]])
    end, change = integrate(jnp.asarray(noise), _axes(noise), back[::-1].copy(), lambda x, time: x @ _SHEAR.T)
    yield r"e^A z = (\sinh 1, e^{-1})", end, "(1.1752, 0.3679)"
    yield r"\mathrm{tr} A = 0", change, "0"


@derivation.figure(
    r"Cells of normal noise at $t = 0$, $\frac12$ and 1 under a bent field, shaded by $p_t$. The shade of a cell is computed "
    "from the divergence alone. Where a cell has shrunk, it is darker in proportion: each keeps its share of the points.",
    panels=3,
)
def cells(*panels):
    axis = np.linspace(-2.4, 2.4, 17)
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    x, probes = jnp.asarray(places.reshape(-1, 2)), _axes(places.reshape(-1, 2))
    log_p = standard_normal_log_prob(x)
    for axes, now in zip(panels, (0.0, 0.5, 1.0), strict=True):
        if now:
            x, delta = integrate(x, probes, np.linspace(now - 0.5, now, 4), _bent)
            log_p = log_p + delta
        grid, shade = np.asarray(x).reshape(*places.shape), np.exp(np.asarray(log_p)).reshape(places.shape[:2])
        axes.pcolormesh(*grid.transpose(2, 0, 1), shade, cmap="Blues", shading="gouraud", vmin=0, vmax=0.5)
        for lines in (grid[::2], grid.swapaxes(0, 1)[::2]):
            axes.plot(*lines.transpose(2, 1, 0), color="gray", linewidth=0.4)
        axes.set(title=f"$t = {now:g}$", xlabel="$x$", ylabel="$y$", aspect="equal", xlim=(-3, 3), ylim=(-2.6, 2.6))


@derivation.exercise(
    r"All points fall to the origin, $v = -x$, in three dimensions. What is the density at the origin at $t = 1$?",
    r"The divergence is $-3$, so the density is $e^3 (2\pi)^{-3/2} = 1.2753$.",
)
def falling():
    origin = jnp.zeros((1, 3))
    yield jnp.exp(log_prob(origin, _axes(origin), np.array([1.0, 0.0]), lambda x, time: -x)), "1.2753"


@derivation.exercise(
    "One step of the classical method on $v = 0.7 x$, from 0 to 1, is itself a map. What is its log-determinant less the "
    "integrated trace, 0.7?",
    r"$\log(1 + 0.7 + \frac{0.7^2}{2} + \frac{0.7^3}{6} + \frac{0.7^4}{24}) - 0.7 = -0.000786$.",
)
def one_step_is_a_map():
    one = jnp.ones((1, 1))
    end, delta = integrate(one, one[None], np.array([0.0, 1.0]), _GROWING)
    yield jnp.log(end) + delta, "-0.000786"


@derivation.exercise(
    r"$v = J x$ with $\frac12$ next to the diagonal and 0 on it, and one probe of two signs. By which factor is the estimated "
    "density too large in the mean?",
    r"The trace is 0 and $p^\top J p = \pm 1$, so the log-density misses by $\pm 1$: the factor is $\cosh 1 = 1.5431$.",
)
def too_large():
    field, times = (lambda x, time: x[:, ::-1] / 2), np.array([1.0, 0.0])
    points, signs = jnp.zeros((4, 2)), np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    estimated = jnp.exp(log_prob(points, signs[None], times, field))
    yield jnp.mean(estimated) * 2 * math.pi, "1.5431"
