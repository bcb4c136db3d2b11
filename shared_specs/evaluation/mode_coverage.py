"""Contracts of mode coverage (lecture 14)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers, log_of, log_simplex, uniform, zeros

INTEGERS = "assignments are integers"
CENTERS = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]
# The second is at the distance 5 of the first center and the third between two; the others are outside, near, and nothing at all.
PLACES = [[1.0, 1.0], [3.0, 4.0], [5.0, 0.0], [3.0, 4.001], [9.0, -3.0], [2.0, 12.0], [np.nan, 0.0], [np.inf, 0.0]]
SOME = np.array([0, 2, -1, 0, 0, 2, -1, 1, 0])  # of four modes: 4, 1, 2, 0 samples
TARGET = log_simplex(4)
BYTES = np.array([255, 0, 7, 255, 254] + 251 * [7])  # narrow integers hold these, and not 256 modes or 256 samples
THREE = log_of([0.5, 0.25, 0.25])
UNEVEN = np.array([0, 0, 0, 1, -1, -1, -1, -1])  # of three modes: 3, 1, 0, and as many samples outside
UNEVEN_KL = 0.75 * np.log(0.75 * 3) + 0.25 * np.log(0.25 * 3)


SPEC = (
    Agree("assign_modes", "regular", given(x=uniform(7, 2, low=-2.0, high=8.0), centers=CENTERS, radius=4.0), differentiate=()),
    Agree("assign_modes", "at the radius, between two centers, and no place at all", given(x=PLACES, centers=CENTERS, radius=5.0),
          differentiate=(), frozen=("x", "centers")),
    Agree("assign_modes", "a radius that its square loses", given(x=[[0.1], [-0.3], [0.7]], centers=[[0.0]], radius=0.7),
          differentiate=(), frozen=("x", "centers")),
    Agree("assign_modes", "far from the origin", given(x=[[40001.0, 9.0], [40003.0, 8.0]],
          centers=[[40000.0, 8.0], [40004.0, 8.0]], radius=1.25), differentiate=(), frozen=("x", "centers")),
    Agree("covered_modes", "regular", given(assignments=SOME, num_modes=4), no_gradient=INTEGERS),
    Agree("covered_modes", "at least two", given(assignments=SOME, num_modes=4, minimum=2), no_gradient=INTEGERS),
    Agree("covered_modes", "no sample has a mode", given(assignments=np.full(3, -1), num_modes=4), no_gradient=INTEGERS),
    Agree("covered_modes", "256 modes", given(assignments=BYTES, num_modes=256), no_gradient=INTEGERS),
    Agree("high_quality_fraction", "regular", given(assignments=SOME, num_modes=4), no_gradient=INTEGERS, smallest_batch=1),
    Agree("high_quality_fraction", "no sample has a mode", given(assignments=np.full(3, -1), num_modes=4), no_gradient=INTEGERS),
    Agree("high_quality_fraction", "256 modes", given(assignments=BYTES, num_modes=256), no_gradient=INTEGERS),
    Agree("mode_kl_divergence", "regular", given(assignments=SOME, log_mode_probs=TARGET), smallest_batch=1),
    Agree("mode_kl_divergence", "an empty mode that should be empty",
          given(assignments=np.array([0, 1, -1, 0]), log_mode_probs=log_of([0.25, 0.75, 0.0]))),
    Agree("mode_kl_divergence", "a mode that should be empty", given(assignments=np.array([0, 2, -1]),
          log_mode_probs=log_of([0.25, 0.75, 0.0])), no_gradient="the divergence is infinite"),
    Agree("mode_kl_divergence", "one mode", given(assignments=np.array([0, 0, -1]), log_mode_probs=zeros(1))),
    Agree("mode_kl_divergence", "256 modes", given(assignments=BYTES, log_mode_probs=log_simplex(256))),
    *(Agree("collision_log_probability", f"{size} draws", given(log_probs=log_simplex(6), sample_size=size))
      for size in (2, 4, 9)),
    Agree("collision_log_probability", "one mode", given(log_probs=zeros(1), sample_size=3)),
    Agree("collision_log_probability", "an empty mode", given(log_probs=log_of([0.5, 0.0, 0.125, 0.375]), sample_size=3)),
    Agree("collision_log_probability", "one mode is almost certain",
          given(log_probs=log_of([1 - 3e-6, 1e-6, 2e-6]), sample_size=2)),
    Agree("birthday_support_estimate", "regular", given(sample_size=23, collision_probability=0.75)),
    Agree("birthday_support_estimate", "rare collisions", given(sample_size=2, collision_probability=1e-9)),
    Anchor(
        "assign_modes", "a radius of five", given(x=[[1.0, 1.0], [3.0, 3.9], [3.0, 4.1], [9.0, -3.0], [2.0, 12.0]],
                                                  centers=CENTERS, radius=5.0),
        gives=np.array([0, 0, -1, 1, 2]), source="by hand: squared distances 2, 24.21, 25.81, 10, 8",
        near_misses={"squared distances": [0, -1, -1, -1, -1], "sum of absolute differences": [0, -1, -1, 1, 2],
                     "no radius": [0, 0, 0, 1, 2], "counted from 1": [1, 1, -1, 2, 3]},
    ),
    Anchor("covered_modes", "at least two", given(assignments=SOME, num_modes=4, minimum=2), gives=2, source="by hand",
           near_misses={"at least one": 3, "more than two": 1, "samples outside are a mode": 3, "of the samples": 6}),
    Anchor("covered_modes", "at least one", given(assignments=SOME, num_modes=4), gives=3, source="by hand",
           near_misses={"samples outside are a mode": 4, "missing modes": 1, "share": 0.75}),
    Anchor("high_quality_fraction", "two of nine outside", given(assignments=SOME, num_modes=4), gives=7 / 9, source="by hand",
           near_misses={"share outside": 2 / 9, "share of the modes": 0.75, "mode 0 is none": 3 / 9}),
    Anchor(
        "mode_kl_divergence", "3, 1 and 0 of three modes", given(assignments=UNEVEN, log_mode_probs=log_of([1 / 3] * 3)),
        gives=UNEVEN_KL, source="by hand: 3/4 log 9/4 + 1/4 log 3/4",
        near_misses={
            "samples outside in the denominator": 0.375 * np.log(0.375 * 3) + 0.125 * np.log(0.125 * 3), "turned over": np.inf,
            "in bits": UNEVEN_KL / np.log(2), "samples outside are a mode": 0.375 * np.log(0.375 * 3)
            + 0.125 * np.log(0.125 * 3) + 0.5 * np.log(0.5 * 3), "sum over the samples": 4 * UNEVEN_KL},
    ),
    Anchor(
        "mode_kl_divergence", "a mode is missing", given(assignments=np.array([0, 2, 2, -1, 2]), log_mode_probs=log_of(
            [1 / 8, 1 / 2, 3 / 8])), gives=np.log(2), source="by hand: minus the logarithm of what is left",
        near_misses={"logarithm of what is missing": np.log(1 / 2), "against equal modes": UNEVEN_KL},
    ),
    Anchor(
        "collision_log_probability", "three draws", given(log_probs=THREE, sample_size=3), gives=np.log(13 / 16),
        source="by hand: 1 - 6/32",
        near_misses={"no collision": np.log(3 / 16), "the probability": 13 / 16, "two draws": np.log(3 / 8),
                     "orders forgotten": np.log(31 / 32), "independent pairs": np.log(1 - (5 / 8) ** 3),
                     "expected pairs": np.log(9 / 8)},
    ),
    Anchor("collision_log_probability", "two draws", given(log_probs=THREE, sample_size=2), gives=np.log(3 / 8), source="by hand",
           near_misses={"as if uniform": np.log(1 / 3), "two equal ones first": np.log(5 / 8)}),
    Anchor(
        "birthday_support_estimate", "three draws, 13/16", given(sample_size=3, collision_probability=13 / 16),
        gives=3 / np.log(16 / 3), source="by hand",
        near_misses={"the half forgotten": 6 / np.log(16 / 3), "s squared": 4.5 / np.log(16 / 3), "log P": 3 / np.log(16 / 13),
                     "1 - P for its logarithm": 3 * 16 / 13},
    ),
    Law.equal("every sample has a mode or none", given(assignments=integers(40, low=-1, high=6)),
              left=lambda f, a: f.high_quality_fraction(a, num_modes=6), right=lambda f, a: np.mean(a != -1)),
    Law.equal("as many modes as different assignments", given(assignments=integers(9, high=6)),
              left=lambda f, a: f.covered_modes(a, num_modes=6), right=lambda f, a: np.unique(a).size),
    Law.equal("samples outside do not count", given(assignments=SOME, log_mode_probs=TARGET),
              left=lambda f, a, r: f.mode_kl_divergence(a, r), right=lambda f, a, r: f.mode_kl_divergence(a[a >= 0], r)),
    Law.at_least("a divergence is never negative", given(assignments=SOME, log_mode_probs=TARGET),
                 left=lambda f, a, r: f.mode_kl_divergence(a, r), right=0.0),
    Law.equal("the order of the modes does not count", given(log_probs=log_simplex(6)),
              left=lambda f, p: f.collision_log_probability(p[::-1].copy(), sample_size=4),
              right=lambda f, p: f.collision_log_probability(p, sample_size=4)),
    Law.equal("no two of four draws from six equal modes", given(log_probs=log_of([1 / 6] * 6)),
              left=lambda f, p: np.exp(f.collision_log_probability(p, sample_size=4)), right=1 - 5 / 6 * 4 / 6 * 3 / 6),
    Law.equal("more draws than modes collide", given(log_probs=log_simplex(3)),
              left=lambda f, p: np.exp(f.collision_log_probability(p, sample_size=4)), right=1.0),
    Law.at_least("equal modes collide least", given(log_probs=log_simplex(6)),
                 left=lambda f, p: f.collision_log_probability(p, sample_size=3), right=np.log(1 - 5 / 6 * 4 / 6)),
    Law.at_least("the estimate is below the number of modes", given(log_probs=log_simplex(6, scale=0.1)), left=6.0,
                 right=lambda f, p: f.birthday_support_estimate(
                     sample_size=3, collision_probability=float(np.exp(f.collision_log_probability(p, sample_size=3))))),
    Rejects("assign_modes", "no radius", given(x=zeros(2, 2), centers=zeros(3, 2), radius=0.0), blames="radius"),
    Rejects("assign_modes", "a negative radius", given(x=zeros(2, 2), centers=zeros(3, 2), radius=-1.0), blames="radius"),
    Rejects("assign_modes", "no center", given(x=zeros(2, 2), centers=zeros(0, 2), radius=1.0), blames="centers"),
    Rejects("assign_modes", "widths differ", given(x=zeros(2, 2), centers=zeros(3, 1), radius=1.0), blames="centers"),
    *(
        Rejects(function, case, given(assignments=assignments, **more), blames="assignments")
        for function, more in (("covered_modes", {"num_modes": 4}), ("high_quality_fraction", {"num_modes": 4}),
                               ("mode_kl_divergence", {"log_mode_probs": log_of([1 / 4] * 4)}))
        for case, assignments in (("a mode too many", np.array([0, 4])), ("below -1", np.array([0, -2])),
                                  ("no integers", zeros(3)))
    ),
    Rejects("covered_modes", "no modes", given(assignments=SOME, num_modes=0), blames="num_modes"),
    Rejects("high_quality_fraction", "no modes", given(assignments=SOME, num_modes=0), blames="num_modes"),
    Rejects("covered_modes", "at least none", given(assignments=SOME, num_modes=4, minimum=0), blames="minimum"),
    Rejects("high_quality_fraction", "no sample", given(assignments=SOME[:0], num_modes=4), blames="assignments"),
    Rejects("mode_kl_divergence", "no sample", given(assignments=SOME[:0], log_mode_probs=TARGET), blames="assignments"),
    Rejects("mode_kl_divergence", "no sample has a mode", given(assignments=np.full(3, -1), log_mode_probs=TARGET),
            blames="assignments"),
    *(
        Rejects(function, case, given(**{name: law}, **more), blames=name)
        for function, name, more in (("mode_kl_divergence", "log_mode_probs", {"assignments": np.array([0])}),
                                     ("collision_log_probability", "log_probs", {"sample_size": 2}))
        for case, law in (("probabilities for logarithms", log_of(np.exp([0.5, 0.25, 0.25]))), ("no mode", zeros(0)))
    ),
    Rejects("collision_log_probability", "one draw", given(log_probs=THREE, sample_size=1), blames="sample_size"),
    Rejects("birthday_support_estimate", "one draw", given(sample_size=1, collision_probability=0.5), blames="sample_size"),
    *(Rejects("birthday_support_estimate", case, given(sample_size=3, collision_probability=p), blames="collision_probability")
      for case, p in (("no collision", 0.0), ("all collide", 1.0), ("above 1", 1.5), ("no number", float("nan")))),
)  # fmt: skip
