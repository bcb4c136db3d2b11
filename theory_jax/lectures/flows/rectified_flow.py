"""Rectified flow: train on the pairs that the flow itself makes, and its paths become straight.

The lecture on the functions of theory_jax/flows/rectified_flow.py.
"""

import functools
import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Matrix, Min, Rational, atan, pi, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.derivation.unspecified import function
from theory_jax.flows.flow_matching import mixture_velocity
from theory_jax.flows.rectified_flow import reflow_pairs, straightness, transport_cost
from theory_jax.lectures.flows._rectified_flow import MOMENTS, one_step_is_enough, two_rounds

derivation = Derivation(
    module=__name__,
    title="Rectified flow: train on the pairs that the flow itself makes, and its paths become straight",
    sources=(
        "Liu, Gong & Liu 2023, Flow straight and fast: learning to generate and transfer data with rectified flow",
        "Liu 2022, Rectified flow: a marginal preserving approach to optimal transport",
        "Lipman, Chen, Ben-Hamu, Nickel & Le 2023, Flow matching for generative modeling",
        "Villani 2003, Topics in optimal transportation",
    ),
    question="Flow matching joins noise and data by straight lines, yet its flow is curved, and needs many steps. Why, what does "
    "training on the pairs that the flow makes repair, and are the new pairs an optimal transport?",
    setting=(
        "A coupling is a joint distribution of noise $x_0$ and data $x_1$, independent or not, with finite second moments. "
        "Pairs are joined by lines, $x_t = (1 - t) x_0 + t x_1$.",
        r"The velocity of the flow is the mean of $x_1 - x_0$ given the position $x_t$, and is assumed regular: one flow line "
        r"passes through every position. A flow line that starts at $x_0$ ends at $z_1$. The pairs $(x_0, z_1)$ are the next "
        r"coupling.",
        "Flow lines visit at every time the same positions as the lines of the pairs, with the same distribution (lecture on "
        "flow matching). So the positions at a time are named by the flow line $k$ that passes through them.",
        "The chains have finitely many lines, pairs and times, and one coordinate, except where two are shown.",
    ),
    limits=(
        "Regularity of the velocity for couplings that are not independent.",
        "The error of a trained velocity: it adds up over the rounds, and the distribution of the data drifts.",
    ),
)

j = derivation.index("j", "a time")
k = derivation.index("k", "a flow line, and the position where it is at a time")
n = derivation.index("n", "a pair of the coupling")
lengths = derivation.law("h", j, "the lengths of the times between the ends", "diff(times)")
w = derivation.law("w", k, "the distribution of the flow lines")
given = derivation.law("p({}|{},{})", (n, k, j), "the distribution of the pair whose line is at the position")
g = derivation.numbers("g", n, "the velocity of a pair, $x_1 - x_0$", "x1 - x0")
u = derivation.define("u", Expectation(given, g), "the velocity of the flow at the position", over=(k, j))
travel = derivation.define("d", Expectation(lengths, u), "where a flow line ends minus where it starts", "x1_hat - x0", over=k)
crossing = derivation.define(
    "W", Expectation(lengths, Expectation(w, Variance(given, g))), "the variance where lines of pairs cross", positive=True
)
curvature = derivation.define(
    "S", Expectation(w, Variance(lengths, u)), "the curvature of the flow lines", "straightness", positive=True
)
squared_cost = Expectation(lengths, Expectation(w, Expectation(given, g**2)))
derivation.answer = prose(
    "Where lines of pairs cross, the flow averages their velocities, and its own lines bend. The squared cost of a coupling is "
    "the cost of the next one plus the curvature $S$ of the flow lines plus the variance $W$ at the crossings, {balance}. So the "
    "cost falls in every round in which something crosses or bends; where nothing does, one step of Euler's method is exact. On "
    "the line this is optimal transport; in the plane it need not be.",
    balance=holds(
        squared_cost,
        "=",
        plus(Expectation(w, travel**2), curvature, crossing),
        named=True,
        wrong={"the crossings forgotten": plus(Expectation(w, travel**2), curvature)},
    ),
)
balance = derivation.chain(
    "The cost of a coupling is the cost of the next one, plus curvature, plus crossings",
    squared_cost,
    equals(
        Expectation(lengths, Expectation(w, plus(u**2, Variance(given, g)))),
        "a mean square is the squared mean plus the variance, at every position",
    ),
    equals(
        plus(Expectation(w, Expectation(lengths, u**2)), crossing),
        r"the definition of $W$; the flow lines keep their weights at all times",
    ),
    equals(
        plus(Expectation(w, travel**2), curvature, crossing),
        "the same along each flow line: the mean of its velocities is where it ends minus where it starts",
    ),
    at_least(
        Expectation(w, travel**2),
        prose(
            "leave out variances; equality if and only if the position tells the velocity of the pair, and every flow line is "
            "straight, as where all pairs have one velocity, {same}",
            same=where(g, g.at(0)),
        ),
        dropping=plus(curvature, crossing),
        wrong={"the crossings kept twice": plus(Expectation(w, travel**2), 2 * crossing)},
    ),
    states=2,
    central=True,
    so="The velocity of a pair is the same at all times, so the first line is the mean of its square: the squared cost of the "
    "coupling. Training on the new pairs cannot make it larger.",
)

f = derivation.function(r"\varphi", "a convex cost, differentiable")
derivative = function(r"\varphi", 1)
a, b = derivation.number("a", "a velocity"), derivation.number("b", "another velocity")
convex = derivation.assume(
    r"The cost is above its tangents",
    f(b) - f(a) - derivative(a) * (b - a),
    b,
    a,
    name=r"B_\varphi\left({}, {}\right)",
    example={f: lambda velocity: velocity**2},
    wrong={"below them": f(a) + derivative(a) * (b - a) - f(b)},
)
derivation.chain(
    "No convex cost grows",
    Expectation(w, f(travel)),
    at_most(
        Expectation(w, Expectation(lengths, f(u))),
        "Jensen's inequality over the times: add the height of the cost above its tangent at the mean",
        adding=Expectation(w, Expectation(lengths, convex.at(u, travel))),
        wrong={"twice the cost": Expectation(w, 2 * Expectation(lengths, f(u)))},
    ),
    at_most(
        Expectation(w, Expectation(lengths, Expectation(given, f(g)))),
        "Jensen's inequality given the position: the velocity of the flow is a mean, too",
        adding=Expectation(w, Expectation(lengths, Expectation(given, convex.at(g, u)))),
        wrong={"twice the cost": Expectation(w, 2 * Expectation(lengths, Expectation(given, f(g))))},
    ),
    sizes={j: 2, k: 1, n: 2},
    uses=(balance,),
    so="The result for one flow holds for all, as both steps hold for each. The last line is the cost of the coupling. So "
    "rectification does not choose a cost: it lowers all convex ones at once.",
)

costs = [derivation.number(f"C_{i}", f"the squared cost of the coupling of round {i}", positive=True) for i in range(4)]
derivation.chain(
    "Curvature and crossings vanish with the rounds",
    plus(costs[0] - costs[1], costs[1] - costs[2], costs[2] - costs[3]),
    equals(plus(costs[0], -costs[3]), "a telescope"),
    at_most(costs[0], "add a positive cost", adding=costs[3], wrong={"half of it": costs[0] / 2}),
    so=prose(
        "By the balance, each term of the first line is $S + W$ of a round, and the smallest is at most their mean: {least}. "
        "Among $R$ rounds one has at most the $R$-th part of $C_0$.",
        least=holds(Min(*(now - then for now, then in zip(costs, costs[1:], strict=False))), "<=", costs[0] / 3),
    ),
)

derivation.say("A solved case: noise $\\mathcal{N}(0, 1)$ and data $\\mathcal{N}(0, c)$, first independent.")
t = derivation.number("t", "the time", "times", between=(0, 1))
x = derivation.number("x", "a position")
c = derivation.number("c", "the variance of the data", positive=True)
noise, data = derivation.number("x_0", "the noise", "x0"), derivation.number("x_1", "the data", "x1")
V = derivation.define("V", (1 - t) ** 2 + c * t**2, "the variance of the position", positive=True)
derivation.chain(
    "At every time the squared velocity of the flow and the crossings make up the cost",
    plus(Expectation(Normal(x, 0, V), (Slope(V, t) * x / (2 * V)) ** 2), c / V),
    equals(
        plus(Slope(V, t) ** 2 / (4 * V), c / V),
        prose(
            "the velocity of the flow is {velocity}, and the floor of the loss {floor} (lecture on flow matching); the mean of "
            "$x^2$ is {second}",
            velocity=Slope(V, t) * x / (2 * V),
            floor=c / V,
            second=holds(Expectation(Normal(x, 0, V), x**2), "=", V, named=True),
        ),
    ),
    equals(
        1 + c,
        prose(
            "{slope} and {product}: multiply out",
            slope=holds(Slope(V, t), "=", times(2, plus(c * t, -(1 - t)))),
            product=holds(plus(plus(c * t, -(1 - t)) ** 2, c), "=", times(1 + c, V)),
        ),
        wrong={"the crossings twice": 2 * c},
    ),
    role="lemma",
)
derivation.chain(
    r"For independent normal pairs $W$ is $\frac\pi2 \sqrt c$",
    Integral(c / (times(1 + c, (t - 1 / (1 + c)) ** 2) + c / (1 + c)), (t, 0, 1)),
    equals(
        sqrt(c) * (atan(sqrt(c)) + atan(1 / sqrt(c))),
        prose(
            r"{square}; the integral of $\frac{1}{1 + s^2}$ is the arc tangent",
            square=holds(V, "=", plus(times(1 + c, (t - 1 / (1 + c)) ** 2), c / (1 + c))),
        ),
        points=12,
        wrong={"no root": c * (atan(sqrt(c)) + atan(1 / sqrt(c)))},
    ),
    equals(sqrt(c) * pi / 2, "the angles of a right triangle", points=12),
    role="lemma",
    so=prose(
        "So $W$ of this coupling is {crossings}.",
        crossings=holds(Integral(c / V, (t, 0, 1)), "=", times(pi / 2, sqrt(c)), named=True, wrong={"no root": times(pi / 2, c)}),
    ),
)
end = times(sqrt(c), noise)
derivation.chain(
    "The curvature of the first flow is what the cost and the crossings leave",
    plus(1 + c, -((sqrt(c) - 1) ** 2), -pi / 2 * sqrt(c)),
    equals(
        times(2 - pi / 2, sqrt(c)),
        prose(
            "the balance: the flow line of $x_0$ is {line}, since {rate}; it ends at {end}, which costs {cost}",
            line=times(sqrt(V), noise),
            rate=holds(Slope(times(sqrt(V), noise), t), "=", times(Slope(V, t) / (2 * V), sqrt(V), noise)),
            end=holds(times(sqrt(V), noise), "=", end, when={t: 1}, named=True),
            cost=holds(Expectation(Normal(noise, 0, 1), (end - noise) ** 2), "=", (sqrt(c) - 1) ** 2, named=True),
        ),
        wrong={"the crossings alone": pi / 2 * sqrt(c)},
    ),
    role="remark",
)
stretch = derivation.define("L", 1 - t + t * sqrt(c), "how far the line of $x_0$ is stretched at a time")
second_round = derivation.chain(
    "The second round of the normal case is straight",
    Slope(times((sqrt(c) - 1) / stretch, stretch, noise), t),
    equals(
        Slope(times(sqrt(c) - 1, noise), t),
        prose(
            r"the pairs are $(x_0, \sqrt c\, x_0)$, so {place} tells $x_0$, and the velocity at the position is {velocity}",
            place=holds(plus(times(1 - t, noise), times(t, end)), "=", times(stretch, noise)),
            velocity=times((sqrt(c) - 1) / stretch, x),
        ),
        wrong={"not divided": Slope(times(sqrt(c) - 1, stretch, noise), t)},
    ),
    equals(0, "it does not contain the time", wrong={"the velocity itself": (sqrt(c) - 1) * noise}),
    role="remark",
    so=prose(
        "Nothing crosses and nothing bends: one step of Euler's method is exact, {step}.",
        step=holds(plus(noise, times(sqrt(c) - 1, noise)), "=", end),
    ),
)
derivation.say(
    "On the line the flow lines of any coupling do not cross, so the end rises with the start: the first flow is already the "
    "cheapest map for every convex cost, and the second round only makes it straight. In the plane straight is not cheapest."
)
e1, e2 = (derivation.number(f"e_{i}", f"coordinate {i} of the noise") for i in (1, 2))
turned = Matrix([-e2, e1])
start = Matrix([e1, e2])
derivation.chain(
    "A quarter of a turn is straight: the position tells the start",
    ((1 - t) * Matrix.eye(2) + t * Matrix([[0, -1], [1, 0]])).det(),
    equals((1 - t) ** 2 + t**2, "the determinant"),
    equals(plus(Rational(1, 2), times(2, (t - Rational(1, 2)) ** 2)), "complete the square"),
    at_least(
        Rational(1, 2),
        prose("leave out a square; equality at {half}", half=where(t, Rational(1, 2))),
        dropping=times(2, (t - Rational(1, 2)) ** 2),
    ),
    role="lemma",
    so="The determinant is that of the map from the start to the position at a time, for pairs that are a "
    "quarter of a turn apart. It is never 0, so nothing crosses, and the velocity is constant on every line: rectification "
    "changes nothing.",
)
derivation.chain(
    "Straight pairs need not be the cheapest",
    Expectation(Normal(e1, 0, 1), Expectation(Normal(e2, 0, 1), (turned - start).dot(turned - start))),
    equals(
        Expectation(Normal(e1, 0, 1), Expectation(Normal(e2, 0, 1), 2 * (e1**2 + e2**2))),
        prose(
            "the diagonal of a square: {square}",
            square=holds(plus((-e2 - e1) ** 2, (e1 - e2) ** 2), "=", times(2, plus(e1**2, e2**2))),
        ),
    ),
    equals(
        4,
        prose("both squares have the mean 1, {one}", one=holds(Expectation(Normal(e1, 0, 1), e1**2), "=", 1)),
        wrong={"one coordinate": 2, "the rest": 0},
    ),
    so="Both distributions are the same normal distribution, so staying costs 0.",
)

# ---------------------------------------------------------------------------------------------------- the code

i = derivation.index("i", "a step of the solver", states=3)
steps = derivation.numbers("h", i, "the lengths of the steps", "diff(times)", positive=True)
v = derivation.numbers("v", i, "the velocities of the steps")
mean = derivation.define(r"\bar v", Total(i, steps * v) / Total(i, steps), "the mean velocity of the path")
bends = derivation.chain(
    "The curvature of a path is its mean squared velocity less the squared mean, over its steps",
    Total(i, steps * (mean - v) ** 2),
    equals(
        plus(Total(i, times(steps, v**2)), -times(Total(i, steps), mean**2)),
        prose("expand; {mean}", mean=holds(Total(i, steps * v), "=", times(mean, Total(i, steps)))),
    ),
    role="lemma",
    so="By Euler's method the mean velocity is where the path ends minus where it starts, over the time. With "
    "one step it is the velocity itself, and the curvature is 0 whatever the field is.",
)


def _of_steps(function, lengths, velocities):
    """A function of three steps of these lengths with these velocities, from 0."""
    ends = jnp.concatenate([jnp.zeros(1), jnp.cumsum(lengths)])
    return function(jnp.zeros((1, 1)), ends, lambda x, time: x * 0 + velocities[jnp.argmin(jnp.abs(ends[:-1] - time))])


derivation.bridge(
    "The code's curvature, of a field that is given by the step alone",
    Total(i, steps * (mean - v) ** 2),
    functools.partial(_of_steps, straightness),
    lengths=steps,
    velocities=v,
    calls=(straightness,),
    wrong={"divided by the steps": Total(i, steps * (mean - v) ** 2) / 3},
)


def _moved(*given):
    start, end = reflow_pairs(*given)
    return end - start


derivation.bridge(
    "... and the end of its path from 0, less the start",
    Total(i, steps * v),
    functools.partial(_of_steps, _moved),
    lengths=steps,
    velocities=v,
    calls=(reflow_pairs,),
    wrong={"backward": -Total(i, steps * v)},
)
derivation.bridge("The cost of a pair", (data - noise) ** 2, transport_cost, x0=[[noise]], x1=[[data]])


def _field_of(variance):
    """The velocity of the independent coupling with data N(0, variance)."""
    return lambda x, time: mixture_velocity(x, time, np.zeros((1, 1)), np.log([variance]), np.zeros(1))


@derivation.numeric(
    r"S = \left(2 - \frac{\pi}{2}\right) \sqrt c",
    because=r"The code's curvature of the path from $x_0 = 1$, whose mean over $x_0$ it is, since the field is linear; for $c = "
    r"4$ and $\frac14$, with 32, 64 and 128 steps, and two further orders of their length extrapolated away.",
    tolerance=1e-4,
    since="two extrapolations leave a term of the third power of the step",
    role="remark",
)
def curvature_of_the_first_flow():
    def found(variance):
        first, second, third = (
            straightness(jnp.ones((1, 1)), jnp.linspace(0.0, 1.0, count + 1), _field_of(variance))[0] for count in (32, 64, 128)
        )
        return (4 * (2 * third - second) - (2 * second - first)) / 3

    wanted = (2 - math.pi / 2) * np.array([2.0, 0.5])
    return Sides(
        left=jnp.array([found(4.0), found(0.25)]),
        right=wanted,
        wrong={"the crossings": wanted * 3.66, "c": (2 - math.pi / 2) * np.array([4, 0.25])},
    )


@derivation.algorithm(
    "Rectification",
    do("take independent pairs $(x_0, x_1)$ of noise and data"),
    do("for each round, while the curvature of the paths is too large for few steps:", straightness, by=bends),
    do(r"fit the velocity $u$ to $x_1 - x_0$ at $x_t$, over all pairs and times (flow matching)", indent=1),
    do(r"for each $x_0$, from $x \leftarrow x_0$, for each step $h$ of the time:", indent=1),
    do(r"$x \leftarrow x + h u(x, t)$", reflow_pairs, by=bends, indent=2),
    do("take $(x_0, x)$ as the pairs; with the exact $u$ their cost is no larger", transport_cost, by=balance, indent=1),
    do(r"generate with one step, $x_0 + u(x_0, 0)$, once the lines are straight", reflow_pairs, by=second_round),
)
def two_rounds_of_variance_four():
    start, half = jnp.ones((1, 1)), jnp.array([0.0, 0.5, 1.0])
    yield r"c = 4, x_0 = 1; \text{ first round, } h = \tfrac12: \quad x", reflow_pairs(start, half[:2], _field_of(4.0))[1], "0.5"
    yield r"x", reflow_pairs(start, half, _field_of(4.0))[1], "0.8"
    yield r"\text{its curvature}", straightness(start, half, _field_of(4.0)), "0.64"
    exact = jnp.array([[2.0]])
    yield r"\text{cost of the exact pair } (1, 2)", transport_cost(start, exact), "1"
    yield r"\text{second round, } h = 1: \quad x", reflow_pairs(start, half[::2], _second_field)[1], "2"
    yield r"\text{its curvature, } h = \tfrac12", straightness(start, half, _second_field), "0"


def _second_field(x, time):
    """The velocity of the second round, for data of variance 4."""
    return x / (1 + time[:, None])


@derivation.example(
    r"Data of variance 4. Euler's method from $x_0 = 1$, whose exact end is 2, along the first flow in 1, 2, 4 and 8 steps; then "
    r"along the second, whose velocity is $\frac{x}{1 + t}$, in one."
)
def data_of_variance_four():
    ends, bends = [], []
    for count in (1, 2, 4, 8):
        grid = jnp.linspace(0.0, 1.0, count + 1)
        ends.append(reflow_pairs(jnp.ones((1, 1)), grid, _field_of(4.0))[1][0, 0])
        bends.append(straightness(jnp.ones((1, 1)), grid, _field_of(4.0))[0])
    yield r"x_N", jnp.array(ends), "(0, 0.8, 1.3622, 1.6591)"
    yield r"\text{curvature}", jnp.array(bends), "(0, 0.64, 0.7568, 0.8002)"
    again = reflow_pairs(jnp.ones((1, 1)), jnp.linspace(0.0, 1.0, 2), _second_field)
    yield r"\text{second flow}", again[1], "2"
    yield r"C_0 = C_1 + S + W", 1 + (2 - math.pi / 2) * 2 + math.pi, "5"
    yield (
        r"\text{costs of } (x_0, x_1) = (1, -2) \text{ and } (1, 2)",
        transport_cost(np.ones((2, 1)), np.array([[-2.0], [2.0]])),
        "(9, 1)",
    )


derivation.figure(
    "18 noises on their way to the data 1 and $-1$ (diamonds). Left: the flow lines of independent pairs (gray) bend, and "
    "Euler's method in two steps (orange) leaves them and misses the data. Right: the flow of the pairs that the first flow "
    "makes has straight lines, and one step (blue) follows them to the end.",
    panels=2,
    frames=[f"$t = {moment:g}$" for moment in MOMENTS],
)(one_step_is_enough)
derivation.figure(
    r"Data 1 and $-1$. Left: pairs of the independent coupling, whose lines cross. Middle: flow lines of their mean velocity, "
    r"which do not cross and bend. Right: lines of the pairs that the flow makes, from the same starts.",
    panels=3,
)(two_rounds)
