"""The loss of a language model: pairs of neighbors, smoothed cross-entropy token by token, its mean, and the tied head."""

import torch
from torch.nn import functional

from practice_torch.arguments import (
    as_int64,
    require,
    require_rank,
    require_same_shape,
    require_share,
    require_tokens,
    require_values,
)


def next_token_pairs(tokens, mask):
    r"""Inputs x_1..x_(T-1), targets x_2..x_T, and where both are valid. mask: True = valid; None = all valid.

    This is the only shift there is: logits of the inputs are aligned with the targets.

    Raises ValueError if there are fewer than two steps or the shapes differ.  Source: Williams & Zipser 1989 (teacher forcing).
    [B, T], [B, T] -> [B, T-1], [B, T-1], [B, T-1]
    """
    require_rank(2, tokens=tokens)
    steps = tokens.shape[1]
    require(steps >= 2, f"tokens has {steps} steps; it must have at least 2, one to predict the other from")
    tokens = as_int64(tokens)
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    if mask is None:
        return inputs, targets, torch.ones_like(targets, dtype=torch.bool)
    require_same_shape(tokens=tokens, mask=mask)
    valid = mask.bool()
    return inputs, targets, valid[:, :-1] & valid[:, 1:]


def token_cross_entropy(targets, logits, mask, *, label_smoothing=0.0):
    r"""-sum_v q_v log softmax(logits)_v with q = (1 - s) e_y + s/V, in nats: s = label_smoothing, y the target; 0 where masked.

    Targets and logits at masked positions have no influence.

    Raises ValueError if the shapes do not fit, a valid target is outside 0..V-1 or label_smoothing is outside [0, 1].
    Source: Szegedy et al. 2016, section 7.
    [B, T], [B, T, V], [B, T] -> [B, T]
    """
    require_rank(2, targets=targets)
    require_rank(3, logits=logits)
    require(
        logits.shape[:2] == targets.shape,
        f"logits has shape {list(logits.shape)}; it must begin with the shape of targets, {list(targets.shape)}",
    )
    require_share(label_smoothing=label_smoothing)
    targets = as_int64(targets)
    if mask is not None:
        require_same_shape(targets=targets, mask=mask)
        hidden = ~mask.bool()
        # Before the logarithm, not after: padding may hold infinities, with NaN gradients.
        targets, logits = targets.masked_fill(hidden, 0), logits.masked_fill(hidden.unsqueeze(-1), 0.0)
    require_tokens(logits.shape[2], targets=targets)
    # q sums to one, so log Z leaves the sum: the loss is log Z less the mean logit under q, and no log-probabilities are stored.
    # Without smoothing the mean over the vocabulary is not taken at all: 0 times a logit of -inf would be NaN.
    loss = logits.logsumexp(-1)
    if label_smoothing < 1:
        loss = loss - (1 - label_smoothing) * logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    if label_smoothing > 0:
        loss = loss - label_smoothing * logits.mean(-1)
    return loss if mask is None else loss.masked_fill(hidden, 0.0)


def corpus_cross_entropy(losses, mask):
    r"""sum_bt m_bt l_bt / sum_bt m_bt: the mean over the valid tokens of a batch, in nats a token. The reduction is inherent.

    Raises ValueError if the shapes differ or mask has no valid token (not seen when traced: then the mean is NaN).
    Source: by linearity of the log-likelihood.
    [B, T], [B, T] -> []
    """
    require_rank(2, losses=losses)
    require_same_shape(losses=losses, mask=mask)
    require(losses.numel() > 0, f"mask has shape {list(mask.shape)}: a mean over no token is not defined")
    valid = mask.bool()
    require_values("mask", valid, lambda m: m.any(), "True somewhere: a mean over no token is not defined")
    return losses.masked_fill(~valid, 0.0).sum() / valid.sum()


def tied_logits(hidden, embedding):
    r"""h W^T: the score of a token is the inner product with its own input embedding.

    Raises ValueError if the widths differ.  Source: Press & Wolf 2017, section 3; Inan et al. 2017, section 3.
    [B, T, E], [V, E] -> [B, T, V]
    """
    require_rank(3, hidden=hidden)
    require_rank(2, embedding=embedding)
    width, wanted = embedding.shape[1], hidden.shape[2]
    require(width == wanted, f"embedding has width {width}; it must have that of hidden, {wanted}")
    return functional.linear(hidden, embedding)
