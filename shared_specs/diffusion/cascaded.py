"""What must hold of cascades: pyramids, noise on the condition, and the Haar bands of images."""

import numpy as np

from shared_specs.diffusion._cases import FROM_ONE, NO_PART, SCHEDULE, SQUARES, TIMES, TO_NOISE, rejects_schedules
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

X, LOW, DETAIL = normal(2, 3, 4, 6), normal(2, 3, 2, 5), normal(2, 3, 3, 2, 5)
BLOCK, BANDS = [[[[5.0, 3.0], [1.0, 3.0]]]], ([[[[6.0]]]], [[[[[0.0]], [[2.0]], [[2.0]]]]])  # energies of 44 and 36 + 0 + 4 + 4
WIDE = [[[[4.0, 0.0, 1.0, 3.0], [2.0, 2.0, 1.0, 7.0]]]]  # two blocks
SMALL, NOISE = normal(5, 3, 2, 4), normal(5, 3, 2, 4)
AUGMENTED = {"low_resolution": SMALL, "noise": NOISE}
PAIR = {"low_resolution": zeros(2, 3, 2, 4), "noise": zeros(2, 3, 2, 4), "level": np.array([1, 2]), "alpha_bar": SCHEDULE}


def energy(x):
    """The sum of squares of each example."""
    return (x**2).reshape(len(x), -1).sum(1)


def pooled(x):
    """The means of blocks of 2 x 2 pixels."""
    return x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean((3, 5))


SPEC = (
    # Pyramids.
    Agree("image_pyramid", "three levels", given(x=normal(2, 3, 4, 12), num_levels=3)),
    Agree("image_pyramid", "the image alone, of odd sides", given(x=normal(2, 1, 3, 5), num_levels=1)),
    Agree("image_pyramid", "down to one pixel", given(x=normal(3, 2, 4, 4), num_levels=3)),
    Anchor(
        "image_pyramid", "two levels", given(x=WIDE, num_levels=2), gives=([[[[2.0, 3.0]]]], WIDE), source="by hand",
        near_misses={"a strided pick": ([[[[4.0, 1.0]]]], WIDE), "the low band": ([[[[4.0, 6.0]]]], WIDE),
                     "the largest": ([[[[4.0, 7.0]]]], WIDE)},
    ),
    Law.equal("the largest last, each half of the next", given(x=normal(2, 3, 4, 12)),
              left=lambda f, x: np.array([level.shape[2:] for level in f.image_pyramid(x, num_levels=3)]),
              right=lambda f, x: np.array([[1, 3], [2, 6], [4, 12]])),
    Law.equal("every level has the mean of the image", given(x=normal(2, 3, 8, 4)),
              left=lambda f, x: np.stack([level.mean((2, 3)) for level in f.image_pyramid(x, num_levels=3)]),
              right=lambda f, x: np.stack([x.mean((2, 3))] * 3)),
    Law.equal("a level is the low band of the next, halved for each step", given(x=X),
              left=lambda f, x: f.image_pyramid(x, num_levels=2)[0], right=lambda f, x: f.haar_analysis(x)[0] / 2),
    Rejects("image_pyramid", "an odd height", given(x=zeros(2, 3, 3, 4), num_levels=2), blames="x"),
    Rejects("image_pyramid", "a width that is halved once", given(x=zeros(2, 3, 4, 6), num_levels=3), blames="x"),
    Rejects("image_pyramid", "no level", given(x=zeros(2, 3, 4, 6), num_levels=0), blames="num_levels"),
    Rejects("image_pyramid", "one image", given(x=zeros(3, 4, 6), num_levels=2), blames="x"),
    # Noise on the condition.
    Agree("conditioning_augmentation", "regular", given(**AUGMENTED, level=TIMES, alpha_bar=SCHEDULE)),
    Agree("conditioning_augmentation", "the last level has no image", given(
        low_resolution=normal(4, 3), noise=normal(4, 3), level=[4, 1, 2, 3], alpha_bar=TO_NOISE),
          differentiate=("low_resolution", "noise")),
    Agree("conditioning_augmentation", "some without noise", given(**AUGMENTED, level=FROM_ONE - 1, alpha_bar=SCHEDULE),
          no_gradient=NO_PART),
    Agree("conditioning_augmentation", "level 255", given(
        low_resolution=normal(3, 2), noise=normal(3, 2), level=[255, 256, 0], alpha_bar=np.linspace(1.0, 0.0, 301)),
          no_gradient=NO_PART),
    Anchor(
        "conditioning_augmentation", "roots without fractions", given(
            low_resolution=[[1.0, -2.0], [2.0, 0.5], [3.0, 1.0]], noise=[[5.0, 2.0], [1.0, -1.0], [7.0, 7.0]], level=[1, 2, 0],
            alpha_bar=SQUARES),
        gives=[[3.8, -0.4], [2.0, -0.5], [3.0, 1.0]], source="by hand: 0.8 and 0.6, 0.6 and 0.8, and the image itself",
        near_misses={
            "level 0 mapped to 1": [[3.8, -0.4], [2.0, -0.5], [6.6, 5.0]],
            "levels from 1": [[4.6, 0.4], [1.3797959, -0.8797959], [6.6, 5.0]],
            "no roots": [[2.44, -0.56], [1.36, -0.46], [3.0, 1.0]],
            "noise added": [[4.0, -0.8], [2.8, -0.3], [3.0, 1.0]],
            "no noise": [[0.8, -1.6], [1.2, 0.3], [3.0, 1.0]],
        },
    ),
    Law.equal("level 0 leaves the image", given(low=SMALL, noise=NOISE),
              left=lambda f, low, noise: f.conditioning_augmentation(low, noise, np.zeros(5, int), SCHEDULE),
              right=lambda f, low, noise: low),
    Law.equal("the weights' squares sum to one", given(low=SMALL, noise=NOISE),
              left=lambda f, low, noise: f.conditioning_augmentation(low, noise, TIMES, SCHEDULE) ** 2
              + f.conditioning_augmentation(noise, -low, TIMES, SCHEDULE) ** 2,
              right=lambda f, low, noise: low**2 + noise**2),
    Rejects("conditioning_augmentation", "noise of another shape", given(**PAIR | {"noise": zeros(2, 3, 2, 1)}), blames="noise"),
    Rejects("conditioning_augmentation", "after the last level", given(**PAIR | {"level": np.array([1, 7])}), blames="level"),
    Rejects("conditioning_augmentation", "before the image", given(**PAIR | {"level": np.array([1, -1])}), blames="level"),
    Rejects("conditioning_augmentation", "a level too few", given(**PAIR | {"level": np.array([1])}), blames="level"),
    Rejects("conditioning_augmentation", "levels that are not integers", given(**PAIR | {"level": np.array([1.0, 2.0])}),
            blames="level"),
    *rejects_schedules("conditioning_augmentation", PAIR),
    # Bands.
    Agree("haar_analysis", "regular", given(x=X)),
    Agree("haar_analysis", "one block", given(x=normal(3, 2, 2, 2))),
    Anchor(
        "haar_analysis", "a block", given(x=BLOCK), gives=BANDS, source="by hand",
        near_misses={
            "means": ([[[[3.0]]]], [[[[[0.0]], [[1.0]], [[1.0]]]]]),
            "differences exchanged": ([[[[6.0]]]], [[[[[2.0]], [[0.0]], [[2.0]]]]]),
            "the signs": ([[[[6.0]]]], [[[[[0.0]], [[-2.0]], [[-2.0]]]]]),
            "sums": ([[[[12.0]]]], [[[[[0.0]], [[4.0]], [[4.0]]]]]),
        },
    ),
    Anchor("haar_analysis", "two blocks", given(x=WIDE),
           gives=([[[[4.0, 6.0]]]], [[[[[2.0, -4.0]], [[0.0, -2.0]], [[2.0, 2.0]]]]]), source="by hand",
           near_misses={"the diagonal's sign": ([[[[4.0, 6.0]]]], [[[[[2.0, -4.0]], [[0.0, -2.0]], [[-2.0, -2.0]]]]])}),
    Law.equal("the energy stays", given(x=X),
              left=lambda f, x: sum(map(energy, f.haar_analysis(x))), right=lambda f, x: energy(x)),
    Law.equal("the low band is twice the mean of the block", given(x=X),
              left=lambda f, x: f.haar_analysis(x)[0], right=lambda f, x: 2 * pooled(x)),
    Law.equal("a block of one value has no detail", given(y=normal(2, 3, 2, 3)),
              left=lambda f, y: f.haar_analysis(np.kron(y, np.ones((2, 2))))[1], right=0.0),
    Law.equal("analysis and synthesis", given(x=X),
              left=lambda f, x: f.haar_synthesis(*f.haar_analysis(x)), right=lambda f, x: x),
    Law.equal("an image that is turned over its diagonal exchanges the differences", given(x=X),
              left=lambda f, x: f.haar_analysis(np.swapaxes(x, 2, 3))[1],
              right=lambda f, x: np.swapaxes(f.haar_analysis(x)[1], 3, 4)[:, :, [1, 0, 2]]),
    Rejects("haar_analysis", "an odd height", given(x=zeros(2, 3, 3, 4)), blames="x"),
    Rejects("haar_analysis", "an odd width", given(x=zeros(2, 3, 4, 5)), blames="x"),
    Rejects("haar_analysis", "one image", given(x=zeros(3, 4, 6)), blames="x"),
    Agree("haar_synthesis", "regular", given(low=LOW, detail=DETAIL)),
    Agree("haar_synthesis", "one block", given(low=normal(3, 2, 1, 1), detail=normal(3, 2, 3, 1, 1))),
    Anchor(
        "haar_synthesis", "a block", given(low=BANDS[0], detail=BANDS[1]), gives=BLOCK, source="by hand",
        near_misses={
            "differences exchanged: the block turned over": [[[[5.0, 1.0], [3.0, 3.0]]]],
            "a quarter for the half": [[[[2.5, 1.5], [0.5, 1.5]]]],
            "no half": [[[[10.0, 6.0], [2.0, 6.0]]]],
            "the diagonal's sign": [[[[3.0, 5.0], [3.0, 1.0]]]],
            "no detail": [[[[3.0, 3.0], [3.0, 3.0]]]],
        },
    ),
    Law.equal("synthesis and analysis", given(low=LOW, detail=DETAIL),
              left=lambda f, low, detail: np.concatenate([
                  band.reshape(2, -1) for band in f.haar_analysis(f.haar_synthesis(low, detail))], axis=1),
              right=lambda f, low, detail: np.concatenate([low.reshape(2, -1), detail.reshape(2, -1)], axis=1)),
    Law.equal("the slope in the low band: half for each of its four pixels", given(low=LOW, detail=DETAIL),
              left=lambda f, low, detail: f.gradient("haar_synthesis", low, detail), right=2.0),
    Law.equal("the details' slopes cancel in the sum", given(low=LOW, detail=DETAIL),
              left=lambda f, low, detail: f.gradient("haar_synthesis", low, detail, wrt=1), right=0.0),
    Rejects("haar_synthesis", "two bands", given(low=zeros(2, 3, 2, 5), detail=zeros(2, 3, 2, 2, 5)), blames="detail"),
    Rejects("haar_synthesis", "bands of the image's size", given(low=zeros(2, 3, 2, 5), detail=zeros(2, 3, 3, 4, 10)),
            blames="detail"),
    Rejects("haar_synthesis", "other channels", given(low=zeros(2, 3, 2, 5), detail=zeros(2, 1, 3, 2, 5)), blames="detail"),
    Rejects("haar_synthesis", "one image", given(low=zeros(3, 2, 5), detail=zeros(3, 3, 2, 5)), blames="low"),
)  # fmt: skip
