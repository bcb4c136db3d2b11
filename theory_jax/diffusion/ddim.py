"""Denoising diffusion implicit models: one trained network, a family of samplers, among them one without noise.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require_same_shape, require_timesteps, require_values
from theory_jax.derivation import Derivation
from theory_jax.diffusion._arguments import require_clip
from theory_jax.diffusion._jumps import require_eta, shares
from theory_jax.diffusion._schedules import quarter_turn
from theory_jax.diffusion.ancestral_sampling import ddpm_step
from theory_jax.diffusion.forward_process import forward_sample
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar, log_snr
from theory_jax.diffusion.parameterizations import x0_from_noise
from theory_jax.diffusion.reverse_process import posterior_log_variance, posterior_mean
from theory_jax.levels import level_at, per_example


def ddim_sigma(t, s, alpha_bar, *, eta):
    r"""sigma = eta sqrt((1 - a_s)/(1 - a_t)) sqrt(1 - a_t/a_s): the noise of a step from level t to level s < t; 0 at s = 0.

    eta = 0 adds none, eta = 1 as much as an ancestral step does.
    Raises ValueError if t or s is not an integer in 0..T, s >= t, alpha_bar is no schedule, eta is negative, or so large that
    sigma^2 > 1 - a_s: more noise than there is at s.  Source: Song, Meng & Ermon 2021, eq. 16.
    [B], [B], [T+1] -> [B]
    """
    _require_jump(alpha_bar, None, t, s, eta)
    return _sigma_and_rest(t, s, alpha_bar, eta)[0]


def non_markovian_mean(x0, x_t, t, s, alpha_bar, *, eta):
    r"""Mean of q_sigma(x_s | x_t, x_0): sqrt(a_s) x_0 + sqrt(1 - a_s - sigma^2) (x_t - sqrt(a_t) x_0)/sqrt(1 - a_t).

    Raises ValueError if the shapes differ, t or s is not an integer in 0..T, s >= t, alpha_bar is no schedule, eta is negative,
    or so large that sigma^2 > 1 - a_s.  Source: Song, Meng & Ermon 2021, eq. 7.
    [B, ...], [B, ...], [B], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x0=x0, x_t=x_t)
    _require_jump(alpha_bar, x_t, t, s, eta)
    a_t, a_s = level_at(t, alpha_bar), level_at(s, alpha_bar)
    _, rest = _sigma_and_rest(t, s, alpha_bar, eta)
    noise = (x_t - per_example(jnp.sqrt(a_t), x_t) * x0) / per_example(jnp.sqrt(1 - a_t), x_t)
    return per_example(jnp.sqrt(a_s), x_t) * x0 + per_example(rest, x_t) * noise


def ddim_step(x_t, noise_pred, noise, t, s, alpha_bar, *, eta=0.0, clip=None):
    r"""x_s = sqrt(a_s) x_0^ + sqrt(1 - a_s - sigma^2) noise^ + sigma noise: from level t to any level s < t; x_0^ at s = 0.

    x_0^ = (x_t - sqrt(1 - a_t) noise_pred)/sqrt(a_t), clipped to [-clip, clip] if clip is given, and noise^ is the noise that x_t
    has beside this x_0^: noise_pred itself where nothing was clipped.
    Raises ValueError if the shapes differ, t or s is not an integer in 0..T, s >= t, alpha_bar is no schedule, a_t = 0 (the noise
    does not tell the data there), eta is negative or so large that sigma^2 > 1 - a_s, or clip is not positive.
    Source: Song, Meng & Ermon 2021, eq. 12.
    [B, ...], [B, ...], [B, ...], [B], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, noise_pred=noise_pred, noise=noise)
    _require_jump(alpha_bar, x_t, t, s, eta)
    require_clip(clip)
    x0 = x0_from_noise(x_t, noise_pred, t, alpha_bar)
    if clip is not None:
        x0 = jnp.clip(x0, -clip, clip)
    sigma, _ = _sigma_and_rest(t, s, alpha_bar, eta)
    return non_markovian_mean(x0, x_t, t, s, alpha_bar, eta=eta) + per_example(sigma, noise) * noise


def _sigma_and_rest(t, s, alpha_bar, eta):
    """sigma and sqrt(1 - a_s - sigma^2), [B]: the noise of level s, of variance 1 - a_s, divided into new and old."""
    deviation = jnp.sqrt(1 - level_at(s, alpha_bar))  # 0 at s = 0, without a slope
    new, old = shares(t, s, alpha_bar, eta)
    return eta * deviation * jnp.sqrt(new), deviation * jnp.sqrt(old)


def _require_jump(alpha_bar, x, t, s, eta):
    require_timesteps(alpha_bar, x, t=t)
    require_timesteps(alpha_bar, x, lowest=0, s=s)
    require_same_shape(t=t, s=s)
    require_values("s", s, lambda s: s < t, "below t: a step leads toward the data")
    require_eta(t, s, alpha_bar, eta)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Denoising diffusion implicit models: the same training, other samplers",
    lectures=(37,),
    sources=(
        "Song, Meng & Ermon 2021, Denoising Diffusion Implicit Models, eq. 7, 9, 12, 14 and 16",
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models",
    ),
)

_STEPS = 8
_PAIRS = np.array([(t, s) for t in range(1, _STEPS + 1) for s in range(t)])  # every jump toward the data
_T, _S = _PAIRS.T


def _schedule():
    return cosine_alpha_bar(num_steps=_STEPS)


@derivation.numeric(
    r"q(x_t \mid x_0) = \mathcal{N}(\sqrt{\bar\alpha_t}\, x_0, 1 - \bar\alpha_t), \; q_\sigma(x_s \mid x_t, x_0) ="
    r" \mathcal{N}\Big( \sqrt{\bar\alpha_s}\, x_0 + \sqrt{1 - \bar\alpha_s - \sigma^2}\, \frac{x_t - \sqrt{\bar\alpha_t}\, x_0}"
    r"{\sqrt{1 - \bar\alpha_t}}, \sigma^2 \Big) \;\Rightarrow\; q(x_s \mid x_0) = \mathcal{N}(\sqrt{\bar\alpha_s}\, x_0, 1 -"
    r" \bar\alpha_s)",
    because="Given x_0, the fraction is the noise that x_t carries, a standard normal. Put beside the data with any weight, and "
    "the missing variance filled up with fresh noise, it gives the marginal of level s. So every sigma belongs to a process with "
    "DDPM's own marginals; only how x_s and x_t hang together differs, and of that the loss knows nothing. Here for every pair "
    "of levels and eta = 0, 0.4 and 1.",
)
def every_sigma_keeps_the_marginals():
    alpha_bar, one, zero = _schedule(), jnp.ones(len(_T)), jnp.zeros(len(_T))
    left, right = [], []
    for eta in (0.0, 0.4, 1.0):

        def mean(x0, old_noise, eta=eta):
            return non_markovian_mean(x0, forward_sample(x0, _T, old_noise, alpha_bar), _T, _S, alpha_bar, eta=eta)

        variance = mean(zero, one) ** 2 + ddim_sigma(_T, _S, alpha_bar, eta=eta) ** 2
        left.append(jnp.stack([mean(one, zero), variance]))
        right.append(jnp.stack([jnp.sqrt(alpha_bar[_S]), 1 - alpha_bar[_S]]))
    return jnp.stack(left), jnp.stack(right)


@derivation.numeric(
    r"\eta = 1, \; s = t - 1: \quad \sigma^2 = \tilde\beta_t, \quad \mathrm{E}_\sigma(x_{t-1} \mid x_t, x_0) ="
    r" \tilde\mu_t(x_0, x_t)",
    because="One member of the family is the Markov chain that DDPM was derived from: its sigma is the deviation of the "
    "posterior, and its mean the posterior's. The ancestral step with the small variance is the member eta = 1.",
)
def eta_one_is_ancestral():
    alpha_bar, t = _schedule(), np.arange(1, _STEPS + 1)
    x0, x_t, noise = jax.random.normal(jax.random.key(0), (3, _STEPS, 3), dtype=float)
    sigma_squared = ddim_sigma(t, t - 1, alpha_bar, eta=1.0)[:, None] ** 2 + 0 * x0
    mean = non_markovian_mean(x0, x_t, t, t - 1, alpha_bar, eta=1.0)
    step = ddim_step(x_t, x0, noise, t, t - 1, alpha_bar, eta=1.0)
    ancestral = ddpm_step(x_t, x0, noise, t, alpha_bar, variance="small")
    tilde = jnp.exp(posterior_log_variance(t, alpha_bar))[:, None] + 0 * x0
    return jnp.stack([sigma_squared, mean, step]), jnp.stack([tilde, posterior_mean(x0, x_t, t, alpha_bar), ancestral])


@derivation.numeric(
    r"\mathrm{KL}\big( q_\sigma(x_s \mid x_t, x_0) \,\|\, q_\sigma(x_s \mid x_t, \hat{x}_0) \big) ="
    r" \frac{(\sqrt{\bar\alpha_s} - k \sqrt{\bar\alpha_t})^2}{2 \sigma^2} \|x_0 - \hat{x}_0\|^2, \qquad"
    r" k = \sqrt{\frac{1 - \bar\alpha_s - \sigma^2}{1 - \bar\alpha_t}}",
    because="The two Gaussians have one variance, and means that differ by the error of the data alone: whatever sigma and the "
    "levels, the bound is the same squared error with another weight for each step. A network that is right at every level "
    "minimizes all of them at once. So a trained DDPM is a trained model of the whole family, for jumps of any length.",
)
def one_loss_for_the_whole_family():
    alpha_bar, inner = _schedule(), _S > 0  # at s = 0 sigma is 0: the last step is a likelihood, not a divergence
    t, s = _T[inner], _S[inner]
    x0, guess, x_t = jax.random.normal(jax.random.key(1), (3, len(t), 3), dtype=float)
    a_t, a_s = alpha_bar[t], alpha_bar[s]
    divergences, weighted = [], []
    for eta in (0.4, 1.0):
        sigma_squared = ddim_sigma(t, s, alpha_bar, eta=eta) ** 2
        apart = non_markovian_mean(x0, x_t, t, s, alpha_bar, eta=eta) - non_markovian_mean(guess, x_t, t, s, alpha_bar, eta=eta)
        divergences.append(jnp.sum(apart**2, axis=1) / (2 * sigma_squared))
        k = jnp.sqrt((1 - a_s - sigma_squared) / (1 - a_t))
        weight = (jnp.sqrt(a_s) - k * jnp.sqrt(a_t)) ** 2 / (2 * sigma_squared)
        weighted.append(weight * jnp.sum((x0 - guess) ** 2, axis=1))
    return jnp.stack(divergences), jnp.stack(weighted)


@derivation.numeric(
    r"\eta = 1: \quad \frac{(\sqrt{\bar\alpha_s} - k \sqrt{\bar\alpha_t})^2}{2 \sigma^2} = \frac{1}{2} \Big("
    r" \frac{\bar\alpha_s}{1 - \bar\alpha_s} - \frac{\bar\alpha_t}{1 - \bar\alpha_t} \Big)",
    because="For the ancestral member the weight is half of the signal-to-noise ratio that the step gains: the very weight of "
    "DDPM's own bound, also over long strides.",
)
def the_ancestral_weight_is_the_gain_in_signal():
    alpha_bar, inner = _schedule(), _S > 0
    t, s = _T[inner], _S[inner]
    one, zero = jnp.ones(len(t)), jnp.zeros(len(t))
    slope = non_markovian_mean(one, zero, t, s, alpha_bar, eta=1.0)
    ratios = jnp.exp(log_snr(alpha_bar[1:]))
    return slope**2 / (2 * ddim_sigma(t, s, alpha_bar, eta=1.0) ** 2), (ratios[s - 1] - ratios[t - 1]) / 2


@derivation.numeric(
    r"\eta = 0: \quad \frac{x_s}{\sqrt{\bar\alpha_s}} = \frac{x_t}{\sqrt{\bar\alpha_t}} + (\varsigma_s - \varsigma_t)\,"
    r" \hat\epsilon, \qquad \varsigma = \sqrt{\frac{1 - \bar\alpha}{\bar\alpha}}",
    because="Without fresh noise a step is a formula for x_s. Divided by sqrt(a_s) it says: walk along the predicted noise by "
    "as much as the noise level falls. That is Euler's method for dy = noise d(level), y = x/sqrt(a): sampling has become the "
    "solution of an ordinary differential equation.",
)
def a_step_of_euler():
    alpha_bar = _schedule()
    x_t, noise_pred = jax.random.normal(jax.random.key(2), (2, len(_T), 3), dtype=float)
    x_s = ddim_step(x_t, noise_pred, 0 * x_t, _T, _S, alpha_bar, eta=0.0)
    root = jnp.sqrt(alpha_bar)[:, None]
    level = jnp.sqrt(1 / alpha_bar - 1)[:, None]
    return x_s / root[_S], x_t / root[_T] + (level[_S] - level[_T]) * noise_pred


def _walk(x_T, alpha_bar, c):
    """Down all levels without noise, for data N(0, c) along the last axis and the best prediction."""

    def step(x, t):
        a, t = alpha_bar[t], jnp.full(x.shape[0], t)
        noise = jnp.sqrt(1 - a) / (1 - a + a * c) * x
        return ddim_step(x, noise, 0 * x, t, t - 1, alpha_bar), None

    return jax.lax.scan(step, x_T, jnp.arange(1, alpha_bar.shape[0]), reverse=True)[0]


@derivation.numeric(
    r"x_0 \sim \mathcal{N}(0, c): \quad x_t / \sqrt{V_t} \text{ is constant along the flow}, \qquad"
    r" \log_2 \frac{|x_0^{(T)} - x_0|}{|x_0^{(2T)} - x_0|} \to 1",
    tolerance=1e-4,
    since="two logarithms of error ratios at T = 128, 256 and 512 are extrapolated, which leaves terms of order 1/T^2",
    because="For Gaussian data the equation is linear and its solution known: x keeps its place in units of the standard "
    "deviation sqrt(V_t). Euler's method is of first order, and so is the sampler: half the step, half the error. What more "
    "steps converge to is a map from noise to data, the same for every way of stepping.",
)
def first_order_toward_the_flow():
    c, x_T = jnp.array([0.1, 0.5, 3.0]), jnp.full((1, 3), 1.3)
    errors = []
    for steps in (128, 256, 512):
        alpha_bar = quarter_turn(steps)
        exact = jnp.sqrt(c / (1 - alpha_bar[-1] + alpha_bar[-1] * c)) * x_T
        errors.append((_walk(x_T, alpha_bar, c) - exact)[0])
    orders = [jnp.log2(coarse / fine) for coarse, fine in zip(errors[:-1], errors[1:], strict=True)]
    return 2 * orders[1] - orders[0], jnp.ones(3)


if __name__ == "__main__":
    derivation.main()
