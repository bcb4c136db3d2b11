"""Parts of the lecture on memorization: how many copies show, many dimensions, distances of the code, and the figure."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import sympy
from sympy import Min, Rational, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.notation import Limit, SquaredNorm, plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.evaluation.memorization import authenticity, data_copying_z_score, nearest_distance, nearest_distance_ratio


def share_outside(dimension):
    """h. The incomplete beta function gives the share of a ball in two caps, whose planes halve its radius."""
    return 1 - scipy.special.betainc((np.asarray(dimension) + 1) / 2, 0.5, 0.75)


def draw_distances_and_dimensions(distances, dimensions):
    """Distances of copies and of fresh points; and how often a fresh point is authentic, by the dimension."""
    rng = np.random.default_rng(0)
    training, test, fresh = rng.normal(size=(3, 100, 2))
    noisy = training + 0.05 * rng.normal(size=training.shape)
    edges = np.linspace(0, 1, 26)
    for name, points in (("fresh", fresh), ("noisy copies", noisy)):
        score = float(data_copying_z_score(points, training, test))
        distances.hist(np.asarray(nearest_distance(points, training)), edges, alpha=0.6, label=f"{name}, $z = {score:.1f}$")
    distances.hist(np.asarray(nearest_distance(test, training)), edges, histtype="step", color="black", label="test")
    distances.set(xlabel=r"distance to the nearest training point, $\delta$", ylabel="points")
    distances.legend()
    every = np.arange(1, 13)
    dimensions.plot(every, share_outside(every) / (1 + share_outside(every)), label=r"limit, $h/(1 + h)$")
    few = (1, 2, 3)
    draws = [rng.uniform(size=(1000, 51, size)) for size in few]
    shares = [float(jnp.mean(jax.vmap(authenticity)(sets[:, :1], sets[:, 1:]))) for sets in draws]
    dimensions.plot(few, shares, "o", color="black", label="drawn, $M = 50$")
    dimensions.axhline(0.5, color="gray", linewidth=1)
    dimensions.set(xlabel="dimension, $D$", ylabel="fresh points that are authentic", ylim=(0.3, 0.52))
    dimensions.legend(loc="lower right")


def fewest_copies(derivation, Q, P, lowest):
    """Adds to the lecture how many copies a score below -5 needs."""
    n = derivation.number("n", "the number of generated and of test points, if these are equal", positive=True)
    derivation.chain(
        "A score below -5 needs eighteen copies, with as many test points",
        3 * n**2 / (2 * n + 1) - 25,
        equals(
            (3 * n**2 - 50 * n - 25) / (2 * n + 1),
            prose(
                "{square} with $n$ of each, on one denominator",
                square=holds(plus(lowest**2, -25), "=", 3 * n**2 / (2 * n + 1) - 25, when={Q: n, P: n}),
            ),
        ),
        equals(
            3 * (n - (25 + 10 * sqrt(7)) / 3) * (n - (25 - 10 * sqrt(7)) / 3) / (2 * n + 1),
            r"the roots of the numerator are $\frac{25 \pm 10 \sqrt 7}{3}$: $17.15$, and one below zero",
        ),
        role="remark",
        so=prose(
            "So at least 18 of each. With more test points fewer copies are enough, but never fewer than 9, since for every $P$ "
            "{below}.",
            below=holds(lowest**2, "<", 3 * Q),
        ),
    )


def many_dimensions(derivation, D):
    """Adds to the lecture how often a fresh point is authentic in many dimensions."""
    derivation.chain(
        "In many dimensions it is one half",
        Limit(1 - 1 / (2 - Rational(3, 4) ** (D / 2)), D, sympy.oo, "-"),
        equals(
            Rational(1, 2),
            prose(
                r"what two balls share is in a ball of radius $\sqrt{3/4}$ around the middle, so $h$ is at least {least}, which "
                "goes to 1, since {gone}; the limit is that of $h / (1 + h)$ at the least $h$, and no $h$ exceeds 1",
                least=1 - Rational(3, 4) ** (D / 2),
                gone=holds(Limit(Rational(3, 4) ** (D / 2), D, sympy.oo, "-"), "=", 0),
            ),
        ),
        role="remark",
    )


def distances_of_the_code(derivation):
    """Adds to the lecture the comparisons of the distance and of its ratio."""
    i = derivation.index("i", "a coordinate")
    y = derivation.numbers("y", i, "a point", "queries")
    first = derivation.numbers("v", i, "one reference", "references[0]")
    second = derivation.numbers("w", i, "another reference", "references[1]")
    one, two = sqrt(SquaredNorm(i, y - first)), sqrt(SquaredNorm(i, y - second))
    derivation.bridge(
        "The code computes the distance to the nearest",
        Min(one, two),
        nearest_distance,
        queries=[y],
        references=[first, second],
        wrong={"always the first reference": one, "squared distances": Min(one, two) ** 2},
    )
    derivation.bridge(
        "... and its ratio to the second nearest",
        Min(one / two, two / one),
        nearest_distance_ratio,
        queries=[y],
        references=[first, second],
        wrong={"squared distances": Min(one / two, two / one) ** 2},
    )


def score_of_copies(generated, test):
    """All generated points are the training point, and no test point is."""
    return data_copying_z_score(np.zeros((generated, 1)), np.zeros((1, 1)), np.ones((test, 1)))
