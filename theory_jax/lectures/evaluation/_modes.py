"""Parts of the lecture on mode coverage: equal modes, comparisons with the code, an expected divergence, and the figure."""

from functools import partial
from math import comb

import jax
import numpy as np
from sympy import log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.notation import Total, plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.mode_coverage import birthday_support_estimate, collision_log_probability, mode_kl_divergence


def expected_divergence(samples):
    """Of three equally likely modes: every count of every mode, weighted by how often it is drawn."""
    counts = np.array([(a, b, samples - a - b) for a in range(samples + 1) for b in range(samples + 1 - a)])
    ways = np.array([comb(samples, a) * comb(samples - a, b) for a, b, _ in counts], dtype=float)
    assignments = np.array([np.repeat(np.arange(3), count) for count in counts])
    divergences = jax.vmap(lambda rows: mode_kl_divergence(rows, np.full(3, -np.log(3))))(assignments)
    return float(ways @ divergences) / 3**samples


def tilted(count, tilt):
    """Probabilities of `count` modes that fall by a constant factor e^-tilt from each to the next."""
    weights = np.exp(-tilt * np.arange(count))
    return weights / weights.sum()


def draw_seen_and_estimated(seen, estimated):
    """The expected number of modes covered; and the birthday estimate as modes become unequal."""
    sizes = np.arange(1, 65)
    for tilt, label in ((0.0, "equally likely"), (np.log(2), "halving")):
        misses = 1 - tilted(8, tilt)
        seen.plot(sizes, (1 - misses ** sizes[:, None]).sum(axis=1), label=label)
    seen.axhline(8, color="black", linewidth=1)
    seen.set(xlabel="samples, $N$", ylabel=r"$\mathbb{E}[\mathrm{covered}]$", ylim=(0, 8.5))
    seen.legend(loc="lower right")
    tilts = np.linspace(0, 0.4, 9)
    for size in (3, 8):
        laws = np.log([tilted(30, tilt) for tilt in tilts])
        chances = np.exp(jax.vmap(partial(collision_log_probability, sample_size=size))(laws))
        estimates = birthday_support_estimate(sample_size=size, collision_probability=chances)
        estimated.plot(np.exp(-tilts), estimates / 30, "o-", label=f"$s = {size}$")
    estimated.axhline(1, color="black", linewidth=1)
    estimated.set(xlabel="factor from each mode to the next", ylabel=r"$\hat K / K$", ylim=(0, 1.08))
    estimated.legend(loc="center left")


def equal_modes(derivation):
    """Adds to the lecture that modes of equal probability collide least."""
    x = derivation.number("x", "the probability of one mode", positive=True)
    y = derivation.number("y", "... and of another", positive=True)
    rest0 = derivation.number("e_{s-2}", "the sum of all products of $s-2$ of the other probabilities; 1 for none", positive=True)
    rest1 = derivation.number("e_{s-1}", "... of $s-1$ of them", positive=True)
    rest2 = derivation.number("e_s", "... of $s$ of them", positive=True)
    derivation.chain(
        "Two modes that are made equally likely collide less",
        plus(((x + y) / 2) ** 2 * rest0, 2 * ((x + y) / 2) * rest1, rest2, -(x * y * rest0 + (x + y) * rest1 + rest2)),
        equals(
            times((x - y) ** 2 / 4, rest0),
            prose(
                "sets of $s$ modes contain both, one or none of the two; {square}",
                square=holds(plus(((x + y) / 2) ** 2, -x * y), "=", (x - y) ** 2 / 4),
            ),
        ),
        at_least(
            0,
            prose("a square times a sum of products of probabilities; equality only at {same}", same=where(x, y)),
            dropping=times((x - y) ** 2 / 4, rest0),
        ),
        so="$s$ samples from $s$ different modes, in any order, have the probability $s!$ times the sum of all products of "
        "$s$ probabilities. It is continuous, so it has a maximum over all distributions on $s$ modes or more. There at least "
        "$s$ probabilities are positive, so $e_{s-2}$ is for every two modes, and no two probabilities differ: samples of the "
        "uniform distribution collide least.",
        role="lemma",
    )


def comparisons_with_the_code(derivation, p, k):
    """Adds to the lecture the comparisons of collisions, of the estimate and of the divergence."""
    P = derivation.number("P_s", "the chance that some two samples agree", "exp(collision_log_probability)", between=(0, 1))
    derivation.bridge(
        "The code computes the chance of a collision",
        log(3 * Total(k, p**2) - 2 * Total(k, p**3)),
        collision_log_probability,
        log_probs=log(p),
        sample_size=3,
        wrong={"no collision": log(1 - 3 * Total(k, p**2) + 2 * Total(k, p**3))},
    )
    derivation.bridge(
        "... the estimate, for seven samples",
        -42 / (2 * log(1 - P)),
        birthday_support_estimate,
        sample_size=7,
        collision_probability=[P],
        wrong={"the half forgotten": -42 / log(1 - P), "the chance of a collision in the logarithm": -42 / (2 * log(P))},
    )
    stairs = np.repeat(np.arange(4), np.arange(1, 5))  # one sample of the first of four modes, two of the second, ...
    derivation.bridge(
        "... and the divergence, with $k + 1$ of ten samples in mode $k$",
        Total(k, (k + 1) / 10 * log((k + 1) / (10 * p))),
        mode_kl_divergence,
        assignments=np.append(stairs, [-1, -1]),
        log_mode_probs=log(p),
        wrong={"the two outside in the denominator": Total(k, (k + 1) / 12 * log((k + 1) / (12 * p)))},
    )
