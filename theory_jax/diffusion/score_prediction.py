"""Score prediction: the slope of the noised data's log-density, exact for mixtures, and what a denoiser has to do with it."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.scipy.special import logsumexp

from theory_jax.arguments import (
    require,
    require_one_each,
    require_rank,
    require_same_shape,
    require_timesteps,
    require_values,
    widened,
)
from theory_jax.mathematics.levels import level_at, per_example, sum_each
from theory_jax.mathematics.mixture import log_joint, mean_of_data, require_components
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


def empirical_posterior_mean(x_t, data, t, alpha_bar):
    r"""sum_i w_i x_i, w = softmax_i(-||x_t - sqrt(a_t) x_i||^2 / (2 (1 - a_t))): E(x_0 | x_t) if the N data were all there is.

    Raises ValueError if the shapes do not fit, there are no data, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Karras et al. 2022, appendix B.3.
    [B, ...], [N, ...], [B], [T+1] -> [B, ...]
    """
    require_timesteps(alpha_bar, x_t, t=t)
    a = level_at(t, alpha_bar)
    return mean_of_data(x_t, data, jnp.sqrt(a), 1 - a)


def _log_diffused(a, log_var):
    """log(a e^l + 1 - a), to the last digit also near 0: for l near 0, and for a near 0."""
    small = jnp.abs(log_var) < 0.3
    # expm1's own slope, expm1 + 1, has no digits left where e^l is small
    growth = jnp.where(small, jnp.expm1(jnp.where(small, log_var, 0.0)), jnp.exp(log_var) - 1)
    change = a * growth
    near = jnp.abs(change) < 0.25
    return jnp.where(near, jnp.log1p(jnp.where(near, change, 0.0)), jnp.log(jnp.where(near, 1.0, a * jnp.exp(log_var) + (1 - a))))


# ---------------------------------------------------------------------------------------------------- the network


class VelocityNetwork(nnx.Module):
    """x_t [B, D], t [B] -> the velocity [B, D]: a perceptron of three hidden layers that sees sines and cosines of t."""

    def __init__(self, dim, hidden, frequencies, *, rngs: nnx.Rngs):
        self.features = 2 * frequencies
        sizes = (dim + self.features, hidden, hidden, hidden, dim)
        layers = [nnx.Linear(a, b, param_dtype=jnp.result_type(float), rngs=rngs) for a, b in zip(sizes, sizes[1:], strict=False)]
        self.body = nnx.List([part for layer in layers for part in (layer, jax.nn.silu)][:-1])

    def __call__(self, x, t):
        h = jnp.concatenate([x, sinusoidal_time_embedding(t.astype(x.dtype), dim=self.features)], axis=1)
        for part in self.body:
            h = part(h)
        return h
