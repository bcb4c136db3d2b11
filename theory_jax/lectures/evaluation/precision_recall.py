"""Precision and recall, density and coverage: counts of points in balls.

The lecture on the functions of theory_jax/evaluation/precision_recall.py.
"""

from functools import partial
from itertools import combinations
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Max, Min, Rational, oo, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Product, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.precision_recall import (
    density_and_coverage,
    inside_manifold,
    nearest_neighbor_radii,
    precision_and_recall,
)
from theory_jax.lectures.evaluation._precision_recall import draw_outlier_and_spread

derivation = Derivation(
    module=__name__,
    title="Precision and recall, density and coverage: counts of points in balls",
    lectures=(14,),
    sources=(
        "Kynkaanniemi, Karras, Laine, Lehtinen & Aila 2019, Improved precision and recall metric for assessing generative models",
        "Naeem, Oh, Uh, Choi & Yoo 2020, Reliable fidelity and diversity metrics for generative models",
        "Sajjadi, Bachem, Lucic, Bousquet & Gelly 2018, Assessing generative models via precision and recall",
    ),
    question="One number, such as a Frechet distance, does not say whether samples are bad or modes are missing. How do counts "
    "of points in balls separate the two, and what do they give for a perfect generator?",
    setting=(
        r"There are $N$ real points $x_i$ and $M$ generated points $y_j$. The ball of a real point reaches to its $k$-th nearest "
        r"other real point; a point on the edge is inside. The balls of generated points are made in the same "
        r"way.",
        r"Precision is the share of generated points in at least one real ball; recall is the share of real points in at least "
        r"one generated ball. Density is the number of pairs of a real ball and a generated point in it, divided by $kM$. "
        r"Coverage is the share of real balls that hold at least one generated point.",
        "The hypothesis $H$: all $N + M$ points are independent samples of one distribution with a density, so no two "
        "distances from a point are equal.",
    ),
    limits=(
        "The meaning of the distance, which the features decide.",
        "The variances of the four numbers.",
        "Ties and copies: the expectations under the hypothesis need a distribution without them.",
    ),
    trained="A measure of samples, not a model. Experiments with images report it.",
)


@derivation.figure(
    "Left: 12 real points in the plane with their balls (two neighbors), samples inside (dots) and outside (crosses). Right: "
    "expected coverage under $H$ with 30 real and 30 generated points (line), the mean of 400 samples from a Gaussian in the "
    "plane (dots), and the limit of large samples (dashed).",
    panels=2,
)
def balls_and_coverage(plane, coverage):
    rng = np.random.default_rng(3)
    real, samples = rng.normal(size=(12, 2)), 1.6 * rng.normal(size=(14, 2))
    radii = np.asarray(nearest_neighbor_radii(real, neighbors=2))
    angles = np.linspace(0, 2 * np.pi, 60)
    for center, radius in zip(real, radii, strict=True):
        plane.fill(center[0] + radius * np.cos(angles), center[1] + radius * np.sin(angles), color="gray", alpha=0.15)
    among = np.asarray(inside_manifold(samples, real, radii)) > 0
    plane.plot(*real.T, ".", color="gray", label="real")
    plane.plot(*samples[among].T, "o", label="inside")
    plane.plot(*samples[~among].T, "x", label="outside")
    plane.set(xlabel="first feature", ylabel="second feature", aspect="equal", xlim=(-5.5, 10.5))
    plane.legend(loc="upper right")
    every, some = np.arange(1, 8), np.array([1, 2, 3, 5, 7])
    drawn = rng.normal(size=(2, 400, 30, 2))
    means = [np.mean(jax.vmap(partial(density_and_coverage, neighbors=int(k)))(*drawn)[1]) for k in some]
    coverage.plot(every, [_expected_coverage(30, k) for k in every], label="expected, $N = M = 30$")
    coverage.plot(some, means, "o", color="black", label="drawn")
    coverage.plot(every, 1 - 0.5**every, "--", color="gray", label="limit, $1 - 2^{-k}$")
    coverage.set(xlabel="neighbors, $k$", ylabel="coverage", ylim=(0.45, 1.02))
    coverage.legend(loc="lower right")


N = derivation.number("N", "the number of real points", "len(real)", positive=True)
M = derivation.number("M", "the number of generated points", "len(generated)", positive=True)
derivation.symbol("H", "the hypothesis of the setting")
i = derivation.index("i", "how many points are nearer to the center of a ball")
k = derivation.count(i, "k", "the number of neighbors that a ball reaches to", "neighbors")

derivation.say(
    "Seen from a real point $x$, the other $N - 1$ real points and one generated point $y$ are $N$ independent samples of one "
    r"distribution. So under $H$ the number $i$ of real points that are nearer than $y$ is uniform on $0, \dots, N - 1$, and "
    "$y$ is in the ball if and only if fewer than $k$ are nearer. There are $NM$ pairs of a ball and a generated point."
)
derivation.chain(
    "Density is one in expectation if both sets come from one distribution",
    times(1 / (k * M), N * M, Total(i, 1 / N)),
    equals(times(N / k, Total(i, 1 / N)), "cancel the number of generated points"),
    equals(
        1,
        prose("$k$ of the $N$ ranks of $y$ are inside: {share}", share=holds(Total(i, 1 / N), "=", k / N)),
        wrong={"self counted as a neighbor": (k - 1) / k},
    ),
    so="No dimension and no density enters: only orders of distances count.",
)
miss = derivation.define(
    "m", Product(i, (N - 1 - i) / (N + M - 1 - i)), "the probability under $H$ that a ball holds no generated point"
)
derivation.say(
    r"A ball holds no generated point if and only if the $k$ nearest of the $N + M - 1$ other points are all real. If the "
    r"nearest $i$ are real, $N - 1 - i$ real ones are left among $N + M - 1 - i$, and each of these is the next with equal "
    r"probability. Hence $m$, and expected coverage is $1 - m$."
)
coverage_of_the_truth = derivation.chain(
    "Expected coverage if both sets come from one distribution",
    1 - miss,
    equals(
        1 - Product(i, N - 1 - i) / Product(i, N + M - 1 - i),
        r"all numerators over all denominators; divided by $k!$ these are $\binom{N-1}{k}$ and $\binom{N+M-1}{k}$",
        wrong={"the center among the others": 1 - Product(i, N - i) / Product(i, N + M - i)},
    ),
    central=True,
    so=prose(
        "With a single neighbor it is {one}; with more neighbors than $N - 1$ there are no balls. No dimension and no density "
        "enters.",
        one=holds(1 - (N - 1) / (N + M - 1), "=", M / (N + M - 1), named=True),
    ),
)


def _labelings(points, count, neighbors):
    """Density and coverage, each for every way to call `count` of the points real."""
    chosen = np.array(list(combinations(range(len(points)), count)))
    others = np.array([np.setdiff1d(range(len(points)), some) for some in chosen])
    return jax.vmap(partial(density_and_coverage, neighbors=neighbors))(points[chosen], points[others])


derivation.symbol("D", "density", "density_and_coverage")
derivation.symbol("C", "coverage", "density_and_coverage")


@derivation.exact(
    r"\mathbb{E}_H\left[D\right] = 1, \quad \mathbb{E}_H\left[C\right] = 1 - \binom{N - 1}{k} \Big/ \binom{N + M - 1}{k}",
    because="The code, for all ways to call $N$ of $N + M$ points in the plane real; $N$, $M$ and $k$ are $(4, 3, 1)$, $(4, "
    "3, 2)$ and $(5, 3, 2)$.",
    outcomes=35 + 35 + 56,
    role="remark",
)
def every_labeling():
    points = np.array([[0.0, 0.0], [1.0, 0.1], [2.5, 1.0], [0.3, 3.0], [4.0, 4.5], [5.5, 2.0], [-2.0, 1.7], [1.1, -3.6]])
    cases = (4, 3, 1), (4, 3, 2), (5, 3, 2)
    found = [jnp.mean(jnp.stack(_labelings(points[: n + m], n, size)), axis=1) for n, m, size in cases]
    coverage = np.array([1 - comb(n - 1, size) / comb(n + m - 1, size) for n, m, size in cases])
    wanted = jnp.stack([jnp.ones(3), coverage], axis=1)
    with_center = np.array([1 - comb(n, size) / comb(n + m, size) for n, m, size in cases])
    wrong = {"the center among the others": with_center}
    return Sides(
        left=jnp.stack(found), right=wanted, wrong={name: jnp.stack([jnp.ones(3), form], axis=1) for name, form in wrong.items()}
    )


derivation.chain(
    "With as many generated as real points, and many, coverage depends on k alone",
    Limit(1 - Product(i, (N - 1 - i) / (2 * N - 1 - i)), N, oo),
    equals(
        1 - Rational(1, 2) ** k,
        prose(
            "every factor goes to {half}: the next point is real or generated with equal probability",
            half=holds(Limit((N - 1 - i) / (2 * N - 1 - i), N, oo), "=", Rational(1, 2), named=True),
        ),
        wrong={"1 - 1/k": 1 - 1 / k},
    ),
    role="remark",
)
n = derivation.number("n", "how many real points are left when $i$ are nearer", positive=True)
derivation.chain(
    "With finite samples the expected coverage is above its limit",
    n / (2 * n + i + 1),
    equals(
        plus(Rational(1, 2), times(-Rational(1, 2), (i + 1) / (2 * n + i + 1))),
        prose(
            "a factor of $m$ with as many generated points as real ones, whose denominator $2N - 1 - i$ is {denominator}; {half}",
            denominator=2 * n + i + 1,
            half=holds(plus(n, (i + 1) / 2), "=", (2 * n + i + 1) / 2),
        ),
    ),
    at_most(Rational(1, 2), "leave out a positive number", adding=(i + 1) / (2 * (2 * n + i + 1))),
    so=prose(
        "So $m$ is below $2^{-k}$ with as many generated points as real ones. With five neighbors a generator is close to the "
        "truth if it covers about 97% of the balls, {five}; with one neighbor about half of them is all that there is to be "
        "had.",
        five=1 - Rational(1, 2) ** 5,
    ),
    role="remark",
)

derivation.say(
    "Expected precision under $H$ is not 1, and there is no universal value. Take two real points and one neighbor: both "
    r"balls have the radius $\|x_1 - x_2\|$, and $y$ is outside of both if and only if $x_1 x_2$ is the shortest side of the "
    r"triangle. By exchangeability that has the probability $\frac13$. For three real points the probability depends on the "
    "distribution."
)
derivation.symbol("A", "precision", "precision_and_recall")


@derivation.exact(
    r"\mathbb{E}_H\left[A\right] = \frac23 \text{ for } N = 2, \quad A = 1 \text{ and } \frac34 \text{ for two sets of four}",
    because="The share inside over all ways to call one point generated, with one neighbor: the corners of a triangle in the "
    "plane and of a triangle in space; two pairs of close points on a line; four points on a line with growing gaps.",
    outcomes=3 + 3 + 4 + 4,
    role="remark",
)
def every_choice_of_the_generated_point():
    sets = (
        np.array([[0.0, 0.0], [2.0, 0.5], [1.0, 3.0]]),
        np.array([[0.0, 0.0, 1.0], [2.0, 0.5, 0.0], [1.0, 3.0, -1.0]]),
        np.array([[0.0], [1.0], [10.0], [11.5]]),
        np.array([[0.0], [1.0], [2.5], [4.5]]),
    )
    return Sides(
        left=jnp.stack([_inside_the_others(points) for points in sets]),
        right=jnp.array([2 / 3, 2 / 3, 1.0, 3 / 4]),
        wrong={"always inside": jnp.ones(4)},
    )


def _inside_the_others(points):
    """The share of points that are in some ball of the others, with one neighbor."""
    others = np.stack([np.delete(points, j, axis=0) for j in range(len(points))])
    radii = jax.vmap(partial(nearest_neighbor_radii, neighbors=1))(others)
    return jnp.mean(jax.vmap(inside_manifold)(points[:, None], others, radii))


j = derivation.index("j", "a generated point")
inside = derivation.numbers("b", j, "1 if the point is in some real ball, else 0", "inside_manifold", positive=True)
further = derivation.numbers("s", j, "how many real balls hold it besides", positive=True)
at_least_precision = derivation.chain(
    "Density is at least precision divided by k",
    Total(j, inside + further) / (k * M),
    equals(
        plus(Total(j, inside) / (k * M), Total(j, further) / (k * M)),
        prose("the number of balls that hold a point is {sum}", sum=plus(inside, further)),
        wrong={"not divided by k": plus(Total(j, inside) / M, Total(j, further) / M)},
    ),
    at_least(
        Total(j, inside) / (k * M),
        prose("leave out further balls; equality if and only if no generated point is in two, {none}", none=where(further, 0)),
        dropping=Total(j, further) / (k * M),
    ),
    so="Both are equal where an outlier among the data has a huge ball, and bad samples are in this ball alone. Each counts 1 in "
    "precision and $1/k$ in density. So density weighs an outlier less, if there are two neighbors or more, and precision "
    "does not.",
)
derivation.figure(
    prose(
        "Left: one real point is far from the others, and its ball is huge. Samples that resemble nothing real lie in it, and "
        "count as precise. Density divides by the neighbors: a sample in one ball alone counts as $1/k$, so {density} is at "
        "least {least}. Right: samples of a Gaussian, narrower or wider than the real one. Narrow ones are precise and miss "
        "much; wide ones the reverse.",
        density=Total(j, inside + further) / (k * M),
        least=holds(Total(j, inside + further) / (k * M), ">=", Total(j, inside) / (k * M), named=True),
    ),
    panels=2,
)(draw_outlier_and_spread)

derivation.say(
    "Let the points form clusters whose distances exceed every radius. So a cluster that has points of a set has more than $k$ "
    "of them."
)
c = derivation.index("c", "a cluster")
held = derivation.numbers("h", c, "how many generated points of a cluster are in its real balls", positive=True)
size = derivation.numbers("g", c, "how many generated points are in a cluster", positive=True)
precision = derivation.define("A", held / size, "the precision of a cluster by itself", over=c)
clusters = derivation.chain(
    "Of clusters that are apart, precision is a weighted mean",
    Total(c, held) / Total(c, size),
    equals(
        Total(c, times(size / Total(c, size), precision)),
        prose(
            "no ball reaches another cluster, so a point is inside if and only if it is inside in its own; {held}",
            held=holds(held, "=", times(size, precision)),
        ),
        wrong={"the mean of the clusters": Total(c, precision) / 3},
    ),
    so="The same holds of recall, with real points. So junk is a cluster with precision 0 and no real point: it lowers precision "
    "by its share, and leaves recall. A mode without samples has recall 0 and no generated point: it lowers recall by its share, "
    "and leaves precision.",
)
derivation.symbol("R", "recall", "precision_and_recall")


@derivation.exact(
    r"(A, R) = \left(1, \frac12\right), \left(\frac12, 1\right), (1, 1), (0, 0)",
    because="With one neighbor: a mode dropped from two, as many samples of junk as good ones, a copy of the data, and sets that "
    "are far apart.",
    outcomes=4,
    scale=1.0,
    role="remark",
)
def four_generators():
    one, two = np.array([[0.0], [1.0]]), np.array([[0.0], [1.0], [100.0], [101.0]])
    good, half_junk = np.array([[-0.25], [1.25]]), np.array([[-0.25], [1.25], [100.0], [101.0]])
    pairs = (two, good), (one, half_junk), (two, two), (one, one + 50)
    found = jnp.stack([jnp.stack(precision_and_recall(*pair, neighbors=1)) for pair in pairs])
    wanted = jnp.array([[1.0, 0.5], [0.5, 1.0], [1.0, 1.0], [0.0, 0.0]])
    return Sides(left=found, right=wanted, wrong={"roles exchanged": wanted[:, ::-1]})


derivation.symbol("x, y", "the real and the generated points")
derivation.symbol(r"\mathcal{Q}, t", "a rotation and a shift")


@derivation.numeric(
    r"(A, R, D, C)(4 \mathcal{Q} x + t, 4 \mathcal{Q} y + t) = (A, R, D, C)(x, y)",
    because="Only comparisons of distances enter, and a rotation, a shift and a common scale keep their order: 30 real and 20 "
    "generated points in the plane.",
    role="remark",
)
def rotated_shifted_and_scaled():
    rng = np.random.default_rng(0)
    real, samples = rng.normal(size=(30, 2)), 0.4 + rng.normal(size=(20, 2))
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]])

    def both(x, y):
        return jnp.stack([*precision_and_recall(x, y, neighbors=2), *density_and_coverage(x, y, neighbors=2)])

    def moved(x, factor=4.0):
        return factor * x @ rotation + np.array([3.0, -5.0])

    return Sides(
        left=both(moved(real), moved(samples)),
        right=both(real, samples),
        wrong={"one of the two scaled": both(moved(real), moved(samples, 2.0))},
    )


d = derivation.index("d", "a coordinate")
u, v, w = (
    derivation.numbers(name, d, f"a point, the {which} of three", f"x[{place}]")
    for place, (name, which) in enumerate((("u", "first"), ("v", "second"), ("w", "third")))
)
uv, uw, vw = (sqrt(SquaredNorm(d, one - other)) for one, other in ((u, v), (u, w), (v, w)))
nearest, farther = ([of(uv, uw), of(uv, vw), of(uw, vw)] for of in (Min, Max))
derivation.bridge(
    "The code computes the distance to the nearest other point", nearest, nearest_neighbor_radii, x=[u, v, w], neighbors=1
)
derivation.bridge(
    "... and to the second nearest",
    farther,
    nearest_neighbor_radii,
    x=[u, v, w],
    neighbors=2,
    wrong={"self counted as a neighbor": nearest},
)

derivation.answer = prose(
    "Where modes are apart, a missing mode lowers recall and coverage, and bad samples lower precision and density; the huge "
    "ball of an outlier can hide both from precision and recall. Under $H$ the expected density is {density} and the expected "
    "coverage {coverage}, in every dimension and for every density; expected precision and recall depend on the distribution, "
    "so these are compared with what a second sample of real points gives.",
    density=holds(times(1 / (k * M), N * M, Total(i, 1 / N)), "=", 1, named=True),
    coverage=holds(1 - miss, "=", 1 - Product(i, (N - 1 - i) / (N + M - 1 - i)), named=True),
)
_LINE, _SAMPLES = np.array([[0.0], [1.0], [3.0], [7.0], [8.0]]), np.array([[0.5], [1.2], [2.5], [20.0]])


@derivation.example(
    "On a line: real points at $0, 1, 3, 7, 8$ and generated points at $0.5, 1.2, 2.5, 20$, with two neighbors. The first three "
    "samples are each in the balls of $0$, $1$ and $3$, the last one in none. Its own ball is so large that recall sees no "
    "missing mode, but coverage does."
)
def five_real_and_four_generated_points():
    radii = nearest_neighbor_radii(_LINE, neighbors=2)
    precise, recalled = precision_and_recall(_LINE, _SAMPLES, neighbors=2)
    density, coverage = density_and_coverage(_LINE, _SAMPLES, neighbors=2)
    yield r"\text{radii}", radii, "(3, 2, 3, 4, 5)"
    yield r"\text{radii of the samples}", nearest_neighbor_radii(_SAMPLES, neighbors=2), "(2.0, 1.3, 2.0, 18.8)"
    yield r"\text{inside}", inside_manifold(_SAMPLES, _LINE, radii), "(1, 1, 1, 0)"
    yield "A", precise, "3/4"
    yield "R", recalled, "1"
    yield r"D = \frac{3 + 3 + 3 + 0}{2 \cdot 4}", density, "9/8"
    yield "C", coverage, "3/5"


def _expected_coverage(points, neighbors):
    """1 - m, for as many generated as real points."""
    steps = np.arange(1, neighbors + 1)
    return 1 - np.prod((points - steps) / (2 * points - steps))


@derivation.algorithm(
    "Precision, recall, density and coverage",
    do(r"radii $\leftarrow$ the distances to the $k$-th nearest other point of the same set", nearest_neighbor_radii),
    do("inside $\\leftarrow$ the generated points in some real ball", inside_manifold),
    do(
        r"$A, R \leftarrow$ the shares of generated points in real balls and of real points in generated balls",
        precision_and_recall,
        by=clusters,
    ),
    do(
        r"$D, C \leftarrow$ the pairs of a ball and a point by $kM$, and the share of real balls that are not empty",
        density_and_coverage,
        by=at_least_precision,
    ),
    do(r"compare $D$ with 1 and $C$ with $1 - m$, and $A$ and $R$ with those of a second real sample", by=coverage_of_the_truth),
)
def the_four_numbers():
    radii = nearest_neighbor_radii(_LINE, neighbors=2)
    yield r"\text{the example: radii}", radii, "(3, 2, 3, 4, 5)"
    yield r"\text{inside}", inside_manifold(_SAMPLES, _LINE, radii), "(1, 1, 1, 0)"
    yield "A, R", precision_and_recall(_LINE, _SAMPLES, neighbors=2), "(0.75, 1)"
    yield "D, C", density_and_coverage(_LINE, _SAMPLES, neighbors=2), "(1.125, 0.6)"
    yield r"1 - m = 1 - \frac{4 \cdot 3}{8 \cdot 7}", 1 - 12 / 56, "0.7857"
