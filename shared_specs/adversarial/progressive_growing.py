"""What must hold of fading in, pixel normalization, equalized weights and the schedule of growth."""

import numpy as np

from shared_specs.rows import (
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_normal,
    concatenate,
    given,
    integers,
    normal,
    uniform,
    zeros,
)

LOW, HIGH = normal(2, 3, 4, 5), normal(2, 3, 8, 10)
PAIR = dict(low=LOW, high=HIGH)
# One row of two pixels under four by two; at alpha = 1/4 the new output moves a quarter of the way.
ROW, BLOCKS = [[[[4.0, 8.0]]]], [[[[0.0, 4.0, 8.0, 0.0], [4.0, 8.0, -8.0, 8.0]]]]
FEATURES = normal(2, 5, 3, 4)
TWO_PIXELS = [[[[3.0, 1.0]], [[4.0, -1.0]], [[0.0, 1.0]]]]  # (3, 4, 0) and (1, -1, 1)
ROOT_3 = 3**0.5
SIZES = dict(shape=(2, 8, 12), doublings=1, width=3, most_channels=5)
LAYERS = {"*.weight": begins_normal(1.0), "*.bias": begins_at(0)}
STEPS = [0, 9, 10, 11, 13, 14, 19, 20, 22, 35, 255]
STAGES = dict(stage_steps=10, fade_steps=4)


def pooled(x):
    """The means of blocks of 2 x 2 pixels."""
    return x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean((3, 5))


SPEC = (
    # Fading in.
    Agree("fade_in", "halfway", given(**PAIR, alpha=0.5)),
    Agree("fade_in", "begun", given(**PAIR, alpha=0.07)),
    Agree("fade_in", "not begun", given(**PAIR, alpha=0.0)),
    Agree("fade_in", "done", given(**PAIR, alpha=1.0)),
    Agree("fade_in", "from one pixel", given(low=normal(4, 3, 1, 1), high=normal(4, 3, 2, 2), alpha=0.3)),
    Anchor(
        "fade_in", "two pixels", given(low=ROW, high=BLOCKS, alpha=0.25),
        gives=[[[[3.0, 4.0, 8.0, 6.0], [4.0, 5.0, 4.0, 8.0]]]], source="by hand",
        near_misses={
            "shares exchanged": [[[[1.0, 4.0, 8.0, 2.0], [4.0, 7.0, -4.0, 8.0]]]],
            "bilinear": [[[[3.0, 4.75, 7.25, 6.0], [4.0, 5.75, 3.25, 8.0]]]],
            "the image repeated, not its pixels": [[[[3.0, 7.0, 5.0, 6.0], [4.0, 8.0, 1.0, 8.0]]]],
            "the new output added": [[[[4.0, 5.0, 10.0, 8.0], [5.0, 6.0, 6.0, 10.0]]]],
            "the new output a residual": [[[[4.0, 8.0, 16.0, 8.0], [8.0, 12.0, 0.0, 16.0]]]],
        },
    ),
    Law.equal("at the start the old output, every pixel a block", given(**PAIR),
              left=lambda f, low, high: f.fade_in(low, high, alpha=0.0),
              right=lambda f, low, high: np.kron(low, np.ones((2, 2)))),
    Law.equal("at the end the new output", given(**PAIR),
              left=lambda f, low, high: f.fade_in(low, high, alpha=1.0), right=lambda f, low, high: high),
    Law.equal("the means of blocks are mixed with the same shares", given(**PAIR),
              left=lambda f, low, high: pooled(f.fade_in(low, high, alpha=0.375)),
              right=lambda f, low, high: 0.625 * low + 0.375 * pooled(high)),
    Law.equal("a faded image keeps its means and has alpha times its details", given(high=HIGH),
              left=lambda f, high: f.fade_in(pooled(high), high, alpha=0.375) - np.kron(pooled(high), np.ones((2, 2))),
              right=lambda f, high: 0.375 * (high - np.kron(pooled(high), np.ones((2, 2))))),
    Law.equal("the slopes: alpha for the new pixels, four times the rest for an old one", given(**PAIR),
              left=lambda f, low, high: [f.gradient("fade_in", low, high, wrt=wrt, alpha=0.375).mean() for wrt in (0, 1)],
              right=[2.5, 0.375]),
    Rejects("fade_in", "the same size", given(low=LOW, high=LOW, alpha=0.5), blames="high"),
    Rejects("fade_in", "one side doubled", given(low=LOW, high=zeros(2, 3, 8, 5), alpha=0.5), blames="high"),
    Rejects("fade_in", "other channels", given(low=LOW, high=zeros(2, 1, 8, 10), alpha=0.5), blames="high"),
    Rejects("fade_in", "no batch", given(low=zeros(3, 4, 5), high=zeros(3, 8, 10), alpha=0.5), blames="low"),
    Rejects("fade_in", "alpha above 1", given(**PAIR, alpha=1.25), blames="alpha"),
    Rejects("fade_in", "alpha below 0", given(**PAIR, alpha=-0.25), blames="alpha"),
    # Pixel normalization.
    Agree("pixel_normalize", "regular", given(x=FEATURES)),
    Agree("pixel_normalize", "a large epsilon", given(x=FEATURES, epsilon=0.5)),
    Agree("pixel_normalize", "pixels without features among others", given(x=concatenate(FEATURES, zeros(1, 5, 3, 4)))),
    Agree("pixel_normalize", "faint features", given(x=normal(2, 5, 3, 4, scale=1e-4))),
    Agree("pixel_normalize", "strong features", given(x=normal(2, 5, 3, 4, scale=1e6))),
    Agree("pixel_normalize", "one channel", given(x=uniform(2, 1, 3, 4, low=1.0, high=2.0), epsilon=0.25)),
    Anchor(
        "pixel_normalize", "two pixels", given(x=TWO_PIXELS, epsilon=1e-30),
        gives=[[[[0.6 * ROOT_3, 1.0]], [[0.8 * ROOT_3, -1.0]], [[0.0, 1.0]]]], source="by hand: lengths 5 and root 3",
        near_misses={
            "over the pixels of a channel": [[[[1.3416407865, 0.4472135955]], [[1.3719886811, -0.3429971703]],
                                              [[0.0, 1.4142135624]]]],
            "over everything": [[[[1.3887301497, 0.4629100499]], [[1.8516401995, -0.4629100499]], [[0.0, 0.4629100499]]]],
            "of length 1": [[[[0.6, 0.5773502692]], [[0.8, -0.5773502692]], [[0.0, 0.5773502692]]]],
            "the mean subtracted": [[[[0.3922322703, 0.7071067812]], [[0.9805806757, -1.4142135624]],
                                     [[-1.3728129459, 0.7071067812]]]],
            "no root": [[[[0.36, 1.0]], [[0.48, -1.0]], [[0.0, 1.0]]]],
        },
    ),
    Anchor("pixel_normalize", "epsilon is added to the mean square", given(x=TWO_PIXELS, epsilon=2.0),
           gives=[[[[3 / (31 / 3) ** 0.5, 1 / ROOT_3]], [[4 / (31 / 3) ** 0.5, -1 / ROOT_3]], [[0.0, 1 / ROOT_3]]]],
           source="by hand: mean squares 25/3 and 1",
           near_misses={"to the root": [[[[0.6139043, 0.3333333]], [[0.8185390, -0.3333333]], [[0.0, 0.3333333]]]],
                        "to the sum": [[[[0.5773503, 0.4472136]], [[0.7698004, -0.4472136]], [[0.0, 0.4472136]]]],
                        "left out": [[[[1.0392305, 1.0]], [[1.3856406, -1.0]], [[0.0, 1.0]]]]}),
    Law.equal("the mean square of the channels is m / (m + epsilon)", given(x=FEATURES),
              left=lambda f, x: (f.pixel_normalize(x, epsilon=0.25) ** 2).mean(1),
              right=lambda f, x: (x**2).mean(1) / ((x**2).mean(1) + 0.25)),
    Law.equal("scaled features: epsilon divided by the square", given(x=FEATURES),
              left=lambda f, x: f.pixel_normalize(4.0 * x, epsilon=0.5),
              right=lambda f, x: f.pixel_normalize(x, epsilon=0.03125)),
    Law.equal("no pixel depends on another", given(x=FEATURES),
              left=lambda f, x: f.pixel_normalize(x)[:, :, 1:, :2], right=lambda f, x: f.pixel_normalize(x[:, :, 1:, :2])),
    Law.equal("the slope along the features is epsilon's share", given(x=FEATURES),
              left=lambda f, x: (x * f.gradient("pixel_normalize", x, epsilon=0.25)).sum(1),
              right=lambda f, x: 0.25 / ((x**2).mean(1) + 0.25) * f.pixel_normalize(x, epsilon=0.25).sum(1)),
    Rejects("pixel_normalize", "no batch", given(x=zeros(5, 3, 4)), blames="x"),
    Rejects("pixel_normalize", "no channel", given(x=zeros(2, 0, 3, 4)), blames="x"),
    Rejects("pixel_normalize", "epsilon 0", given(x=FEATURES, epsilon=0.0), blames="epsilon"),
    # Equalized weights.
    Agree("equalized_weight", "a matrix", given(weight=normal(4, 3))),
    Agree("equalized_weight", "a kernel", given(weight=normal(4, 5, 3, 2))),
    Agree("equalized_weight", "a kernel of one pixel, gain 1", given(weight=normal(4, 5, 1, 1), gain=1.0)),
    Agree("equalized_weight", "one input", given(weight=normal(4, 1), gain=0.5)),
    Anchor("equalized_weight", "two inputs", given(weight=[[1.0, -2.0], [3.0, 0.0], [0.5, 4.0]]),
           gives=[[1.0, -2.0], [3.0, 0.0], [0.5, 4.0]], source="by hand: root 2 over root 2",
           near_misses={"fan-in by the outputs": [[0.8164965809, -1.632993162], [2.449489743, 0.0], [0.4082482905, 3.265986324]],
                        "no gain": [[0.7071067812, -1.414213562], [2.121320344, 0.0], [0.3535533906, 2.828427125]],
                        "no root": [[0.7071067812, -1.414213562], [2.121320344, 0.0], [0.3535533906, 2.828427125]]}),
    Anchor("equalized_weight", "a kernel of three places, gain 3", given(weight=[[[1.0, 2.0, 0.0], [-1.0, 0.0, 4.0],
                                                                               [3.0, 0.0, 1.0]]], gain=3.0),
           gives=[[[1.0, 2.0, 0.0], [-1.0, 0.0, 4.0], [3.0, 0.0, 1.0]]], source="by hand: 3 over root 9",
           near_misses={"channels alone": [[[1.7320508, 3.4641016, 0.0], [-1.7320508, 0.0, 6.9282032],
                                            [5.1961524, 0.0, 1.7320508]]],
                        "the gain ignored": [[[0.4714045, 0.942809, 0.0], [-0.4714045, 0.0, 1.8856181],
                                              [1.4142136, 0.0, 0.4714045]]],
                        "the gain's root": [[[0.5773503, 1.1547005, 0.0], [-0.5773503, 0.0, 2.3094011],
                                             [1.7320508, 0.0, 0.5773503]]],
                        "by the length of the weights": [[[0.5303301, 1.0606602, 0.0], [-0.5303301, 0.0, 2.1213203],
                                                          [1.5909903, 0.0, 0.5303301]]]}),
    Law.equal("the slope is the same constant", given(weight=normal(4, 5, 3, 2)),
              left=lambda f, weight: f.gradient("equalized_weight", weight, gain=6.0), right=30**0.5 * 0.2),
    Law.equal("of unit weights the squares sum to that of the gain", given(weight=[[1.0, -1.0, 1.0]] * 2),
              left=lambda f, weight: (f.equalized_weight(weight, gain=2.0) ** 2).sum(1), right=4.0),
    Rejects("equalized_weight", "a vector", given(weight=zeros(3)), blames="weight"),
    Rejects("equalized_weight", "no input", given(weight=zeros(3, 0)), blames="weight"),
    Rejects("equalized_weight", "gain 0", given(weight=zeros(3, 2), gain=0.0), blames="gain"),
    # The schedule.
    Agree("growth_schedule", "regular", given(step=integers(9, high=60), **STAGES), no_gradient="integers"),
    Agree("growth_schedule", "a fade of one step", given(step=STEPS, stage_steps=10, fade_steps=1), no_gradient="integers"),
    Agree("growth_schedule", "a fade as long as the stage", given(step=STEPS, stage_steps=7, fade_steps=7),
          no_gradient="integers"),
    Agree("growth_schedule", "a stage of 256 steps", given(step=[0, 3, 200, 255], stage_steps=256, fade_steps=100),
          no_gradient="integers"),
    Agree("growth_schedule", "late", given(step=[0, 255, 256, 600_000, 1_000_003], stage_steps=256, fade_steps=100),
          no_gradient="integers"),
    Anchor(
        "growth_schedule", "stages of ten", given(step=STEPS, **STAGES),
        gives=([0, 0, 1, 1, 1, 1, 1, 2, 2, 3, 25], [1.0, 1.0, 0.0, 0.25, 0.75, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0]), source="by hand",
        near_misses={
            "stage 0 is faded in, too": ([0, 0, 1, 1, 1, 1, 1, 2, 2, 3, 25],
                                         [0.0, 1.0, 0.0, 0.25, 0.75, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0]),
            "alpha is not reset": ([0, 0, 1, 1, 1, 1, 1, 2, 2, 3, 25], [1.0] * 11),
            "one step ahead": ([0, 0, 1, 1, 1, 1, 1, 2, 2, 3, 25],
                               [1.0, 1.0, 0.25, 0.5, 1.0, 1.0, 1.0, 0.25, 0.75, 1.0, 1.0]),
            "faded in over the whole stage": ([0, 0, 1, 1, 1, 1, 1, 2, 2, 3, 25],
                                              [1.0, 1.0, 0.0, 0.1, 0.3, 0.4, 0.9, 0.0, 0.2, 0.5, 0.5]),
            "alpha above 1": ([0, 0, 1, 1, 1, 1, 1, 2, 2, 3, 25],
                              [1.0, 1.0, 0.0, 0.25, 0.75, 1.0, 2.25, 0.0, 0.5, 1.25, 1.25]),
            "stages from 1": ([1, 1, 2, 2, 2, 2, 2, 3, 3, 4, 26],
                              [1.0, 1.0, 0.0, 0.25, 0.75, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0]),
        },
    ),
    Law.equal("a stage later alpha is the same", given(step=integers(9, low=10, high=60)),
              left=lambda f, step: np.stack(f.growth_schedule(step + 10, **STAGES)),
              right=lambda f, step: np.stack(f.growth_schedule(step, **STAGES)) + np.array([[1.0], [0.0]])),
    Law.equal("the mean of alpha over a stage", given(step=list(range(10, 20))),
              left=lambda f, step: f.growth_schedule(step, **STAGES)[1].mean(), right=0.75),
    Rejects("growth_schedule", "a negative step", given(step=[3, -1], **STAGES), blames="step"),
    Rejects("growth_schedule", "a step that is no integer", given(step=[3.0, 1.0], **STAGES), blames="step"),
    Rejects("growth_schedule", "two axes", given(step=[[3, 1]], **STAGES), blames="step"),
    Rejects("growth_schedule", "a fade longer than its stage", given(step=[3, 1], stage_steps=10, fade_steps=11),
            blames="fade_steps"),
    Rejects("growth_schedule", "no fade", given(step=[3, 1], stage_steps=10, fade_steps=0), blames="fade_steps"),
    # The networks.
    Model("GrowingGenerator", "a generator", given(z=normal(5, 4), level=1, alpha=0.3), sizes=dict(latent=4, **SIZES), steps=0,
          initial=LAYERS),
    Model("GrowingCritic", "a critic", given(images=uniform(6, 2, 8, 12, low=-1.0), level=1, alpha=0.3), sizes=SIZES, steps=0,
          initial=LAYERS, apart=False),
)  # fmt: skip
