"""What must hold of Gram matrices, the losses of style and content, total variation, and the quadratic kernel's MMD."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

MAPS, OTHER = normal(3, 2, 4, 5), normal(3, 2, 4, 5, mean=0.3)
FIRST, SECOND = [[[[1.0, 0.0]], [[0.0, 2.0]]]], [[[[2.0, 0.0]], [[0.0, 1.0]]]]  # one channel is 0 where the other is not
EXCHANGED = [[[[0.0, 2.0]], [[1.0, 0.0]]]]  # the second with its positions exchanged
ROWS = [[[[0.0, 1.0, 2.0, 3.0]]], [[[0.0, 0.0, 3.0, 3.0]]], [[[0.0, 3.0, 0.0, 3.0]]]]
ORDER = np.array([3, 0, 4, 1, 2])  # of five columns


def _points(maps):
    """The features of every position, [B, N, C]."""
    return np.swapaxes(np.reshape(maps, (*np.shape(maps)[:2], -1)), 1, 2)


def _mixed(maps):
    """The first two columns are rotated into each other, the third changes its sign: orthogonal in the positions."""
    mixed = np.array(maps)
    first, second = mixed[..., 0].copy(), mixed[..., 1].copy()
    mixed[..., 0], mixed[..., 1], mixed[..., 2] = 0.6 * first - 0.8 * second, 0.8 * first + 0.6 * second, -mixed[..., 2]
    return mixed


def _refused(function, maps):
    """Inputs without a channel or a position, and without the four axes."""
    for case, shape in (
        ("no channel", (2, 0, 3, 4)),
        ("no row", (2, 3, 0, 4)),
        ("no column", (2, 3, 4, 0)),
        ("flat", (2, 3, 12)),
    ):
        yield Rejects(function, case, given(**maps(zeros(*shape), shape)), blames="features")


SPEC = (
    # Gram matrices.
    Agree("gram_matrix", "regular", given(features=MAPS)),
    Agree("gram_matrix", "one position", given(features=normal(2, 3, 1, 1))),
    Agree("gram_matrix", "more channels than positions", given(features=normal(2, 5, 1, 3))),
    Agree("gram_matrix", "no feature is active", given(features=zeros(2, 3, 2, 4))),
    Agree("gram_matrix", "large features", given(features=normal(2, 3, 4, 5, scale=1e6))),
    Anchor("gram_matrix", "two channels, three positions", given(features=[[[[1.0, 2.0, 0.0]], [[0.0, 1.0, -1.0]]]]),
           gives=[[[5 / 6, 1 / 3], [1 / 3, 1 / 3]]], source="by hand: (1 + 4)/6, 2/6, (1 + 1)/6",
           near_misses={"not divided": [[[5.0, 2.0], [2.0, 2.0]]], "by the positions alone": [[[5 / 3, 2 / 3], [2 / 3, 2 / 3]]],
                        "by the channels alone": [[[2.5, 1.0], [1.0, 1.0]]], "centered": [[[1 / 3, 1 / 3], [1 / 3, 1 / 3]]],
                        "by N - 1": [[[1.25, 0.5], [0.5, 0.5]]], "its diagonal": [[[5 / 6, 0.0], [0.0, 1 / 3]]]}),
    Law.equal("Gram: a shuffled image has the same", given(features=MAPS),
              left=lambda f, maps: f.gram_matrix(maps[..., ORDER]), right=lambda f, maps: f.gram_matrix(maps)),
    Law.equal("Gram: so has one with its positions mixed by an orthogonal map", given(features=MAPS),
              left=lambda f, maps: f.gram_matrix(_mixed(maps)), right=lambda f, maps: f.gram_matrix(maps)),
    Law.equal("Gram: an image tiled twice has the same", given(features=MAPS),
              left=lambda f, maps: f.gram_matrix(np.concatenate([maps, maps], axis=3)),
              right=lambda f, maps: f.gram_matrix(maps)),
    Law.equal("Gram: C G is the covariance and the product of the means", given(features=MAPS),
              left=lambda f, maps: 2 * f.gram_matrix(maps),
              right=lambda f, maps: np.stack([
                  np.cov(m.reshape(2, -1), ddof=0) + np.outer(m.mean((1, 2)), m.mean((1, 2))) for m in maps])),
    Law.at_least("Gram: positive semidefinite", given(features=MAPS, direction=normal(2)),
                 left=lambda f, maps, v: v @ f.gram_matrix(maps) @ v, right=0.0),
    Law.equal("Gram: no image depends on the others", given(features=MAPS),
              left=lambda f, maps: f.gram_matrix(maps),
              right=lambda f, maps: np.concatenate([f.gram_matrix(m[None]) for m in maps])),
    *_refused("gram_matrix", lambda maps, shape: {"features": maps}),
    # Content.
    Agree("content_loss", "regular", given(features=MAPS, target=OTHER)),
    Agree("content_loss", "the target itself", given(features=[[[[1.0, -2.0, 3.0]], [[0.0, 5.0, 1.0]]]],
                                                     target=[[[[1.0, -2.0, 3.0]], [[0.0, 5.0, 1.0]]]])),
    Agree("content_loss", "one position", given(features=normal(2, 3, 1, 1), target=normal(2, 3, 1, 1))),
    Anchor("content_loss", "by hand", given(features=FIRST, target=SECOND), gives=[0.5], source="by hand: (1 + 1)/4",
           near_misses={"the sum": [2.0], "half of the sum": [1.0], "by the positions alone": [1.0], "the root": [0.5**0.5],
                        "the Gram matrices'": [1.125]}),
    Anchor("content_loss", "two images, of different distance", given(
               features=[[[[3.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]], [[[0.0, 0.0, 6.0]], [[0.0, 6.0, 0.0]]]],
               target=zeros(2, 2, 1, 3)),
           gives=[1.5, 12.0], source="by hand: 9/6 and 72/6",
           near_misses={"averaged over the batch": [6.75, 6.75], "absolute values": [0.5, 2.0], "the root": [1.5**0.5, 12**0.5]}),
    Rejects("content_loss", "another size", given(features=zeros(2, 3, 4, 5), target=zeros(2, 3, 5, 4)), blames="target"),
    Rejects("content_loss", "one target for all", given(features=zeros(2, 3, 4, 5), target=zeros(1, 3, 4, 5)), blames="target"),
    *_refused("content_loss", lambda maps, shape: {"features": maps, "target": maps}),
    # Style.
    Agree("style_loss", "regular", given(features=MAPS, target_gram=normal(3, 2, 2, scale=0.3))),
    Agree("style_loss", "no feature is active", given(features=zeros(2, 3, 2, 4), target_gram=normal(2, 3, 3))),
    Agree("style_loss", "more channels than positions", given(features=normal(2, 5, 1, 3), target_gram=normal(2, 5, 5))),
    Agree("style_loss", "large features", given(features=normal(2, 3, 4, 5, scale=1e3), target_gram=normal(2, 3, 3))),
    Anchor("style_loss", "G = (1/4, 1) and A = (1, 1/4), diagonal", given(
               features=FIRST, target_gram=[[[1.0, 0.0], [0.0, 0.25]]]),
           gives=[1.125], source="by hand: 9/16 + 9/16",
           near_misses={"divided by the channels squared": [0.28125], "the root": [1.125**0.5], "absolute values": [1.5],
                        "G not divided": [9.5625], "the diagonal's sum": [0.0], "one half": [0.5625]}),
    Anchor("style_loss", "entries off the diagonal count twice", given(
               features=[[[[1.0, 2.0, 0.0]], [[0.0, 1.0, -1.0]]]], target_gram=[[[5 / 6, 0.0], [0.0, 1 / 3]]]),
           gives=[2 / 9], source="by hand: 1/9 + 1/9", near_misses={"once": [1 / 9], "the diagonal alone": [0.0]}),
    Law.equal("style: zero where the positions are exchanged", given(one=SECOND, other=EXCHANGED),
              left=lambda f, one, other: 1 + f.style_loss(one, f.gram_matrix(other)), right=1.0),
    Law.equal("style: not zero where the channels are exchanged", given(one=SECOND),
              left=lambda f, one: f.style_loss(one, f.gram_matrix(np.asarray(one)[:, ::-1])), right=1.125),
    Law.equal("style: C^2 times it is an MMD", given(features=MAPS, style=normal(3, 2, 3, 2)),
              left=lambda f, maps, style: 4 * f.style_loss(maps, f.gram_matrix(style)),
              right=lambda f, maps, style: f.quadratic_kernel_discrepancy(_points(maps), _points(style))),
    Law.equal("style: the gradient is one linear map at every position", given(features=MAPS, style=OTHER),
              left=lambda f, maps, style: f.gradient("style_loss", maps, f.gram_matrix(style), wrt=0),
              right=lambda f, maps, style: 4 / 40 * np.einsum(
                  "bcd,bdhw->bchw", f.gram_matrix(maps) - f.gram_matrix(style), maps)),
    Rejects("style_loss", "a Gram matrix of other channels", given(features=zeros(2, 3, 4, 5), target_gram=zeros(2, 4, 4)),
            blames="target_gram"),
    Rejects("style_loss", "one Gram matrix for all", given(features=zeros(2, 3, 4, 5), target_gram=zeros(3, 3)),
            blames="target_gram"),
    Rejects("style_loss", "features for a Gram matrix", given(features=zeros(2, 3, 4, 5), target_gram=zeros(2, 3, 4, 5)),
            blames="target_gram"),
    *_refused("style_loss", lambda maps, shape: {"features": maps, "target_gram": zeros(2, shape[1], shape[1])}),
    # Total variation.
    Agree("total_variation", "regular", given(x=normal(3, 2, 4, 5))),
    Agree("total_variation", "one row", given(x=normal(2, 3, 1, 5))),
    Agree("total_variation", "one pixel", given(x=normal(2, 3, 1, 1))),
    Agree("total_variation", "constant images", given(x=np.full((2, 3, 4, 5), 0.7)), no_gradient="a kink at equal neighbors"),
    Agree("total_variation", "no row", given(x=zeros(2, 3, 0, 4))),
    Anchor("total_variation", "a ramp, a step and a zigzag", given(x=ROWS), gives=[3.0, 3.0, 9.0], source="by hand",
           near_misses={"squares": [3.0, 9.0, 27.0], "from the last to the first, too": [6.0, 6.0, 12.0],
                        "the mean": [1.0, 1.0, 3.0], "without absolute values": [3.0, 3.0, 3.0], "roots": [3**0.5, 3.0, 27**0.5],
                        "averaged over the batch": [5.0, 5.0, 5.0]}),
    Anchor("total_variation", "rows and columns of two channels", given(
               x=[[[[0.0, 3.0], [4.0, 0.0], [4.0, 0.0]], [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]]]),
           gives=[22.0], source="by hand: 7 + 11 in the first channel, 3 + 1 in the second",
           near_misses={"down alone": [10.0], "across alone": [12.0], "isotropic": [20.0], "the mean of the channels": [11.0],
                        "squares": [70.0]}),
    Law.equal("variation: a constant costs nothing", given(x=normal(3, 2, 4, 5), constant=normal(3, 2, 1, 1)),
              left=lambda f, x, constant: f.total_variation(x + constant), right=lambda f, x, constant: f.total_variation(x)),
    Law.equal("variation: rows and columns alike", given(x=normal(3, 2, 4, 5)),
              left=lambda f, x: f.total_variation(np.swapaxes(x, 2, 3)), right=lambda f, x: f.total_variation(x)),
    Law.equal("variation: twice the contrast costs twice", given(x=normal(3, 2, 4, 5)),
              left=lambda f, x: f.total_variation(-2 * x), right=lambda f, x: 2 * f.total_variation(x)),
    Law.at_least("variation: a row costs at least the difference of its ends", given(x=normal(3, 2, 1, 5)),
                 left=lambda f, x: f.total_variation(x), right=lambda f, x: np.abs(x[..., -1] - x[..., 0]).sum((1, 2))),
    Rejects("total_variation", "no channels", given(x=zeros(2, 4, 5)), blames="x"),
    # The discrepancy.
    Agree("quadratic_kernel_discrepancy", "regular", given(x=normal(2, 4, 3), y=normal(2, 5, 3, mean=0.5))),
    Agree("quadratic_kernel_discrepancy", "the same points", given(x=[[[1.0, 2.0], [3.0, -1.0], [0.0, 1.0]]],
                                                                   y=[[[1.0, 2.0], [3.0, -1.0], [0.0, 1.0]]])),
    Agree("quadratic_kernel_discrepancy", "one point against many", given(x=normal(2, 1, 3), y=normal(2, 6, 3))),
    Agree("quadratic_kernel_discrepancy", "points at 0", given(x=zeros(2, 4, 3), y=normal(2, 5, 3))),
    Anchor("quadratic_kernel_discrepancy", "two points and two", given(
               x=[[[1.0, 0.0], [0.0, 2.0]]], y=[[[2.0, 0.0], [0.0, 1.0]]]),
           gives=[4.5], source="by hand: 17/4 + 17/4 - 2 (4 + 4)/4",
           near_misses={"without a point's pair with itself": [-4.0], "the cross term once": [6.5], "the linear kernel": [0.5],
                        "sums": [18.0], "divided by the channels squared": [1.125], "the root": [4.5**0.5]}),
    Anchor("quadratic_kernel_discrepancy", "three points and two", given(
               x=[[[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]], y=[[[2.0, 0.0], [0.0, 1.0]]]),
           gives=[121 / 36], source="by hand: 31/9 + 17/4 - 2 (4 + 4 + 4 + 1)/6",
           near_misses={"all sums divided by N M": [11 / 3], "without a point's pair with itself": [-8 / 3], "sums": [22.0]}),
    Law.equal("discrepancy: it has no direction", given(x=normal(2, 4, 3), y=normal(2, 5, 3)),
              left=lambda f, x, y: f.quadratic_kernel_discrepancy(x, y),
              right=lambda f, x, y: f.quadratic_kernel_discrepancy(y, x)),
    Law.equal("discrepancy: the sign of a point does not count", given(x=normal(2, 4, 3), y=normal(2, 5, 3)),
              left=lambda f, x, y: f.quadratic_kernel_discrepancy(x * np.array([[1.0], [-1.0], [1.0], [-1.0]]), y),
              right=lambda f, x, y: f.quadratic_kernel_discrepancy(x, y)),
    Law.equal("discrepancy: points that are repeated have the same", given(x=normal(2, 4, 3), y=normal(2, 5, 3)),
              left=lambda f, x, y: f.quadratic_kernel_discrepancy(np.concatenate([x, x], axis=1), y),
              right=lambda f, x, y: f.quadratic_kernel_discrepancy(x, y)),
    *(
        Rejects("quadratic_kernel_discrepancy", case, given(x=zeros(*x), y=zeros(*y)), blames=blames)
        for case, x, y, blames in (
            ("another batch", (2, 4, 3), (3, 4, 3), "y"), ("points of another length", (2, 4, 3), (2, 4, 2), "y"),
            ("no point", (2, 0, 3), (2, 4, 3), "x"), ("no point on the other side", (2, 4, 3), (2, 0, 3), "y"),
            ("one axis less", (4, 3), (4, 3), "x"),
        )
    ),
)  # fmt: skip
