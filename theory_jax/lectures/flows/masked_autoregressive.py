"""Masked autoregressive flow: every variable given all before it.

The lecture on the functions of theory_jax/flows/masked_autoregressive.py.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import exp

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Normal, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.change_of_variables import standard_normal_log_prob
from theory_jax.flows.masked_autoregressive import degrees_to_mask, forward, inverse, masked_linear

derivation = Derivation(
    module=__name__,
    title="Masked autoregressive flow: every variable given all before it",
    sources=(
        "Germain, Gregor, Murray & Larochelle 2015, MADE: Masked Autoencoder for Distribution Estimation",
        "Papamakarios, Pavlakou & Murray 2017, Masked autoregressive flow for density estimation",
        "Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling 2016, Improved variational inference with inverse "
        "autoregressive flow",
    ),
    question="A coupling layer leaves half of the variables as they are, so a density that bends everywhere needs many "
    "layers. What if every variable is conditioned on all earlier ones: what is the density, why is one direction fast and "
    "the other slow, and how does a network obey the order?",
    setting=(
        r"The variables have the order $1, \dots, D$. The mean $m_d$ and the log-scale $s_d$ are functions of $x_1, \dots, "
        "x_{d-1}$ alone, differentiable where derivatives are written; $z_d$ is $(x_d - m_d) e^{-s_d}$. Forward is the way "
        "from data to noise, which is standard normal.",
        "In a masked network every unit has a degree. A weight into a hidden unit survives if the degree does not fall, one "
        "into an output if it rises.",
    ),
    limits=("Which densities several layers reach.", "How to choose an order."),
)

x1, x2 = (derivation.number(f"x_{i}", f"variable {i}") for i in (1, 2))
m1, m2 = (derivation.number(f"m_{i}", f"the mean of variable {i} given those before it", "mean") for i in (1, 2))
s1, s2 = (derivation.number(f"s_{i}", f"its log-scale, for variable {i}", "log_scale") for i in (1, 2))
z1 = derivation.define("z_1", (x1 - m1) * exp(-s1), "the standardized first variable", "forward")
z2 = derivation.define("z_2", (x2 - m2) * exp(-s2), "the standardized second variable")
conditional = holds(
    plus(LogDensity(z2, 0, 1), -s2), "=", LogDensity(x2, m2, exp(2 * s2)), wrong={"a log-variance": LogDensity(x2, m2, exp(s2))}
)
derivation.answer = prose(
    r"The Jacobian is triangular, with the log-determinant $-\sum_d s_d$, and the flow is an autoregressive model with "
    "Gaussian conditionals of mean $m_d$ and standard deviation $e^{s_d}$: for the second variable, {conditional}. All $z_d$ "
    "are computed from data at once; data are computed from noise one entry after the other, in at most $D$ passes.",
    conditional=conditional,
)
derivation.symbol(r"\partial z / \partial x", "the matrix of derivatives")
derivation.symbol("s_3", "the log-scale of a third variable")


@derivation.symbolic(
    r"\det \frac{\partial z}{\partial x} = e^{-s_1 - s_2 - s_3}",
    because="$z_d$ does not contain later variables, so the matrix is triangular; $m_d$ and $s_d$ do not contain $x_d$, so its "
    "diagonal is $e^{-s_d}$. Three variables, every mean and every log-scale.",
    role="lemma",
)
def triangular():
    a, b, c, first = sympy.symbols("a b c s1", real=True)
    m, s, n, t = (sympy.Function(name) for name in "msnt")
    rows = sympy.Matrix([a * exp(-first), (b - m(a)) * exp(-s(a)), (c - n(a, b)) * exp(-t(a, b))])
    determinant = rows.jacobian([a, b, c]).det()
    right = exp(-first - s(a) - t(a, b))
    return Sides(
        left=determinant, right=right, wrong={"the sign": exp(first + s(a) + t(a, b)), "their slopes": right * s(a).diff(a)}
    )


density = derivation.chain(
    "The flow is an autoregressive model with Gaussian conditionals",
    plus(LogDensity(z1, 0, 1), LogDensity(z2, 0, 1), -s1, -s2),
    equals(
        plus(LogDensity(x1, m1, exp(2 * s1)), LogDensity(x2, m2, exp(2 * s2))),
        prose(
            "{conditional}, and so for the first: $z_d$ is $x_d$ less its mean, over its standard deviation, and the "
            "log-determinant goes into the constant of the Gaussian",
            conditional=conditional,
        ),
        wrong={
            "the log-scale as a log-variance": plus(LogDensity(x1, m1, exp(s1)), LogDensity(x2, m2, exp(s2))),
            "the log-determinant added": plus(LogDensity(x1, m1, exp(2 * s1)), LogDensity(x2, m2, exp(2 * s2)), 2 * s1),
            "the scale turned over": plus(LogDensity(x1, m1, exp(-2 * s1)), LogDensity(x2, m2, exp(2 * s2))),
        },
    ),
    central=True,
    so=r"Since $m_2$ and $s_2$ are those given $x_1$, this is $\log p(x_1) + \log p(x_2 | x_1)$; the density has mass 1, as "
    "one sees by integrating the last variable first.",
)

derivation.say(
    "The way back. One pass puts every entry at $z_d e^{s_d} + m_d$ with the means and scales of the entries as they stand."
)
m = derivation.function("m", "the mean of the second variable as a function of the first")
seen = derivation.number("q", "a value of the first variable")
one_pass = derivation.chain(
    "One pass puts the second variable right if the first is right",
    plus(times(z2, exp(s2)), m2),
    equals(
        x2,
        "solve the definition of $z_2$: the network sees the right $x_1$, whatever follows it, and gives the same $m_2$ "
        "and $s_2$",
        wrong={"another mean": plus(x2, -m2, m(seen)), "divided": plus(times(z2, exp(-s2)), m2)},
    ),
    role="lemma",
    so=prose(
        "$m_1$ and $s_1$ are constants, so the first entry is right after one pass from any start, {first}; by induction the "
        "first $d$ after $d$.",
        first=holds(plus(times(z1, exp(s1)), m1), "=", x1),
    ),
)


@derivation.exact(
    r"\text{passes} = 1 + \text{longest chain of dependencies}",
    because="An entry is right one pass after the last entry that it depends on. All 64 graphs on four ordered variables: on "
    "the one side the number of passes until nothing of the start is left, on the other the longest path. A full order takes "
    "$D$ passes, a coupling layer takes two.",
    outcomes=64,
)
def passes_by_graph():
    pairs = [(later, earlier) for later in range(4) for earlier in range(later)]
    found, longest = [], []
    for chosen in itertools.product((0, 1), repeat=6):
        looks = np.zeros((4, 4), int)
        for (later, earlier), there in zip(pairs, chosen, strict=True):
            looks[later, earlier] = there
        left, passes = np.ones((4, 4), int), 0  # which entries of the start are still in which entry
        while left.any():
            left, passes = looks @ left, passes + 1
        depth = [0] * 4
        for later, earlier in pairs:
            if looks[later, earlier]:
                depth[later] = max(depth[later], depth[earlier] + 1)
        found.append(passes)
        longest.append(1 + max(depth))
    return Sides(
        left=np.array(found), right=np.array(longest), wrong={"one fewer": np.array(longest) - 1, "always all": np.full(64, 4)}
    )


derivation.say(
    "The mirror image conditions the mean and the log-scale on the earlier noise: entry $d$ is $z_d e^{s_d} + m_d$. It "
    r"samples in one pass, and its own samples have the log-density $\log \mathcal{N}(z; 0, I) - \sum_d s_d$; the density of "
    "data then takes $D$ passes. Densities of data are wanted for training by likelihood, samples for variational inference. "
    "A coupling layer gives both in one pass and conditions less."
)
derivation.say("A network obeys the order if no path leads from an input to its own output or to an earlier one.")
derivation.symbol("D", "the number of variables")
derivation.symbol(r"M_1, M_2", "the masks of the hidden layer and of the output")
derivation.symbol("d, j", "an output and an input")


@derivation.exact(
    r"(M_2 M_1)_{dj} = \#\{\text{hidden units}: j \le \text{degree} < d\}",
    because="Every hidden unit is one path, open if both of its weights survive. So none leads from an input to its own "
    "output or to an earlier one, and one leads to every later output if and only if all degrees from 1 to $D - 1$ occur. "
    "Two to five variables, all degrees of up to three hidden units, by the code.",
    outcomes=sum((size - 1) ** units for size in range(2, 6) for units in (1, 2, 3)),
)
def paths():
    found, wanted, loose = [], [], []
    for size in range(2, 6):
        order = np.arange(1, size + 1)
        for degrees in (np.array(all_) for units in (1, 2, 3) for all_ in itertools.product(range(1, size), repeat=units)):
            into, out = degrees_to_mask(order, degrees, strict=False), degrees_to_mask(degrees, order, strict=True)
            found += np.ravel(np.asarray(out, int) @ np.asarray(into, int)).tolist()
            wanted += [sum(j <= k < d for k in degrees) for d in order for j in order]
            loose += [sum(j <= k <= d for k in degrees) for d in order for j in order]
    return Sides(left=np.array(found), right=np.array(wanted), wrong={"outputs not strict": np.array(loose)})


c = derivation.number("c", "how strongly the first variable is bent", positive=True)
tau = derivation.number(r"\tau", "the width about the bend", positive=True)
y = derivation.number("y", "a standard normal number")
epsilon = derivation.number(r"\epsilon", "another")
bent = c * y**2 + tau * epsilon


def _over_noise(body):
    return Expectation(Normal(y, 0, 1), Expectation(Normal(epsilon, 0, 1), body))


derivation.chain(
    "One layer depends on its order",
    _over_noise((bent - c) ** 3),
    equals(
        8 * c**3,
        prose(
            r"the third central moment of $c y^2 + \tau \epsilon$, whose mean is {mean}: {third}, and $\epsilon$ is symmetric",
            mean=holds(_over_noise(bent), "=", c, named=True),
            third=holds(Expectation(Normal(y, 0, 1), (y**2 - 1) ** 3), "=", 8),
        ),
        wrong={"symmetric": 0, "not centered": 15 * c**3},
    ),
    so=prose(
        r"Let $x_2$ be $y$, and $x_1$ be $c x_2^2 + \tau \epsilon$. In the order $x_2, x_1$ one layer is exact. In the order "
        "$x_1, x_2$ it makes $x_1$ Gaussian, with a third central moment of 0, but {third}: never exact. So the order is "
        "reversed between layers.",
        third=holds(8 * c**3, ">", 0),
    ),
)


def _bend(x):
    """Means 0 and x_1^2, log-scales 0 and x_1."""
    first = x[:, :1]
    return jnp.concatenate([0 * first, first**2], 1), jnp.concatenate([0 * first, first], 1)


derivation.bridge(
    "The code standardizes, here with the means 0 and $x_1^2$ and the log-scales 0 and $x_1$",
    ([x1, (x2 - x1**2) * exp(-x1)], -x1),
    forward,
    x=[[x1, x2]],
    conditioner_fn=_bend,
    wrong={"multiplied": ([x1, (x2 - x1**2) * exp(x1)], None), "the log-determinant's sign": (None, x1)},
)
derivation.bridge(
    "... and back, in two passes",
    ([x1, x2 * exp(x1) + x1**2], x1),
    inverse,
    z=[[x1, x2]],
    conditioner_fn=_bend,
    wrong={"one pass": ([x1, x2], None), "divided": ([x1, x2 * exp(-x1) + x1**2], None)},
)
i = derivation.index("i", "an input of a layer")
o = derivation.index("o", "an output")
inputs = derivation.numbers("x", i, "its inputs", "x")
weight = derivation.numbers("w", (o, i), "its weights", "weight")
derivation.bridge(
    "... with masked layers, here of degrees 1 to 4 at both ends",
    sympy.Matrix([sum(weight.at(k, q) * inputs.at(q) for q in range(k + 1)) for k in range(4)]),
    masked_linear,
    x=[inputs],
    weight=[[weight.at(k, q) for q in range(4)] for k in range(4)],
    bias=np.zeros(4),
    mask=degrees_to_mask(np.arange(1, 5), np.arange(1, 5), strict=False),
    wrong={"no mask": sympy.Matrix([Total(i, weight.at(k, i) * inputs) for k in range(4)])},
)


def _halved(x):
    """Means 1 and x_1^2, log-scales 0 and x_1 log 2."""
    first = x[:, :1]
    return jnp.concatenate([0 * first + 1, first**2], 1), jnp.concatenate([0 * first, math.log(2) * first], 1)


@derivation.algorithm(
    "The density of data, and a sample",
    do("density of $x$: one pass of a network with masks gives all $m_d$ and $s_d$", degrees_to_mask, masked_linear),
    do(r"$z_d \leftarrow (x_d - m_d) e^{-s_d}$; return $\log \mathcal{N}(z; 0, I) - \sum_d s_d$", forward, by=density),
    do("sample: draw standard normal $z$; $x \\leftarrow 0$"),
    do(r"$D$ times: give $x$ to the network; $x_d \leftarrow z_d e^{s_d} + m_d$ for all $d$", inverse, by=one_pass),
)
def two_passes():
    x, mask = np.array([[2.0, 6.0]]), degrees_to_mask(np.arange(1, 3), np.arange(1, 3), strict=True)
    mean = masked_linear(x**2, np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([1.0, 0.0]), mask)
    yield r"x = (2, 6), \ m = (1, x_1^2), \ s = (0, x_1 \log 2): \quad m", mean[0], "(1, 4)"
    z = forward(x, _halved)[0]
    yield "z", z[0], "(1, 0.5)"
    mean, log_scale = _halved(jnp.zeros((1, 2)))
    yield r"\text{back, first pass: } x", (z * jnp.exp(log_scale) + mean)[0], "(2, 0.5)"
    yield r"\text{second pass: } x", inverse(z, _halved)[0][0], "(2, 6)"


@derivation.example(r"The means 1 and $x_1^2$ and the log-scales 0 and $x_1 \log 2$, at the data point $(2, 6)$.")
def two_and_six():
    z, log_det = forward(np.array([[2.0, 6.0]]), _halved)
    yield r"z = (2 - 1, (6 - 4)/4)", z[0], "(1, 0.5)"
    yield r"\log |\det| = -2 \log 2", log_det, "-1.3863"
    yield r"\log p = -\tfrac58 - \log 2\pi - 2 \log 2", standard_normal_log_prob(z) + log_det, "-3.8492"
    yield r"\text{back}", inverse(z, _halved)[0][0], "(2, 6)"


@derivation.figure(
    "Left: which inputs (columns) reach which outputs (rows) of a masked network on eight variables, by the number of open "
    "paths through 16 hidden units. Right: the error of each entry in the way back after every pass; entry $d$ is right "
    "after $d$ passes.",
    panels=2,
)
def paths_and_passes(table, passes):
    order, degrees = np.arange(1, 9), 1 + np.arange(16) % 7
    into, out = degrees_to_mask(order, degrees, strict=False), degrees_to_mask(degrees, order, strict=True)
    table.imshow(np.asarray(out, int) @ np.asarray(into, int), cmap="Blues", extent=(0.5, 8.5, 8.5, 0.5))
    table.set(xlabel="input", ylabel="output")
    draws = np.random.default_rng(0)
    weights, z, x, errors = np.tril(draws.standard_normal((8, 8)), -1), draws.standard_normal(8), np.zeros(8), []
    truth = np.linalg.solve(np.eye(8) - weights, z)
    for _ in range(8):
        x = z + weights @ x
        errors.append(abs(x - truth))
    passes.imshow(np.log10(np.array(errors).T + 1e-3), cmap="Blues", extent=(0.5, 8.5, 8.5, 0.5))
    passes.set(xlabel="passes", ylabel="entry")
