"""Memorization: how to detect a generator that repeats its training set

The lecture on the functions of theory_jax/evaluation/memorization.py.
"""

from itertools import combinations, permutations

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, Rational, pi, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.memorization import (
    authenticity,
    data_copying_z_score,
    nearest_distance,
    nearest_distance_ratio,
    one_nearest_neighbor_accuracy,
)
from theory_jax.lectures.evaluation._copies import (
    distances_of_the_code,
    draw_distances_and_dimensions,
    fewest_copies,
    many_dimensions,
    score_of_copies,
)

derivation = Derivation(
    module=__name__,
    title="Memorization: how to detect a generator that repeats its training set",
    lectures=(14,),
    sources=(
        "Meehan, Chaudhuri & Dasgupta 2020, A non-parametric test to detect data-copying in generative models",
        "Mann & Whitney 1947, On a test of whether one of two random variables is stochastically larger than the other",
        "Lopez-Paz & Oquab 2017, Revisiting classifier two-sample tests",
        "Xu et al. 2018, An empirical study on evaluation metrics of generative adversarial networks",
        "Alaa et al. 2022, How faithful is your synthetic data? (authenticity)",
        "Lowe 2004, Distinctive image features from scale-invariant keypoints, section 7.1 (the ratio of distances)",
    ),
    question="A generator that returns its training set has the mean, the covariance and the neighborhoods of the training "
    "set, so it looks perfect to every score that compares with this set. How is it distinguished from a generator that has "
    "learned the distribution?",
    setting=(
        r"There are $M$ training points $x_m$, $P$ test points $t_j$ and $Q$ generated points $y_i$. $\delta$ is the distance "
        r"of a point to the nearest training point.",
        "The hypothesis $H$: all points are independent samples of one distribution with a density, so no two distances are "
        "equal.",
    ),
    limits=(
        "That the score is nearly normal under the hypothesis.",
        "Copies of a part of the training set only: they are outvoted by the rest.",
        "Distances of features that were themselves trained on the training set: test points are then farther away without a "
        "copy.",
    ),
    trained="A measure of samples, not a model. Experiments with images or points report it.",
)

Q = derivation.number("Q", "the number of generated points", "len(generated)", positive=True, integer=True)
P = derivation.number("P", "the number of test points", "len(test)", positive=True, integer=True)
derivation.symbol("H", "the hypothesis of the setting")
derivation.symbol(r"\delta", "the distance of a point to the nearest training point", "nearest_distance")
u = derivation.number("u", r"the share of fresh points with a smaller $\delta$ than a given one", between=(0, 1))
U = derivation.number(
    "U",
    "the number of pairs in which the generated point is farther from the training set than the test point; ties count half",
    nonnegative=True,
)
deviation = derivation.define(r"\sigma", sqrt(Q * P * (Q + P + 1) / 12), "the standard deviation of $U$ under $H$", positive=True)
z = derivation.define("z", (U - Q * P / 2) / deviation, "the data-copying score", "data_copying_z_score")

derivation.say(
    r"Given the training set, the $Q + P$ values of $\delta$ are independent and have one distribution under $H$. The share "
    r"$u$ of a fresh point is uniform on $(0, 1)$, since $\delta$ has no ties. If a generated point has the share $u$, a test "
    "point is nearer with the probability $u$; if a test point has it, a generated point is farther with the probability $1 - "
    "u$."
)
derivation.chain(
    "The mean of the count is half the number of pairs",
    Q * P * Integral(u, (u, 0, 1)),
    equals(
        Q * P / 2,
        prose(
            "each of $QP$ pairs has the larger distance on either side with equal probability: {half}",
            half=holds(Integral(u, (u, 0, 1)), "=", Rational(1, 2)),
        ),
        wrong={"pairs within one set": Q * (Q - 1) / 2},
    ),
    role="lemma",
)
variance = derivation.chain(
    "The variance of the count",
    plus(
        Q * P * (Integral(u, (u, 0, 1)) - Rational(1, 4)),
        Q * P * (P - 1) * (Integral(u**2, (u, 0, 1)) - Rational(1, 4)),
        Q * P * (Q - 1) * (Integral((1 - u) ** 2, (u, 0, 1)) - Rational(1, 4)),
    ),
    equals(
        plus(Q * P / 4, Q * P * (P - 1) / 12, Q * P * (Q - 1) / 12),
        prose(
            "the covariances of two pairs, the mean of the product less $\\frac14$: of a pair with itself; of pairs that "
            "share $y_i$, whose two test points are both nearer with the probability $u^2$ given its share, {third} in the "
            "mean; of pairs that share $t_j$, with {other}; others are independent",
            third=holds(Integral(u**2, (u, 0, 1)), "=", Rational(1, 3)),
            other=holds(Integral((1 - u) ** 2, (u, 0, 1)), "=", Rational(1, 3)),
        ),
        wrong={"pairs as if independent": Q * P / 4},
    ),
    equals(deviation**2, prose("collect twelfths of $QP$: {count}", count=holds(plus(3, P - 1, Q - 1), "=", plus(Q, P, 1)))),
    central=True,
    so=prose(
        "So $z$ has mean 0 and variance 1 under $H$, for all sizes, all dimensions and all densities. If the pairs were "
        "independent, the variance of the count would be {alone} alone: they are not, since every point is in many of them.",
        alone=Q * P / 4,
    ),
)


@derivation.exact(
    r"\mathbb{E}_H\left[z\right] = 0, \quad \mathbb{E}_H\left[z^2\right] = 1",
    because="All 35 orders of three generated and four test points on a line, from a training point at its end.",
    outcomes=35,
    scale=1.0,
    role="remark",
)
def every_order_of_seven_points():
    points = np.arange(1.0, 8.0)[:, None]
    chosen = np.array(list(combinations(range(7), 3)))
    others = np.array([np.setdiff1d(range(7), some) for some in chosen])
    scores = jax.vmap(data_copying_z_score, (0, None, 0))(points[chosen], np.zeros((1, 1)), points[others])
    moments = jnp.array([jnp.mean(scores), jnp.mean(scores**2)])
    return Sides(left=moments, right=jnp.array([0.0, 1.0]))


lowest = derivation.define(r"z_{\min}", -sqrt(3 * Q * P / (Q + P + 1)), "the score of copies")
lowest_score = derivation.chain(
    "No score is lower than that of copies",
    z,
    equals(plus(U / deviation, -Q * P / (2 * deviation)), "the definition"),
    equals(plus(U / deviation, lowest), prose("{lowest}", lowest=holds(-Q * P / (2 * deviation), "=", lowest))),
    at_least(
        lowest,
        prose(
            "leave out a count; equality if and only if no generated point is as far as a test point, {none}", none=where(U, 0)
        ),
        dropping=U / deviation,
    ),
    so="The $\\delta$ of a copy is 0, so copies reach it, if no test point is a training point; so do noisy copies, if the "
    "noise is smaller than the test points' distances.",
)

derivation.bridge(
    "The code computes the score of copies",
    lowest,
    score_of_copies,
    generated=Q,
    test=P,
    calls=(data_copying_z_score,),
    wrong={"every pair counted once more with itself": -sqrt(3 * Q * P / (Q + P + 2))},
)
fewest_copies(derivation, Q, P, lowest)

derivation.say(
    "Now $N$ real and $N$ generated points are put together. Under $H$ every one of the $2N - 1$ others is the nearest of a "
    "point with equal probability, and $N - 1$ of them are of its kind."
)
N = derivation.number("N", "the number of real and of generated points", "len(real)", positive=True)
other_kind = derivation.define("r", N / (2 * N - 1), "the probability that the nearest point is of the other kind")
of_the_same_kind = derivation.chain(
    "A nearest neighbor is of the same kind a little less often than not",
    (N - 1) / (2 * N - 1),
    equals(1 - other_kind, "the nearest is of one kind or of the other"),
    equals(plus(Rational(1, 2), -(other_kind - Rational(1, 2))), "add and subtract one half"),
    equals(
        plus(Rational(1, 2), -1 / (2 * (2 * N - 1))),
        prose("{more}", more=holds(plus(other_kind, -Rational(1, 2)), "=", 1 / (2 * (2 * N - 1)))),
    ),
    so="A value far above one half means separated kinds; a value far below, that most points have a copy of the other kind.",
)
derivation.symbol("a", "the share of points whose nearest other point is of their kind", "one_nearest_neighbor_accuracy")


@derivation.exact(
    r"\mathbb{E}_H\left[a\right] = \frac{N - 1}{2N - 1}, \quad N = 3",
    because="All 20 ways to call three of six points in the plane real; the share of the real and that of the generated points.",
    outcomes=20,
    role="remark",
)
def every_labeling_of_six_points():
    points = np.array([[0.0, 0.0], [1.0, 0.1], [2.5, 1.0], [0.3, 3.0], [4.0, 4.5], [5.5, 2.0]])
    chosen = np.array(list(combinations(range(6), 3)))
    others = chosen[::-1]  # the complements, since combinations come in lexicographic order
    shares = jax.vmap(one_nearest_neighbor_accuracy)(points[chosen], points[others])
    return Sides(left=jnp.mean(jnp.stack(shares), axis=1), right=jnp.full(2, 2 / 5))


derivation.say(
    r"A point $y$ is called authentic if $\delta(y)$ exceeds the distance of $x^*$ and $x^{**}$, where $x^*$ is the training "
    "point nearest to $y$ and $x^{**}$ the other one nearest to $x^*$. So $y$ is not authentic if and only if $y$ and $x^*$ "
    r"are each nearest to the other among the $M + 1$ points: $x^*$ is nearest to $y$ by definition, and a $\delta(y)$ of at "
    "most that distance means that no training point is nearer to $x^*$. Under $H$ the question is how often a point is one "
    "of such a pair. First on an interval, with the uniform distribution: a pair is then a gap that is smaller than its "
    "neighbors, and the $M$ gaps between $M + 1$ points are exchangeable."
)
M = derivation.number("M", "the number of training points, at least 2", "len(training)", positive=True)
derivation.chain(
    "A third of all fresh points on an interval is authentic",
    1 - times(2 / (M + 1), plus((M - 2) / 3, 2 * Rational(1, 2))),
    equals(
        1 - times(2 / (M + 1), (M + 1) / 3),
        prose(
            "an inner gap is the smallest of three with the probability 1/3, each of the two outer ones of two with 1/2: {sum}",
            sum=holds(plus((M - 2) / 3, 1), "=", (M + 1) / 3),
        ),
    ),
    equals(Rational(1, 3), "cancel $M + 1$"),
    role="remark",
)
derivation.symbol("A", "the expected authenticity of a fresh point", "authenticity")


@derivation.exact(
    r"A = \frac13",
    because="All 24 orders of four gaps between five points on a line, each of which is the fresh one in turn; and all three "
    "corners of a triangle in the plane, which are two training points and a fresh one: it is authentic if the training points "
    "have the shortest side, so the third holds in every dimension for two training points.",
    outcomes=123,
    role="remark",
)
def every_order_of_the_gaps():
    ends = np.cumsum(np.array(list(permutations((1.0, 1.5, 2.25, 3.0)))), axis=1)
    line = np.concatenate([np.zeros((24, 1)), ends], axis=1)[:, :, None]
    triangle = np.array([[[0.0, 0.0], [2.0, 0.5], [1.0, 3.0]]])
    found = [jnp.mean(jnp.stack([_authentic_one(points, k) for k in range(points.shape[1])])) for points in (line, triangle)]
    return Sides(left=jnp.stack(found), right=jnp.full(2, 1 / 3))


def _authentic_one(sets, which):
    """The authenticity of one point of each set, with all others for the training points."""
    return jax.vmap(authenticity)(sets[:, which : which + 1], np.delete(sets, which, axis=1))


derivation.say(
    "In $D$ dimensions, with many training points and a density that is continuous and positive around $y$, the points near "
    "$y$ are a Poisson process. Let $w$ be the probability that there is none in a ball around $y$ which reaches to $x^*$: "
    "under $H$ it is uniform on $(0, 1)$. The pair is mutual if there is none in what the ball of this radius around $x^*$ has "
    "besides, a share $h$ of its volume, and that has the probability $w^h$."
)
w = derivation.number("w", "the probability that a ball around $y$ is as empty as it is", between=(0, 1))
h = derivation.number("h", "the share of a ball outside another, whose center is one radius away", between=(0, 1))
D = derivation.number("D", "the dimension", positive=True)
less_than_half = derivation.chain(
    "With many training points less than half of all fresh points is authentic",
    1 - Integral(w**h, (w, 0, 1)),
    equals(
        h / (1 + h),
        prose("the integral of a power, {power}", power=holds(Integral(w**h, (w, 0, 1)), "=", 1 / (1 + h))),
        wrong={"balls that share nothing": Rational(1, 2)},
    ),
    equals(plus(Rational(1, 2), -(1 - h) / (2 * (1 + h))), "add and subtract one half"),
    at_most(
        Rational(1, 2),
        "leave out what is positive, since balls that contain each other's center share something",
        adding=(1 - h) / (2 * (1 + h)),
    ),
    so="So one half is not what to expect of a good generator: compare with the share of authentic points in the test set.",
)
x = derivation.number("x", "a coordinate along the line of the centers", real=True)
derivation.symbol("h_1, h_2, h_3", "$h$ in one, two and three dimensions")
derivation.symbol("A_1, A_3", "the expected authenticity in one and in three")


@derivation.symbolic(
    r"(h_1, h_2, h_3) = \left(\frac12, \frac13 + \frac{\sqrt 3}{2\pi}, \frac{11}{16}\right), \quad (A_1, A_3) = \left(\frac13, "
    r"\frac{11}{27}\right)",
    because=r"What two unit balls share are two caps, with $x$ from $\frac12$ to 1: integrate the length $1$, $2\sqrt{1 - "
    r"x^2}$ or the area $\pi(1 - x^2)$ of the section at $x$, and divide by the ball, $2$, $\pi$ or $\frac{4\pi}{3}$. Then $A$ "
    r"is $\frac{h}{1 + h}$.",
    role="remark",
)
def what_two_balls_do_not_share():
    half = Rational(1, 2)
    sections = (1, 2), (2 * sqrt(1 - x**2), pi), (pi * (1 - x**2), 4 * pi / 3)
    outside = [1 - 2 * sympy.integrate(section, (x, half, 1)) / whole for section, whole in sections]
    wanted = [half, Rational(1, 3) + sqrt(3) / (2 * pi), Rational(11, 16)]
    authentic = [Rational(1, 3), Rational(11, 27)]
    found = outside + [outside[k] / (1 + outside[k]) for k in (0, 2)]
    return Sides(
        left=found, right=wanted + authentic, wrong={"one of the two caps": [(1 + share) / 2 for share in wanted] + authentic}
    )


many_dimensions(derivation, D)

derivation.say(
    "For the training set replayed, the score and all shares are at the end of their range. Its mean, its covariance and every "
    "ball around its points are the training set's, so the Fréchet distance to it is 0, and precision and recall are 1."
)


@derivation.exact(
    r"\delta = 0, \quad z = z_{\min}, \quad a = 0, \quad A = 0",
    because="The definitions, for five training points that are replayed, and three test points: distances, ratios, accuracies "
    "and authenticities of copies are 0.",
    outcomes=1,
    scale=1.0,
    role="remark",
)
def the_training_set_replayed():
    training, test = (
        np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [4.0, 4.0], [0.0, 5.0]]),
        np.array([[1.0, 1.0], [2.0, 3.0], [5.0, 0.0]]),
    )
    score = data_copying_z_score(training, training, test)
    rows = nearest_distance, nearest_distance_ratio, authenticity
    zeros = jnp.concatenate(
        [row(training, training) for row in rows] + [jnp.stack(one_nearest_neighbor_accuracy(training, training[::-1]))]
    )
    wanted = jnp.append(jnp.zeros(17), -jnp.sqrt(5.0))
    return Sides(left=jnp.append(zeros, score), right=wanted)


distances_of_the_code(derivation)
derivation.symbol(r"\rho", "the ratio of the distances to the nearest and to the second nearest", "nearest_distance_ratio")
derivation.symbol(r"\epsilon", "how far a noisy copy is from its source, less than half of the gap", "")
derivation.symbol("g", "the distance of the source to the nearest other training point")


@derivation.bound(
    r"\rho \le \frac{\epsilon}{g - \epsilon}",
    because=r"The source is at $\epsilon$, and every other training point at $g - \epsilon$ or more: the triangle inequality. "
    r"Equality if the copy has moved straight to the nearest other point. So $\rho$ goes to zero with the noise.",
    role="lemma",
)
def noisy_copies_have_small_ratios():
    training = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 10.0]])

    def sides(angle, noise, factor=1.0):
        moved = jnp.stack([noise * jnp.cos(angle), noise * jnp.sin(angle)], axis=1)
        return nearest_distance_ratio(moved, training), factor * noise / (4 - noise)

    noise = np.array([0.02, 0.1, 0.5, 1.5])
    angles = np.linspace(0, 6, 7)
    grid = tuple(part.ravel() for part in np.meshgrid(angles, noise))
    wrong = {"a tenth less": lambda angle, noise: sides(angle, noise, factor=0.9)}
    return BoundSides(sides=sides, points=grid, tight=(np.zeros(4), noise), wrong=wrong)


derivation.answer = prose(
    "Fresh points are the measure. Under $H$ the distances of generated and of test points to the training set are "
    "exchangeable, so a count of pairs has the mean {mean} and the standard deviation {deviation}, and the count of enough "
    "copies is far below the mean. Nearest neighbors among real and generated points, and the gaps between training points, "
    "show the same; but what they give under $H$ is not one half.",
    mean=holds(Q * P * Integral(u, (u, 0, 1)), "=", Q * P / 2, named=True),
    deviation=deviation.family.definition,
)
_LINE, _FRESH = np.array([[0.0], [4.0], [10.0]]), np.array([[1.0], [6.5], [12.0]])


@derivation.example(
    "On a line, training points at $0, 4, 10$ and test points at $1, 6.5, 12$. A generator returns $0.1, 9.8, 3.7$: the "
    "training set with a little noise."
)
def three_noisy_copies():
    copied = np.array([[0.1], [9.8], [3.7]])
    yield r"\delta(t)", nearest_distance(_FRESH, _LINE), "(1, 2.5, 2)"
    yield r"\delta(y)", nearest_distance(copied, _LINE), "(0.1, 0.2, 0.3)"
    yield r"z = \left(0 - \frac92\right) / \sqrt{\frac{9 \cdot 7}{12}}", data_copying_z_score(copied, _LINE, _FRESH), "-1.9640"
    yield r"\text{authentic}", authenticity(copied, _LINE), "(0, 0, 0)"
    yield r"\text{authentic at } {-5}, \text{ since } 5 > 4", authenticity(np.array([[-5.0]]), _LINE), "1"
    yield r"\rho \text{ at } 6", nearest_distance_ratio(np.array([[6.0]]), _LINE), "0.5"


@derivation.algorithm(
    "A test for copies of the training set",
    do(r"$\delta \leftarrow$ the distances of generated and of test points to the training set", nearest_distance),
    do(
        r"$U \leftarrow$ the pairs in which the generated point is farther; $z \leftarrow (U - \frac{QP}{2}) / \sigma$",
        data_copying_z_score,
        by=variance,
    ),
    do("report copies if $z$ is far below 0, such as below $-5$", by=lowest_score),
    do(
        "for single points: report small ratios of the nearest distance to the second",
        nearest_distance_ratio,
        by=noisy_copies_have_small_ratios,
    ),
    do("and compare the share of authentic points with that of the test points", authenticity, by=less_than_half),
    do(
        r"compare the accuracy of the nearest neighbor with $\frac{N - 1}{2N - 1}$",
        one_nearest_neighbor_accuracy,
        by=of_the_same_kind,
    ),
)
def three_points_tested():
    copied = np.array([[0.1], [9.8], [3.7]])
    yield r"\text{the example: } \delta(y)", nearest_distance(copied, _LINE), "(0.1, 0.2, 0.3)"
    yield r"\delta(t)", nearest_distance(_FRESH, _LINE), "(1, 2.5, 2)"
    yield r"z \text{ with } U = 0", data_copying_z_score(copied, _LINE, _FRESH), "-1.9640"
    yield r"\text{ratios}", nearest_distance_ratio(copied, _LINE), "(0.0256, 0.0345, 0.0811)"
    shares = [jnp.mean(authenticity(points, _LINE)) for points in (copied, _FRESH)]
    yield r"\text{authentic: generated, test}", shares, "(0, 0)"
    yield (
        r"\text{accuracy of the nearest neighbor, } \tfrac25 \text{ under } H",
        one_nearest_neighbor_accuracy(_LINE, copied),
        "(0, 0)",
    )


@derivation.figure(
    "Left: 100 training points from a Gaussian in the plane, and the distances to them of as many test points, fresh points "
    "and copies with noise of standard deviation 0.05; $z$ in the legend. Right: the probability that a fresh point is "
    "authentic, in the limit of many training points (line), and the share of 1000 samples of 50 training points from a uniform "
    "distribution on a cube (dots, standard error 0.015).",
    panels=2,
)
def distances_and_dimensions(distances, dimensions):
    draw_distances_and_dimensions(distances, dimensions)
