"""Kernel distances: which differences they see, and an estimate without bias.

The lecture on the functions of theory_jax/evaluation/kernel_distance.py.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, oo

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, SquaredNorm, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.kernel_distance import (
    biased_discrepancy,
    gaussian_kernel,
    kernel_inception_distance,
    polynomial_kernel,
    unbiased_discrepancy,
)

derivation = Derivation(
    module=__name__,
    title="Kernel distances: which differences they see, and an estimate without bias",
    lectures=(14,),
    sources=(
        "Gretton, Borgwardt, Rasch, Schoelkopf & Smola 2012, A kernel two-sample test",
        "Binkowski, Sutherland, Arbel & Gretton 2018, Demystifying MMD GANs",
        "Sriperumbudur et al. 2010, Hilbert space embeddings and metrics on probability measures",
    ),
    question="A Frechet distance of features is zero for different distributions with the same mean and covariance, and its "
    "estimate from a sample is too large on average. Is there a distance of distributions that can see more, and that a sample "
    "estimates without bias?",
    setting=(
        r"A kernel is an inner product of features, $k(x, y) = \sum_d \phi_d(x)\, \phi_d(y)$. Two distributions $p$ and $q$ "
        "are given, under which the features have second moments; here they live on finitely many points.",
        r"$x, x'$ are drawn from $p$, and $y, y'$ from $q$, all independently.",
    ),
    limits=(
        "The variance of the estimate, and the power of a test that uses it.",
        "In several dimensions the cubic kernel sees all mixed moments up to the third: the same proof, said and not shown.",
    ),
    trained="A measure of samples, not a model. Experiments with images or points report it.",
)

x = derivation.index("x", "a point")
y = derivation.index("y", "another point")
d = derivation.index("d", "a feature", states=2)
p = derivation.law("p", x, "the first distribution")
q = derivation.law("q", x, "the second distribution")
phi = derivation.numbers(r"\phi", (d, x), "the features of a point")
k = derivation.define("k({},{})", Total(d, phi * phi.at(d, y)), "the kernel", "polynomial_kernel, gaussian_kernel", over=(x, y))
distance = derivation.define(
    r"\mathrm{MMD}^2", SquaredNorm(d, Expectation(p, phi) - Expectation(q, phi)), "the squared distance of the mean features"
)
pairs = plus(
    Expectation(p, Expectation(p.at(y), k)), Expectation(q, Expectation(q.at(y), k)), -2 * Expectation(p, Expectation(q.at(y), k))
)
derivation.answer = prose(
    r"The squared distance of the mean features, $\mathrm{MMD}^2$, is {pairs}: it needs the kernel only. It sees what the "
    "features see: the cubic kernel three moments, a Gaussian every difference of distributions. Means over pairs of different "
    "points estimate it without bias; with the diagonals the estimate is never negative, and in expectation too large.",
    pairs=holds(
        distance,
        "=",
        pairs,
        named=True,
        wrong={"the same point twice": pairs + Expectation(p, k.at(x, x)) - Expectation(p, Expectation(p.at(y), k))},
    ),
)
derivation.chain(
    "The distance of mean features needs the kernel only",
    distance,
    equals(
        Total(d, plus(Expectation(p, phi) ** 2, Expectation(q, phi) ** 2, -2 * Expectation(p, phi) * Expectation(q, phi))),
        prose("expand the square; {norm}", norm=holds(distance, "=", Total(d, (Expectation(p, phi) - Expectation(q, phi)) ** 2))),
        wrong={
            "the cross term once": Total(
                d, plus(Expectation(p, phi) ** 2, Expectation(q, phi) ** 2, -Expectation(p, phi) * Expectation(q, phi))
            )
        },
    ),
    equals(
        pairs,
        prose(
            "a product of expectations is one over independent pairs, {product}; exchange the sums",
            product=holds(
                Total(d, times(Expectation(p, phi), Expectation(q, phi))), "=", Expectation(p, Expectation(q.at(y), k))
            ),
        ),
        wrong={
            "the same point twice": plus(
                Expectation(p, k.at(x, x)), Expectation(q, k.at(x, x)), -2 * Expectation(p, Expectation(q.at(y), k))
            ),
            "the cross term once": plus(
                Expectation(p, Expectation(p.at(y), k)),
                Expectation(q, Expectation(q.at(y), k)),
                -Expectation(p, Expectation(q.at(y), k)),
            ),
        },
    ),
    central=True,
    so="So the features may be infinitely many: they are never computed.",
)
multiple = derivation.number("m", "any number")
e = derivation.index("j", "another feature", states=2)
v = derivation.numbers("v", d, "a direction among the features")
Delta = derivation.define(r"\Delta", Expectation(p, phi) - Expectation(q, phi), "the difference of the means", over=d)
witness = Total(d, times(v, phi))
derivation.chain(
    "It is the largest difference of means that a function of length 1 has",
    Total(d, v * Delta) ** 2,
    equals(
        plus(times(SquaredNorm(d, v), SquaredNorm(d, Delta)), -Total(d, Total(e, (v * Delta.at(e) - v.at(e) * Delta) ** 2)) / 2),
        "Lagrange's identity",
    ),
    at_most(
        times(SquaredNorm(d, v), SquaredNorm(d, Delta)),
        prose(
            r"leave out the squares; equality where $v$ is a multiple of $\Delta$, {multiple}",
            multiple=where(v, times(multiple, Delta)),
        ),
        adding=Total(d, Total(e, (v * Delta.at(e) - v.at(e) * Delta) ** 2)) / 2,
    ),
    so=prose(
        "The left side is the squared difference of the means of the function {function}, {left}: hence the name, maximum mean "
        "discrepancy.",
        function=witness,
        left=holds((Expectation(p, witness) - Expectation(q, witness)) ** 2, "=", Total(d, v * Delta) ** 2),
    ),
)

derivation.say("Which differences does a kernel see? First the cubic one, in one dimension.")
a = derivation.numbers("a", x, "the position of a point")
moment = [
    derivation.define(rf"\delta_{j}", Expectation(p, a**j) - Expectation(q, a**j), f"the difference of the moments of order {j}")
    for j in (1, 2, 3)
]
ab = times(a, a.at(y))
cubic = derivation.define("c({},{})", (a * a.at(y) + 1) ** 3, "the cubic kernel", "polynomial_kernel", over=(x, y))
cubic_moments = derivation.chain(
    "The cubic kernel sees three moments",
    plus(
        Expectation(p, Expectation(p.at(y), cubic)),
        Expectation(q, Expectation(q.at(y), cubic)),
        -2 * Expectation(p, Expectation(q.at(y), cubic)),
    ),
    equals(
        plus(3 * moment[0] ** 2, 3 * moment[1] ** 2, moment[2] ** 2),
        prose(
            r"{cube}: the features of a position $a$ are $1, \sqrt3 a, \sqrt3 a^2, a^3$",
            cube=holds(cubic, "=", plus(1, 3 * ab, 3 * ab**2, ab**3), wrong={"no binomials": plus(1, ab, ab**2, ab**3)}),
        ),
        wrong={"every moment once": plus(moment[0] ** 2, moment[1] ** 2, moment[2] ** 2)},
    ),
    so="Distributions with three equal moments have no distance (exercise 2). Of the moments that it sees, the weights depend "
    "on the scale of the features, so features must not be scaled anew for every model.",
)
h = derivation.number("h", "the bandwidth", "bandwidth", positive=True)
c = derivation.number("c", "the distance of two points", positive=True)
r = derivation.number("r", "the probability of the second point under the first distribution", between=(0, 1))
s = derivation.number("s", "... and under the second distribution", between=(0, 1))
of_two = derivation.define(
    "G",
    plus(((1 - r) - (1 - s)) ** 2, (r - s) ** 2, 2 * ((1 - r) - (1 - s)) * (r - s) * exp(-(c**2) / (2 * h**2))),
    r"$\mathrm{MMD}^2$ of two distributions on two points, with a Gaussian kernel",
    "gaussian_kernel",
)
derivation.chain(
    "A Gaussian kernel on two points",
    of_two,
    equals(
        times(2 * (r - s) ** 2, 1 - exp(-(c**2) / (2 * h**2))),
        "the kernel of a point with itself is 1, and what one distribution has more at the second point it lacks at the first",
    ),
    role="lemma",
    so=prose(
        "At every bandwidth {factor}, so it is zero only if {same}, where {zero}.",
        factor=holds(1 - exp(-(c**2) / (2 * h**2)), ">", 0),
        same=where(r, s),
        zero=holds(of_two, "=", 0),
    ),
)
derivation.chain(
    "A wide Gaussian sees the means alone",
    Limit(h**2 * of_two, h, oo),
    equals(
        (c * (r - s)) ** 2,
        prose(
            "{limit}; the means differ by {means}",
            limit=holds(Limit(h**2 * (1 - exp(-(c**2) / (2 * h**2))), h, oo), "=", c**2 / 2),
            means=holds(plus(times(r, c), -times(s, c)), "=", times(c, r - s), named=True),
        ),
    ),
)

derivation.say("Now the estimates. Two points are drawn from each distribution; more points add more pairs of the same kind.")
x1, x2 = derivation.index("x_1", "the first of two draws"), derivation.index("x_2", "the second")
y1, y2 = derivation.index("y_1", "the first draw of the other distribution"), derivation.index("y_2", "its second")


def _drawn(body):
    """Its expectation over two draws from each distribution."""
    return Expectation(p.at(x1), Expectation(p.at(x2), Expectation(q.at(y1), Expectation(q.at(y2), body))))


cross = (k.at(x1, y1) + k.at(x1, y2) + k.at(x2, y1) + k.at(x2, y2)) / 4
U = derivation.define(
    "U({},{},{},{})",
    k.at(x1, x2) + k.at(y1, y2) - 2 * cross,
    "the estimate from pairs of different points",
    "unbiased_discrepancy",
    over=(x1, x2, y1, y2),
)
V = derivation.define(
    "V({},{},{},{})",
    (k.at(x1, x1) + k.at(x2, x2) + 2 * k.at(x1, x2) + k.at(y1, y1) + k.at(y2, y2) + 2 * k.at(y1, y2)) / 4 - 2 * cross,
    "... from all pairs",
    "biased_discrepancy",
    over=(x1, x2, y1, y2),
)
unbiased = derivation.chain(
    "Pairs of different points have no bias",
    _drawn(U),
    equals(pairs, "the draws are independent", wrong={"the cross term once": pairs + Expectation(p, Expectation(q.at(y), k))}),
    equals(distance, "the central result"),
    states=2,
    so="An estimate that is never negative could not do this where the distributions are equal, unless it were always zero. So "
    "this one must be negative sometimes, and a negative value is no error.",
)
derivation.chain(
    "All pairs have one, the scatter of the features by the number of draws",
    _drawn(V),
    equals(
        plus(distance, Total(d, Variance(p, phi)) / 2, Total(d, Variance(q, phi)) / 2),
        prose(
            "a point with itself has more, {more}, in half of the pairs",
            more=holds(
                plus(Expectation(p, k.at(x, x)), -Expectation(p, Expectation(p.at(y), k))), "=", Total(d, Variance(p, phi))
            ),
        ),
        wrong={"not divided by the number": plus(distance, Total(d, Variance(p, phi)), Total(d, Variance(q, phi)))},
    ),
    at_least(
        distance,
        prose(
            "leave out the variances; equality if and only if no feature varies, as where all points have the same, {same}",
            same=where(phi, phi.at(d, 0)),
        ),
        dropping=plus(Total(d, Variance(p, phi)) / 2, Total(d, Variance(q, phi)) / 2),
    ),
    states=2,
)
derivation.chain(
    "... but they are never negative",
    V,
    equals(
        SquaredNorm(d, (phi.at(d, x1) + phi.at(d, x2)) / 2 - (phi.at(d, y1) + phi.at(d, y2)) / 2),
        "the central result, with the distributions of the samples",
    ),
    at_least(
        0, "leave out squares", dropping=SquaredNorm(d, (phi.at(d, x1) + phi.at(d, x2)) / 2 - (phi.at(d, y1) + phi.at(d, y2)) / 2)
    ),
    states=2,
)
f, g = derivation.numbers("f", (x, d), "features of a first sample"), derivation.numbers("g", (x, d), "... and of a second")
D, N = derivation.count(d, "D", "the number of features"), derivation.count(x, "N", "the number of points of each sample")
inner = Total(d, f * g.at(y, d))
points, other_points = [f.at(place, d) for place in range(4)], [g.at(place, d) for place in range(4)]
derivation.bridge("The code computes the cubic kernel", (inner / D + 1) ** 3, polynomial_kernel, x=points, y=other_points)
derivation.bridge(
    "... the Gaussian kernel, with bandwidth 2",
    exp(-SquaredNorm(d, f - g.at(y, d)) / 8),
    gaussian_kernel,
    x=points,
    y=other_points,
    bandwidth=2.0,
    wrong={"no half, or bandwidth not squared": exp(-SquaredNorm(d, f - g.at(y, d)) / 4)},
)
K_x, K_y, K = (
    derivation.numbers(name, (x, y), f"a kernel matrix, {of}")
    for name, of in ((r"k^x", "of the first sample"), (r"k^y", "of the second"), (r"k^{xy}", "of both"))
)
trace_x, trace_y = Total(x, K_x.at(x, x)), Total(x, K_y.at(x, x))
all_x, all_y, mixed = (Total(x, Total(y, part)) for part in (K_x, K_y, K))
derivation.bridge(
    "... the estimate from all pairs",
    (all_x + all_y - 2 * mixed) / N**2,
    biased_discrepancy,
    kernel_xx=K_x,
    kernel_yy=K_y,
    kernel_xy=K,
    wrong={"the cross term once": (all_x + all_y - mixed) / N**2},
)
derivation.bridge(
    "... and that from pairs of different points",
    (all_x - trace_x + all_y - trace_y) / (N * (N - 1)) - 2 * mixed / N**2,
    unbiased_discrepancy,
    kernel_xx=K_x,
    kernel_yy=K_y,
    kernel_xy=K,
    wrong={"with the diagonals": (all_x + all_y - 2 * mixed) / N**2},
)

_X, _Y = jnp.array([[0.0], [2.0]]), jnp.array([[1.0], [1.0]])


def _cubic_kernels(x, y):
    return polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)


@derivation.algorithm(
    "The kernel distance of two sets of images (KID)",
    do("compute the features of the images, of length $D$, by one network for every model"),
    do("for each of several subsets of $N$ images of both sets:"),
    do(
        r"$k(a, b) \leftarrow (a^\top b / D + 1)^3$, within both subsets and between them",
        polynomial_kernel,
        by=cubic_moments,
        indent=1,
    ),
    do(
        r"$U \leftarrow$ the mean of $k$ over pairs of different points of each, less twice that between them",
        unbiased_discrepancy,
        by=unbiased,
        indent=1,
    ),
    do("report the mean and the deviation of the $U$", kernel_inception_distance, by=unbiased),
)
def two_subsets():
    x, y = jnp.array([[0.0], [2.0], [1.0]]), jnp.array([[1.0], [1.0], [-1.0]])
    yield r"\text{features of the two sets}", (*x[:, 0], *y[:, 0]), "(0, 2, 1) and (1, 1, -1)"
    subsets = jnp.array([[0, 1], [1, 2]])
    for name, subset, inside, stated in zip(("first", "last"), subsets, ("(1, 8)", "(27, 0)"), ("-19", "10"), strict=True):
        a, b = x[subset], y[subset]
        within = polynomial_kernel(a, a), polynomial_kernel(b, b)
        yield rf"\text{{the {name} two of each: }} k \text{{ within}}", (within[0][0, 1], within[1][0, 1]), inside
        yield r"U", unbiased_discrepancy(*within, polynomial_kernel(a, b)), stated
    found = kernel_inception_distance(x, y, subsets, subsets)
    yield r"\mathrm{KID}, \text{ and the deviation}", (found.mean(), found.std()), "(-4.5, 14.5)"


@derivation.example(
    r"Two distributions on $\{0, 1\}$, $p = (\frac12, \frac12)$ and $q = (\frac14, \frac34)$, and the cubic kernel: all three "
    r"moments differ by $-\frac14$. Then two samples of two points, $\{0, 2\}$ and $\{1, 1\}$."
)
def two_laws_and_two_samples():
    kernel, weights = polynomial_kernel(jnp.array([[0.0], [1.0]]), jnp.array([[0.0], [1.0]])), jnp.array([0.25, -0.25])
    yield r"\mathrm{MMD}^2 = \frac{3 + 3 + 1}{16}", weights @ kernel @ weights, "0.4375"
    yield r"U = 1 + 8 - 2 \cdot 14", unbiased_discrepancy(*_cubic_kernels(_X, _Y)), "-19"
    yield r"V = 32 + 8 - 2 \cdot 14", biased_discrepancy(*_cubic_kernels(_X, _Y)), "12"
    moments = np.array([0.0, 2.0**2 / 2 - 1, 2.0**3 / 2 - 1])
    yield r"3 \cdot 0^2 + 3 \cdot 1^2 + 3^2", np.array([3, 3, 1]) @ moments**2, "12"
    every = jnp.array([[0, 1]])
    yield r"\mathrm{KID} \text{ of one subset}", kernel_inception_distance(_X, _Y, every, every), "-19"


@derivation.figure(
    "Left: 1000 pairs of samples of ten points each from one standard Gaussian, with a Gaussian kernel. The estimate from pairs "
    "of different points has the mean 0; that with the diagonals has not. Right: the Gaussian kernel's distance of a coin on "
    r"$\pm 1$ and of $\{-\sqrt3, 0, \sqrt3\}$ with $(\frac16, \frac23, \frac16)$, which agree in three moments. A wide kernel "
    "does not see it.",
    panels=2,
)
def the_bias_and_the_bandwidth(estimates, bandwidths):
    samples = np.random.default_rng(0).standard_normal((2, 1000, 10, 1))
    kernels = [
        jax.vmap(partial(gaussian_kernel, bandwidth=1.0))(*pair)
        for pair in ((samples[0], samples[0]), (samples[1], samples[1]), (samples[0], samples[1]))
    ]
    bins = np.linspace(-0.2, 0.6, 33)
    for function, label in ((unbiased_discrepancy, "different points"), (biased_discrepancy, "all pairs")):
        found = np.asarray(jax.vmap(function)(*kernels))
        estimates.hist(found, bins, alpha=0.6, label=f"{label}, mean {found.mean():.3f}")
    estimates.axvline(0, color="black", linewidth=1)
    estimates.set(xlabel="estimate", ylabel="samples", ylim=(0, 330))
    estimates.legend()
    points = np.array([[-1.0], [1.0], [-np.sqrt(3)], [0.0], [np.sqrt(3)]])
    weights = np.array([1 / 2, 1 / 2, -1 / 6, -2 / 3, -1 / 6])
    widths = np.logspace(-1, 1.2, 25)
    kernel = [gaussian_kernel(points, points, bandwidth=float(width)) for width in widths]
    bandwidths.semilogx(widths, [weights @ k @ weights for k in kernel])
    bandwidths.set(xlabel="bandwidth, $h$", ylabel=r"$\mathrm{MMD}^2$")
