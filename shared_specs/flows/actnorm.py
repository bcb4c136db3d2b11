"""Contracts of activation normalization."""

import numpy as np

from shared_specs.flows._cases import layer
from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, normal, zeros

X, IMAGES = normal(5, 3), normal(2, 3, 4, 5)
SHIFT, SCALES = normal(3), [0.5, -1.0, 0.25]
BATCH = [[[1.0, 3.0]], [[5.0, 7.0]]]  # one channel, mean 4, variance 5
LOG_5 = np.log(5.0)


def _both_ways():
    """The two functions: the same cases, and what both refuse."""
    for function, name in (("forward", "x"), ("inverse", "z")):
        for case, x in (("vectors", X), ("images", IMAGES)):
            yield Agree(function, case, given(**{name: x}, shift=SHIFT, log_scale=SCALES))
        yield Agree(function, "large and small scales", given(**{name: X}, shift=SHIFT, log_scale=[30.0, -30.0, 0.0]))
        bad = {
            "a shift too few": (zeros(2), zeros(3), "shift"),
            "a scale for each position": (zeros(3), zeros(3, 4), "log_scale"),
            "a scale that overflows": (zeros(3), [0.0, 800.0, 0.0], "log_scale is 800"),
            "a scale that vanishes": (zeros(3), [0.0, -800.0, 0.0], "log_scale is -800"),
        }
        for case, (shift, log_scale, blames) in bad.items():
            yield Rejects(function, case, given(**{name: IMAGES}, shift=shift, log_scale=log_scale), blames=blames)
        yield Rejects(function, "no channels", given(**{name: zeros(5)}, shift=zeros(5), log_scale=zeros(5)), blames=name)


def _standardized(f, x):
    z, _ = f.forward(x, *f.initialize(x))
    values = np.moveaxis(z, 1, 0).reshape(z.shape[1], -1)
    return np.stack([1 + values.mean(1), (values**2).mean(1)])


SPEC = (
    Agree("initialize", "images", given(x=IMAGES), smallest_batch=1),
    Agree("initialize", "vectors", given(x=X), smallest_batch=2),
    Agree("initialize", "a mean far from 0", given(x=normal(5, 3, mean=100.0, scale=0.1)), smallest_batch=2),
    Anchor("initialize", "mean 4, variance 5", given(x=BATCH), gives=([-4.0], [-LOG_5 / 2]), source="by hand",
           near_misses={"divided by n - 1": ([-4.0], [-np.log(20 / 3) / 2]), "the variance": ([-4.0], [-LOG_5]),
                        "the mean": ([4.0], [-LOG_5 / 2]), "the sign of the scale": ([-4.0], [LOG_5 / 2]),
                        "the shift after the scale": ([-4.0 / np.sqrt(5.0)], [-LOG_5 / 2])}),
    Law.equal("the batch that starts the layer has mean 0 and variance 1", given(x=normal(4, 3, 2, mean=1.0)),
              left=_standardized, right=1.0),
    Rejects("initialize", "equal values in a channel", given(x=[[1.0, 2.0], [1.0, 3.0]]), blames="x is 0"),
    Rejects("initialize", "one value", given(x=zeros(1, 3)), blames="x"),
    Rejects("initialize", "no example", given(x=zeros(0, 3)), blames="x has"),
    Rejects("initialize", "no channels", given(x=normal(5)), blames="x has"),
    *_both_ways(),
    Anchor("forward", "shifted, then scaled, at two positions",
           given(x=[[[1.0, 3.0], [0.0, -1.0]]], shift=[1.0, -2.0], log_scale=[LOG_2, LOG_3]),
           gives=([[[4.0, 8.0], [-6.0, -9.0]]], [2 * (LOG_2 + LOG_3)]), source="by hand",
           near_misses={"one position": ([[[4.0, 8.0], [-6.0, -9.0]]], [LOG_2 + LOG_3]),
                        "scaled first": ([[[3.0, 7.0], [-2.0, -5.0]]], [2 * (LOG_2 + LOG_3)]),
                        "the sign": ([[[4.0, 8.0], [-6.0, -9.0]]], [-2 * (LOG_2 + LOG_3)]),
                        "the shift subtracted": ([[[0.0, 4.0], [6.0, 3.0]]], [2 * (LOG_2 + LOG_3)])}),
    Anchor("inverse", "the same undone", given(z=[[[4.0, 8.0], [-6.0, -9.0]]], shift=[1.0, -2.0], log_scale=[LOG_2, LOG_3]),
           gives=([[[1.0, 3.0], [0.0, -1.0]]], [-2 * (LOG_2 + LOG_3)]), source="by hand",
           near_misses={"the log-determinant of forward": ([[[1.0, 3.0], [0.0, -1.0]]], [2 * (LOG_2 + LOG_3)]),
                        "shifted first": ([[[1.5, 3.5], [-4 / 3, -7 / 3]]], [-2 * (LOG_2 + LOG_3)])}),
    *layer("vectors", given(x=X, shift=SHIFT, log_scale=SCALES)),
    *layer("images", given(x=normal(2, 3, 2, 2), shift=SHIFT, log_scale=SCALES)),
    Law.equal("an example is mapped alone as among others", given(x=IMAGES, shift=SHIFT),
              left=lambda f, x, shift: f.forward(x[:1], shift, np.array(SCALES))[0],
              right=lambda f, x, shift: f.forward(x, shift, np.array(SCALES))[0][:1]),
)  # fmt: skip
