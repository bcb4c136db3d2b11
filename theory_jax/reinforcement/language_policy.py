"""A language model as a policy (lecture 51): states are prefixes, actions are tokens, and the reward comes at the end.

Sampled texts are [B, T] with a mask, True at the tokens that count: the answer, neither prompt nor padding. All texts of a small
space are [B, N], or a tree: `rewards` has one axis for each token, and the reference is a tuple of T tables, the t-th with an
axis for each token of the prefix and one for the next.
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_log_probs,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_tokens,
    require_values,
    widened,
)
from theory_jax.reinforcement._process import counted_mask


def masked_token_log_probs(tokens, logits, mask):
    r"""log pi(x_t|x_<t) = log softmax(logits_t)_{x_t}, in nats, 0 where masked; logits_t scores tokens_t. mask: True = counts.

    Tokens and logits at masked positions have no influence.

    Raises ValueError if the shapes do not fit, mask holds anything but 0 and 1 or leaves a row no token, or a token
    that counts is outside 0..V-1.  Source: Ziegler et al. 2019, section 2.
    [B, T], [B, T, V], [B, T] -> [B, T]
    """
    require_rank(2, tokens=tokens)
    require_rank(3, logits=logits)
    fits = logits.shape[:2] == tokens.shape
    require(fits, f"logits has shape {list(logits.shape)}; it must begin with the shape of tokens, {list(tokens.shape)}")
    mask = counted_mask(mask, tokens=tokens)
    tokens = jnp.where(mask, widened(tokens), 0)
    require_tokens(logits.shape[2], tokens=tokens)
    # Masked before the logarithm: padding may hold infinities, with NaN gradients.
    log_probs = jax.nn.log_softmax(jnp.where(mask[..., None], logits, 0.0), axis=-1)
    return jnp.where(mask, jnp.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0], 0.0)


def shaped_rewards(score, log_probs, reference_log_probs, mask, *, kl_coefficient):
    r"""r_t = -beta (log pi(x_t|x_<t) - log pi_0(x_t|x_<t)) + score at the last token that counts; beta = kl_coefficient.

    They sum to score - beta log pi(x) / pi_0(x); they are 0 where masked, and values there have no influence.

    Raises ValueError if the shapes differ, mask holds anything but 0 and 1 or leaves a row no token, score is not
    finite, a log-probability that counts in log_probs or reference_log_probs is not finite, or kl_coefficient is negative.
    Source: Ziegler et al. 2019, eq. 2.
    [B], [B, T], [B, T], [B, T] -> [B, T]
    """
    require_at_least(0, kl_coefficient=kl_coefficient)
    require_rank(2, log_probs=log_probs)
    require_same_shape(log_probs=log_probs, reference_log_probs=reference_log_probs)
    require_shape(log_probs.shape[:1], score=score)
    mask = counted_mask(mask, log_probs=log_probs)
    require_values("score", score, np.isfinite, "finite")
    log_probs, reference_log_probs = jnp.where(mask, log_probs, 0.0), jnp.where(mask, reference_log_probs, 0.0)
    require_values("log_probs", log_probs, np.isfinite, "finite where the mask is True")
    require_values("reference_log_probs", reference_log_probs, np.isfinite, "finite where the mask is True")
    left = jnp.cumsum(widened(mask.astype(int))[:, ::-1], axis=1)[:, ::-1]
    return jnp.where(mask & (left == 1), score[:, None], 0.0) - kl_coefficient * (log_probs - reference_log_probs)


def kl_regularized_objective(log_probs, reference_log_probs, rewards, *, kl_coefficient):
    r"""J(pi) = sum_x pi(x) (r(x) - beta log pi(x) / pi_0(x)) over all N texts, beta = kl_coefficient; 0 log 0 = 0.

    With beta > 0 it is -inf, with the gradient 0, where pi does what the reference never does.

    Raises ValueError if the shapes differ, there is no text, a row of log_probs or reference_log_probs does not sum to one,
    rewards is not finite, or kl_coefficient is negative.  Source: Stiennon et al. 2020, section 3.4; Rafailov et al. 2023, eq. 3.
    [B, N], [B, N], [B, N] -> [B]
    """
    require_at_least(0, kl_coefficient=kl_coefficient)
    require_rank(2, log_probs=log_probs)
    require_same_shape(log_probs=log_probs, reference_log_probs=reference_log_probs, rewards=rewards)
    require(log_probs.shape[1] > 0, f"log_probs has shape {list(log_probs.shape)}; there must be at least one text")
    require_log_probs(log_probs=log_probs, reference_log_probs=reference_log_probs)
    require_values("rewards", rewards, np.isfinite, "finite")
    done, possible = ~jnp.isneginf(log_probs), ~jnp.isneginf(reference_log_probs)
    both = done & possible
    cost = kl_coefficient * (jnp.where(both, log_probs, 0.0) - jnp.where(both, reference_log_probs, 0.0))
    value = jnp.sum(jnp.exp(log_probs) * (rewards - cost), axis=-1)
    return jnp.where(jnp.any(done & ~possible, axis=-1) & (kl_coefficient > 0), -jnp.inf, value)


def backward_soft_values(rewards, reference_log_probs, *, kl_coefficient):
    r"""v_T = rewards, v_{t-1}(x_<t) = beta log sum_y pi_0(y|x_<t) e^(v_t(x_<t y) / beta): (v_0, .., v_{T-1}).

    beta = kl_coefficient. v_t has one axis for each of the t tokens of a prefix; v_0 = beta log Z is the largest value of the
    regularized objective.

    Raises ValueError if rewards has no axis or is not finite, reference_log_probs is not one table [V]*(t+1) for each token, a
    row of it does not sum to one, or kl_coefficient is not positive.  Source: Rafailov et al. 2024, From r to Q*, eq. 6.
    [V, ...], ([...]) -> ([...])
    """
    return tuple(value for value, _ in _backwards(rewards, reference_log_probs, kl_coefficient))


def optimal_token_log_probs(rewards, reference_log_probs, *, kl_coefficient):
    r"""log pi_*(x_t|x_<t) = log pi_0(x_t|x_<t) + (v_t(x_<=t) - v_{t-1}(x_<t)) / beta, for t = 1..T: the best policy by tokens.

    Their sum over t is log pi_0(x) + r(x) / beta - log Z. What the reference never does stays at -inf.

    Raises ValueError if rewards has no axis or is not finite, reference_log_probs is not one table [V]*(t+1) for each token, a
    row of it does not sum to one, or kl_coefficient is not positive.  Source: Rafailov et al. 2024, From r to Q*, eq. 7.
    [V, ...], ([...]) -> ([...])
    """
    return tuple(
        jax.nn.log_softmax(exponents, axis=-1) for _, exponents in _backwards(rewards, reference_log_probs, kl_coefficient)
    )


def _backwards(rewards, reference_log_probs, kl_coefficient):
    """(v_{t-1}, log pi_0 + v_t / beta less its largest value) for t = 1..T, computed from the last token to the first."""
    require_positive(kl_coefficient=kl_coefficient)
    length, shape = jnp.ndim(rewards), list(jnp.shape(rewards))
    require(length > 0 and jnp.size(rewards) > 0, f"rewards has shape {shape}; it must have an axis for each token")
    require(
        len(reference_log_probs) == length,
        f"reference_log_probs has {len(reference_log_probs)} tables; it must have one for each of the {length} axes of rewards",
    )
    for t, table in enumerate(reference_log_probs, start=1):
        require_shape(rewards.shape[:t], reference_log_probs=table)
        require_log_probs(reference_log_probs=table)
    require_values("rewards", rewards, np.isfinite, "finite")
    value, steps = rewards, []
    for table in reversed(reference_log_probs):
        # Around the best token, so that a small coefficient divides a difference.
        best = jax.lax.stop_gradient(jnp.max(jnp.where(jnp.isneginf(table), -jnp.inf, value), axis=-1))
        exponents = table + (value - best[..., None]) / kl_coefficient
        value = best + kl_coefficient * jax.nn.logsumexp(exponents, axis=-1)
        steps.append((value, exponents))
    return steps[::-1]
