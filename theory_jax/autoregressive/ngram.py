"""n-gram models (lecture 42): the chain rule with a short memory, what counting estimates, and what smoothing repairs."""

import math

import jax.numpy as jnp
from jax.scipy.special import logsumexp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_log_probs,
    require_rank,
    require_tokens,
    require_values,
    widened,
)


def ngram_counts(tokens, *, order, vocabulary_size):
    r"""Counts of each window of `order` tokens: an array with `order` axes of length V. Windows do not cross rows.

    Raises ValueError if a token is outside 0..V-1 or order is below 1.  Source: Chen & Goodman 1999, section 2.
    [B, T] -> [...]
    """
    _require_tokens(tokens, vocabulary_size)
    require_at_least(1, order=order)
    windows = max(tokens.shape[1] - order + 1, 0)
    index = tuple(widened(tokens)[:, k : k + windows] for k in range(order))
    return jnp.zeros((vocabulary_size,) * order, int).at[index].add(1)


def additive_log_probs(counts, *, pseudo_count):
    r"""log (c_w + alpha) / (sum_w c_w + alpha V) over the last axis.

    Raises ValueError if pseudo_count or a count is negative, or with pseudo_count 0 a row is empty.
    Source: Chen & Goodman 1999, section 2.1.
    [..., V] -> [..., V]
    """
    counts = _floating(counts)
    _require_counts(counts)
    require(pseudo_count >= 0, f"pseudo_count is {pseudo_count}; it must be 0 or positive")
    if pseudo_count == 0:
        require_values("counts", jnp.sum(counts, -1), lambda a: a > 0, "more than 0 in every row (sum), where pseudo_count is 0")
    smoothed = counts + pseudo_count
    # one logarithm of the ratio: two of tiny numbers would cancel
    share = smoothed / jnp.sum(smoothed, axis=-1, keepdims=True)
    never = share == 0  # log 0 has no slope, and times that of the share, 0, it would be NaN for the whole row
    return jnp.where(never, -jnp.inf, jnp.log(jnp.where(never, 1.0, share)))


def interpolated_log_probs(log_probs, log_weights):
    r"""log sum_k lambda_k p_k(w | the last k - 1 tokens): the k-th table of log_probs has k axes of length V, k = 1..n.

    Raises ValueError if log_weights is not one weight a table, a shape does not fit, or a table of log_probs or the weights do
    not sum to 1.  Source: Jelinek & Mercer 1980.
    ([...]), [n] -> [...]
    """
    require_rank(1, log_weights=log_weights)
    require(len(log_probs) > 0, "log_probs is empty; it must hold at least the table of single tokens")
    require(
        log_weights.shape[0] == len(log_probs),
        f"log_weights has {log_weights.shape[0]} entries; it must have one for each of the {len(log_probs)} tables",
    )
    size = log_probs[0].shape[0]
    for k, table in enumerate(log_probs, start=1):
        name = f"log_probs[{k - 1}]"
        require(table.shape == (size,) * k, f"{name} has shape {list(table.shape)}; it must have {k} axes of length {size}")
        require_log_probs(**{name: table})
    require_log_probs(log_weights=log_weights)
    # a table with fewer axes knows less of the past: it is spread over what came earlier
    weighted = [table + weight for table, weight in zip(log_probs, log_weights, strict=True)]
    terms = jnp.stack(jnp.broadcast_arrays(*weighted))
    return _log_sum(terms, axis=0)


def interpolation_em_step(token_log_probs, log_weights):
    r"""The logarithms of lambda_k <- (1/N) sum_i lambda_k p_ik / sum_j lambda_j p_ij: one EM step on held-out tokens.

    The reduction over N is inherent.

    Raises ValueError if the shapes do not fit, the weights of log_weights do not sum to 1, or token_log_probs has no token or one
    of probability 0 under the mixture.  Source: Jelinek & Mercer 1980.
    [N, n], [n] -> [n]
    """
    require_rank(2, token_log_probs=token_log_probs)
    require_rank(1, log_weights=log_weights)
    count, size = token_log_probs.shape
    require(count > 0, "token_log_probs is empty; an average needs at least one token")
    require(log_weights.shape[0] == size, f"log_weights has {log_weights.shape[0]} entries; it must have {size}, one a column")
    require_log_probs(log_weights=log_weights)
    joint = token_log_probs + log_weights
    total = logsumexp(joint, axis=1, keepdims=True)
    possible = "possible: some weighted component has probability > 0"
    require_values("token_log_probs", total[:, 0], lambda a: a > -jnp.inf, possible)
    return _log_sum(joint - total, axis=0) - math.log(count)


def kneser_ney_log_probs(counts, *, discount):
    r"""Interpolated Kneser-Ney for pairs u, w, with the continuation law N(. w) / N(. .) behind what the discount d sets free.

    log [ max(c_uw - d, 0) / c_u + d N(u .) / c_u  N(. w) / N(. .) ],  N(u .) = #{w : c_uw > 0},  N(. w) = #{u : c_uw > 0}

    An unseen context u has the continuation law. A word that was never seen has probability 0 everywhere.

    Raises ValueError if counts is empty of counts or not square, holds a number between 0 and 1, or discount is outside [0, 1].
    Source: Kneser & Ney 1995; Chen & Goodman 1999, section 2.7.
    [V, V] -> [V, V]
    """
    require_rank(2, counts=counts)
    require(counts.shape[0] == counts.shape[1], f"counts has shape {list(counts.shape)}; it must be square")
    counts = _floating(counts)
    require(0 <= discount <= 1, f"discount is {discount}; it must lie within [0, 1]")
    require_values("counts", counts, lambda a: (a == 0) | (a >= 1), "0, or at least 1")
    require_values("counts", jnp.sum(counts), lambda a: a > 0, "more than 0 somewhere (sum of all)")
    seen = jnp.asarray(counts > 0, counts.dtype)
    continuation = jnp.sum(seen, axis=0) / jnp.sum(seen)
    total = jnp.sum(counts, axis=1, keepdims=True)
    known = total > 0
    divisor = jnp.where(known, total, 1.0)
    kept = jnp.maximum(counts - discount, 0.0) / divisor
    freed = discount * jnp.sum(seen, axis=1, keepdims=True) / divisor
    return _log(jnp.where(known, kept + freed * continuation, continuation))


def ngram_sequence_log_prob(tokens, log_probs):
    r"""sum over t >= n - 1 (counted from 0) of log p(x_t | x_{t-n+1}, ..., x_{t-1}), in nats, for a table with n axes.

    Raises ValueError if a token is outside 0..V-1 or the table log_probs has no axis or unequal ones.
    Source: Shannon 1948, section 3.
    [B, T], [...] -> [B]
    """
    order = log_probs.ndim
    require(order >= 1, "log_probs has no axis; it must have one for each token of a window")
    size = log_probs.shape[0]
    require(log_probs.shape == (size,) * order, f"log_probs has shape {list(log_probs.shape)}; its axes must be equally long")
    _require_tokens(tokens, size)
    windows = max(tokens.shape[1] - order + 1, 0)
    return jnp.sum(log_probs[tuple(widened(tokens)[:, k : k + windows] for k in range(order))], axis=1)


def _floating(counts):
    return counts if jnp.issubdtype(counts.dtype, jnp.floating) else counts.astype(jnp.result_type(float))


def _log(probs):
    """log with log 0 = -inf and no gradient there, instead of inf times 0."""
    positive = probs > 0
    return jnp.where(positive, jnp.log(jnp.where(positive, probs, 1.0)), -jnp.inf)


def _log_sum(terms, axis):
    """logsumexp with gradient 0, not NaN, where all terms are -inf."""
    possible = jnp.any(terms > -jnp.inf, axis=axis)
    safe = jnp.where(jnp.expand_dims(possible, axis), terms, 0.0)
    return jnp.where(possible, logsumexp(safe, axis=axis), -jnp.inf)


def _require_tokens(tokens, size):
    require_rank(2, tokens=tokens)
    require_tokens(size, tokens=tokens)


def _require_counts(counts):
    require(counts.ndim >= 1, "counts has no axis; it must have at least that of the vocabulary")
    require_values("counts", counts, lambda a: a >= 0, "0 or more")
