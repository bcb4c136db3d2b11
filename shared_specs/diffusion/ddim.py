"""Contracts of denoising diffusion implicit models (lecture 37)."""

import numpy as np

from shared_specs.diffusion._cases import COSINE, ONE, SCHEDULE, SQUARES, TO_NOISE, column, rejects_schedules
from shared_specs.rows import Agree, Anchor, Cancels, Law, Rejects, given, normal, zeros

X0, XT, NOISE = normal(5, 3), normal(5, 3), normal(5, 3)
T, S = np.array([2, 6, 3, 6, 5]), np.array([1, 2, 1, 5, 3])  # some of them strides
TO_DATA = np.array([0, 2, 0, 5, 0])
PAIRS = np.array([(t, s) for t in range(1, 7) for s in range(t)])  # every jump toward the data
ALL_T, ALL_S = PAIRS.T
STEPS, BEFORE, NOW = np.arange(1, 7), SCHEDULE[:-1], SCHEDULE[1:]  # every single step
DATA = ("x_t", "noise_pred", "noise")
GUESSES, STARTS, DRAWS = (
    [[1.0, -2.0], [3.0, 0.5], [-1.0, 2.0]],
    [[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5]],
    [[2.0, -1.0], [1.0, 0.5], [-3.0, 1.0]],
)


def rejects(function, *arrays, **options):
    """The refusals that all functions share: other shapes, times that are none, steps up, schedules that are none, wild etas."""
    good = dict.fromkeys(arrays, zeros(2, 3)) | {"t": np.array([2, 4]), "s": np.array([1, 0]), "alpha_bar": SCHEDULE} | options
    for name in arrays[1:]:
        yield Rejects(function, f"{name} has another shape", given(**good | {name: zeros(2, 4)}), blames=name)
    changes = {
        "nothing comes before the data": ("t", np.array([2, 0])),
        "after the last level": ("t", np.array([2, 7])),
        "a t that is no integer": ("t", np.array([2.0, 4.0])),
        "below the data": ("s", np.array([1, -1])),
        "an s that is no integer": ("s", np.array([1.0, 0.0])),
        "standing still": ("s", np.array([1, 4])),
        "a step up": ("s", np.array([3, 0])),
        "an s too few": ("s", np.array([1])),
    }
    for case, (name, value) in changes.items():
        yield Rejects(function, case, given(**good | {name: value}), blames=f"{name} ")
    yield from rejects_schedules(function, good)
    yield Rejects(function, "noise taken away", given(**good | {"eta": -0.5}), blames="eta")
    yield Rejects(function, "more noise than there is", given(**good | {"eta": 2.0}), blames="eta")


def cosines(h):
    """A schedule of 1/h steps from the data nearly to nothing: squared cosines at equal angles."""
    return np.cos(np.arange(round(1 / h) + 1) * h * 0.47 * np.pi) ** 2


def walk(f, x, schedule, c):
    """Down all levels without noise, for data of variance c and the best prediction."""
    for t in range(len(schedule) - 1, 0, -1):
        predicted = np.sqrt(1 - schedule[t]) / (1 - schedule[t] + schedule[t] * c) * x
        x = f.ddim_step(x, predicted, 0 * x, np.array([t, t]), np.array([t - 1, t - 1]), schedule)
    return x


SPEC = (
    # How much noise a step adds.
    Agree("ddim_sigma", "regular", given(t=T, s=S, alpha_bar=SCHEDULE, eta=0.5)),
    Agree("ddim_sigma", "as an ancestral step", given(t=T, s=S, alpha_bar=SCHEDULE, eta=1.0)),
    Agree("ddim_sigma", "none", given(t=T, s=S, alpha_bar=SCHEDULE, eta=0.0)),
    Agree("ddim_sigma", "to the data, among others", given(t=T, s=TO_DATA, alpha_bar=SCHEDULE, eta=0.5)),
    Agree("ddim_sigma", "as much as there is, and more to the data", given(t=[4, 4], s=[3, 0], alpha_bar=TO_NOISE, eta=1.0)),
    Agree("ddim_sigma", "cosine, from its clipped step", given(t=[4, 4, 3], s=[3, 1, 2], alpha_bar=COSINE, eta=1.0)),
    Agree("ddim_sigma", "one step", given(t=[1], s=[0], alpha_bar=ONE, eta=0.7)),
    Anchor(
        "ddim_sigma", "strides, half", given(t=[3, 3, 2, 3, 1], s=[1, 2, 1, 0, 0], alpha_bar=SQUARES, eta=0.5),
        gives=[0.29646353064078557, 0.3849001794597505, 0.24803918541230538, 0.0, 0.0],
        source="by hand: half the roots of 0.375 * 0.9375, (0.64/0.96) (1 - 0.04/0.36) and (0.36/0.64) (1 - 0.36/0.64)",
        near_misses={
            "of a step to t - 1": [0.3849001794597505, 0.3849001794597505, 0.24803918541230538, 0.3849001794597505, 0.0],
            "of all noise so far": [0.4898979485566356, 0.4898979485566356, 0.4, 0.4898979485566356, 0.3],
            "levels exchanged": [0.7905694150420949, 0.5773502691896257, 0.44095855184409843, np.inf, np.inf],
            "without the first root": [0.4841229182759271, 0.4714045207910317, 0.33071891388307384, 0.4898979485566356, 0.3],
            "the variance": [0.087890625, 4 / 27, 0.0615234375, 0.0, 0.0],
            "eta = 1": [0.5929270612815711, 0.769800358919501, 0.49607837082461076, 0.0, 0.0],
        },
    ),
    Law.equal("eta = 1 adds the posterior's variance", given(),
              left=lambda f: f.ddim_sigma(STEPS, STEPS - 1, SCHEDULE, eta=1.0) ** 2,
              right=(1 - BEFORE) / (1 - NOW) * (1 - NOW / BEFORE)),
    Law.equal("proportional to eta", given(),
              left=lambda f: f.ddim_sigma(ALL_T, ALL_S, SCHEDULE, eta=0.3),
              right=lambda f: 0.3 * f.ddim_sigma(ALL_T, ALL_S, SCHEDULE, eta=1.0)),
    Law.equal("none at the data, for every eta", given(),
              left=lambda f: f.ddim_sigma(STEPS, 0 * STEPS, SCHEDULE, eta=5.0), right=0.0),
    Law.equal("slopes in the schedule are finite, also at the data", given(),
              left=lambda f: np.isfinite(f.jacobian("ddim_sigma", T, TO_DATA, SCHEDULE, wrt=2, eta=1.0)), right=True),
    *rejects("ddim_sigma", eta=0.5),
    # Where a step leads, given the data.
    Agree("non_markovian_mean", "regular", given(x0=X0, x_t=XT, t=T, s=S, alpha_bar=SCHEDULE, eta=0.5)),
    Agree("non_markovian_mean", "images, no noise",
          given(x0=normal(2, 3, 4, 5), x_t=normal(2, 3, 4, 5), t=[6, 2], s=[2, 1], alpha_bar=SCHEDULE, eta=0.0)),
    Agree("non_markovian_mean", "to the data, among others", given(x0=X0, x_t=XT, t=T, s=TO_DATA, alpha_bar=SCHEDULE, eta=1.0)),
    Agree("non_markovian_mean", "cosine, from its clipped step",
          given(x0=X0, x_t=XT, t=[4, 4, 3, 2, 4], s=[3, 1, 2, 0, 2], alpha_bar=COSINE, eta=1.0),
          cancels=Cancels(8.0, "of the terms of 1 - a_s - sigma^2, all of order 1, little is left at the clipped step")),
    Agree("non_markovian_mean", "from noise alone",
          given(x0=X0, x_t=XT, t=[4, 4, 3, 2, 4], s=[3, 1, 2, 1, 0], alpha_bar=TO_NOISE, eta=0.5), differentiate=("x0", "x_t")),
    Agree("non_markovian_mean", "one step, one example, one number",
          given(x0=normal(1), x_t=normal(1), t=[1], s=[0], alpha_bar=ONE, eta=0.7)),
    Anchor(
        "non_markovian_mean", "roots of 0.8, 0.6 and 0.2, half",
        given(x0=GUESSES, x_t=STARTS, t=[3, 2, 3], s=[1, 1, 0], alpha_bar=SQUARES, eta=0.5),
        gives=[[0.9597192972256327, -0.8546432796137141], [0.48784470018123266, 1.560951432032823], [-1.0, 2.0]],
        source="mpmath: 0.8 x0 + sqrt(0.36 - sigma^2) (x - 0.2 x0)/sqrt(0.96), and so on",
        near_misses={
            "noise added to all of the old": [[0.9837117307087384, -0.7426785900258877], [0.3, 1.675], [-1.0, 2.0]],
            "sigma of a step to t - 1":
                [[0.9409294543773981, -0.9423292129054759], [0.48784470018123266, 1.560951432032823], [-1.0, 2.0]],
            "a for its root":
                [[0.7997192972256327, -0.5346432796137141], [0.00784470018123266, 1.480951432032823], [-1.0, 2.0]],
        },
    ),
    Law.equal("every eta keeps the marginal's mean", given(x0=normal(21, 3)),
              left=lambda f, x0: np.stack([f.non_markovian_mean(
                  x0, column(np.sqrt(SCHEDULE[ALL_T])) * x0, ALL_T, ALL_S, SCHEDULE, eta=eta) for eta in (0.0, 0.4, 1.0)]),
              right=lambda f, x0: np.stack([column(np.sqrt(SCHEDULE[ALL_S])) * x0] * 3)),
    Law.equal("every eta keeps the marginal's variance", given(),
              left=lambda f: np.stack([1 + f.non_markovian_mean(
                  np.zeros(21), np.sqrt(1 - SCHEDULE[ALL_T]), ALL_T, ALL_S, SCHEDULE, eta=eta) ** 2
                  + f.ddim_sigma(ALL_T, ALL_S, SCHEDULE, eta=eta) ** 2 for eta in (0.0, 0.4, 1.0)]),
              right=lambda f: np.stack([2 - SCHEDULE[ALL_S]] * 3)),
    Law.equal("eta = 1 is the posterior's mean", given(x0=normal(6, 3), x_t=normal(6, 3)),
              left=lambda f, x0, x_t: f.non_markovian_mean(x0, x_t, STEPS, STEPS - 1, SCHEDULE, eta=1.0),
              right=lambda f, x0, x_t: column(np.sqrt(BEFORE) * (1 - NOW / BEFORE) / (1 - NOW)) * x0
              + column(np.sqrt(NOW / BEFORE) * (1 - BEFORE) / (1 - NOW)) * x_t),
    Law.equal("a step to the data ends at them, to the last bit", given(x0=X0, x_t=XT),
              left=lambda f, x0, x_t: f.non_markovian_mean(x0, x_t, T, 0 * T, SCHEDULE, eta=0.5) == x0, right=True),
    *rejects("non_markovian_mean", "x0", "x_t", eta=0.5),
    # A step with a prediction.
    Agree("ddim_step", "regular", given(x_t=XT, noise_pred=X0, noise=NOISE, t=T, s=S, alpha_bar=SCHEDULE)),
    Agree("ddim_step", "half the noise, images",
          given(x_t=normal(2, 3, 4, 5), noise_pred=normal(2, 3, 4, 5), noise=normal(2, 3, 4, 5), t=[6, 2], s=[2, 1],
                alpha_bar=SCHEDULE, eta=0.5)),
    Agree("ddim_step", "clipped here and there, to the data among others",
          given(x_t=XT, noise_pred=X0, noise=NOISE, t=T, s=TO_DATA, alpha_bar=SCHEDULE, eta=0.5, clip=0.8)),
    Agree("ddim_step", "as an ancestral step, clipped nowhere",
          given(x_t=XT, noise_pred=X0, noise=NOISE, t=T, s=TO_DATA, alpha_bar=SCHEDULE, eta=1.0, clip=1e3)),
    Agree("ddim_step", "cosine, from its clipped step",
          given(x_t=XT, noise_pred=X0, noise=NOISE, t=[4, 4, 3, 2, 4], s=[3, 1, 2, 0, 2], alpha_bar=COSINE, eta=0.5, clip=1.0)),
    Agree("ddim_step", "all but the end of a schedule to noise",
          given(x_t=XT, noise_pred=X0, noise=NOISE, t=[3, 1, 3, 2, 2], s=[0, 0, 2, 1, 0], alpha_bar=TO_NOISE, eta=0.5)),
    Agree("ddim_step", "one step, one example, one number",
          given(x_t=normal(1), noise_pred=normal(1), noise=normal(1), t=[1], s=[0], alpha_bar=ONE, eta=1.0)),
    Anchor(
        "ddim_step", "half the noise", given(x_t=STARTS, noise_pred=GUESSES, noise=DRAWS, t=[3, 2, 3], s=[1, 1, 0],
                                             alpha_bar=SQUARES, eta=0.5),
        gives=[[-0.8046154867998805, 10.498621565522118], [-2.6463038909335133, 2.5305179688707384],
               [12.398979485566356, -12.297958971132712]], source="mpmath: the formula by hand",
        near_misses={
            "direction without -sigma^2": [[-0.7262565271715138, 10.341903646265385], [-2.485294147921028, 2.557352926039486],
                                           [12.398979485566356, -12.297958971132712]],
            "no noise": [[-1.319183588453085, 10.63836717690617], [-2.7333333333333334, 2.433333333333333],
                         [12.398979485566356, -12.297958971132712]],
            "all the noise": [[-0.6414736005355736, 11.06172838491586], [-3.0247549625087227, 2.550122518745639],
                              [12.398979485566356, -12.297958971132712]],
            "the last step to a_1": [[-0.8046154867998805, 10.498621565522118], [-2.6463038909335133, 2.5305179688707384],
                                     [9.319183588453084, -8.63836717690617]],
        },
    ),
    Anchor(
        "ddim_step", "half the noise, data clipped at 1", given(x_t=STARTS, noise_pred=GUESSES, noise=DRAWS, t=[3, 2, 3],
                                                               s=[1, 1, 0], alpha_bar=SQUARES, eta=0.5, clip=1.0),
        gives=[[0.16560542147471408, 0.9294545952942349], [-0.8251258574189471, 1.8800972426155365], [1.0, -1.0]],
        source="mpmath: the formula by hand, the noise derived again from the clipped data",
        near_misses={
            "the noise as it was predicted":
                [[0.3145681016532045, -0.5397456113840522], [1.0870294423998201, 1.1971846355374052], [1.0, -1.0]],
            "not clipped": [[-0.8046154867998805, 10.498621565522118], [-2.6463038909335133, 2.5305179688707384],
                            [12.398979485566356, -12.297958971132712]],
        },
    ),
    Law.equal("without a clip, data and noise are weighed as they were predicted", given(x_t=XT, predicted=X0, noise=NOISE),
              left=lambda f, *arrays: f.ddim_step(*arrays, T, S, SCHEDULE, eta=0.5),
              right=lambda f, x_t, predicted, noise:
              column(np.sqrt(SCHEDULE[S] / SCHEDULE[T])) * (x_t - column(np.sqrt(1 - SCHEDULE[T])) * predicted)
              + column(np.sqrt(1 - SCHEDULE[S] - f.ddim_sigma(T, S, SCHEDULE, eta=0.5) ** 2)) * predicted
              + column(f.ddim_sigma(T, S, SCHEDULE, eta=0.5)) * noise),
    Law.equal("eta = 0 is a step of Euler's method", given(x_t=XT, predicted=X0, noise=NOISE),
              left=lambda f, *arrays: f.ddim_step(*arrays, T, TO_DATA, SCHEDULE) / column(np.sqrt(SCHEDULE[TO_DATA])),
              right=lambda f, x_t, predicted, noise: x_t / column(np.sqrt(SCHEDULE[T]))
              + column(np.sqrt(1 / SCHEDULE[TO_DATA] - 1) - np.sqrt(1 / SCHEDULE[T] - 1)) * predicted),
    Law.equal("no noise is requested at eta = 0", given(x_t=XT, predicted=X0, noise=NOISE),
              left=lambda f, *arrays: f.gradient("ddim_step", *arrays, T, S, SCHEDULE, wrt=2), right=0.0),
    Law.equal("nor on the way to the data", given(x_t=XT, predicted=X0, noise=NOISE),
              left=lambda f, *arrays: f.gradient("ddim_step", *arrays, T, 0 * T, SCHEDULE, wrt=2, eta=1.0), right=0.0),
    Law.equal("two steps of eta = 0 along one noise are one", given(x_t=XT, predicted=X0),
              left=lambda f, x_t, predicted: f.ddim_step(
                  f.ddim_step(x_t, predicted, 0 * x_t, T, S, SCHEDULE), predicted, 0 * x_t, S, S - 1, SCHEDULE),
              right=lambda f, x_t, predicted: f.ddim_step(x_t, predicted, 0 * x_t, T, S - 1, SCHEDULE)),
    Law.equal("a clip that is never reached changes nothing", given(x_t=XT, predicted=X0, noise=NOISE),
              left=lambda f, *arrays: f.ddim_step(*arrays, T, S, SCHEDULE, eta=0.5, clip=1e4),
              right=lambda f, *arrays: f.ddim_step(*arrays, T, S, SCHEDULE, eta=0.5, clip=None)),
    Law.equal("clipped data are what a step to the data gives", given(x_t=XT, predicted=X0, noise=NOISE),
              left=lambda f, *arrays: f.ddim_step(*arrays, T, 0 * T, SCHEDULE, clip=0.3),
              right=lambda f, *arrays: np.clip(f.ddim_step(*arrays, T, 0 * T, SCHEDULE), -0.3, 0.3)),
    Law.limit("for Gaussian data it converges to the flow", given(x=[1.3, -0.4]), at=(1 / 16, 1 / 32, 1 / 64), order=1,
              value=lambda f, h, x: walk(f, x, cosines(h), 0.3),
              limit=lambda f, x: x * np.sqrt(0.3 / (1 - 0.7 * np.cos(0.47 * np.pi) ** 2))),
    *rejects("ddim_step", "x_t", "noise_pred", "noise", eta=0.5),
    Rejects("ddim_step", "no signal left",
            given(x_t=zeros(2, 3), noise_pred=zeros(2, 3), noise=zeros(2, 3), t=[2, 4], s=[1, 3], alpha_bar=TO_NOISE),
            blames="alpha_bar"),
    Rejects("ddim_step", "clipped to nothing",
            given(x_t=zeros(2, 3), noise_pred=zeros(2, 3), noise=zeros(2, 3), t=[2, 4], s=[1, 3], alpha_bar=SCHEDULE, clip=0.0),
            blames="clip"),
)  # fmt: skip
