"""Estimators of a KL divergence (lecture 51): three functions of one sample, their means, their variances and their gradients.

Log-probabilities of samples from the policy come in, of tokens or of whole texts.
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_positive, require_rank, require_same_shape, require_values
from theory_jax.mathematics.elementary import exponential_remainder


def kl_k1(log_probs, reference_log_probs):
    r"""k_1 = log pi(x) - log pi_0(x), x ~ pi: unbiased for KL(pi || pi_0), in nats, of either sign.

    As a loss it does nothing: its expected gradient is 0. +inf where the reference never goes.

    Raises ValueError if the shapes differ, log_probs is not finite (a sample has positive probability), or
    reference_log_probs is NaN or +inf.  Source: Schulman 2020, Approximating KL divergence.
    [...], [...] -> [...]
    """
    _require_samples(log_probs, reference_log_probs)
    return log_probs - reference_log_probs


def kl_k2(log_probs, reference_log_probs):
    r"""k_2 = 1/2 (log pi(x) - log pi_0(x))^2, x ~ pi: never negative, biased for KL(pi || pi_0), in nats.

    As a loss it has the expected gradient of KL(pi || pi_0). +inf where the reference never goes.

    Raises ValueError if the shapes differ, log_probs is not finite (a sample has positive probability), or
    reference_log_probs is NaN or +inf.  Source: Schulman 2020, Approximating KL divergence.
    [...], [...] -> [...]
    """
    _require_samples(log_probs, reference_log_probs)
    return (log_probs - reference_log_probs) ** 2 / 2


def kl_k3(log_probs, reference_log_probs):
    r"""k_3 = e^d - 1 - d, d = log pi_0(x) - log pi(x), x ~ pi: never negative, unbiased for KL(pi || pi_0), in nats.

    As a loss it has the expected gradient of KL(pi_0 || pi). +inf where the reference never goes. Its relative accuracy is full,
    however close the two are.

    Raises ValueError if the shapes differ, log_probs is not finite (a sample has positive probability), or
    reference_log_probs is NaN or +inf.  Source: Schulman 2020, Approximating KL divergence; Shao et al. 2024, eq. 4.
    [...], [...] -> [...]
    """
    _require_samples(log_probs, reference_log_probs)
    return exponential_remainder(reference_log_probs - log_probs)


def token_kl(logits, reference_logits):
    r"""KL(pi || pi_0) = sum_v pi(v) (log pi(v) - log pi_0(v)) of two softmaxes over the last axis, in nats.

    Summed as pi_0(v) - pi(v) + pi(v) (log pi(v) - log pi_0(v)), of which no term is negative, so that no rounding of large terms
    hides a small divergence. +inf, with the gradient 0, where the reference never does what pi does.

    Raises ValueError if the shapes differ, or a row of logits or reference_logits has no finite largest entry.
    Source: Cover & Thomas, eq. 2.26.
    [..., V], [..., V] -> [...]
    """
    require_same_shape(logits=logits, reference_logits=reference_logits)
    for name, array in (("logits", logits), ("reference_logits", reference_logits)):
        shape = jnp.shape(array)
        require(shape and shape[-1] > 0, f"{name} has shape {list(shape)}; its last axis must not be empty")
        highest = jnp.max(array, axis=-1, keepdims=True)
        require_values(name, highest, np.isfinite, "finite in the largest entry of every row")
    log_p, log_q = jax.nn.log_softmax(logits), jax.nn.log_softmax(reference_logits)
    in_p, in_q = ~jnp.isneginf(log_p), ~jnp.isneginf(log_q)
    both = in_p & in_q
    p, q = jnp.exp(log_p), jnp.exp(log_q)
    d = jnp.where(both, log_q - log_p, 0.0)
    near = jnp.abs(d) < 1
    # Far from 0, e^d may overflow where its product with p, which is q, does not.
    excess = jnp.where(near, p * exponential_remainder(jnp.where(near, d, 0.0)), q - p - p * d)
    total = jnp.sum(jnp.where(in_p, excess, q), axis=-1)
    return jnp.where(jnp.any(in_p & ~in_q, axis=-1), jnp.inf, total)


def adaptive_coefficient(coefficient, observed_kl, *, target, gain, clip=0.2):
    r"""beta' = beta (1 + gain clip(observed_kl / target - 1, -clip, clip)): the next coefficient of the divergence.

    It stays as it is if the divergence is on target, and changes by the share gain * clip at most, so it stays positive.

    Raises ValueError if coefficient, target, gain or clip is not positive, observed_kl is not finite, or gain * clip is not below
    1.  Source: Ziegler et al. 2019, section 2.2.
    [], [] -> []
    """
    require_positive(target=target, gain=gain, clip=clip)
    require(
        gain * clip < 1, f"gain is {gain} and clip {clip}; their product must be below 1, so that the coefficient stays positive"
    )
    require_rank(0, coefficient=coefficient, observed_kl=observed_kl)
    require_values("coefficient", coefficient, lambda a: a > 0, "positive")
    require_values("observed_kl", observed_kl, np.isfinite, "finite")
    return coefficient * (1 + gain * jnp.clip(observed_kl / target - 1, -clip, clip))


def _require_samples(log_probs, reference_log_probs):
    require_same_shape(log_probs=log_probs, reference_log_probs=reference_log_probs)
    require_values("log_probs", log_probs, np.isfinite, "finite: a sample has positive probability")
    require_values("reference_log_probs", reference_log_probs, lambda a: a < np.inf, "a logarithm, neither NaN nor +inf")
