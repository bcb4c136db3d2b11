"""Score prediction: the slope of the noised data's log-density, exact for mixtures, and what a denoiser has to do with it.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.scipy.special import logsumexp
from scipy import stats

from theory_jax.arguments import (
    require,
    require_one_each,
    require_rank,
    require_same_shape,
    require_timesteps,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation
from theory_jax.diffusion._mixture import log_joint, require_components
from theory_jax.diffusion._schedules import schedule
from theory_jax.diffusion.forward_process import forward_log_prob, forward_sample
from theory_jax.levels import level_at, per_example, sum_each
from theory_jax.networks.time_embedding import sinusoidal_time_embedding


def score_from_noise(noise, t, alpha_bar):
    r"""-noise / sqrt(1 - a_t): the gradient of log q(x_t | x_0) for the noise of x_t, of log q(x_t) for its mean E(noise | x_t).

    Raises ValueError if t is not an integer in 1..T for each example, or alpha_bar is no schedule.
    Source: Ho et al. 2020, section 3.2; Luo 2022.
    [B, ...], [B], [T+1] -> [B, ...]
    """
    require_timesteps(alpha_bar, noise, t=t)
    return -noise / per_example(jnp.sqrt(1 - level_at(t, alpha_bar)), noise)


def tweedie_mean(x_t, score, t, alpha_bar):
    r"""E(x_0 | x_t) = (x_t + (1 - a_t) grad log q(x_t)) / sqrt(a_t): the data that the score points to.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, or a_t = 0: pure noise does not
    tell the data.  Source: Efron 2011; Luo 2022.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(x_t=x_t, score=score)
    require_timesteps(alpha_bar, x_t, t=t)
    a = level_at(t, alpha_bar)
    require_values("alpha_bar[t]", a, lambda a: a > 0, "positive: where no signal is left, the score does not tell the data")
    return (x_t + per_example(1 - a, x_t) * score) / per_example(jnp.sqrt(a), x_t)


def denoising_score_matching_loss(x0, noise, sigma, score_fn):
    r"""1/2 ||sigma score_fn(x_0 + sigma noise, sigma) + noise||^2, summed over all axes but the first.

    That is sigma^2 times the squared distance from the score of q(x | x_0) = N(x_0, sigma^2 I), -noise/sigma; score_fn(x, sigma)
    -> score, sigma: [B].

    Raises ValueError if the shapes differ, sigma is not positive, or score_fn returns another shape.
    Source: Vincent 2011, section 4.2; Song & Ermon 2019, eq. 5 and 6.
    [B, ...], [B, ...], [B] -> [B]
    """
    require_same_shape(x0=x0, noise=noise)
    require_rank(1, sigma=sigma)
    require_one_each(x0, sigma=sigma)
    require_values("sigma", sigma, lambda sigma: sigma > 0, "positive: without noise there is nothing to remove")
    wide = per_example(sigma, x0)
    score = score_fn(x0 + wide * noise, sigma)
    found, wanted = list(jnp.shape(score)), list(jnp.shape(x0))
    require(found == wanted, f"score_fn returned shape {found}; it must return that of x0, {wanted}")
    return sum_each((wide * score + noise) ** 2) / 2


def diffused_mixture(means, log_vars, t, alpha_bar):
    r"""The mixture after t steps: means sqrt(a_t) m_k and log-variances log(a_t e^l_k + 1 - a_t); the weights stay.

    At t = 0 it is what it was. A log-variance of -inf is a point of data.
    Raises ValueError if the shapes do not fit, t is not an integer in 0..T, or alpha_bar is no schedule.
    Source: Song & Ermon 2019; Luo 2022.
    [K, D], [K], [B], [T+1] -> [B, K, D], [B, K]
    """
    require_rank(2, means=means)
    require_components(means, log_vars=log_vars)
    require_timesteps(alpha_bar, lowest=0, t=t)
    t = widened(t)
    a = level_at(t, alpha_bar)
    noised = jnp.where((t == 0)[:, None], log_vars, _log_diffused(a[:, None], log_vars))
    return per_example(jnp.sqrt(a), means[None]) * means, noised.astype(log_vars.dtype)


def mixture_log_prob(x, means, log_vars, log_weights):
    r"""log sum_k w_k N(x; m_k, e^l_k I), nats; one mixture for all x, or one for each.

    Raises ValueError if the shapes do not fit, or the weights of log_weights do not sum to one.
    Source: Bishop 2006, section 2.3.9.
    [B, D], [..., K, D], [..., K], [K] -> [B]
    """
    return logsumexp(log_joint(x, means, log_vars, log_weights)[0], axis=1)


def mixture_score(x, means, log_vars, log_weights):
    r"""grad_x log sum_k w_k N(x; m_k, e^l_k I) = sum_k p(k | x) (m_k - x) e^-l_k.

    Raises ValueError if the shapes do not fit, or the weights of log_weights do not sum to one.
    Source: Song & Ermon 2019, section 3.2.
    [B, D], [..., K, D], [..., K], [K] -> [B, D]
    """
    joint, away = log_joint(x, means, log_vars, log_weights)
    pull = jax.nn.softmax(joint, axis=1) * jnp.exp(-log_vars)
    return -jnp.sum(pull[..., None] * away, axis=1)


def empirical_denoiser(x_t, data, t, alpha_bar):
    r"""sum_i w_i x_i, w = softmax_i(-||x_t - sqrt(a_t) x_i||^2 / (2 (1 - a_t))): E(x_0 | x_t) if the N data were all there is.

    Raises ValueError if the shapes do not fit, there are no data, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Karras et al. 2022, appendix B.3.
    [B, ...], [N, ...], [B], [T+1] -> [B, ...]
    """
    require_timesteps(alpha_bar, x_t, t=t)
    _require_data(x_t, data)
    a = level_at(t, alpha_bar)
    seen, points = jax.lax.collapse(x_t, 1)[:, None], jax.lax.collapse(data, 1)[None]
    root = per_example(jnp.sqrt(a), seen)
    # -||x - r y||^2 / 2 = r <x - r/2 y, y> up to a constant; measured from the data's center, where the least cancels
    center = jnp.mean(points, axis=1, keepdims=True)
    around = points - center
    products = jnp.sum((seen - root * (center + around / 2)) * around, axis=2)
    weights = jax.nn.softmax(root[..., 0] * products / per_example(1 - a, products), axis=1)
    return jnp.tensordot(weights, data, axes=1)


def _log_diffused(a, log_var):
    """log(a e^l + 1 - a), to the last digit also near 0: for l near 0, and for a near 0."""
    small = jnp.abs(log_var) < 0.3
    # expm1's own slope, expm1 + 1, has no digits left where e^l is small
    growth = jnp.where(small, jnp.expm1(jnp.where(small, log_var, 0.0)), jnp.exp(log_var) - 1)
    change = a * growth
    near = jnp.abs(change) < 0.25
    return jnp.where(
        near,
        jnp.log1p(jnp.where(near, change, 0.0)),
        jnp.log(jnp.where(near, 1.0, a * jnp.exp(log_var) + (1 - a))),
    )


def _require_data(x, data):
    given, wanted = jnp.shape(data), jnp.shape(x)[1:]
    fits = len(given) >= 1 and given[0] >= 1 and given[1:] == wanted
    require(fits, f"data has shape {list(given)}; it must be {['N', *wanted]}, N >= 1")


# ---------------------------------------------------------------------------------------------------- the network


class VelocityNetwork(nnx.Module):
    """x_t [B, D], t [B] -> the velocity [B, D]: a perceptron of three hidden layers that sees sines and cosines of t."""

    def __init__(self, dimension, hidden, frequencies, *, rngs: nnx.Rngs):
        self.features = 2 * frequencies
        sizes = (dimension + self.features, hidden, hidden, hidden, dimension)
        layers = [nnx.Linear(a, b, param_dtype=jnp.result_type(float), rngs=rngs) for a, b in zip(sizes, sizes[1:], strict=False)]
        self.body = nnx.List([part for layer in layers for part in (layer, jax.nn.silu)][:-1])

    def __call__(self, x, t):
        h = jnp.concatenate([x, sinusoidal_time_embedding(t.astype(x.dtype), dim=self.features)], axis=1)
        for part in self.body:
            h = part(h)
        return h


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Score prediction: to denoise is to know the slope of the log-density",
    lectures=(33, 34),
    sources=(
        "Vincent 2011, A Connection Between Score Matching and Denoising Autoencoders",
        "Song & Ermon 2019, Generative Modeling by Estimating Gradients of the Data Distribution",
        "Efron 2011, Tweedie's Formula and Selection Bias",
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, section 3.2",
        "Luo 2022, Understanding Diffusion Models: A Unified Perspective",
    ),
)

_TIMES = np.array([1, 2, 5, 9, 12])
# Three components in two dimensions, of different weights and widths.
_MEANS = np.array([[2.0, 0.5], [-1.0, 1.5], [0.3, -2.0]])
_LOG_VARS = np.log([0.3, 0.8, 0.1])
_WEIGHTS = np.array([0.5, 0.2, 0.3])


def _noised_mixture():
    """The mixture at five times, a tuple as mixture_log_prob wants it."""
    return *diffused_mixture(jnp.asarray(_MEANS), jnp.asarray(_LOG_VARS), _TIMES, schedule()), jnp.log(_WEIGHTS)


def _points(seed=0):
    return 1.5 * jax.random.normal(jax.random.key(seed), (len(_TIMES), 2), dtype=float)


def _bayes(x, time):
    """p(k | x), E(x_0 | x, k) and Var(x_0 | x, k) in each dimension, component by component: SciPy's normal, precisions added."""
    a, variances = float(schedule()[time]), np.exp(_LOG_VARS)
    evidence = [
        weight * stats.multivariate_normal.pdf(x, np.sqrt(a) * mean, a * variance + 1 - a)
        for weight, mean, variance in zip(_WEIGHTS, _MEANS, variances, strict=True)
    ]
    precision = 1 / variances + a / (1 - a)
    means = (_MEANS / variances[:, None] + np.sqrt(a) / (1 - a) * x) / precision[:, None]
    return np.array(evidence) / np.sum(evidence), means, 1 / precision


@derivation.autodiff(
    r"\nabla_x \log \sum_k w_k \mathcal{N}(x; m_k, v_k I) = \sum_k p(k \mid x) \frac{m_k - x}{v_k}",
    because="The logarithm's slope divides the slope of each component by the whole density, which is the component's share "
    "there times its own score. Each Gaussian pulls toward its mean, the narrow ones harder; the shares decide who pulls. A "
    "noised mixture is a mixture, so its score is known at every time: with it a sampler can be judged without any training.",
)
def score_of_a_mixture():
    x, mixture = _points(), _noised_mixture()
    return jax.grad(lambda x: jnp.sum(mixture_log_prob(x, *mixture)))(x), mixture_score(x, *mixture)


@derivation.autodiff(
    r"\nabla_{x_t} \log q(x_t \mid x_0) = -\frac{\epsilon}{\sqrt{1 - \bar\alpha_t}}, \qquad"
    r" x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon",
    because="Around sqrt(a) x_0 the noised data are a Gaussian of variance 1 - a, whose log-density falls by the distance over "
    "the variance; the distance is the noise times the deviation. Uphill is where the noise came from: the score is the noise, "
    "turned around and measured in its own deviation.",
)
def score_of_one_datum():
    x0, noise = jax.random.normal(jax.random.key(1), (2, len(_TIMES), 3), dtype=float)
    alpha_bar = schedule()
    x_t = forward_sample(x0, _TIMES, noise, alpha_bar)
    slope = jax.grad(lambda x: jnp.sum(forward_log_prob(x, x0, 0 * _TIMES, _TIMES, alpha_bar)))(x_t)
    return slope, score_from_noise(noise, _TIMES, alpha_bar)


@derivation.numeric(
    r"\frac{x_t + (1 - \bar\alpha_t)\, \nabla \log q(x_t)}{\sqrt{\bar\alpha_t}} = \mathrm{E}(x_0 \mid x_t)"
    r" \qquad \text{(Tweedie)}",
    because="The score of the noised data is the average of the data's scores over the posterior, (sqrt(a) E(x_0 | x_t) - x_t)/"
    "(1 - a); solved for the average it is Tweedie's formula. Nothing but the density of what is seen is needed to say what was "
    "there before the noise. The right side asks Bayes' rule instead, component by component.",
)
def tweedie():
    x = _points(1)
    posterior = []
    for point, time in zip(np.asarray(x), _TIMES, strict=True):
        shares, means, _ = _bayes(point, time)
        posterior.append(shares @ means)
    return tweedie_mean(x, mixture_score(x, *_noised_mixture()), _TIMES, schedule()), np.stack(posterior)


@derivation.autodiff(
    r"\frac{1 - \bar\alpha_t}{\bar\alpha_t} \big(I + (1 - \bar\alpha_t)\, \nabla^2 \log q(x_t)\big) = \mathrm{Cov}(x_0 \mid x_t)",
    tolerance=1e-10,
    because="Differentiated once more, Tweedie's formula gives the spread of what may have been there: where the log-density is "
    "strongly curved the data are nearly known, where it is flat, or a valley between two modes, they are not. The right side is "
    "the law of total covariance: the spread within the components, and between their means.",
)
def second_order_tweedie():
    x, (means, log_vars, log_weights) = _points(2), _noised_mixture()
    a = np.asarray(schedule())[_TIMES][:, None, None]
    hessian = jax.vmap(
        jax.hessian(lambda x, m, v: mixture_log_prob(x[None], m, v, log_weights)[0]), in_axes=(0, 0, 0)
    )(x, means, log_vars)  # fmt: skip
    total = []
    for point, time in zip(np.asarray(x), _TIMES, strict=True):
        shares, centers, within = _bayes(point, time)
        center = shares @ centers
        between = sum(s * np.outer(m - center, m - center) for s, m in zip(shares, centers, strict=True))
        total.append(shares @ within * np.eye(2) + between)
    return (1 - a) / a * (jnp.eye(2) + (1 - a) * hessian), np.stack(total)


# Three data on a line, blurred by sigma: an integral over the noise is a sum over a fine grid, exact to the last digits.
_DATA, _SHARES, _SIGMA = np.array([-1.5, 0.4, 1.0]), np.array([0.5, 0.2, 0.3]), 0.7
_GRID = np.linspace(-9.0, 9.0, 361)


def _blurred_score(x):
    """Of the three data at noise sigma, at every entry of x."""
    log_vars = jnp.full(3, 2 * math.log(_SIGMA))
    return mixture_score(x.reshape(-1, 1), jnp.asarray(_DATA)[:, None], log_vars, jnp.log(_SHARES)).reshape(x.shape)


def _over_data_and_noise(values):
    """The expectation of values, [3, grid]."""
    density = np.exp(-(_GRID**2) / 2) / math.sqrt(2 * math.pi) * (_GRID[1] - _GRID[0])
    return jnp.einsum("i,j,ij->", _SHARES, density, values)


@derivation.numeric(
    r"\tfrac12 \mathrm{E} \Big\| s(x) + \frac{\epsilon}{\sigma} \Big\|^2 - \tfrac12 \mathrm{E} \big\| s(x) - \nabla \log"
    r" q_\sigma(x) \big\|^2 = \tfrac12 \Big( \frac{D}{\sigma^2} - \mathrm{E} \big\| \nabla \log q_\sigma(x) \big\|^2 \Big)"
    r" \quad \text{for every } s",
    because="The score of the blurred data is the average of -noise/sigma over everything that could have led to x. So the "
    "target of denoising is the wanted score plus an error that averages to zero at every x, and its variance does not depend on "
    "the model. What cannot be computed, the distance from the unknown score, is learned from what can. Four models of one "
    "dimension: nothing, a line, a sine, and the exact score.",
)
def denoising_is_score_matching():
    x0, noise = (part.ravel() for part in np.meshgrid(_DATA, _GRID, indexing="ij"))
    sigma = jnp.full(x0.shape, _SIGMA)
    x = x0 + _SIGMA * noise
    differences = []
    for model in (lambda x: 0 * x, lambda x: -0.8 * x, jnp.sin, _blurred_score):
        denoising = denoising_score_matching_loss(x0, noise, sigma, lambda x, sigma, model=model: model(x)) / _SIGMA**2
        explicit = (model(x) - _blurred_score(x)) ** 2 / 2
        differences.append(_over_data_and_noise((denoising - explicit).reshape(3, -1)))
    constant = (1 / _SIGMA**2 - _over_data_and_noise(_blurred_score(x).reshape(3, -1) ** 2)) / 2
    return jnp.stack(differences), jnp.full(4, constant)


def _some_score(x, sigma):
    """A network's stand-in, for data to which noise was added: right nowhere."""
    return jnp.sin(x) - x / (1 + sigma[:, None])


def _its_noise(x_t, t, alpha_bar):
    """The same network asked for the noise at x_t = sqrt(a) (x_0 + sigma noise): eps = -sigma s."""
    a = alpha_bar[t]
    sigma = jnp.sqrt((1 - a) / a)
    return -sigma[:, None] * _some_score(x_t / jnp.sqrt(a)[:, None], sigma)


@derivation.numeric(
    r"\tfrac12 \big\| \sigma\, s(x_0 + \sigma \epsilon) + \epsilon \big\|^2 = \tfrac12 \big\| \epsilon - \hat\epsilon(x_t, t)"
    r" \big\|^2, \qquad \sigma = \sqrt{\frac{1 - \bar\alpha_t}{\bar\alpha_t}}, \quad \hat\epsilon = -\sigma s",
    because="x_t is sqrt(a) times the data with noise of deviation sigma added, so a network for one serves the other. The "
    "weight sigma^2 makes the target the plain noise: training a diffusion model by its simple loss is denoising score matching "
    "at T noise levels at once, each weighted by its own variance.",
)
def simple_loss_is_denoising_score_matching():
    x0, noise = jax.random.normal(jax.random.key(2), (2, len(_TIMES), 3), dtype=float)
    alpha_bar = schedule()
    a = alpha_bar[_TIMES]
    matching = denoising_score_matching_loss(x0, noise, jnp.sqrt((1 - a) / a), _some_score)
    predicted = _its_noise(forward_sample(x0, _TIMES, noise, alpha_bar), _TIMES, alpha_bar)
    return matching, jnp.sum((noise - predicted) ** 2, axis=1) / 2


@derivation.numeric(
    r"\nabla \log q(x_t) = -\frac{\mathrm{E}(\epsilon \mid x_t)}{\sqrt{1 - \bar\alpha_t}}",
    because="The simple loss is least squares, so its best prediction is the mean of the noise at x_t; the score of the noised "
    "data is the posterior mean of the data's scores. One is the other over minus the deviation: the network of a diffusion "
    "model is a score model. The mean of the noise comes here from that of the data, by Bayes' rule.",
)
def the_best_noise_prediction_is_the_score():
    x, alpha_bar = _points(3), schedule()
    means = []
    for point, time in zip(np.asarray(x), _TIMES, strict=True):
        shares, centers, _ = _bayes(point, time)
        means.append(shares @ centers)
    a = alpha_bar[_TIMES][:, None]
    best_noise = (x - jnp.sqrt(a) * np.stack(means)) / jnp.sqrt(1 - a)
    return mixture_score(x, *_noised_mixture()), score_from_noise(best_noise, _TIMES, alpha_bar)


def _training_set():
    return jax.random.normal(jax.random.key(4), (7, 2), dtype=float)


@derivation.numeric(
    r"\sum_i \mathrm{softmax}_i \Big( -\frac{\|x_t - \sqrt{\bar\alpha_t}\, x_i\|^2}{2 (1 - \bar\alpha_t)} \Big)\, x_i ="
    r" \frac{x_t + (1 - \bar\alpha_t)\, \nabla \log q_{\mathrm{data}}(x_t)}{\sqrt{\bar\alpha_t}}",
    because="A training set is a mixture of points, and noised a mixture of equal Gaussians, so the two previous formulas apply "
    "to it: the network that minimizes the training loss without any restriction is this weighted average of training data.",
)
def the_denoiser_of_a_training_set():
    x, data, alpha_bar = _points(5), _training_set(), schedule()
    points = diffused_mixture(data, jnp.full(7, -jnp.inf), _TIMES, alpha_bar)
    score = mixture_score(x, *points, jnp.full(7, -math.log(7)))
    return empirical_denoiser(x, data, _TIMES, alpha_bar), tweedie_mean(x, score, _TIMES, alpha_bar)


@derivation.numeric(
    r"\bar\alpha_t \to 1: \quad \hat{x}_0(x_t) = x_{i^*}, \quad i^* = \arg\min_i \|x_t - \sqrt{\bar\alpha_t}\, x_i\|",
    because="With little noise the nearest training datum takes all the weight, wherever x_t lies. So the exact optimum of the "
    "training loss can only repeat its data: that a trained diffusion model makes new images is owed to what the network cannot "
    "represent or has not learned, not to the loss.",
)
def the_exact_optimum_memorizes():
    x, data = _points(6), _training_set()
    hardly_noisy = jnp.array([1.0, 1 - 1e-4])
    nearest = np.argmin(np.linalg.norm(np.asarray(x)[:, None] - np.asarray(data), axis=2), axis=1)
    return empirical_denoiser(x, data, np.full(len(x), 1), hardly_noisy), data[nearest]


if __name__ == "__main__":
    derivation.main()
