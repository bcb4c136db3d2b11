"""Parts of the lecture on super-resolution: projected predictions, errors of two pixels, and the figure."""

import itertools
import math

import numpy as np
from sympy import sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.prose import holds, prose, where


def projected_predictions(derivation, a, rho):
    """Adds to the lecture what projecting the predictions of an unconditional network does."""
    derivation.say(
        "May one project the predictions of a network that never saw $y$, in place of training? Let the known part $r$ of the "
        r"image and a free one $q$ be normal, with variance 1 and correlation $\rho$. The network sees both noised, $r_t$ and "
        "$q_t$; the projection then puts $y$ in the place of $r$ in its prediction."
    )
    rest = derivation.define("V", 1 - a**2 * rho**2, "the variance of $q_t$ given $r_t$", positive=False)
    q_weight = derivation.define(
        "b", sqrt(a) * (1 - a * rho**2) / rest, "the weight of $q_t$ in the mean of $q$ given $q_t$ and $r_t$"
    )
    r_weight = derivation.define("d", sqrt(a) * rho * (1 - a) / rest, "the weight of $r_t$")
    exact = derivation.define(
        "h", sqrt(a) * (1 - rho**2) / (1 - a * rho**2), "the weight of $q_t$ in the mean of $q$ given $q_t$ and $r$"
    )
    for title, left, right in (
        ("The error of the unconditional prediction is uncorrelated with the free part", q_weight + a * rho * r_weight, sqrt(a)),
        (
            "The error of the unconditional prediction is uncorrelated with the known part",
            a * rho * q_weight + r_weight,
            sqrt(a) * rho,
        ),
        (
            "The error of the conditional prediction, given $y$, is uncorrelated with the free part",
            exact * (1 - a * rho**2),
            sqrt(a) * (1 - rho**2),
        ),
    ):
        derivation.chain(
            title,
            left,
            equals(
                right, r"$q_t$ and $r_t$ have variance 1 and covariance $a \rho$; given $y$, $q_t$ has variance $1 - a \rho^2$"
            ),
            role="lemma",
        )
    derivation.chain(
        "The projected unconditional prediction trusts its own noise too much",
        q_weight - exact,
        equals(
            sqrt(a) * rho**2 * (1 - a) ** 2 / (rest * (1 - a * rho**2)),
            "common denominator; factor",
            wrong={"no difference": 0 * a, "one factor": sqrt(a) * rho**2 * (1 - a) / (rest * (1 - a * rho**2))},
        ),
        at_least(
            0,
            prose("all factors are positive; equality at {none}", none=where(rho, 0)),
            dropping=sqrt(a) * rho**2 * (1 - a) ** 2 / ((1 - a**2 * rho**2) * (1 - a * rho**2)),
        ),
        role="remark",
        so=prose(
            "Both predictions agree without correlation or without noise only: at {clean} the difference is {none}. "
            "Projecting is replacement, as in the lecture on inpainting, with means of blocks for the known pixels: "
            "consistent with $y$, and not a sample of $p(x|y)$.",
            clean=where(a, 1),
            none=holds(q_weight - exact, "=", 0, named=True),
        ),
    )


SIGNS = np.array(list(itertools.product((-1.0, 1.0), repeat=2)))  # (two pixels), all equally likely


def decibels(error, data_range=2.0):
    """PSNR of a mean squared error."""
    return 10 * math.log10(data_range**2 / error)


def errors_of_two_pixels():
    """Squared errors of a pixel: of the mean given the sum, and of a sample."""
    groups = [SIGNS[SIGNS.sum(1) == total] for total in (-2, 0, 2)]
    weights = np.array([len(group) for group in groups]) / 4
    of_mean = [np.mean((group - group.mean(0)) ** 2) for group in groups]
    of_sample = [np.mean((group[:, None] - group) ** 2) for group in groups]
    return weights @ of_mean, weights @ of_sample


def draw_plane_and_price(plane, price):
    """The nearest consistent image of two pixels; and the error on the way from the mean to a sample."""
    line = np.array([-0.8, 1.2])
    plane.plot(line, 0.4 - line, color="gray", label="$Ax = y$")
    x0 = np.array([0.9, 0.3])
    moved = x0 + 0.2 - x0.mean()
    plane.annotate("", moved, x0, arrowprops={"arrowstyle": "->"})
    plane.plot(*x0, "o", color=BLUE, label="$x$")
    plane.plot(*moved, "o", color="black", label="$x^*$")
    plane.plot(*np.array([[1.1, -0.7], [-0.7, 1.1]]), "s", color=BLUE, label="sharp images")
    plane.plot(0.2, 0.2, "x", color="black", label="$m$")
    plane.set(xlabel="first pixel", ylabel="second pixel", aspect="equal")
    plane.legend()
    way, of_mean = np.linspace(0, 1, 51), errors_of_two_pixels()[0]
    price.plot(way, (1 + way**2) * of_mean, color=BLUE, label="squared error")
    price.plot(way, 1 - of_mean + way**2 * of_mean, "--", color="black", label="variance of the images")
    price.set(xlabel=r"$\kappa$", ylabel="error, variance", ylim=(0, None))
    price.legend()
