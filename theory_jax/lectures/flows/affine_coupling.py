"""Affine coupling: a stretch that depends on the point.

The lecture on the functions of theory_jax/flows/affine_coupling.py.
"""

import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, Rational, cosh, exp, log, oo, pi, sqrt, tanh

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, LogDensity, Normal, Slope, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.affine_coupling import bounded_log_scale, channel_mask, checkerboard_mask, forward, inverse, log_prob
from theory_jax.lectures.flows._affine_coupling import two_layers
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Affine coupling: a stretch that depends on the point",
    sources=(
        "Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP",
        "Papamakarios, Nalisnick, Rezende, Mohamed & Lakshminarayanan 2021, Normalizing flows for probabilistic modeling and "
        "inference",
    ),
    question="An additive layer preserves volume everywhere, so it can never concentrate probability. A general map can, but "
    "its determinant costs the cube of the dimension. How can a layer stretch and shrink by an amount that depends on the "
    "point, with a determinant that costs a sum, and what does maximum likelihood make of it?",
    setting=(
        r"A mask splits the coordinates of $x$ into $x_a$, which pass, and $x_b$, which change. The log-scale $s$ and the shift "
        r"$t$ are any finite functions of $x_a$, differentiable where derivatives are written. Forward is the way from data to "
        r"noise: $z_a = x_a$ and $z_b = x_b e^{s} + t$.",
        r"The noise is standard normal. In the chains about one coordinate that changes, $x_a$ is given, so $s$ and $t$ are "
        r"numbers.",
    ),
    answer="The Jacobian is triangular, so the log-determinant is the sum of the log-scales, and the networks' own derivatives "
    "never count. One layer makes $x_b$ Gaussian given $x_a$, with any mean and any variance, and its density has mass 1 "
    "whatever the networks are. If the networks can represent any functions, maximum likelihood gives $z_b$ the mean 0 and the "
    "variance 1 given every $x_a$; what is not Gaussian then is left to the next layers, in which the halves exchange their "
    "roles.",
    limits=(
        "Which densities deep stacks reach.",
        "Generalization: that the likelihood of held-out data rises with that of the training data. It falls when a large flow "
        "is trained for long.",
    ),
)


@derivation.figure(
    "Left: the density of one layer with $s = x_a/2$ and $t = -x_a^2/2$: Gaussian along every vertical line, and wider where $s$ "
    "is smaller. Right: the loss of one coordinate with mean 1 and variance 4 over its log-scale and shift, in nats above the "
    "least; the cross is $s = -\\log 2$, $t = -\\frac12$.",
    panels=2,
)
def a_layer_and_its_loss(plane, loss):
    axis = np.linspace(-3, 3, 61)
    height = np.linspace(-4, 8, 61)
    points = np.stack(np.meshgrid(axis, height), axis=-1).reshape(-1, 2)
    density = np.exp(log_prob(points, (_PAIR,), (_half,), (lambda kept: -_square(kept) / 2,))).reshape(61, 61)
    plane.contourf(axis, height, density, levels=12, cmap="Blues")
    plane.set(xlabel="$x_a$", ylabel="$x_b$")
    scales, shifts = np.linspace(-1.6, 0.4, 61), np.linspace(-2, 1.5, 61)
    grid = np.stack(np.meshgrid(scales, shifts), axis=0)
    above = 2 * np.exp(2 * grid[0]) + (np.exp(grid[0]) + grid[1]) ** 2 / 2 - grid[0] - (1 + np.log(4)) / 2
    loss.contour(scales, shifts, above, levels=[0.05, 0.2, 0.5, 1, 2, 4, 8])
    loss.plot([-np.log(2)], [-0.5], "x", color="C1")
    loss.set(xlabel="log-scale $s$", ylabel="shift $t$", xticks=[-1.5, -1, -0.5, 0])


derivation.symbol(r"\partial z / \partial x", "the matrix of the derivatives of one layer")
derivation.symbol("s_2, s_4", "the log-scales of two coordinates that change")


@derivation.symbolic(
    r"\det \frac{\partial z}{\partial x} = e^{s_2 + s_4}",
    because="Sort the coordinates that pass before those that change: the matrix is triangular. Given $x_a$ each $z_b$ depends "
    "on its own $x_b$ alone, with the slope $e^{s}$; the derivatives of $s$ and $t$ stand below the diagonal and never count. "
    "Four coordinates, of which the first and the third pass; every $s$ and $t$.",
    role="lemma",
)
def triangular():
    x = sympy.symbols("x1:5", real=True)
    s2, t2, s4, t4 = (sympy.Function(name)(x[0], x[2]) for name in ("s2", "t2", "s4", "t4"))
    jacobian = sympy.Matrix([x[0], x[1] * exp(s2) + t2, x[2], x[3] * exp(s4) + t4]).jacobian(x)
    return Sides(
        left=jacobian.det(),
        right=exp(s2 + s4),
        wrong={"the sign": exp(-s2 - s4), "one of them": exp(s2), "their slopes": exp(s2 + s4) * s2.diff(x[0])},
    )


xa = derivation.number("x_a", "a coordinate that passes")
xb = derivation.number("x_b", "a coordinate that changes")
s = derivation.number("s", "the log-scale at $x_a$", "log_scale_fn")
t = derivation.number("t", "the shift at $x_a$", "shift_fn")
zb = derivation.define("z_b", xb * exp(s) + t, "the changed coordinate", "forward")
derivation.chain(
    "The layer is undone in closed form",
    times(plus(zb, -t), exp(-s)),
    equals(
        xb,
        r"the networks see $z_a = x_a$, so they give the same $s$ and $t$ once more",
        wrong={"multiplied by the scale": times(plus(zb, -t), exp(s)), "shifted after the scale": plus(times(zb, exp(-s)), -t)},
    ),
    role="lemma",
    so=prose(
        "The way back has the log-determinant $-s$ for this coordinate: its slope is {slope}.",
        slope=holds(1 / Slope(zb, xb), "=", exp(-s), wrong={"the sign": exp(s)}),
    ),
)
derivation.chain(
    "One layer is a conditional Gaussian",
    plus(LogDensity(xa, 0, 1), LogDensity(zb, 0, 1), s),
    equals(
        plus(LogDensity(xa, 0, 1), LogDensity(xb, -t * exp(-s), exp(-2 * s))),
        prose(
            "{rewritten}: a Gaussian of mean {mean} and standard deviation {deviation}, whose constant takes up the "
            "log-determinant",
            rewritten=holds(zb, "=", plus(xb, t * exp(-s)) / exp(-s)),
            mean=-t * exp(-s),
            deviation=exp(-s),
        ),
        wrong={
            "the scale turned over": plus(LogDensity(xa, 0, 1), LogDensity(xb, -t * exp(-s), exp(2 * s))),
            "the shift as the mean": plus(LogDensity(xa, 0, 1), LogDensity(xb, t, exp(-2 * s))),
            "the log-determinant forgotten": plus(LogDensity(xa, 0, 1), LogDensity(xb, -t * exp(-s), exp(-2 * s)), -s),
        },
    ),
    central=True,
    so=r"The left side is the change of variables. A network that computes $s$ and $t$ therefore computes a mean and a variance.",
)
derivation.figure(
    prose(
        "From noise to data. Left: circles of equal density and the axes. Middle: a layer moves points along vertical lines, and "
        "stretches each by its own factor {stretch}: along it the density stays Gaussian. Right: a second layer, in which $x_b$ "
        "passes and $x_a$ changes, bends these lines, and no direction is left in which the density is Gaussian.",
        stretch=holds(1 / Slope(zb, xb), "=", exp(-s), named=True, wrong={"the sign": exp(s)}),
    ),
    panels=3,
)(two_layers)
m = derivation.number("m", "the conditional mean")
w = derivation.number("w", "the conditional standard deviation", positive=True)
y = derivation.number("y", "a coordinate of the noise")
derivation.chain(
    "The density has mass 1 whatever the networks are",
    Integral(exp(-((xb - m) ** 2) / (2 * w**2)) / (sqrt(2 * pi) * w), (xb, -oo, oo)),
    equals(
        Integral(exp(-(y**2) / 2) / sqrt(2 * pi), (y, -oo, oo)),
        r"substitute $x_b = m + w y$ with $x_a$ fixed, $dx_b = w\, dy$",
        wrong={"the factor w left": w * Integral(exp(-(y**2) / 2) / sqrt(2 * pi), (y, -oo, oo))},
    ),
    equals(1, "the normal density has mass 1; then the same over $x_a$", wrong={"the root forgotten": sqrt(2 * pi)}),
    so="In a stack of layers the density of the other layers takes the place of the normal one, and the same substitution holds.",
)

mu = derivation.number(r"\mu", "the mean of $x_b$ given $x_a$, under the data")
v = derivation.number("v", "its variance", positive=True)
derivation.say(
    r"Training maximizes $\mathbb{E}_q[\log p(x)]$ under the distribution $q$ of the data, that is, it minimizes "
    r"$\mathrm{KL}(q \,\|\, p)$. Both densities change by the same factor under the flow, which leaves their ratio: the "
    "divergence of the data from the model is that of the transformed data from the noise. For Gaussian data both sides are "
    "computed:"
)
derivation.chain(
    "The divergence is the same on both sides of the flow",
    Divergence(Normal(xb, mu, v), Normal(xb, -t * exp(-s), exp(-2 * s))),
    equals(
        Divergence(Normal(y, mu * exp(s) + t, v * exp(2 * s)), Normal(y, 0, 1)),
        r"the layer maps $\mathcal{N}(\mu, v)$ to $\mathcal{N}(\mu e^s + t, v e^{2s})$ and the model to the noise",
        wrong={"plus the log-determinant": Divergence(Normal(y, mu * exp(s) + t, v * exp(2 * s)), Normal(y, 0, 1)) + s},
    ),
    role="lemma",
)
square = times(Rational(1, 2), (mu * exp(s) + t) ** 2)
derivation.chain(
    "Maximum likelihood standardizes the coordinate given what passes",
    plus(Expectation(Normal(xb, mu, v), (xb * exp(s) + t) ** 2 / 2), -s),
    equals(
        plus(times(Rational(1, 2), v * exp(2 * s)), square, -s),
        prose(
            "the mean square of $z_b$ is its variance {variance} plus its squared mean, {mean}",
            variance=v * exp(2 * s),
            mean=holds(Expectation(Normal(xb, mu, v), zb), "=", mu * exp(s) + t),
        ),
    ),
    equals(
        plus((1 + log(v)) / 2, square, times(Rational(1, 2), plus(v * exp(2 * s) - 1, -log(v * exp(2 * s))))),
        r"add and subtract $\frac12 + \frac12 \log v$",
        wrong={"the logarithm of the scale": plus(log(v) / 2, square, times(Rational(1, 2), v * exp(2 * s) - 1), -s)},
    ),
    at_least(
        (1 + log(v)) / 2,
        prose(
            r"leave out a square and the gap $\tau - 1 - \log \tau$ at {ratio}; equality if and only if {scale} and {shift}",
            ratio=v * exp(2 * s),
            scale=where(s, -log(v) / 2),
            shift=where(t, -mu / sqrt(v)),
        ),
        dropping=plus(square, times(Rational(1, 2), tangent.at(v * exp(2 * s)))),
    ),
    so=prose(
        "Then $z_b$ has mean 0 and variance 1 given every $x_a$: with {scale} and {shift}, {mean} and {variance}. Only second "
        "moments of $x_b$ entered: how far its conditional distribution is from a Gaussian is what this layer cannot change.",
        scale=where(s, -log(v) / 2),
        shift=where(t, -mu / sqrt(v)),
        mean=holds(Expectation(Normal(xb, mu, v), zb), "=", 0),
        variance=holds(Expectation(Normal(xb, mu, v), zb**2), "=", 1),
    ),
)

g = derivation.number("g", "a function of $x_a$ that gives $x_b$ exactly, on the training data")
gone = derivation.define("t_g", -g * exp(s), "the shift that takes it away")
derivation.chain(
    "Data on a curve have no maximum of the likelihood",
    plus(LogDensity(g * exp(s) + gone, 0, 1), s),
    equals(
        s - log(2 * pi) / 2,
        r"$z_b = 0$ for every $s$, where the normal density is highest",
        wrong={"half of it": s / 2 - log(2 * pi) / 2},
    ),
    so="It grows without bound with $s$: on finitely many points a flexible $g$ exists, and log-scales run away. So they are "
    "bounded.",
)
raw = derivation.number("r", "what the network gives", "raw")
beta = derivation.number(r"\beta", "the bound", "bound", positive=True)
bounded = beta * tanh(raw / beta)
derivation.chain(
    "The slope of a bounded log-scale is positive",
    Slope(bounded, raw),
    equals(
        1 - tanh(raw / beta) ** 2,
        r"the chain rule: $\beta$ times $1/\beta$",
        wrong={"the bound left": beta * (1 - tanh(raw / beta) ** 2), "no square": 1 - tanh(raw / beta)},
    ),
    at_least(0, r"leave out $1/\cosh^2(r/\beta)$, which is 1 at $r = 0$ and never 0", dropping=1 / cosh(raw / beta) ** 2),
    role="lemma",
)
derivation.chain(
    "A bounded log-scale stays within its bound",
    plus(beta**2, -(bounded**2)),
    equals(
        beta**2 / cosh(raw / beta) ** 2,
        prose("{identity}", identity=holds(1 - tanh(raw / beta) ** 2, "=", 1 / cosh(raw / beta) ** 2)),
        wrong={"the bound once": beta / cosh(raw / beta) ** 2, "no square": beta**2 / cosh(raw / beta)},
    ),
    at_least(0, "leave out a square", dropping=beta**2 / cosh(raw / beta) ** 2),
    so=r"A layer's log-determinant is then at most $\beta$ times the number of coordinates that change.",
    role="lemma",
)

_PAIR = np.array([True, False])


def _half(kept):
    """Half the sum of what passes, for both coordinates."""
    return jnp.broadcast_to(kept.sum(1, keepdims=True) / 2, kept.shape)


def _square(kept):
    return jnp.broadcast_to(kept.sum(1, keepdims=True) ** 2, kept.shape)


_LAYER = {"mask": _PAIR, "log_scale_fn": _half, "shift_fn": _square}
derivation.bridge(
    "The code stretches and shifts, here with $s = x_a / 2$ and $t = x_a^2$, with the log-determinant of what changes",
    ([xa, xb * exp(xa / 2) + xa**2], xa / 2),
    forward,
    x=[[xa, xb]],
    **_LAYER,
    wrong={
        "both coordinates": ([xa * exp(xa / 2) + xa**2, xb * exp(xa / 2) + xa**2], None),
        "shifted first": ([xa, (xb + xa**2) * exp(xa / 2)], None),
    },
)
derivation.bridge(
    "... and back again, with the opposite one", ([xa, (xb - xa**2) * exp(-xa / 2)], -xa / 2), inverse, z=[[xa, xb]], **_LAYER
)
derivation.bridge(
    "... and the log-density of two layers, the second with the roles exchanged",
    plus(
        LogDensity(xa * exp((xb * exp(xa / 2) + xa**2) / 2) + (xb * exp(xa / 2) + xa**2) ** 2, 0, 1),
        LogDensity(xb * exp(xa / 2) + xa**2, 0, 1),
        xa / 2,
        (xb * exp(xa / 2) + xa**2) / 2,
    ),
    log_prob,
    x=[[xa, xb]],
    masks=(_PAIR, ~_PAIR),
    log_scale_fns=(_half, _half),
    shift_fns=(_square, _square),
    wrong={"one layer": plus(LogDensity(xa, 0, 1), LogDensity(xb * exp(xa / 2) + xa**2, 0, 1), xa / 2)},
)
derivation.bridge("... and the bounded log-scale", bounded, bounded_log_scale, raw=raw, bound=beta)


@derivation.exact(
    r"\text{a board of } 3 \times 3 \text{ passes } 5 \text{ of } 9, \text{ flipped } 4",
    because="Rows plus columns are even at the corners and in the middle. Between two layers the mask is flipped, so that every "
    "pixel changes in one of them; behind a squeeze the halves are channels.",
    outcomes=9,
    role="remark",
)
def boards():
    found = [int(checkerboard_mask(height=3, width=3, flip=flip).sum()) for flip in (False, True)]
    return Sides(
        left=[*found, int(channel_mask(channels=5).sum())],
        right=[5, 4, 2],
        wrong={"the other color": [4, 5, 2], "columns": [6, 3, 2]},
    )


def _powers_of_two(kept):
    return math.log(2) * kept.sum(1, keepdims=True) + 0 * kept


def _same(kept):
    return kept.sum(1, keepdims=True) + 0 * kept


@derivation.example(r"The log-scale is $x_a \log 2$ and the shift $x_a$, at $x = (1, 3)$.")
def doubled_and_shifted():
    x = np.array([[1.0, 3.0]])
    z, log_det = forward(x, _PAIR, _powers_of_two, _same)
    yield r"z = (1, 3 \cdot 2 + 1)", z[0], "(1, 7)"
    yield r"\log |\det| = \log 2", log_det, "0.6931"
    yield r"(7 - 1) / 2", inverse(z, _PAIR, _powers_of_two, _same)[0][0, 1], "3"
    yield r"\log p(x) = -25 - \log 2\pi + \log 2", log_prob(x, (_PAIR,), (_powers_of_two,), (_same,)), "-26.1447"
    conditional = LogDensity(1, 0, 1) + LogDensity(3, -Rational(1, 2), Rational(1, 4))
    yield r"\log \mathcal{N}(1; 0, 1) + \log \mathcal{N}(3; -\tfrac12, \tfrac14)", value(conditional, {}), "-26.1447"
