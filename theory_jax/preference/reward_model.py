"""Reward models (lecture 54): one number for a whole text, learned from comparisons, and how far it can be trusted.

A text is [T] tokens with a mask, True at the tokens that count. Rewards are real numbers in units of the logit of a preference.
"""

import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from theory_jax.autoregressive.transformer import DecoderTransformer
from theory_jax.preference.bradley_terry import preference_log_prob


def sequence_reward(hidden, mask, weight, bias):
    r"""w'h_tau + b, tau = the last position at which mask is True: one reward for the whole text. w = weight, b = bias.

    Other positions have no influence here; whether h_tau depends on padding is up to the network below.

    Raises ValueError if the shapes of hidden, mask, weight and bias do not fit, or mask leaves a row no token.
    Source: Stiennon et al. 2020, section 3.4.
    [B, T, E], [B, T], [E], [] -> [B]
    """
    require_rank(3, hidden=hidden)
    batch, length, width = jnp.shape(hidden)
    require(length > 0, f"hidden has shape {[batch, length, width]}; there must be at least one token")
    require_shape((batch, length), mask=mask)
    require_shape((width,), weight=weight)
    require_shape((), bias=bias)
    mask = jnp.asarray(mask).astype(bool)
    require_values("mask", mask, lambda a: np.any(a, axis=1, keepdims=True), "True at one token of every row at least")
    last = length - 1 - jnp.argmax(mask[:, ::-1], axis=1)
    return hidden[jnp.arange(batch), last] @ weight + bias


def pairwise_reward_loss(reward_chosen, reward_rejected, *, margin=0.0, center_coefficient=0.0):
    r"""-log sigma(r_c - r_r - m) + lambda (r_c + r_r)^2, in nats: m = margin, lambda = center_coefficient.

    Without lambda only differences count; with it the rewards of a pair are pulled to the sum 0.

    Raises ValueError if the shapes differ, a reward in reward_chosen or reward_rejected is not finite, or center_coefficient is
    negative.
    Source: Ouyang et al. 2022, eq. 1; Touvron et al. 2023, eq. 2 (the margin); Eisenstein et al. 2023 (the centering).
    [B], [B] -> [B]
    """
    require_at_least(0, center_coefficient=center_coefficient)
    _require_pairs(reward_chosen, reward_rejected)
    loss = -preference_log_prob(reward_chosen, reward_rejected, margin=margin)
    return loss + center_coefficient * (reward_chosen + reward_rejected) ** 2 if center_coefficient else loss


def preference_accuracy(reward_chosen, reward_rejected):
    r"""1 where reward_chosen is larger, 1/2 in a tie, 0 where it is smaller: it does not depend on the scale of the rewards.

    Raises ValueError if the shapes differ, or a reward in reward_chosen or reward_rejected is not finite.
    Source: Stiennon et al. 2020.
    [B], [B] -> [B]
    """
    _require_pairs(reward_chosen, reward_rejected)
    return (1 + jnp.sign(reward_chosen - reward_rejected)) / 2


def pessimistic_reward(rewards, *, pessimism):
    r"""mean - k s over an ensemble of M reward models, s^2 = mean squared distance from the mean, k = pessimism.

    It is never above the mean. Models that agree have s = 0; its gradient is taken as 0.

    Raises ValueError if rewards has no model or is not finite, or pessimism is negative.
    Source: Coste et al. 2024, uncertainty-weighted optimization (there with the variance).
    [M, B] -> [B]
    """
    require_at_least(0, pessimism=pessimism)
    require_rank(2, rewards=rewards)
    require(rewards.shape[0] > 0, f"rewards has shape {list(rewards.shape)}; there must be at least one model")
    require_values("rewards", rewards, np.isfinite, "finite")
    mean, deviation = _mean_and_deviation(rewards)
    return mean - pessimism * deviation


def standardize_rewards(rewards, reference_rewards, *, epsilon):
    r"""(r - mean) / (s + epsilon), mean and deviation s (s^2 = mean squared distance from the mean) those of reference_rewards.

    Comparisons leave shift and scale open; this states them in units of a fixed set of texts.

    Raises ValueError if reference_rewards is empty, one of rewards or reference_rewards is not finite, or epsilon is not
    positive.  Source: Ziegler et al. 2019, section 2.
    [B], [N] -> [B]
    """
    require_positive(epsilon=epsilon)
    require_rank(1, rewards=rewards, reference_rewards=reference_rewards)
    require(len(reference_rewards) > 0, "reference_rewards has no entry; there must be at least one")
    require_values("rewards", rewards, np.isfinite, "finite")
    require_values("reference_rewards", reference_rewards, np.isfinite, "finite")
    mean, deviation = _mean_and_deviation(reference_rewards)
    return (rewards - mean) / (deviation + epsilon)


def _mean_and_deviation(values):
    """Over the first axis; the deviation of equal values is 0, with the gradient 0."""
    mean = jnp.mean(values, axis=0)
    centered = values - mean
    variance = jnp.mean((centered - jnp.mean(centered, axis=0)) ** 2, axis=0)  # the first mean is rounded
    spread = variance > 0
    return mean, jnp.where(spread, jnp.sqrt(jnp.where(spread, variance, 1.0)), 0.0)


def _require_pairs(reward_chosen, reward_rejected):
    require_rank(1, reward_chosen=reward_chosen)
    require_same_shape(reward_chosen=reward_chosen, reward_rejected=reward_rejected)
    require_values("reward_chosen", reward_chosen, np.isfinite, "finite")
    require_values("reward_rejected", reward_rejected, np.isfinite, "finite")


class RewardModel(nnx.Module):
    """A decoder without its logits, and one linear head at the last token that counts: tokens [B, T], mask [B, T] -> [B]."""

    def __init__(self, *, vocabulary_size, context_length, width, layers, heads, rngs: nnx.Rngs):
        self.trunk = DecoderTransformer(
            vocabulary_size=vocabulary_size, context_length=context_length, width=width, layers=layers, heads=heads, rngs=rngs
        )
        self.head = nnx.Linear(width, 1, param_dtype=jnp.result_type(float), rngs=rngs)

    def __call__(self, tokens, mask):
        return sequence_reward(self.trunk.hidden(tokens), mask, self.head.kernel[...][:, 0], self.head.bias[...][0])
