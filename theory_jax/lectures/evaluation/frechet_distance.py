"""The Frechet distance: two means, two covariances, and a bias.

The lecture on the functions of theory_jax/evaluation/frechet_distance.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from scipy.special import gammaln
from sympy import exp

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Total, Variance, plus, times
from theory_jax.evaluation.frechet_distance import (
    diagonal_frechet_distance,
    extrapolate_to_infinity,
    frechet_distance,
    frechet_feature_distance,
    gaussian_statistics,
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
    question="Generated images are judged by the features that a network finds in them: a number from two means and two "
    "covariances. Why this formula, for which laws is it a distance, and how far is its estimate from the truth?",
    setting=(
        r"Two laws of vectors with finite second moments have the means $\mu$ and $\nu$ and the covariances $A$ and $B$. A "
        r"coupling is a joint law of $X$ and $Y$ with these two as its margins, and $W_2^2$ is the smallest $\mathbb{E}\|X - "
        r"Y\|^2$ of all couplings.",
        "In the derivation the vectors have two coordinates, a coupling lives on three pairs of points, and the covariances "
        r"are positive definite. Singular covariances are limits: add independent noise of variance $\epsilon$ to both vectors.",
    ),
    answer=r"$d^2 = |\mu - \nu|^2 + \mathrm{tr}\,A + \mathrm{tr}\,B - 2\,\mathrm{tr}(A^{1/2} B A^{1/2})^{1/2}$ is the least mean "
    "squared distance that any coupling of two laws with these moments can have. A linear map attains it between Gaussians, "
    "whose $W_2^2$ it is. Of all other laws it sees two moments only. Estimated from $N$ samples it is too large, by about a "
    "constant over $N$.",
    limits=(
        "The bias in many dimensions with full covariances, which is larger and grows with the dimension.",
        r"That features are Gaussian. Inception's are not; then $d^2$ is a lower bound of $W_2^2$ and no more.",
    ),
    trained="A measure of samples, not a model. Experiments with images report it.",
)

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
        "a mean square is the squared mean and the variance",
        wrong={"the variances added": plus((_mean(x) - _mean(y)) ** 2, Variance(pi, x), Variance(pi, y))},
    ),
    equals(
        plus(
            (_mean(x) - _mean(y)) ** 2,
            times(1 - t, Variance(pi, x)),
            times(1 - 1 / t, Variance(pi, y)),
            times(t, Variance(pi, x - y / t)),
        ),
        r"$t\,\mathrm{Var}(x - y/t) = t\,\mathrm{Var}(x) + \mathrm{Var}(y)/t - 2\,\mathrm{Cov}(x, y)$ has the same covariance",
    ),
    at_least(
        plus((_mean(x) - _mean(y)) ** 2, times(1 - t, Variance(pi, x)), times(1 - 1 / t, Variance(pi, y))),
        r"leave out the last variance; equality if $y - t x$ is constant",
        dropping=times(t, Variance(pi, x - y / t)),
    ),
    role="lemma",
    so="The right side knows the two margins alone: it holds for every coupling of them.",
)
sigma = derivation.number(r"\sigma", "the standard deviation of $X$ in one dimension", positive=True)
tau = derivation.number(r"\tau", "... of $Y$", positive=True)
derivation.chain(
    "The best slope is the ratio of the standard deviations",
    plus(times(1 - t, sigma**2), times(1 - 1 / t, tau**2)),
    equals(
        plus((sigma - tau) ** 2, -times(t, (sigma - tau / t) ** 2)),
        r"complete the square: $t\sigma^2 + \tau^2/t = t(\sigma - \tau/t)^2 + 2\sigma\tau$",
        wrong={"variances in place of standard deviations": plus((sigma**2 - tau**2) ** 2, -times(t, (sigma - tau / t) ** 2))},
    ),
    at_most((sigma - tau) ** 2, r"leave out the square; equality at $t = \tau/\sigma$", adding=times(t, (sigma - tau / t) ** 2)),
    role="lemma",
    so=r"So no coupling costs less than $(\mu - \nu)^2 + (\sigma - \tau)^2$.",
)
mu = derivation.number(r"\mu", "the mean of $X$")
nu = derivation.number(r"\nu", "the mean of $Y$")
e = derivation.number("z", "a standard Gaussian")
derivation.chain(
    "Equal quantiles attain it between Gaussians",
    Expectation(Normal(e, 0, 1), ((mu + sigma * e) - (nu + tau * e)) ** 2),
    equals(
        plus((mu - nu) ** 2, (sigma - tau) ** 2),
        r"expand; $\mathbb{E}\,z = 0$ and $\mathbb{E}\,z^2 = 1$",
        wrong={
            "variances in place of standard deviations": plus((mu - nu) ** 2, (sigma**2 - tau**2) ** 2),
            "independent X and Y": plus((mu - nu) ** 2, sigma**2, tau**2),
        },
    ),
)

derivation.say(
    r"Now two dimensions. The slope becomes a matrix $T$, symmetric and positive definite. It is written as $T = L L^\top$ with "
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
trace_1 = derivation.define(r"\mathrm{tr}(TA)", trace_ta, r"the trace of $T A = L L^\top A$")
trace_2 = derivation.define(r"\mathrm{tr}(T^{-1}B)", trace_tb, r"the trace of $T^{-1} B$")
left_out = plus(Variance(pi, a * x + b * x2 - y / a), Variance(pi, c * x2 - (y2 - b * y / a) / c))
derivation.chain(
    "No coupling costs less than a bound that knows means and covariances alone",
    _mean((x - y) ** 2 + (x2 - y2) ** 2),
    equals(
        plus(means, Variance(pi, x - y), Variance(pi, x2 - y2)),
        "a mean square is the squared mean and the variance, in each coordinate",
        wrong={"the variances added": plus(means, *traces)},
    ),
    equals(
        plus(means, *traces, -trace_1, -trace_2, left_out),
        r"the variances of $L^\top X - L^{-1} Y$ sum to $\mathrm{tr}(TA) + \mathrm{tr}(T^{-1}B) - "
        r"2\,\mathrm{tr}\,\mathrm{Cov}(X, Y)$, since $L L^{-1} = I$",
        wrong={"the map for its inverse": plus(means, *traces, -2 * trace_1, left_out)},
    ),
    at_least(
        plus(means, *traces, -trace_1, -trace_2),
        r"leave out the variances; equality if $L^\top X - L^{-1} Y$ is constant, that is, $Y - T X$ is",
        dropping=left_out,
    ),
    central=True,
    so=r"The best $T$ makes both sides equal: it has to carry the covariance $A$ to $B$, by $T A T = B$.",
)

p, q, r = (
    derivation.number(name, f"{what} entry of the root $P = A^{{1/2}}$")
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
    because=r"$P (T P P T) P = (P T P)(P T P)$. So $M = P T P$ is the root of $P B P$, and $T = P^{-1} M P^{-1}$: such a map "
    r"exists for all positive definite $A$ and $B$. The traces are cyclic.",
)
def the_map_between_the_covariances():
    covariance_x = P * P
    covariance_y = T * covariance_x * T
    root = P * T * P
    left = [*(P * covariance_y * P), (T * covariance_x).trace(), (T.inv() * covariance_y).trace()]
    return Sides(left=left, right=[*(root * root), root.trace(), root.trace()])


derivation.say(
    r"With this $T$ the bound is $d^2 = |\mu - \nu|^2 + \mathrm{tr}\,A + \mathrm{tr}\,B - 2\,\mathrm{tr}\,M$. It is attained by "
    r"$Y = \nu + T(X - \mu)$, which has the mean $\nu$ and the covariance $T A T = B$. If $X$ is Gaussian so is this $Y$: $d^2 "
    r"= W_2^2$. For any other laws with these moments, $d^2 \le W_2^2$. That holds for two samples as well, if their "
    "covariances are divided by $N$."
)
m1, m2, m3 = (
    derivation.number(name, f"{what} entry of $M$")
    for name, what in (("m_1", "the first diagonal"), ("m_2", "the other"), ("m_3", "the second diagonal"))
)
derivation.chain(
    "Two by two, no root of a matrix is needed",
    (m1 + m3) ** 2,
    equals(plus(m1**2 + 2 * m2**2 + m3**2, 2 * (m1 * m3 - m2**2)), r"$(\mathrm{tr}\,M)^2 = \mathrm{tr}\,M^2 + 2 \det M$"),
    role="remark",
    so=r"Since $M^2 = P B P$, this is $\mathrm{tr}\,M = \sqrt{\mathrm{tr}(AB) + 2\sqrt{\det A \det B}}$.",
)

_RNG = np.random.default_rng(0)


def _covariances(count, size):
    factors = _RNG.standard_normal((count, size, size))
    return factors @ factors.swapaxes(1, 2) + 0.1 * np.eye(size)


@derivation.numeric(
    r"\mathrm{tr}(A^{1/2} B A^{1/2})^{1/2} = \sum_i \sqrt{\lambda_i(AB)}",
    because=r"$P M^2 P^{-1} = P P B P P^{-1} = A B$, so $AB$ has the eigenvalues of $M^2$. At 20 pairs of covariances in three "
    "dimensions, the left side by the code.",
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
    because="Carry $X$ to $Y$ and $Y$ to $Z$ by the linear maps: the result has the law of $Z$, so it costs at least $d(X, Z)$; "
    "then the triangle inequality of the mean square. Equality where all covariances are multiples of one, in order of size.",
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
    "Now its estimate. Mean and covariance of $N$ samples of a law replace its own; two samples of one law in one dimension "
    "tell the rest."
)
j = derivation.index("j", "a value of the estimate")
w = derivation.law("w", j, "the law of the estimated standard deviation")
s = derivation.numbers("s", j, "the estimated standard deviation", positive=True)
j2 = derivation.index("j_2", "its value from the other sample")
derivation.chain(
    "Two estimates of one standard deviation differ",
    Expectation(w, Expectation(w.at(j2), (s - s.at(j2)) ** 2)),
    equals(2 * Variance(w, s), "expand the square; the samples are independent"),
    equals(2 * (Expectation(w, s**2) - Expectation(w, s) ** 2), "a variance is the mean square less the squared mean"),
    role="lemma",
)
n = derivation.index("n", "a sample")
N = derivation.count(n, "N", "the number of samples of each", "len(features)")
derivation.symbol("c_N", r"$\mathbb{E}\,s / \sigma$ of $N$ Gaussian samples")
derivation.say(
    r"The means differ by $2\sigma^2/N$ in the mean square. With $N - 1$ in the covariance $\mathbb{E}\,s^2 = \sigma^2$, and "
    r"with the mean of a chi law, $c_N = \mathbb{E}\,s/\sigma = \sqrt{\frac{2}{N-1}}\, \Gamma(\frac N2) / "
    r"\Gamma(\frac{N-1}{2})$, both parts give $\mathbb{E}\,\hat d^2 = \sigma^2 \left(\frac2N + 2(1 - c_N^2)\right)$."
)


def _c(size):
    return np.sqrt(2 / (size - 1)) * np.exp(gammaln(size / 2) - gammaln((size - 1) / 2))


def _bias(size):
    """The expected distance of two samples of one Gaussian of variance 1, in one dimension."""
    return 2 / size + 2 * (1 - _c(size) ** 2)


@derivation.numeric(
    r"N \left(\frac2N + 2(1 - c_N^2)\right) = 3 + \frac{3}{4N} + \dots",
    because=r"Stirling's series, $c_N = 1 - \frac{1}{4N} - \frac{7}{32N^2} - \dots$; at $N = 200, 400, 800$.",
    tolerance=1e-5,
    since="the series goes on with a term in the square of 1/N",
)
def the_bias_falls_as_one_over_n():
    sizes = np.array([200.0, 400.0, 800.0])
    return Sides(left=sizes * _bias(sizes), right=3 + 3 / (4 * sizes))


derivation.say(
    "So two models whose distances were estimated from unequal numbers of samples cannot be compared. A line against $1/N$ "
    "removes the first term: its intercept is the estimate at infinitely many."
)
derivation.say(
    r"If both covariances are diagonal, $A$, $B$ and $M$ have the entries $\sigma_h^2$, $\tau_h^2$ and $\sigma_h \tau_h$ there: "
    r"$d^2$ is a sum over dimensions of $(\mu_h - \nu_h)^2 + (\sigma_h - \tau_h)^2$, as in one."
)
d = derivation.index("h", "a dimension")
mean_x, mean_y = derivation.numbers(r"\mu", d, "the mean of a dimension"), derivation.numbers(r"\nu", d, "... of the other law")
log_x = derivation.numbers(r"\ell", d, "the logarithm of its variance", "log_var_x")
log_y = derivation.numbers(r"\ell'", d, "... of the other law's", "log_var_y")
derivation.bridge(
    "The code computes the distance of diagonal covariances",
    Total(d, (mean_x - mean_y) ** 2 + (exp(log_x / 2) - exp(log_y / 2)) ** 2),
    diagonal_frechet_distance,
    mean_x=[mean_x],
    log_var_x=[log_x],
    mean_y=[mean_y],
    log_var_y=[log_y],
    wrong={"variances in place of standard deviations": Total(d, (mean_x - mean_y) ** 2 + (exp(log_x) - exp(log_y)) ** 2)},
)
d2, d3 = derivation.index("l", "another dimension"), derivation.index("h'", "a third")
factor_a = derivation.numbers("F", (d, d2), "a factor of $A$")
factor_t = derivation.numbers("G", (d, d2), "a factor of $T$")
covariance_a = derivation.define("A", Total(d3, factor_a.at(d, d3) * factor_a.at(d2, d3)), "the covariance of $X$", over=(d, d2))
carrying = derivation.define("T", Total(d3, factor_t.at(d, d3) * factor_t.at(d2, d3)), "the map", over=(d, d2))
product_ta = derivation.define("(TA)", Total(d3, carrying.at(d, d3) * covariance_a.at(d3, d2)), "their product", over=(d, d2))
covariance_b = derivation.define(
    "B", Total(d3, product_ta.at(d, d3) * carrying.at(d3, d2)), "the covariance of $Y$", over=(d, d2)
)
between = Total(d, (mean_x - mean_y) ** 2)
traces = Total(d, covariance_a.at(d, d) + covariance_b.at(d, d))
derivation.bridge(
    "... and of full ones: the cost of the map",
    plus(between, traces, -2 * Total(d, product_ta.at(d, d))),
    frechet_distance,
    mean_x=mean_x,
    covariance_x=covariance_a,
    mean_y=mean_y,
    covariance_y=covariance_b,
    wrong={"the trace once": plus(between, traces, -Total(d, product_ta.at(d, d)))},
    states=2,
)
f = derivation.numbers("f", (d, n), "a feature of a sample", "features")

center = Total(n, f) / N
covariance = Total(n, (f - center) * (f.at(d2, n) - Total(n, f.at(d2, n)) / N))
derivation.bridge(
    "... mean and covariance of features",
    (center, covariance / (N - 1)),
    gaussian_statistics,
    features=[f.at(d, s) for s in range(4)],
    wrong={"divided by N": (center, covariance / N)},
)
limit = derivation.number("u", "the distance at infinitely many samples")
slope = derivation.number("v", "the slope of the distance against one over the number")
derivation.bridge(
    "... and the intercept of a line, here through 2, 4, 5 and 8 samples",
    limit,
    extrapolate_to_infinity,
    sample_sizes=np.array([2, 4, 5, 8]),
    distances=[limit + slope / size for size in (2, 4, 5, 8)],
)

_A, _B, _ZERO = np.array([[2.0, 1.0], [1.0, 2.0]]), np.diag([4.0, 1.0]), np.zeros(2)


@derivation.example(
    r"Equal means, $A = \begin{pmatrix}2&1\\1&2\end{pmatrix}$ and $B = \begin{pmatrix}4&0\\0&1\end{pmatrix}$: $\mathrm{tr}(AB) "
    r"= 10$ and $\det A \det B = 12$."
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


def _root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values) @ vectors.T


@derivation.figure(
    "Left: the Gaussians of the example, as the ellipses one standard deviation from the mean. The best coupling carries each "
    "point $x$ to $Tx$. Right: the mean distance of two samples of $N$ from one Gaussian in one dimension, over 4000 pairs "
    "(dots), against $1/N$; the line is $2/N + 2(1 - c_N^2)$.",
    panels=2,
)
def the_map_and_the_bias(plane, bias):
    root = _root(_A)
    back = np.linalg.inv(root)
    angles = np.linspace(0, 2 * np.pi, 97)
    circle = root @ np.stack([np.cos(angles), np.sin(angles)])
    moved = back @ _root(root @ _B @ root) @ back @ circle
    plane.plot(*circle, label="$A$")
    plane.plot(*moved, label="$B$")
    plane.plot(*np.stack([circle[:, ::6], moved[:, ::6]], axis=1), color="gray", linewidth=0.7)
    plane.set(xlabel="first coordinate", ylabel="second coordinate", aspect="equal")
    plane.legend(loc="upper left")
    sizes, drawn = np.array([5, 8, 12, 20, 50]), np.random.default_rng(0)
    found = []
    for size in sizes:
        x, y = drawn.standard_normal((2, 4000, size))
        moments = [part[:, None] for each in (x, y) for part in (each.mean(1), np.log(each.var(1, ddof=1)))]
        found.append(np.mean(diagonal_frechet_distance(*moments)))
    fine = np.linspace(5, 200, 300)
    bias.plot(1 / sizes, found, "o", label="mean of 4000")
    bias.plot(1 / fine, _bias(fine), label="expected")
    bias.set(xlabel="$1/N$", ylabel="mean squared distance")
    bias.legend()


@derivation.exercise(r"What is the distance of $\mathcal{N}(0, 1)$ and $\mathcal{N}(1, 4)$?", r"$(0 - 1)^2 + (1 - 2)^2 = 2$.")
def two_gaussians():
    yield frechet_distance(np.zeros(1), np.eye(1), np.ones(1), 4 * np.eye(1)), "2"


@derivation.exercise(
    r"A fair coin on $\pm 1$, and the law on $\{-\sqrt2, 0, \sqrt2\}$ with $(\frac14, \frac12, \frac14)$: what are their "
    "Frechet distance and their $W_2^2$?",
    "Means and variances agree, so the Frechet distance is 0. Sorted points are coupled: half of them move by 1, half by "
    r"$\sqrt2 - 1$, and $W_2^2 = \frac12 + \frac12 (\sqrt2 - 1)^2 = 0.5858$.",
)
def two_moments():
    coin, other = np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([[-np.sqrt(2)], [0.0], [0.0], [np.sqrt(2)]])
    yield np.round(frechet_feature_distance(coin, other), 12), "0"
    yield np.mean((coin - other) ** 2), "0.5858"


@derivation.exercise(
    "Two samples of one standard Gaussian: what is the expected distance at $N = 50$ and at $N = 100$, and the intercept of the "
    "line through both?",
    "0.06030 and 0.03008. The intercept is -0.00015: what is left of the bias has the other sign.",
)
def extrapolated():
    sizes = np.array([50, 100])
    yield _bias(50.0), "0.06030"
    yield _bias(100.0), "0.03008"
    yield extrapolate_to_infinity(sizes, _bias(sizes.astype(float))), "-0.00015"
