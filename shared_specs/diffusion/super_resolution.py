"""What must hold of super-resolution: the small image as a condition, the consistency of an image, and the projection."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

X, SMALL = normal(2, 3, 4, 6), normal(2, 3, 2, 3)
COARSE = normal(2, 3, 2, 2)  # the small version of X for nothing; of an 8 x 8 image for a factor of 4
ROW, MEANS = [[[[1.0, 2.0, 0.0, 4.0], [3.0, 2.0, 8.0, 0.0]]]], [[[[1.0, 5.0]]]]  # two blocks with means of 2 and 3
FUNCTIONS = {"consistency_error": "x", "null_space_projection": "x0_pred"}


def small(x, factor):
    """The means of blocks."""
    return x.reshape(*x.shape[:2], x.shape[2] // factor, factor, x.shape[3] // factor, factor).mean((3, 5))


def large(y, factor):
    """Every pixel a block."""
    return np.kron(y, np.ones((factor, factor)))


SPEC = (
    # The condition of a network.
    Agree("concatenate_low_resolution", "twice the size", given(x_t=X, low_resolution=SMALL)),
    Agree("concatenate_low_resolution", "three times, another number of channels", given(
        x_t=normal(2, 1, 6, 9), low_resolution=normal(2, 2, 2, 3))),
    Agree("concatenate_low_resolution", "the same size", given(x_t=normal(2, 3, 2, 3), low_resolution=SMALL)),
    Agree("concatenate_low_resolution", "from one pixel", given(x_t=normal(3, 2, 4, 4), low_resolution=normal(3, 2, 1, 1))),
    Anchor(
        "concatenate_low_resolution", "a column of two pixels", given(
            x_t=[[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]]], low_resolution=[[[[-1.0], [-2.0]]]]),
        gives=[[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], [[-1.0, -1.0], [-1.0, -1.0], [-2.0, -2.0], [-2.0, -2.0]]]],
        source="by hand",
        near_misses={
            "the small image first": [[[[-1.0, -1.0], [-1.0, -1.0], [-2.0, -2.0], [-2.0, -2.0]],
                                       [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]]],
            "the image repeated, not its pixels": [[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]],
                                                    [[-1.0, -1.0], [-2.0, -2.0], [-1.0, -1.0], [-2.0, -2.0]]]],
            "spread by its transpose": [[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]],
                                         [[-0.25, -0.25], [-0.25, -0.25], [-0.5, -0.5], [-0.5, -0.5]]]],
        },
    ),
    Law.equal("made small again, the last channels are the small image", given(x=X, y=SMALL),
              left=lambda f, x, y: small(f.concatenate_low_resolution(x, y), 2)[:, 3:], right=lambda f, x, y: y),
    Rejects("concatenate_low_resolution", "no multiple", given(x_t=zeros(2, 3, 5, 6), low_resolution=zeros(2, 3, 2, 3)),
            blames="low_resolution"),
    Rejects("concatenate_low_resolution", "two different multiples", given(
        x_t=zeros(2, 3, 4, 9), low_resolution=zeros(2, 3, 2, 3)), blames="low_resolution"),
    Rejects("concatenate_low_resolution", "the multiple of the heights alone", given(
        x_t=zeros(2, 3, 4, 6), low_resolution=zeros(2, 3, 2, 6)), blames="low_resolution"),
    Rejects("concatenate_low_resolution", "larger than the image", given(x_t=zeros(2, 3, 2, 3), low_resolution=zeros(2, 3, 4, 6)),
            blames="low_resolution"),
    Rejects("concatenate_low_resolution", "no pixel", given(x_t=zeros(2, 3, 4, 6), low_resolution=zeros(2, 3, 0, 0)),
            blames="low_resolution"),
    Rejects("concatenate_low_resolution", "another batch", given(x_t=zeros(2, 3, 4, 6), low_resolution=zeros(1, 3, 2, 3)),
            blames="low_resolution"),
    Rejects("concatenate_low_resolution", "one image", given(x_t=zeros(3, 4, 6), low_resolution=zeros(3, 2, 3)), blames="x_t"),
    Rejects("concatenate_low_resolution", "labels", given(x_t=zeros(2, 3, 4, 6), low_resolution=zeros(2, 3)),
            blames="low_resolution"),
    # What an image misses.
    Agree("consistency_error", "blocks of two", given(x=X, low_resolution=SMALL, factor=2)),
    Agree("consistency_error", "blocks of four", given(x=normal(2, 3, 8, 8), low_resolution=COARSE, factor=4)),
    Agree("consistency_error", "single pixels", given(x=normal(2, 3, 2, 3), low_resolution=SMALL, factor=1)),
    Agree("consistency_error", "the whole image", given(x=normal(3, 2, 4, 4), low_resolution=normal(3, 2, 1, 1), factor=4)),
    Anchor(
        "consistency_error", "means of 2 and 3", given(x=ROW, low_resolution=MEANS, factor=2), gives=[2.5],
        source="by hand: (1 + 4)/2",
        near_misses={"a strided pick": [12.5], "the sum": [5.0], "before the mean of blocks": [9.25], "the root": [2.5**0.5],
                     "over the pixels of x": [0.625]},
    ),
    Law.equal("an image has no error with itself made small", given(x=X),
              left=lambda f, x: f.consistency_error(x, small(x, 2), factor=2), right=0.0),
    Law.equal("details have no part", given(x=X, y=SMALL, other=normal(2, 3, 4, 6)),
              left=lambda f, x, y, other: f.consistency_error(x + other - large(small(other, 2), 2), y, factor=2),
              right=lambda f, x, y, other: f.consistency_error(x, y, factor=2)),
    Law.equal("the projection moves an image by this error, in the mean square of a pixel", given(x=X, y=SMALL),
              left=lambda f, x, y: ((f.null_space_projection(x, y, factor=2) - x) ** 2).mean((1, 2, 3)),
              right=lambda f, x, y: f.consistency_error(x, y, factor=2)),
    # The projection.
    Agree("null_space_projection", "blocks of two", given(x0_pred=X, low_resolution=SMALL, factor=2)),
    Agree("null_space_projection", "blocks of four", given(x0_pred=normal(2, 3, 8, 8), low_resolution=COARSE, factor=4)),
    Agree("null_space_projection", "single pixels", given(x0_pred=normal(2, 3, 2, 3), low_resolution=SMALL, factor=1)),
    Agree("null_space_projection", "the whole image", given(
        x0_pred=normal(3, 2, 4, 4), low_resolution=normal(3, 2, 1, 1), factor=4)),
    Anchor(
        "null_space_projection", "means of 2 and 3", given(x0_pred=ROW, low_resolution=MEANS, factor=2),
        gives=[[[[0.0, 1.0, 2.0, 6.0], [2.0, 1.0, 10.0, 2.0]]]], source="by hand: 1 less in the left block, 2 more in the right",
        near_misses={
            "twice": [[[[-1.0, 0.0, 4.0, 8.0], [1.0, 0.0, 12.0, 4.0]]]],
            "the mean subtracted twice": [[[[-2.0, -1.0, -1.0, 3.0], [0.0, -1.0, 7.0, -1.0]]]],
            "by the transpose": [[[[0.75, 1.75, 0.5, 4.5], [2.75, 1.75, 8.5, 0.5]]]],
            "a strided pick": [[[[1.0, 2.0, 5.0, 9.0], [3.0, 2.0, 13.0, 5.0]]]],
            "the small image alone": [[[[1.0, 1.0, 5.0, 5.0], [1.0, 1.0, 5.0, 5.0]]]],
            "away from it": [[[[2.0, 3.0, -2.0, 2.0], [4.0, 3.0, 6.0, -2.0]]]],
        },
    ),
    Law.equal("consistent", given(x=X, y=SMALL),
              left=lambda f, x, y: small(f.null_space_projection(x, y, factor=2), 2), right=lambda f, x, y: y),
    Law.equal("done twice it is done once", given(x=X, y=SMALL),
              left=lambda f, x, y: f.null_space_projection(f.null_space_projection(x, y, factor=2), y, factor=2),
              right=lambda f, x, y: f.null_space_projection(x, y, factor=2)),
    Law.equal("of a consistent image, the squared error falls by the error of its means", given(x=X, true=normal(2, 3, 4, 6)),
              left=lambda f, x, true: ((x - true) ** 2).sum((1, 2, 3))
              - ((f.null_space_projection(x, small(true, 2), factor=2) - true) ** 2).sum((1, 2, 3)),
              right=lambda f, x, true: 24 * 3 * f.consistency_error(x, small(true, 2), factor=2)),
    Law.equal("the slope in the image is the part within blocks", given(x=normal(1, 1, 2, 4), y=normal(1, 1, 1, 2)),
              left=lambda f, x, y: f.jacobian("null_space_projection", x, y, wrt=0, factor=2).reshape(8, 8),
              right=lambda f, x, y: np.eye(8) - np.kron(np.ones((2, 2)), np.kron(np.eye(2), np.ones((2, 2)))) / 4),
    *(
        row
        for function, name in FUNCTIONS.items()
        for row in (
            Rejects(function, "a factor that does not divide the height", given(
                **{name: zeros(2, 3, 4, 6)}, low_resolution=zeros(2, 3, 1, 2), factor=3), blames=name),
            Rejects(function, "a factor that does not divide the width", given(
                **{name: zeros(2, 3, 6, 4)}, low_resolution=zeros(2, 3, 2, 1), factor=3), blames=name),
            Rejects(function, "no factor", given(**{name: X}, low_resolution=SMALL, factor=0), blames="factor"),
            Rejects(function, "another size", given(**{name: X}, low_resolution=SMALL, factor=1), blames="low_resolution"),
            Rejects(function, "other channels", given(**{name: X}, low_resolution=zeros(2, 1, 2, 3), factor=2),
                    blames="low_resolution"),
            Rejects(function, "another batch", given(**{name: X}, low_resolution=zeros(1, 3, 2, 3), factor=2),
                    blames="low_resolution"),
            Rejects(function, "one image", given(**{name: zeros(3, 4, 6)}, low_resolution=zeros(3, 2, 3), factor=2), blames=name),
        )
    ),
)  # fmt: skip
