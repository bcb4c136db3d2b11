"""Contracts of diffusion as a stochastic differential equation (lecture 34)."""

import numpy as np

from shared_specs.diffusion._cases import IMAGES, PIXELS, X, Y, column
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, linspace, normal, uniform, zeros

TIMES = [0.0, 1.0, 0.5, 0.1, 0.75]
SIGMAS = {"sigma_min": 0.01, "sigma_max": 50.0}
LOG_4 = 2 * LOG_2
HALF_WAY = [0.5, 0.25]


def _lengths(x):
    return np.sqrt((x.reshape(len(x), -1) ** 2).sum(axis=1))


def _spread(f, steps, c, backward):
    """The variance of N(0, c) data after this many Euler steps with beta = log 4, from time 0 to 1 or back, exactly."""
    step, variance = 1 / steps, (3 + c) / 4 if backward else c
    for n in range(steps):
        t = np.array([1 - n * step if backward else n * step])
        one, none, dt = np.ones((1, 1)), np.zeros((1, 1)), np.array([-step if backward else step])
        drift, g = f.variance_preserving_sde(one, t, beta_min=LOG_4, beta_max=LOG_4)
        if backward:
            left = f.variance_preserving_alpha_bar(t, beta_min=LOG_4, beta_max=LOG_4)
            drift = f.reverse_drift(-one / (1 + (c - 1) * left), drift, g)
        factor = f.euler_maruyama_step(one, drift, g, none, dt)
        added = f.euler_maruyama_step(none, none, g, one, dt)
        variance = variance * factor[0, 0] ** 2 + added[0, 0] ** 2
    return variance


SPEC = (
    Agree("variance_preserving_alpha_bar", "defaults", given(time=TIMES)),
    Agree("variance_preserving_alpha_bar", "constant beta, a grid of times", given(
        time=uniform(4, 3), beta_min=2.0, beta_max=2.0)),
    Agree("variance_preserving_alpha_bar", "no noise at first", given(time=linspace(0, 1, 5), beta_min=0.0, beta_max=7.0)),
    Anchor("variance_preserving_alpha_bar", "beta from 1 to 3", given(time=[0.0, 0.5, 1.0], beta_min=1.0, beta_max=3.0),
           gives=[1.0, np.exp(-0.75), np.exp(-2.0)], source="t + t^2",
           near_misses={"t^2 without the half": [1.0, np.exp(-1.0), np.exp(-3.0)], "root": [1.0, np.exp(-0.375), np.exp(-1.0)],
                        "1 less it": [0.0, 1 - np.exp(-0.75), 1 - np.exp(-2.0)]}),
    Law.equal("its logarithm falls at the rate beta", given(x=X, time=TIMES),
              left=lambda f, x, time: -f.gradient("variance_preserving_alpha_bar", time) / f.variance_preserving_alpha_bar(time),
              right=lambda f, x, time: f.variance_preserving_sde(x, time)[1] ** 2),
    Rejects("variance_preserving_alpha_bar", "time 1.5", given(time=[0.5, 1.5]), blames="time"),
    Rejects("variance_preserving_alpha_bar", "betas exchanged", given(time=[0.5], beta_min=3.0, beta_max=1.0), blames="beta_min"),
    Agree("variance_preserving_sde", "defaults", given(x=X, time=TIMES)),
    Agree("variance_preserving_sde", "images", given(x=IMAGES, time=HALF_WAY, beta_min=1.0, beta_max=4.0)),
    Anchor("variance_preserving_sde", "beta from 1 to 7",
           given(x=[[4.0], [-2.0]], time=[0.5, 0.0], beta_min=1.0, beta_max=7.0),
           gives=([[-8.0], [1.0]], [2.0, 1.0]), source="beta 4 and 1",
           near_misses={"no half": ([[-16.0], [2.0]], [2.0, 1.0]), "beta, not its root": ([[-8.0], [1.0]], [4.0, 1.0]),
                        "sign": ([[8.0], [-1.0]], [2.0, 1.0])}),
    Rejects("variance_preserving_sde", "one time for all", given(x=zeros(3, 2), time=[0.5]), blames="time"),
    Rejects("variance_preserving_sde", "time -0.1", given(x=zeros(2, 2), time=[0.5, -0.1]), blames="time"),
    Rejects("variance_preserving_sde", "negative beta", given(x=zeros(1, 2), time=[0.5], beta_min=-1.0),
            blames="beta_min"),
    Agree("variance_exploding_sigma", "regular", given(time=TIMES, **SIGMAS)),
    Agree("variance_exploding_sigma", "constant", given(time=uniform(4, 3), sigma_min=2.0, sigma_max=2.0)),
    Anchor("variance_exploding_sigma", "from 1/2 to 8", given(time=[0.0, 0.5, 1.0], sigma_min=0.5, sigma_max=8.0),
           gives=[0.5, 2.0, 8.0], source="geometric",
           near_misses={"arithmetic": [0.5, 4.25, 8.0], "the variance": [0.25, 4.0, 64.0], "backward": [8.0, 2.0, 0.5]}),
    Rejects("variance_exploding_sigma", "ends exchanged", given(time=[0.5], sigma_min=3.0, sigma_max=1.0), blames="sigma_min"),
    Rejects("variance_exploding_sigma", "no noise at all", given(time=[0.5], sigma_min=0.0, sigma_max=1.0), blames="sigma_min"),
    Rejects("variance_exploding_sigma", "time 2", given(time=[2.0], **SIGMAS), blames="time"),
    # Backward.
    Agree("reverse_drift", "regular", given(score=X, drift=Y, diffusion=uniform(5, high=3.0))),
    Agree("reverse_drift", "images", given(score=IMAGES, drift=PIXELS, diffusion=[0.0, 2.0])),
    Anchor("reverse_drift", "g = 3", given(score=[[2.0, -1.0]], drift=[[1.0, 0.0]], diffusion=[3.0]), gives=[[-17.0, 9.0]],
           source="1 - 9 * 2", near_misses={"half, as in the flow": [[-8.0, 4.5]], "g for its square": [[-5.0, 3.0]],
                                            "plus": [[19.0, -9.0]]}),
    Rejects("reverse_drift", "shapes differ", given(score=zeros(3, 2), drift=zeros(3, 4), diffusion=zeros(3)), blames="drift"),
    Rejects("reverse_drift", "one diffusion for all", given(score=zeros(3, 2), drift=zeros(3, 2), diffusion=zeros(1)),
            blames="diffusion"),
    Agree("euler_maruyama_step", "forward and backward", given(
        x=X, drift=Y, diffusion=uniform(5, high=3.0), noise=normal(5, 3), step_size=[0.01, -0.01, 0.5, -1.0, 1e-4])),
    Agree("euler_maruyama_step", "images", given(
        x=IMAGES, drift=PIXELS, diffusion=[2.0, 0.0], noise=normal(2, 3, 4, 5), step_size=[0.1, -0.2])),
    Agree("euler_maruyama_step", "no step", given(x=X, drift=Y, diffusion=uniform(5), noise=normal(5, 3), step_size=zeros(5)),
          differentiate=("x", "drift", "noise")),
    Agree("euler_maruyama_step", "the slope of a step of length 0", given(
        x=X, drift=Y, diffusion=uniform(5), noise=normal(5, 3), step_size=zeros(5)), no_gradient="a root has no slope at 0"),
    Anchor("euler_maruyama_step", "a quarter forward, a quarter back",
           given(x=[[1.0], [1.0]], drift=[[4.0], [4.0]], diffusion=[2.0, 2.0], noise=[[3.0], [3.0]], step_size=[0.25, -0.25]),
           gives=[[5.0], [3.0]], source="1 +- 1 + 3",
           near_misses={"root of a negative number": [[5.0], [np.nan]], "noise scaled by the step": [[3.5], [1.5]],
                        "noise turned over": [[5.0], [-3.0]], "g squared": [[8.0], [6.0]]}),
    Law.limit("forward, the variance of the data turns to (3 + c)/4, with order one", given(),
              value=lambda f, h: _spread(f, round(1 / h), 4.0, False), at=(1 / 10, 1 / 20, 1 / 40), limit=1.75, order=1.0),
    Law.limit("and backward to c again", given(),
              value=lambda f, h: _spread(f, round(1 / h), 4.0, True), at=(1 / 20, 1 / 40, 1 / 80), limit=4.0, order=1.0),
    Rejects("euler_maruyama_step", "noise of another shape", given(
        x=zeros(3, 2), drift=zeros(3, 2), diffusion=zeros(3), noise=zeros(3, 4), step_size=zeros(3)), blames="noise"),
    Rejects("euler_maruyama_step", "one step for all", given(
        x=zeros(3, 2), drift=zeros(3, 2), diffusion=zeros(3), noise=zeros(3, 2), step_size=zeros(1)), blames="step_size"),
    Agree("langevin_corrector_step", "regular", given(x=X, score=Y, noise=normal(5, 3))),
    Agree("langevin_corrector_step", "images", given(x=IMAGES, score=PIXELS, noise=normal(2, 3, 4, 5), signal_to_noise=0.5)),
    Agree("langevin_corrector_step", "a weak score", given(x=X, score=normal(5, 3, scale=1e-4), noise=normal(5, 3))),
    Agree("langevin_corrector_step", "no noise", given(x=X, score=Y, noise=zeros(5, 3)),
          no_gradient="the length of the noise has a kink"),
    Anchor("langevin_corrector_step", "lengths 5 and 10", given(
        x=[[1.0, 0.0]], score=[[6.0, 8.0]], noise=[[3.0, -4.0]], signal_to_noise=0.5), gives=[[1 + 0.75 + 1.5, 1.0 - 2.0]],
           source="e = 1/8",
           near_misses={"e without the 2": [[1 + 0.375 + 1.5 / 2**0.5, 0.5 - 2 / 2**0.5]], "lengths exchanged": [[31.0, 8.0]],
                        "no noise": [[1.75, 1.0]], "root of e": [[1.75 + 1.5 / 2**0.5, 1.0 - 2 / 2**0.5]]}),
    Law.equal("the step of the score is as long as its noise, times the ratio", given(x=X, score=Y, noise=normal(5, 3)),
              left=lambda f, x, score, noise: _lengths(f.langevin_corrector_step(0 * x, score, noise)
                                                       + f.langevin_corrector_step(0 * x, score, -noise)),
              right=lambda f, x, score, noise: 0.16 * _lengths(
                  f.langevin_corrector_step(0 * x, score, noise) - f.langevin_corrector_step(0 * x, score, -noise))),
    Law.equal("each example has its own step", given(x=X, score=Y, noise=normal(5, 3)),
              left=lambda f, x, score, noise: f.langevin_corrector_step(x, column(np.arange(1.0, 6)) * score, noise)[:1],
              right=lambda f, x, score, noise: f.langevin_corrector_step(x[:1], score[:1], noise[:1])),
    Rejects("langevin_corrector_step", "a score of zero",
            given(x=zeros(2, 2), score=[[1.0, 0.0], [0.0, 0.0]], noise=zeros(2, 2)), blames="score"),
    Rejects("langevin_corrector_step", "ratio 0",
            given(x=zeros(2, 2), score=np.ones((2, 2)), noise=zeros(2, 2), signal_to_noise=0.0), blames="signal_to_noise"),
    Rejects("langevin_corrector_step", "shapes differ", given(x=zeros(2, 2), score=np.ones((2, 3)), noise=zeros(2, 2)),
            blames="score"),
)  # fmt: skip
