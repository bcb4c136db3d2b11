"""From supervised fine-tuning to preferences: masks, rewards and win rates.

Texts are [B, T] with a mask `completion`, True at the tokens that answer the prompt. `logits` are those of a language model at
the same positions: logits[:, t] score tokens[:, t+1].
"""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_tokens,
    require_values,
)
from practice_torch.reinforcement.language_policy import masked_token_log_probs


def completion_mask(prompt_lengths, lengths, *, width):
    r"""m_t = 1[prompt length <= t < length], t = 0..width-1: True at the tokens of the completion, False in prompt and padding.

    Raises ValueError if the shapes differ, width or an entry of prompt_lengths is negative, or lengths does not lie between
    prompt_lengths + 1, for a completion has a token, and width.  Source: Ouyang et al. 2022, section 3.5.
    [B], [B] -> [B, T]
    """
    require_at_least(0, width=width)
    require_rank(1, prompt_lengths=prompt_lengths)
    require_integers(prompt_lengths=prompt_lengths, lengths=lengths)
    require_one_each(prompt_lengths, lengths=lengths)
    prompt_lengths, lengths = as_int64(prompt_lengths), as_int64(lengths)
    require_values("prompt_lengths", prompt_lengths, lambda a: a >= 0, "at least 0")
    require_values("lengths", lengths, lambda a: a <= width, f"at most the width, {width}")
    require_values("lengths", lengths, lambda a: a > prompt_lengths, "above prompt_lengths: a completion has a token")
    steps = torch.arange(width, device=lengths.device)
    return (prompt_lengths[:, None] <= steps) & (steps < lengths[:, None])


def completion_log_prob(tokens, logits, completion):
    r"""sum_{t >= 1} m_t log p(x_t|x_<t), in nats, m = completion; log p(x_t|x_<t) = log softmax(logits[:, t-1])_{x_t}.

    It is log pi(completion|prompt). The text's first token has no logits: if it counts, the others are scored given it.
    Other tokens, and the logits that score them, have no influence.

    Raises ValueError if the shapes do not fit, completion has a row that is True at no token after the first, or a token that
    counts is outside 0..V-1 in tokens.  Source: Rafailov et al. 2023, section 4.
    [B, T], [B, T, V], [B, T] -> [B]
    """
    return _scored(tokens, logits, completion)[0]


def supervised_loss(tokens, logits, completion):
    r"""-1/n sum_{t >= 1} m_t log p(x_t|x_<t), n = sum_{t >= 1} m_t, in nats a token: minus completion_log_prob per scored token.

    Raises ValueError as completion_log_prob does.  Source: Ouyang et al. 2022, section 3.5.
    [B, T], [B, T, V], [B, T] -> [B]
    """
    log_prob, scored = _scored(tokens, logits, completion)
    return -log_prob / scored


def win_rate(scores_first, scores_second):
    r"""1/N sum_n (1[a_n > b_n] + 1/2 1[a_n = b_n]), a = scores_first, b = scores_second: how often the first wins, ties half.

    The mean over the N comparisons is inherent. It has no slope.

    Raises ValueError if the shapes differ, there is no comparison in scores_first, or an entry of scores_first or scores_second
    is NaN.  Source: Rafailov et al. 2023, section 6.
    [N], [N] -> []
    """
    require_rank(1, scores_first=scores_first)
    require_same_shape(scores_first=scores_first, scores_second=scores_second)
    require(len(scores_first) > 0, "scores_first is empty: a win rate of no comparison is not defined")
    for name, scores in {"scores_first": scores_first, "scores_second": scores_second}.items():
        require_values(name, scores, lambda a: ~a.isnan(), "a number: NaN neither wins nor loses")
    won, not_lost = scores_first > scores_second, scores_first >= scores_second
    dtype = scores_first.dtype if scores_first.is_floating_point() else torch.get_default_dtype()  # scores may be whole numbers
    return (won.to(dtype) + not_lost.to(dtype)).mean() / 2


def token_class_score(tokens, completion, token_values):
    r"""1/n sum_t m_t v_{x_t}, m = completion, n = sum_t m_t, v = token_values: the mean value of the completion's tokens.

    A preference that a program can judge: vowels are worth 1 and digits -1, say. The prompt does not enter.

    Raises ValueError if the shapes do not fit, completion has a row without a token, a token that counts is outside 0..V-1 in
    tokens, or token_values is not finite.  Source: Ziegler et al. 2019, section 3 (programmatic rewards).
    [B, T], [B, T], [V] -> [B]
    """
    require_rank(1, token_values=token_values)
    require_values("token_values", token_values, torch.isfinite, "finite")
    completion = _counted(tokens, completion)
    tokens = as_int64(tokens).masked_fill(~completion, 0)
    require_tokens(len(token_values), tokens=tokens)
    weights = completion.to(token_values.dtype)
    return (weights * token_values[tokens]).sum(dim=1) / weights.sum(dim=1)


def _scored(tokens, logits, completion):
    """The completion's log-probability, and how many of its tokens have one: all but the text's first."""
    require_rank(3, logits=logits)
    completion = _counted(tokens, completion, first=1)
    fits = logits.shape[:2] == tokens.shape
    require(fits, f"logits has shape {list(logits.shape)}; it must begin with the shape of tokens, {list(tokens.shape)}")
    scored = completion[:, 1:]
    return masked_token_log_probs(tokens[:, 1:], logits[:, :-1], scored).sum(dim=1), scored.sum(dim=1)


def _counted(tokens, completion, first=0):
    """The mask as booleans, of the shape of the tokens, True in every row at a token from the first on."""
    require_rank(2, tokens=tokens)
    require_integers(tokens=tokens)
    require_same_shape(tokens=tokens, completion=completion)
    completion = completion.bool()
    words = "True at a token after the first" if first else "True at a token"
    require_values("completion", completion, lambda a: a[:, first:].any(dim=1, keepdim=True), f"{words} in every row")
    return completion
