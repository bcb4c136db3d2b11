"""Contracts of batch normalization, leaky rectifiers and overlapping kernels (lecture 8)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Model, Rejects, begins_at, begins_normal, full, given, normal, uniform, zeros

X, SCALE, SHIFT = normal(5, 3, 4, 2), normal(3), normal(3)
MEAN, VARIANCE = normal(3), uniform(3, low=0.2, high=3.0)
UNIT, NONE = np.ones(3), np.zeros(3)
TINY = 1e-30  # an epsilon that no sum sees; torch's own batch norm refuses 0
TRAINED = ("x", "scale", "shift")  # running statistics are gathered, not trained, and torch's own has no slope in them
# Two examples, two channels, one row of two pixels. Channel 0: mean 3, variance 3.5, with epsilon 1/2 the deviation is 2; over
# the first example alone it is 1.5 and 0.25. Channel 1: mean 0, variance 2, deviation 1.581...
FOUR = [[[[1.0, 2.0]], [[-2.0, 0.0]]], [[[3.0, 6.0]], [[0.0, 2.0]]]]
GAIN, OFFSET = [2.0, 3.0], [1.0, -1.0]
MPMATH = "40 digits (mpmath), from the definition"


def channels(x):
    """[B, C, H, W] as [C, B H W]."""
    return np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)


def variances_of_fours(f, rng, draws):
    """Variances of batches of four draws from N(1, 3^2)."""
    x = 1.0 + 3.0 * rng.standard_normal((2, draws, 1, 2))
    return f.update_running_statistics(x, np.zeros(draws), np.zeros(draws), momentum=1.0)[1]


def overlap(f, geometry):
    length, kernel, stride = map(int, geometry)
    return f.kernel_overlap(length=length, kernel=kernel, stride=stride)


DCGAN, NEAR_ONE = {"*.bias": begins_at(0), "*.weight": begins_normal(0.02)}, begins_normal(0.02, mean=1.0)

SPEC = (
    # Statistics of the batch.
    Agree("batch_normalize", "regular", given(x=X, scale=SCALE, shift=SHIFT), smallest_batch=1),
    Agree("batch_normalize", "another epsilon", given(x=X, scale=SCALE, shift=SHIFT, epsilon=0.3)),
    Agree("batch_normalize", "a mean of 100, a deviation of 0.01",
          given(x=normal(5, 3, 4, 2, mean=100.0, scale=1e-2), scale=SCALE, shift=SHIFT)),
    Agree("batch_normalize", "a constant input", given(x=full(5, 3, 4, 2, value=0.7), scale=SCALE, shift=SHIFT, epsilon=0.25)),
    Anchor(
        "batch_normalize", "deviations 2 and root 2.5", given(x=FOUR, scale=GAIN, shift=OFFSET, epsilon=0.5),
        gives=[[[[-1.0, 0.0]], [[-4.794733192202055, -1.0]]], [[[1.0, 4.0]], [[-1.0, 2.794733192202055]]]], source=MPMATH,
        near_misses={
            "unbiased variance": [[[[-0.7597653802562396, 0.1201173098718802]], [[-4.371708921694099, -1.0]]],
                                  [[[1.0, 3.6396480703843594]], [[-1.0, 2.3717089216940987]]]],
            "each example by itself": [
                [[[-0.1547005383792517, 2.1547005383792515]], [[-3.4494897427831783, 1.4494897427831783]]],
                [[[-0.8090680674665818, 2.8090680674665816]], [[-3.4494897427831783, 1.4494897427831783]]],
            ],
            "epsilon outside the root": [[[[-0.6871737764762718, 0.1564131117618641]], [[-4.134446499564897, -1.0]]],
                                         [[[1.0, 3.530760664714408]], [[-1.0, 2.134446499564897]]]],
            "not centered": [[[[2.0, 3.0]], [[-4.794733192202055, -1.0]]], [[[4.0, 7.0]], [[-1.0, 2.794733192202055]]]],
        },
    ),
    Law.equal("mean 0 and mean square 1 in every channel", given(x=X),
              left=lambda f, x: [1 + channels(f.batch_normalize(x, UNIT, NONE, epsilon=TINY)).mean(-1),
                                 (channels(f.batch_normalize(x, UNIT, NONE, epsilon=TINY)) ** 2).mean(-1)], right=1.0),
    Law.equal("affine changes of the input are forgotten", given(x=X),
              left=lambda f, x: f.batch_normalize(4.0 * x + 2.0, UNIT, NONE, epsilon=TINY),
              right=lambda f, x: f.batch_normalize(x, UNIT, NONE, epsilon=TINY)),
    Law.equal("a constant channel gives the shift", given(shift=SHIFT),
              left=lambda f, shift: f.batch_normalize(np.full((5, 3, 4, 2), 8.0), UNIT, shift, epsilon=4.0),
              right=lambda f, shift: np.broadcast_to(shift[:, None, None], (5, 3, 4, 2))),
    Law.equal("examples and pixels are all alike", given(x=X, order=np.random.default_rng(1).permutation(5)),
              left=lambda f, x, order: f.batch_normalize(x[order].transpose(0, 1, 3, 2), UNIT, NONE),
              right=lambda f, x, order: f.batch_normalize(x, UNIT, NONE)[order].transpose(0, 1, 3, 2)),
    Law.equal("with epsilon 0 a sum of outputs cannot be moved", given(x=X, scale=SCALE),
              left=lambda f, x, scale: 1 + f.gradient("batch_normalize", x, scale, NONE, epsilon=TINY), right=1.0),
    Law.equal("only the pixels of a channel move it, and their slopes cancel", given(x=X),
              left=lambda f, x: 1 + f.jacobian("batch_normalize", x, UNIT, NONE, epsilon=TINY).sum((4, 6, 7)), right=1.0),
    Rejects("batch_normalize", "three axes", given(x=zeros(5, 3, 4), scale=zeros(3), shift=zeros(3)), blames="x"),
    Rejects("batch_normalize", "gains for another number of channels", given(x=zeros(5, 3, 4, 2), scale=zeros(5), shift=zeros(3)),
            blames="scale"),
    Rejects("batch_normalize", "a shift for every pixel", given(x=zeros(5, 3, 4, 2), scale=zeros(3), shift=zeros(3, 4, 2)),
            blames="shift"),
    Rejects("batch_normalize", "no example", given(x=zeros(0, 3, 4, 2), scale=zeros(3), shift=zeros(3)), blames="x"),
    Rejects("batch_normalize", "one value per channel", given(x=zeros(1, 3, 1, 1), scale=zeros(3), shift=zeros(3)), blames="x"),
    # Statistics that are given.
    Agree("batch_normalize_inference", "regular",
          given(x=X, running_mean=MEAN, running_variance=VARIANCE, scale=SCALE, shift=SHIFT), differentiate=TRAINED),
    Agree("batch_normalize_inference", "another epsilon",
          given(x=X, running_mean=MEAN, running_variance=VARIANCE, scale=SCALE, shift=SHIFT, epsilon=0.3), differentiate=TRAINED),
    Agree("batch_normalize_inference", "no variance at all",
          given(x=X, running_mean=MEAN, running_variance=zeros(3), scale=SCALE, shift=SHIFT), differentiate=TRAINED),
    Anchor(
        "batch_normalize_inference", "deviations 2 and 3",
        given(x=FOUR, running_mean=[2.0, 1.0], running_variance=[3.5, 8.5], scale=GAIN, shift=OFFSET, epsilon=0.5),
        gives=[[[[0.0, 1.0]], [[-4.0, -2.0]]], [[[2.0, 5.0]], [[-2.0, 0.0]]]], source="by hand",
        near_misses={
            "the batch's own": [[[[-1.0, 0.0]], [[-4.794733192202055, -1.0]]], [[[1.0, 4.0]], [[-1.0, 2.794733192202055]]]],
            "the variance for the deviation": [[[[0.5, 1.0]], [[-2.0, -1.3333333333333333]]],
                                               [[[1.5, 3.0]], [[-1.3333333333333333, -0.6666666666666667]]]],
            "not centered": [[[[2.0, 3.0]], [[-3.0, -1.0]]], [[[4.0, 7.0]], [[-1.0, 1.0]]]],
        },
    ),
    Law.equal("an example does not see its company", given(x=X, mean=MEAN, variance=VARIANCE),
              left=lambda f, x, mean, variance: f.batch_normalize_inference(x, mean, variance, UNIT, NONE)[:2],
              right=lambda f, x, mean, variance: f.batch_normalize_inference(x[:2], mean, variance, UNIT, NONE)),
    Law.equal("with the batch's own statistics it is the training form", given(x=X, scale=SCALE, shift=SHIFT),
              left=lambda f, x, scale, shift: f.batch_normalize_inference(
                  x, channels(x).mean(-1), channels(x).var(-1), scale, shift),
              right=lambda f, x, scale, shift: f.batch_normalize(x, scale, shift)),
    Rejects("batch_normalize_inference", "three axes",
            given(x=zeros(5, 3, 4), running_mean=zeros(3), running_variance=zeros(3), scale=zeros(3), shift=zeros(3)),
            blames="x"),
    Rejects("batch_normalize_inference", "a mean for another number of channels",
            given(x=zeros(5, 3, 4, 2), running_mean=zeros(4), running_variance=zeros(3), scale=zeros(3), shift=zeros(3)),
            blames="running_mean"),
    Rejects("batch_normalize_inference", "a negative variance",
            given(x=zeros(5, 3, 4, 2), running_mean=zeros(3), running_variance=[0.1, -0.1, 0.2], scale=zeros(3), shift=zeros(3)),
            blames="running_variance"),
    # How the statistics are gathered.
    Agree("update_running_statistics", "regular", given(x=X, running_mean=MEAN, running_variance=VARIANCE),
          smallest_batch=1),
    Agree("update_running_statistics", "momentum 0", given(x=X, running_mean=MEAN, running_variance=VARIANCE, momentum=0.0)),
    Agree("update_running_statistics", "momentum 1", given(x=X, running_mean=MEAN, running_variance=VARIANCE, momentum=1.0)),
    Agree("update_running_statistics", "a mean of 100, a deviation of 0.01",
          given(x=normal(5, 3, 4, 2, mean=100.0, scale=1e-2), running_mean=MEAN, running_variance=zeros(3), momentum=0.3)),
    Anchor(
        "update_running_statistics", "momentum 1/4",
        given(x=FOUR, running_mean=[7.0, 4.0], running_variance=[2.0, 8.0], momentum=0.25),
        gives=([6.0, 3.0], [2.6666666666666667, 6.6666666666666667]), source="means 3 and 0; 14/3 and 8/3",
        near_misses={
            "momentum reversed": ([4.0, 1.0], [4.0, 4.0]),
            "biased variance": ([6.0, 3.0], [2.375, 6.5]),
            "not started at the old": ([0.75, 0.0], [1.1666666666666667, 0.6666666666666667]),
            "deviations averaged": ([6.0, 3.0], [2.5623105904056276, 6.398717474235545]),
        },
    ),
    Law.equal("momentum 0 keeps, momentum 1 forgets", given(x=X, mean=MEAN, variance=VARIANCE),
              left=lambda f, x, mean, variance: [f.update_running_statistics(x, mean, variance, momentum=m) for m in (0.0, 1.0)],
              right=lambda f, x, mean, variance: [(mean, variance), (channels(x).mean(-1), channels(x).var(-1, ddof=1))]),
    Law.unbiased("the stored variance, from batches of four, a batch a channel", given(), samples=variances_of_fours,
                 expected=9.0, draws=4000, detects=1.0),
    Rejects("update_running_statistics", "two axes", given(x=zeros(5, 3), running_mean=zeros(3), running_variance=zeros(3)),
            blames="x"),
    Rejects("update_running_statistics", "variances for another number of channels",
            given(x=zeros(5, 3, 4, 2), running_mean=zeros(3), running_variance=zeros(2)), blames="running_variance"),
    Rejects("update_running_statistics", "no example",
            given(x=zeros(0, 3, 4, 2), running_mean=zeros(3), running_variance=zeros(3)), blames="x"),
    Rejects("update_running_statistics", "one value per channel",
            given(x=zeros(1, 3, 1, 1), running_mean=zeros(3), running_variance=zeros(3)), blames="x"),
    Rejects("update_running_statistics", "a negative variance",
            given(x=zeros(5, 3, 4, 2), running_mean=zeros(3), running_variance=[0.1, -0.1, 0.2]), blames="running_variance"),
    Rejects("update_running_statistics", "momentum above 1",
            given(x=zeros(5, 3, 4, 2), running_mean=zeros(3), running_variance=zeros(3), momentum=1.1), blames="momentum"),
    # Leaky rectifiers.
    Agree("leaky_rectifier", "regular", given(x=normal(5, 3, 2))),
    Agree("leaky_rectifier", "one axis, another slope", given(x=[-1e4, -3.0, -1e-3, 1e-2, 5e4], slope=0.01)),
    Agree("leaky_rectifier", "slope 0", given(x=[-2.0, -0.1, 0.4, 3.0, 7.0], slope=0.0)),
    Anchor("leaky_rectifier", "five numbers", given(x=[-5.0, -0.5, 0.0, 0.5, 5.0], slope=0.2), gives=[-1.0, -0.1, 0.0, 0.5, 5.0],
           source="by hand",
           near_misses={"rectifier": [0.0, 0.0, 0.0, 0.5, 5.0], "slope 0.01": [-0.05, -0.005, 0.0, 0.5, 5.0],
                        "both sides": [-1.0, -0.1, 0.0, 0.1, 1.0], "the other side": [-5.0, -0.5, 0.0, 0.1, 1.0]}),
    Anchor("leaky_rectifier", "the default slope", given(x=[-1.0, 1.0, -5.0, 3.0, 0.5]),
           gives=[-0.2, 1.0, -1.0, 3.0, 0.5], source="Radford et al. 2016, section 3",
           near_misses={"torch's default slope": [-0.01, 1.0, -0.05, 3.0, 0.5]}),
    Law.equal("positive factors pass", given(x=normal(5, 3, 2)), left=lambda f, x: f.leaky_rectifier(4.0 * x),
              right=lambda f, x: 4.0 * f.leaky_rectifier(x)),
    Law.equal("x and -x together give (1 - slope) |x|, and apart (1 + slope) x", given(x=normal(5, 3, 2)),
              left=lambda f, x: [f.leaky_rectifier(x, slope=0.25) - f.leaky_rectifier(-x, slope=0.25),
                                 f.leaky_rectifier(x, slope=0.25) + f.leaky_rectifier(-x, slope=0.25)],
              right=lambda f, x: [1.25 * x, 0.75 * np.abs(x)]),
    Rejects("leaky_rectifier", "no axis", given(x=np.array(-1.0)), blames="x"),
    # The overlap of kernels.
    Agree("kernel_overlap", "kernel 5, stride 3", given(length=4, kernel=5, stride=3)),
    Agree("kernel_overlap", "gaps between kernels", given(length=4, kernel=2, stride=3)),
    Agree("kernel_overlap", "one input", given(length=1, kernel=3, stride=2)),
    Anchor("kernel_overlap", "kernel 3, stride 2", given(length=4, kernel=3, stride=2), gives=[1, 1, 2, 1, 2, 1, 2, 1, 1],
           source="by hand", near_misses={"kernel 2": [1, 1, 1, 1, 1, 1, 1, 1, 0], "uniform": [2] * 9}),
    Anchor("kernel_overlap", "kernel 4, stride 2", given(length=3, kernel=4, stride=2), gives=[1, 1, 2, 2, 2, 2, 1, 1],
           source="by hand", near_misses={"starting at the stride": [2, 2, 2, 2, 2, 2, 1, 1]}),
    Law.equal("every input reaches as many outputs as the kernel is long",
              given(geometries=np.array([[5, 3, 2], [4, 6, 3], [3, 2, 4]])),
              left=lambda f, geometries: [overlap(f, g).sum() for g in geometries],
              right=lambda f, geometries: geometries[:, 0] * geometries[:, 1]),
    Law.equal("even inside if and only if the stride divides the kernel",
              given(geometries=np.array([[7, 2, 2], [7, 3, 2], [7, 4, 2], [7, 5, 2], [7, 6, 3], [7, 5, 3], [7, 3, 1]])),
              left=lambda f, geometries: [1 + np.ptp(overlap(f, g)[g[1] - 1 : 6 * g[2] + 1]) for g in geometries],
              right=lambda f, geometries: 1.0 + (geometries[:, 1] % geometries[:, 2] > 0)),
    Law.equal("the same from either end", given(geometries=np.array([[5, 3, 2], [4, 6, 3], [3, 2, 4]])),
              left=lambda f, geometries: np.concatenate([overlap(f, g) for g in geometries]),
              right=lambda f, geometries: np.concatenate([overlap(f, g)[::-1] for g in geometries])),
    Rejects("kernel_overlap", "no input", given(length=0, kernel=3, stride=2), blames="length"),
    Rejects("kernel_overlap", "kernel 0", given(length=4, kernel=0, stride=2), blames="kernel"),
    Rejects("kernel_overlap", "stride 0", given(length=4, kernel=3, stride=0), blames="stride"),
    # The networks. Gains begin as draws about 1, as in Radford et al.; a batch is normalized together.
    Model("Generator", "two doublings", given(z=normal(5, 4)), sizes=dict(latent=4, shape=(2, 16, 12), width=2), steps=3,
          initial={"layers.[036].weight": NEAR_ONE} | DCGAN, apart=False),
    Model("Discriminator", "one halving", given(images=uniform(5, 3, 8, 8, low=-1.0)), sizes=dict(shape=(3, 8, 8), width=3),
          steps=0, initial={"layers.3.weight": NEAR_ONE} | DCGAN, apart=False),
)  # fmt: skip
