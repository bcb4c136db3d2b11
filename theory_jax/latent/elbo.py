"""The evidence lower bound (lecture 17), its importance-weighted and Renyi relatives, and how far each is from log p(x).

z_s is drawn from q(z|x), w_s = p(x, z_s) / q(z_s|x) is its weight, and every function sees log p(x, z_s) and log q(z_s|x).
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_log_probs, require_rank, require_same_shape
from theory_jax.foundations.jensen import log_mean_exp


def elbo(log_joint, log_q):
    r"""The evidence lower bound from S samples of q: mean_s (log p(x, z_s) - log q(z_s|x)), in nats.

    Raises ValueError if the shapes differ or S = 0.  Source: Jordan et al. 1999; Kingma & Welling 2014, eq. 2.
    [B, S], [B, S] -> [B]
    """
    return jnp.mean(_log_weights(log_joint, log_q), axis=-1)


def importance_weighted_bound(log_joint, log_q):
    r"""log (1/S) sum_s p(x, z_s) / q(z_s|x), in nats: the bound L_S of the importance-weighted autoencoder.

    Raises ValueError if the shapes differ or S = 0.  Source: Burda et al. 2016, section 3.
    [B, S], [B, S] -> [B]
    """
    return log_mean_exp(_log_weights(log_joint, log_q))


def renyi_bound(log_joint, log_q, *, order):
    r"""1/(1 - order) log mean_s w_s^(1 - order), in nats; at order 1 its limit, the ELBO.

    Order 0 is the importance-weighted bound; the bound falls as the order grows.

    Raises ValueError if the shapes differ, S = 0 or order < 0.  Source: Li & Turner 2016, section 3.
    [B, S], [B, S] -> [B]
    """
    require_at_least(0, order=order)
    if order == 1:
        return elbo(log_joint, log_q)
    power = 1 - order
    scaled = power * _log_weights(log_joint, log_q)
    top = jax.lax.stop_gradient(jnp.max(scaled, axis=-1, keepdims=True))
    below = scaled - jnp.where(jnp.isfinite(top), top, 0.0)
    # Near order 1 every exponential is nearly 1 and only its difference from 1 matters; far from it, only its logarithm.
    close = jnp.log1p(jnp.mean(jnp.expm1(jnp.maximum(below, -1.0)), axis=-1))
    log_mean = jnp.where(jnp.min(below, axis=-1) > -1.0, close, log_mean_exp(below))
    return (jnp.where(jnp.isfinite(top), top, 0.0)[..., 0] + log_mean) / power


def normalized_importance_weights(log_joint, log_q):
    r"""w_s / sum_r w_r: the weights of the S samples, normalized for each x.

    Raises ValueError if the shapes differ or S = 0.  Source: Burda et al. 2016, section 3.
    [B, S], [B, S] -> [B, S]
    """
    return jax.nn.softmax(_log_weights(log_joint, log_q), axis=-1)


def effective_sample_size(log_joint, log_q):
    r"""1 / sum_s w~_s^2 of the normalized weights: S where they are equal, near 1 where one dominates.

    Raises ValueError if the shapes differ or S = 0.  Source: Kong 1992.
    [B, S], [B, S] -> [B]
    """
    return 1 / jnp.sum(normalized_importance_weights(log_joint, log_q) ** 2, axis=-1)


def exact_elbo(log_joint, log_q):
    r"""sum_k q(z_k|x) (log p(x, z_k) - log q(z_k|x)) over all K states of a finite z, in nats; 0 log 0 = 0.

    Raises ValueError if the shapes differ, K = 0 or a row of log_q does not sum to one.  Source: Neal & Hinton 1998.
    [B, K], [B, K] -> [B]
    """
    _require_pair(log_joint, log_q)
    require_log_probs(log_q=log_q)
    # Both logarithms are replaced where q = 0, before they are subtracted: 0 * inf would be NaN in value and in gradient.
    possible = ~jnp.isneginf(log_q)
    log_ratio = jnp.where(possible, log_joint, 0.0) - jnp.where(possible, log_q, 0.0)
    return jnp.sum(jnp.exp(log_q) * log_ratio, axis=-1)


def _log_weights(log_joint, log_q):
    """log w_s = log p(x, z_s) - log q(z_s|x)."""
    _require_pair(log_joint, log_q)
    return log_joint - log_q


def _require_pair(log_joint, log_q):
    require_rank(2, log_joint=log_joint)
    require_same_shape(log_joint=log_joint, log_q=log_q)
    require(log_joint.shape[1] > 0, f"log_joint has shape {list(log_joint.shape)}; its last axis must not be empty")
