"""Over-optimization of a reward model (lecture 54): the best of n samples, its distance from the reference, and the true reward.

The proxy is the optimized reward, the gold reward is the true one. One row is one prompt with its N completions; log-
probabilities may be -inf.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from theory_jax.arguments import (
    require,
    require_at_least,
    require_log_probs,
    require_positive,
    require_rank,
    require_same_shape,
    require_values,
)
from theory_jax.mathematics.elementary import expm1, log1p

METHODS = ("best_of_n", "reinforcement")
# Gauss-Legendre on panels of width 1/2 from 0 to 14; the largest of 10^20 normals is near 9.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_X = (np.arange(28)[:, None] / 2 + 1 / 4 + _NODES / 4).ravel()
_DX = np.tile(_WEIGHTS / 4, 28)
_LOG_BELOW, _LOG_ABOVE = scipy.special.log_ndtr(_X), scipy.special.log_ndtr(-_X)


def best_of_n_log_probs(rewards, log_probs, *, samples):
    r"""log pi_n(i) = log[F(r_i)^n - F(r_i^-)^n] + log[p_i / P(r = r_i)], n = samples: the law of the best of n draws from p.

    F(r) = P(reward <= r), F(r^-) = P(reward < r); of several best draws one is chosen at random. The rewards have no gradient.

    Raises ValueError if the shapes differ, rewards has no completion or is not finite, a row of log_probs does not sum to one, or
    samples is below 1.  Source: Beirami et al. 2024, lemma 1 (without ties).
    [B, N], [B, N] -> [B, N]
    """
    require_at_least(1, samples=samples)
    require_rank(2, rewards=rewards)
    require_same_shape(rewards=rewards, log_probs=log_probs)
    require(rewards.shape[1] > 0, f"rewards has shape {list(rewards.shape)}; its last axis must not be empty")
    require_values("rewards", rewards, np.isfinite, "finite")
    require_log_probs(log_probs=log_probs)
    rewards = jax.lax.stop_gradient(rewards)
    one, other = rewards[:, :, None], rewards[:, None, :]
    up_to, _ = _log_total(log_probs, other <= one)
    below, some = _log_total(log_probs, other < one)
    # F(r)^n - F(r^-)^n = P(tie) (u^n - l^n)/(u - l), u = F(r), l = F(r^-): nothing is left of the tie but p_i.
    # (u^n - l^n)/(u - l) = u^(n-1) (1 - e^(-n step))/(1 - e^-step), step = log u - log l
    step = jnp.where(some, up_to - below, 1.0)
    spread = jnp.where(some, (samples - 1) * up_to + _log_geometric(step, samples), (samples - 1) * up_to)
    return jnp.where(jnp.isneginf(log_probs), -jnp.inf, log_probs + spread)


def best_of_n_kl_bound(*, samples):
    r"""log n - (n - 1)/n, n = samples, in nats: the divergence KL(pi_n || p) of the best of n draws is at most this.

    It is reached where the reward is continuous, so that no two draws are equal.

    Raises ValueError if samples is below 1.  Source: Hilton & Gao 2022, Measuring Goodhart's law; Beirami et al. 2024, theorem 1.
    -> []
    """
    require_at_least(1, samples=samples)
    return jnp.asarray(math.log(samples) - (samples - 1) / samples)


def expected_gold_reward(proxy, *, gold_mean, gold_variance, noise_variance):
    r"""E[g | P] = mu + k (P - mu), k = v_g / (v_g + v_n): the true reward to be expected at a proxy P = g + noise, all Gaussian.

    mu = gold_mean, v_g = gold_variance, v_n = noise_variance; the noise has mean 0 and is independent of g.

    Raises ValueError if proxy is not finite, gold_variance is not positive, or noise_variance is negative.
    Source: Manheim & Garrabrant 2018, regressional Goodhart; Gao et al. 2023, section 4.
    [B] -> [B]
    """
    require_positive(gold_variance=gold_variance)
    require_at_least(0, noise_variance=noise_variance)
    require_rank(1, proxy=proxy)
    require_values("proxy", proxy, np.isfinite, "finite")
    return gold_mean + gold_variance / (gold_variance + noise_variance) * (proxy - gold_mean)


def normal_maximum_mean(*, samples):
    r"""E[max(X_1, .., X_n)] of n = samples independent standard normals: the integral over x > 0 of 1 - Phi(x)^n - Phi(-x)^n.

    Raises ValueError if samples is below 1.  Source: David & Nagaraja 2003, Order statistics, section 3.1.
    -> []
    """
    require_at_least(1, samples=samples)
    return jnp.asarray(_DX @ (-np.expm1(samples * _LOG_BELOW) - np.exp(samples * _LOG_ABOVE)))


def overoptimization_curve(kl, *, gain, decay, method):
    r"""The gold reward, above that of the reference, at a divergence: d (alpha - beta d) or d (alpha - beta log d), d = kl^(1/2).

    alpha = gain, beta = decay; the first for method 'best_of_n', the second for 'reinforcement'. It is 0 at 0, where the slope is
    infinite, and given as 0.

    Raises ValueError if kl is negative or not finite, gain or decay is negative, or method is another.
    Source: Gao et al. 2023, section 3.1.
    [B] -> [B]
    """
    require(method in METHODS, f"method is {method!r}; it must be one of {', '.join(map(repr, METHODS))}")
    require_at_least(0, gain=gain, decay=decay)
    require_rank(1, kl=kl)
    require_values("kl", kl, lambda a: (a >= 0) & np.isfinite(a), "at least 0 and finite")
    moved = kl > 0
    kl = jnp.where(moved, kl, 1.0)
    d = jnp.sqrt(kl)
    lost = kl if method == "best_of_n" else d * jnp.log(kl) / 2
    return jnp.where(moved, gain * d - decay * lost, 0.0)


def _log_total(log_probs, among):
    """The logarithm of the probability of the completions `among`, [B, N] and [B, N, N] -> [B, N], and whether there is any.

    Where there is none, the logarithm is replaced by a finite number.
    """
    terms = jnp.where(among, log_probs[:, None, :], -jnp.inf)
    some = jnp.any(~jnp.isneginf(terms), axis=-1)
    return jax.nn.logsumexp(jnp.where(some[..., None], terms, 0.0), axis=-1), some


def _log_geometric(step, n):
    """log[(1 - e^(-n s))/(1 - e^-s)] for s >= 0: log n at s = 0, with three terms of its series nearby."""
    near = n * step < 1e-3
    series = math.log(n) - (n - 1) / 2 * step + (n**2 - 1) / 24 * step**2
    away = jnp.where(near, 1.0, step)
    return jnp.where(near, series, _log_complement(n * away) - _log_complement(away))


def _log_complement(x):
    """log(1 - e^-x), x > 0."""
    small = x < 0.5
    return jnp.where(small, jnp.log(-expm1(-jnp.where(small, x, 0.5))), log1p(-jnp.exp(-jnp.where(small, 0.5, x))))
