"""Group-relative policies: other answers to the same question in place of a value function.

Rewards are [B, G]: G answers to each of B questions. Tokens are [B, T], a row for each answer, with a mask, 1 at the tokens that
count. Advantages and old or reference log-probabilities are constants: the caller stops their gradient.
"""

import torch

from practice_torch.arguments import (
    require,
    require_at_least,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
    require_values,
)
from practice_torch.reinforcement._process import counted_mask
from practice_torch.reinforcement._ratio import clipped_ratio
from practice_torch.reinforcement.kl_estimators import kl_k3

MODES = ("sequence_mean", "token_mean", "constant")


def leave_one_out_advantages(rewards):
    r"""A_i = r_i - sum_(j != i) r_j / (G - 1): the reward of an answer less the mean of the other answers' rewards.

    It is G/(G-1) times the distance from the mean of all. If all rewards are equal it is exactly 0.

    Raises ValueError if rewards is not finite or has fewer than two answers, G < 2.  Source: Kool et al. 2019;
    Ahmadian et al. 2024 (RLOO).
    [B, G] -> [B, G]
    """
    answers = _answers(rewards)
    # From the first answer on, so that equal rewards give exactly 0.
    apart = rewards - rewards[:, :1]
    return torch.sub(apart, apart.sum(1, keepdim=True) / answers) * (answers / (answers - 1))


def group_normalized_advantages(rewards, *, correction=1, epsilon=1e-4):
    r"""A_i = (r_i - mean r) / (s + epsilon), s^2 = sum_j (r_j - mean r)^2 / (G - correction), over the G answers to a question.

    If all rewards are equal it is exactly 0.

    Raises ValueError if rewards is not finite or has fewer than two answers, G < 2, correction is not 0 or 1, or epsilon is not
    positive.  Source: Shao et al. 2024, section 4.1 (GRPO); it does not say which correction.
    [B, G] -> [B, G]
    """
    require(correction in (0, 1), f"correction is {correction}; it must be 0 or 1")
    require_positive(epsilon=epsilon)
    answers = _answers(rewards)
    apart = rewards - rewards[:, :1]
    centered = apart - apart.sum(1, keepdim=True) / answers
    # A norm has a slope at 0, which a standard deviation has not.
    deviation = torch.linalg.vector_norm(centered, dim=1, keepdim=True) / (answers - correction) ** 0.5
    return centered / (deviation + epsilon)


def group_token_loss(log_probs, old_log_probs, reference_log_probs, advantages, mask, *, clip_low, clip_high, kl_coefficient):
    r"""max(-rho_t A, -min(max(rho_t, 1 - clip_low), 1 + clip_high) A) + beta k3_t of every token that counts, elsewhere 0.

    rho_t = e^(log_probs - old_log_probs), A the one advantage of the answer, beta = kl_coefficient, and
    k3_t = e^d - 1 - d with d = reference_log_probs - log_probs, in nats. Values at masked tokens have no influence.

    Raises ValueError if the shapes do not fit, mask holds anything but 0 and 1 or leaves a row no token, advantages or what
    counts in log_probs, old_log_probs or reference_log_probs is not finite, clip_low is not between 0 and 1, clip_high is not
    positive, or kl_coefficient is negative.  Source: Shao et al. 2024, eqs. 3 and 4; Yu et al. 2025 (two clips).
    [B, T], [B, T], [B, T], [B], [B, T] -> [B, T]
    """
    require(0 < clip_low < 1, f"clip_low is {clip_low}; it must be between 0 and 1")
    require_positive(clip_high=clip_high)
    require_at_least(0, kl_coefficient=kl_coefficient)
    hidden, log_probs, old_log_probs, reference_log_probs = _of_tokens(
        mask, log_probs=log_probs, old_log_probs=old_log_probs, reference_log_probs=reference_log_probs
    )
    require_one_each(log_probs, advantages=advantages)
    require_values("advantages", advantages, torch.isfinite, "finite")
    advantages = advantages.unsqueeze(1)
    losses = -advantages * clipped_ratio(log_probs - old_log_probs, advantages, clip_low, clip_high)
    if kl_coefficient > 0:
        losses = losses.add(kl_k3(log_probs, reference_log_probs), alpha=kl_coefficient)
    return losses.masked_fill(hidden, 0.0)


def aggregate_tokens(losses, mask, *, mode, constant_length=None):
    r"""One loss of all tokens that count: the reduction over B and T is inherent.

    mode "sequence_mean": the mean over answers of the mean over an answer's tokens (GRPO). "token_mean": the mean over the
    tokens of all answers (DAPO). "constant": the sum over all tokens / (B constant_length) (Dr. GRPO).

    Raises ValueError if losses is empty or, where it counts, not finite, the shapes differ, mask holds anything but 0 and 1 or
    leaves a row no token, mode is none of the three, or with "constant" constant_length is not positive.
    Source: Shao et al. 2024, eq. 3; Yu et al. 2025; Liu et al. 2025.
    [B, T], [B, T] -> []
    """
    require(mode in MODES, f"mode is {mode!r}; it must be one of {', '.join(map(repr, MODES))}")
    require(
        mode != "constant" or (constant_length or 0) > 0,
        f"constant_length is {constant_length}; with mode 'constant' it must be positive",
    )
    hidden, losses = _of_tokens(mask, losses=losses)
    require(len(losses) > 0, f"losses has shape {list(losses.shape)}; a mean needs at least one answer")
    if mode == "constant":
        return losses.sum() / (len(losses) * constant_length)
    if mode == "token_mean":
        return losses.sum() / (~hidden).sum()
    return (losses.sum(1) / (~hidden).sum(1)).mean()


def sequence_ratio(log_probs, old_log_probs, mask, *, length_normalized):
    r"""The ratio of a whole answer, new policy to old: the product of its tokens' ratios, or their geometric mean.

    e^(sum_t d_t) or, if length_normalized, e^(sum_t d_t / L) with d = log_probs - old_log_probs over the L tokens that count.

    Raises ValueError if the shapes differ, mask holds anything but 0 and 1 or leaves a row no token, or what counts in log_probs
    or old_log_probs is not finite.  Source: Zheng et al. 2025 (GSPO).
    [B, T], [B, T], [B, T] -> [B]
    """
    hidden, log_probs, old_log_probs = _of_tokens(mask, log_probs=log_probs, old_log_probs=old_log_probs)
    total = (log_probs - old_log_probs).sum(1)
    return (total / (~hidden).sum(1) if length_normalized else total).exp()


def _answers(rewards):
    """G, of rewards that are [B, G], finite, and of two answers at least."""
    require_rank(2, rewards=rewards)
    require(rewards.shape[1] > 1, f"rewards has shape {list(rewards.shape)}; a question needs at least two answers, G >= 2")
    require_values("rewards", rewards, torch.isfinite, "finite")
    return rewards.shape[1]


def _of_tokens(mask, **tokens):
    """The positions that do not count, and the named tensors, all [B, T], with 0 there and finite elsewhere."""
    (first, tensor), *_ = tokens.items()
    require_rank(2, **{first: tensor})
    require_same_shape(**tokens)
    hidden = ~counted_mask(mask, **{first: tensor})
    counted = [tensor.masked_fill(hidden, 0.0) for tensor in tokens.values()]
    for name, tensor in zip(tokens, counted, strict=True):
        require_values(name, tensor, torch.isfinite, "finite where the mask is 1")
    return hidden, *counted
