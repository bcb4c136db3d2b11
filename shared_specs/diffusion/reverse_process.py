"""Contracts of the reverse process (lecture 25)."""

import numpy as np

from shared_specs.diffusion._cases import (
    ALL,
    BAD_TIMES,
    COSINE,
    FROM_ONE,
    NO_PART,
    NO_STEP,
    ONE,
    SCHEDULE,
    TIMES,
    TO_NOISE,
    TOO_FEW,
    column,
    rejects_schedules,
    rejects_times,
)
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, log_of, normal, uniform, zeros

NO_VARIANCE = "at t = 1 the variance is 0: libraries clamp its logarithm, which is -inf"
RATIOS = [1.0, 0.64, 0.16, 0.0]  # betas of 0.36, 0.75 and 1; variances 1 - a of 0.36, 0.84 and 1
X0, XT, V = normal(5, 3), normal(5, 3), uniform(5, 3, low=-1.0, high=1.0)
CLEAN, NOISY = [[1.0, -2.0], [3.0, 0.5], [2.0, 1.0]], [[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5]]


def rejects(function, *arrays):
    """The refusals that all functions share: other shapes, times that are none, schedules that are none."""
    good = dict.fromkeys(arrays, zeros(2, 3)) | {"t": np.array([1, 2]), "alpha_bar": SCHEDULE}
    for name in arrays[1:]:
        yield Rejects(function, f"{name} has another shape", given(**good | {name: zeros(2, 4)}), blames=name)
    yield from rejects_times(function, good, BAD_TIMES | NO_STEP | (TOO_FEW if arrays else {}))
    yield from rejects_schedules(function, good)


def gaussian_step(x_t, t, c):
    """E(x_(t-1) | x_t) for data N(0, c): the slope of the joint Gaussian of both, times x_t."""
    kept, before = SCHEDULE[t] / SCHEDULE[t - 1], 1 - SCHEDULE[t - 1] * (1 - c)
    return column(np.sqrt(kept) * before / (kept * before + 1 - kept)) * x_t


SPEC = (
    # The posterior's mean.
    Agree("posterior_mean", "regular", given(x0=X0, x_t=XT, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("posterior_mean", "images", given(x0=normal(2, 3, 4, 5), x_t=normal(2, 3, 4, 5), t=[3, 2], alpha_bar=SCHEDULE)),
    Agree("posterior_mean", "the first step among others", given(x0=X0, x_t=XT, t=FROM_ONE, alpha_bar=SCHEDULE),
          differentiate=("x0", "x_t")),
    Agree("posterior_mean", "from noise alone", given(x0=X0, x_t=XT, t=[4, 1, 4, 2, 3], alpha_bar=TO_NOISE),
          differentiate=("x0", "x_t")),
    Agree("posterior_mean", "cosine, with its clipped step", given(x0=X0, x_t=XT, t=[4, 4, 3, 2, 3], alpha_bar=COSINE)),
    Agree("posterior_mean", "one step, one example, one number", given(x0=normal(1), x_t=normal(1), t=[1], alpha_bar=ONE),
          differentiate=("x0", "x_t")),
    Anchor(
        "posterior_mean", "betas of 0.36, 0.75 and 1", given(x0=CLEAN, x_t=NOISY, t=[1, 2, 3], alpha_bar=RATIOS),
        gives=[[1.0, -2.0], [27 / 14, 11 / 14], [0.8, 0.4]], source="by hand: coefficients 1 and 0, 5/7 and 3/14, 2/5 and 0",
        near_misses={
            "coefficients exchanged": [[0.5, 1.0], [-1 / 14, 43 / 28], [0.6, -0.2]],
            "a for its root": [[1.0, -2.0], [1.5, 5 / 7], [0.32, 0.16]],
            "1 - beta for its root": [[1.0, -2.0], [57 / 28, 4 / 7], [0.8, 0.4]],
            "the prediction of the data": [[1.0, -2.0], [3.0, 0.5], [2.0, 1.0]],
        },
    ),
    Law.equal("the first step ends at the data, to the last bit", given(x0=X0, x_t=XT),
              left=lambda f, x0, x_t: f.posterior_mean(x0, x_t, np.ones(5, int), SCHEDULE) == x0, right=True),
    Law.equal("without noise it leads back along the signal", given(x0=X0, t=FROM_ONE),
              left=lambda f, x0, t: f.posterior_mean(x0, column(np.sqrt(SCHEDULE[t])) * x0, t, SCHEDULE),
              right=lambda f, x0, t: column(np.sqrt(SCHEDULE[t - 1])) * x0),
    Law.equal("mean and variance keep the marginal", given(t=ALL),
              left=lambda f, t: f.posterior_mean(0.0 * t, np.sqrt(1 - SCHEDULE[t]), t, SCHEDULE) ** 2
              + np.exp(f.posterior_log_variance(t, SCHEDULE)),
              right=lambda f, t: 1 - SCHEDULE[t - 1],
          edge=NO_VARIANCE),
    Law.equal("the optimal guess of Gaussian data gives the true mean", given(x_t=normal(6, 3), t=ALL),
              left=lambda f, x_t, t: f.posterior_mean(
                  column(0.3 * np.sqrt(SCHEDULE[t]) / (1 - 0.7 * SCHEDULE[t])) * x_t, x_t, t, SCHEDULE),
              right=lambda f, x_t, t: gaussian_step(x_t, t, 0.3)),
    *rejects("posterior_mean", "x0", "x_t"),
    # The posterior's variance.
    Agree("posterior_log_variance", "regular", given(t=TIMES, alpha_bar=SCHEDULE)),
    Agree("posterior_log_variance", "all steps, the first without variance", given(t=ALL, alpha_bar=SCHEDULE),
          no_gradient=NO_PART, edge=NO_VARIANCE),
    Agree("posterior_log_variance", "cosine, with its clipped step", given(t=[4, 3, 2], alpha_bar=COSINE)),
    Agree("posterior_log_variance", "from noise alone", given(t=[4, 2, 3], alpha_bar=TO_NOISE)),
    Agree("posterior_log_variance", "a schedule of one step", given(t=[1], alpha_bar=ONE), no_gradient=NO_PART,
          edge=NO_VARIANCE),
    Anchor(
        "posterior_log_variance", "0, 9/28 and 0.84", given(t=[1, 2, 3], alpha_bar=RATIOS), gives=log_of([0.0, 9 / 28, 0.84]),
        source="by hand",
        near_misses={"levels exchanged": log_of([np.inf, 1.75, 1 / 0.84]), "the variance": [0.0, 9 / 28, 0.84],
                     "beta": log_of([0.36, 0.75, 1.0]), "the next one at t = 1": log_of([9 / 28, 9 / 28, 0.84]),
                     "clamped at 1e-20": log_of([1e-20, 9 / 28, 0.84])},
        edge=NO_VARIANCE,
    ),
    Law.at_least("to know the data is never worse than not to", given(t=ALL),
                 left=lambda f, t: f.reverse_log_variance(t, SCHEDULE), right=lambda f, t: f.posterior_log_variance(t, SCHEDULE)),
    Law.equal("at t = 1 the slope in the schedule is zero, not NaN", given(),
              left=lambda f: f.jacobian("posterior_log_variance", np.array([1, 4]), SCHEDULE, wrt=1)[0], right=np.zeros(7)),
    *rejects("posterior_log_variance"),
    # The model's variance.
    Agree("reverse_log_variance", "regular", given(t=TIMES, alpha_bar=SCHEDULE)),
    Agree("reverse_log_variance", "large, all steps", given(t=ALL, alpha_bar=SCHEDULE, variance="large"), no_gradient=NO_PART),
    Agree("reverse_log_variance", "small, all steps", given(t=ALL, alpha_bar=SCHEDULE, variance="small")),
    Agree("reverse_log_variance", "large, from noise alone", given(t=[4, 2, 3], alpha_bar=TO_NOISE, variance="large")),
    Agree("reverse_log_variance", "small, cosine", given(t=[4, 3, 1], alpha_bar=COSINE, variance="small")),
    Agree("reverse_log_variance", "large, a schedule of one step", given(t=[1], alpha_bar=ONE), no_gradient=NO_PART),
    Anchor("reverse_log_variance", "betas of 0.36, 0.75 and 1", given(t=[1, 2, 3], alpha_bar=RATIOS, variance="large"),
           gives=log_of([0.36, 0.75, 1.0]), source="by hand",
           near_misses={"of the noise so far": log_of([0.36, 0.84, 1.0]), "one step late": log_of([0.36, 0.36, 0.75]),
                        "the log-deviation": log_of([0.6, 0.75**0.5, 1.0])}),
    Anchor("reverse_log_variance", "9/28 twice and 0.84", given(t=[1, 2, 3], alpha_bar=RATIOS, variance="small"),
           gives=log_of([9 / 28, 9 / 28, 0.84]), source="by hand",
           near_misses={"infinite at t = 1": log_of([0.0, 9 / 28, 0.84]), "large at t = 1": log_of([0.36, 9 / 28, 0.84]),
                        "clamped at 1e-20": log_of([1e-20, 9 / 28, 0.84])}),
    Law.equal("large is what a forward step adds", given(t=ALL),
              left=lambda f, t: np.exp(f.reverse_log_variance(t, SCHEDULE, variance="large")),
              right=lambda f, t: 1 - SCHEDULE[t] / SCHEDULE[t - 1]),
    Law.equal("small is the posterior's wherever that is finite", given(t=TIMES),
              left=lambda f, t: f.reverse_log_variance(t, SCHEDULE, variance="small"),
              right=lambda f, t: f.posterior_log_variance(t, SCHEDULE)),
    *rejects("reverse_log_variance"),
    Rejects("reverse_log_variance", "a third variance", given(t=[1, 2], alpha_bar=SCHEDULE, variance="medium"),
            blames="variance"),
    Rejects("reverse_log_variance", "small without a second step", given(t=[1, 1], alpha_bar=ONE, variance="small"),
            blames="alpha_bar"),
    # The mean from a prediction of the noise.
    Agree("reverse_mean_from_noise", "regular", given(x_t=XT, noise_pred=X0, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("reverse_mean_from_noise", "images",
          given(x_t=normal(2, 3, 4, 5), noise_pred=normal(2, 3, 4, 5), t=[3, 2], alpha_bar=SCHEDULE)),
    Agree("reverse_mean_from_noise", "the first step among others", given(x_t=XT, noise_pred=X0, t=FROM_ONE, alpha_bar=SCHEDULE),
          differentiate=("x_t", "noise_pred")),
    Agree("reverse_mean_from_noise", "cosine, with its clipped step",
          given(x_t=XT, noise_pred=X0, t=[4, 4, 3, 2, 3], alpha_bar=COSINE)),
    Agree("reverse_mean_from_noise", "all but the end of a schedule to noise",
          given(x_t=XT, noise_pred=X0, t=[3, 2, 3, 2, 2], alpha_bar=TO_NOISE)),
    Agree("reverse_mean_from_noise", "one step, one example, one number",
          given(x_t=normal(1), noise_pred=normal(1), t=[1], alpha_bar=ONE), differentiate=("x_t", "noise_pred")),
    Anchor(
        "reverse_mean_from_noise", "betas of 0.36 and 0.75",
        given(x_t=CLEAN[:2], noise_pred=NOISY[:2], t=[1, 2], alpha_bar=RATIOS),
        gives=[[0.875, -3.25], [7.636634176769943, -2.2732683535398857]], source="(x - 0.6 e)/0.8 and 2 (x - 0.75/sqrt(0.84) e)",
        near_misses={
            "the root of 1 - a forgotten": [[0.625, -3.75], [7.785714285714286, -2.571428571428571]],
            "divided by sqrt(a_t)": [[0.875, -3.25], [9.545792720962428, -2.841585441924857]],
            "not scaled up": [[0.7, -2.6], [3.8183170883849713, -1.1366341767699428]],
            "the root of beta": [[0.625, -3.75], [7.889822365046136, -2.779644730092272]],
            "1 - beta for its root": [[1.09375, -4.0625], [15.273268353539885, -4.546536707079771]],
        },
    ),
    Law.equal("it is the posterior's mean at the data that the noise implies", given(x_t=XT, noise=X0, t=FROM_ONE),
              left=lambda f, x_t, noise, t: f.reverse_mean_from_noise(x_t, noise, t, SCHEDULE),
              right=lambda f, x_t, noise, t: f.posterior_mean(
                  (x_t - column(np.sqrt(1 - SCHEDULE[t])) * noise) / column(np.sqrt(SCHEDULE[t])), x_t, t, SCHEDULE)),
    Law.equal("the optimal guess of the noise on Gaussian data gives the true mean", given(x_t=normal(6, 3), t=ALL),
              left=lambda f, x_t, t: f.reverse_mean_from_noise(
                  x_t, column(np.sqrt(1 - SCHEDULE[t]) / (1 - 0.7 * SCHEDULE[t])) * x_t, t, SCHEDULE),
              right=lambda f, x_t, t: gaussian_step(x_t, t, 0.3)),
    *rejects("reverse_mean_from_noise", "x_t", "noise_pred"),
    Rejects("reverse_mean_from_noise", "no signal left",
            given(x_t=zeros(2, 3), noise_pred=zeros(2, 3), t=[2, 4], alpha_bar=TO_NOISE), blames="alpha_bar"),
    # A learned variance.
    Agree("interpolated_log_variance", "regular", given(v=V, t=TIMES, alpha_bar=SCHEDULE)),
    Agree("interpolated_log_variance", "images", given(v=uniform(2, 3, 4, 5, low=-1.0), t=[3, 2], alpha_bar=SCHEDULE)),
    Agree("interpolated_log_variance", "all steps, beyond the ends", given(v=normal(6, 3, scale=3.0), t=ALL, alpha_bar=SCHEDULE),
          differentiate=("v",)),
    Agree("interpolated_log_variance", "the ends and the middle, from noise alone",
          given(v=[[-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]], t=[4, 2], alpha_bar=TO_NOISE)),
    Anchor(
        "interpolated_log_variance", "between 9/28 and 3/4, and beyond",
        given(v=[[-1.0, 0.0, 1.0, 3.0], [-1.0, 0.0, 1.0, 3.0]], t=[2, 1], alpha_bar=RATIOS),
        gives=[[-1.1349799328389847, -0.7113310026453827, -0.2876820724517809, 0.5596157879354229],
               [-1.1349799328389847, -1.078315590185483, -1.0216512475319814, -0.9083225622249782]],
        source="by hand: log(9/28) and log(3/4); log(9/28) and log(0.36)",
        near_misses={
            "variances interpolated": [[-1.1349799328389847, -0.6241543090729939, -0.2876820724517809, 0.16430305129127634],
                                       [-1.1349799328389847, -1.0767110247150087, -1.0216512475319814, -0.9198685532220392]],
            "v for (v + 1)/2": [[-1.9822777932261886, -1.1349799328389847, -0.2876820724517809, 1.4069136483226266],
                                [-1.2483086181459881, -1.1349799328389847, -1.0216512475319814, -0.7949938769179747]],
            "ends exchanged": [[-0.2876820724517809, -0.7113310026453827, -1.1349799328389847, -1.9822777932261886],
                               [-1.0216512475319814, -1.078315590185483, -1.1349799328389847, -1.2483086181459881]],
            "clipped at the ends": [[-1.1349799328389847, -0.7113310026453827, -0.2876820724517809, -0.2876820724517809],
                                    [-1.1349799328389847, -1.078315590185483, -1.0216512475319814, -1.0216512475319814]],
        },
    ),
    Law.equal("its ends are the two fixed variances", given(t=ALL),
              left=lambda f, t: np.stack([f.interpolated_log_variance(sign + 0.0 * t, t, SCHEDULE) for sign in (-1.0, 1.0)]),
              right=lambda f, t: np.stack([f.reverse_log_variance(t, SCHEDULE, variance=name) for name in ("small", "large")])),
    Law.equal("a straight line in v", given(v=V, t=TIMES),
              left=lambda f, v, t: f.interpolated_log_variance(v, t, SCHEDULE) + f.interpolated_log_variance(-v, t, SCHEDULE),
              right=lambda f, v, t: 2 * f.interpolated_log_variance(0 * v, t, SCHEDULE)),
    *rejects("interpolated_log_variance", "v"),
    Rejects("interpolated_log_variance", "small without a second step", given(v=zeros(2, 3), t=[1, 1], alpha_bar=ONE),
            blames="alpha_bar"),
)  # fmt: skip
