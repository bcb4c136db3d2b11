"""Contracts of inference with DDIM (lectures 38 and 40)."""

import numpy as np

from shared_specs.diffusion._cases import HO, ONE, SCHEDULE, SQUARES, TO_NOISE, at, bent, column, line, rejects_schedules, tripled
from shared_specs.rows import Agree, Anchor, Law, Rejects, concatenate, given, normal, uniform, zeros

STRIDES = np.arange(1000, 0, -20)  # 50 of Ho's levels
PATH, ALL = np.array([6, 4, 3, 1]), np.arange(6, 0, -1)
WEIGHT = uniform(5, low=0.0, high=1.0)
NO_PART = ("x_T", "noises")  # the first entry of the schedule, in which every path ends, is 1 by definition
BAD_PATHS = {
    "rising": [1, 3, 4, 6],
    "a level twice": [6, 3, 3, 1],
    "down to the data": [6, 4, 1, 0],
    "after the last level": [7, 4, 3, 1],
    "levels that are not integers": [6.0, 4.0, 3.0, 1.0],
    "a path for each example": [[6, 4], [3, 1]],
}
DOWN = {"x_T": zeros(2, 3), "noises": zeros(4, 2, 3), "timesteps": PATH}


def slow(x, t):
    """The same for a thousand levels."""
    return 0.9 * x / (1 + x * x / 10) - at(x, t) / 4000


def by_level(x, t):
    """A network that ignores x, and fails at level 0."""
    return at(x, t) / 8 - 1 / at(x, t)


def turning(x, t):
    """E(noise | x_t) for data of variance 1/2 where a_t = 1/(1 + (t/100)^2): there sqrt(1 - a) is about t/100 for small t."""
    level = at(x, t) / 100
    square = level * level
    return x * level * (1 + square) ** 0.5 / (square + 0.5)


def quadratic(top):
    """a_t = 1/(1 + (t/100)^2), t = 0..top: noise levels at equal distances."""
    return 1 / (1 + (np.arange(top + 1) / 100) ** 2)


def path(h, top):
    """1/h levels, evenly spaced, from the top."""
    return np.arange(top, 0, -round(top * h))


def length(x):
    """The norm of each example's vector."""
    return np.sqrt(np.sum(x**2, axis=1))


SPEC = (
    # Which levels are visited.
    Agree("sampling_timesteps", "regular", given(num_steps=7, num_train_steps=10)),
    Agree("sampling_timesteps", "halves", given(num_steps=4, num_train_steps=10, spacing="trailing")),
    Agree("sampling_timesteps", "leading", given(num_steps=7, num_train_steps=50, spacing="leading")),
    Agree("sampling_timesteps", "linspace", given(num_steps=7, num_train_steps=50, spacing="linspace")),
    *(Agree("sampling_timesteps", f"one step, {spacing}", given(num_steps=1, num_train_steps=9, spacing=spacing))
      for spacing in ("trailing", "leading", "linspace")),
    *(Agree("sampling_timesteps", f"every level, {spacing}", given(num_steps=9, num_train_steps=9, spacing=spacing))
      for spacing in ("trailing", "leading", "linspace")),
    *(Agree("sampling_timesteps", f"280 of a thousand, {spacing}", given(num_steps=280, num_train_steps=1000, spacing=spacing))
      for spacing in ("trailing", "leading", "linspace")),
    Agree("sampling_timesteps", "61 of a thousand, where adding up strides in floating point finds one level too many",
          given(num_steps=61, num_train_steps=1000)),
    Agree("sampling_timesteps", "a single level to visit", given(num_steps=1, num_train_steps=1, spacing="linspace")),
    Anchor("sampling_timesteps", "10, 7.5, 5, 2.5", given(num_steps=4, num_train_steps=10), gives=[10, 8, 5, 2],
           source="by hand, halves to even",
           near_misses={"cut off": [10, 7, 5, 2], "halves up": [10, 8, 5, 3], "counted from 0": [9, 7, 4, 1],
                        "rising": [2, 5, 8, 10], "leading": [7, 5, 3, 1], "linspace": [10, 7, 4, 1]}),
    Anchor("sampling_timesteps", "strides of two", given(num_steps=4, num_train_steps=10, spacing="leading"), gives=[7, 5, 3, 1],
           source="by hand",
           near_misses={"counted from 0": [6, 4, 2, 0], "strides of 2.5": [8, 6, 3, 1], "down from T": [10, 8, 6, 4]}),
    Anchor("sampling_timesteps", "both ends", given(num_steps=3, num_train_steps=10, spacing="linspace"), gives=[10, 5, 1],
           source="by hand: 1 + 4.5, the half to even",
           near_misses={"the half of the sum": [10, 6, 1], "counted from 0": [9, 4, 0], "without an end": [7, 4, 1]}),
    Law.equal("every spacing falls, from within 1..T", given(),
              left=lambda f: np.concatenate([np.diff(np.append(f.sampling_timesteps(
                  num_steps=steps, num_train_steps=34, spacing=spacing), 0)) < 0
                  for steps in range(1, 35) for spacing in ("trailing", "leading", "linspace")]), right=True, traced=False),
    Law.equal("every number of steps visits as many levels", given(),
              left=lambda f: np.array([len(f.sampling_timesteps(num_steps=steps, num_train_steps=34, spacing=spacing))
                                       for steps in range(1, 35) for spacing in ("trailing", "leading", "linspace")]),
              right=np.repeat(np.arange(1, 35), 3), traced=False),
    Law.equal("only leading does not start at T", given(),
              left=lambda f: np.array([f.sampling_timesteps(num_steps=10, num_train_steps=1000, spacing=spacing)[0]
                                       for spacing in ("trailing", "leading", "linspace")]), right=np.array([1000, 901, 1000])),
    Rejects("sampling_timesteps", "no steps", given(num_steps=0, num_train_steps=10), blames="num_steps"),
    Rejects("sampling_timesteps", "more steps than levels", given(num_steps=11, num_train_steps=10), blames="num_steps"),
    Rejects("sampling_timesteps", "a fourth spacing", given(num_steps=3, num_train_steps=10, spacing="cosine"), blames="spacing"),
    # Down.
    Agree("ddim_sample", "regular",
          given(x_T=normal(5, 3), noises=normal(4, 5, 3), timesteps=PATH, denoise_fn=bent, alpha_bar=SCHEDULE),
          differentiate=NO_PART),
    Agree("ddim_sample", "half the noise, clipped, images, not down to 1",
          given(x_T=normal(2, 3, 4, 5), noises=normal(2, 2, 3, 4, 5), timesteps=[5, 2], denoise_fn=bent, alpha_bar=SCHEDULE,
                eta=0.5, clip=0.9), differentiate=NO_PART),
    Agree("ddim_sample", "50 strides, a little noise, clipped",
          given(x_T=normal(2, 3), noises=normal(50, 2, 3), timesteps=STRIDES, denoise_fn=slow, alpha_bar=HO, eta=0.3, clip=1.5),
          differentiate=NO_PART),
    Agree("ddim_sample", "every level, all the noise",
          given(x_T=normal(5, 3), noises=normal(6, 5, 3), timesteps=ALL, denoise_fn=bent, alpha_bar=SCHEDULE, eta=1.0),
          differentiate=NO_PART),
    Agree("ddim_sample", "one step",
          given(x_T=normal(5, 3), noises=normal(1, 5, 3), timesteps=[1], denoise_fn=bent, alpha_bar=ONE, eta=0.5),
          differentiate=NO_PART),
    Agree("ddim_sample", "from below a level where nothing is left",
          given(x_T=normal(5, 3), noises=normal(2, 5, 3), timesteps=[3, 1], denoise_fn=bent, alpha_bar=TO_NOISE, eta=0.5),
          differentiate=NO_PART),
    Anchor(
        "ddim_sample", "two strides, half the noise",
        given(x_T=[[2.0, -1.0], [0.5, 3.0]], noises=[[[1.0, -2.0], [0.5, -1.0]], [[9.0, 9.0], [9.0, 9.0]]], timesteps=[3, 1],
              denoise_fn=line, alpha_bar=SQUARES, eta=0.5),
        gives=[[3.077987211150191, -3.740954962424966], [-0.07207828632670017, 4.572751167743181]],
        source="mpmath: two steps of the formula by hand, predictions of x/2 + t/8",
        near_misses={
            "noises by level, not by step":
                [[5.15323192563569, -0.8874934800074049], [2.1328692228141426, 7.166807060850055]],
            "without the last step": [[3.6248425270287896, -4.16823424277139], [0.024767672769485518, 5.333144191706492]],
            "to t - 1": [[2.8003642752803053, -3.1475368248048383], [0.1632013822650153, 3.7726350042268417]],
            "no noise": [[2.912857245142382, -3.2307142950129437], [-0.15892853493528084, 4.9607144251941575]],
        },
    ),
    Anchor(
        "ddim_sample", "two strides, half the noise, clipped at 3/4",
        given(x_T=[[2.0, -1.0], [0.5, 3.0]], noises=[[[1.0, -2.0], [0.5, -1.0]], [[9.0, 9.0], [9.0, 9.0]]], timesteps=[3, 1],
              denoise_fn=line, alpha_bar=SQUARES, eta=0.5, clip=0.75),
        gives=[[0.75, -0.75], [-0.07207828632670017, 0.75]], source="mpmath: two steps of the formula by hand",
        near_misses={"not clipped": [[3.077987211150191, -3.740954962424966], [-0.07207828632670017, 4.572751167743181]]},
    ),
    Anchor(
        "ddim_sample", "every level and all the noise: the ancestral chain",
        given(x_T=[[2.0, -1.0], [0.5, 3.0]], noises=[[[1.0, -2.0], [0.5, -1.0]], [[9.0, 9.0], [9.0, 9.0]]], timesteps=[2, 1],
              denoise_fn=line, alpha_bar=[1.0, 0.64, 0.16], eta=1.0),
        gives=[[2.112259739982486, -2.4778930154807965], [0.31326173307545535, 2.154075545996414]],
        source="mpmath: two ancestral steps of the small variance by hand",
    ),
    Law.equal("without noise it is a function of x_T", given(x_T=normal(5, 3), noises=normal(4, 5, 3)),
              left=lambda f, x_T, noises: f.ddim_sample(x_T, noises, PATH, bent, SCHEDULE),
              right=lambda f, x_T, noises: f.ddim_sample(x_T, 7 - noises, PATH, bent, SCHEDULE)),
    Law.equal("the last step uses no noise", given(x_T=normal(5, 3), noises=normal(4, 5, 3)),
              left=lambda f, x_T, noises: f.gradient("ddim_sample", x_T, noises, PATH, bent, SCHEDULE, wrt=1, eta=0.5)[3],
              right=0.0),
    Law.limit("for Gaussian data it converges to the flow", given(x_T=[1.3, -0.4]), at=(1 / 40, 1 / 80, 1 / 160), order=1,
              value=lambda f, h, x_T: f.ddim_sample(
                  x_T, np.zeros((round(1 / h), 2)), path(h, 640), turning, quadratic(640)),
              limit=lambda f, x_T: x_T * np.sqrt(0.5 / (1 - quadratic(640)[-1] / 2))),
    Anchor("ddim_sample", "one of 256 levels, a network that multiplies it",
           given(x_T=[[1.0]], noises=[[[0.0]]], timesteps=[255], denoise_fn=tripled, alpha_bar=1 - np.arange(257) / 257),
           gives=[[(1 - 765 * (255 / 257) ** 0.5) / (2 / 257) ** 0.5]], source="by hand"),
    *(Rejects("ddim_sample", case, given(**DOWN | {"timesteps": np.array(levels)}, denoise_fn=line, alpha_bar=SCHEDULE),
              blames="timesteps") for case, levels in BAD_PATHS.items()),
    Rejects("ddim_sample", "no levels", given(**DOWN | {"timesteps": np.zeros(0, int), "noises": zeros(0, 2, 3)}, denoise_fn=line,
                                              alpha_bar=SCHEDULE), blames="timesteps"),
    Rejects("ddim_sample", "a noise for every level", given(**DOWN | {"noises": zeros(6, 2, 3)}, denoise_fn=line,
                                                            alpha_bar=SCHEDULE), blames="noises"),
    Rejects("ddim_sample", "batch first", given(**DOWN | {"noises": zeros(2, 4, 3)}, denoise_fn=line, alpha_bar=SCHEDULE),
            blames="noises"),
    *rejects_schedules("ddim_sample", DOWN | {"denoise_fn": line}),
    Rejects("ddim_sample", "no signal left", given(**DOWN | {"timesteps": np.array([4, 3, 2, 1])}, denoise_fn=line,
                                                   alpha_bar=TO_NOISE), blames="alpha_bar"),
    Rejects("ddim_sample", "noise taken away", given(**DOWN, denoise_fn=line, alpha_bar=SCHEDULE, eta=-0.1), blames="eta"),
    Rejects("ddim_sample", "more noise than there is", given(**DOWN, denoise_fn=line, alpha_bar=SCHEDULE, eta=2.0), blames="eta"),
    Rejects("ddim_sample", "clipped to nothing", given(**DOWN, denoise_fn=line, alpha_bar=SCHEDULE, clip=0.0), blames="clip"),
    # Up.
    Agree("ddim_invert", "regular", given(x0=normal(5, 3), timesteps=PATH, denoise_fn=bent, alpha_bar=SCHEDULE),
          differentiate=("x0",)),
    Agree("ddim_invert", "images, not from 1",
          given(x0=normal(2, 3, 4, 5), timesteps=[5, 2], denoise_fn=bent, alpha_bar=SCHEDULE), differentiate=("x0",)),
    Agree("ddim_invert", "50 strides", given(x0=normal(2, 3), timesteps=STRIDES, denoise_fn=slow, alpha_bar=HO),
          differentiate=("x0",)),
    Agree("ddim_invert", "every level", given(x0=normal(5, 3), timesteps=ALL, denoise_fn=bent, alpha_bar=SCHEDULE),
          differentiate=("x0",)),
    Agree("ddim_invert", "one step", given(x0=normal(5, 3), timesteps=[1], denoise_fn=bent, alpha_bar=ONE),
          differentiate=("x0",)),
    Anchor(
        "ddim_invert", "two strides",
        given(x0=[[1.0, -2.0], [0.5, 3.0]], timesteps=[3, 1], denoise_fn=line, alpha_bar=SQUARES),
        gives=[[1.0924285509715235, -1.101734679265374], [0.7267346792653739, 2.555204037796122]],
        source="mpmath: two steps of the formula by hand, predictions of x/2 + t/8",
        near_misses={
            "the network asked about s": [[0.8351122305514581, -1.3590509996854394], [0.46941835884530847, 2.2978877173760566]],
            "one jump": [[1.0573214099741124, -1.0123724356957946], [0.7123724356957946, 2.4371173070873837]],
            "without the last step": [[1.175, -2.125], [0.625, 3.375]],
            "without the first step": [[0.9760714099741123, -1.0186224356957945], [0.6436224356957945, 2.3058673070873836]],
        },
    ),
    Law.equal("down and up are inverse where the prediction does not depend on x", given(x0=normal(5, 3)),
              left=lambda f, x0: f.ddim_sample(f.ddim_invert(x0, PATH, by_level, SCHEDULE), np.zeros((4, 5, 3)), PATH, by_level,
                                               SCHEDULE), right=lambda f, x0: x0),
    Law.equal("the network is not called at level 0", given(x0=normal(5, 3)),
              left=lambda f, x0: np.isfinite(f.ddim_invert(x0, PATH, by_level, SCHEDULE)), right=True),
    Law.limit("the round trip is of first order", given(x0=[0.8, -0.3]), at=(1 / 40, 1 / 80, 1 / 160), order=1,
              value=lambda f, h, x0: f.ddim_sample(f.ddim_invert(x0, path(h, 640), turning, quadratic(640)),
                                                   np.zeros((round(1 / h), 2)), path(h, 640), turning, quadratic(640)),
              limit=lambda f, x0: x0),
    Anchor("ddim_invert", "one of 256 levels, a network that multiplies it",
           given(x0=[[1.0]], timesteps=[255], denoise_fn=tripled, alpha_bar=1 - np.arange(257) / 257),
           gives=[[(2 / 257) ** 0.5 + 765 * (255 / 257) ** 0.5]], source="by hand"),
    *(Rejects("ddim_invert", case, given(x0=zeros(2, 3), timesteps=np.array(levels), denoise_fn=line, alpha_bar=SCHEDULE),
              blames="timesteps") for case, levels in BAD_PATHS.items()),
    Rejects("ddim_invert", "no levels", given(x0=zeros(2, 3), timesteps=np.zeros(0, int), denoise_fn=line, alpha_bar=SCHEDULE),
            blames="timesteps"),
    *rejects_schedules("ddim_invert", {"x0": zeros(2, 3), "timesteps": PATH, "denoise_fn": line}),
    Rejects("ddim_invert", "to where no signal is left", given(x0=zeros(2, 3), timesteps=[4, 2], denoise_fn=line,
                                                               alpha_bar=TO_NOISE), blames="alpha_bar"),
    # Between two noises.
    Agree("spherical_interpolation", "regular", given(a=normal(5, 3), b=normal(5, 3), weight=WEIGHT)),
    Agree("spherical_interpolation", "images", given(a=normal(2, 3, 4, 5), b=normal(2, 3, 4, 5), weight=[0.3, 0.6])),
    Agree("spherical_interpolation", "the ends, and beyond", given(a=normal(4, 3), b=normal(4, 3), weight=[0.0, 1.0, -0.3, 1.4])),
    Agree("spherical_interpolation", "parallel, opposite, zero, among others",
          given(a=[[1.0, 2.0, -1.0], [1.0, 2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 0.5, 2.0]],
                b=concatenate([[2.5, 5.0, -2.5], [-2.0, -4.0, 2.0], [3.0, 1.0, 0.5], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
                              normal(1, 3)), weight=uniform(6))),
    Agree("spherical_interpolation", "small angles and a wide one",
          given(a=[[1.0, 2.0, -1.0], [3.0, 1.0, 0.5], [1.0, 0.0, 0.5]],
                b=[[1.02, 1.99, -1.01], [2.5, 1.4, 0.3], [-1.0, 0.3, -0.4]], weight=[0.3, 0.8, 0.4])),
    Agree("spherical_interpolation", "long and short",
          given(a=normal(5, 3, scale=1e-3), b=normal(5, 3, scale=1e3), weight=WEIGHT)),
    Agree("spherical_interpolation", "one number: always parallel", given(a=normal(5), b=normal(5), weight=WEIGHT)),
    Anchor(
        "spherical_interpolation", "a third of a right angle, half of 60 degrees, parallel and opposite",
        given(a=[[3.0, 0.0], [2.0, 0.0], [1.0, 2.0], [1.0, 2.0]], b=[[0.0, 4.0], [1.0, 3**0.5], [3.0, 6.0], [-1.0, -2.0]],
              weight=[1 / 3, 0.5, 0.25, 0.25]),
        gives=[[1.5 * 3**0.5, 2.0], [3**0.5, 1.0], [1.5, 3.0], [0.5, 1.0]], source="by hand",
        near_misses={
            "along the chord": [[2.0, 4 / 3], [1.5, 0.5 * 3**0.5], [1.5, 3.0], [0.5, 1.0]],
            "of unit vectors": [[0.5 * 3**0.5, 0.5], [0.5 * 3**0.5, 0.5], [0.2 * 5**0.5, 0.4 * 5**0.5],
                                [0.1 * 5**0.5, 0.2 * 5**0.5]],
            "weight turned around": [[1.5, 2 * 3**0.5], [3**0.5, 1.0], [2.5, 5.0], [-0.5, -1.0]],
            "nothing between opposites": [[1.5 * 3**0.5, 2.0], [3**0.5, 1.0], [1.5, 3.0], [np.nan, np.nan]],
        },
    ),
    Anchor("spherical_interpolation", "one angle for all axes of an example",
           given(a=[[[3.0, 0.0], [0.0, 0.0]]], b=[[[0.0, 0.0], [0.0, 4.0]]], weight=[1 / 3]),
           gives=[[[1.5 * 3**0.5, 0.0], [0.0, 2.0]]], source="by hand",
           near_misses={"an angle for each row": [[[2.0, 0.0], [0.0, 4 / 3]]]}),
    Law.equal("from the other end", given(a=normal(5, 7), b=normal(5, 7), weight=WEIGHT),
              left=lambda f, a, b, weight: f.spherical_interpolation(a, b, weight),
              right=lambda f, a, b, weight: f.spherical_interpolation(b, a, 1 - weight)),
    Law.equal("the ends are met", given(a=normal(5, 7), b=normal(5, 7)),
              left=lambda f, a, b: np.stack([f.spherical_interpolation(a, b, np.full(5, end)) for end in (0.0, 1.0)]),
              right=lambda f, a, b: np.stack([a, b])),
    Law.equal("vectors of one length keep it", given(a=normal(5, 7), b=normal(5, 7), weight=WEIGHT),
              left=lambda f, a, b, weight: length(f.spherical_interpolation(
                  a / column(length(a)), b / column(length(b)), weight)), right=1.0),
    Law.equal("half the way twice is a quarter of it", given(a=normal(5, 7), b=normal(5, 7)),
              left=lambda f, a, b: f.spherical_interpolation(a / column(length(a)), f.spherical_interpolation(
                  a / column(length(a)), b / column(length(b)), np.full(5, 0.5)), np.full(5, 0.5)),
              right=lambda f, a, b: f.spherical_interpolation(a / column(length(a)), b / column(length(b)), np.full(5, 0.25))),
    Law.equal("slopes are finite where there is no arc", given(weight=[0.3, 0.3, 0.3]),
              left=lambda f, weight: np.isfinite(f.gradient(
                  "spherical_interpolation", np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0]]),
                  np.array([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]]), weight, wrt=0)), right=True),
    Rejects("spherical_interpolation", "shapes differ", given(a=zeros(2, 3), b=zeros(2, 4), weight=[0.5, 0.5]), blames="b "),
    Rejects("spherical_interpolation", "a weight too few", given(a=zeros(2, 3), b=zeros(2, 3), weight=[0.5]), blames="weight"),
    Rejects("spherical_interpolation", "a weight for every entry", given(a=zeros(2, 3), b=zeros(2, 3), weight=zeros(2, 3)),
            blames="weight"),
)  # fmt: skip
