"""The probability flow: a motion without noise that has the diffusion's densities, and its likelihood.

The lecture on the functions of theory_jax/diffusion/probability_flow.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from scipy.special import ndtr
from sympy import KroneckerDelta, Rational, Symbol, exp, log, pi, sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Slope, SquaredNorm, Total, plus
from theory_jax.derivation.notation import times as product
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.probability_flow import log_prob, probability_flow_drift, solve
from theory_jax.lectures.diffusion.score_sde import fokker_planck

derivation = Derivation(
    module=__name__,
    title="The probability flow: a motion without noise that has the diffusion's densities, and its likelihood",
    lectures=(34,),
    sources=(
        "Song, Sohl-Dickstein, Kingma, Kumar, Ermon & Poole 2021, Score-Based Generative Modeling through SDEs, section 4.3",
        "Chen, Rubanova, Bettencourt & Duvenaud 2018, Neural Ordinary Differential Equations, theorem 1",
        "Grathwohl et al. 2019, FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models",
    ),
    question="A diffusion samples with noise: a point has no single path, so an example has no code, and its density is an "
    "integral over all paths. A motion without noise would give both, provided that its densities are the same. Which "
    "deterministic motion has the densities of a diffusion, and how does it give the exact log-density of a point?",
    setting=(
        r"As in the lecture on score-based equations: $dx = f\, dt + g\, dw$ with positive, smooth densities $p$ that vanish "
        r"far out, and the score $s = \nabla \log p$. What follows is at one time; slopes are in space.",
        r"The flow is $\dot x = v$ with the velocity $v = f - \frac12 g^2 s$, which is smooth enough that through every point "
        "goes one path.",
        r"Variance preserving: $f = -\frac12 \beta x$, $g^2 = \beta$, with the integral $B$ of $\beta$. For data "
        r"$\mathcal{N}(0, c)$ the variance is $V = c\, e^{-B} + 1 - e^{-B}$ (same lecture).",
    ),
    limits=(
        "Order four of the Runge-Kutta method for other than linear equations (Butcher's conditions).",
        "A learned score: the likelihood is then that of the flow, not of a sampler with noise.",
        r"The error of taking $\mathcal{N}(0, I)$ for the last density, beyond normal data.",
    ),
)

INTEGRATED = r"\log p_0(x_0) = \log p_T(x_T) + \int_0^T \nabla \cdot v\, dt"

# ---------------------------------------------------------------------------------------------------- transport

x = derivation.number("x", "a point")
p, f = derivation.function("p", "the density at a time"), derivation.function("f", "the drift")
g = derivation.number("g", "the diffusion", "diffusion", positive=True)
velocity = plus(f(x), -(g**2) / 2 * Slope(log(p(x)), x))
transport = derivation.chain(
    "The diffusion's change of density, written as transport",
    plus(-Slope(f(x) * p(x), x), g**2 / 2 * Slope(p(x), x, 2)),
    equals(
        plus(-Slope(f(x) * p(x), x), Slope(product(g**2 / 2, Slope(log(p(x)), x), p(x)), x)),
        prose(
            "{score}: the spreading is a motion down the slope of the density",
            score=holds(Slope(p(x), x), "=", product(p(x), Slope(log(p(x)), x))),
        ),
    ),
    equals(
        -Slope(product(velocity, p(x)), x),
        "collect: the continuity equation",
        wrong={"the whole score": -Slope(product(plus(f(x), -(g**2) * Slope(log(p(x)), x)), p(x)), x)},
    ),
    uses=(fokker_planck,),
    central=True,
    so=prose(
        "The first line is the Fokker-Planck equation. The last means: mass at $x$ moves with the velocity {velocity}, and "
        "nothing is created or lost. So points that start from the data's distribution and follow it have the diffusion's "
        "densities.",
        velocity=velocity,
    ),
)
derivation.symbol("F_t", "the distribution function at a time, in one dimension")
derivation.symbol("x_t", "the path of a point")
y = derivation.number("y", "a second coordinate")
density = derivation.function("q", "a density in two dimensions", arguments=2)
left, right = (
    derivation.function("v", "the velocity's first component", arguments=2),
    derivation.function("w", "its second component", arguments=2),
)
q, v1, v2 = density(x, y), left(x, y), right(x, y)
moving = plus(-Slope(v1 * q, x), -Slope(v2 * q, y), v1 * Slope(q, x), v2 * Slope(q, y)) / q
change = derivation.chain(
    "Along a path the log-density changes by the divergence alone",
    moving,
    equals(
        -plus(Slope(v1, x), Slope(v2, y)),
        "the product rule: what is left is the density times the divergence",
        wrong={"the sign": plus(Slope(v1, x), Slope(v2, y))},
    ),
    so=prose(
        r"The numerator is $\frac{\partial q}{\partial t} + v \cdot \nabla q$, the change of the density along a path of "
        r"the flow: the continuity equation for the first, the chain rule for the second. Integrated: $"
        + INTEGRATED
        + "$. Where paths spread, the density falls.",
        said=(INTEGRATED,),
    ),
)
derivation.answer = prose(
    "Points that start from the data's distribution and move with the velocity {velocity} have the diffusion's density at "
    "every time. Along a path the log-density of a flow changes at the rate {rate}, here in two dimensions, so "
    "$" + INTEGRATED + r"$. The divergence is the mean of $e^\top J e$ over probes of mean 0 and covariance $I$, with the "
    "Jacobian $J$ of the velocity; one solver computes the path and the integral.",
    said=(INTEGRATED,),
    velocity=velocity,
    rate=holds(moving, "=", -plus(Slope(v1, x), Slope(v2, y)), named=True),
)
derivation.say(
    prose(
        r"In one dimension, integrate the continuity equation from the left: $\frac{\partial F}{\partial t} = -v p$. Along a "
        r"path the motion adds $v p$, so $F$ does not change. Quantiles stay: $F_T(x_T) = F_0(x_0)$, and paths never cross.",
        said=(r"\frac{\partial F}{\partial t} = -v p", "F_T(x_T) = F_0(x_0)"),
    )
)


def _mixture(time):
    """Means, deviation of each component, of two normal densities after this much of a variance-preserving diffusion."""
    a = np.exp(-0.1 * time - 9.95 * time**2)
    return np.sqrt(a) * np.array([-1.0, 1.0]), np.sqrt(0.09 * a + 1 - a)


def _flow(points, time):
    """The velocity of the probability flow of two equal normal densities at -1 and 1."""
    a = jnp.exp(-0.1 * time - 9.95 * time**2)[:, None]
    variance, mean = 0.09 * a + 1 - a, jnp.sqrt(a)
    rate = (0.1 + 19.9 * time)[:, None]
    score = (mean * jnp.tanh(mean * points / variance) - points) / variance
    return probability_flow_drift(score, -rate * points / 2, jnp.sqrt(rate[:, 0]))


def _quantile(points, time):
    means, deviation = _mixture(time)
    return np.mean([ndtr((points - mean) / deviation) for mean in means], axis=0)


@derivation.numeric(
    r"F_1(x_1) = F_0(x_0)",
    because="Five points of the mixture of two normal densities in the figure, moved to time 1 by 200 steps of the code.",
    tolerance=1e-6,
    since="the error of 200 steps of the solver",
)
def quantiles_stay():
    points = np.array([-1.5, -0.9, 0.1, 0.8, 1.4])
    ends = solve(jnp.asarray(points)[:, None], jnp.linspace(0.0, 1.0, 201), _flow)[:, 0]
    found, wanted = _quantile(np.asarray(ends), 1.0), _quantile(points, 0.0)
    return Sides(left=found, right=wanted, wrong={"the points themselves": _quantile(points, 1.0)})


drift, score = derivation.number("f_x", "the drift at a point", "drift"), derivation.number("s_x", "the score there", "score")
derivation.bridge(
    "The code's velocity",
    plus(drift, -(g**2) * score / 2),
    probability_flow_drift,
    score=[[score]],
    drift=[[drift]],
    diffusion=[g],
    wrong={"the whole score": plus(drift, -(g**2) * score)},
)

# ---------------------------------------------------------------------------------------------------- normal data

derivation.say(r"Data $\mathcal{N}(0, c)$: the score is $-x/V$, and everything is in closed form.")
time = derivation.number("t", "the time", positive=True)
c = derivation.number("c", "the variance of the data", positive=True)
integral = derivation.function("B", "the integral of the rate of noise from time 0")
V = derivation.define("V", c * exp(-integral(time)) + 1 - exp(-integral(time)), "the variance at a time", positive=False)
rate = integral(time).diff(time)
x0 = derivation.number("x_0", "where a path begins")
path = x0 * sqrt(V / c)
end = derivation.number("U", "the variance at the end, $V_T$", positive=True)
ending = derivation.define("x_T", x0 * sqrt(end / c), "where the path ends")
derivation.chain(
    "The velocity follows the spread",
    plus(-rate * x / 2, rate * x / (2 * V)),
    equals(product(rate * (1 - V), x) / (2 * V), "common denominator"),
    equals(
        product(Slope(V, time), x) / (2 * V),
        prose("{spread}", spread=holds(Slope(V, time), "=", product(rate, 1 - V))),
        wrong={"the sign": -product(Slope(V, time), x) / (2 * V)},
    ),
    so=prose(
        "So a path is {path}, which has this velocity: {slope}. Each point keeps its distance in deviations. The divergence is "
        r"half the slope of the logarithm, {divergence}, and its integral to the end {whole}. With it the log-density of the "
        "data is exact: {exact}.",
        path=path,
        slope=holds(Slope(path, time), "=", product(Slope(V, time), path) / (2 * V), named=True),
        divergence=holds(Slope(log(V), time) / 2, "=", Slope(V, time) / (2 * V), named=True),
        whole=log(end / c) / 2,
        exact=holds(
            LogDensity(x0, 0, c),
            "=",
            plus(LogDensity(ending, 0, end), log(end / c) / 2),
            wrong={"without the divergence": LogDensity(ending, 0, end)},
        ),
    ),
)
derivation.symbol("V_T", "the variance at the end")
cost = plus(log(end) / 2, -(end - 1) * x0**2 / (2 * c))
derivation.chain(
    "What it costs to take a standard normal distribution for the last density",
    plus(-log(2 * pi) / 2, -(ending**2) / 2, log(end / c) / 2, log(2 * pi * c) / 2, x0**2 / (2 * c)),
    equals(cost, r"the logarithms of $c$ and $2\pi$ cancel", wrong={"the prior's log 2 pi": plus(log(2 * pi) / 2, cost)}),
    so=prose(
        "The first line is the flow's log-density less the true {truth}. It is {zero} at {one}, where its slope in $U$ is "
        "{slope}: else it is of the order of $U - 1$, and {order} at every time.",
        truth=LogDensity(x0, 0, c),
        zero=holds(cost, "=", 0, named=True),
        one=where(end, 1),
        slope=holds(Slope(cost, end), "=", plus(1, -(x0**2) / c) / 2, named=True),
        order=holds(V - 1, "=", (c - 1) * exp(-integral(time))),
    ),
)

# ---------------------------------------------------------------------------------------------------- numbers

derivation.say("Now the computation: a solver for the path, and an estimate of the divergence.")
rate_of, step = (
    derivation.number("a", "the rate of a linear equation"),
    derivation.number("h", "a step", "a difference of times", positive=True),
)
stage = [rate_of * x]
for share in (Rational(1, 2), Rational(1, 2), 1):
    stage.append(rate_of * (x + share * step * stage[-1]))
factor = sum((rate_of * step) ** n / Rational(math.factorial(n)) for n in range(5))
del share
classical = derivation.chain(
    "One step of the classical method on a linear equation",
    plus(x, step / 6 * plus(stage[0], 2 * stage[1], 2 * stage[2], stage[3])),
    equals(
        product(x, factor),
        r"insert the four slopes: at the start, twice in the middle, and at the end",
        wrong={"the first slope alone": x * (1 + rate_of * step)},
    ),
    so=prose(
        r"These are the first five terms of {exact}; the first that is missing is {missing} times $h^5$. So a step errs by order "
        r"five, and a path of $1/h$ steps by order four: half the step, a sixteenth of the error.",
        exact=exp(rate_of * step),
        missing=holds(Limit((exp(rate_of * step) - factor) / step**5, step, 0), "=", rate_of**5 / 120, named=True),
    ),
)
_state, _time = Symbol("y"), Symbol("u")  # the linear drift is the same at all times
_linear = function_of(_state, _time, rate_of * _state)
derivation.bridge(
    "The code's step",
    product(x, factor),
    solve,
    x=[[x]],
    times=[0, step],
    drift_fn=_linear,
    wrong={"exact": x * exp(rate_of * step), "Euler": x * (1 + rate_of * step)},
)
l = derivation.index("l", "a coordinate", states=2)  # noqa: E741
k = derivation.index("k", "a coordinate, next to $l$", states=2)
J = derivation.numbers("J", (k, l), "the slopes of the velocity in space, its Jacobian")
D = derivation.count(l, "D", "the number of coordinates")
e1, e2 = derivation.number("e_1", "a probe's first entry", "probes"), derivation.number("e_2", "its second entry")
probing = derivation.chain(
    "Random probes find the divergence",
    Expectation(
        Normal(e1, 0, 1),
        Expectation(Normal(e2, 0, 1), plus(J.at(0, 0) * e1**2, (J.at(0, 1) + J.at(1, 0)) * e1 * e2, J.at(1, 1) * e2**2)),
    ),
    equals(
        plus(J.at(0, 0), J.at(1, 1)),
        prose(
            "{mixed}; {square}, and so for the second entry",
            mixed=holds(Expectation(Normal(e1, 0, 1), Expectation(Normal(e2, 0, 1), e1 * e2)), "=", 0),
            square=holds(Expectation(Normal(e1, 0, 1), e1**2), "=", 1),
        ),
        wrong={
            "all entries": plus(J.at(0, 0), J.at(0, 1), J.at(1, 0), J.at(1, 1)),
            "their mean": plus(J.at(0, 0), J.at(1, 1)) / 2,
        },
    ),
    so=r"$e^\top J e$ needs one backward pass through the velocity, whatever $D$; the divergence itself needs $D$ of them. The "
    "path does not depend on the probes. So with probes that are fixed along the whole path, the estimate of the log-density "
    "has the exact one as its mean.",
)
probe = derivation.define(
    "r({},{})", sqrt(D) * KroneckerDelta(k, l), "the probe along coordinate $k$, of length $\\sqrt D$", over=(k, l)
)
m = derivation.index("m", "the number of a probe", states=2)
derivation.chain(
    "... and these few find it exactly",
    Total(m, Total(k, Total(l, probe.at(m, k) * J * probe.at(m, l)))) / D,
    equals(
        Total(k, J.at(k, k)),
        r"each probe gives $D$ times one diagonal entry",
        wrong={"the sum over probes": D * Total(k, J.at(k, k))},
    ),
)
z = derivation.numbers("z", l, "a point", "x")
moved = derivation.define("z^+", z * factor, "where one step of $\\dot z = a z$ takes it", over=l)


def _unit_probes(size):
    """The probes of length sqrt(D) along the coordinates, for one example."""
    return np.sqrt(size) * jnp.eye(size)[:, None]


def _of_linear_flow(z, times, drift_fn):
    return log_prob(z[None], _unit_probes(z.size), times, drift_fn)


derivation.bridge(
    "The code's log-density: one step of the linear flow",
    plus(-D / 2 * log(2 * pi), -SquaredNorm(l, moved) / 2, D * rate_of * step),
    _of_linear_flow,
    z=z,
    times=[0, step],
    drift_fn=_linear,
    calls=(log_prob,),
)

# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_RATE = 2 * math.log(2)


def _normal_flow(points, time):
    """Data N(0, 4) and the constant rate log 4."""
    variance = (1 + 3 * jnp.exp(-_RATE * time))[:, None]
    return probability_flow_drift(-points / variance, -_RATE * points / 2, jnp.full(len(points), math.sqrt(_RATE)))


_TWO = jnp.full((1, 1), 2.0)


@derivation.algorithm(
    "The log-density of a point by the probability flow",
    do(r"take a point $x$, a probe $e$ of mean 0 and covariance $I$, and $\ell \leftarrow 0$"),
    do(r"for $n = 0, \dots, N - 1$, from $t_n$ to $t_{n+1}$:"),
    do(
        r"one step of the classical method for $\dot x = f - \frac12 g^2 s$",
        probability_flow_drift,
        solve,
        by=transport,
        indent=1,
    ),
    do(r"... and, with the same stages, for $\dot \ell = e^\top J e$", by=probing, indent=1),
    do(r"return $\log \mathcal{N}(x; 0, I) + \ell$", log_prob, by=change),
)
def two_steps():
    yield r"x_0 = 2: \quad v", probability_flow_drift(-_TWO / 4, -_RATE * _TWO / 2, jnp.full(1, math.sqrt(_RATE))), "-1.0397"
    half = solve(_TWO, jnp.array([0.0, 0.5]), _normal_flow)
    yield r"x \text{ after } h = \tfrac12", half, "1.5811"
    yield r"x \text{ after another}", solve(half, jnp.array([0.5, 1.0]), _normal_flow), "1.3229"
    found = log_prob(_TWO, jnp.ones((1, 1, 1)), jnp.array([0.0, 0.5, 1.0]), _normal_flow)
    yield r"\ell", found + math.log(2 * math.pi) / 2 + 1.3229**2 / 2, "-0.4133"
    yield r"\log \mathcal{N}(x; 0, 1) + \ell", found, "-2.2073"


@derivation.example(
    r"Data $\mathcal{N}(0, 4)$ and the constant rate $\beta = \log 4$, from $x_0 = 2$ to time 1, where $V_T = \frac74$."
)
def normal_data():
    yield r"v \text{ at } x = 2,\ t = 0", _normal_flow(_TWO, jnp.zeros(1)), "-1.0397"
    ends = solve(_TWO, jnp.linspace(0.0, 1.0, 17), _normal_flow)
    yield r"x_T = 2 \sqrt{7/16}", ends, "1.3229"
    found = log_prob(_TWO, jnp.ones((1, 1, 1)), jnp.linspace(0.0, 1.0, 17), _normal_flow)
    yield r"\text{the flow's log-density, } \log \mathcal{N}(x_T; 0, 1) + \tfrac12 \log \tfrac7{16}", found, "-2.2073"
    yield r"\log \mathcal{N}(2; 0, 4)", -math.log(8 * math.pi) / 2 - 0.5, "-2.1121"
    yield r"\tfrac12 \log \tfrac74 - \tfrac38", math.log(1.75) / 2 - 0.375, "-0.0952"


@derivation.figure(
    "A mixture of two normal densities under the variance-preserving diffusion, from the data at time 0 to noise at time 1. "
    "Left: paths of the flow; each is a quantile, and none crosses another. Right: paths of the equation with noise, from the "
    "same points.",
    panels=2,
)
def paths(left, right):
    grid, rng = np.linspace(0, 1, 31), np.random.default_rng(5)
    points = np.array([-1.5, -1.2, -1.0, -0.8, -0.4, 0.4, 0.8, 1.0, 1.2, 1.5])
    calm, rough = [points], [points]
    for now, then in zip(grid, grid[1:], strict=False):
        calm.append(np.asarray(solve(jnp.asarray(calm[-1])[:, None], jnp.array([now, (now + then) / 2, then]), _flow))[:, 0])
        beta = 0.1 + 19.9 * now
        rough.append(rough[-1] * (1 - beta / 2 * (then - now)) + np.sqrt(beta * (then - now)) * rng.normal(size=10))
    for panel, lines, title in ((left, calm, "the flow"), (right, rough, "with noise")):
        panel.plot(grid, np.array(lines), linewidth=0.8, color=BLUE)
        panel.set(xlabel="time", ylabel="$x$", title=title, ylim=(-3, 3))
