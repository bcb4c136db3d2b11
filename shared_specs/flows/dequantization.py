"""Contracts of dequantization, logits of pixels and bits per dimension."""

import numpy as np

from shared_specs.flows._cases import layer
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, integers, normal, uniform, zeros

LEVELS, NOISE = integers(4, 3, high=17), uniform(4, 3)
JUST_BELOW = 1 - 2.0**-24  # the largest float32 below 1
ENDS = {"x": np.array([[0, 255, 128, 3]]), "u": [[JUST_BELOW, JUST_BELOW, 0.0, 0.5]]}
PIXELS = uniform(4, 3)
LOGITS = normal(4, 3, scale=2.0)
EXTREME = [[0.0, 1.0, 0.5], [1e-7, 1 - 2.0**-24, 0.25]]
QUARTER = np.log(0.3 / 0.7)  # the logit of 1/4 with alpha = 1/5: w = 0.1 + 0.8 / 4
SLOPE = np.log(0.8) - np.log(0.3) - np.log(0.7)


def _noisy(f, x, levels, u):
    """Dequantized with the same noise everywhere, in the precision under test, and quantized again."""
    noise = np.full(x.shape, u, dtype=f.precision)
    return f.quantize(f.uniform_dequantize(x, noise, num_levels=levels), num_levels=levels)


def _cell(f, x, density, levels):
    """log of the probability of each integer's cell, and the bound, by the middles of 64 parts of the cell."""
    u = np.tile((np.arange(64) + 0.5) / 64, (len(x), 1))
    at = density(f.uniform_dequantize(np.repeat(x[:, None], 64, 1), u, num_levels=levels))
    return np.log(at.mean(1)) - np.log(levels), np.log(at).mean(1) - np.log(levels)


SPEC = (
    Agree("uniform_dequantize", "regular", given(x=LEVELS, u=NOISE, num_levels=17)),
    Agree("uniform_dequantize", "images", given(x=integers(2, 3, 4, 5, high=256), u=uniform(2, 3, 4, 5), num_levels=256)),
    Agree("uniform_dequantize", "both ends of 256 levels", given(**ENDS, num_levels=256),
          no_gradient="in float32 the largest noise is rounded"),
    Anchor("uniform_dequantize", "four levels", given(x=np.array([[0, 3]]), u=[[0.5, 0.75]], num_levels=4),
           gives=[[0.125, 0.9375]], source="by hand",
           near_misses={"divided by the largest level": [[0.5 / 3, 1.25]], "around the level": [[0.0, 0.8125]],
                        "no noise": [[0.0, 0.75]], "the noise is not divided": [[0.5, 1.5]]}),
    *(Law.equal(f"the integers come back, {levels} levels and noise {name}", given(x=np.arange(levels)[:, None]),
                left=lambda f, x, levels=levels, u=u: _noisy(f, x, levels, np.nextafter(
                    np.array(1, f.precision), np.array(0, f.precision)) if u is None else u) == x, right=True)
      for levels in (17, 22, 256) for name, u in (("0", 0.0), ("just below 1", None))),
    Law.at_least("the mean log-density of noisy integers is below the probability", given(x=np.arange(5)),
                 left=lambda f, x: _cell(f, x, lambda y: 12 * y * (1 - y) ** 2, 5)[0],
                 right=lambda f, x: _cell(f, x, lambda y: 12 * y * (1 - y) ** 2, 5)[1]),
    Rejects("uniform_dequantize", "a negative level", given(x=np.array([[-1]]), u=zeros(1, 1), num_levels=4), blames="x is -1"),
    Rejects("uniform_dequantize", "a level too many", given(x=np.array([[4]]), u=zeros(1, 1), num_levels=4), blames="x is 4"),
    Rejects("uniform_dequantize", "levels that are not integers", given(x=[[1.0]], u=zeros(1, 1), num_levels=4), blames="x has"),
    Rejects("uniform_dequantize", "noise of 1", given(x=np.array([[1]]), u=[[1.0]], num_levels=4), blames="u is 1"),
    Rejects("uniform_dequantize", "noise below 0", given(x=np.array([[1]]), u=[[-0.5]], num_levels=4), blames="u is -0.5"),
    Rejects("uniform_dequantize", "one noise for all", given(x=LEVELS, u=uniform(4, 1), num_levels=17), blames="u has"),
    Rejects("uniform_dequantize", "no level", given(x=integers(2, 2, high=1), u=zeros(2, 2), num_levels=0), blames="num_levels"),
    Agree("quantize", "regular", given(y=PIXELS, num_levels=17), no_gradient="integers have no slope"),
    Agree("quantize", "beyond both ends", given(y=[[-0.5, 0.0, 1.0, 1.5]], num_levels=256), no_gradient="integers have no slope"),
    Anchor("quantize", "four levels", given(y=[[0.0, 0.24, 0.25, 0.99, 1.0, -3.0]], num_levels=4),
           gives=np.array([[0, 0, 1, 3, 3, 0]]), source="by hand", frozen=("y",),
           near_misses={"rounded": np.array([[0, 1, 1, 3, 3, 0]]), "1 as a further level": np.array([[0, 0, 1, 3, 4, 0]]),
                        "of three": np.array([[0, 0, 0, 2, 2, 0]])}),
    Rejects("quantize", "no number", given(y=[[0.5, np.nan]], num_levels=4), blames="y is nan"),
    Rejects("quantize", "no level", given(y=PIXELS, num_levels=0), blames="num_levels"),
    # The logit.
    Agree("logit_forward", "regular", given(y=PIXELS, alpha=0.05)),
    Agree("logit_forward", "images, hardly pressed", given(y=uniform(2, 3, 4, 5, low=0.01, high=0.99), alpha=1e-6)),
    Agree("logit_forward", "both ends", given(y=EXTREME, alpha=0.05), no_gradient="a step to one side leaves the interval"),
    Anchor("logit_forward", "a quarter", given(y=[[0.25]], alpha=0.2), gives=([[QUARTER]], [SLOPE]), source="by hand",
           near_misses={"the press not counted": ([[QUARTER]], [SLOPE - np.log(0.8)]), "the sign": ([[QUARTER]], [-SLOPE]),
                        "alpha at each end": ([[np.log(0.35 / 0.65)]], [np.log(0.6) - np.log(0.35) - np.log(0.65)]),
                        "not pressed": ([[np.log(1 / 3)]], [np.log(16 / 3)]),
                        "the logit": ([[-QUARTER]], [SLOPE])}),
    Agree("logit_inverse", "regular", given(z=LOGITS, alpha=0.05)),
    Agree("logit_inverse", "far out, hardly pressed", given(z=[[0.0, 40.0], [-40.0, 25.0]], alpha=1e-6)),
    Anchor("logit_inverse", "a quarter", given(z=[[QUARTER]], alpha=0.2), gives=([[0.25]], [-SLOPE]), source="by hand",
           near_misses={"the log-determinant of forward": ([[0.25]], [SLOPE]), "not pressed": ([[0.3]], [-SLOPE + np.log(0.8)]),
                        "multiplied": ([[0.2 * 0.8]], [-SLOPE])}),
    *layer("logit", given(y=PIXELS), "logit_forward", "logit_inverse", alpha=0.05),
    *(Rejects(function, f"alpha {alpha:g}", given(**{name: value}, alpha=alpha), blames="alpha")
      for function, name, value in (("logit_forward", "y", PIXELS), ("logit_inverse", "z", LOGITS)) for alpha in (0.0, 1.0)),
    Rejects("logit_forward", "a pixel above 1", given(y=[[0.5, 1.5]], alpha=0.05), blames="y is 1.5"),
    Rejects("logit_forward", "a pixel below 0", given(y=[[0.5, -0.1]], alpha=0.05), blames="y is -0.1"),
    # Bits per dimension.
    Agree("bits_per_dimension", "regular", given(log_prob=normal(5, scale=20.0), dim=3, num_levels=256)),
    Agree("bits_per_dimension", "a probability", given(log_prob=normal(5), dim=64, num_levels=1)),
    Anchor(
        "bits_per_dimension", "of 256 levels in four dimensions: uniform, and twice as dense in each",
        given(log_prob=[0.0, 4 * LOG_2], dim=4, num_levels=256), gives=[8.0, 7.0], source="by hand",
        near_misses={"no levels": [0.0, -1.0], "multiplied by log 2": [8 * LOG_2**2, 7 * LOG_2**2],
                     "nats": [8 * LOG_2, 7 * LOG_2], "the levels of one dimension": [2.0, 1.0], "all dimensions": [32.0, 28.0],
                     "the largest level": [np.log2(255), np.log2(255) - 1]},
    ),
    Rejects("bits_per_dimension", "a matrix", given(log_prob=zeros(4, 3), dim=3, num_levels=4), blames="log_prob"),
    Rejects("bits_per_dimension", "no dimension", given(log_prob=zeros(4), dim=0, num_levels=4), blames="dim"),
    Rejects("bits_per_dimension", "no level", given(log_prob=zeros(4), dim=3, num_levels=0), blames="num_levels"),
)  # fmt: skip
