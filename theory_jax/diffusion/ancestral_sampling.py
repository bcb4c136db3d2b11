"""Ancestral sampling: from noise back to data, one step of the reverse process after the other.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_positive,
    require_rank,
    require_same_shape,
    require_schedule,
    require_share,
    require_timesteps,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation
from theory_jax.diffusion._arguments import require_clip, require_noises, require_signal, require_variance
from theory_jax.diffusion._gaussian_data import best_noise, noised_variance
from theory_jax.diffusion._schedules import STEPS, schedule
from theory_jax.diffusion.forward_process import forward_from, forward_sample, forward_step
from theory_jax.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.diffusion.parameterizations import x0_from_noise
from theory_jax.diffusion.reverse_process import (
    posterior_log_variance,
    posterior_mean,
    reverse_log_variance,
    reverse_mean_from_noise,
)
from theory_jax.levels import beta_at, per_example, share_of_noise


def ddpm_step(x_t, noise_pred, noise, t, alpha_bar, *, variance="large", clip=None):
    r"""x_(t-1) = mu~_t(x_0^, x_t) + sigma_t noise: the posterior mean at the predicted data, and fresh noise; none at t = 1.

    x_0^ = (x_t - sqrt(1 - a_t) noise_pred)/sqrt(a_t), clipped to [-clip, clip] if clip is given.  sigma_t^2 is beta_t ("large")
    or beta~_t ("small").
    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, a_t = 0 (the noise does not
    tell the data there), variance is another word, or clip is not positive.
    Source: Ho et al. 2020, algorithm 2 and eq. 11.
    [B, ...], [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise_pred=noise_pred, noise=noise)
    require_timesteps(alpha_bar, x_t, t=t)
    _require_choices(variance, clip)
    if clip is None:
        mean = reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar)
    else:
        x0 = jnp.clip(x0_from_noise(x_t, noise_pred, t, alpha_bar), -clip, clip)
        mean = posterior_mean(x0, x_t, t, alpha_bar)
    return mean + per_example(_deviation(t, alpha_bar, variance), noise) * noise


def ddpm_sample(x_T, noises, denoise_fn, alpha_bar, *, variance="large", clip=None):
    r"""x_0 at the end of the chain x_T -> x_(T-1) -> ... -> x_0 of ddpm_steps, with noises[t-1] at level t.

    denoise_fn(x, t) predicts the noise in x: [B, ...] at the levels t: [B].  noises[0] has no part in the result.
    Raises ValueError if noises is not one array like x_T for each level, alpha_bar is no schedule or ends at 0 (no noise tells
    the data there), variance is another word, or clip is not positive.
    Source: Ho et al. 2020, algorithm 2.
    [B, ...], [T, B, ...], [T+1] -> [B, ...]
    """
    require_schedule(alpha_bar)
    _require_choices(variance, clip)
    levels = jnp.shape(alpha_bar)[0] - 1
    require_noises(x_T, noises, levels, "levels")
    require_signal("alpha_bar", alpha_bar)

    def step(x, at):
        level, noise = at
        t = jnp.full(x.shape[0], level)
        return ddpm_step(x, denoise_fn(x, t), noise, t, alpha_bar, variance=variance, clip=clip), None

    # compiled once for all levels, however many there are
    return jax.lax.scan(step, x_T, (jnp.arange(1, levels + 1), noises), reverse=True)[0]


def respaced_alpha_bar(alpha_bar, timesteps):
    r"""(1, a_(t_1), ..., a_(t_S)): the schedule of a chain of S steps that visits only the given levels, t_1 < ... < t_S.

    Its marginals are those of the long chain at these levels; its betas are larger, 1 - a_(t_i)/a_(t_(i-1)).
    Raises ValueError if timesteps are not increasing integers in 1..T, at least one, or alpha_bar is no schedule.
    Source: Nichol & Dhariwal 2021, section 4.
    [T+1], [S] -> [S+1]
    """
    require_timesteps(alpha_bar, timesteps=timesteps)
    require(jnp.shape(timesteps)[0] >= 1, "timesteps is empty; a chain has at least one step")
    require_values("timesteps", timesteps, lambda t: np.append(True, t[1:] > t[:-1]), "above the one before it")
    return jnp.concatenate([alpha_bar[:1], jnp.take(alpha_bar, widened(timesteps), mode="clip")])


def dynamic_threshold(x0_pred, *, quantile=0.995, minimum=1.0):
    r"""clip(x_0^, -s, s)/s with s = max(minimum, the quantile of |x_0^| over all entries of the example).

    Between two entries the quantile is interpolated linearly.  Where a prediction leaves the range of the data as a whole it is
    scaled back into it, not cut off; a few outliers alone are cut off.
    Raises ValueError unless quantile is in [0, 1] and minimum is positive.  Source: Saharia et al. 2022, section 2.3.
    [B, ...] -> [B, ...]
    """
    require_share(quantile=quantile)
    require_positive(minimum=minimum)
    magnitudes = jnp.sort(jax.lax.collapse(jnp.abs(x0_pred), 1), axis=1)
    # in Python's floats: the place among a million entries is not a number of float32
    place = quantile * (magnitudes.shape[1] - 1)
    below = math.floor(place)
    above = min(below + 1, magnitudes.shape[1] - 1)
    scale = magnitudes[:, below] + (place - below) * (magnitudes[:, above] - magnitudes[:, below])
    scale = per_example(jnp.maximum(scale, minimum), x0_pred)
    return jnp.clip(x0_pred, -scale, scale) / scale


def gaussian_sampling_variance(variance_data, alpha_bar, *, variance="large"):
    r"""Var(x_0) of what ddpm_sample makes of white noise, in each dimension, for data N(0, c) and the best prediction.

    The best prediction of the noise is sqrt(1 - a_t) x_t/V_t, V_t = 1 - a_t + a_t c.  With it a step is linear, and from v_T = 1
    v_(t-1) = (a_t/a_(t-1)) (V_(t-1)/V_t)^2 v_t + sigma_t^2, without the last term at t = 1.
    Raises ValueError if variance_data is negative somewhere, alpha_bar is no schedule, or variance is another word than "large"
    or "small".  Source: the moments of Ho et al. 2020, algorithm 2; on the variance that would be best, Bao et al. 2022.
    [D], [T+1] -> [D]
    """
    require_schedule(alpha_bar)
    require_rank(1, variance_data=variance_data)
    require_values("variance_data", variance_data, lambda c: c >= 0, "at least 0")
    _require_choices(variance, None)
    levels = jnp.arange(1, jnp.shape(alpha_bar)[0])
    added = _deviation(levels, alpha_bar, variance) ** 2

    def step(v, at):
        a_t, a_prev, sigma_squared = at
        slope_squared = a_t / a_prev * (noised_variance(variance_data, a_prev) / noised_variance(variance_data, a_t)) ** 2
        return (slope_squared * v + sigma_squared).astype(v.dtype), None

    start = jnp.ones_like(variance_data)
    return jax.lax.scan(step, start, (alpha_bar[1:], alpha_bar[:-1], added), reverse=True)[0]


def _deviation(t, alpha_bar, variance):
    """sigma_t, [B]: the root of beta_t or of beta~_t, and 0 at t = 1, where it has no slope either."""
    t = widened(t)
    first = t == 1
    squared = beta_at(t, alpha_bar)
    if variance == "small":
        squared = squared * share_of_noise(t, alpha_bar)
    return jnp.where(first, 0.0, jnp.sqrt(jnp.where(first, 1.0, squared)))


def _require_choices(variance, clip):
    require_variance(variance)
    require_clip(clip)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Ancestral sampling: the reverse process, walked",
    lectures=(31, 32),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, algorithm 2 and eq. 11",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, section 4",
        "Bao, Li, Zhu & Zhang 2022, Analytic-DPM",
        "Saharia et al. 2022, Photorealistic Text-to-Image Diffusion Models (Imagen), section 2.3",
    ),
)

_TIMES = np.arange(1, STEPS + 1)
_BOTH = ("large", "small")


def _linear_schedule(steps):
    """Ho's betas, stretched over fewer steps: 0.1/T .. 20/T, so that always about the same share of the data is left."""
    return linear_alpha_bar(num_steps=steps, beta_start=0.1 / steps, beta_end=20 / steps)


@derivation.numeric(
    r"x_0 \text{ known}: \quad c_0 + c_t \sqrt{\bar\alpha_t} = \sqrt{\bar\alpha_{t-1}}, \qquad"
    r" c_t^2 (1 - \bar\alpha_t) + \tilde\beta_t = 1 - \bar\alpha_{t-1} \qquad (t = 1 .. T)",
    because="Let the predicted noise be the true one. Then a step takes sqrt(a_t) x_0 + sqrt(1 - a_t) noise to a value with the "
    "mean of level t-1, and what it keeps of the old noise and adds of new is the variance of level t-1: with the variance "
    "beta~ the chain walks through the very distributions that the forward process made. All that sampling adds to this is "
    "that the noise must be guessed.",
)
def known_data_keep_the_marginals():
    alpha_bar, one, zero = schedule(), jnp.ones(STEPS), jnp.zeros(STEPS)

    def step(x0, old_noise, new_noise):
        x_t = forward_sample(x0, _TIMES, old_noise, alpha_bar)
        return ddpm_step(x_t, old_noise, new_noise, _TIMES, alpha_bar, variance="small")

    # the step is linear: its answers to one source at a time are its coefficients
    signal, kept, added = step(one, zero, zero), step(zero, one, zero), step(zero, zero, one)
    before = alpha_bar[_TIMES - 1]
    return jnp.stack([signal, kept**2 + added**2]), jnp.stack([jnp.sqrt(before), 1 - before])


@derivation.numeric(
    r"\tilde\mu_t\Big(\frac{x_t - \sqrt{1 - \bar\alpha_t}\, \hat\epsilon}{\sqrt{\bar\alpha_t}}, x_t\Big) = \frac{1}{\sqrt{1 -"
    r" \beta_t}} \Big( x_t - \frac{\beta_t}{\sqrt{1 - \bar\alpha_t}} \hat\epsilon \Big)",
    because="The step may be taken through the predicted data or straight from the predicted noise; the two differ only once "
    "the predicted data are clipped, and a clip beyond them changes nothing. Clipping is what the data's own range is used for: "
    "a wrong guess at a high noise level, divided by a small sqrt(a_t), would otherwise be far outside.",
)
def the_mean_without_clipping():
    x_t, noise_pred = jax.random.normal(jax.random.key(0), (2, STEPS, 3), dtype=float)
    through_the_data = ddpm_step(x_t, noise_pred, 0 * x_t, _TIMES, schedule(), clip=1e6)
    return through_the_data, reverse_mean_from_noise(x_t, noise_pred, _TIMES, schedule())


@derivation.bound(
    r"\mathrm{Var}(x_0) = c \in [0, 1]: \quad \tilde\beta_t \;\le\; \mathrm{Var}(x_{t-1} \mid x_t) ="
    r" \Big( \frac{1}{V_{t-1}} + \frac{1 - \beta_t}{\beta_t} \Big)^{-1} \;\le\; \beta_t",
    because="For Gaussian data the true step back is Gaussian: the precision of x_{t-1}, which has variance V_{t-1} = "
    "1 - a_{t-1} + a_{t-1} c, and that of the step to x_t add up. The small variance is right for data that do not vary, the "
    "large one for data of variance one; for all in between both are wrong, one too small and one too large.",
)
def the_right_variance_lies_between():
    alpha_bar, times = schedule(), _TIMES[1:]
    small, large = jnp.exp(posterior_log_variance(times, alpha_bar)), jnp.exp(reverse_log_variance(times, alpha_bar))

    def true(c):
        return 1 / (1 / noised_variance(c, alpha_bar[times - 1]) + (1 - large) / large)

    between = jnp.stack([true(c) for c in (0.0, 0.1, 0.4, 0.8, 1.0)])
    lower, upper = jnp.broadcast_to(small, between.shape), jnp.broadcast_to(large, between.shape)
    tight = (jnp.stack([true(0.0), true(1.0)]), jnp.stack([small, large]))
    return jnp.stack([lower, between]), jnp.stack([between, upper]), tight


@derivation.autodiff(
    r"x_0 = J_T x_T + \sum_t J_t z_t \;\Rightarrow\; J_T^2 + \sum_{t \ge 2} J_t^2 = v_0, \qquad"
    r" v_{t-1} = \frac{\bar\alpha_t}{\bar\alpha_{t-1}} \Big( \frac{V_{t-1}}{V_t} \Big)^2 v_t + \sigma_t^2, \; v_T = 1",
    because="With the best guess for Gaussian data, sqrt(1 - a_t) x_t/V_t, every step is linear, so the sample is a linear map "
    "of the noises, and its variance the sum of the map's squared entries. Step by step the same sum is a recursion for one "
    "number: the error of the whole sampler without training anything and without drawing anything.",
)
def the_variance_of_a_sample():
    alpha_bar, c = schedule(), jnp.array([0.0, 0.1, 0.5, 1.0, 3.0])
    rows = []
    for variance in _BOTH:

        def sample(x_T, noises, variance=variance):
            return ddpm_sample(x_T[None], noises[:, None], best_noise(c, alpha_bar), alpha_bar, variance=variance)[0].sum()

        zeros = jnp.zeros((STEPS, 5))
        of_start, of_noises = jax.grad(sample, argnums=(0, 1))(zeros[0], zeros)
        rows.append(of_start**2 + jnp.sum(of_noises**2, axis=0))
    return jnp.stack(rows), jnp.stack([gaussian_sampling_variance(c, alpha_bar, variance=variance) for variance in _BOTH])


@derivation.bound(
    r"T' > T: \quad |v_0(T') - c| \;\le\; |v_0(T) - c|, \qquad v_0(T) - c = O(1/T)",
    tolerance=1e-4,
    since="the limit is extrapolated from T = 2000 and 4000, which leaves terms of order 1/T^2",
    because="A step's variance is wrong by at most beta - beta~, of order 1/T^2 where much noise is left, and there are T of "
    "them: the more steps, the better both variances. The small one gives samples that vary too little, the large one (for data "
    "of variance below one) too much; the extrapolation to infinitely many steps gives the data's own variance.",
)
def more_steps_make_the_variance_right():
    c = jnp.array([0.05, 0.3, 0.7])
    found = {
        steps: jnp.stack([gaussian_sampling_variance(c, _linear_schedule(steps), variance=v) for v in _BOTH])
        for steps in (50, 100, 1000, 2000, 4000)
    }
    error = [jnp.abs(found[steps] - c) for steps in (50, 100, 1000)]
    return jnp.stack(error[1:]), jnp.stack(error[:-1]), (2 * found[4000] - found[2000], jnp.stack([c, c]))


@derivation.monte_carlo(
    r"\mathrm{E}\, x_0^2 = v_0 \qquad (40{,}000 \text{ chains of } T = 12 \text{ steps})",
    because="The same with the noises drawn. The distance of v_0 from the data's variance c is not the fault of the draws.",
)
def chains_are_as_variable_as_computed():
    alpha_bar, c = schedule(), jnp.array([0.1, 0.5, 3.0])
    start, *noises = jax.random.normal(jax.random.key(7), (STEPS + 1, 40_000, 3), dtype=float)
    samples = ddpm_sample(start, jnp.stack(noises), best_noise(c, alpha_bar), alpha_bar, variance="small")
    return samples**2, gaussian_sampling_variance(c, alpha_bar, variance="small")


@derivation.numeric(
    r"c = 1, \; \sigma_t^2 = \beta_t: \quad v_0 = 1 - \beta_1 \qquad \text{for every schedule}",
    because="Data of variance one never change their law, and a step back with variance beta is a step forward: v stays 1 down "
    "to level 1. The last step adds no noise, and just that is missing: the price of showing the mean, and not a draw, whose "
    "noise would be seen.",
)
def the_last_noise_is_missing():
    schedules = (schedule(), _linear_schedule(100), jnp.array([1.0, 0.3]))
    found = [gaussian_sampling_variance(jnp.ones(1), schedule, variance="large")[0] for schedule in schedules]
    return jnp.stack(found), jnp.stack([schedule[1] for schedule in schedules])


@derivation.numeric(
    r"\bar\alpha' = (1, \bar\alpha_{t_1}, .., \bar\alpha_{t_S}) \;\Rightarrow\; \beta'_i = 1 -"
    r" \frac{\bar\alpha_{t_i}}{\bar\alpha_{t_{i-1}}}, \qquad q'(x_i \mid x_{i-1}) = q(x_{t_i} \mid x_{t_{i-1}})",
    because="Levels, not betas, are what the network was trained on. A chain that visits a few of them is the diffusion of a "
    "shorter schedule, one whose single step is the long chain's jump: same marginals, larger betas. Everything said above holds "
    "for it; the long chain's betas, used for long strides, would not lead from level to level.",
)
def a_shorter_chain_with_the_same_marginals():
    alpha_bar, levels = schedule(), np.array([2, 3, 7, 12])
    short, i = respaced_alpha_bar(alpha_bar, levels), np.arange(1, 5)
    x, noise = jax.random.normal(jax.random.key(1), (2, 4, 3), dtype=float)
    steps = [forward_step(x, i, noise, short), forward_sample(x, i, noise, short)]
    before = np.array([0, 2, 3, 7])
    jumps = [forward_from(x, before, levels, noise, alpha_bar), forward_sample(x, levels, noise, alpha_bar)]
    betas = 1 - alpha_bar[levels] / alpha_bar[before]
    return [*steps, jnp.exp(reverse_log_variance(i, short))[:, None] + 0 * x], [*jumps, betas[:, None] + 0 * x]


@derivation.bound(
    r"\Big| \frac{\mathrm{clip}(\hat{x}_0, -s, s)}{s} \Big| \;\le\; 1, \qquad s = \max(1, q_p(|\hat{x}_0|))",
    because="A prediction far outside the range of the data, as strong guidance gives, is first cut at s and then divided by it: "
    "always inside [-1, 1], the largest entries at the ends. Plain clipping would set many entries to the ends and flatten the "
    "picture.",
)
def thresholded_predictions_lie_inside():
    x0 = jax.random.normal(jax.random.key(2), (4, 3, 5), dtype=float) * jnp.array([0.1, 1.0, 5.0, 100.0])[:, None, None]
    inside = jnp.abs(dynamic_threshold(x0, quantile=0.9))
    ends = jnp.max(inside[2:], axis=(1, 2))
    return inside, jnp.ones_like(inside), (ends, jnp.ones(2))


@derivation.numeric(
    r"|\hat{x}_0| \le 1 \;\Rightarrow\; \frac{\mathrm{clip}(\hat{x}_0, -s, s)}{s} = \hat{x}_0",
    because="The scale is never below 1: a prediction that lies inside already is left alone, also one that fills little of the "
    "range.",
)
def predictions_inside_are_left_alone():
    x0 = jax.random.uniform(jax.random.key(3), (4, 3, 5), minval=-1.0, maxval=1.0, dtype=float)
    x0 = x0 * jnp.array([0.01, 0.3, 0.9, 1.0])[:, None, None]
    return dynamic_threshold(x0), jnp.where(jnp.abs(x0) <= 1, x0, jnp.nan)


if __name__ == "__main__":
    derivation.main()
