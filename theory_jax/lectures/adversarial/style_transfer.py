"""Style as the second moments of features: what a Gram matrix sees, and the cheapest change that gives an image another's.

The lecture on the functions of theory_jax/adversarial/style_transfer.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, KroneckerDelta, Subs, cos, sin

from theory_jax.adversarial.style_transfer import (
    content_loss,
    gram_matrix,
    quadratic_kernel_discrepancy,
    style_loss,
    total_variation,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Inner, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._gram import carrying_map, draw_clouds

derivation = Derivation(
    module=__name__,
    title="Style as the second moments of features: what a Gram matrix sees, and the cheapest way to another's style",
    sources=(
        "Gatys et al. 2016, Image style transfer using convolutional neural networks",
        "Johnson et al. 2016, Perceptual losses for real-time style transfer and super-resolution",
        "Li et al. 2017, Demystifying neural style transfer",
        "Huang & Belongie 2017, Arbitrary style transfer in real-time with adaptive instance normalization",
    ),
    question="A photograph that is to look like a painting keeps its colors if one matches too little, and loses its houses if "
    "one matches too much. The method of Gatys et al. matches a table of inner products between channels. Why is it called the "
    "style of an image, what can it not see, and which change of the features gives an image another's style at the least cost "
    "in content?",
    setting=(
        "The features of one layer of a network are $C$ channels at $N$ positions: numbers $f_{c,n}$ for the image, $y_{c,m}$ at "
        "$M$ positions for the image with the style.",
        r"$G$ and $A$ are their Gram matrices, $G_{c,d}$ the sum $\frac{1}{CN} \sum_n f_{c,n} f_{d,n}$. The style loss $L$ is "
        r"$\sum_{c,d} (G_{c,d} - A_{c,d})^2$, the content loss of other features $f'$ is $\frac{1}{CN} \sum (f - f')^2$.",
        "The total variation of an image is the sum of the absolute differences of neighbors, in rows and in columns.",
    ),
    limits=(
        "What a network adds: pixels are moved, not features, and several layers count at once.",
        "That texture is the second moments of features, as the method assumes. That images with one Gram matrix differ by an "
        "orthogonal map of the positions, always: both have one polar factor.",
    ),
)

c, d = (derivation.index(name, meaning, states=2) for name, meaning in (("c", "a channel"), ("d", "another channel")))
i, j = (derivation.index(name, "one more channel", states=2) for name in ("i", "j"))
n = derivation.index("n", "a position")
r = derivation.index("r", "another position")
m = derivation.index("m", "a position of the image with the style", states=2)
s = derivation.index("s", "another one", states=2)
C, N = derivation.count(c, "C", "the number of channels"), derivation.count(n, "N", "the number of positions")
M = derivation.count(m, "M", "... of the image with the style")
f = derivation.numbers("f", (c, n), "the features of the image", "features")
y = derivation.numbers("y", (c, m), "the features of the image with the style")
G = derivation.define("G", Total(n, f * f.at(d, n)) / (C * N), "the Gram matrix of the image", "gram_matrix", over=(c, d))
A = derivation.define("A", Total(m, y * y.at(d, m)) / (C * M), "... of the image with the style", "target_gram", over=(c, d))
L = derivation.define("L", Total(c, Total(d, (G - A) ** 2)), "the style loss", "style_loss")


def _maps(columns):
    """Features [C, 4] as a batch of one with 2 x 2 positions."""
    return columns.reshape(1, len(columns), 2, 2)


derivation.bridge(
    "The code's Gram matrix",
    G,
    lambda features: gram_matrix(_maps(features)),
    features=f,
    calls=(gram_matrix,),
    wrong={"not divided by the channels": C * G, "centered": G - Total(n, f) / N * Total(n, f.at(d, n)) / (C * N)},
)
derivation.bridge(
    "The code's style loss",
    L,
    lambda features, target_gram: style_loss(_maps(features), target_gram[None]),
    features=f,
    target_gram=A,
    calls=(style_loss,),
    wrong={"divided once more by the channels": L / C**2, "the diagonal alone": Total(c, (G.at(c, c) - A.at(c, c)) ** 2)},
)

kernels = plus(
    Total(n, Total(r, Inner(c, f, f.at(c, r)) ** 2)) / N**2,
    Total(m, Total(s, Inner(c, y, y.at(c, s)) ** 2)) / M**2,
    -2 * Total(n, Total(m, Inner(c, f, y) ** 2)) / (N * M),
)
distance = derivation.chain(
    "The style loss is a squared distance of second moments of the feature vectors",
    C**2 * L,
    equals(
        Total(c, Total(d, (Total(n, f * f.at(d, n)) / N - Total(m, y * y.at(d, m)) / M) ** 2)),
        "each Gram matrix has the factor $1/C$",
        wrong={"the factor once": Total(c, Total(d, (Total(n, f * f.at(d, n)) / N - Total(m, y * y.at(d, m)) / M) ** 2)) / C},
    ),
    equals(
        kernels,
        prose(
            "expand the square and exchange the sums: {square}",
            square=holds(Total(c, Total(d, f * f.at(d, n) * f.at(c, r) * f.at(d, r))), "=", Inner(c, f, f.at(c, r)) ** 2),
        ),
        wrong={"the cross term once": plus(kernels, Total(n, Total(m, Inner(c, f, y) ** 2)) / (N * M))},
    ),
    so=r"This is a squared maximum mean discrepancy, with the kernel $\langle a, b \rangle^2$ and all pairs of positions. A "
    "position is one sample of the distribution of an image's feature vectors: style is that distribution, as far as the "
    "kernel sees it.",
)
derivation.bridge(
    "The code computes it from points",
    kernels,
    lambda x, y: quadratic_kernel_discrepancy(x.T[None], y.T[None]),
    x=f,
    y=y,
    calls=(quadratic_kernel_discrepancy,),
    wrong={"divided by the channels": L, "the cross term once": plus(kernels, Total(n, Total(m, Inner(c, f, y) ** 2)) / (N * M))},
)

angle = derivation.number(r"\alpha", "the angle of a rotation")
u = derivation.numbers("u", c, "the features of one position")
v = derivation.numbers("v", c, "... of another position")
derivation.chain(
    "Two positions that are rotated into each other leave the Gram matrix alone",
    plus(
        times(cos(angle) * u - sin(angle) * v, cos(angle) * u.at(d) - sin(angle) * v.at(d)),
        times(sin(angle) * u + cos(angle) * v, sin(angle) * u.at(d) + cos(angle) * v.at(d)),
    ),
    equals(
        u * u.at(d) + v * v.at(d),
        prose("the mixed terms cancel, and {one}", one=holds(plus(cos(angle) ** 2, sin(angle) ** 2), "=", 1)),
        wrong={"with twice the mixed terms": u * u.at(d) + v * v.at(d) + u * v.at(d) + v * u.at(d)},
    ),
    so="Every orthogonal map of the positions is a product of such rotations and of changes of sign: so the style is blind not "
    "only to the order of positions, but to all of these maps.",
    role="remark",
)
_RNG = np.random.default_rng(0)
mean = derivation.define(r"\bar f", Total(n, f) / N, "the mean of a channel", over=c)
covariance = Total(n, times(f - mean, f.at(d, n) - mean.at(d))) / N
derivation.chain(
    "A Gram matrix mixes the covariance with the means",
    C * G,
    equals(
        plus(covariance, mean * mean.at(d)),
        prose(r"insert {parts} for $f$; {zero}", parts=plus(f - mean, mean), zero=holds(Total(n, f - mean), "=", 0)),
        wrong={"the covariance alone": covariance, "the means alone": mean * mean.at(d)},
    ),
    so="A channel that is 1 everywhere and one that is 1 or $-1$ at random have the same entry on the diagonal. Of the $CN$ "
    "numbers of the features the Gram matrix keeps $C (C + 1)/2$.",
)

gradient = derivation.define("h", 4 / (C * N) * Total(d, (G - A) * f.at(d, n)), "the gradient of the style loss", over=(c, n))
slopes_of_loss = derivation.chain(
    "The gradient is one linear map of the feature vectors, the same at every position",
    Slope(L, f.at(i, r)),
    equals(
        gradient.at(i, r),
        r"the derivative of $G_{c,d}$ is $\frac{1}{CN} (\delta_{c,i} f_{d,r} + f_{c,r} \delta_{d,i})$, and $G - A$ is symmetric",
        wrong={"2 for 4": gradient.at(i, r) / 2, "without the style": 4 / (C * N) * Total(d, G.at(i, d) * f.at(d, r))},
    ),
    sizes={n: 2, r: 2},
)
derivation.bridge(
    "So does the code's, by automatic differentiation",
    gradient,
    lambda features, target_gram: style_loss(_maps(features), target_gram[None]),
    slope="features",
    features=f,
    target_gram=A,
    calls=(style_loss,),
    wrong={"2 for 4": gradient / 2},
)
E = derivation.numbers("E", (c, d), "a matrix, such as $G - A$")
eta = derivation.number(r"\eta", r"$\frac{4}{CN}$ times the length of a step", positive=True)
moved = derivation.define("f^+", f - eta * Total(d, E * f.at(d, n)), "the features after a linear step", over=(c, n))
derivation.chain(
    "The Gram matrix after a step of descent depends on the features by their Gram matrix alone",
    Total(n, moved * moved.at(d, n)) / (C * N),
    equals(
        Total(i, Total(j, times(KroneckerDelta(c, i) - eta * E.at(c, i), G.at(i, j), KroneckerDelta(d, j) - eta * E.at(d, j)))),
        "take the two maps out of the sum over the positions",
        wrong={"the map on one side": Total(i, (KroneckerDelta(c, i) - eta * E.at(c, i)) * G.at(i, d))},
    ),
    so=r"With $G - A$ in place of $E$ this is $(I - \eta (G - A))\, G\, (I - \eta (G - A))$: descent on features is an iteration "
    r"of $C \times C$ matrices. Its rank never grows: features of a lower rank than the style's do not reach it.",
    role="remark",
)
g = derivation.number("g", "an eigenvalue of $G$, on an eigenvector that $A$ has, too", positive=True)
a = derivation.number("a", "the eigenvalue of $A$", positive=True)
derivation.chain(
    r"A step multiplies a small error of an eigenvalue by $1 - 2 \eta a$",
    Subs(Slope(g * (1 - eta * (g - a)) ** 2, g), g, a),
    equals(
        1 - 2 * eta * a,
        prose(
            "the product rule: the slope is {slope}",
            slope=holds(
                Slope(g * (1 - eta * (g - a)) ** 2, g),
                "=",
                plus((1 - eta * (g - a)) ** 2, -2 * eta * g * (1 - eta * (g - a))),
                named=True,
            ),
        ),
        wrong={"as for a plain quadratic": 1 - eta * a},
    ),
    so=prose(
        r"One fixed point is $a$, where the step gives {fixed}. It attracts if $\eta a$ is below 1, where the slope is above "
        "$-1$. Small eigenvalues of the style take long.",
        fixed=holds(g * (1 - eta * (g - a)) ** 2, "=", a, when={g: a}, named=True),
    ),
    role="remark",
)

derivation.symbol("F", "the features of an image as a matrix, with a column for each position")
derivation.symbol("T", "a symmetric, positive definite matrix of channels")
derivation.say(
    r"Now the cheapest transfer, to features $f'$ with the Gram matrix $B$. Write $T$ as $K K^\top$, where $K$ is triangular and "
    "has the rows $(t_1, 0)$ and $(t_2, t_3)$."
)
t1 = derivation.number("t_1", "the first diagonal entry of $K$", positive=True)
t2 = derivation.number("t_2", "the entry below it")
t3 = derivation.number("t_3", "the second diagonal entry of $K$", positive=True)
other = derivation.numbers("f'", (c, n), "the features after the transfer", "features")
B = derivation.define("B", Total(n, other * other.at(d, n)) / (C * N), "their Gram matrix", over=(c, d))
content = Total(c, Total(n, (f - other) ** 2)) / (C * N)
traces = plus(Total(c, G.at(c, c)), Total(c, B.at(c, c)))
trace_tg = plus(t1**2 * G.at(0, 0), 2 * t1 * t2 * G.at(0, 1), (t2**2 + t3**2) * G.at(1, 1))
trace_tb = plus((1 / t1**2 + t2**2 / (t1 * t3) ** 2) * B.at(0, 0), -2 * t2 / (t1 * t3**2) * B.at(0, 1), B.at(1, 1) / t3**2)
traced = derivation.define(r"\mathrm{tr}(TG)", trace_tg, "the trace of $T G$")
inverse = derivation.define(r"\mathrm{tr}(T^{-1}B)", trace_tb, "the trace of $T^{-1} B$")
first = t1 * f.at(0, n) + t2 * f.at(1, n) - other.at(0, n) / t1
second = t3 * f.at(1, n) - (other.at(1, n) - t2 * other.at(0, n) / t1) / t3
left_out = Total(n, plus(first**2, second**2)) / (C * N)
spun = (t1**2 * f.at(0, n) + t1 * t2 * f.at(1, n), t1 * t2 * f.at(0, n) + (t2**2 + t3**2) * f.at(1, n))
mapped = KroneckerDelta(c, 0) * spun[0] + KroneckerDelta(c, 1) * spun[1]
derivation.answer = prose(
    "The style loss, times {scale}, is a squared distance between two distributions, those of the feature vectors of all "
    "positions, that compares their second moments alone, {distance}: it sees no positions, and no means apart from the "
    "variances. One linear map of the channels, the same at every position, carries an invertible Gram matrix to another at the "
    "least cost in content. For single channels, with their means, this map is adaptive instance normalization.",
    scale=C**2,
    distance=holds(C**2 * L, "=", kernels, named=True),
)
central = derivation.chain(
    "Zero style loss costs at least so much content",
    content,
    equals(
        plus(traces, -2 * Total(c, Total(n, f * other)) / (C * N)), "expand the square", wrong={"independent features": traces}
    ),
    equals(
        plus(traces, -traced, -inverse, left_out),
        r"the squares of $K^\top f - K^{-1} f'$ sum to $\mathrm{tr}(TG) + \mathrm{tr}(T^{-1}B)$ less twice the sum of $f f'$",
        wrong={"the map for its inverse": plus(traces, -2 * traced, left_out)},
    ),
    at_least(
        plus(traces, -traced, -inverse),
        prose("leave out the squares, all zero if and only if $f'$ is $T f$, that is {mapped}", mapped=where(other, mapped)),
        dropping=left_out,
    ),
    sizes={n: 2},
    central=True,
    so=r"The last line knows the two Gram matrices alone. If $B$ is $A$ and $T G T$ is, too, it is $\mathrm{tr}\,G + "
    r"\mathrm{tr}\,A - 2\,\mathrm{tr}(TG)$ and attained: the cheapest transfer is one linear map, the same at every position. It "
    "is the optimal transport between centered Gaussians with these second moments.",
)
derivation.bridge(
    "The code's content loss",
    content,
    lambda features, target: content_loss(_maps(features), _maps(target)),
    features=f,
    target=other,
    calls=(content_loss,),
    wrong={"the sum": C * N * content, "divided by the positions alone": C * content},
)


@derivation.numeric(
    r"T = G^{-1/2} (G^{1/2} A\, G^{1/2})^{1/2} G^{-1/2} \quad\Rightarrow\quad T G T = A, \quad \frac{1}{C N} \|F - T F\|^2 = "
    r"\mathrm{tr}\,G + \mathrm{tr}\,A - 2\,\mathrm{tr}(T G)",
    because=r"With $S$ for the root of $G^{1/2} A\, G^{1/2}$, $T G T$ is $G^{-1/2} S S G^{-1/2}$. Ten random images of three "
    r"channels and $2 \times 3$ positions, by the code.",
    tolerance=1e-10,
    since="roots of matrices whose eigenvalues differ by factors of 1000",
    role="remark",
)
def the_cheapest_map():
    maps, styles = _RNG.standard_normal((2, 10, 3, 2, 3))
    gram, target = np.asarray(gram_matrix(maps)), np.asarray(gram_matrix(styles))
    carrying = carrying_map(gram, target)
    after = np.einsum("bcd,bdhw->bchw", carrying, maps)
    least = np.trace(gram + target - 2 * carrying @ gram, axis1=1, axis2=2)
    found = np.concatenate([np.asarray(gram_matrix(after)).ravel(), content_loss(maps, after)])
    wanted = np.concatenate([target.ravel(), least])
    free = np.concatenate([target.ravel(), 0 * least])
    return Sides(left=found, right=wanted, wrong={"a change of style that costs nothing": free})


w = derivation.law("w", n, "the share of a position, $1/N$ for pixels")
one = derivation.numbers("p", n, "one channel of the image")
new = derivation.numbers("p'", n, "the channel after the transfer")
slope = derivation.number(r"\rho", "the ratio of two standard deviations", positive=True)
gap = (Expectation(w, one) - Expectation(w, new)) ** 2
variances = times(1 - slope, Variance(w, one)), times(1 - 1 / slope, Variance(w, new))
rest = times(slope, Variance(w, one - new / slope))
derivation.chain(
    "With means, channel by channel: adaptive instance normalization",
    Expectation(w, (one - new) ** 2),
    equals(
        plus(gap, *variances, rest),
        "a mean square is the squared mean and the variance; the last variance has the same covariance",
        wrong={"the means forgotten": plus(*variances, rest)},
    ),
    at_least(plus(gap, *variances), r"leave out the last variance, zero if and only if $p' - \rho p$ is constant", dropping=rest),
    role="remark",
    so=r"With the mean and the variance of the style for $p'$, and $\rho$ the ratio of its standard deviation to the image's, "
    r"the last line is attained by $\rho\, (p - \mathbb{E} p) + \mathbb{E} p'$. It matches no product of two channels, as $T$ "
    "does.",
)

q = derivation.numbers("q", (i, n), "the pixels of an image of two rows", "x")
derivation.bridge(
    "The code's total variation, of two rows of three pixels",
    plus(Total(n, Abs(q.at(1, n) - q.at(0, n))), Total(i, plus(Abs(q.at(i, 1) - q.at(i, 0)), Abs(q.at(i, 2) - q.at(i, 1))))),
    lambda x: total_variation(x[None, None]),
    x=q,
    sizes={n: 3},
    calls=(total_variation,),
    wrong={"the columns alone": Total(n, Abs(q.at(1, n) - q.at(0, n)))},
)


derivation.symbol("x", "an image of one channel")
derivation.symbol("k", "a threshold")
derivation.symbol(r"\mathrm{TV}", "the total variation", "total_variation")
step = derivation.numbers("b", n, "the differences of neighbors in a row")
spread = Total(n, Total(r, (step - step.at(r)) ** 2)) / (2 * N)
derivation.chain(
    "With squares a ramp is cheaper than a step",
    Total(n, step**2),
    equals(
        plus(Total(n, step) ** 2 / N, spread),
        "Lagrange's identity",
        wrong={"every pair twice": plus(Total(n, step) ** 2 / N, 2 * spread)},
    ),
    at_least(Total(n, step) ** 2 / N, "leave out squares, all zero if and only if all differences are equal", dropping=spread),
    so="Between the same ends a ramp of $N$ differences costs an $N$-th of a step: squares blur edges. In absolute values both "
    "cost the difference of their ends (example), and all that is not monotone costs more.",
    role="remark",
)


@derivation.exact(
    r"\mathrm{TV}(x) = \sum_k (\text{number of neighbors that } x > k \text{ separates})",
    because=r"$|x - x'|$ counts the thresholds between the two. All images of $2 \times 2$ pixels with the values 0, 1, 2, and "
    r"the thresholds 0 and 1. Lengths are measured along the axes: a diagonal edge counts $\sqrt 2$ times its length.",
    outcomes=81,
    role="remark",
)
def lengths_of_edges():
    images = np.array(list(itertools.product(range(3), repeat=4)), float).reshape(81, 1, 2, 2)
    lengths = 0
    for threshold in (0, 1):
        over = images[:, 0] > threshold
        lengths = lengths + (over[:, 0] != over[:, 1]).sum(1) + (over[:, :, 0] != over[:, :, 1]).sum(1)
    return Sides(left=total_variation(images), right=lengths, wrong={"the columns alone": lengths // 2})


_IMAGE, _STYLE = jnp.array([[[[1.0, 0.0]], [[0.0, 2.0]]]]), jnp.array([[[[2.0, 0.0]], [[0.0, 1.0]]]])


def _points(maps):
    return jnp.swapaxes(maps.reshape(*maps.shape[:2], -1), 1, 2)


@derivation.algorithm(
    "Style transfer by descent",
    do(
        r"$G \leftarrow$ Gram matrices of the image's features in several layers, $A$ those of the style",
        gram_matrix,
        by=distance,
    ),
    do("repeat, from the content image or from noise:"),
    do(
        r"add up the style losses of all layers and $\lambda$ times the content loss",
        style_loss,
        content_loss,
        by=central,
        indent=1,
    ),
    do("... and a little of the total variation of the pixels", total_variation, indent=1),
    do("step the pixels down the gradient of the sum, through the network", by=slopes_of_loss, indent=1),
)
def two_steps():
    target, features = gram_matrix(_STYLE), _IMAGE

    def loss(features):
        return (style_loss(features, target) + content_loss(features, _IMAGE) + total_variation(features) / 100)[0]

    start = r"\text{the example, } \lambda = 1, \text{ total variation } \tfrac1{100}: \quad "
    for stated, moved in (("1.155", "1.185, 0.0025, 0.0025, 1.6225"), ("0.6599", "1.3516, 0.0044, 0.0039, 1.5016")):
        yield start + r"\text{loss}", loss(features), stated
        features = features - jax.grad(loss)(features) / 4
        yield r"f", features.ravel(), moved
        start = ""
    yield r"\text{diagonal of } G", jnp.diag(gram_matrix(features)[0]), "0.4567, 0.5637"


@derivation.example(
    "Two channels at two positions: $f$ has the vectors $(1, 0)$ and $(0, 2)$, $y$ has $(2, 0)$ and $(0, 1)$. Last, the total "
    "variation of a ramp, a step and a zigzag, and the sums of squares."
)
def two_positions():
    gram, target = gram_matrix(_IMAGE), gram_matrix(_STYLE)
    yield r"\text{the diagonal of } G", jnp.diag(gram[0]), "(1/4, 1)"
    yield r"\text{the diagonal of } A", jnp.diag(target[0]), "(1, 1/4)"
    yield "L", style_loss(_IMAGE, target), "9/8"
    yield r"\mathrm{MMD}^2 = C^2 L", quadratic_kernel_discrepancy(_points(_IMAGE), _points(_STYLE)), "9/2"
    slopes = jax.grad(lambda maps: style_loss(maps, target).sum())(_IMAGE)
    yield r"\text{the gradient at the first channel, and at the second}", slopes.reshape(2, 2), "(-3/4, 0), (0, 3/2)"
    carrying = carrying_map(np.asarray(gram[0]), np.asarray(target[0]))
    yield r"\text{the diagonal of } T", np.diag(carrying), "(2, 1/2)"
    after = jnp.einsum("cd,bdhw->bchw", carrying, _IMAGE)
    yield r"\text{the content loss of } T f", content_loss(_IMAGE, after), "1/2"
    rows = jnp.array([[0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 3.0, 3.0], [0.0, 3.0, 0.0, 3.0]])
    yield r"\mathrm{TV}", total_variation(rows[:, None, None]), "(3, 3, 9)"
    yield r"\text{sums of squares}", jnp.sum(jnp.diff(rows, axis=1) ** 2, axis=1), "(3, 9, 27)"


@derivation.figure(
    "Left: the feature vectors of an image and of a style, each with the ellipse of its second moments; lines lead from each "
    "vector to where the cheapest map carries it. Right: an eigenvalue of the Gram matrix against the number of steps of "
    r"descent, from $\frac14$ to the style's 1, for three lengths $\eta$ of the step; with 1.1 it does not settle.",
    panels=2,
)
def clouds_and_steps(cloud, steps):
    draw_clouds(cloud, steps)
