"""Contracts of affine coupling layers (Real NVP)."""

import numpy as np

from shared_specs.flows._cases import BOARD, FIRST, FULL, IMAGES, MASK, OTHER, X, layer, plane, shift, stretch, undone
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Model, Rejects, begins_at, begins_by_inputs, given, linspace, normal

LAYERS = {"masks": (MASK, OTHER), "log_scale_fns": (stretch, stretch), "shift_fns": (shift, shift)}
ONE = -np.log(2 * np.pi) + LOG_2 - 25  # the log-density of (1, 3) under the layer of the anchors


def _doubled(kept):
    """log 2 times the first of two entries."""
    return LOG_2 * kept[:, :1] + 0 * kept


def _first(kept):
    """The first of two entries."""
    return kept[:, :1] + 0 * kept


def _second(kept):
    """A smooth function of the second of two entries."""
    return kept[:, 1:] / (2 + kept[:, 1:] ** 2 / 12.5) + 0 * kept


def _bounded(kept):
    """A smooth function of the first, small enough for a grid."""
    return kept[:, :1] / (2 + kept[:, :1] ** 2 / 5) / 2 + 0 * kept


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
            yield Agree(function, case, given(**{name: x}, mask=mask, log_scale_fn=stretch, shift_fn=shift))
        bad = {
            "a mask of numbers": (MASK.astype(float), stretch, shift),
            "a mask of another length": (MASK[:3], stretch, shift),
            "one truth value for all": (MASK[:1], stretch, shift),
            "log_scale_fn of another shape": (MASK, lambda kept: kept[:, :1], shift),
            "shift_fn of another shape": (MASK, stretch, lambda kept: kept[:, :1]),
            "log_scale_fn that overflows": (MASK, lambda kept: 0 * kept + 800.0, shift),
            "log_scale_fn that vanishes": (MASK, lambda kept: 0 * kept - 800.0, shift),
        }
        for case, (mask, log_scale_fn, shift_fn) in bad.items():
            blames = case.split()[0] if "_fn" in case else "mask"
            arguments = {name: X, "mask": mask, "log_scale_fn": log_scale_fn, "shift_fn": shift_fn}
            yield Rejects(function, case, given(**arguments), blames=blames)
        yield Law.equal(
            f"{function}: a mask of one channel is that of all",
            given(**{name: IMAGES}),
            left=lambda f, x, function=function: getattr(f, function)(x, BOARD, stretch, shift)[1],
            right=lambda f, x, function=function: getattr(f, function)(x, FULL, stretch, shift)[1],
        )


SPEC = (
    Agree("checkerboard_mask", "3 x 4", given(height=3, width=4)),
    Agree("checkerboard_mask", "a row, flipped", given(height=1, width=5, flip=True)),
    Anchor("checkerboard_mask", "2 x 3", given(height=2, width=3), gives=[[[True, False, True], [False, True, False]]],
           source="by hand", near_misses={"the odd places": [[[False, True, False], [True, False, True]]],
                                          "columns": [[[True, False, True], [True, False, True]]]}),
    Rejects("checkerboard_mask", "one place", given(height=1, width=1), blames="height"),
    Rejects("checkerboard_mask", "no row", given(height=0, width=3), blames="height"),
    Rejects("checkerboard_mask", "no column", given(height=3, width=0), blames="width"),
    Agree("channel_mask", "four", given(channels=4)),
    Agree("channel_mask", "five, flipped", given(channels=5, flip=True)),
    Anchor("channel_mask", "two of five pass", given(channels=5), source="by hand",
           gives=np.array([True, True, False, False, False])[:, None, None],
           near_misses={"three": np.array([True, True, True, False, False])[:, None, None],
                                          "every other": np.array([True, False, True, False, True])[:, None, None]}),
    Rejects("channel_mask", "one channel", given(channels=1), blames="channels"),
    *_both_ways(),
    Anchor(
        "forward", "doubled to the power of the first, and shifted by it",
        given(x=[[1.0, 3.0]], mask=FIRST, log_scale_fn=_doubled, shift_fn=_first),
        gives=([[1.0, 7.0]], [LOG_2]), source="by hand",
        near_misses={"passing entries in the log-determinant": ([[1.0, 7.0]], [2 * LOG_2]), "its sign": ([[1.0, 7.0]], [-LOG_2]),
                     "shifted first": ([[1.0, 8.0]], [LOG_2]), "no volume": ([[1.0, 7.0]], [0.0]),
                     "divided": ([[1.0, 2.5]], [LOG_2]), "the mask flipped": ([[1.0, 3.0]], [0.0]),
                     "the Jacobian of a scale that sees what it changes": ([[1.0, 7.0]], [LOG_2 + np.log1p(3 * LOG_2)])},
    ),
    Anchor(
        "inverse", "the same undone", given(z=[[1.0, 7.0]], mask=FIRST, log_scale_fn=_doubled, shift_fn=_first),
        gives=([[1.0, 3.0]], [-LOG_2]), source="by hand",
        near_misses={"multiplied by e^s": ([[1.0, 12.0]], [-LOG_2]), "the sign": ([[1.0, 3.0]], [LOG_2]),
                     "shifted after": ([[1.0, 2.5]], [-LOG_2])},
    ),
    *layer("vectors", given(x=X, mask=MASK, log_scale_fn=stretch, shift_fn=shift)),
    *layer("images", given(x=normal(2, 3, 2, 2), mask=BOARD[:, :2, :2], log_scale_fn=stretch, shift_fn=shift)),
    Law.equal("without a log-scale the volume is preserved", given(x=X),
              left=lambda f, x: 1 + f.forward(x, MASK, lambda kept: 0 * kept, shift)[1], right=1.0),
    Law.equal("the shift does not move the log-determinant", given(x=X),
              left=lambda f, x: f.forward(x, MASK, stretch, shift)[1],
              right=lambda f, x: f.forward(x, MASK, stretch, lambda kept: 0 * kept)[1]),
    # The bounded log-scale.
    Agree("bounded_log_scale", "regular", given(raw=normal(4, 3, scale=2.0), bound=2.0)),
    Agree("bounded_log_scale", "small and saturated", given(raw=[0.0, 1e-9, -1.0, 40.0, -1e4], bound=0.5)),
    Anchor("bounded_log_scale", "the bound times tanh 1", given(raw=[3.0, 0.0], bound=3.0), gives=[3 * np.tanh(1.0), 0.0],
           source="by hand", near_misses={"not divided": [3 * np.tanh(3.0), 0.0], "not multiplied": [np.tanh(1.0), 0.0],
                                          "clipped": [3.0, 0.0]}),
    Law.at_least("the log-scale stays within its bound", given(raw=linspace(-50.0, 50.0, 21)),
                 left=lambda f, raw: 1.5 - np.abs(f.bounded_log_scale(raw, bound=1.5)), right=0.0),
    Law.equal("its slope at 0 is 1", given(), left=lambda f: f.gradient("bounded_log_scale", np.zeros(2), bound=0.7), right=1.0),
    Rejects("bounded_log_scale", "no bound", given(raw=normal(3), bound=0.0), blames="bound"),
    # The density.
    Agree("log_prob", "two layers", given(x=X, **LAYERS)),
    Agree("log_prob", "no layer: the base", given(x=X, masks=(), log_scale_fns=(), shift_fns=())),
    Anchor(
        "log_prob", "one layer", given(x=[[1.0, 3.0]], masks=(FIRST,), log_scale_fns=(_doubled,), shift_fns=(_first,)),
        gives=[ONE], source="by hand",
        near_misses={"the sign of the log-determinant": [ONE - 2 * LOG_2], "none": [ONE - LOG_2], "of the inverse": [
            -np.log(2 * np.pi) - LOG_2 - 1.0], "the base at x": [-np.log(2 * np.pi) - 5 + LOG_2]},
    ),
    Law.normalized("the density of two layers", given(), total=lambda f: np.sum(np.exp(f.log_prob(
        plane(14.0, 113)[0], (FIRST, ~FIRST), (_bounded, lambda kept: _second(kept) / 4), (_bounded, _second)
    ))) * plane(14.0, 113)[1]),
    Rejects("log_prob", "a log-scale too few", given(x=X, **LAYERS | {"log_scale_fns": (stretch,)}), blames="log_scale_fns"),
    Rejects("log_prob", "a shift too many", given(x=X, **LAYERS | {"shift_fns": (shift,) * 3}), blames="shift_fns"),
    Rejects("log_prob", "a mask of another length", given(x=X, **LAYERS | {"masks": (MASK, OTHER[:3])}), blames="mask"),
    # The network.
    Model("RealNVP", "vectors, three layers", given(x=normal(5, 4)), sizes=dict(shape=(4,), layers=3, hidden=(6, 5), bound=2.0),
          steps=3, initial={"networks.*.4.*": begins_at(0), "*": begins_by_inputs()},
          relations={"the inverse undoes it": undone}),
    Model("RealNVP", "images, two layers", given(x=normal(3, 12)), sizes=dict(shape=(2, 2, 3), layers=2, hidden=(6,), bound=3.0),
          steps=0, relations={"the inverse undoes it": undone}),
)  # fmt: skip
