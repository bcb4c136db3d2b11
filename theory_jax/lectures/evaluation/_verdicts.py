"""Parts of the lecture on human evaluation: intervals and their coverage, mean opinions of the code, and the figure."""

import math

import numpy as np
from sympy import sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.notation import Expectation, Total, Variance, plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.human_evaluation import Z_95, mean_opinion_score, wilson_interval

CHANCES = np.linspace(0.05, 0.95, 91)
OF_20 = np.arange(21)


def walds_interval(successes, trials, z):
    """Wald's interval."""
    share = successes / trials
    half = z * np.sqrt(share * (1 - share) / trials)
    return share - half, share + half


def binomial(trials, chances):
    """The probability of every number of successes, [chances, trials + 1]."""
    successes = np.arange(trials + 1)
    ways = np.array([math.comb(trials, int(count)) for count in successes], dtype=float)
    return ways * chances[:, None] ** successes * (1 - chances[:, None]) ** (trials - successes)


def coverage(ends, trials, chances):
    """How often an interval, of every number of successes, holds each of the chances."""
    low, high = (np.asarray(end) for end in ends)
    inside = (low <= chances[:, None]) & (chances[:, None] <= high)
    return np.sum(binomial(trials, chances) * inside, axis=1)


def mean_of_the_code(derivation, c, y, z):
    """Adds to the lecture the comparison of mean opinions."""
    N = derivation.count(c, "N", "the number of ratings")
    average = Total(c, y) / N
    c4 = derivation.index("c'", "another rating")
    spread = Total(c4, (y.at(c4) - average) ** 2)
    derivation.bridge(
        "... and a mean opinion with the half-width of its interval",
        (average, z * sqrt(spread / (N * (N - 1)))),
        mean_opinion_score,
        ratings=y,
        z=z,
        wrong={"the deviation of one rating": (average, z * sqrt(spread / (N - 1)))},
    )


def draw_coverage_and_parabola(covered, parabola):
    """Coverage of both intervals for 20 trials; and the parabola of Wilson's."""
    chances, trials = np.linspace(0.005, 0.995, 400), np.full(21, 20)
    covered.plot(chances, coverage(wilson_interval(OF_20, trials), 20, chances), label="Wilson")
    covered.plot(chances, coverage(walds_interval(OF_20, trials, Z_95), 20, chances), label="Wald")
    covered.axhline(0.95, color="black", linewidth=1)
    covered.set(xlabel="$p$", ylabel="coverage", ylim=(0, 1.03))
    covered.legend(loc="lower center")
    tested = np.linspace(0.6, 1.05, 100)
    parabola.plot(tested, (0.9 - tested) ** 2 - Z_95**2 * tested * (1 - tested) / 20)
    ends = np.concatenate(wilson_interval(np.array([18]), np.array([20])))
    parabola.plot(ends, 0 * ends, "o")
    parabola.plot(walds_interval(18, 20, Z_95), (-0.004, -0.004), color="gray", linewidth=4)
    parabola.axhline(0, color="black", linewidth=1)
    parabola.set(xlabel="$p$", ylabel=r"$(\hat p - p)^2 - z^2 p (1 - p) / n$")


def mean_opinions(derivation, t, c, raters):
    """Adds to the lecture that the variance of ratings is estimated with N - 1; returns the chain and the ratings."""
    c1, c2, c3 = raters
    y = derivation.numbers("y", c, "the rating of a category: 1 to 5, say", "ratings")
    mean_of_three = (y.at(c1) + y.at(c2) + y.at(c3)) / 3

    def of_three(body):
        """Its expectation over three independent raters."""
        return Expectation(t.at(c1), Expectation(t.at(c2), Expectation(t.at(c3), body)))

    squares = derivation.define(
        "S({},{},{})",
        plus(*((y.at(of) - mean_of_three) ** 2 for of in (c1, c2, c3))),
        "squared distances of three ratings from their mean",
        over=(c1, c2, c3),
    )
    opinions = derivation.chain(
        "Squares over N - 1 estimate the variance of a rating without bias",
        of_three(squares / 2),
        equals(
            of_three(plus((y.at(c1) - y.at(c2)) ** 2, (y.at(c1) - y.at(c3)) ** 2, (y.at(c2) - y.at(c3)) ** 2) / 6),
            prose(
                "squared distances from the mean are those of all pairs, divided by the number: {pairs}",
                pairs=holds(
                    squares, "=", plus((y.at(c1) - y.at(c2)) ** 2, (y.at(c1) - y.at(c3)) ** 2, (y.at(c2) - y.at(c3)) ** 2) / 3
                ),
            ),
        ),
        equals(
            Expectation(t.at(c1), Expectation(t.at(c2), (y.at(c1) - y.at(c2)) ** 2)) / 2,
            "the three pairs have the same distribution",
        ),
        equals(Variance(t, y), "expand the square; the two are independent", wrong={"divided by N": 2 * Variance(t, y) / 3}),
        states=2,
        so="So $s^2$, the squares over $N - 1$, estimates the variance of one rating without bias, and $s^2 / N$ that of the "
        r"mean: the interval is $\bar y \pm z s / \sqrt N$. Divided by $N$ instead, it would be too short, by 13% for four "
        "raters.",
        role="lemma",
    )
    return opinions, y


def total_variation(real, fake):
    """The total variation distance."""
    return 0.5 * np.abs(real - fake).sum()
