"""Contracts of the layers from a latent vector to an image."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

DOWN = {"x": normal(2, 3, 5, 6), "weight": normal(4, 3, 3, 2), "bias": normal(4)}
UP = {"x": normal(2, 3, 4, 2), "weight": normal(3, 4, 3, 2), "bias": normal(4)}
# One row of pixels under a kernel of two.
ROW = {"x": [[[[1.0, 2.0, 3.0, 4.0]]]], "weight": [[[[1.0, 10.0]]]], "bias": [0.5]}
# Two channels, a kernel of one pixel: a matrix for each pixel.
PIXEL = {"x": [[[[1.0]], [[10.0]]]], "weight": [[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]], "bias": [0.0, 0.5]}
BACK = {"x": [[[[1.0, 2.0]]]], "weight": [[[[1.0, 10.0, 100.0]]]], "bias": [0.5]}
BLOCKS = [[[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 10.0]]]]


SPEC = (
    # Convolutions.
    Agree("convolution2d", "strides and a border", given(**DOWN, stride=2, padding=1)),
    Agree("convolution2d", "gaps between the windows", given(**DOWN, stride=4)),
    Agree("convolution2d", "a kernel as large as the image", given(
        x=normal(2, 3, 3, 2), weight=normal(4, 3, 3, 2), bias=normal(4))),
    Anchor("convolution2d", "windows side by side", given(**ROW, stride=2), gives=[[[[21.5, 43.5]]]], source="by hand",
           near_misses={"the kernel turned over": [[[[12.5, 34.5]]]], "no bias": [[[[21.0, 43.0]]]]}),
    Anchor("convolution2d", "padding on all sides", given(
               x=[[[[1.0, 2.0]]]], weight=[[[[1.0, 10.0, 100.0]]]], bias=[0.5], padding=1),
           gives=[[[[0.5, 0.5], [210.5, 21.5], [0.5, 0.5]]]], source="by hand",
           near_misses={"the last pixel repeated": [[[[211.5, 221.5], [211.5, 221.5], [211.5, 221.5]]]],
                        "nothing below": [[[[0.5, 0.5], [210.5, 21.5], [0.0, 0.0]]]]}),
    Anchor("convolution2d", "a matrix for each pixel", given(**PIXEL), gives=[[[[21.0]], [[43.5]]]], source="by hand",
           near_misses={"the matrix transposed": [[[[31.0]], [[42.5]]]], "channel by channel": [[[[1.0]], [[40.5]]]]}),
    *(
        Rejects("convolution2d", case, given(**DOWN | changed), blames=blames)
        for case, changed, blames in (
            ("other channels", {"weight": zeros(4, 2, 3, 2)}, "weight"), ("too tall", {"weight": zeros(4, 3, 6, 2)}, "weight"),
            ("too wide, with padding", {"weight": zeros(4, 3, 3, 9), "padding": 1}, "weight"),
            ("three axes", {"x": zeros(3, 5, 6)}, "x"), ("a bias for each input", {"bias": zeros(3)}, "bias"),
            ("no stride", {"stride": 0}, "stride"), ("negative padding", {"padding": -1}, "padding"),
        )
    ),
    # Transposed convolutions.
    Agree("transposed_convolution2d", "strides and a border", given(**UP, stride=2, padding=1)),
    Agree("transposed_convolution2d", "gaps between the kernels", given(**UP, stride=4)),
    Anchor("transposed_convolution2d", "kernels that overlap", given(**BACK, stride=2),
           gives=[[[[1.5, 10.5, 102.5, 20.5, 200.5]]]], source="by hand: 1 and 2 times the kernel, two places apart",
           near_misses={"the bias for each kernel": [[[[1.5, 10.5, 103.0, 20.5, 200.5]]]],
                        "the kernel turned over": [[[[100.5, 10.5, 201.5, 20.5, 2.5]]]]}),
    Anchor("transposed_convolution2d", "padding is cut off", given(
               x=[[[[1.0, 2.0]]]], weight=[[[[1.0, 10.0, 100.0]] * 3]], bias=[0.5], stride=2, padding=1),
           gives=[[[[10.5, 102.5, 20.5]]]], source="by hand: the first and last row and column are cropped",
           near_misses={"cropped at the end alone": [[[[1.5, 10.5, 102.5]]]], "no bias": [[[[10.0, 102.0, 20.0]]]]}),
    Anchor("transposed_convolution2d", "a matrix for each pixel", given(**PIXEL), gives=[[[[31.0]], [[42.5]]]], source="by hand",
           near_misses={"outputs first": [[[[21.0]], [[43.5]]]]}),
    Law.equal("the transpose of the convolution", given(x=normal(2, 3, 5, 6), y=normal(2, 4, 3, 4), weight=normal(4, 3, 3, 2)),
              left=lambda f, x, y, w: np.sum(f.convolution2d(x, w, np.zeros(4, x.dtype), stride=2, padding=1) * y, (1, 2, 3)),
              right=lambda f, x, y, w: np.sum(x * f.transposed_convolution2d(
                  y, w, np.zeros(3, x.dtype), stride=2, padding=1), (1, 2, 3))),
    *(
        Rejects("transposed_convolution2d", case, given(**UP | changed), blames=blames)
        for case, changed, blames in (
            ("outputs first", {"weight": zeros(4, 3, 3, 2)}, "weight"), ("nothing left", {"padding": 2}, "padding"),
            ("one axis", {"weight": zeros(3)}, "weight"), ("a bias for each input", {"bias": zeros(3)}, "bias"),
            ("no stride", {"stride": 0}, "stride"), ("negative padding", {"padding": -1}, "padding"),
        )
    ),
    # Sizes without weights.
    Agree("nearest_upsample", "regular", given(x=normal(2, 3, 2, 4), factor=3)),
    Anchor("nearest_upsample", "two pixels", given(x=[[[[1.0, 2.0]]]], factor=2),
           gives=[[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]], source="by hand",
           near_misses={"the image repeated": [[[[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]]],
                        "zeros between": [[[[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]],
                        "interpolated": [[[[1.0, 1.25, 1.75, 2.0], [1.0, 1.25, 1.75, 2.0]]]]}),
    Rejects("nearest_upsample", "no factor", given(x=zeros(2, 3, 2, 4), factor=0), blames="factor"),
    Rejects("nearest_upsample", "three axes", given(x=zeros(3, 2, 4), factor=2), blames="x"),
    Agree("average_pool", "regular", given(x=normal(2, 3, 4, 6), window=2)),
    Anchor("average_pool", "two blocks", given(x=BLOCKS, window=2), gives=[[[[3.5, 6.0]]]], source="by hand: 14/4 and 24/4",
           near_misses={"sums": [[[[14.0, 24.0]]]], "the largest": [[[[6.0, 10.0]]]], "the first": [[[[1.0, 3.0]]]],
                        "of rows": [[[[1.5, 3.5]]]]}),
    Law.inverse("blocks have the mean of their pixel", given(x=normal(2, 3, 2, 4)),
                round_trip=lambda f, x: f.average_pool(f.nearest_upsample(x, factor=3), window=3), start=lambda f, x: x),
    Law.equal("a ninth of the transpose", given(x=normal(2, 3, 6, 3), y=normal(2, 3, 2, 1)),
              left=lambda f, x, y: np.sum(9 * f.average_pool(x, window=3) * y, axis=(1, 2, 3)),
              right=lambda f, x, y: np.sum(x * f.nearest_upsample(y, factor=3), axis=(1, 2, 3))),
    *(
        Rejects("average_pool", case, given(x=zeros(*shape), window=window), blames=blames)
        for case, shape, window, blames in (
            ("the height is no multiple", (2, 3, 5, 4), 2, "x "), ("the width is no multiple", (2, 3, 6, 4), 3, "x "),
            ("no window", (2, 3, 4, 4), 0, "window"), ("three axes", (3, 4, 4), 2, "x has shape"),
        )
    ),
)  # fmt: skip
