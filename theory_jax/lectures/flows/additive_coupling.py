"""Additive coupling: an invertible layer around any network.

The lecture on the functions of theory_jax/flows/additive_coupling.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational, exp, log, tanh

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.additive_coupling import alternating_mask, diagonal_scaling, forward, inverse, logistic_log_prob
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Additive coupling: an invertible layer around any network",
    sources=(
        "Dinh, Krueger & Bengio 2014, NICE: Non-linear independent components estimation",
        "Papamakarios, Nalisnick, Rezende, Mohamed & Lakshminarayanan 2021, Normalizing flows for probabilistic modeling and "
        "inference",
    ),
    question="An arbitrary network has no inverse in general, and the determinant of its Jacobian is too expensive for "
    "training. A flow needs both. How can a layer of a flow contain an arbitrary network nevertheless?",
    setting=(
        r"A mask splits the coordinates of $x$ into those that pass unchanged and those that change. The layer adds to the "
        "second kind a function of the first kind, the shift: any function for which the formulas have a meaning, "
        "differentiable only where a derivative is written. Forward is the way from data $x$ to noise $z$.",
        "A flow is a row of layers in which the two kinds take turns, and at its end every coordinate is multiplied by a "
        r"number $e^{\ell_d}$. The noise has independent logistic coordinates.",
    ),
    limits=(
        "Which densities a row of shears can reach.",
        "That trained networks mix all coordinates: three layers are necessary, and enough unless slopes vanish.",
    ),
)

x1, x2, x3, x4 = (
    derivation.number(f"x_{i}", f"coordinate {i} of the data, which {'passes' if i % 2 else 'changes'}") for i in range(1, 5)
)
t = derivation.function("t", "the shift of $x_2$, any function", arguments=2)
s = derivation.function("s", "the shift of $x_4$, any function", arguments=2)
z2 = derivation.define("z_2", x2 + t(x1, x3), "the changed second coordinate", "forward")
z4 = derivation.define("z_4", x4 + s(x1, x3), "the changed fourth coordinate", "forward")
undone = derivation.chain(
    "The shift is computed again and subtracted",
    plus(z2, -t(x1, x3)),
    equals(
        x2,
        "$x_1$ and $x_3$ passed unchanged: the network sees after the layer what it saw before",
        wrong={"added again": x2 + 2 * t(x1, x3), "computed from what changed": x2 + t(x1, x3) - t(z2, z4)},
    ),
    role="theorem",
    so="No property of the shift was used. The same network serves both ways, and both ways cost the same.",
)
derivation.symbol(r"\partial z / \partial x", "the matrix of the derivatives of one layer")


@derivation.symbolic(
    r"\det \frac{\partial z}{\partial x} = 1",
    because="Sort the coordinates that pass before those that change: ones on the diagonal, the derivatives of the shift below "
    "it, zeros above it. Sorting rows and columns alike leaves a determinant as it is. For either half of four coordinates.",
    role="lemma",
)
def one_layer():
    x = sympy.symbols("x1:5", real=True)
    shifts = [sympy.Function(name)(x[0], x[2]) for name in ("t", "s")]
    odd = sympy.Matrix([x[0], x[1] + shifts[0], x[2], x[3] + shifts[1]]).jacobian(x)
    others = [sympy.Function(name)(x[1], x[3]) for name in ("t", "s")]
    even = sympy.Matrix([x[0] + others[0], x[1], x[2] + others[1], x[3]]).jacobian(x)
    return Sides(
        left=[odd.det(), even.det()], right=[1, 1], wrong={"the shift's slope on the diagonal": [1 + shifts[0].diff(x[0]), 1]}
    )


derivation.say(
    "Volume is preserved without any derivative. For fixed passing coordinates the layer is a translation by a constant, and "
    "a translation does not change the volume of a slice; add the slices. So the density at $x$ is the density of the noise "
    "at $z$, also where a rectifier has a kink."
)
l1, l2 = (derivation.number(rf"\ell_{i}", f"log-scale {i}, of the diagonal scaling", "log_scale") for i in (1, 2))
a, b, c = (
    derivation.number(name, f"the slope of the {which} layer's shift")
    for name, which in (("a", "first"), ("b", "second"), ("c", "third"))
)
scaling = sympy.diag(exp(l1), exp(l2))
shears = [sympy.Matrix([[1, 0], [a, 1]]), sympy.Matrix([[1, b], [0, 1]]), sympy.Matrix([[1, 0], [c, 1]])]
whole = scaling * shears[2] * shears[1] * shears[0]
log_det = log(plus(times(whole[0, 0], whole[1, 1]), -times(whole[0, 1], whole[1, 0])))
derivation.answer = prose(
    "What the shift was computed from is still there after the layer, so the shift is computed again and subtracted, {back}; "
    "the network is never inverted. The Jacobian is triangular with ones on the diagonal: the determinant is 1 whatever the "
    "network is. Volume is preserved, so the values that a density takes are preserved, too; only the scaling at the end can "
    "change them, by the log-determinant {sum} in two dimensions.",
    back=holds(plus(z2, -t(x1, x3)), "=", x2, wrong={"added again": x2 + 2 * t(x1, x3)}),
    sum=holds(log_det, "=", plus(l1, l2), named=True, wrong={"the mean": plus(l1, l2) / 2}),
)
whole_flow = derivation.chain(
    "The log-determinant of a whole flow is the sum of its log-scales",
    log_det,
    equals(
        log(times(exp(l1), exp(l2))),
        "the determinant of a product; every layer has the determinant 1",
        wrong={"a slope left": log(times(exp(l1), exp(l2), 1 + a**2)), "the scales added": log(exp(l1) + exp(l2))},
    ),
    equals(plus(l1, l2), "the logarithm of a product", wrong={"the sign": plus(-l1, -l2), "the mean": plus(l1, l2) / 2}),
    central=True,
    so=r"Hence $\log p_X(x)$ is $\log p_Z(z) + \sum_d \ell_d$, and every example has the same log-determinant.",
)

derivation.say(
    "How many layers does it take until every coordinate of the noise depends on every coordinate of the data? Write $T_k$ for "
    "the derivatives of the shift of layer $k$, a matrix from one half to the other."
)
for letter, meaning in (
    ("T_1, T_2, T_3", "the derivatives of the three shifts"),
    ("J_1, J_2, J_3", "the Jacobians of three layers"),
    ("I", "the identity"),
):
    derivation.symbol(letter, meaning)


@derivation.symbolic(
    r"J_2 J_1 = \begin{pmatrix} I + T_2 T_1 & T_2 \\ T_1 & I \end{pmatrix}, \quad J_3 J_2 J_1 = \begin{pmatrix} I + T_2 T_1 & "
    r"T_2 \\ T_3 (I + T_2 T_1) + T_1 & I + T_3 T_2 \end{pmatrix}",
    because="Products of blocks. After two layers the block $I$ remains for all networks: two coordinates of the half "
    "that moved first never see each other. After three no entry is zero for all networks. If the half that moves first has "
    "one coordinate only, two layers are enough.",
)
def blocks():
    t1, t2, t3 = (sympy.Matrix(2, 2, sympy.symbols(f"{name}:4")) for name in "pqr")
    one, zero = sympy.eye(2), sympy.zeros(2)

    def layer(slopes, changes_second):
        return sympy.Matrix(sympy.BlockMatrix([[one, zero], [slopes, one]] if changes_second else [[one, slopes], [zero, one]]))

    def joined(corner):
        return sympy.Matrix(sympy.BlockMatrix([[one + t2 * t1, t2], [t3 * (one + t2 * t1) + t1, corner]]))

    two = layer(t2, False) * layer(t1, True)
    left = [*two, *(layer(t3, True) * two)]
    after_two = [*sympy.Matrix(sympy.BlockMatrix([[one + t2 * t1, t2], [t1, one]]))]
    wrong = {"the other order": [*after_two, *joined(one + t2 * t3)], "no mixing in the last block": [*after_two, *joined(one)]}
    return Sides(left=left, right=[*after_two, *joined(one + t3 * t2)], wrong=wrong)


def _zeros(dim, layers):
    """How many entries of the Jacobian of so many layers vanish, for shifts that are no straight lines."""
    drawn, x = np.random.default_rng(dim), np.random.default_rng(0).standard_normal((1, dim))
    weights = drawn.standard_normal((layers, dim, dim))

    def flow(row):
        y = row[None]
        for number, weight in enumerate(weights):
            y = forward(y, alternating_mask(dim=dim, flip=number % 2 == 1), lambda kept, weight=weight: jnp.tanh(kept @ weight))
        return y[0]

    return int(jnp.sum(jax.jacobian(flow)(x[0]) == 0))


@derivation.exact(
    r"\text{zeros after one, two and three layers}: \quad (1, 0, 0),\ (8, 2, 0),\ (21, 6, 0) \quad \text{for } 2, 4, 6 \text{ "
    r"coordinates}",
    because="Entries of the Jacobian of the code's layers that vanish, for shifts with random weights and alternating masks. "
    "With $h$ coordinates in each half two layers leave the $h^2 - h$ zeros next to the diagonal of the block $I$.",
    outcomes=3 * (4 + 16 + 36),
    role="remark",
)
def zeros_of_the_jacobian():
    found = [[_zeros(dim, layers) for layers in (1, 2, 3)] for dim in (2, 4, 6)]
    wrong = {"two layers mix": [[1, 0, 0], [8, 0, 0], [21, 0, 0]], "all in one": [[0, 0, 0]] * 3}
    return Sides(left=found, right=[[1, 0, 0], [8, 2, 0], [21, 6, 0]], wrong=wrong)


derivation.say(
    "A flow of shears alone takes the values of the noise's density and moves them to other positions: the largest value, "
    "and the volume of the set where the density exceeds any threshold, stay what they were. Data that lie closer together "
    "than the noise cannot be fitted. The scaling mends this; how much of it do the data want? Take one coordinate with the "
    "second moment $v$ and, for this count, a normal base."
)
v = derivation.number("v", "the second moment of a coordinate before the scaling", positive=True)
ell = derivation.number(r"\ell", "its log-scale")
derivation.chain(
    "The best log-scale standardizes the coordinate",
    plus(exp(2 * ell) * v / 2, -ell),
    equals(
        plus((1 + log(v)) / 2, times(Rational(1, 2), plus(exp(2 * ell) * v - 1, -log(exp(2 * ell) * v)))),
        r"the left side is the mean of $\frac12 z^2$ minus the log-determinant; add and subtract $\frac12 + \frac12 \log v$",
    ),
    at_least(
        (1 + log(v)) / 2,
        prose(
            r"leave out the gap $\tau - 1 - \log \tau$ at {ratio}; equality if and only if {best}",
            ratio=times(exp(2 * ell), v),
            best=where(ell, -log(v) / 2),
        ),
        dropping=times(Rational(1, 2), tangent.at(exp(2 * ell) * v)),
    ),
)

z = derivation.number("z", "a coordinate of the noise")
sigma = derivation.define(r"\sigma(z)", 1 / (1 + exp(-z)), "the logistic distribution function", positive=True)
minus = derivation.define(r"\sigma(-z)", 1 / (1 + exp(z)), "one minus it", positive=True)
derivation.chain(
    "The logistic density is a product of two tails",
    Slope(sigma, z),
    equals(
        exp(-z) / (1 + exp(-z)) ** 2,
        "the quotient rule",
        wrong={"the square forgotten": exp(-z) / (1 + exp(-z)), "the sign": -exp(-z) / (1 + exp(-z)) ** 2},
    ),
    equals(
        times(sigma, minus),
        prose("{tail}", tail=holds(exp(-z) / (1 + exp(-z)), "=", minus)),
        wrong={"one tail squared": sigma**2},
    ),
    role="lemma",
)
softplus = derivation.chain(
    "The logarithm of the logistic density is minus two softplus functions",
    log(times(sigma, minus)),
    equals(
        plus(-log(1 + exp(-z)), -log(1 + exp(z))),
        prose("{tail}, which is minus the softplus of $-z$", tail=holds(log(sigma), "=", -log(1 + exp(-z)))),
    ),
    equals(
        plus(z, -2 * log(1 + exp(z))),
        prose(
            "{factor}: for negative $z$ nothing overflows; for positive $z$ the signs change places",
            factor=holds(1 + exp(-z), "=", times(exp(-z), 1 + exp(z))),
        ),
        wrong={"once": plus(z, -log(1 + exp(z)))},
    ),
    role="lemma",
)
derivation.chain(
    "An outlier pulls with bounded force",
    Slope(plus(z, -2 * log(1 + exp(z))), z),
    equals(
        -tanh(z / 2).rewrite(exp),
        prose(
            "{slope}, a hyperbolic tangent, which stays within $(-1, 1)$; under a normal base the slope is {normal}",
            slope=holds(1 - 2 * exp(z) / (1 + exp(z)), "=", -tanh(z / 2).rewrite(exp)),
            normal=holds(Slope(-(z**2) / 2, z), "=", -z, named=True),
        ),
        wrong={"the half forgotten": -tanh(z).rewrite(exp), "a normal base": -z},
    ),
    role="remark",
)
derivation.chain(
    "The logistic density is at most a quarter",
    plus(Rational(1, 4), -times(sigma, minus)),
    equals((sigma - minus) ** 2 / 4, prose("{one}", one=holds(plus(sigma, minus), "=", 1))),
    at_least(0, prose("leave out the square, which is zero only at {zero}", zero=where(z, 0)), dropping=(sigma - minus) ** 2 / 4),
    role="lemma",
)

d = derivation.index("d", "a coordinate")
at = derivation.numbers("z", d, "the noise", "z")
scale = derivation.numbers(r"\ell", d, "its log-scales", "log_scale")


def _shift(kept):
    return jnp.stack([kept[:, 0], kept[:, 0] * kept[:, 2], kept[:, 2], kept[:, 0] + kept[:, 2] ** 2], axis=1)


derivation.bridge(
    "The code adds the shift, here with the shifts $x_1 x_3$ and $x_1 + x_3^2$",
    sympy.Matrix([x1, x2 + x1 * x3, x3, x4 + x1 + x3**2]),
    forward,
    x=[[x1, x2, x3, x4]],
    mask=alternating_mask(dim=4),
    shift_fn=_shift,
    wrong={
        "subtracted": sympy.Matrix([x1, x2 - x1 * x3, x3, x4 - x1 - x3**2]),
        "everything shifted": sympy.Matrix([2 * x1, x2 + x1 * x3, 2 * x3, x4 + x1 + x3**2]),
    },
)
derivation.bridge(
    "... takes it away again",
    sympy.Matrix([x1, x2 - x1 * x3, x3, x4 - x1 - x3**2]),
    inverse,
    z=[[x1, x2, x3, x4]],
    mask=alternating_mask(dim=4),
    shift_fn=_shift,
    wrong={"added": sympy.Matrix([x1, x2 + x1 * x3, x3, x4 + x1 + x3**2])},
)
derivation.bridge(
    "... scales every coordinate, with the log-determinant of all",
    (at * exp(scale), Total(d, scale)),
    diagonal_scaling,
    x=[at],
    log_scale=scale,
    wrong={"not exponentiated": (at * scale, None), "the mean of the logarithms": (None, Total(d, scale) / 4)},
)
derivation.bridge(
    "... and the logistic log-density",
    -Total(d, log(1 + exp(at)) + log(1 + exp(-at))),
    logistic_log_prob,
    z=[at],
    wrong={"a normal base": -Total(d, at**2) / 2},
)


@derivation.numeric(
    r"\log \sigma(z) + \log \sigma(-z) = -|z| \quad\text{at } z = \pm 800",
    because="Two logarithms of logistic functions would be $\\log 0$ there; two softplus functions are 800 and 0.",
    role="appendix",
)
def far_out():
    return Sides(
        left=logistic_log_prob(np.array([800.0, -800.0])),
        right=np.array([-800.0, -800.0]),
        wrong={"no tail": np.array([-800.0, 0.0])},
    )


_PAIR = np.array([True, False])


def _squared(kept):
    """The shift of the second coordinate by the square of the first."""
    return jnp.stack([jnp.zeros(len(kept)), kept[:, 0] ** 2], axis=1)


@derivation.algorithm(
    "The density of a point, and a sample",
    do("density: $z \\leftarrow x$; for each layer, in turn with either half as the one that passes:", alternating_mask),
    do("add to the other half of $z$ the shift of the half that passes", forward, by=undone, indent=1),
    do(r"multiply every $z_d$ by $e^{\ell_d}$", diagonal_scaling, by=whole_flow),
    do(r"return $\sum_d (\log \sigma(z_d) + \log \sigma(-z_d) + \ell_d)$", logistic_log_prob, by=softplus),
    do(r"sample: $x \leftarrow$ logistic noise; divide every $x_d$ by $e^{\ell_d}$", by=whole_flow),
    do("for each layer, last to first: subtract from the half that changed the shift of the other", inverse, by=undone),
)
def two_layers_and_back():
    mask = alternating_mask(dim=2)
    first = forward(np.array([[2.0, 1.0]]), mask, _squared)
    yield r"x = (2, 1), \text{ shifts are squares: first layer}", first[0], "(2, 5)"
    second = forward(first, ~mask, lambda kept: _squared(kept[:, ::-1])[:, ::-1])
    yield r"\text{second layer}", second[0], "(27, 5)"
    z, log_det = diagonal_scaling(second, -np.log([9.0, 5.0]))
    yield r"e^{\ell} = (\tfrac19, \tfrac15): \quad z", z[0], "(3, 1)"
    yield r"\log p(x)", logistic_log_prob(z) + log_det, "-8.5304"
    yield r"\text{back through the first layer}", inverse(first, mask, _squared)[0], "(2, 1)"


@derivation.example(
    "The first coordinate passes, and the second is shifted by its square; then the log-scales are $\\log 2$ and $\\log 3$."
)
def a_square():
    z = forward(np.array([[2.0, 1.0]]), _PAIR, _squared)
    yield r"x = (2, 1) \mapsto z", z[0], "(2, 5)"
    yield r"5 - 2^2", inverse(z, _PAIR, _squared)[0, 1], "1"
    scaled, log_det = diagonal_scaling(z, np.log([2.0, 3.0]))
    yield r"(2 \cdot 2, 3 \cdot 5)", scaled[0], "(4, 15)"
    yield r"\log 2 + \log 3", log_det, "1.7918"
    yield r"\log p_Z(0, \log 3) = \log \frac14 + \log \frac{3}{16}", logistic_log_prob(np.array([[0.0, math.log(3)]])), "-3.0603"


@derivation.figure(
    "Left: the unit square and its images after one, two and three shears; each has the area 1. Right: which of six "
    "coordinates of the noise (rows) depend on which of the data (columns) after one, two and three layers; white: never.",
    panels=2,
)
def shears_and_masks(plane, dependence):
    side, zero = np.linspace(0, 1, 100), np.zeros(100)
    outline = np.concatenate(
        [np.stack(pair, 1) for pair in ((side, zero), (zero + 1, side), (1 - side, zero + 1), (zero, 1 - side))]
    )
    for number in range(4):
        ahead = np.roll(outline, -1, axis=0)
        area = abs(np.sum(outline[:, 0] * ahead[:, 1] - outline[:, 1] * ahead[:, 0])) / 2
        plane.fill(*outline.T, alpha=0.3, label=f"{number} layers: area {area:.2f}")
        plane.plot(*outline.T, linewidth=0.8)
        passes = np.array([number % 2 == 0, number % 2 == 1])
        outline = np.asarray(forward(outline, passes, lambda kept: 0.8 * jnp.sin(2 * kept[:, ::-1])))
    plane.set(xlabel="first coordinate", ylabel="second coordinate", ylim=(-0.3, 4))
    plane.legend(fontsize=7, loc="upper left")
    first = np.where(np.arange(6) % 2, 0, 1)[:, None]  # 1 where a coordinate passes the first layer
    slopes = (first != first.T).astype(int)
    one, two = np.eye(6, dtype=int) + slopes * (1 - first), np.eye(6, dtype=int) + slopes * first
    patterns = [one, two @ one, one @ two @ one]
    shown = np.concatenate(
        [np.pad((pattern > 0).astype(float), ((0, 0), (0, 1)), constant_values=np.nan) for pattern in patterns], 1
    )
    dependence.imshow(shown[:, :-1], cmap="Blues", vmin=0, vmax=1.5)
    dependence.set(xticks=[2.5, 9.5, 16.5], xticklabels=["1 layer", "2 layers", "3 layers"], yticks=[], title="dependence")
    dependence.set(xlabel="data", ylabel="noise")
