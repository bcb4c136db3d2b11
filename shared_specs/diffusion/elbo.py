"""Contracts of the ELBO of a diffusion model (lecture 26)."""

import numpy as np

from shared_specs.diffusion._cases import BY_FOUR, ONE, SCHEDULE, TO_NOISE, guess, half, noisy, rejects_schedules
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, concatenate, given, normal, uniform, zeros

TIMES = np.array([3, 6, 3, 4, 5])  # at t = 2 and above; where the schedule's first entry has no part, from t = 3 on
SHARES = (1 - SCHEDULE[TIMES - 1]) / (1 - SCHEDULE[TIMES])  # of the small variance in the large one
CLEAN, NOISY, GUESS = [[1.0, -2.0], [3.0, 0.5]], [[0.5, 1.0], [-1.0, 2.0]], [[-1.0, 1.0], [0.5, 0.0]]
GRID = np.array([[0, 4, 9, 16, 15], [8, 16, 1, 0, 10], [12, 7, 16, 11, 0]]) / 8 - 1  # of 17 values
BYTES = np.array([[0, 255, 128, 17, 1], [254, 3, 64, 255, 200], [128, 128, 128, 128, 128]]) * 2 / 255 - 1
IMAGE = np.array([0, 3, 5, 16, 8, 15, 1, 12, 9, 16, 0, 2, 7, 4, 10, 13, 6, 11, 14, 1, 2, 0, 16, 5]).reshape(2, 3, 2, 2) / 8 - 1
PAIR, DRAWS = [[-1.0, 0.5], [0.0, 1.0]], [[[0.5, -1.0], [1.0, 0.25]], [[-1.0, 0.5], [1.5, 0.0]], [[0.25, 2.0], [-0.5, 1.0]]]


def divergences(f, q, p):
    """KL of two rows of Gaussians, as the function gives it."""
    return f.gaussian_kl(*q, *p)


SPEC = (
    # Two Gaussians.
    Agree("gaussian_kl", "regular",
          given(mean_q=normal(5, 3), log_var_q=normal(5, 3), mean_p=normal(5, 3), log_var_p=normal(5, 3))),
    Agree("gaussian_kl", "images", given(**dict.fromkeys(("mean_q", "log_var_q", "mean_p", "log_var_p"), normal(2, 3, 4, 5)))),
    Agree("gaussian_kl", "log-variances of 20",
          given(mean_q=normal(5, 3), log_var_q=[[20.0] * 3, [-20.0] * 3, [20.0] * 3, [-20.0] * 3, [20.0, 0.0, -20.0]],
                mean_p=normal(5, 3), log_var_p=[[20.0] * 3, [20.0] * 3, [-20.0] * 3, [-20.0] * 3, [0.0, 20.0, 20.0]]),
          edge="a divergence of 1e-9 between terms of order 1"),
    Anchor(
        "gaussian_kl", "variance 4 and mean 2 against the standard normal",
        given(mean_q=[[1.0, 0.0, 2.0]], log_var_q=[[2 * LOG_2, 0.0, 0.0]], mean_p=zeros(1, 3), log_var_p=zeros(1, 3)),
        gives=[3.3068528194400546], source="by hand: 2 - log 2, and 2",
        near_misses={"reversed": [2.4431471805599454], "the half forgotten": [6.613705638880109],
                     "the mean over dimensions": [1.1022842731466849], "log-variance for log-deviation": [2.8068528194400546]},
    ),
    Law.at_least("Gibbs", given(q=(normal(5, 3), normal(5, 3)), p=(normal(5, 3), normal(5, 3))), left=divergences, right=0.0),
    Law.equal("nothing between a Gaussian and itself", given(q=(normal(5, 3), normal(5, 3))),
              left=lambda f, q: divergences(f, q, q), right=0.0),
    Rejects("gaussian_kl", "a log-variance for each example", given(mean_q=zeros(2, 3), log_var_q=zeros(2), mean_p=zeros(2, 3),
                                                                    log_var_p=zeros(2, 3)), blames="log_var_q"),
    Rejects("gaussian_kl", "means of other shapes", given(mean_q=zeros(2, 3), log_var_q=zeros(2, 3), mean_p=zeros(2, 4),
                                                          log_var_p=zeros(2, 3)), blames="mean_p"),
    Rejects("gaussian_kl", "variances of other shapes", given(mean_q=zeros(2, 3), log_var_q=zeros(2, 3), mean_p=zeros(2, 3),
                                                              log_var_p=zeros(3, 2)), blames="log_var_p"),
    # The prior.
    Agree("prior_kl", "regular", given(x0=normal(5, 3), alpha_bar=SCHEDULE)),
    Agree("prior_kl", "images", given(x0=normal(2, 3, 4, 5), alpha_bar=SCHEDULE)),
    Agree("prior_kl", "numbers, one step", given(x0=normal(4), alpha_bar=[1.0, 0.36])),
    Agree("prior_kl", "nothing is left", given(x0=normal(5, 3), alpha_bar=TO_NOISE), differentiate=("x0",)),
    Agree("prior_kl", "nearly nothing is left", given(x0=normal(5, 3), alpha_bar=[1.0, 0.5, 4e-5])),
    Anchor(
        "prior_kl", "a level of 0.36", given(x0=[[1.0, 2.0], [-3.0, 0.5]], alpha_bar=[1.0, 0.64, 0.36]),
        gives=[0.9862871026284196, 1.7512871026284196], source="by hand: 0.18 |x|^2 - 0.36 - log 0.64",
        near_misses={
            "the mean over dimensions": [0.4931435513142098, 0.8756435513142098],
            "the half forgotten": [1.9725742052568391, 3.502574205256839],
            "one step early": [1.9816512475319814, 3.3416512475319813], "the means alone": [0.9, 1.665],
            "the root of the level": [1.816290731874155, 3.091290731874155], "reversed": [1.5224628973715806, 2.7177753973715806],
        },
    ),
    Law.equal("the divergence of the forward marginal", given(x0=normal(5, 3)),
              left=lambda f, x0: f.prior_kl(x0, SCHEDULE),
              right=lambda f, x0: f.gaussian_kl(np.sqrt(0.1) * x0, np.full((5, 3), np.log(0.9)), 0 * x0, 0 * x0)),
    Law.equal("a schedule that ends in noise tells nothing, to the last bit", given(x0=normal(5, 3)),
              left=lambda f, x0: f.prior_kl(x0, TO_NOISE) == 0, right=True),
    *rejects_schedules("prior_kl", {"x0": zeros(2, 3)}),
    # A step.
    Agree("denoising_kl", "regular",
          given(x0=normal(5, 3), x_t=normal(5, 3), t=TIMES, noise_pred=normal(5, 3), alpha_bar=SCHEDULE)),
    Agree("denoising_kl", "small",
          given(x0=normal(5, 3), x_t=normal(5, 3), t=TIMES, noise_pred=normal(5, 3), alpha_bar=SCHEDULE, variance="small")),
    Agree("denoising_kl", "images, from the second step on",
          given(x0=normal(2, 3, 4, 5), x_t=normal(2, 3, 4, 5), t=[2, 3], noise_pred=normal(2, 3, 4, 5), alpha_bar=SCHEDULE)),
    Anchor(
        "denoising_kl", "steps 2 and 3, large",
        given(x0=CLEAN, x_t=NOISY, t=[2, 3], noise_pred=GUESS, alpha_bar=BY_FOUR, variance="large"),
        gives=[4.131839797951041, 12.993025916357], source="mpmath, 60 digits",
        near_misses={
            "reversed": [9.483299993928416, 14.848748063069737],
            "the mean over dimensions": [2.0659198989755203, 6.4965129581785],
            "both variances large": [3.8559705089924083, 12.984494523732478],
            "both variances small": [8.997264520982286, 14.839422312837117],
        },
    ),
    Anchor("denoising_kl", "steps 2 and 3, small",
           given(x0=CLEAN, x_t=NOISY, t=[2, 3], noise_pred=GUESS, alpha_bar=BY_FOUR, variance="small"),
           gives=[8.997264520982286, 14.839422312837117], source="mpmath, 60 digits",
           near_misses={"large": [4.131839797951041, 12.993025916357]}),
    Law.equal("with the true noise and the small variance nothing is left", given(x0=normal(5, 3), noise=normal(5, 3)),
              left=lambda f, x0, noise: f.denoising_kl(x0, noisy(x0, noise, TIMES), TIMES, noise, SCHEDULE, variance="small"),
              right=0.0),
    Law.equal("with the true noise and the large variance the variances are left", given(x0=normal(5, 3), noise=normal(5, 3)),
              left=lambda f, x0, noise: f.denoising_kl(x0, noisy(x0, noise, TIMES), TIMES, noise, SCHEDULE),
              right=lambda f, x0, noise: 1.5 * (SHARES - 1 - np.log(SHARES))),
    Rejects("denoising_kl", "the first step is the decoder's",
            given(x0=zeros(2, 3), x_t=zeros(2, 3), t=[2, 1], noise_pred=zeros(2, 3), alpha_bar=SCHEDULE), blames="t is 1"),
    Rejects("denoising_kl", "after the last step",
            given(x0=zeros(2, 3), x_t=zeros(2, 3), t=[2, 7], noise_pred=zeros(2, 3), alpha_bar=SCHEDULE), blames="t is 7"),
    Rejects("denoising_kl", "no signal left",
            given(x0=zeros(2, 3), x_t=zeros(2, 3), t=[2, 4], noise_pred=zeros(2, 3), alpha_bar=TO_NOISE), blames="alpha_bar"),
    Rejects("denoising_kl", "x_t of another shape",
            given(x0=zeros(2, 3), x_t=zeros(2, 4), t=[2, 3], noise_pred=zeros(2, 3), alpha_bar=SCHEDULE), blames="x_t"),
    Rejects("denoising_kl", "a prediction of another shape",
            given(x0=zeros(2, 3), x_t=zeros(2, 3), t=[2, 3], noise_pred=zeros(3), alpha_bar=SCHEDULE), blames="noise_pred"),
    Rejects("denoising_kl", "a third variance", given(x0=zeros(2, 3), x_t=zeros(2, 3), t=[2, 3], noise_pred=zeros(2, 3),
                                                      alpha_bar=SCHEDULE, variance="learned"), blames="variance"),
    # The decoder.
    Agree("discretized_gaussian_log_prob", "images of 17 levels",
          given(x0=IMAGE, mean=normal(2, 3, 2, 2, scale=0.5), log_var=uniform(2, 3, 2, 2, low=-5.0, high=1.0), num_levels=17),
          differentiate=("mean", "log_var")),
    Agree("discretized_gaussian_log_prob", "images of 17 levels, narrow and wide",
          given(x0=IMAGE, mean=normal(2, 3, 2, 2, scale=0.5), log_var=uniform(2, 3, 2, 2, low=-14.0, high=3.0), num_levels=17),
          differentiate=("mean", "log_var")),
    Agree("discretized_gaussian_log_prob", "256 levels",
          given(x0=BYTES, mean=uniform(3, 5, low=-1.2, high=1.2), log_var=uniform(3, 5, low=-8.0, high=0.0)),
          differentiate=("mean", "log_var")),
    # the last row: tails at 26.5 to 26.7 roots of 2, where one library's scaled erfc is zero
    Agree("discretized_gaussian_log_prob", "256 levels, the mean at the other end, deviations of 0.001",
          given(x0=BYTES, mean=concatenate(-BYTES[:2], [[0.6954, 0.6961, 0.6965, 0.6971, 0.6976]]),
                log_var=concatenate(np.linspace(-14.0, -11.0, 10).reshape(2, 5), np.full((1, 5), -8.0))),
          differentiate=("mean", "log_var"),
          edge="libraries take the logarithm of a difference of probabilities, which is 0 this far out"),
    Anchor(
        "discretized_gaussian_log_prob", "five levels",
        given(x0=[[-1.0, 0.0, 1.0], [0.0, 1.0, -1.0]], mean=[[0.25, -0.5, 0.5], [0.125, -1.0, -1.5]],
              log_var=[[-1.0, 0.0, -2.0], [-3.0, 1.0, 0.0]], num_levels=5),
        gives=[-6.141356686997584, -2.5998114118703315], source="mpmath, 60 digits",
        near_misses={
            "half a cell is 1/num_levels": [-6.715308889705131, -2.842991245522799],
            "the whole cell to both sides": [-3.992441895319759, -1.9296491707616577],
            "outer cells closed": [-6.37360278574093, -4.997526176627222],
            "the density times the width": [-6.508546832143814, -4.853934280849143],
            "log_var for the log-deviation": [-10.8954596268303, -1.6106643855399208],
            "the mean over dimensions": [-2.0471188956658612, -0.8666038039567772],
        },
    ),
    Anchor(
        "discretized_gaussian_log_prob", "the mean at the opposite end",
        given(x0=[-1.0, 1.0, -253 / 255], mean=[1.0, -1.0, 1.0], log_var=[-7.0, -7.0, -7.0]),
        gives=[-2189.784056614460563, -2189.784056614460563, -2172.6454918566325], source="mpmath, 400 digits",
        near_misses={"clamped at 1e-12": [-27.631021115928547] * 3, "underflow": [-np.inf] * 3,
                     "the density times the width": [-2195.5333717547207, -2195.5333717547207, -2178.3650125808616]},
    ),
    Law.normalized("the values of 17 levels, for every mean and variance",
                   given(mean=np.array([-1.5, -0.3, 0.01, 1.0]), log_var=np.array([-9.0, -3.0, 0.5, -6.0])),
                   total=lambda f, mean, log_var: sum(np.exp(f.discretized_gaussian_log_prob(
                       np.full(4, k / 8 - 1), mean, log_var, num_levels=17)) for k in range(17))),
    Law.equal("mirrored data and means", given(mean=normal(3, 5, scale=0.5), log_var=uniform(3, 5, low=-6.0, high=1.0)),
              left=lambda f, mean, log_var: f.discretized_gaussian_log_prob(GRID, mean, log_var, num_levels=17),
              right=lambda f, mean, log_var: f.discretized_gaussian_log_prob(-GRID, -mean, log_var, num_levels=17)),
    Law.at_least("never more than certain", given(mean=normal(3, 5, scale=0.5), log_var=uniform(3, 5, low=-14.0, high=1.0)),
                 left=0.0, right=lambda f, mean, log_var: f.discretized_gaussian_log_prob(GRID, mean, log_var, num_levels=17)),
    Rejects("discretized_gaussian_log_prob", "off the grid", given(x0=[[0.0, 0.01]], mean=zeros(1, 2), log_var=zeros(1, 2),
                                                                   num_levels=17), blames="x0"),
    Rejects("discretized_gaussian_log_prob", "pixels from 0 to 255",
            given(x0=[[1.0, 255.0]], mean=zeros(1, 2), log_var=zeros(1, 2)), blames="x0"),
    Rejects("discretized_gaussian_log_prob", "one level", given(x0=[[-1.0]], mean=zeros(1, 1), log_var=zeros(1, 1), num_levels=1),
            blames="num_levels"),
    Rejects("discretized_gaussian_log_prob", "a mean of another shape",
            given(x0=[[-1.0, 1.0]], mean=zeros(1, 3), log_var=zeros(1, 2)), blames="mean"),
    Rejects("discretized_gaussian_log_prob", "a variance for each example",
            given(x0=[[-1.0, 1.0]], mean=zeros(1, 2), log_var=zeros(1)), blames="log_var"),
    # The terms.
    Agree("elbo_terms", "images, small",
          given(x0=IMAGE, noises=normal(3, 2, 3, 2, 2), denoise_fn=guess, alpha_bar=BY_FOUR, variance="small", num_levels=17),
          differentiate=("noises",)),
    Agree("elbo_terms", "one step, 256 levels", given(x0=BYTES, noises=normal(1, 3, 5), denoise_fn=guess, alpha_bar=ONE),
          differentiate=("noises",)),
    Anchor(
        "elbo_terms", "three steps, large", given(x0=PAIR, noises=DRAWS, denoise_fn=guess, alpha_bar=BY_FOUR, num_levels=5),
        gives=[[2.8460077590976387, 1.6629397842584708, 2.208870255648383, 0.025821994520255128],
               [2.021512341870816, 2.0696598951793663, 0.9821363207737923, 0.02082199452025513]], source="mpmath, 40 digits",
        near_misses={
            "the sign of the decoder": [[-2.8460077590976387, 1.6629397842584708, 2.208870255648383, 0.0258219945202551],
                                        [-2.021512341870816, 2.0696598951793663, 0.9821363207737923, 0.0208219945202551]],
            "the prior first": [[0.0258219945202551, 2.8460077590976387, 1.6629397842584708, 2.208870255648383],
                                [0.0208219945202551, 2.021512341870816, 2.0696598951793663, 0.9821363207737923]],
            "small": [[2.897550359531959, 3.23649782236629, 2.5146729863129833, 0.0258219945202551],
                      [2.0039092701592023, 4.185511414515046, 1.1126913464563082, 0.0208219945202551]],
        },
    ),
    Anchor(
        "elbo_terms", "three steps, small",
        given(x0=PAIR, noises=DRAWS, denoise_fn=guess, alpha_bar=BY_FOUR, variance="small", num_levels=5),
        gives=[[2.897550359531959, 3.23649782236629, 2.5146729863129833, 0.025821994520255128],
               [2.0039092701592023, 4.185511414515046, 1.1126913464563082, 0.02082199452025513]], source="mpmath, 40 digits",
    ),
    Law.equal("column t - 1 is the divergence at t, with noises[t - 1]", given(noises=normal(3, 3, 5), t=np.array([2, 2, 2])),
              left=lambda f, noises, t: f.elbo_terms(GRID, noises, guess, BY_FOUR, num_levels=17)[:, 1],
              right=lambda f, noises, t: (lambda x_t: f.denoising_kl(GRID, x_t, t, guess(x_t, t), BY_FOUR))(
                  0.4 * GRID + np.sqrt(0.84) * noises[1])),
    Law.equal("the last column is the prior's", given(noises=normal(3, 3, 5)),
              left=lambda f, noises: f.elbo_terms(GRID, noises, guess, BY_FOUR, num_levels=17)[:, -1],
              right=lambda f, noises: f.prior_kl(GRID, BY_FOUR)),
    Law.equal("the first column is the decoder's", given(noises=normal(3, 3, 5)),
              left=lambda f, noises: f.elbo_terms(GRID, noises, guess, BY_FOUR, num_levels=17)[:, 0],
              right=lambda f, noises: (lambda x: -f.discretized_gaussian_log_prob(
                  GRID, (x - 0.6 * guess(x, np.ones(3, int))) / 0.8, np.full((3, 5), np.log(0.36)), num_levels=17))(
                      0.8 * GRID + 0.6 * noises[0])),
    Law.equal("who knows the noise pays at both ends only", given(noise=np.full((3, 3, 5), 0.5)),
              left=lambda f, noise: f.elbo_terms(GRID, noise, half, BY_FOUR, variance="small", num_levels=17)[:, 1:-1],
              right=0.0),
    Rejects("elbo_terms", "a draw too few",
            given(x0=PAIR, noises=zeros(2, 2, 2), denoise_fn=guess, alpha_bar=BY_FOUR, num_levels=5), blames="noises"),
    Rejects("elbo_terms", "draws of another shape",
            given(x0=PAIR, noises=zeros(3, 2, 3), denoise_fn=guess, alpha_bar=BY_FOUR, num_levels=5), blames="noises"),
    Rejects("elbo_terms", "off the grid",
            given(x0=PAIR, noises=zeros(3, 2, 2), denoise_fn=guess, alpha_bar=BY_FOUR, num_levels=6), blames="x0"),
    Rejects("elbo_terms", "no signal left",
            given(x0=PAIR, noises=zeros(3, 2, 2), denoise_fn=guess, alpha_bar=[1.0, 0.6, 0.2, 0.0], num_levels=5),
            blames="alpha_bar"),
    Rejects("elbo_terms", "T entries: no 1 for the data",
            given(x0=PAIR, noises=zeros(3, 2, 2), denoise_fn=guess, alpha_bar=[0.9, 0.6, 0.4, 0.2], num_levels=5),
            blames="alpha_bar"),
    Rejects("elbo_terms", "a third variance",
            given(x0=PAIR, noises=zeros(3, 2, 2), denoise_fn=guess, alpha_bar=BY_FOUR, variance="learned", num_levels=5),
            blames="variance"),
)  # fmt: skip
