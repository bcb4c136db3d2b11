"""The Frechet distance: two means, two covariances, and a bias.

The lecture on the functions of theory_jax/evaluation/frechet_distance.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.frechet_distance import (
    diagonal_frechet_distance,
    extrapolate_to_infinity,
    frechet_distance,
    gaussian_statistics,
)
from theory_jax.lectures.evaluation._two_gaussians import (
    distances_of_the_code,
    draw_slopes_and_ring,
    draw_the_bias,
    draw_the_map,
    expected_bias,
)

derivation = Derivation(
    module=__name__,
    title="The Frechet distance: two means, two covariances, and a bias",
    lectures=(14,),
    sources=(
        "Dowson & Landau 1982, The Frechet distance between multivariate normal distributions",
        "Gelbrich 1990, On a formula for the L2 Wasserstein metric between measures on Euclidean and Hilbert spaces",
        "Heusel et al. 2017, GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
        "Chong & Forsyth 2020, Effectively unbiased FID and Inception score and where to find them",
    ),
    question="Looking at a few samples does not tell which of two models is better, and likelihoods of images do not exist for "
    "GANs. Generated images are judged by the features that a network finds in them: a number from two means and two "
    "covariances. Why this formula, for which distributions is it a distance, and how far is its estimate from the truth?",
    setting=(
        r"Two distributions of vectors with finite second moments have the means $\mu$ and $\nu$ and the covariances $A$ and "
        "$B$. A coupling is a joint distribution of $X$ and $Y$ with these two as its margins, and $W_2^2$ is the smallest "
        r"$\mathbb{E}\|X - Y\|^2$ of all couplings.",
        "In the derivation the vectors have two coordinates, a coupling lives on three pairs of points, and the covariances "
        r"are positive definite. Singular covariances are limits: add independent noise of variance $\epsilon$ to both vectors.",
    ),
    limits=(
        "The bias in many dimensions with full covariances, which is larger and grows with the dimension.",
        r"That features are Gaussian. Inception's are not; then $d^2$ is a lower bound of $W_2^2$ and no more.",
    ),
    trained="A measure of samples, not a model. Experiments with images report it.",
)


@derivation.figure(
    "Left: the Gaussians of the example, as the ellipses one standard deviation from the mean. The best coupling carries each "
    "point $x$ to $Tx$. Right: the mean distance of two samples of $N$ from one Gaussian in one dimension, over 4000 pairs "
    "(dots), against $1/N$; the line is $2/N + 2(1 - c_N^2)$.",
    panels=2,
)
def the_map_and_theexpected_bias(plane, bias):
    draw_the_map(plane, _A, _B)
    draw_the_bias(bias)


k = derivation.index("k", "a pair of points")
pi = derivation.law(r"\pi", k, "the coupling: the probability of a pair")
x, x2 = (derivation.numbers(name, k, f"the {which} coordinate of $X$") for name, which in (("x", "first"), ("x'", "second")))
y, y2 = (derivation.numbers(name, k, f"the {which} coordinate of $Y$") for name, which in (("y", "first"), ("y'", "second")))
t = derivation.number("t", "a slope", positive=True)


def _mean(body):
    return Expectation(pi, body)


def _covariance(first, second):
    return Expectation(pi, first * second) - Expectation(pi, first) * Expectation(pi, second)


derivation.chain(
    "In one dimension every slope gives a lower bound",
    _mean((x - y) ** 2),
    equals(
        plus((_mean(x) - _mean(y)) ** 2, Variance(pi, x - y)),
        prose(
            "a mean square is the squared mean and the variance: {square}",
            square=holds(_mean(x**2), "=", plus(_mean(x) ** 2, Variance(pi, x))),
        ),
        wrong={"the variances added": plus((_mean(x) - _mean(y)) ** 2, Variance(pi, x), Variance(pi, y))},
    ),
    equals(
        plus(
            (_mean(x) - _mean(y)) ** 2,
            times(1 - t, Variance(pi, x)),
            times(1 - 1 / t, Variance(pi, y)),
            times(t, Variance(pi, x - y / t)),
        ),
        prose(
            "both contain the covariance twice, with a minus: {same}",
            same=holds(
                plus(Variance(pi, x - y), -Variance(pi, x), -Variance(pi, y)),
                "=",
                plus(times(t, Variance(pi, x - y / t)), -t * Variance(pi, x), -Variance(pi, y) / t),
            ),
        ),
    ),
    at_least(
        plus((_mean(x) - _mean(y)) ** 2, times(1 - t, Variance(pi, x)), times(1 - 1 / t, Variance(pi, y))),
        prose("leave out the last variance; equality if $y - t x$ is constant, as where {line}", line=where(y, t * x)),
        dropping=times(t, Variance(pi, x - y / t)),
    ),
    role="lemma",
    so="The right side knows the two margins alone: it holds for every coupling of them.",
)
mu = derivation.number(r"\mu", "the mean of $X$")
nu = derivation.number(r"\nu", "the mean of $Y$")
sigma = derivation.number(r"\sigma", "the standard deviation of $X$ in one dimension", positive=True)
tau = derivation.number(r"\tau", "... of $Y$", positive=True)
derivation.chain(
    "The best slope is the ratio of the standard deviations",
    plus(times(1 - t, sigma**2), times(1 - 1 / t, tau**2)),
    equals(
        plus((sigma - tau) ** 2, -times(t, (sigma - tau / t) ** 2)),
        prose(
            "complete the square: {square}",
            square=holds(plus(t * sigma**2, tau**2 / t), "=", plus(times(t, (sigma - tau / t) ** 2), 2 * sigma * tau)),
        ),
        wrong={"variances in place of standard deviations": plus((sigma**2 - tau**2) ** 2, -times(t, (sigma - tau / t) ** 2))},
    ),
    at_most(
        (sigma - tau) ** 2,
        prose("leave out the square; equality at {ratio}", ratio=where(t, tau / sigma)),
        adding=times(t, (sigma - tau / t) ** 2),
    ),
    role="lemma",
    so=prose("So no coupling costs less than {least}.", least=plus((mu - nu) ** 2, (sigma - tau) ** 2)),
)
derivation.figure(
    prose(
        "Left: the lower bounds for the standard deviations 1 and 2 and equal means: {bound} at {ratio} (dot), which Gaussians "
        "attain. Right: a ring and a Gaussian that were given the same mean and covariance. Their Frechet distance is 0, "
        "though no one would confuse them: it compares two Gaussians, not two sets of samples.",
        bound=holds(plus(times(1 - t, sigma**2), times(1 - 1 / t, tau**2)), "=", (sigma - tau) ** 2, named=True),
        ratio=where(t, tau / sigma),
    ),
    panels=2,
)(draw_slopes_and_ring)
e = derivation.number("z", "a standard Gaussian")
derivation.chain(
    "Between Gaussians equal quantiles attain the bound",
    Expectation(Normal(e, 0, 1), ((mu + sigma * e) - (nu + tau * e)) ** 2),
    equals(
        plus((mu - nu) ** 2, (sigma - tau) ** 2),
        prose(
            "expand; {mean} and {square}",
            mean=holds(Expectation(Normal(e, 0, 1), e), "=", 0),
            square=holds(Expectation(Normal(e, 0, 1), e**2), "=", 1),
        ),
        wrong={
            "variances in place of standard deviations": plus((mu - nu) ** 2, (sigma**2 - tau**2) ** 2),
            "independent X and Y": plus((mu - nu) ** 2, sigma**2, tau**2),
        },
    ),
)

derivation.say(
    r"Now two dimensions. The slope becomes a matrix $T$, symmetric and positive definite. It is written as $L L^\top$ with "
    "a triangular $L$ of entries $a$, $0$, $b$ and $c$, so that what is left out is a sum of variances again, of the "
    r"coordinates of $L^\top X - L^{-1} Y$."
)
a = derivation.number("a", "the first diagonal entry of $L$", positive=True)
b = derivation.number("b", "the entry of $L$ below it")
c = derivation.number("c", "the second diagonal entry of $L$", positive=True)
means = plus((_mean(x) - _mean(y)) ** 2, (_mean(x2) - _mean(y2)) ** 2)
traces = (Variance(pi, x), Variance(pi, x2), Variance(pi, y), Variance(pi, y2))
trace_ta = plus(a**2 * Variance(pi, x), 2 * a * b * _covariance(x, x2), (b**2 + c**2) * Variance(pi, x2))
trace_tb = plus(
    (1 / a**2 + b**2 / (a * c) ** 2) * Variance(pi, y), -2 * b / (a * c**2) * _covariance(y, y2), Variance(pi, y2) / c**2
)
trace_1 = derivation.define(r"\mathrm{tr}(TA)", trace_ta, r"the trace of $T A$")
trace_2 = derivation.define(r"\mathrm{tr}(T^{-1}B)", trace_tb, r"the trace of $T^{-1} B$")
left_out = plus(Variance(pi, a * x + b * x2 - y / a), Variance(pi, c * x2 - (y2 - b * y / a) / c))
bound = derivation.chain(
    "No coupling costs less than a bound that knows means and covariances alone",
    _mean((x - y) ** 2 + (x2 - y2) ** 2),
    equals(
        plus(means, Variance(pi, x - y), Variance(pi, x2 - y2)),
        "a mean square is the squared mean and the variance, in each coordinate",
        wrong={"the variances added": plus(means, *traces)},
    ),
    equals(
        plus(means, *traces, -trace_1, -trace_2, left_out),
        prose(
            r"the variances of $L^\top X - L^{-1} Y$ sum to both traces less twice the covariances of the coordinates: {sum}",
            sum=holds(left_out, "=", plus(trace_1, trace_2, -2 * _covariance(x, y), -2 * _covariance(x2, y2))),
        ),
        wrong={"the map for its inverse": plus(means, *traces, -2 * trace_1, left_out)},
    ),
    at_least(
        plus(means, *traces, -trace_1, -trace_2),
        prose(
            "leave out the variances; equality if $Y - T X$ is constant, as where {first} and {second}",
            first=where(y, plus(a**2 * x, a * b * x2)),
            second=where(y2, plus(a * b * x, (b**2 + c**2) * x2)),
        ),
        dropping=left_out,
    ),
    central=True,
    so="The best $T$ makes both sides equal: it has to carry the covariance $A$ to $B$, which is then $T A T$.",
)

p, q, r = (
    derivation.number(name, f"{what} entry of the root of $A$")
    for name, what in (("p", "the first diagonal"), ("q", "the other"), ("r", "the second diagonal"))
)
P, T = sympy.Matrix([[p, q], [q, r]]), sympy.Matrix([[a**2, a * b], [a * b, b**2 + c**2]])
for letter, meaning in (
    ("T", "the linear map"),
    ("P", "the root of $A$"),
    ("A", "the covariance of $X$"),
    ("B", "the covariance of $Y$"),
    ("M", r"the root of $P B P$"),
    (r"\lambda", "an eigenvalue"),
    ("i", "its number"),
):
    derivation.symbol(letter, meaning)


@derivation.symbolic(
    r"B = T A T \quad\Rightarrow\quad P B P = (P T P)^2,\quad \mathrm{tr}(TA) = \mathrm{tr}(T^{-1}B) = \mathrm{tr}(P T P)",
    because="The product $P (T P P T) P$ is that of $P T P$ with itself. So $M$, which is $P T P$, is the root of $P B P$, "
    "and $T$ is $P^{-1} M P^{-1}$: such a map exists for all positive definite $A$ and $B$. The traces are cyclic.",
)
def the_map_between_the_covariances():
    covariance_x = P * P
    covariance_y = T * covariance_x * T
    root = P * T * P
    left = [*(P * covariance_y * P), (T * covariance_x).trace(), (T.inv() * covariance_y).trace()]
    return Sides(left=left, right=[*(root * root), root.trace(), root.trace()])


derivation.say(
    r"With this $T$ the bound is $d^2$, which is $|\mu - \nu|^2 + \mathrm{tr}\,A + \mathrm{tr}\,B - 2\,\mathrm{tr}\,M$. It is "
    r"attained by $\nu + T(X - \mu)$ for $Y$, with the mean $\nu$ and the covariance $T A T$, which is $B$. If $X$ is Gaussian "
    "so is this $Y$: then $d^2$ is $W_2^2$. For any other distributions with these moments it is at most $W_2^2$. That holds "
    "for two samples as well, if their covariances are divided by $N$."
)
m1, m2, m3 = (
    derivation.number(name, f"{what} entry of $M$")
    for name, what in (("m_1", "the first diagonal"), ("m_2", "the other"), ("m_3", "the second diagonal"))
)
derivation.chain(
    "Two by two, no root of a matrix is needed",
    (m1 + m3) ** 2,
    equals(
        plus(m1**2 + 2 * m2**2 + m3**2, 2 * (m1 * m3 - m2**2)),
        "the first bracket is the trace of $M^2$, the second the determinant of $M$",
    ),
    role="remark",
    so=r"Since $M^2$ is $P B P$, with the trace of $AB$, the trace of $M$ is $\sqrt{\mathrm{tr}(AB) + 2\sqrt{\det A \det B}}$.",
)

_RNG = np.random.default_rng(0)


def _covariances(count, size):
    factors = _RNG.standard_normal((count, size, size))
    return factors @ factors.swapaxes(1, 2) + 0.1 * np.eye(size)


@derivation.numeric(
    r"\mathrm{tr}(A^{1/2} B A^{1/2})^{1/2} = \sum_i \sqrt{\lambda_i(AB)}",
    because=r"$P M^2 P^{-1}$ is $P P B P P^{-1}$, so $A B$: it has the eigenvalues of $M^2$. At 20 pairs of covariances in three "
    "dimensions, the left side by the code.",
    role="lemma",
)
def eigenvalues_of_the_product():
    one, other, mean = _covariances(20, 3), _covariances(20, 3), np.zeros((20, 3))
    trace = lambda matrix: np.trace(matrix, axis1=1, axis2=2)  # noqa: E731
    left = (trace(one) + trace(other) - jax.vmap(frechet_distance)(mean, one, mean, other)) / 2
    eigenvalues = np.linalg.eigvals(one @ other).real
    return Sides(left=left, right=np.sqrt(eigenvalues).sum(1))


derivation.symbol("d", "the Frechet distance", "sqrt(frechet_distance)")
derivation.symbol("X, Y, Z", "three Gaussians")


@derivation.bound(
    r"d(X, Z) \le d(X, Y) + d(Y, Z)",
    because="Carry $X$ to $Y$ and $Y$ to $Z$ by the linear maps: the result has the distribution of $Z$, so it costs at least "
    "$d(X, Z)$; then the triangle inequality of the mean square. Equality where all covariances are multiples of one, in "
    "order of size.",
)
def triangles():
    def sides(x, y, z):
        zero = np.zeros(x.shape[:2])
        pairs = (x, z), (x, y), (y, z)
        direct, *detour = (jnp.sqrt(jax.vmap(frechet_distance)(zero, one, zero, other)) for one, other in pairs)
        return direct, sum(detour)

    def smaller_by_a_tenth(x, y, z):
        direct, detour = sides(x, y, z)
        return direct, 0.9 * detour

    points = tuple(_covariances(20, 2) for _ in range(3))
    return BoundSides(
        sides=sides, points=points, tight=(points[0], 4 * points[0], 9 * points[0]), wrong={"a tenth less": smaller_by_a_tenth}
    )


derivation.say(
    "So $d$, the root, is a metric of Gaussians: symmetric, since $W_2$ is, and zero only where means and covariances agree. "
    "Now its estimate. Mean and covariance of $N$ samples of a distribution replace its own; two samples of one Gaussian in one "
    "dimension tell the rest."
)
j = derivation.index("j", "a value of the estimate")
w = derivation.law("w", j, "the distribution of the estimated standard deviation")
s = derivation.numbers("s", j, "the estimated standard deviation", positive=True)
j2 = derivation.index("j_2", "its value from the other sample")
derivation.chain(
    "Two estimates of one standard deviation differ by twice its variance, in the mean square",
    Expectation(w, Expectation(w.at(j2), (s - s.at(j2)) ** 2)),
    equals(
        2 * Variance(w, s),
        prose(
            "expand the square; the samples are independent, so {product}",
            product=holds(Expectation(w, Expectation(w.at(j2), s * s.at(j2))), "=", Expectation(w, s) ** 2),
        ),
    ),
    equals(2 * (Expectation(w, s**2) - Expectation(w, s) ** 2), "a variance is the mean square less the squared mean"),
    role="lemma",
)
n = derivation.index("n", "a sample")
N = derivation.count(n, "N", "the number of samples of each", "len(features)")
derivation.symbol("c_N", r"the mean of $s / \sigma$ of $N$ Gaussian samples")
derivation.say(
    r"The means differ by $2\sigma^2/N$ in the mean square. With $N - 1$ in the covariance the mean of $s^2$ is $\sigma^2$, and "
    r"that of $s$ is $\sigma$ times $c_N$, the mean of a chi distribution, $\sqrt{\frac{2}{N-1}}\, \Gamma(\frac N2) / "
    r"\Gamma(\frac{N-1}{2})$. Both parts together: the mean of the estimate is $\sigma^2 \left(\frac2N + 2(1 - c_N^2)\right)$."
)


@derivation.numeric(
    r"N \left(\frac2N + 2(1 - c_N^2)\right) = 3 + \frac{3}{4N} + \dots",
    because=r"Stirling's series of $c_N$, $1 - \frac{1}{4N} - \frac{7}{32N^2} - \dots$; for 200, 400 and 800 samples.",
    tolerance=1e-5,
    since="the series goes on with a term in the square of 1/N",
    role="remark",
)
def the_bias_falls_as_one_over_n():
    sizes = np.array([200.0, 400.0, 800.0])
    return Sides(left=sizes * expected_bias(sizes), right=3 + 3 / (4 * sizes))


derivation.say(
    "So two models whose distances were estimated from unequal numbers of samples cannot be compared. A line against $1/N$ "
    "removes the first term: its intercept is the estimate at infinitely many."
)
distances_of_the_code(derivation, n, N)
derivation.answer = prose(
    r"No coupling of two distributions with these moments has a mean squared distance below $d^2$, which is $|\mu - \nu|^2 + "
    r"\mathrm{tr}\,A + \mathrm{tr}\,B - 2\,\mathrm{tr}(A^{1/2} B A^{1/2})^{1/2}$, in one dimension {one}. A linear map attains "
    "it between Gaussians, whose $W_2^2$ it is. Of all other distributions it sees two moments only. Estimated from two "
    "samples of $N$ of the same Gaussian, whose distance is 0, it is too large, by about a constant over $N$.",
    one=holds(
        Expectation(Normal(e, 0, 1), ((mu + sigma * e) - (nu + tau * e)) ** 2),
        "=",
        plus((mu - nu) ** 2, (sigma - tau) ** 2),
        named=True,
    ),
)

_A, _B, _ZERO = np.array([[2.0, 1.0], [1.0, 2.0]]), np.diag([4.0, 1.0]), np.zeros(2)


@derivation.example(
    r"Equal means, and for $A$ and $B$ the matrices $\begin{pmatrix}2&1\\1&2\end{pmatrix}$ and "
    r"$\begin{pmatrix}4&0\\0&1\end{pmatrix}$: the trace of $AB$ is 10, and the product of the determinants 12."
)
def two_covariances():
    trace = np.sqrt(10 + 2 * np.sqrt(12))
    yield r"\mathrm{tr}\,M = \sqrt{10 + 2\sqrt{12}}", trace, "4.1144"
    yield r"d^2 = 4 + 5 - 2\,\mathrm{tr}\,M", frechet_distance(_ZERO, _A, _ZERO, _B), "0.7712"
    yield (
        r"\text{as if both were diagonal}",
        diagonal_frechet_distance(_ZERO[None], np.log(np.diag(_A))[None], _ZERO[None], np.log(np.diag(_B))[None]),
        "0.5147",
    )


@derivation.algorithm(
    "The Frechet distance of real and generated images",
    do(r"features of $N$ real images and of $N$ generated ones, from a network"),
    do(r"$\mu, A \leftarrow$ mean and covariance of the first, $\nu, B \leftarrow$ of the second", gaussian_statistics),
    do(
        r"$d^2 \leftarrow |\mu - \nu|^2 + \mathrm{tr}\,A + \mathrm{tr}\,B - 2\,\mathrm{tr}(A^{1/2} B A^{1/2})^{1/2}$",
        frechet_distance,
        by=bound,
    ),
    do(
        r"for models with unequal numbers of samples: $d^2$ at several $N$, and the intercept of a line against $1/N$",
        extrapolate_to_infinity,
        by=the_bias_falls_as_one_over_n,
    ),
)
def two_samples():
    one, other = (gaussian_statistics(np.array(rows)[:, None]) for rows in ((0.0, 2.0), (1.0, 5.0)))
    yield r"\text{features } (0, 2) \text{ and } (1, 5): \quad \mu, A", [one[0][0], one[1][0, 0]], "(1, 2)"
    yield r"\nu, B", [other[0][0], other[1][0, 0]], "(3, 8)"
    yield r"d^2 = 2^2 + (\sqrt 8 - \sqrt 2)^2", frechet_distance(*one, *other), "6"
    yield (
        r"\text{6 from 2 samples and 5 from 4: the intercept}",
        extrapolate_to_infinity(np.array([2, 4]), np.array([6.0, 5.0])),
        "4",
    )
