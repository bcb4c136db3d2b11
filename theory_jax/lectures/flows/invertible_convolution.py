"""Invertible 1x1 convolution: a learned shuffle of the channels.

The lecture on the functions of theory_jax/flows/invertible_convolution.py.
"""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Abs, Rational, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.invertible_convolution import assemble, decompose, forward, inverse
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Invertible 1x1 convolution: a learned shuffle of the channels",
    sources=(
        "Kingma & Dhariwal 2018, Glow: Generative flow with invertible 1x1 convolutions",
        "Golub & Van Loan 2013, Matrix computations, chapter 3 (LU with row exchanges)",
    ),
    question="A coupling layer leaves half of the channels as they are; without a shuffle in between they would never "
    "change, and a fixed shuffle may mix the wrong ones. Can the shuffle be learned, and its determinant be had without work "
    "in the third power of the channels at every step?",
    setting=(
        r"$x$ has $C$ channels at each of $N$ positions, and $z$ is $W x$ with the same invertible matrix $W$ at all of them.",
        r"In the LU form the matrix is $P L (U + \mathrm{diag}(\varsigma e^{d}))$. A permutation matrix $P$ and signs "
        r"$\varsigma_c$ are fixed; the unit lower triangular $L$, the strictly upper triangular $U$ and $d$ are learned.",
        "In the derivation $C$ is 2 or 3.",
    ),
    limits=(
        "That every invertible matrix has an LU form with row exchanges (elimination; stated).",
        "Kernels larger than 1x1, and speed on a device.",
    ),
    trained="A layer. `flows/multiscale` trains it.",
)

w = sympy.Matrix(
    2, 2, [derivation.number(f"W_{{{i}{j}}}", f"entry {i}, {j} of the matrix", "weight") for i in (1, 2) for j in (1, 2)]
)
derivation.symbol("N", "the number of positions")
derivation.symbol("I_N", "the identity of that size")


@derivation.symbolic(
    r"\det(I_N \otimes W) = (\det W)^N",
    because="$z$ at a position depends on $x$ at that position alone: stack the positions, and the Jacobian has $N$ equal "
    "blocks on its diagonal. Two channels at three positions.",
    role="lemma",
)
def blocks():
    stacked = sympy.kronecker_product(sympy.eye(3), w)
    return Sides(
        left=stacked.det(), right=sympy.expand(w.det() ** 3), wrong={"once": w.det(), "times the positions": 3 * w.det()}
    )


l21, l31, l32 = (derivation.number(f"L_{{{i}}}", f"entry {i} of $L$", "lower") for i in (21, 31, 32))
u12, u13, u23 = (derivation.number(f"U_{{{i}}}", f"entry {i} of $U$", "upper") for i in (12, 13, 23))
d1, d2, d3 = (derivation.number(f"d_{i}", f"logarithm {i} of the diagonal's size", "log_diagonal") for i in (1, 2, 3))
exps = [sympy.exp(one) for one in (d1, d2, d3)]
lower3 = sympy.Matrix([[1, 0, 0], [l21, 1, 0], [l31, l32, 1]])
upper3 = sympy.Matrix([[exps[0], u12, u13], [0, exps[1], u23], [0, 0, exps[2]]])
product3 = lower3 * upper3
det_product = derivation.define(
    r"\det L(U + \mathrm{diag}(e^d))",
    plus(
        times(product3[0, 0], plus(times(product3[1, 1], product3[2, 2]), -times(product3[1, 2], product3[2, 1]))),
        -times(product3[0, 1], plus(times(product3[1, 0], product3[2, 2]), -times(product3[1, 2], product3[2, 0]))),
        times(product3[0, 2], plus(times(product3[1, 0], product3[2, 1]), -times(product3[1, 1], product3[2, 0]))),
    ),
    "the determinant of the product, for three channels, by its first row",
)
lu = derivation.chain(
    "In the LU form the log-determinant is a sum",
    log(det_product),
    equals(
        log(times(*exps)),
        "the determinant of a product of triangular matrices is the product of their diagonals; that of $L$ is 1",
        wrong={"the diagonal twice": log(times(*exps, *exps)), "an entry of $U$": log(times(*exps, 1 + u12**2))},
    ),
    equals(plus(d1, d2, d3), "the logarithm of a product", wrong={"the mean": plus(d1, d2, d3) / 3, "the first": d1}),
    central=True,
    so=r"Row exchanges and signs change the sign of the determinant only: $\log |\det W|$ is $\sum_c d_c$, in $C$ additions. "
    "The sign stays what it was at the start, so training cannot cross a singular matrix.",
)
derivation.symbol("a, b, c, f", "unknown entries of $L$ and $U$")


@derivation.symbolic(
    r"\begin{pmatrix} 1 & 0 \\ a & 1 \end{pmatrix} \begin{pmatrix} b & c \\ 0 & f \end{pmatrix} = \begin{pmatrix} 0 & 1 \\ 1 "
    r"& 0 \end{pmatrix} \text{ has no solution}",
    because="The first column asks for a $b$ that is 0 and an $a b$ that is 1: no invertible matrix with a zero in the "
    "corner has an LU form without an exchange of rows. The number of solutions is counted; with the rows exchanged there is "
    "one.",
    role="remark",
)
def an_exchange_needs_a_permutation():
    a, b, c, e = sympy.symbols("a b c e")
    product = sympy.Matrix([[1, 0], [a, 1]]) * sympy.Matrix([[b, c], [0, e]])
    counts = [
        sympy.Integer(len(sympy.solve(list(product - target), [a, b, c, e], dict=True)))
        for target in (sympy.Matrix([[0, 1], [1, 0]]), sympy.eye(2))
    ]
    return Sides(
        left=counts, right=[sympy.Integer(0), sympy.Integer(1)], wrong={"one each": [sympy.Integer(1), sympy.Integer(1)]}
    )


derivation.chain(
    "The gradient of the log-determinant is the transposed inverse",
    Slope(log((w[0, 0] * w[1, 1] - w[0, 1] * w[1, 0]) ** 2) / 2, w[0, 1]),
    equals(
        -w[1, 0] / (w[0, 0] * w[1, 1] - w[0, 1] * w[1, 0]),
        prose(
            r"the first line is the slope of $\log |\det W|$, and the determinant is linear in each entry, with the "
            r"cofactor, here {cofactor}, as its slope. By Cramer this is $(W^{-1})_{21}$, the entry $12$ of $W^{-\top}$",
            cofactor=holds(Slope(w[0, 0] * w[1, 1] - w[0, 1] * w[1, 0], w[0, 1]), "=", -w[1, 0], named=True),
        ),
        wrong={"the sign": w[1, 0] / (w[0, 0] * w[1, 1] - w[0, 1] * w[1, 0]), "not transposed": w.inv()[0, 1]},
    ),
)
angle = derivation.number("t", "any number")
turn = sympy.Matrix([[1 - angle**2, -2 * angle], [2 * angle, 1 - angle**2]]) / (1 + angle**2)
x1, x2 = (derivation.number(f"x_{i}", f"channel {i}") for i in (1, 2))
turned = turn * sympy.Matrix([x1, x2])
rotation = derivation.chain(
    "A rotation changes no norm",
    turned[0] ** 2 + turned[1] ** 2,
    equals(
        x1**2 + x2**2,
        r"every rotation but half a turn is $\frac{1}{1+t^2}\begin{pmatrix} 1 - t^2 & -2t \\ 2t & 1 - t^2 \end{pmatrix}$",
        wrong={"the cross term": x1**2 + x2**2 + 2 * x1 * x2},
    ),
    role="lemma",
    so=prose(
        "Nor a volume: its determinant is {one}. So a random rotation is a start with log-determinant 0 that shuffles all "
        "channels.",
        one=holds(plus((1 - angle**2) ** 2, (2 * angle) ** 2) / (1 + angle**2) ** 2, "=", 1),
    ),
)

derivation.say(
    r"What does likelihood ask of the layer? Let $x$ have the covariance $\Sigma$ and mean 0 at a position. Under a normal "
    r"base the loss is $\frac12 \mathrm{tr}(W \Sigma W^\top) - \log |\det W|$, and depends on the positive eigenvalues "
    r"$\lambda_c$ of $W \Sigma W^\top$."
)
c = derivation.index("c", "a channel")
j = derivation.index("j", "a channel")
size = derivation.count(c, "C", "the number of channels")
eigen = derivation.numbers(r"\lambda", c, r"the eigenvalues of $W \Sigma W^\top$", positive=True)
volume = derivation.number(r"\log \det \Sigma", "of the covariance of the data")
gaps = Total(c, times(Rational(1, 2), plus(eigen - 1, -log(eigen))))
loss = plus(Total(c, eigen) / 2, -times(Rational(1, 2), plus(Total(j, log(eigen.at(j))), -volume)))
derivation.answer = prose(
    r"The log-determinant is $N \log |\det W|$. In the LU form that is $N \sum_c d_c$, for three channels {lu}. Its gradient "
    r"in $W$ is $N W^{-\top}$. A permutation is a special case, with log-determinant 0. Under a normal base and for data of "
    r"mean 0 maximum likelihood makes the layer whiten: the loss is least where all eigenvalues of $W \Sigma W^\top$ are 1, "
    "{least}, which leaves a rotation or reflection open.",
    lu=holds(log(det_product), "=", plus(d1, d2, d3), wrong={"the mean": plus(d1, d2, d3) / 3}),
    least=holds(loss, "=", plus(size / 2, volume / 2), when={eigen: 1}, named=True),
)
whitening_is_best = derivation.chain(
    "Maximum likelihood whitens",
    loss,
    equals(
        plus(size / 2, volume / 2, gaps),
        r"the trace is the sum of the eigenvalues, and $2 \log |\det W|$ the sum of their logarithms minus $\log \det \Sigma$; "
        "collect",
    ),
    at_least(
        plus(size / 2, volume / 2),
        prose(
            r"leave out $\tau - 1 - \log \tau$ at every eigenvalue; equality if and only if {ones} for all $c$, that is "
            r"where $W \Sigma W^\top$ is the identity",
            ones=where(eigen, 1),
        ),
        dropping=Total(c, times(Rational(1, 2), tangent.at(eigen))),
    ),
    so=r"There $W$ is $Q \Sigma^{-1/2}$ with any rotation or reflection $Q$: which one is left to the other layers.",
)

derivation.bridge(
    "The code mixes two channels, with the log-determinant of all positions, here of three",
    ([[part] * 3 for part in w * sympy.Matrix([x1, x2])], 3 * log(Abs(w.det()))),
    forward,
    x=[[[x1] * 3, [x2] * 3]],
    weight=w,
    wrong={
        "transposed": ([[part] * 3 for part in w.T * sympy.Matrix([x1, x2])], None),
        "of one position": (None, log(Abs(w.det()))),
    },
)
derivation.bridge(
    "... and back, with the opposite one",
    ([*(w.inv() * sympy.Matrix([x1, x2]))], -log(Abs(w.det()))),
    inverse,
    z=[[x1, x2]],
    weight=w,
    wrong={"the transpose": ([*(w.T * sympy.Matrix([x1, x2]))], None)},
)


def _log_determinant(weight):
    return forward(jnp.ones((1, 2)), weight)[1]


derivation.bridge(
    "... and the log-determinant's gradient",
    w.inv().T,
    _log_determinant,
    weight=w,
    slope="weight",
    calls=(forward,),
    wrong={"the inverse": w.inv()},
)
permuted = sympy.Matrix([product3.row(1), product3.row(2), product3.row(0)])
derivation.bridge(
    "... assembles the LU form, here with the rows in the order 1, 2, 0",
    permuted,
    assemble,
    permutation=[1, 2, 0],
    lower=[[9.0, 9.0, 9.0], [l21, 9.0, 9.0], [l31, l32, 9.0]],
    upper=[[9.0, u12, u13], [9.0, 9.0, u23], [9.0, 9.0, 9.0]],
    log_diagonal=[d1, d2, d3],
    sign=np.ones(3),
    wrong={
        "the permutation turned around": sympy.Matrix([product3.row(2), product3.row(0), product3.row(1)]),
        "no exchange": product3,
    },
)


for letter, meaning in (
    ("P", "the permutation matrix"),
    ("L, U", "the triangular factors"),
    (r"\varsigma", "the signs"),
    ("d, d_c", "the logarithms"),
    ("W", "the matrix"),
):
    derivation.symbol(letter, meaning)


@derivation.numeric(
    r"P L (U + \mathrm{diag}(\varsigma e^{d})) = W, \quad \textstyle\sum_c d_c = \log |\det W|",
    because="Ten random matrices of five channels, taken apart and put together by the code. Which permutation a library picks "
    "differs, the product does not.",
    role="remark",
)
def there_and_back():
    found, wanted, wrong = [], [], []
    for matrix in np.random.default_rng(0).standard_normal((10, 5, 5)):
        parts = decompose(matrix)
        found.append(np.append(assemble(*parts), jnp.sum(parts[3])))
        wanted.append(np.append(matrix, np.linalg.slogdet(matrix)[1]))
        wrong.append(np.append(assemble(jnp.argsort(parts[0]), *parts[1:]), jnp.sum(parts[3])))
    return Sides(left=np.array(found), right=np.array(wanted), wrong={"the permutation turned around": np.array(wrong)})


_W = np.array([[0.0, 2.0], [3.0, 1.0]])


@derivation.algorithm(
    "A layer in the LU form",
    do(r"once: take a random rotation apart into $P, L, U, d, \varsigma$", decompose, by=rotation),
    do(r"at every step: $W \leftarrow P L (U + \mathrm{diag}(\varsigma e^{d}))$", assemble, by=lu),
    do(r"$z \leftarrow W x$ at every position, with the log-determinant $N \sum_c d_c$", forward, by=lu),
    do(r"a gradient step in $L$, $U$ and $d$ on the likelihood", by=whitening_is_best),
    do(r"to sample: $x \leftarrow W^{-1} z$ at every position", inverse),
)
def a_start_and_a_step():
    permutation, lower, upper, log_diagonal, sign = decompose(_W)
    yield r"\text{from } W = \begin{pmatrix} 0 & 2 \\ 3 & 1 \end{pmatrix}: \quad e^d", jnp.exp(log_diagonal), "(3, 2)"
    for grown, weight, stated in ((0.0, "(0, 2, 3, 1)", "7.1670"), (np.log(2), "(0, 2, 6, 1)", "9.9396")):
        moved = assemble(permutation, lower, upper, log_diagonal + np.array([grown, 0.0]), sign)
        z, log_det = forward(np.ones((1, 2, 4)), moved)
        yield r"d_1 \text{ larger by } \log 2: \quad W" if grown else "W", moved.ravel(), weight
        yield r"\text{log-determinant at four positions}", log_det, stated
    yield r"W^{-1} W (1, 1)", inverse(z, moved)[0][0, :, 0], "(1, 1)"


@derivation.example(r"The matrix $\begin{pmatrix} 0 & 2 \\ 3 & 1 \end{pmatrix}$ at four positions, with the determinant $-6$.")
def minus_six():
    ones = np.ones((1, 2, 4))
    z, log_det = forward(ones, _W)
    permutation, lower, upper, log_diagonal, sign = decompose(_W)
    yield r"W (1, 1) = (2, 4)", z[0, :, 0], "(2, 4)"
    yield r"4 \log 6", log_det, "7.1670"
    yield r"\text{permutation}", permutation, "(1, 0)"
    yield r"e^{d}", jnp.exp(log_diagonal), "(3, 2)"
    yield r"U_{12}", upper[0, 1], "1"
    yield r"\varsigma", sign, "(1, 1)"
    yield r"W^{-1} (2, 4)", inverse(z, _W)[0][0, :, 0], "(1, 1)"


@derivation.figure(
    r"A cloud of correlated points (left), $\Sigma^{-1/2} x$ (middle) and $Q \Sigma^{-1/2} x$ with a rotation by 40 degrees "
    r"(right), each with the ellipse of one standard deviation. Both circles have the area of the ellipse divided by $\sqrt "
    "3$, and the same likelihood.",
    panels=3,
)
def whitening(*panels):
    covariance = np.array([[2.0, 1.0], [1.0, 2.0]])
    values, vectors = np.linalg.eigh(covariance)
    root, whiten = (vectors * values**power @ vectors.T for power in (0.5, -0.5))
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    cloud = np.random.default_rng(0).standard_normal((200, 2)) @ root
    circle = np.linspace(0, 2 * np.pi, 60)
    ellipse = np.stack([np.cos(circle), np.sin(circle)], 1) @ root
    for axes, weight, title in zip(panels, (np.eye(2), whiten, turn @ whiten), ("data", "whitened", "and turned"), strict=True):
        points, edge = (np.asarray(forward(part, weight)[0]) for part in (cloud, ellipse))
        axes.scatter(*points.T, s=4, c=cloud[:, 0], cmap="viridis")
        axes.plot(*edge.T, color="C1")
        axes.set(xlabel="first channel", ylabel="second", title=title, aspect="equal", xlim=(-4.5, 4.5), ylim=(-4.5, 4.5))
