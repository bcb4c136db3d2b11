"""A language model as a policy: log-probabilities of its tokens, rewards for them, and the best policy on a tree of prefixes.

Texts are [B, T] with a mask, True at the tokens that count: the answer, neither prompt nor padding.
"""

import torch
from torch.nn import functional

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_log_probs,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_tokens,
    require_values,
)
from practice_torch.reinforcement._process import counted_mask


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
    hidden = ~counted_mask(mask, tokens=tokens)
    tokens = as_int64(tokens).masked_fill(hidden, 0)
    require_tokens(logits.shape[2], tokens=tokens)
    logits = logits.masked_fill(hidden.unsqueeze(-1), 0.0)
    losses = functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape)
    return -losses.masked_fill(hidden, 0.0)


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
    hidden = ~counted_mask(mask, log_probs=log_probs)
    require_values("score", score, torch.isfinite, "finite")
    log_probs, reference_log_probs = log_probs.masked_fill(hidden, 0.0), reference_log_probs.masked_fill(hidden, 0.0)
    require_values("log_probs", log_probs, torch.isfinite, "finite where the mask is True")
    require_values("reference_log_probs", reference_log_probs, torch.isfinite, "finite where the mask is True")
    positions = torch.arange(1, hidden.shape[1] + 1, device=hidden.device).masked_fill(hidden, 0)
    last = positions.argmax(dim=1, keepdim=True)
    return (kl_coefficient * (reference_log_probs - log_probs)).scatter_add(1, last, score.unsqueeze(1))


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
    require_values("rewards", rewards, torch.isfinite, "finite")
    never, impossible = log_probs == -torch.inf, reference_log_probs == -torch.inf
    either = never | impossible
    log_ratio = log_probs.masked_fill(either, 0.0) - reference_log_probs.masked_fill(either, 0.0)
    value = torch.linalg.vecdot(log_probs.exp(), rewards - kl_coefficient * log_ratio)
    return value if kl_coefficient == 0 else value.masked_fill((impossible & ~never).any(dim=-1), -torch.inf)


def backward_soft_values(rewards, reference_log_probs, *, kl_coefficient):
    r"""v_T = rewards, v_{t-1}(x_<t) = beta log sum_y pi_0(y|x_<t) e^(v_t(x_<t y) / beta): (v_0, .., v_{T-1}).

    beta = kl_coefficient. v_t has one axis for each of the t tokens of a prefix; v_0 = beta log Z is the largest value of the
    regularized objective.

    Raises ValueError if rewards has no axis or is not finite, reference_log_probs is not one table [V]*(t+1) for each token, a
    row of it does not sum to one, or kl_coefficient is not positive.  Source: Rafailov et al. 2024, From r to Q*, eq. 6.
    [V, ...], ([...]) -> ([...])
    """
    _require_tree(rewards, reference_log_probs, kl_coefficient)
    values = [rewards]
    for table in reversed(reference_log_probs):
        values.append(_soft_maximum(values[-1], table, kl_coefficient))
    return tuple(values[:0:-1])


def optimal_token_log_probs(rewards, reference_log_probs, *, kl_coefficient):
    r"""log pi_*(x_t|x_<t) = log pi_0(x_t|x_<t) + (v_t(x_<=t) - v_{t-1}(x_<t)) / beta, for t = 1..T: the best policy by tokens.

    Their sum over t is log pi_0(x) + r(x) / beta - log Z. What the reference never does stays at -inf.

    Raises ValueError if rewards has no axis or is not finite, reference_log_probs is not one table [V]*(t+1) for each token, a
    row of it does not sum to one, or kl_coefficient is not positive.  Source: Rafailov et al. 2024, From r to Q*, eq. 7.
    [V, ...], ([...]) -> ([...])
    """
    values = (*backward_soft_values(rewards, reference_log_probs, kl_coefficient=kl_coefficient), rewards)
    return tuple(
        (table + (after - before.unsqueeze(-1)) / kl_coefficient).log_softmax(dim=-1)  # again: rounding is divided, too
        for table, before, after in zip(reference_log_probs, values[:-1], values[1:], strict=True)
    )


def _soft_maximum(value, table, kl_coefficient):
    """beta log sum_y pi_0(y) e^(v(y) / beta), around the best token that the reference does."""
    best = value.detach().masked_fill(table == -torch.inf, -torch.inf).amax(dim=-1)
    exponents = table + (value - best.unsqueeze(-1)) / kl_coefficient
    return torch.add(best, exponents.logsumexp(dim=-1), alpha=kl_coefficient)


def _require_tree(rewards, reference_log_probs, kl_coefficient):
    require_positive(kl_coefficient=kl_coefficient)
    length = rewards.ndim
    require(length > 0 and rewards.numel() > 0, f"rewards has shape {list(rewards.shape)}; it must have an axis for each token")
    require(
        len(reference_log_probs) == length,
        f"reference_log_probs has {len(reference_log_probs)} tables; it must have one for each of the {length} axes of rewards",
    )
    for t, table in enumerate(reference_log_probs, start=1):
        require_shape(rewards.shape[:t], reference_log_probs=table)
        require_log_probs(reference_log_probs=table)
    require_values("rewards", rewards, torch.isfinite, "finite")
