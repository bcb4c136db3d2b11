"""Training a language model: next-token prediction, what its loss is the likelihood of, and how its mean is taken."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_rank, require_same_shape, require_share, require_tokens, require_values, widened


def next_token_pairs(tokens, mask):
    r"""Inputs x_1..x_(T-1), targets x_2..x_T, and where both are valid. mask: True = valid; None = all valid.

    This is the only shift there is: logits of the inputs are aligned with the targets.

    Raises ValueError if there are fewer than two steps or the shapes differ.  Source: Williams & Zipser 1989 (teacher forcing).
    [B, T], [B, T] -> [B, T-1], [B, T-1], [B, T-1]
    """
    require_rank(2, tokens=tokens)
    steps = tokens.shape[1]
    require(steps >= 2, f"tokens has {steps} steps; it must have at least 2, one to predict the other from")
    if mask is None:
        mask = jnp.ones(tokens.shape, bool)
    require_same_shape(tokens=tokens, mask=mask)
    tokens, valid = widened(tokens), mask.astype(bool)
    return tokens[:, :-1], tokens[:, 1:], jnp.logical_and(valid[:, :-1], valid[:, 1:])


def token_cross_entropy(targets, logits, mask, *, label_smoothing=0.0):
    r"""-sum_v q_v log softmax(logits)_v with q = (1 - s) e_y + s/V, in nats: s = label_smoothing, y the target; 0 where masked.

    Targets and logits at masked positions have no influence.

    Raises ValueError if the shapes do not fit, a valid target is outside 0..V-1 or label_smoothing is outside [0, 1].
    Source: Szegedy et al. 2016, section 7.
    [B, T], [B, T, V], [B, T] -> [B, T]
    """
    require_rank(2, targets=targets)
    require_rank(3, logits=logits)
    given, wanted = list(logits.shape[:2]), list(targets.shape)
    require(given == wanted, f"logits has shape {list(logits.shape)}; it must begin with the shape of targets, {wanted}")
    require_share(label_smoothing=label_smoothing)
    if mask is None:
        mask = jnp.ones(targets.shape, bool)
    require_same_shape(targets=targets, mask=mask)
    mask = mask.astype(bool)
    vocabulary_size = logits.shape[2]
    targets = jnp.where(mask, widened(targets), 0)
    require_tokens(vocabulary_size, targets=targets)
    # Masked before the logarithm: padding may hold infinities, with NaN gradients.
    log_probs = jax.nn.log_softmax(jnp.where(mask[..., None], logits, 0.0))
    one_hot = jax.nn.one_hot(targets, vocabulary_size, dtype=logits.dtype)
    law = (1 - label_smoothing) * one_hot + label_smoothing / vocabulary_size
    # A token that is ruled out has log-probability -inf, and 0 * inf is NaN: what has no weight is not added.
    return -jnp.sum(law * log_probs, axis=-1, where=(law > 0) & mask[..., None])


def corpus_cross_entropy(losses, mask):
    r"""sum_bt m_bt l_bt / sum_bt m_bt: the mean over the valid tokens of a batch, in nats a token. The reduction is inherent.

    Raises ValueError if the shapes differ or mask has no valid token (not seen when traced: then the mean is NaN).
    Source: by linearity of the log-likelihood.
    [B, T], [B, T] -> []
    """
    require_rank(2, losses=losses)
    require_same_shape(losses=losses, mask=mask)
    require(losses.size > 0, f"mask has shape {list(mask.shape)}: a mean over no token is not defined")
    valid = mask.astype(bool)
    require_values("mask", valid, lambda m: np.any(m), "True somewhere: a mean over no token is not defined")
    return jnp.mean(losses, where=valid)


def tied_logits(hidden, embedding):
    r"""h W^T: the score of a token is the inner product with its own input embedding.

    Raises ValueError if the widths differ.  Source: Press & Wolf 2017, section 3; Inan et al. 2017, section 3.
    [B, T, E], [V, E] -> [B, T, V]
    """
    require_rank(3, hidden=hidden)
    require_rank(2, embedding=embedding)
    width, wanted = embedding.shape[1], hidden.shape[2]
    require(width == wanted, f"embedding has width {width}; it must have that of hidden, {wanted}")
    return jnp.einsum("bte,ve->btv", hidden, embedding)
