"""Contracts of additive coupling layers (NICE)."""

import numpy as np

from shared_specs.flows._cases import BOARD, FIRST, FULL, IMAGES, MASK, OTHER, X, layer, plane, shift, undone
from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Model, Rejects, begins_at, begins_by_inputs, given, normal, zeros

SCALES = [0.5, -1.0, 0.0, 2.0]


def _squared(kept):
    """The shift of the second of two entries by the square of the first."""
    return kept[:, :1] * kept[:, :1] + 0 * kept


def _by_the_first(kept):
    """A smooth shift of the second of two entries."""
    return kept[:, :1] / (1 + kept[:, :1] ** 2 / 25) + 0 * kept


def _by_the_second(kept):
    """... and one of the first."""
    return kept[:, 1:] / (2 + kept[:, 1:] ** 2 / 12.5) + 0 * kept


def _both_ways():
    """The two functions: the same cases, and what both refuse."""
    for function, name in (("forward", "x"), ("inverse", "z")):
        for case, x, mask in (
            ("regular", X, MASK),
            ("the other half", X, OTHER),
            ("nothing changes", X, MASK | OTHER),
            ("nothing passes", X, MASK & OTHER),
            ("images", IMAGES, FULL),
        ):
            yield Agree(function, case, given(**{name: x}, mask=mask, shift_fn=shift))
        bad = {
            "a mask of numbers": (MASK.astype(float), shift),
            "a mask of another length": (MASK[:3], shift),
            "one truth value for all": (MASK[:1], shift),
            "a mask for each example": (np.ones((5, 4), bool), shift),
            "shift_fn of another shape": (MASK, lambda kept: kept[:, :1]),
        }
        for case, (mask, shift_fn) in bad.items():
            blames = "shift_fn" if "shift_fn" in case else "mask"
            yield Rejects(function, case, given(**{name: X}, mask=mask, shift_fn=shift_fn), blames=blames)
        yield Law.equal(
            f"{function}: a mask of one channel is that of all",
            given(**{name: IMAGES}),
            left=lambda f, x, function=function: getattr(f, function)(x, BOARD, shift),
            right=lambda f, x, function=function: getattr(f, function)(x, FULL, shift),
        )


SPEC = (
    Agree("alternating_mask", "five", given(dim=5)),
    Agree("alternating_mask", "four, flipped", given(dim=4, flip=True)),
    Anchor("alternating_mask", "the even indices pass", given(dim=4), gives=MASK, source="by hand",
           near_misses={"the odd ones": OTHER, "halves": [True, True, False, False]}),
    Rejects("alternating_mask", "one entry, which would pass alone", given(dim=1), blames="dim"),
    *_both_ways(),
    Anchor("forward", "the second is shifted by the square of the first",
           given(x=[[2.0, 1.0]], mask=FIRST, shift_fn=_squared), gives=[[2.0, 5.0]], source="by hand",
           near_misses={"the shift sees what it changes": [[2.0, 2.0]], "the mask flipped": [[3.0, 1.0]],
                        "all entries are shifted": [[6.0, 5.0]], "subtracted": [[2.0, -3.0]],
                        "passing entries are dropped": [[0.0, 5.0]]}),
    Anchor("inverse", "the square of the first is subtracted again",
           given(z=[[2.0, 5.0]], mask=FIRST, shift_fn=_squared), gives=[[2.0, 1.0]], source="by hand",
           near_misses={"the mask flipped": [[-23.0, 5.0]], "added": [[2.0, 9.0]], "all entries": [[-2.0, 1.0]],
                        "the shift sees what it changes": [[2.0, -20.0]]}),
    *layer("vectors", given(x=X, mask=MASK, shift_fn=shift)),
    *layer("images", given(x=normal(2, 3, 2, 2), mask=BOARD[:, :2, :2], shift_fn=shift)),
    Law.equal("what passes is unchanged, to the last bit", given(x=X),
              left=lambda f, x: f.forward(x, MASK, shift)[:, MASK] == x[:, MASK].astype(f.precision), right=True),
    Law.normalized("two layers keep the mass of a density", given(), total=lambda f: np.sum(np.exp(-np.sum(
        f.forward(f.forward(plane(10.0, 65)[0], FIRST, _by_the_first), ~FIRST, _by_the_second) ** 2, 1) / 2
    )) * plane(10.0, 65)[1] / (2 * np.pi)),
    # The scaling.
    Agree("diagonal_scaling", "regular", given(x=X, log_scale=normal(4))),
    Agree("diagonal_scaling", "large and small", given(x=X, log_scale=[30.0, -30.0, 0.0, 1.0])),
    Anchor(
        "diagonal_scaling", "twice and three times", given(x=[[2.0, 5.0], [1.0, -1.0]], log_scale=[LOG_2, LOG_3]),
        gives=([[4.0, 15.0], [2.0, -3.0]], [LOG_2 + LOG_3] * 2), source="by hand",
        near_misses={"times the batch": ([[4.0, 15.0], [2.0, -3.0]], [2 * (LOG_2 + LOG_3)] * 2),
                     "not exponentiated": ([[2 * LOG_2, 5 * LOG_3], [LOG_2, -LOG_3]], [LOG_2 + LOG_3] * 2),
                     "divided": ([[1.0, 5 / 3], [0.5, -1 / 3]], [LOG_2 + LOG_3] * 2),
                     "the determinant": ([[4.0, 15.0], [2.0, -3.0]], [6.0] * 2),
                     "the sign": ([[4.0, 15.0], [2.0, -3.0]], [-LOG_2 - LOG_3] * 2)},
    ),
    *layer("scaling", given(x=X, log_scale=SCALES), "diagonal_scaling",
           lambda f, z, log_scale: tuple(f.diagonal_scaling(z, -log_scale))),
    Rejects("diagonal_scaling", "a scale for each example", given(x=X, log_scale=zeros(5, 4)), blames="log_scale"),
    Rejects("diagonal_scaling", "a scale that overflows", given(x=X, log_scale=[0.0, 800.0, 0.0, 0.0]),
            blames="log_scale is 800"),
    Rejects("diagonal_scaling", "a scale that vanishes", given(x=X, log_scale=[0.0, 0.0, -800.0, 0.0]),
            blames="log_scale is -800"),
    Rejects("diagonal_scaling", "no number", given(x=X, log_scale=[0.0, np.nan, 0.0, 0.0]), blames="log_scale is nan"),
    # The logistic base.
    Agree("logistic_log_prob", "regular", given(z=X)),
    Agree("logistic_log_prob", "images", given(z=IMAGES)),
    Agree("logistic_log_prob", "one number each: zero, beyond torch's threshold, far out", given(
        z=[0.0, 25.0, -25.0, 800.0, -800.0])),
    Anchor("logistic_log_prob", "a quarter, and three sixteenths", given(z=[[0.0, LOG_3], [0.0, 0.0]]),
           gives=[LOG_3 - 6 * LOG_2, -4 * LOG_2], source="by hand",
           near_misses={"one softplus": [-3 * LOG_2, -2 * LOG_2],
                        "the sign": [6 * LOG_2 - LOG_3, 4 * LOG_2], "the mean": [(LOG_3 - 6 * LOG_2) / 2, -2 * LOG_2]}),
    Law.normalized("the logistic density", given(), total=lambda f: np.sum(
        np.exp(f.logistic_log_prob(np.linspace(-48, 48, 385)))) / 4),
    Law.equal("the density is even", given(z=normal(6, 3, scale=4.0)),
              left=lambda f, z: f.logistic_log_prob(z), right=lambda f, z: f.logistic_log_prob(-z)),
    # The network.
    Model("NICE", "three layers", given(x=normal(5, 4)), sizes=dict(dim=4, layers=3, hidden=(6, 5)), steps=3,
          initial={"log_scale": begins_at(0), "*": begins_by_inputs()}, relations={"the inverse undoes it": undone}),
)  # fmt: skip
