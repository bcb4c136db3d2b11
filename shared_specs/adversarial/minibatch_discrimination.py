"""What must hold of statistics of a batch: minibatch discrimination and its relatives."""

import numpy as np

from shared_specs.rows import (
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_by_inputs,
    begins_normal,
    channels_last,
    full,
    given,
    normal,
    scalar,
    zeros,
)

FEATURES, TENSOR = normal(5, 4, scale=0.7), normal(4, 3, 2, scale=0.5)
IMAGES = normal(6, 3, 4, 2)
REAL, FAKE, ROWS = normal(5, 3), normal(4, 3), normal(5, 3)
ONE = np.ones((1, 1, 1))
TWO_FEATURES = np.eye(2)[:, None]  # [2, 1, 2]: both features as they are, in one kernel
HALF = 3**0.5 / 2
STAR = [[1.0, 0.0], [-0.5, HALF], [-0.5, -HALF]]  # three directions at 120 degrees
FOUR = np.array([0.0, 0.0, 2.0, 4.0]).reshape(4, 1, 1, 1)
POINTS, SIZES = normal(5, 3), dict(dim=3, hidden=4, kernels=2, places=3)
LAYERS = {"first.*": begins_by_inputs(), "rest.*": begins_by_inputs()}
ORDER = [3, 0, 4, 1, 2]


def with_channel(x, statistics):
    """Images, and a constant channel for each."""
    x = np.asarray(x, float)
    return np.concatenate([x, np.broadcast_to(np.reshape(statistics, (-1, 1, 1, 1)), (len(x), 1, *x.shape[2:]))], axis=1)


SPEC = (
    # Similarities.
    Agree("minibatch_discrimination", "regular", given(features=FEATURES, tensor=TENSOR)),
    Agree("minibatch_discrimination", "far apart", given(features=normal(5, 4, scale=40.0), tensor=TENSOR)),
    Agree("minibatch_discrimination", "all alike", given(features=full(5, 4, value=0.3), tensor=TENSOR),
          no_gradient="the distances have a kink where samples coincide"),
    Anchor(
        "minibatch_discrimination", "two alike, one apart", given(features=[[0.0], [0.0], [np.log(2.0)]], tensor=ONE),
        gives=[[2.5], [2.5], [2.0]], source="by hand: 1 + 1 + 1/2 and 1/2 + 1/2 + 1",
        near_misses={"without itself": [[1.5], [1.5], [1.0]], "mean for sum": [[5 / 6], [5 / 6], [2 / 3]],
                     "squared distances": [[2.6185], [2.6185], [2.2370]],
                     "the sum of the distances": [[0.6931], [0.6931], [1.3863]]},
    ),
    Anchor("minibatch_discrimination", "a difference of (1, 1)", given(features=[[0.0, 0.0], [1.0, 1.0]], tensor=TWO_FEATURES),
           gives=[[1.1353352832366127]] * 2, source="1 + e^-2",
           near_misses={"Euclidean distance": [[1.2431167344342142]] * 2, "mean over the coordinates": [[1.3678794411714423]] * 2,
                        "a kernel for each coordinate": [[1.7357588823428847]] * 2}),
    Law.equal("samples that are all alike are as similar as can be", given(tensor=TENSOR),
              left=lambda f, tensor: f.minibatch_discrimination(np.full((5, 4), 0.3), tensor), right=5.0),
    Law.equal("samples far apart have only themselves", given(tensor=TENSOR),
              left=lambda f, tensor: f.minibatch_discrimination(1e4 * np.eye(4)[:3], tensor), right=1.0),
    Law.equal("the order of the batch does not matter", given(features=FEATURES, tensor=TENSOR),
              left=lambda f, x, tensor: f.minibatch_discrimination(x[ORDER], tensor),
              right=lambda f, x, tensor: f.minibatch_discrimination(x, tensor)[ORDER]),
    Law.equal("only differences count", given(features=FEATURES, tensor=TENSOR, move=normal(1, 4)),
              left=lambda f, x, tensor, move: f.minibatch_discrimination(x + move, tensor),
              right=lambda f, x, tensor, move: f.minibatch_discrimination(x, tensor)),
    Law.equal("each kernel by itself", given(features=FEATURES, tensor=TENSOR),
              left=lambda f, x, tensor: f.minibatch_discrimination(x, tensor),
              right=lambda f, x, tensor: np.concatenate(
                  [f.minibatch_discrimination(x, tensor[:, n : n + 1]) for n in range(3)], axis=1)),
    Law.at_least("no sample is less similar than to itself", given(features=FEATURES, tensor=TENSOR),
                 left=lambda f, x, tensor: f.minibatch_discrimination(x, tensor), right=1.0),
    Rejects("minibatch_discrimination", "no axis of features", given(features=zeros(5), tensor=zeros(5, 3, 2)),
            blames="features"),
    Rejects("minibatch_discrimination", "a matrix", given(features=zeros(5, 4), tensor=zeros(4, 3)), blames="tensor"),
    Rejects("minibatch_discrimination", "features missing", given(features=zeros(5, 4), tensor=zeros(3, 3, 2)), blames="tensor"),
    # Deviations.
    Agree("minibatch_standard_deviation", "groups of one", given(x=IMAGES, group_size=1, epsilon=0.3)),
    Agree("minibatch_standard_deviation", "groups of two", given(x=IMAGES, group_size=2)),
    Agree("minibatch_standard_deviation", "groups of three", given(x=IMAGES, group_size=3, epsilon=0.3)),
    Agree("minibatch_standard_deviation", "the whole batch", given(x=IMAGES, group_size=6)),
    Agree("minibatch_standard_deviation", "all alike", given(x=full(6, 3, 4, 2, value=0.7), group_size=3)),
    Agree("minibatch_standard_deviation", "channels last in memory", given(x=channels_last(IMAGES), group_size=2)),
    Anchor(
        "minibatch_standard_deviation", "strided groups", given(x=FOUR, group_size=2, epsilon=0.0625),
        gives=with_channel(FOUR, np.tile(np.sqrt([1.0625, 4.0625]), 2)),
        source="by hand: the groups are (0, 2) and (0, 4), of variances 1 and 4",
        near_misses={
            "contiguous groups": with_channel(FOUR, np.repeat(np.sqrt([0.0625, 1.0625]), 2)),
            "unbiased": with_channel(FOUR, np.tile(np.sqrt([2.0625, 8.0625]), 2)),
            "epsilon outside the root": with_channel(FOUR, np.tile([1.0625, 2.0625], 2)),
            "the variance": with_channel(FOUR, np.tile([1.0625, 4.0625], 2)),
            "one group": with_channel(FOUR, np.full(4, np.sqrt(2.75 + 0.0625))),
            "repeated group by group": with_channel(FOUR, np.repeat(np.sqrt([1.0625, 4.0625]), 2)),
            "the channel first": with_channel(FOUR, np.tile(np.sqrt([1.0625, 4.0625]), 2))[:, ::-1],
        },
    ),
    Anchor("minibatch_standard_deviation", "deviations 1 and 3 in two pixels",
           given(x=[[[[0.0, 1.0]]], [[[2.0, 7.0]]]], group_size=2, epsilon=1e-30), gives=[[[[0.0, 1.0]], [[2.0, 2.0]]],
                                                                                          [[[2.0, 7.0]], [[2.0, 2.0]]]],
           source="(1 + 3)/2", near_misses={"the root of the mean variance": [[[[0.0, 1.0]], [[5**0.5, 5**0.5]]],
                                                                               [[[2.0, 7.0]], [[5**0.5, 5**0.5]]]],
                                            "each pixel by itself": [[[[0.0, 1.0]], [[1.0, 3.0]]],
                                                                     [[[2.0, 7.0]], [[1.0, 3.0]]]]}),
    Law.equal("the images come first, as they were", given(x=IMAGES),
              left=lambda f, x: f.minibatch_standard_deviation(x, group_size=3)[:, :3], right=lambda f, x: x),
    Law.equal("a shift of all images does not matter", given(x=IMAGES, move=normal(1, 3, 4, 2)),
              left=lambda f, x, move: f.minibatch_standard_deviation(x + move, group_size=3)[:, 3:],
              right=lambda f, x, move: f.minibatch_standard_deviation(x, group_size=3)[:, 3:]),
    Law.equal("the root of epsilon where all are alike", given(x=normal(1, 3, 4, 2)),
              left=lambda f, x: f.minibatch_standard_deviation(np.tile(x, (6, 1, 1, 1)), group_size=3, epsilon=0.25)[:, 3:],
              right=0.5),
    Rejects("minibatch_standard_deviation", "seven in pairs", given(x=zeros(7, 3, 4, 2), group_size=2), blames="group_size"),
    Rejects("minibatch_standard_deviation", "no group", given(x=zeros(6, 3, 4, 2), group_size=0), blames="group_size"),
    Rejects("minibatch_standard_deviation", "epsilon 0", given(x=zeros(6, 3, 4, 2), group_size=2, epsilon=0.0), blames="epsilon"),
    Rejects("minibatch_standard_deviation", "points", given(x=zeros(6, 3), group_size=2), blames="x"),
    # Means and cosines.
    Agree("feature_matching_loss", "regular", given(features_real=REAL, features_fake=FAKE), smallest_batch=1),
    Agree("feature_matching_loss", "one fake", given(features_real=REAL, features_fake=normal(1, 3))),
    Agree("feature_matching_loss", "means of 100", given(features_real=normal(5, 3, mean=100.0),
                                                         features_fake=normal(4, 3, mean=100.0))),
    Anchor("feature_matching_loss", "means (2, 0) and (1, 3)",
           given(features_real=[[1.0, -1.0], [3.0, 1.0]], features_fake=[[0.0, 2.0], [3.0, 5.0], [0.0, 2.0]]),
           gives=10.0, source="1 + 9", near_misses={"mean over the features": 5.0, "the norm": 10.0**0.5, "half": 5.0,
                                                    "sums for means": 82.0, "absolute differences": 4.0}),
    Law.equal("equal means cannot be told apart", given(x=REAL, move=normal(5, 3)),
              left=lambda f, x, move: 1 + f.feature_matching_loss(x, x + move - move.mean(axis=0)), right=1.0),
    Law.equal("symmetric", given(x=REAL, y=FAKE), left=lambda f, x, y: f.feature_matching_loss(x, y),
              right=lambda f, x, y: f.feature_matching_loss(y, x)),
    Law.equal("every feature by itself", given(x=REAL, y=FAKE), left=lambda f, x, y: f.feature_matching_loss(x, y),
              right=lambda f, x, y: sum(f.feature_matching_loss(x[:, n : n + 1], y[:, n : n + 1]) for n in range(3))),
    Rejects("feature_matching_loss", "no real example", given(features_real=zeros(0, 3), features_fake=FAKE),
            blames="features_real"),
    Rejects("feature_matching_loss", "no fake", given(features_real=REAL, features_fake=zeros(0, 3)), blames="features_fake"),
    Rejects("feature_matching_loss", "other features", given(features_real=REAL, features_fake=zeros(4, 2)),
            blames="features_fake"),
    Rejects("feature_matching_loss", "no features", given(features_real=zeros(3), features_fake=zeros(3)),
            blames="features_real"),
    Agree("pull_away_term", "regular", given(features=ROWS), smallest_batch=2),
    Agree("pull_away_term", "nearly parallel", given(features=normal(5, 3, mean=50.0))),
    Anchor("pull_away_term", "three directions at 120 degrees", given(features=STAR), gives=0.25, source="cos 120 = -1/2",
           near_misses={"with the diagonal": 0.5, "not squared": -0.5, "absolute values": 0.5, "pairs counted once": 0.125,
                        "a sum": 1.5, "over B squared": 1 / 6}),
    Anchor("pull_away_term", "lengths do not matter", given(features=[[3.0, 4.0], [0.0, 2.0]]), gives=0.64, source="(4/5)^2",
           near_misses={"inner products": 64.0, "one length only": 2.56}),
    Law.equal("parallel rows, also of opposite directions", given(row=normal(1, 3)),
              left=lambda f, row: f.pull_away_term(np.concatenate([row, -2 * row, 0.5 * row])), right=1.0),
    Law.equal("every row has its own scale", given(x=ROWS), left=lambda f, x: f.pull_away_term(x * np.arange(1.0, 6.0)[:, None]),
              right=lambda f, x: f.pull_away_term(x)),
    Law.equal("orthogonal rows", given(scales=[1.0, 3.0, 0.2]),
              left=lambda f, scales: 1 + f.pull_away_term(np.diag(scales)), right=1.0),
    Law.at_least("Welch's bound: (B - D)/(D (B - 1))", given(x=ROWS), left=lambda f, x: f.pull_away_term(x), right=1 / 6),
    Rejects("pull_away_term", "one row", given(features=[[1.0, 2.0]]), blames="features"),
    Rejects("pull_away_term", "no row", given(features=zeros(0, 3)), blames="features"),
    Rejects("pull_away_term", "a row of zeros", given(features=[[1.0, 2.0], [0.0, 0.0]]), blames="features"),
    Rejects("pull_away_term", "no axis", given(features=scalar(1.0)), blames="features"),
    # The network.
    Model("BatchDiscriminator", "similarities", given(points=POINTS), sizes=dict(statistic="similarities", **SIZES), steps=3,
          initial={"tensor": begins_normal(0.5)} | LAYERS, apart=False),
    Model("BatchDiscriminator", "the deviation", given(points=POINTS), sizes=dict(statistic="deviation", **SIZES), steps=0,
          initial=LAYERS, apart=False),
    Model("BatchDiscriminator", "no statistic", given(points=POINTS), sizes=dict(statistic="none", **SIZES), steps=0,
          initial=LAYERS),
)  # fmt: skip
