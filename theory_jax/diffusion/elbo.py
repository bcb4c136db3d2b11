"""The evidence lower bound of a diffusion model, term by term: a decoder, T-1 divergences of Gaussians, and a prior.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc

from theory_jax.arguments import (
    require,
    require_at_least,
    require_same_shape,
    require_schedule,
    require_timesteps,
    require_values,
)
from theory_jax.derivation import Derivation
from theory_jax.diffusion._arguments import require_signal
from theory_jax.diffusion.forward_process import forward_log_prob, forward_marginal, forward_sample
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar, linear_alpha_bar
from theory_jax.diffusion.reverse_process import (
    posterior_log_variance,
    posterior_mean,
    reverse_log_variance,
    reverse_mean_from_noise,
)
from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence
from theory_jax.levels import log_rest, per_example, sum_each

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


def gaussian_kl(mean_q, log_var_q, mean_p, log_var_p):
    r"""KL(N(mean_q, e^log_var_q) || N(mean_p, e^log_var_p)), summed over all axes but the first; nats.

    1/2 sum [ log_var_p - log_var_q + e^(log_var_q - log_var_p) + (mean_q - mean_p)^2 e^-log_var_p - 1 ]

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, ...], [B, ...], [B, ...], [B, ...] -> [B]
    """
    require_same_shape(mean_q=mean_q, log_var_q=log_var_q, mean_p=mean_p, log_var_p=log_var_p)
    return gaussian_kl_divergence(*(jax.lax.collapse(a, 1) for a in (mean_q, log_var_q, mean_p, log_var_p)))


def prior_kl(x0, alpha_bar):
    r"""KL(q(x_T | x_0) || N(0, I)) = 1/2 sum [ a_T x_0^2 - a_T - log(1 - a_T) ], nats: what the noise at the end still tells.

    Raises ValueError if alpha_bar is no schedule.  Source: Ho et al. 2020, eq. 5.
    [B, ...], [T+1] -> [B]
    """
    require_schedule(alpha_bar)
    a = alpha_bar[-1]
    return sum_each((a * x0**2 - a - log_rest(a)).astype(x0.dtype)) / 2


def denoising_kl(x0, x_t, t, noise_pred, alpha_bar, *, variance="large"):
    r"""KL(q(x_(t-1) | x_t, x_0) || p(x_(t-1) | x_t)), t >= 2, p with the mean of the predicted noise and a fixed variance; nats.

    Raises ValueError if the shapes differ, t is not an integer in 2..T, alpha_bar is no schedule, a_t = 0, or variance is neither
    "large" nor "small".  Source: Ho et al. 2020, eq. 5.
    [B, ...], [B, ...], [B], [B, ...], [T+1] -> [B]
    """
    require_same_shape(x0=x0, x_t=x_t, noise_pred=noise_pred)
    require_timesteps(alpha_bar, x0, lowest=2, t=t)
    return gaussian_kl(
        posterior_mean(x0, x_t, t, alpha_bar),
        _everywhere(posterior_log_variance(t, alpha_bar), x_t),
        reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar),
        _everywhere(reverse_log_variance(t, alpha_bar, variance=variance), x_t),
    )


def discretized_gaussian_log_prob(x0, mean, log_var, *, num_levels=256):
    r"""sum log P(cell of x_0) under N(mean, e^log_var), nats: x_0 on the grid of num_levels values from -1 to 1.

    A cell reaches h = 1/(num_levels - 1) to both sides of its value, Phi((x + h - m)/s) - Phi((x - h - m)/s); the two outer cells
    are open-ended, so that the values' probabilities sum to one wherever the mean is.

    Raises ValueError if the shapes differ, num_levels < 2, or x0 is off the grid by more than 1e-4 of a cell.
    Source: Ho et al. 2020, eq. 13.
    [B, ...], [B, ...], [B, ...] -> [B]
    """
    require_same_shape(x0=x0, mean=mean, log_var=log_var)
    require_at_least(2, num_levels=num_levels)
    cells = num_levels - 1
    require_values("x0", x0, lambda x: _on_grid(x, cells), f"one of the {num_levels} values from -1 to 1, 2/{cells} apart")
    s = jnp.exp(log_var / 2)
    z, r = (x0 - mean) / s, 1 / (cells * s)
    lowest, highest = x0 < 1 / cells - 1, x0 > 1 - 1 / cells
    outer = _log_cdf(jnp.where(lowest, r + z, r - z))
    return sum_each(jnp.where(lowest | highest, outer, _log_cell(jnp.abs(z), r)))


def elbo_terms(x0, noises, denoise_fn, alpha_bar, *, variance="large", num_levels=256):
    r"""The one-sample upper bound of -log p(x_0) in its T+1 terms, nats; their sum over a row is the bound.

    Column 0 is -log p(x_0 | x_1), by discretized_gaussian_log_prob; column t-1, for t = 2..T, denoising_kl at x_t; column T
    prior_kl. x_t is made with noises[t-1]. denoise_fn(x, t) -> predicted noise, t: [B].

    Raises ValueError if noises is not [T, *shape of x0], x0 is off the grid, alpha_bar is no schedule or 0 before its end,
    variance is another word, or num_levels < 2.  Source: Ho et al. 2020, eq. 5 and 13.
    [B, ...], [T, B, ...], [T+1] -> [B, T+1]
    """
    require_schedule(alpha_bar)
    steps, given = jnp.shape(alpha_bar)[0] - 1, list(jnp.shape(noises))
    wanted = [steps, *jnp.shape(x0)]
    require(given == wanted, f"noises has shape {given}; it must be {wanted}, a draw for every step")
    # the terms are mapped over t below, where nothing can be looked at
    require_signal("alpha_bar", alpha_bar)

    def noisy(t, noise):
        t = jnp.full(x0.shape[:1], t)
        x_t = forward_sample(x0, t, noise, alpha_bar)
        return x_t, t, denoise_fn(x_t, t)

    def divergence(t, noise):
        x_t, t, noise_pred = noisy(t, noise)
        return denoising_kl(x0, x_t, t, noise_pred, alpha_bar, variance=variance)

    x_1, one, noise_pred = noisy(1, noises[0])
    mean = reverse_mean_from_noise(x_1, noise_pred, one, alpha_bar)
    log_var = _everywhere(reverse_log_variance(one, alpha_bar, variance=variance), mean)
    decoder = -discretized_gaussian_log_prob(x0, mean, log_var, num_levels=num_levels)
    between = jax.vmap(divergence)(jnp.arange(2, steps + 1), noises[1:]) if steps > 1 else jnp.zeros((0, *decoder.shape))
    return jnp.concatenate([decoder[None], between.astype(decoder.dtype), prior_kl(x0, alpha_bar)[None]]).T


def _everywhere(coefficient, x):
    """A coefficient of every example, [B], in every entry of x."""
    return jnp.broadcast_to(per_example(coefficient, x), x.shape)


def _on_grid(x, cells):
    place = (x + 1) / 2 * cells
    return np.abs(place - np.clip(np.round(place), 0, cells)) <= 1e-4


def _log_cell(z, r):
    """log(Phi(z + r) - Phi(z - r)) for z >= 0, r > 0, by two routes that do not cancel."""
    narrow = r * (z + r) < 1

    def tails(z, r):
        """The far tail is at most e^-2 of the near one: a difference of logarithms."""
        near, far = _log_cdf(r - z), _log_cdf(-r - z)
        return near + log_rest(jnp.exp(far - near))

    def density(z, r):
        """The density in the middle, the width, and the mean of what the density does across: Gauss-Legendre."""
        u = jnp.asarray(_NODES, z.dtype)
        across = jnp.exp(-((z * r)[..., None] * u) - (r[..., None] * u) ** 2 / 2) @ jnp.asarray(_WEIGHTS, z.dtype)
        return -(z**2) / 2 - math.log(2 * math.pi) / 2 + jnp.log(r) + jnp.log(across)

    wide = tails(jnp.where(narrow, 0.0, z), jnp.where(narrow, 1.0, r))
    return jnp.where(narrow, density(jnp.where(narrow, z, 0.0), jnp.where(narrow, r, 0.5)), wide)


# e^(y^2) erfc(y) = 2 y/pi int_0^inf e^(-t^2)/(y^2 + t^2) dt, by the midpoint rule: for y >= 2 it is exact to the last digit
_MIDPOINTS = 0.3 * (np.arange(22) + 0.5)
_SHARES = 0.3 * np.exp(-(_MIDPOINTS**2)) / math.pi


def _log_cdf(z):
    """log Phi(z). jax's log_ndtr is off by 1e5 roundoffs near -21, its slope by 1e7; its erfcx is zero from 26.54 to 26.64."""
    y = -z / math.sqrt(2)
    far, left = y > 2, y > 0
    y_far = jnp.where(far, y, 2.0)
    shares = jnp.sum(jnp.asarray(_SHARES, z.dtype) / (y_far[..., None] ** 2 + jnp.asarray(_MIDPOINTS, z.dtype) ** 2), axis=-1)
    tail = jnp.log(y_far * shares) - y_far**2
    near = jnp.log(erfc(jnp.where(far, 0.0, y)) / 2)
    right = log_rest(erfc(jnp.where(left, 0.0, -y)) / 2)
    return jnp.where(far, tail, jnp.where(left, near, right))


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="The ELBO of a diffusion model: a chain of Gaussian divergences",
    lectures=(26,),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, eq. 3, 5 and 13",
        "Sohl-Dickstein, Weiss, Maheswaranathan & Ganguli 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
        "Luo 2022, Understanding Diffusion Models: A Unified Perspective",
    ),
)

# One dimension, four steps, a denoiser that is linear in x: then the model's joint is Gaussian, and everything has a closed form.
_STEPS = 4
_LEVELS = np.arange(1, _STEPS + 1)
_SLOPES = np.array([0.3, 0.9, 0.4, 0.8])  # noise_pred = slope_t x_t: no good denoiser


def _schedule():
    return linear_alpha_bar(num_steps=_STEPS, beta_start=0.1, beta_end=0.6)


def _best_slopes():
    """Of E(noise | x_t) for standard normal data, whose x_t is standard normal at every t."""
    return np.sqrt(1 - np.asarray(_schedule())[1:])


def _cases(data, denoisers):
    """Every combination of a value, a denoiser and one of the two variances."""
    return [(x0, slopes, variance) for x0 in data for slopes in denoisers for variance in ("large", "small")]


def _normal_log_prob(x, mean, variance):
    return -((x - mean) ** 2) / (2 * variance) - jnp.log(2 * math.pi * variance) / 2


def _model_steps(slopes, variance):
    """p(x_(t-1) | x_t) = N(gain_t x_t, variance_t) for t = 1..T."""
    gains = reverse_mean_from_noise(jnp.ones(_STEPS), jnp.asarray(slopes), _LEVELS, _schedule())
    return gains, jnp.exp(reverse_log_variance(_LEVELS, _schedule(), variance=variance))


def _model_covariance(slopes, variance):
    """Of (x_0, ..., x_T) under p, which begins at a standard normal x_T and walks back."""
    gains, variances = _model_steps(slopes, variance)
    loadings = [jnp.eye(_STEPS + 1)[_STEPS]]  # of x_T, in terms of the T + 1 noises that p draws
    for t in range(_STEPS, 0, -1):
        step = jnp.eye(_STEPS + 1)[t - 1] * jnp.sqrt(variances[t - 1])
        loadings.insert(0, gains[t - 1] * loadings[0] + step)
    loadings = jnp.stack(loadings)
    return loadings @ loadings.T


def _path_moments(x0):
    """Mean [T] and covariance [T, T] of (x_1, ..., x_T) given x_0 under q."""
    a = _schedule()[1:]
    low = jnp.maximum(a[:, None], a[None])  # the level of the earlier of two times
    return jnp.sqrt(a) * x0, jnp.sqrt(a[:, None] * a[None]) / low * (1 - low)


def _negative_log_likelihood(x0, slopes, variance):
    return -_normal_log_prob(x0, 0.0, _model_covariance(slopes, variance)[0, 0])


def _divergence_of_paths(x0, slopes, variance):
    """KL(q(x_1..x_T | x_0) || p(x_1..x_T | x_0)), both Gaussian, from the joints' covariances alone."""
    covariance = _model_covariance(slopes, variance)
    gain = covariance[1:, 0] / covariance[0, 0]
    mean_p, cov_p = gain * x0, covariance[1:, 1:] - jnp.outer(gain, covariance[0, 1:])
    mean_q, cov_q = _path_moments(x0)
    difference = mean_p - mean_q
    logs = jnp.linalg.slogdet(cov_p)[1] - jnp.linalg.slogdet(cov_q)[1]
    return (jnp.trace(jnp.linalg.solve(cov_p, cov_q)) + difference @ jnp.linalg.solve(cov_p, difference) - _STEPS + logs) / 2


def _bound_over_paths(x0, slopes, variance):
    """E_q[log q(x_1..x_T | x_0) - log p(x_0..x_T)] from the first two moments of the path."""
    mean, covariance = _path_moments(x0)
    alpha_bar = _schedule()
    betas = 1 - alpha_bar[1:] / alpha_bar[:-1]
    entropy = jnp.sum(jnp.log(2 * math.pi * betas) + 1) / 2
    gains, variances = _model_steps(slopes, variance)
    total = -entropy + (mean[-1] ** 2 + covariance[-1, -1] + math.log(2 * math.pi)) / 2
    mean = jnp.append(x0, mean)
    covariance = jnp.pad(covariance, ((1, 0), (1, 0)))
    for t in _LEVELS:
        residual = mean[t - 1] - gains[t - 1] * mean[t]
        spread = covariance[t - 1, t - 1] - 2 * gains[t - 1] * covariance[t - 1, t] + gains[t - 1] ** 2 * covariance[t, t]
        total = total + ((residual**2 + spread) / variances[t - 1] + jnp.log(2 * math.pi * variances[t - 1])) / 2
    return total


def _nodes(count=5):
    """Gauss-Hermite nodes and weights of a standard normal: exact for the polynomials that are averaged here."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return jnp.asarray(nodes), jnp.asarray(weights / weights.sum())


def _bound_by_terms(x0, slopes, variance):
    """L_0 + sum of the divergences + L_T, every expectation over its own x_t by quadrature; the decoder is a density."""
    nodes, weights = _nodes()
    alpha_bar, x0s = _schedule(), jnp.full(nodes.shape, x0)
    gains, variances = _model_steps(slopes, variance)
    x_1 = forward_sample(x0s, np.full(nodes.size, 1), nodes, alpha_bar)
    total = prior_kl(x0s[:1], alpha_bar)[0] - weights @ _normal_log_prob(x0, gains[0] * x_1, variances[0])
    for level in _LEVELS[1:]:
        t = np.full(nodes.size, level)
        x_t = forward_sample(x0s, t, nodes, alpha_bar)
        total = total + weights @ denoising_kl(x0s, x_t, t, slopes[level - 1] * x_t, alpha_bar, variance=variance)
    return total


@derivation.bound(
    r"-\log p(x_0) \;\le\; \mathrm{E}_{q(x_{1:T} \mid x_0)} \big[ \log q(x_{1:T} \mid x_0) - \log p(x_{0:T}) \big] = L",
    because="p(x_0) is the average of p(x_{0:T})/q(x_{1:T} | x_0) over paths from q, and the logarithm of an average is at least "
    "the average of the logarithm (Jensen). q is the fixed forward process: unlike in a VAE there is no encoder to train. The "
    "bound is tight where the ratio does not vary: for the best denoiser of standard normal data.",
)
def jensen():
    data = (-1.3, 2.0)
    cases = _cases(data, (_SLOPES, 0.5 * _SLOPES))
    likelihoods = jnp.stack([_negative_log_likelihood(*case) for case in cases])
    bounds = jnp.stack([_bound_over_paths(*case) for case in cases])
    best = [(x0, _best_slopes(), "large") for x0 in data]
    tight = jnp.stack([_negative_log_likelihood(*case) for case in best]), jnp.stack([_bound_over_paths(*case) for case in best])
    return likelihoods, bounds, tight


@derivation.numeric(
    r"q(x_t \mid x_{t-1}) = q(x_t \mid x_{t-1}, x_0) ="
    r" \frac{q(x_{t-1} \mid x_t, x_0)\, q(x_t \mid x_0)}{q(x_{t-1} \mid x_0)}",
    because="The chain is Markov, so x_0 may be added to the condition; then Bayes' rule turns the step around. The density of a "
    "step forward becomes that of a step back, which can be compared with the model's.",
)
def markov_and_bayes():
    alpha_bar, t = _schedule(), _LEVELS[1:]
    x_t, x_prev, x0 = jax.random.normal(jax.random.key(0), (3, _STEPS - 1), dtype=float)
    backward = _normal_log_prob(
        x_prev, posterior_mean(x0, x_t, t, alpha_bar), jnp.exp(posterior_log_variance(t, alpha_bar))
    )  # fmt: skip
    marginals = [forward_log_prob(x, x0, 0 * t, times, alpha_bar) for x, times in ((x_t, t), (x_prev, t - 1))]
    return forward_log_prob(x_t, x_prev, t - 1, t, alpha_bar), backward + marginals[0] - marginals[1]


@derivation.numeric(
    r"\log \frac{q(x_{1:T} \mid x_0)}{p(x_{0:T})} = \log \frac{q(x_T \mid x_0)}{p(x_T)} +"
    r" \sum_{t=2}^{T} \log \frac{q(x_{t-1} \mid x_t, x_0)}{p(x_{t-1} \mid x_t)} - \log p(x_0 \mid x_1)",
    because="With the last step put in, the marginals q(x_t | x_0) of neighboring steps cancel: each is a denominator once and a "
    "numerator once, but for q(x_T | x_0) at the end and q(x_1 | x_0), which the first step takes. In expectation the three "
    "parts are L_T, the L_{t-1}, and L_0.",
)
def the_ratios_telescope():
    alpha_bar, x = _schedule(), jax.random.normal(jax.random.key(1), (_STEPS + 1,), dtype=float)
    gains, variances = _model_steps(_SLOPES, "small")
    model = _normal_log_prob(x[:-1], gains * x[1:], variances)
    walk = jnp.sum(forward_log_prob(x[1:], x[:-1], _LEVELS - 1, _LEVELS, alpha_bar))
    end = _normal_log_prob(x[-1], 0.0, 1.0)
    later = _LEVELS[1:]
    x0s = jnp.full(later.size, x[0])
    posterior = _normal_log_prob(
        x[1:-1], posterior_mean(x0s, x[2:], later, alpha_bar), jnp.exp(posterior_log_variance(later, alpha_bar))
    )  # fmt: skip
    last = forward_log_prob(x[-1:], x[:1], 0 * _LEVELS[:1], _LEVELS[-1:], alpha_bar)[0]
    return walk - jnp.sum(model) - end, last - end + jnp.sum(posterior - model[1:]) - model[0]


@derivation.numeric(
    r"L = L_T + \sum_{t=2}^{T} L_{t-1} + L_0, \qquad L_{t-1} = \mathrm{E}_{q(x_t \mid x_0)}"
    r" \mathrm{KL}\big( q(x_{t-1} \mid x_t, x_0) \,\|\, p(x_{t-1} \mid x_t) \big)",
    tolerance=1e-9,
    because="Executed: on the left the expectation over whole paths, from the means and covariances of the chain; on the right "
    "the terms of the code, each averaged over its own x_t by Gauss-Hermite quadrature. No term needs a whole path: training may "
    "look at a single t.",
)
def paths_and_terms_agree():
    cases = _cases((-1.3, 0.7), (_SLOPES, _best_slopes()))
    return jnp.stack([_bound_over_paths(*case) for case in cases]), jnp.stack([_bound_by_terms(*case) for case in cases])


@derivation.numeric(
    r"L - (-\log p(x_0)) = \mathrm{KL}\big( q(x_{1:T} \mid x_0) \,\|\, p(x_{1:T} \mid x_0) \big) \ge 0",
    because="log p(x_{0:T}) = log p(x_0) + log p(x_{1:T} | x_0), so what the bound lacks is the divergence of the forward path "
    "from the path that the model itself would infer. For a linear denoiser both are Gaussian, and the divergence is that of two "
    "covariance matrices.",
)
def the_gap_is_a_divergence_of_paths():
    cases = _cases((-1.3, 0.7), (_SLOPES, 0.5 * _SLOPES))
    gaps = [_bound_by_terms(*case) - _negative_log_likelihood(*case) for case in cases]
    return jnp.stack(gaps), jnp.stack([_divergence_of_paths(*case) for case in cases])


@derivation.numeric(
    r"x_0 \sim \mathcal{N}(0, 1),\; \epsilon_\theta(x_t, t) = \sqrt{1 - \bar{\alpha}_t}\, x_t,\; \sigma_t^2 = \beta_t"
    r" \;\Rightarrow\; L(x_0) = -\log \mathcal{N}(x_0; 0, 1) \text{ for every } x_0",
    tolerance=1e-8,
    since="the code's decoder is a cell of width 2^-15, and its probability that width times the density up to the square of it",
    because="The true step back from standard normal data is Gaussian with variance beta, and this is the model: p is q, path by "
    "path, and nothing is lost. Here elbo_terms itself is averaged over the nodes, all steps at once, since each of its columns "
    "depends on one noise only; its decoder gives the probability of a cell, which is divided by the cell's width.",
)
def the_bound_is_tight_for_normal_data():
    alpha_bar, slopes = _schedule(), jnp.asarray(_best_slopes())
    nodes, weights = _nodes(24)
    noises = jnp.broadcast_to(nodes, (_STEPS, nodes.size))
    num_levels = 2**16 + 1

    def bound(x0):
        terms = elbo_terms(
            jnp.full(nodes.shape, x0), noises, lambda x, t: slopes[t - 1] * x, alpha_bar, variance="large", num_levels=num_levels
        )
        return weights @ jnp.sum(terms, axis=1) + math.log(2 / (num_levels - 1))

    data = jnp.array([-0.75, 0.0, 0.25, 0.5])
    return jnp.stack([bound(x0) for x0 in data]), -_normal_log_prob(data, 0.0, 1.0)


@derivation.exact(
    r"\sum_{k=0}^{255} p(x_0 = -1 + 2k/255 \mid x_1) = 1 \quad\text{for every mean and variance}",
    because="The cells tile the line: neighbors share their edge, and the two outer ones reach to infinity. So the decoder is a "
    "distribution over the 256 values, even for a mean outside of [-1, 1], and L is a bound in nats per image, comparable with "
    "that of any other model of discrete images.",
)
def the_decoder_is_normalized():
    values = np.arange(256) * 2 / 255 - 1
    means, log_vars = (jnp.asarray(a.ravel()) for a in np.meshgrid([-1.4, -0.3, 0.001, 1.7], [-12.0, -6.0, -2.0, 1.0]))
    pairs = [jnp.tile(a, 256) for a in (means, log_vars)]
    log_probs = discretized_gaussian_log_prob(jnp.repeat(jnp.asarray(values), means.size), *pairs, num_levels=256)
    return jnp.sum(jnp.exp(log_probs).reshape(256, means.size), axis=0), jnp.ones(means.size)


@derivation.numeric(
    r"L_T = \mathrm{KL}\big( \mathcal{N}(\sqrt{\bar{\alpha}_T}\, x_0, (1 - \bar{\alpha}_T) I) \,\|\, \mathcal{N}(0, I) \big) ="
    r" \tfrac{1}{2} \sum_d \big[ \bar{\alpha}_T x_{0,d}^2 - \bar{\alpha}_T - \log(1 - \bar{\alpha}_T) \big]",
    because="The divergence of two Gaussians with the forward marginal put in. It contains no parameter: the schedule alone "
    "decides how much the sampler's start differs from what the forward process arrives at. With a_T = 0 it is zero.",
)
def the_prior_term():
    x0 = jax.random.normal(jax.random.key(2), (5, 3), dtype=float)
    schedules = (_schedule(), cosine_alpha_bar(num_steps=20))

    def from_marginal(alpha_bar):
        mean, log_var = forward_marginal(x0, np.full(5, alpha_bar.size - 1), alpha_bar)
        zeros = jnp.zeros_like(mean)
        return gaussian_kl(mean, jnp.broadcast_to(log_var[:, None], mean.shape), zeros, zeros)

    return jnp.stack([prior_kl(x0, alpha_bar) for alpha_bar in schedules]), jnp.stack([from_marginal(a) for a in schedules])


if __name__ == "__main__":
    derivation.main()
