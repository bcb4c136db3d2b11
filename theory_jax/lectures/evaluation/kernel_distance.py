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
from theory_jax.derivation.notation import Expectation, Limit, Normal, SquaredNorm, Total, Variance, plus, times
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
        prose(
            r"A kernel is an inner product of features, $k(x, y) = \sum_d \phi_d(x)\, \phi_d(y)$. Two distributions $p$ and $q$ "
            "are given, under which the features have second moments; here they live on finitely many points. In a mean of $k$ "
            "the two points are drawn independently, the first as the outer expectation says, the second as the inner one does.",
            said=(r"k(x, y) = \sum_d \phi_d(x)\, \phi_d(y)",),
        ),
    ),
    limits=(
        "The variance of the estimate, and the power of a test that uses it.",
        "In several dimensions the cubic kernel sees all mixed moments up to the third, and for all distributions, not only on "
        "finitely many points, a Gaussian kernel sees every difference: said and not shown.",
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
    r"Compare the means of features. The squared distance of the two means, $\mathrm{MMD}^2$, is {pairs}: the mean of the "
    "kernel within the one distribution, plus that within the other, less twice that between them. It sees what the features "
    "see: in one dimension the cubic kernel three moments, a Gaussian kernel every difference. Means over pairs of different "
    "points estimate it without bias, and may be negative; if points are also paired with themselves, the estimate is never "
    "negative, and too large in expectation wherever the features vary.",
    pairs=holds(
        distance,
        "=",
        pairs,
        named=True,
        wrong={"the same point twice": pairs + Expectation(p, k.at(x, x)) - Expectation(p, Expectation(p.at(y), k))},
    ),
)
derivation.chain(
    "The squared distance of mean features needs the kernel only",
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
    so="The features are never computed, so they may be infinitely many, as those of a Gaussian kernel are.",
)
multiple = derivation.number("m", "any number")
e = derivation.index("j", "another feature", states=2)
v = derivation.numbers("v", d, "a direction among the features")
Delta = derivation.define(r"\Delta", Expectation(p, phi) - Expectation(q, phi), "the difference of the means", over=d)
witness = Total(d, times(v, phi))
derivation.chain(
    "The squared distance is the largest squared difference of means of a function of length 1",
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
        "The left side is the squared difference of the means of the function {function}, whose length is that of $v$: {left}. "
        "Hence the name, maximum mean discrepancy.",
        function=witness,
        left=holds((Expectation(p, witness) - Expectation(q, witness)) ** 2, "=", Total(d, v * Delta) ** 2),
    ),
    role="remark",
)

derivation.say("Which differences does a kernel see? Those that its features see. First the cubic kernel, in one dimension.")
a = derivation.numbers("a", x, "the position of a point, another one for every point")
moment = [
    derivation.define(rf"\delta_{j}", Expectation(p, a**j) - Expectation(q, a**j), f"the difference of the moments of order {j}")
    for j in (1, 2, 3)
]
ab = times(a, a.at(y))
cubic = derivation.define("k_3({},{})", (a * a.at(y) + 1) ** 3, "the cubic kernel", "polynomial_kernel", over=(x, y))
cubic_moments = derivation.chain(
    "In one dimension the cubic kernel sees three moments, and nothing else",
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
    so="Different distributions with three equal moments have the distance 0 (exercise 2). How much each moment counts "
    "depends on the scale of the features, so features must not be scaled anew for every model (exercise 4).",
)
h = derivation.number("h", "the bandwidth", "bandwidth", positive=True)
u = derivation.number("u", "the center of a bump")
gaussian = derivation.define(
    "k_h({},{})", exp(-((a - a.at(y)) ** 2) / (2 * h**2)), "the Gaussian kernel", "gaussian_kernel", over=(x, y)
)
bump = derivation.define(
    "b({})", exp((2 * u * a - a**2) / h**2), "a bump of the position around $u$, times $e^{u^2/h^2}$", over=x
)
derivation.chain(
    "A Gaussian kernel sees every difference of distributions on finitely many positions of the line",
    plus(
        Expectation(p, Expectation(p.at(y), gaussian)),
        Expectation(q, Expectation(q.at(y), gaussian)),
        -2 * Expectation(p, Expectation(q.at(y), gaussian)),
    ),
    equals(
        Expectation(Normal(u, 0, h**2 / 4), (Expectation(p, bump) - Expectation(q, bump)) ** 2),
        prose(
            "{product}: the kernel is an inner product of bumps, one for every real $u$; then the central result, backward",
            product=holds(
                gaussian,
                "=",
                Expectation(Normal(u, 0, h**2 / 4), times(bump, bump.at(y))),
                wrong={"bumps too wide": Expectation(Normal(u, 0, h**2), times(bump, bump.at(y)))},
            ),
        ),
        wrong={
            "the mean of one bump": (
                Expectation(Normal(u, 0, h**2 / 4), Expectation(p, bump))
                - Expectation(Normal(u, 0, h**2 / 4), Expectation(q, bump))
            )
            ** 2
        },
    ),
    so=prose(
        "It is zero only if both distributions have the same mean of every bump. The difference of these means is, as a function "
        "of $u$, a sum of exponentials, one for each position, with the weights {weight}. For large $u$ the one with the largest "
        "position outweighs the others, so its weight is zero; then the next one, and so on. So $p$ and $q$ agree at every "
        "point, whatever the bandwidth is.",
        weight=times(plus(p, -q), exp(-(a**2) / h**2)),
    ),
)
derivation.chain(
    "A very wide Gaussian kernel sees the means alone, in the leading order",
    Limit(
        h**2
        * plus(
            Expectation(p, Expectation(p.at(y), gaussian)),
            Expectation(q, Expectation(q.at(y), gaussian)),
            -2 * Expectation(p, Expectation(q.at(y), gaussian)),
        ),
        h,
        oo,
    ),
    equals(
        -Total(x, Total(y, (p - q) * (p.at(y) - q.at(y)) * (a - a.at(y)) ** 2)) / 2,
        prose(
            "the weights {weight} sum to zero, so 1 may be taken off the kernel: {limit}",
            weight=p - q,
            limit=holds(Limit(h**2 * (gaussian - 1), h, oo), "=", -((a - a.at(y)) ** 2) / 2),
        ),
        wrong={"no half": -Total(x, Total(y, (p - q) * (p.at(y) - q.at(y)) * (a - a.at(y)) ** 2))},
    ),
    equals(
        moment[0] ** 2,
        "expand the square of the distance: the squares of the positions meet weights that sum to zero, the product is left",
        wrong={"the second moments": moment[1]},
    ),
    role="remark",
)

derivation.say(
    "Now the estimates, from points that are drawn independently. Two points of each distribution are enough to see the bias; "
    "more points add more pairs of the same kind."
)
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
    "Pairs of different points estimate the squared distance without bias",
    _drawn(U),
    equals(pairs, "the draws are independent", wrong={"the cross term once": pairs + Expectation(p, Expectation(q.at(y), k))}),
    equals(distance, "the central result"),
    states=2,
    so="An estimate that is never negative could not do this where the distributions are equal, unless it were always zero. So "
    "this one must be negative sometimes, and a negative value is no error.",
)
derivation.chain(
    "The estimate from all pairs is too large by the variances of the features, divided by the number of draws",
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
    role="remark",
)
derivation.chain(
    "The estimate from all pairs is never negative",
    V,
    equals(
        SquaredNorm(d, (phi.at(d, x1) + phi.at(d, x2)) / 2 - (phi.at(d, y1) + phi.at(d, y2)) / 2),
        "the central result, with the distributions of the samples",
    ),
    at_least(
        0, "leave out squares", dropping=SquaredNorm(d, (phi.at(d, x1) + phi.at(d, x2)) / 2 - (phi.at(d, y1) + phi.at(d, y2)) / 2)
    ),
    states=2,
    role="remark",
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
        r"$k(f, g) \leftarrow (f^\top g / D + 1)^3$, within both subsets and between them",
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
    r"Two distributions on $\{0, 1\}$, $(\frac12, \frac12)$ and $(\frac14, \frac34)$, and the cubic kernel: all three "
    r"moments differ by $-\frac14$. Then the means of both estimates over all 16 pairs of samples of two points, and two other "
    r"samples, $\{0, 2\}$ and $\{1, 1\}$."
)
def two_laws_and_two_samples():
    kernel, weights = polynomial_kernel(jnp.array([[0.0], [1.0]]), jnp.array([[0.0], [1.0]])), jnp.array([0.25, -0.25])
    yield r"\mathrm{MMD}^2 = \frac{3 + 3 + 1}{16}", weights @ kernel @ weights, "0.4375"
    first, second = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    for letter, estimate, stated in (("U", unbiased_discrepancy, "0.4375"), ("V", biased_discrepancy, "1.96875")):
        mean = sum(
            first[list(ones)].prod()
            * second[list(others)].prod()
            * estimate(
                *(kernel[jnp.ix_(jnp.array(m), jnp.array(n))] for m, n in ((ones, ones), (others, others), (ones, others)))
            )
            for ones in np.ndindex(2, 2)
            for others in np.ndindex(2, 2)
        )
        yield rf"\text{{the mean of }} {letter}", mean, stated
    yield r"\{0, 2\}, \{1, 1\}: \quad U = 1 + 8 - 2 \cdot 14", unbiased_discrepancy(*_cubic_kernels(_X, _Y)), "-19"
    yield r"V = 32 + 8 - 2 \cdot 14", biased_discrepancy(*_cubic_kernels(_X, _Y)), "12"
    moments = np.array([0.0, 2.0**2 / 2 - 1, 2.0**3 / 2 - 1])
    yield r"3 \cdot 0^2 + 3 \cdot 1^2 + 3^2", np.array([3, 3, 1]) @ moments**2, "12"
    every = jnp.array([[0, 1]])
    yield r"\mathrm{KID} \text{ of one subset}", kernel_inception_distance(_X, _Y, every, every), "-19"


@derivation.figure(
    "Left: 1000 pairs of samples of ten points each from one standard Gaussian, with a Gaussian kernel. The estimate from pairs "
    "of different points has the expectation 0; that from all pairs has not. Right: the Gaussian kernel's distance of a coin on "
    r"$\pm 1$ and of $\{-\sqrt3, 0, \sqrt3\}$ with $(\frac16, \frac23, \frac16)$, which agree in three moments. A wide kernel "
    "hardly sees it.",
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
