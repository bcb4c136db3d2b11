"""Perplexity (lecture 14): its meaning, its lower bound, and the comparison of models with different tokens.

log_probs [B, T] are log q(t_i | t_1, ..., t_(i-1)) of the tokens of B sequences, in nats. mask: 1 = counts; values where it
is 0 have no influence.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_binary,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_shape,
    require_tokens,
    require_values,
    widened,
)


def token_log_probs(tokens, logits):
    r"""log softmax(logits[b, i])_v at v = tokens[b, i], in nats.

    logits[b, i] must be the prediction of the model before it sees tokens[b, i].

    Raises ValueError if the shapes do not fit, or an entry of tokens is no integer in 0..V-1.
    Source: Jelinek et al. 1977.
    [B, T], [B, T, V] -> [B, T]
    """
    require_rank(3, logits=logits)
    require_shape(logits.shape[:2], tokens=tokens)
    require_integers(tokens=tokens)
    require_tokens(logits.shape[2], tokens=tokens)
    return jnp.take_along_axis(jax.nn.log_softmax(logits), widened(tokens)[..., None], axis=-1)[..., 0]


def sequence_perplexity(log_probs, mask):
    r"""exp(-sum_i log q_i / T) over the T tokens of each sequence that count: the inverse geometric mean of its probabilities.

    Raises ValueError if the shapes differ, or mask holds anything but 0 and 1 or leaves a row no token.
    Source: Jelinek et al. 1977.
    [B, T], [B, T] -> [B]
    """
    counted = _counted(log_probs, mask, each=True)
    return jnp.exp(-jnp.mean(log_probs, axis=1, where=counted))


def corpus_perplexity(log_probs, mask):
    r"""exp(-sum log q / number of tokens) over all tokens that count: a long sequence counts more than a short one.

    Raises ValueError if the shapes differ, or mask holds anything but 0 and 1 or leaves no token at all.
    Source: Jelinek et al. 1977.
    [B, T], [B, T] -> []
    """
    counted = _counted(log_probs, mask)
    return jnp.exp(-jnp.mean(log_probs, where=counted))


def bits_per_byte(log_probs, mask, byte_counts):
    r"""-sum_i log q_i / (bytes log 2): bits for each byte of the text, which do not depend on how it was cut into tokens.

    byte_counts: the bytes of each sequence, in UTF-8, of all the tokens that count.

    Raises ValueError if the shapes differ, mask holds anything but 0 and 1 or leaves a row no token, or byte_counts holds
    anything but positive integers.  Source: Gao et al. 2020, section 3.1.
    [B, T], [B, T], [B] -> [B]
    """
    counted = _counted(log_probs, mask, each=True)
    require_one_each(log_probs, byte_counts=byte_counts)
    require_integers(byte_counts=byte_counts)
    require_values("byte_counts", byte_counts, lambda n: n > 0, "positive")
    return -jnp.sum(log_probs, axis=1, where=counted) / math.log(2) / byte_counts


def distinct_fraction(tokens, *, order):
    r"""The number of different n-grams of a sequence, divided by the number of its n-grams, T - n + 1; n = order.

    It is 1 if no n-gram occurs twice, and 1 / (T - n + 1) if one token is repeated.

    Raises ValueError if tokens is no matrix of integers, order < 1, or order > T.  Source: Li et al. 2016, section 5.1.
    [B, T] -> [B]
    """
    require_rank(2, tokens=tokens)
    require_integers(tokens=tokens)
    require_at_least(1, order=order)
    length = tokens.shape[1]
    require(order <= length, f"order is {order}; it must be at most the number of tokens, {length}")
    count = length - order + 1
    equal = jnp.ones((len(tokens), count, count), bool)
    for place in range(order):
        there = tokens[:, place : place + count]
        equal &= there[:, :, None] == there[:, None, :]
    earlier = jnp.any(jnp.tril(equal, -1), axis=2)  # an n-gram that has occurred before
    return jnp.mean(~earlier, axis=1, dtype=float)


def _counted(log_probs, mask, each=False):
    """mask as booleans; each: every row has a token that counts, and not only one of them."""
    require_rank(2, log_probs=log_probs)
    require_same_shape(log_probs=log_probs, mask=mask)
    require_binary(mask=mask)
    require(each or mask.size > 0, f"mask has shape {list(mask.shape)}; there must be at least one token")
    enough, what = (lambda a: np.any(a, axis=1, keepdims=True), "a row") if each else (np.any, "all")
    require_values("mask", mask, enough, f"1 somewhere: it is 0 in {what}")
    return jnp.asarray(mask) != 0
