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
from theory_jax.lectures.diffusion._probability_flow import draw_mass
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
        prose(
            r"As in the lecture on score-based equations: $dx = f\, dt + g\, dw$ with a $g$ that depends on the time alone, "
            r"with positive, smooth densities $p$ that vanish far out, and the score $s$, $\nabla \log p$. One dimension, "
            "except where two are written; in several, slopes in space are gradients and divergences.",
            said=(r"dx = f\, dt + g\, dw",),
        ),
        r"The flow moves every point with the velocity $f - \frac12 g^2 s$, called $v$, which is smooth enough that through "
        "every point goes one path.",
        r"Variance preserving: $f$ is $-\frac12 \beta x$ and $g^2$ is $\beta$, with the integral $B$ of $\beta$. For data "
        r"$\mathcal{N}(0, c)$ the variance is $c\, e^{-B} + 1 - e^{-B}$, called $V$ (same lecture).",
    ),
    limits=(
        "Order four of the Runge-Kutta method for other than linear equations (Butcher's conditions).",
        "A learned score. It is the score of no diffusion in general: the likelihood is then that of the flow with this score, "
        "and a sampler with noise has another one.",
        r"The error of taking $\mathcal{N}(0, I)$ for the last density, beyond normal data.",
        "That the continuity equation determines the densities of the flow, which a smooth velocity ensures.",
    ),
)


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
        calm.append(np.asarray(solve(jnp.asarray(calm[-1])[:, None], jnp.array([now, then]), _flow))[:, 0])
        beta = 0.1 + 19.9 * now
        rough.append(rough[-1] * (1 - beta / 2 * (then - now)) + np.sqrt(beta * (then - now)) * rng.normal(size=10))
    for panel, lines, title in ((left, calm, "the flow"), (right, rough, "with noise")):
        panel.plot(grid, np.array(lines), linewidth=0.8, color=BLUE)
        panel.set(xlabel="time", ylabel="$x$", title=title, ylim=(-3, 3))


INTEGRATED = r"\log p_0(x_0) = \log p_T(x_T) + \int_0^T \nabla \cdot v\, dt"

# ---------------------------------------------------------------------------------------------------- transport

x = derivation.number("x", "a point")
p, f = derivation.function("p", "the density at a time"), derivation.function("f", "the drift")
g = derivation.number("g", "the diffusion", "diffusion", positive=True)
velocity = plus(f(x), -(g**2) / 2 * Slope(log(p(x)), x))
transport = derivation.chain(
    "While the density is positive and smooth, its change by the diffusion is that of a transport without noise",
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
        "nothing is created or lost. So points that start from the data's distribution and follow this velocity have the "
        "diffusion's densities.",
        velocity=velocity,
    ),
)
derivation.symbol("x_t", "the point of a path at time $t$: it begins at $x_0$ and ends at $x_T$, at the last time $T$")
y = derivation.number("y", "a second coordinate")
density = derivation.function("q", "a density in two dimensions", arguments=2)
left, right = (
    derivation.function("v_1", "the first component of the velocity, in two dimensions", arguments=2),
    derivation.function("v_2", "its second component", arguments=2),
)
q, v1, v2 = density(x, y), left(x, y), right(x, y)
moving = plus(-Slope(v1 * q, x), -Slope(v2 * q, y), v1 * Slope(q, x), v2 * Slope(q, y)) / q
change = derivation.chain(
    "Along a path of a smooth velocity the logarithm of a positive density changes by the divergence alone",
    moving,
    equals(
        -plus(Slope(v1, x), Slope(v2, y)),
        "the product rule: what is left is the density times the divergence",
        wrong={"the sign": plus(Slope(v1, x), Slope(v2, y))},
    ),
    so=prose(
        r"The numerator is $\frac{\partial q}{\partial t} + v \cdot \nabla q$, the change of the density along a path: by the "
        r"continuity equation for the first term, by the chain rule for the second. Where paths spread, the density falls. "
        r"Integrated from time 0 to $T$: $" + INTEGRATED + "$.",
        said=(INTEGRATED,),
    ),
)
derivation.answer = prose(
    "If its densities are positive and smooth, a diffusion shares them with points that start from the data's distribution and "
    "move without noise, with the velocity {velocity}: the score counts half of what it counts in the reversed equation, which "
    "has noise. Along a path the "
    "log-density falls at the rate of the velocity's divergence, so $" + INTEGRATED + "$: the log-density of a point is that of "
    "its end plus the integral of the divergence. A random probe estimates the divergence with one backward pass.",
    said=(INTEGRATED,),
    velocity=velocity,
)
time = derivation.number("t", "the time", positive=True)
of_flow = derivation.function("v", "the velocity of the flow, at a point and a time", arguments=2)(x, time)
below = derivation.function("F", "the distribution function: the probability of less than $x$, at a time", arguments=2)(x, time)
derivation.chain(
    "In one dimension, if the flow of mass vanishes far out, quantiles stay, and where the density is positive paths never cross",
    Slope(plus(Slope(below, time), product(of_flow, Slope(below, x))), x),
    equals(
        plus(Slope(Slope(below, x), time), Slope(product(of_flow, Slope(below, x)), x)),
        "exchange the slopes in space and in time: $F$ has the density as its slope in space",
        wrong={"the velocity outside": plus(Slope(Slope(below, x), time), product(of_flow, Slope(below, x, 2)))},
    ),
    uses=(transport,),
    role="remark",
    so="The last line is zero: it is the continuity equation of this density. So the bracket in the first line is the same at "
    "every point. Far out it vanishes, since $F$ is 0 and 1 at the two ends, and $v p$ vanishes there: it is zero. But it is "
    "the change of $F$ along a path. A point keeps its quantile. Where the density is positive, $F$ rises, so a quantile is one "
    "point only: two paths that meet are one.",
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
    r"F(x_1, 1) = F(x_0, 0)",
    because="Five points of the mixture of two normal densities in the figure, moved to time 1 by 200 steps of the code.",
    tolerance=1e-6,
    since="the error of 200 steps of the solver",
    role="remark",
)
def quantiles_stay():
    points = np.array([-1.5, -0.9, 0.1, 0.8, 1.4])
    ends = solve(jnp.asarray(points)[:, None], jnp.linspace(0.0, 1.0, 201), _flow)[:, 0]
    found, wanted = _quantile(np.asarray(ends), 1.0), _quantile(points, 0.0)
    return Sides(left=found, right=wanted, wrong={"the points themselves": _quantile(points, 1.0)})


@derivation.figure(
    prose(
        "The same flow. Left: the density at every time (shaded), with the paths between which a tenth of the mass is: they "
        "stay quantiles. Where they spread, the density falls; in two dimensions {rate} is the slope of its logarithm in "
        "time, along a path. Right: the log-density of the data as the code finds it by adding up the divergence on the way to "
        "the noise, in 8 steps (dots).",
        rate=holds(moving, "=", -plus(Slope(v1, x), Slope(v2, y)), named=True, wrong={"one of them": -Slope(v1, x)}),
    ),
    panels=2,
)
def mass_between_paths(shades, densities):
    draw_mass(shades, densities, _mixture, _flow, _quantile)


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

derivation.say(r"Now data $\mathcal{N}(0, c)$: the score is $-x/V$, and everything is in closed form.")
c = derivation.number("c", "the variance of the data", positive=True)
integral = derivation.function("B", "the integral of the rate of noise from time 0")
V = derivation.define("V", c * exp(-integral(time)) + 1 - exp(-integral(time)), "the variance at a time", positive=False)
rate = integral(time).diff(time)
x0 = derivation.number("x_0", "where a path begins")
path = x0 * sqrt(V / c)
end = derivation.number("V_T", "the variance at the end", positive=True)
ending = x0 * sqrt(end / c)
derivation.chain(
    "For normal data the variance-preserving flow keeps each point's distance in deviations",
    plus(-rate * x / 2, rate * x / (2 * V)),
    equals(product(rate * (1 - V), x) / (2 * V), "common denominator"),
    equals(
        product(Slope(V, time), x) / (2 * V),
        prose("{spread}", spread=holds(Slope(V, time), "=", product(rate, 1 - V))),
        wrong={"the sign": -product(Slope(V, time), x) / (2 * V)},
    ),
    so=prose(
        "So the path is {path}: it has this velocity, {slope}. The divergence is half the slope of the logarithm of $V$, "
        "{divergence}, and its integral to the end {whole}. With it the log-density of the data is exact: {exact}.",
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
cost = plus(log(end) / 2, -(end - 1) * x0**2 / (2 * c))
derivation.chain(
    "For normal data a standard normal in place of the last density costs little at a given point, once the last variance is "
    "near 1",
    plus(LogDensity(ending, 0, 1), log(end / c) / 2, -LogDensity(x0, 0, c)),
    equals(
        plus(-(ending**2) / 2, log(end / c) / 2, log(c) / 2, x0**2 / (2 * c)),
        r"write out both densities: $2\pi$ cancels",
        wrong={"the prior's log 2 pi": plus(-log(2 * pi) / 2, -(ending**2) / 2, log(end / c) / 2, log(c) / 2, x0**2 / (2 * c))},
    ),
    equals(cost, r"the logarithms of $c$ cancel, too", wrong={"the quadratic term lost": log(end) / 2}),
    role="remark",
    so=prose(
        "The first line is the log-density that the algorithm computes, less the true one. It is {zero} at {one}, where its "
        "slope in $V_T$ is {slope}. So at a given point the error is of the order of $V_T - 1$, and {order} at every time: it "
        "vanishes as fast as the variance that is left of the data. It is not small everywhere: it grows with the square of the "
        "point's distance in deviations.",
        zero=holds(cost, "=", 0, named=True),
        one=where(end, 1),
        slope=holds(Slope(cost, end), "=", plus(1, -(x0**2) / c) / 2, named=True),
        order=holds(V - 1, "=", (c - 1) * exp(-integral(time))),
    ),
)

# ---------------------------------------------------------------------------------------------------- numbers

derivation.say("For other data the path and the integral are computed: by a solver, and an estimate of the divergence.")
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
    "One step of the classical method matches the exponential of a linear equation to the fourth order",
    plus(x, step / 6 * plus(stage[0], 2 * stage[1], 2 * stage[2], stage[3])),
    equals(
        product(x, factor),
        r"insert the four slopes: at the start, twice in the middle, and at the end",
        wrong={"the first slope alone": x * (1 + rate_of * step)},
    ),
    role="lemma",
    so=prose(
        r"These are the first five terms of {exact}; the first that is missing is {missing} times $h^5$. So a step errs by order "
        r"five, and a path of $1/h$ steps by order four: half a small step, about a sixteenth of the error.",
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
    "A random probe with independent entries of mean 0 and variance 1 finds the divergence, on average",
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
    so=r"The bracket is $e^\top J e$; of the normal entries only these moments were used. It needs one backward pass through "
    "the velocity, whatever $D$; this divergence, entry by entry, needs $D$ of them. The path does not depend on the probe. So "
    "the estimate of the log-density has the exact one as its mean, also with one probe for the whole path.",
)
probe = derivation.define(
    "r({},{})", sqrt(D) * KroneckerDelta(k, l), "the probe along coordinate $k$, of length $\\sqrt D$", over=(k, l)
)
m = derivation.index("m", "the number of a probe", states=2)
derivation.chain(
    "... and one probe of length $\\sqrt D$ along each coordinate finds it exactly, in their mean",
    Total(m, Total(k, Total(l, probe.at(m, k) * J * probe.at(m, l)))) / D,
    equals(
        Total(k, J.at(k, k)),
        r"each probe gives $D$ times one diagonal entry",
        wrong={"the sum over probes": D * Total(k, J.at(k, k))},
    ),
    role="lemma",
)
z = derivation.numbers("z", l, "a point", "x")
moved = derivation.define("z^+", z * factor, "where one step of the flow with the velocity $a z$ takes it", over=l)


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
    do(r"for each $n$ from 0 to $N - 1$, from $t_n$ to $t_{n+1}$:"),
    do(
        r"one step of the classical method for $x$ with the velocity $f - \frac12 g^2 s$",
        probability_flow_drift,
        solve,
        by=transport,
        indent=1,
    ),
    do(r"... and, with the same stages, for $\ell$ with the rate $e^\top J e$", by=probing, indent=1),
    do(r"return $\log \mathcal{N}(x; 0, I) + \ell$, with the standard normal for $p_T$", log_prob, by=change),
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
    r"Data $\mathcal{N}(0, 4)$ and the constant rate $\log 4$, from the point 2 to time 1, where $V_T$ is $\frac74$."
)
def normal_data():
    yield r"v \text{ at } x = 2,\ t = 0", _normal_flow(_TWO, jnp.zeros(1)), "-1.0397"
    ends = solve(_TWO, jnp.linspace(0.0, 1.0, 17), _normal_flow)
    yield r"x_T = 2 \sqrt{7/16}", ends, "1.3229"
    found = log_prob(_TWO, jnp.ones((1, 1, 1)), jnp.linspace(0.0, 1.0, 17), _normal_flow)
    yield r"\text{the flow's log-density, } \log \mathcal{N}(x_T; 0, 1) + \tfrac12 \log \tfrac7{16}", found, "-2.2073"
    yield r"\log \mathcal{N}(2; 0, 4)", -math.log(8 * math.pi) / 2 - 0.5, "-2.1121"
    yield r"\tfrac12 \log \tfrac74 - \tfrac38", math.log(1.75) / 2 - 0.375, "-0.0952"
