"""Parts of the lecture on the Frechet distance: what the code computes, the bias of two samples, and the figure."""

import numpy as np
from scipy.special import gammaln
from sympy import exp

from theory_jax.derivation.notation import Total, plus
from theory_jax.evaluation.frechet_distance import (
    diagonal_frechet_distance,
    extrapolate_to_infinity,
    frechet_distance,
    gaussian_statistics,
)


def distances_of_the_code(derivation, n, N):
    """Adds to the lecture the comparisons with the code: distances, statistics and the intercept."""
    derivation.say(
        r"If both covariances are diagonal, $A$, $B$ and $M$ have the entries $\sigma_h^2$, $\tau_h^2$ and $\sigma_h \tau_h$ "
        r"there: $d^2$ is a sum over dimensions of $(\mu_h - \nu_h)^2 + (\sigma_h - \tau_h)^2$, as in one."
    )
    d = derivation.index("h", "a dimension")
    mean_x, mean_y = derivation.numbers(r"\mu", d, "the mean of a dimension"), derivation.numbers(r"\nu", d, "... of the other")
    log_x = derivation.numbers(r"\ell", d, "the logarithm of its variance", "log_var_x")
    log_y = derivation.numbers(r"\ell'", d, "... of the other's", "log_var_y")
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
    covariance_a = derivation.define(
        "A", Total(d3, factor_a.at(d, d3) * factor_a.at(d2, d3)), "the covariance of $X$", over=(d, d2)
    )
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


def mean_of_chi(size):
    """The mean standard deviation of samples of a standard Gaussian."""
    return np.sqrt(2 / (size - 1)) * np.exp(gammaln(size / 2) - gammaln((size - 1) / 2))


def expected_bias(size):
    """The expected distance of two samples of one Gaussian of variance 1, in one dimension."""
    return 2 / size + 2 * (1 - mean_of_chi(size) ** 2)


def root_of(matrix):
    """The symmetric root of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values) @ vectors.T


def draw_the_map(plane, covariance_x, covariance_y):
    """Two Gaussians as ellipses, and where the best coupling carries points of the first."""
    root = root_of(covariance_x)
    back = np.linalg.inv(root)
    angles = np.linspace(0, 2 * np.pi, 97)
    circle = root @ np.stack([np.cos(angles), np.sin(angles)])
    moved = back @ root_of(root @ covariance_y @ root) @ back @ circle
    plane.plot(*circle, label="$A$")
    plane.plot(*moved, label="$B$")
    plane.plot(*np.stack([circle[:, ::6], moved[:, ::6]], axis=1), color="gray", linewidth=0.7)
    plane.set(xlabel="first coordinate", ylabel="second coordinate", aspect="equal")
    plane.legend(loc="upper left")


def draw_the_bias(bias):
    """The mean distance of two samples of one Gaussian, drawn and expected."""
    sizes, drawn = np.array([5, 8, 12, 20, 50]), np.random.default_rng(0)
    found = []
    for size in sizes:
        x, y = drawn.standard_normal((2, 4000, size))
        moments = [part[:, None] for each in (x, y) for part in (each.mean(1), np.log(each.var(1, ddof=1)))]
        found.append(np.mean(diagonal_frechet_distance(*moments)))
    fine = np.linspace(5, 200, 300)
    bias.plot(1 / sizes, found, "o", label="mean of 4000")
    bias.plot(1 / fine, expected_bias(fine), label="expected")
    bias.set(xlabel="$1/N$", ylabel="mean squared distance")
    bias.legend()


def draw_slopes_and_ring(bounds, plane):
    """Left: the lower bound of every slope, for deviations 1 and 2. Right: two samples with the same mean and covariance."""
    slopes = np.geomspace(0.8, 5, 81)
    bounds.plot(slopes, (1 - slopes) + (1 - 1 / slopes) * 4, label="bound of a slope")
    bounds.plot(2, 1, "o")
    bounds.axhline(1, linestyle="--", color="gray", label="least cost of a coupling")
    bounds.set(xlabel="slope $t$", ylabel="mean squared distance")
    bounds.legend(loc="lower center")
    drawn = np.random.default_rng(2).standard_normal((2, 200, 2))
    ring = drawn[1] / np.linalg.norm(drawn[1], axis=1, keepdims=True) + 0.1 * drawn[0]
    samples = []
    for found in (drawn[0], ring):
        centered = found - found.mean(axis=0)
        samples.append(centered @ np.linalg.inv(root_of(np.cov(centered.T))))
    distance = frechet_distance(*gaussian_statistics(samples[0]), *gaussian_statistics(samples[1]))
    for sample, label in zip(samples, ("Gaussian", "ring"), strict=True):
        plane.plot(*sample.T, ".", markersize=3, label=label)
    plane.set(xlabel="first feature", ylabel="second feature", title=rf"$d^2 = {abs(float(distance)):.4f}$", aspect="equal")
    plane.set(xlim=(-3.2, 6.5))
    plane.legend(loc="upper right")
