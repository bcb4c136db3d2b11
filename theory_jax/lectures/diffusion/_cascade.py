"""Parts of the lecture on cascades: what noise costs the second stage, and the figure."""

import numpy as np
from sympy import sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.chains import equals
from theory_jax.derivation.notation import Expectation, Normal, plus, times
from theory_jax.derivation.prose import holds, prose


def price_of_noise(derivation, a):
    """Adds to the lecture what noise on the small image hides of a detail."""
    c = derivation.number("c", "the correlation of a detail with the low band", between=(0, 1))
    low, rest, fresh = (derivation.number(name, meaning) for name, meaning in (
        ("l_0", "a low band, standard normal"), ("w", "what it does not tell of the detail, standard normal"),
        ("z_0", "noise, standard normal")))  # fmt: skip
    detail = derivation.define("d_0", c * low + sqrt(1 - c**2) * rest, "a detail, of variance 1")
    seen = derivation.define(r"\tilde l_0", sqrt(a) * low + sqrt(1 - a) * fresh, "the noisy low band")

    def mean(body):
        return Expectation(Normal(low, 0, 1), Expectation(Normal(rest, 0, 1), Expectation(Normal(fresh, 0, 1), body)))

    derivation.chain(
        "The best prediction of a detail from the noisy low band is linear",
        mean(seen * plus(detail, times(-1, sqrt(a), c, seen))),
        equals(
            0,
            prose(
                "{covariance}, and {variance}",
                covariance=holds(mean(detail * seen), "=", sqrt(a) * c),
                variance=holds(mean(seen**2), "=", 1),
            ),
            wrong={"without the level": c},
        ),
        role="lemma",
    )
    derivation.chain(
        "The best prediction of a detail misses more, the more noise there is",
        mean(plus(detail, times(-1, sqrt(a), c, seen)) ** 2),
        equals(
            1 - a * c**2,
            prose("{sum}", sum=plus(1, -2 * a * c**2, a * c**2)),
            wrong={"without the level": 1 - c**2, "the root": 1 - sqrt(a) * c**2},
        ),
        role="remark",
        so=prose(
            "From {least} without noise to 1: the second stage must invent what $\\tilde l$ no longer tells. With an exact "
            "second stage this costs nothing, and full noise would be best; then the first stage is of no use. A learned one "
            "does better on an easier task, and a level between is found by measuring.",
            least=holds(1 - a * c**2, "=", 1 - c**2, when={a: 1}, named=True),
        ),
    )


def draw_mismatch_and_densities(mismatches, densities):
    """The mismatch of two first stages by the noise; and their densities before and after it."""
    kept = np.linspace(0.001, 1, 200)
    mismatches.plot(kept, kept / 2, color=BLUE, label="mean")
    spread = 1 + 3 * kept
    mismatches.plot(kept, (np.log(spread) + 1 / spread - 1) / 2, "--", color=BLUE, label="variance")
    mismatches.plot(kept, -np.log(1 - 0.64 * kept) / 2, color="gray", label="information")
    mismatches.set(xlabel="$a$", ylabel="nats")
    mismatches.legend()
    place = np.linspace(-4, 4, 200)
    densities.fill_between(place, np.exp(-(place**2) / 2) / np.sqrt(2 * np.pi), color="gray", alpha=0.3)
    for share, color in ((1.0, BLUE), (0.25, "black")):
        for mean, variance, line in ((np.sqrt(share), 1.0, "-"), (0.0, 1 + 3 * share, "--")):
            height = np.exp(-((place - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
            densities.plot(place, height, line, color=color)
    densities.set(xlabel="low band", ylabel="density")
