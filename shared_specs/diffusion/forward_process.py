"""Contracts of the forward process (lectures 24 and 25)."""

import numpy as np

from shared_specs.diffusion._cases import (
    BAD_TIMES,
    FOUR,
    IMAGES,
    LEVELS,
    NO_STEP,
    ONE,
    OTHER,
    PIXELS,
    SCHEDULE,
    TIMES,
    TO_NOISE,
    TOO_FEW,
    rejects_schedules,
    rejects_times,
)
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, log_of, normal, zeros

X, NOISE = normal(5, 3), normal(5, 3)
BEFORE, FROM_ONE = np.array([1, 2, 1, 1, 4]), np.array([1, 4, 3, 2, 6])
ENDS = np.array([0, 4, 2, 4, 0])  # the data itself and pure noise in one batch
AUDIO, WAVES = normal(3, 2, 7), normal(3, 2, 7)
RATIOS = [1.0, 0.64, 0.2304, 0.0]  # roots of the ratios of the steps: 0.8, 0.6, 0


def rejects(function, arrays, times, bad_times=BAD_TIMES | TOO_FEW):
    """The refusals that all functions share: other shapes, times that are none, schedules that are none."""
    good = dict.fromkeys(arrays, zeros(2, 3)) | {name: np.array(t) for name, t in times.items()} | {"alpha_bar": SCHEDULE}
    for name in arrays[1:]:
        yield Rejects(function, f"{name} has another shape", given(**good | {name: zeros(2, 4)}), blames=name)
    yield from rejects_times(function, good, bad_times)
    yield from rejects_schedules(function, good)


def variances(function, *times):
    """The variances that a jump keeps and adds: its squared images of x = 1 without noise, and of noise 1 without x."""
    one, zero = np.ones(len(times[0])), np.zeros(len(times[0]))
    return function(one, *times, zero, SCHEDULE) ** 2, function(zero, *times, one, SCHEDULE) ** 2


SPEC = (
    # One step.
    Agree("forward_step", "regular", given(x_prev=X, t=TIMES, noise=NOISE, alpha_bar=SCHEDULE)),
    Agree("forward_step", "images", given(x_prev=IMAGES, t=[3, 2], noise=PIXELS, alpha_bar=SCHEDULE)),
    Agree("forward_step", "one step, one example, one number", given(x_prev=normal(1), t=[1], noise=normal(1), alpha_bar=ONE),
          differentiate=("x_prev", "noise")),
    Agree("forward_step", "from the data", given(x_prev=X, t=FROM_ONE, noise=NOISE, alpha_bar=SCHEDULE),
          differentiate=("x_prev", "noise")),
    Agree("forward_step", "the last step leaves noise", given(x_prev=X, t=[1, 4, 2, 4, 3], noise=NOISE, alpha_bar=TO_NOISE),
          differentiate=("x_prev", "noise")),
    Anchor(
        "forward_step", "roots of 0.8, 0.6 and 0", given(x_prev=FOUR, t=[1, 2, 3, 2], noise=OTHER, alpha_bar=RATIOS),
        gives=[[1.1, -1.0], [1.0, 1.9], [1.5, -0.5], [0.8, 1.8]], source="by hand",
        near_misses={
            "a jump from the data": [[1.1, -1.0], [0.5627315120215476, 1.9945369759569047], [1.5, -0.5],
                                     [0.1654630240430952, 2.151805463935357]],
            "beta for its root": [[0.98, -1.24], [1.16, 1.58], [1.5, -0.5], [1.12, 1.32]],
            "1 - beta for its root": [[0.94, -0.68], [0.28, 1.78], [1.5, -0.5], [-0.16, 2.04]],
            "one step late": [[1.0, -2.0], [2.64, 1.3], [2.4, 0.2], [2.0, 1.6]],
        },
    ),
    Law.equal("a step keeps unit variance", given(t=FROM_ONE),
              left=lambda f, t: sum(variances(f.forward_step, t)), right=1.0),
    Law.equal("two steps are a jump over two", given(x=X, t=[2, 6, 3, 2, 5]),
              left=lambda f, x, t: f.forward_step(f.forward_step(x, t - 1, 0 * x, SCHEDULE), t, 0 * x, SCHEDULE),
              right=lambda f, x, t: f.forward_from(x, t - 2, t, 0 * x, SCHEDULE)),
    *rejects("forward_step", ("x_prev", "noise"), {"t": [1, 2]}, BAD_TIMES | NO_STEP | TOO_FEW),
    # From the data.
    Agree("forward_sample", "regular", given(x0=X, t=TIMES, noise=NOISE, alpha_bar=SCHEDULE)),
    Agree("forward_sample", "images", given(x0=IMAGES, t=[3, 2], noise=PIXELS, alpha_bar=SCHEDULE)),
    Agree("forward_sample", "audio, eight-bit times",
          given(x0=AUDIO, t=np.array([6, 1, 2], np.uint8), noise=WAVES, alpha_bar=SCHEDULE)),
    Agree("forward_sample", "as many numbers as examples",
          given(x0=normal(5, 5), t=TIMES, noise=normal(5, 5), alpha_bar=SCHEDULE)),
    Agree("forward_sample", "one step, one example, one number", given(x0=normal(1), t=[1], noise=normal(1), alpha_bar=ONE)),
    Agree("forward_sample", "the data itself, and noise alone", given(x0=X, t=ENDS, noise=NOISE, alpha_bar=TO_NOISE),
          differentiate=("x0", "noise")),
    Agree("forward_sample", "the data itself is independent of the schedule",
          given(x0=X, t=[0, 6, 3, 0, 5], noise=NOISE, alpha_bar=SCHEDULE)),
    Anchor(
        "forward_sample", "roots of 1, 0.8, 0.6 and 0", given(x0=FOUR, t=[0, 1, 2, 3], noise=OTHER, alpha_bar=LEVELS),
        gives=[[1.0, -2.0], [1.8, 1.6], [2.4, 0.2], [-2.0, 3.0]], source="by hand",
        near_misses={
            "the level before": [[1.0, -2.0], [3.0, 0.5], [2.5, 0.5], [0.8, 1.8]],
            "alpha bar for its root": [[1.0, -2.0], [1.56, 1.04], [1.68, 0.04], [-2.0, 3.0]],
            "the variance for the deviation": [[1.0, -2.0], [2.04, 1.12], [2.16, 0.28], [-2.0, 3.0]],
            "1 - sqrt(a)": [[1.0, -2.0], [2.2, 0.8], [1.8, 0.4], [-2.0, 3.0]],
        },
    ),
    *(Anchor("forward_sample", f"{steps} steps of eight bits",
             given(x0=[[16.0], [6.0]], t=[255, steps - 64], noise=[[0.0], [0.0]], alpha_bar=1 - np.arange(steps + 1) / 256),
             gives=[[1.0], [6 * (320 - steps) ** 0.5 / 16]], source="by hand") for steps in (255, 256)),
    Law.equal("at t = 0 nothing happens, to the last bit", given(x=X, noise=NOISE),
              left=lambda f, x, noise: f.forward_sample(x, np.zeros(5, int), noise, SCHEDULE) == x, right=True),
    Law.equal("without signal left, only noise, to the last bit", given(x=X, noise=NOISE),
              left=lambda f, x, noise: f.forward_sample(x, np.full(5, 4), noise, TO_NOISE) == noise, right=True),
    Law.equal("linear in data and noise", given(x=X, noise=NOISE, y=normal(5, 3), t=TIMES),
              left=lambda f, x, noise, y, t: f.forward_sample(2 * x + y, t, 2 * noise - y, SCHEDULE),
              right=lambda f, x, noise, y, t: 2 * f.forward_sample(x, t, noise, SCHEDULE)
              + f.forward_sample(y, t, -y, SCHEDULE)),
    Law.equal("the slope in the data is sqrt(a_t)", given(x=X, noise=NOISE, t=FROM_ONE),
              left=lambda f, x, noise, t: f.gradient("forward_sample", x, t, noise, SCHEDULE),
              right=lambda f, x, noise, t: np.sqrt(SCHEDULE)[t][:, None] * np.ones((5, 3))),
    Law.unbiased("the signal and the noise of x_t, by drawing", given(),
                 samples=lambda f, rng, draws: (lambda x, noise: np.stack([
                     x * f.forward_sample(x, np.full(draws, 4), noise, SCHEDULE),
                     f.forward_sample(x, np.full(draws, 4), noise, SCHEDULE) ** 2], axis=1))(
                         rng.standard_normal(draws) * 2, rng.standard_normal(draws)),
                 expected=lambda f: np.array([4 * np.sqrt(0.4), 4 * 0.4 + 0.6]), draws=20_000, detects=0.3),
    *rejects("forward_sample", ("x0", "noise"), {"t": [0, 2]}),
    # From anywhere.
    Agree("forward_from", "regular", given(x_s=X, s=BEFORE, t=TIMES, noise=NOISE, alpha_bar=SCHEDULE)),
    Agree("forward_from", "images", given(x_s=IMAGES, s=[1, 1], t=[3, 2], noise=PIXELS, alpha_bar=SCHEDULE)),
    Agree("forward_from", "from the data", given(x_s=X, s=[0, 0, 0, 1, 0], t=TIMES, noise=NOISE, alpha_bar=SCHEDULE),
          differentiate=("x_s", "noise")),
    Agree("forward_from", "standing still, also where nothing is left",
          given(x_s=X, s=[0, 4, 2, 1, 3], t=[0, 4, 2, 3, 3], noise=NOISE, alpha_bar=TO_NOISE)),
    Agree("forward_from", "to noise alone", given(x_s=X, s=[0, 3, 2, 1, 3], t=[4, 4, 4, 4, 4], noise=NOISE, alpha_bar=TO_NOISE),
          differentiate=("x_s", "noise")),
    Anchor(
        "forward_from", "ratios of 0.36, 0.64 and 1",
        given(x_s=FOUR, s=[1, 0, 2, 3], t=[2, 1, 2, 3], noise=OTHER, alpha_bar=RATIOS),
        gives=[[1.0, -0.4], [1.8, 1.6], [2.0, 1.0], [4.0, -1.0]], source="by hand",
        near_misses={
            "from the data": [[0.9186342439892261, -0.0827315120215476], [1.8, 1.6], [2.275902731967679, 0.0413657560107738],
                              [-2.0, 3.0]],
            "the difference of the levels": [[0.92, -0.56], [1.8, 1.6], [2.0, 1.0], [4.0, -1.0]],
            "the variance for the deviation": [[0.92, -0.56], [2.04, 1.12], [2.0, 1.0], [4.0, -1.0]],
        },
    ),
    Law.equal("from the data it is forward_sample", given(x=X, noise=NOISE, t=FROM_ONE),
              left=lambda f, x, noise, t: f.forward_from(x, 0 * t, t, noise, SCHEDULE),
              right=lambda f, x, noise, t: f.forward_sample(x, t, noise, SCHEDULE)),
    Law.equal("over one step it is forward_step", given(x=X, noise=NOISE, t=FROM_ONE),
              left=lambda f, x, noise, t: f.forward_from(x, t - 1, t, noise, SCHEDULE),
              right=lambda f, x, noise, t: f.forward_step(x, t, noise, SCHEDULE)),
    Law.equal("where s = t nothing happens, to the last bit", given(x=X, noise=NOISE, t=ENDS),
              left=lambda f, x, noise, t: f.forward_from(x, t, t, noise, TO_NOISE) == x, right=True),
    Law.equal("two jumps add the variance of one", given(s=[0, 1, 2], middle=[2, 3, 2], t=[6, 4, 5]),
              left=lambda f, s, middle, t: variances(f.forward_from, s, middle)[1] * variances(f.forward_from, middle, t)[0]
              + variances(f.forward_from, middle, t)[1],
              right=lambda f, s, middle, t: variances(f.forward_from, s, t)[1]),
    *rejects("forward_from", ("x_s", "noise"), {"s": [0, 1], "t": [0, 2]}),
    Rejects("forward_from", "back in time", given(x_s=zeros(2, 3), s=[1, 3], t=[1, 2], noise=zeros(2, 3), alpha_bar=SCHEDULE),
            blames="s is 3"),
    Rejects("forward_from", "from before the data",
            given(x_s=zeros(2, 3), s=[1, -1], t=[1, 2], noise=zeros(2, 3), alpha_bar=SCHEDULE), blames="s is -1"),
    # The marginal.
    Agree("forward_marginal", "regular", given(x0=X, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("forward_marginal", "images", given(x0=IMAGES, t=[3, 2], alpha_bar=SCHEDULE)),
    Agree("forward_marginal", "the data itself", given(x0=X, t=[0, 4, 1, 0, 2], alpha_bar=SCHEDULE),
          no_gradient="the log-variance of the data itself is infinite"),
    Agree("forward_marginal", "the data itself, and noise alone", given(x0=X, t=ENDS, alpha_bar=TO_NOISE),
          no_gradient="the log-variance of the data itself is infinite", differentiate=("x0",)),
    Agree("forward_marginal", "nearly nothing is left", given(x0=X, t=TIMES, alpha_bar=[1.0, 0.9, 0.42, 0.36, 0.31, 1e-9, 1e-12]),
          differentiate=("x0",), edge="log(1 - a_t) as it is written loses an a_t of 1e-12; it takes log1p"),
    Anchor(
        "forward_marginal", "roots of 1, 0.8, 0.6 and 0", given(x0=FOUR, t=[0, 1, 2, 3], alpha_bar=LEVELS),
        gives=([[1.0, -2.0], [2.4, 0.4], [1.2, 0.6], [0.0, 0.0]], log_of([0.0, 0.36, 0.64, 1.0])), source="by hand",
        near_misses={
            "alpha bar for its root": ([[1.0, -2.0], [1.92, 0.32], [0.72, 0.36], [0.0, 0.0]], log_of([0.0, 0.36, 0.64, 1.0])),
            "the variance": ([[1.0, -2.0], [2.4, 0.4], [1.2, 0.6], [0.0, 0.0]], [0.0, 0.36, 0.64, 1.0]),
            "the log-deviation": ([[1.0, -2.0], [2.4, 0.4], [1.2, 0.6], [0.0, 0.0]], log_of([0.0, 0.6, 0.8, 1.0])),
            "the signal's": ([[1.0, -2.0], [2.4, 0.4], [1.2, 0.6], [0.0, 0.0]], log_of([1.0, 0.64, 0.36, 0.0])),
        },
    ),
    Law.equal("the sample is mean and deviation", given(x=X, noise=NOISE, t=FROM_ONE),
              left=lambda f, x, noise, t: f.forward_marginal(x, t, SCHEDULE)[0]
              + np.exp(f.forward_marginal(x, t, SCHEDULE)[1] / 2)[:, None] * noise,
              right=lambda f, x, noise, t: f.forward_sample(x, t, noise, SCHEDULE)),
    *rejects("forward_marginal", ("x0",), {"t": [0, 2]}),
    # The density.
    Agree("forward_log_prob", "regular", given(x_t=X, x_s=normal(5, 3), s=BEFORE, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("forward_log_prob", "images", given(x_t=IMAGES, x_s=PIXELS, s=[1, 1], t=[3, 2], alpha_bar=SCHEDULE)),
    Agree("forward_log_prob", "from the data", given(x_t=X, x_s=normal(5, 3), s=[0, 0, 0, 1, 0], t=TIMES, alpha_bar=SCHEDULE),
          differentiate=("x_t", "x_s")),
    Agree("forward_log_prob", "numbers", given(x_t=normal(5), x_s=normal(5), s=BEFORE, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("forward_log_prob", "to noise alone", given(x_t=X, x_s=normal(5, 3), s=[0, 3, 2, 1, 3], t=[4, 4, 4, 4, 4],
                                                     alpha_bar=TO_NOISE), differentiate=("x_t", "x_s")),
    Agree("forward_log_prob", "far out in the tails",
          given(x_t=normal(5, 3, mean=60.0), x_s=normal(5, 3), s=BEFORE, t=TIMES, alpha_bar=SCHEDULE)),
    Anchor(
        "forward_log_prob", "ratios of 0.36 and 0.64",
        given(x_t=[[1.0, 2.0], [0.0, 1.0]], x_s=[[1.0, -1.0], [2.0, 1.0]], s=[1, 0], t=[2, 1], alpha_bar=RATIOS),
        gives=[-6.797839963780927, -4.427336929988476],
        source="by hand: squared distances of 6.92 and 2.6, variances of 0.64 and 0.36",
        near_misses={
            "without the normalizer": [-5.40625, -3.611111111111111], "the normalizer of one dimension": [-6.102044981890463,
                                                                                                       -4.019224020549794],
            "the mean over dimensions": [-3.3989199818904634, -2.213668464994238],
            "the deviation for the variance": [-5.939733515095136, -3.4937181093100222],
            "the ratio for its root": [-6.062839963780926, -3.27178137443292],
            "from the data": [-5.747510358296377, -4.427336929988476],
        },
    ),
    Law.normalized("the density integrates to one", given(),
                   total=lambda f: np.exp(f.forward_log_prob(np.linspace(-12, 12, 601), np.full(601, 0.7), np.full(601, 1),
                                                             np.full(601, 4), SCHEDULE)).sum() * 0.04),
    Law.equal("its slope points back to sqrt(r) x_s", given(x=X, x_s=normal(5, 3), t=FROM_ONE),
              left=lambda f, x, x_s, t: f.gradient("forward_log_prob", x, x_s, t - 1, t, SCHEDULE),
              right=lambda f, x, x_s, t: (f.forward_step(x_s, t, 0 * x, SCHEDULE) - x)
              / variances(f.forward_step, t)[1][:, None]),
    Law.at_least("nowhere denser than at its mean", given(x=X, x_s=normal(5, 3), t=FROM_ONE),
                 left=lambda f, x, x_s, t: f.forward_log_prob(f.forward_sample(x_s, t, 0 * x, SCHEDULE), x_s, 0 * t, t, SCHEDULE),
                 right=lambda f, x, x_s, t: f.forward_log_prob(x, x_s, 0 * t, t, SCHEDULE)),
    *rejects("forward_log_prob", ("x_t", "x_s"), {"s": [0, 1], "t": [1, 2]}),
    Rejects("forward_log_prob", "back in time",
            given(x_t=zeros(2, 3), x_s=zeros(2, 3), s=[1, 3], t=[2, 2], alpha_bar=SCHEDULE), blames="s is 3"),
    Rejects("forward_log_prob", "no step, no density",
            given(x_t=zeros(2, 3), x_s=zeros(2, 3), s=[1, 2], t=[2, 2], alpha_bar=SCHEDULE), blames="s is 2"),
)  # fmt: skip
