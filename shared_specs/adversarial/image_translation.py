"""What must hold of the losses of pix2pix and CycleGAN, of receptive fields, and of instance normalization."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, concatenate, full, given, normal, zeros

IMAGES, MAPS = (5, 3, 4, 2), (5, 1, 3, 2)
PAIR = dict(x=normal(*IMAGES), y=normal(*IMAGES))
SCORES = dict(patch_scores_real=normal(*MAPS, scale=2.0), patch_scores_fake=normal(*MAPS, scale=2.0))
CYCLE = dict(
    patch_scores_fake=normal(*MAPS), x=normal(*IMAGES), x_cycled=normal(*IMAGES), y=normal(*IMAGES), y_identity=normal(*IMAGES)
)
PAINTED = dict(patch_logits_fake=normal(*MAPS), output=normal(*IMAGES), target=normal(*IMAGES))
# Two examples, two channels, one row of three pixels. The distances of x and y are 1, 2, 1, 1/2, 3, 3/2 and 1, 3, 1, 4, 1, 2.
X = [[[[1.0, -1.0, 0.5]], [[2.0, 0.0, -0.5]]], [[[0.0, 4.0, 1.0]], [[-2.0, 1.0, 3.0]]]]
Y = [[[[0.0, 1.0, -0.5]], [[2.5, -3.0, 1.0]]], [[[1.0, 1.0, 2.0]], [[2.0, 0.0, 1.0]]]]
X_CYCLED = [[[[1.0, 0.0, 0.5]], [[0.0, 0.0, -1.5]]], [[[0.0, 4.0, 3.0]], [[-2.0, 2.0, 4.0]]]]
Y_IDENTITY = [[[[0.0, 1.0, 1.0]], [[2.5, 0.0, 1.0]]], [[[1.0, -1.0, 2.0]], [[2.0, 0.0, 2.0]]]]
# Four patches of each example.
REAL = [[[[0.5, 2.0], [1.0, 3.0]]], [[[-1.0, 1.0], [0.5, 0.0]]]]
FAKE = [[[[0.5, -1.5], [0.0, 1.0]]], [[[2.0, 1.0], [-0.5, 0.5]]]]
BY_HAND = dict(patch_scores_fake=FAKE, x=X, x_cycled=X_CYCLED, y=Y, y_identity=Y_IDENTITY)
FAR = [[[[0.0, 25.0], [-40.0, 400.0]]], [[[-4000.0, 80.0], [-30.0, -400.0]]]]
# Deviations, with epsilon = 3/4, of 1, root 7/4, root 19/4 and root 7/4.
FOUR = [[[[1.0, 2.0]], [[-2.0, 0.0]]], [[[3.0, 7.0]], [[0.0, 2.0]]]]
TINY = 1e-30  # an epsilon that no sum sees
PATCH_70 = dict(kernels=(4, 4, 4, 4, 4), strides=(2, 2, 2, 1, 1))  # the discriminator of pix2pix
KINK = "the absolute value has a kink where the images are equal"
MPMATH = "40 digits (mpmath), from the definition"


def _each_alone(function, arrays, **how):
    """No example of a batch depends on the others."""
    return Law.equal(
        f"{function}: no example depends on the others",
        given(**arrays),
        left=lambda f, *batch: getattr(f, function)(*batch, **how),
        right=lambda f, *batch: np.concatenate(
            [getattr(f, function)(*(array[n : n + 1] for array in batch), **how) for n in range(5)]
        ),
    )


def _rejects_shapes():
    """Images and maps of patches that fit nothing."""
    for function, right, images, maps in (
        ("mean_absolute_error", PAIR, ("x", "y"), ()),
        ("patch_discriminator_loss", SCORES, (), ("patch_scores_real", "patch_scores_fake")),
        ("cycle_generator_loss", CYCLE, ("x", "x_cycled", "y", "y_identity"), ("patch_scores_fake",)),
        ("pix2pix_generator_loss", PAINTED, ("output", "target"), ("patch_logits_fake",)),
    ):
        for name in images[1:]:
            yield Rejects(function, f"{name} of another width", given(**right | {name: zeros(5, 3, 4, 1)}), blames=name)
        if images:
            flat = {name: zeros(5, 3, 4) for name in images}
            yield Rejects(function, "images without channels", given(**right | flat), blames=images[0])
            empty = {name: zeros(5, 3, 0, 2) for name in images}
            yield Rejects(function, "images without pixels", given(**right | empty), blames=images[0])
        if maps:
            yield Rejects(
                function, "scores of two channels", given(**right | {name: zeros(5, 2, 3, 2) for name in maps}), blames=maps[0]
            )
            yield Rejects(function, "no patch", given(**right | {name: zeros(5, 1, 0, 2) for name in maps}), blames=maps[0])
            yield Rejects(
                function, "one score for each image", given(**right | {name: zeros(5) for name in maps}), blames=maps[0]
            )
        if maps and images:
            yield Rejects(function, "scores of fewer images", given(**right | {maps[0]: zeros(4, 1, 3, 2)}), blames=maps[0])
    yield Rejects(
        "patch_discriminator_loss",
        "fewer fake patches",
        given(**SCORES | {"patch_scores_fake": zeros(5, 1, 3, 1)}),
        blames="patch_scores_fake",
    )


def _rejects_weights():
    for function, right, weights in (
        ("cycle_generator_loss", CYCLE, ("cycle_weight", "identity_weight")),
        ("pix2pix_generator_loss", PAINTED, ("absolute_weight",)),
    ):
        for weight in weights:
            yield Rejects(function, f"negative {weight}", given(**right, **{weight: -1.0}), blames=weight)
            yield Rejects(function, f"infinite {weight}", given(**right, **{weight: float("inf")}), blames=weight)


SPEC = (
    # Pixels.
    Agree("mean_absolute_error", "regular", given(**PAIR)),
    Agree("mean_absolute_error", "far apart", given(x=normal(*IMAGES, mean=1e4), y=normal(*IMAGES))),
    Agree("mean_absolute_error", "equal pixels among others",
          given(x=concatenate(zeros(2, 3, 4, 2), full(1, 3, 4, 2, value=0.5)),
                y=concatenate(zeros(1, 3, 4, 2), full(2, 3, 4, 2, value=0.25))), no_gradient=KINK),
    Anchor("mean_absolute_error", "six pixels", given(x=X, y=Y), gives=[1.5, 2.0], source="by hand: 9/6 and 12/6",
           near_misses={"summed": [9.0, 12.0], "squared": [2.9166666667, 5.3333333333], "rooted": [1.7078251277, 2.3094010768],
                        "summed over the channels": [3.0, 4.0], "signed": [0.1666666667, 0.0], "of gray images": [1 / 3, 5 / 3],
                        "averaged over the batch": [1.75, 1.75]}),
    Law.equal("exchanged images have the same error", given(**PAIR),
              left=lambda f, x, y: f.mean_absolute_error(x, y), right=lambda f, x, y: f.mean_absolute_error(y, x)),
    Law.equal("scaled and shifted images", given(**PAIR),
              left=lambda f, x, y: f.mean_absolute_error(2.0 - 4.0 * x, 2.0 - 4.0 * y),
              right=lambda f, x, y: 4 * f.mean_absolute_error(x, y)),
    Law.at_least("a detour is no shorter", given(**PAIR, via=normal(*IMAGES)),
                 left=lambda f, x, y, via: f.mean_absolute_error(x, via) + f.mean_absolute_error(via, y),
                 right=lambda f, x, y, via: f.mean_absolute_error(x, y)),
    Law.equal("every pixel has a slope of the same size", given(**PAIR),
              left=lambda f, x, y: 24 * f.gradient("mean_absolute_error", x, y) * np.sign(x - y), right=1.0),
    # Of three values with the weights 0.3, 0.3 and 0.4 the middle one is the median: the slope of the mean error is 2F - 1.
    Law.equal("the slope of the mean error is 2F - 1", given(values=[-2.0, 1.0, 4.0], guesses=[-3.0, 0.5, 2.0, 7.0]),
              left=lambda f, values, guesses: 2 + f.gradient(
                  "mean_absolute_error", np.repeat(guesses, 10).reshape(4, 1, 5, 2),
                  np.tile(np.repeat(values, [3, 3, 4]), 4).reshape(4, 1, 5, 2)).sum((1, 2, 3)),
              right=[1.0, 1.6, 2.2, 3.0]),
    _each_alone("mean_absolute_error", PAIR),
    # Patches.
    Agree("patch_discriminator_loss", "regular", given(**SCORES)),
    Agree("patch_discriminator_loss", "far out", given(patch_scores_real=FAR, patch_scores_fake=REAL)),
    Agree("patch_discriminator_loss", "one patch", given(
        patch_scores_real=normal(5, 1, 1, 1), patch_scores_fake=normal(5, 1, 1, 1))),
    Anchor(
        "patch_discriminator_loss", "four patches", given(patch_scores_real=REAL, patch_scores_fake=FAKE),
        gives=[1.09375, 1.34375], source="by hand: (21/4 + 7/2)/8 and (21/4 + 11/2)/8",
        near_misses={
            "without the half": [2.1875, 2.6875],
            "summed over the patches": [4.375, 5.375],
            "labels exchanged": [2.71875, 0.71875],
            "labels 1 and -1": [1.59375, 2.59375],
            "sigmoid before the squares": [0.1795632881, 0.3549444826],
            "of the mean score": [0.1953125, 0.6640625],
            "absolute values": [0.8125, 0.9375],
            "averaged over the batch": [1.21875, 1.21875],
        },
    ),
    Law.equal("the best score is the share of the real patches", given(share=[0.1, 0.25, 0.5, 0.9]),
              left=lambda f, share: 1 + sum(
                  weight[:, None, None, None] * f.gradient(
                      "patch_discriminator_loss", *2 * [np.tile(share[:, None, None, None], (1, 1, 3, 2))], wrt=wrt)
                  for wrt, weight in enumerate((share, 1 - share))),
              right=1.0),
    Law.equal("the loss of an image is the mean of its patches'", given(**SCORES),
              left=lambda f, real, fake: f.patch_discriminator_loss(real, fake),
              right=lambda f, real, fake: f.patch_discriminator_loss(
                  real.reshape(30, 1, 1, 1), fake.reshape(30, 1, 1, 1)).reshape(5, 6).mean(1)),
    Law.equal("labels mirrored", given(**SCORES),
              left=lambda f, real, fake: f.patch_discriminator_loss(real, fake),
              right=lambda f, real, fake: f.patch_discriminator_loss(1 - fake, 1 - real)),
    _each_alone("patch_discriminator_loss", SCORES),
    # CycleGAN.
    Agree("cycle_generator_loss", "regular", given(**CYCLE)),
    Agree("cycle_generator_loss", "other weights", given(**CYCLE, cycle_weight=0.75, identity_weight=2.5)),
    Agree("cycle_generator_loss", "no identity", given(**CYCLE, identity_weight=0.0)),
    Agree("cycle_generator_loss", "no cycle", given(**CYCLE, cycle_weight=0.0)),
    Agree("cycle_generator_loss", "a perfect cycle", given(**CYCLE | {"x": full(*IMAGES, value=0.5),
                                                                      "x_cycled": full(*IMAGES, value=0.5)}), no_gradient=KINK),
    Anchor(
        "cycle_generator_loss", "weights 10 and 5", given(**BY_HAND), gives=[295 / 24, 241 / 24],
        source="by hand: 15/8 + 10 4/6 + 5 (9/2)/6 and 7/8 + 10 4/6 + 5 3/6",
        near_misses={
            "weights exchanged": [12.7083333333, 9.2083333333],
            "sums of pixels": [64.375, 55.875],
            "identity on x": [13.125, 18.375],
            "cycle against y": [23.9583333333, 26.7083333333],
            "the identity's weight in units of the cycle's": [46.0416666667, 32.5416666667],
            "squared errors": [21.25, 15.0416666667],
            "half the deception, as in the discriminator": [11.3541666667, 9.6041666667],
            "the label of fakes": [11.2916666667, 10.5416666667],
            "of the mean score": [11.4166666667, 9.2291666667],
            "sigmoid before the square": [10.6999902792, 9.3207995246],
            "no identity": [8.5416666667, 7.5416666667],
            "averaged over the batch": [11.1666666667, 11.1666666667],
        },
    ),
    Anchor("cycle_generator_loss", "weights 2 and 1/2", given(**BY_HAND, cycle_weight=2.0, identity_weight=0.5),
           gives=[43 / 12, 59 / 24], source="by hand: 15/8 + 2 4/6 + 1/2 (9/2)/6 and 7/8 + 2 4/6 + 1/2 3/6",
           near_misses={"weights ignored": [295 / 24, 241 / 24]}),
    Law.equal("a deceived discriminator, a perfect cycle and an identity cost nothing", given(**PAIR),
              left=lambda f, x, y: 1 + f.cycle_generator_loss(np.ones(MAPS), x, x, y, y), right=1.0),
    Law.equal("the weights multiply mean absolute errors", given(**CYCLE),
              left=lambda f, s, x, z, y, w: f.cycle_generator_loss(s, x, z, y, w, cycle_weight=4.0, identity_weight=0.5),
              right=lambda f, s, x, z, y, w: f.cycle_generator_loss(s, x, z, y, w, cycle_weight=0.0, identity_weight=0.0)
              + 4 * f.mean_absolute_error(x, z) + f.mean_absolute_error(y, w) / 2),
    Law.equal("its slope in the scores grows with the distance from 1", given(**CYCLE),
              left=lambda f, s, x, z, y, w: f.gradient("cycle_generator_loss", s, x, z, y, w),
              right=lambda f, s, *_: (s - 1) / 3),
    _each_alone("cycle_generator_loss", CYCLE, cycle_weight=3.0, identity_weight=2.0),
    # pix2pix.
    Agree("pix2pix_generator_loss", "regular", given(**PAINTED)),
    Agree("pix2pix_generator_loss", "another weight", given(**PAINTED, absolute_weight=0.75)),
    Agree("pix2pix_generator_loss", "the adversary alone, far out",
          given(patch_logits_fake=FAR, output=normal(2, 3, 4, 5), target=normal(2, 3, 4, 5), absolute_weight=0.0),
          edge="torch's cross-entropy takes the slope as the sigmoid less the label, which cancels for sure logits"),
    Agree("pix2pix_generator_loss", "output equal to the target",
          given(**PAINTED | {"output": full(*IMAGES, value=0.5), "target": full(*IMAGES, value=0.5)}), no_gradient=KINK),
    Anchor("pix2pix_generator_loss", "weight 100", given(patch_logits_fake=FAKE, output=X, target=Y),
           gives=[150.79547478256025681, 200.47208591673035217], source=MPMATH,
           near_misses={"weight 10": [15.7954747826, 20.4720859167],
                        "summed over the pixels": [900.7954747826, 1200.4720859167]}),
    Anchor(
        "pix2pix_generator_loss", "weight 1/4", given(patch_logits_fake=FAKE, output=X, target=Y, absolute_weight=0.25),
        gives=[1.1704747825602568, 0.97208591673035217], source=MPMATH,
        near_misses={
            "minimax": [-0.4204747826, -0.7220859167],
            "the label of fakes": [1.1704747826, 1.7220859167],
            "squared errors": [1.5246414492, 1.8054192501],
            "sums of pixels": [3.0454747826, 3.4720859167],
            "sums of patches": [3.5568991303, 2.3883436669],
            "of the mean logit": [1.0681471806, 0.8868710061],
            "the weight on the adversary": [1.6988686956, 2.1180214792],
            "least squares": [2.25, 1.375],
            "bits": [1.522627524, 1.181076011],
            "averaged over the batch": [1.0712803496, 1.0712803496],
        },
    ),
    Law.equal("an undecided discriminator and the target itself cost log 2", given(y=normal(*IMAGES)),
              left=lambda f, y: f.pix2pix_generator_loss(np.zeros(MAPS), y, y), right=LOG_2),
    Law.equal("the weight multiplies the mean absolute error", given(**PAINTED),
              left=lambda f, logits, output, target: f.pix2pix_generator_loss(logits, output, target, absolute_weight=4.0),
              right=lambda f, logits, output, target: f.pix2pix_generator_loss(logits, output, target, absolute_weight=0.0)
              + 4 * f.mean_absolute_error(output, target)),
    Law.equal("its slope in the logits does not vanish for sure fakes", given(**PAINTED),
              left=lambda f, logits, output, target: 1 + f.gradient("pix2pix_generator_loss", logits, output, target),
              right=lambda f, logits, *_: 1 - (1 - np.tanh(logits / 2)) / 12),
    _each_alone("pix2pix_generator_loss", PAINTED, absolute_weight=2.0),
    # Receptive fields.
    Agree("patch_receptive_field", "unequal layers", given(kernels=(7, 3, 4, 2), strides=(1, 3, 2, 5)), no_gradient="integers"),
    Anchor("patch_receptive_field", "70 x 70 patches", given(**PATCH_70), gives=70,
           source="Isola et al. 2017, appendix 6.1.2; by hand: 1, 4, 7, 16, 34, 70",
           near_misses={"front to back": 28, "strides of the own layer too": 91, "no stride": 16, "without the first unit": 69}),
    Anchor("patch_receptive_field", "16 x 16 patches", given(kernels=(4, 4, 4), strides=(2, 1, 1)), gives=16,
           source="Isola et al. 2017, appendix 6.1.2", near_misses={"front to back": 13, "strides of the own layer too": 19}),
    Anchor("patch_receptive_field", "kernels of 3, strides that differ", given(kernels=(3, 5, 3), strides=(3, 1, 2)), gives=21,
           source="by hand: 1, 3, 7, 21", near_misses={"front to back": 11, "strides of the own layer too": 43}),
    Anchor("patch_receptive_field", "one layer", given(kernels=(7,), strides=(5,)), gives=7, source="its kernel",
           near_misses={"by the stride": 35}),
    Anchor("patch_receptive_field", "no layer", given(kernels=(), strides=()), gives=1, source="the input itself",
           near_misses={"nothing": 0}),
    Law.equal("two stacks: the second one's reach in steps of the first one's strides", given(),
              left=lambda f: f.patch_receptive_field(kernels=(3, 4, 5, 2, 3), strides=(2, 3, 1, 2, 1)),
              right=lambda f: f.patch_receptive_field(kernels=(3, 4), strides=(2, 3))
              + 6 * (f.patch_receptive_field(kernels=(5, 2, 3), strides=(1, 2, 1)) - 1)),
    Law.equal("the last stride does not matter", given(),
              left=lambda f: f.patch_receptive_field(kernels=(3, 4), strides=(2, 7)),
              right=lambda f: f.patch_receptive_field(kernels=(3, 4), strides=(2, 1))),
    Rejects("patch_receptive_field", "a stride missing", given(kernels=(4, 4, 4), strides=(2, 2)), blames="strides"),
    Rejects("patch_receptive_field", "a kernel missing", given(kernels=(4, 4), strides=(2, 2, 1)), blames="strides"),
    Rejects("patch_receptive_field", "kernel 0", given(kernels=(4, 0), strides=(2, 1)), blames="kernels"),
    Rejects("patch_receptive_field", "stride 0", given(kernels=(4, 4), strides=(0, 1)), blames="strides"),
    # Instance normalization.
    Agree("instance_normalize", "regular", given(x=normal(*IMAGES))),
    Agree("instance_normalize", "another epsilon", given(x=normal(*IMAGES), epsilon=0.3)),
    Agree("instance_normalize", "a mean of 100, a deviation of 0.01", given(x=normal(*IMAGES, mean=100.0, scale=1e-2))),
    Agree("instance_normalize", "a constant channel",
          given(x=concatenate(full(5, 1, 4, 2, value=0.7), normal(5, 2, 4, 2), axis=1), epsilon=0.25)),
    Anchor(
        "instance_normalize", "four channels", given(x=FOUR, epsilon=0.75),
        gives=[[[[-0.5, 0.5]], [[-(4 / 7) ** 0.5, (4 / 7) ** 0.5]]],
               [[[-((16 / 19) ** 0.5), (16 / 19) ** 0.5]], [[-(4 / 7) ** 0.5, (4 / 7) ** 0.5]]]],
        source="by hand: variances 1/4, 1, 4, 1",
        near_misses={
            "over the batch": [[[[-0.9233805169, -0.512989176]], [[-1.2060453783, 0.0]]],
                               [[[-0.1025978352, 1.5389675281]], [[0.0, 1.2060453783]]]],
            "over the channels too": [[[[0.4375949745, 1.0210549405]], [[-1.3127849235, -0.1458649915]]],
                                      [[[0.0, 1.4855627054]], [[-1.1141720291, -0.3713906764]]]],
            "unbiased variance": [[[[-0.4472135955, 0.4472135955]], [[-0.6030226892, 0.6030226892]]],
                                  [[[-0.6761234038, 0.6761234038]], [[-0.6030226892, 0.6030226892]]]],
            "epsilon outside the root": [[[[-0.4, 0.4]], [[-0.5714285714, 0.5714285714]]],
                                         [[[-0.7272727273, 0.7272727273]], [[-0.5714285714, 0.5714285714]]]],
            "not centered": [[[[1.0, 2.0]], [[-1.511857892, 0.0]]], [[[1.3764944032, 3.2118202742]], [[0.0, 1.511857892]]]],
            "no root": [[[[-0.5, 0.5]], [[-0.5714285714, 0.5714285714]]],
                        [[[-0.4210526316, 0.4210526316]], [[-0.5714285714, 0.5714285714]]]],
        },
    ),
    Law.equal("every channel of every example has mean 0 and mean square v / (v + epsilon)", given(x=normal(*IMAGES)),
              left=lambda f, x: [1 + f.instance_normalize(x, epsilon=0.25).mean((2, 3)),
                                 1 + (f.instance_normalize(x, epsilon=0.25) ** 2).mean((2, 3))],
              right=lambda f, x: [np.ones((5, 3)), 1 + x.var((2, 3)) / (x.var((2, 3)) + 0.25)]),
    Law.equal("contrast and brightness are forgotten", given(x=normal(*IMAGES), contrast=[0.5, 4.0, 1.0, 2.0, 8.0]),
              left=lambda f, x, contrast: f.instance_normalize(contrast[:, None, None, None] * x + 2.0, epsilon=TINY),
              right=lambda f, x, contrast: f.instance_normalize(x, epsilon=TINY)),
    Law.equal("the negative of an image becomes the negative", given(x=normal(*IMAGES)),
              left=lambda f, x: f.instance_normalize(-2.0 * x, epsilon=TINY),
              right=lambda f, x: -f.instance_normalize(x, epsilon=TINY)),
    Law.equal("no channel depends on the others", given(x=normal(*IMAGES)),
              left=lambda f, x: f.instance_normalize(x)[:, 1:2], right=lambda f, x: f.instance_normalize(x[:, 1:2])),
    Law.equal("with epsilon 0 a sum of outputs cannot be moved", given(x=normal(*IMAGES)),
              left=lambda f, x: 1 + f.gradient("instance_normalize", x, epsilon=TINY), right=1.0),
    _each_alone("instance_normalize", {"x": normal(*IMAGES)}),
    Rejects("instance_normalize", "no batch", given(x=zeros(3, 4, 2)), blames="x"),
    Rejects("instance_normalize", "one pixel", given(x=zeros(5, 3, 1, 1)), blames="x"),
    Rejects("instance_normalize", "epsilon 0", given(x=zeros(5, 3, 4, 2), epsilon=0.0), blames="epsilon"),
    *_rejects_shapes(),
    *_rejects_weights(),
)  # fmt: skip
