"""Perplexity and its kin: how many equally likely tokens a model chooses among, bits for each byte of text, and repetition.

log_probs [B, T] are log q(t_i | t_1, ..., t_(i-1)) of the tokens of B sequences, in nats. mask: 1 = counts; values where
it is 0 have no influence.
A fraction of integers has torch's default dtype.
"""

import math

import torch

from practice_torch.arguments import (
    as_int64,
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
    return logits.log_softmax(2).gather(2, as_int64(tokens).unsqueeze(2)).squeeze(2)


def sequence_perplexity(log_probs, mask):
    r"""exp(-sum_i log q_i / T) over the T tokens of each sequence that count: the inverse geometric mean of its probabilities.

    Raises ValueError if the shapes differ, or mask holds anything but 0 and 1 or leaves a row no token.
    Source: Jelinek et al. 1977.
    [B, T], [B, T] -> [B]
    """
    total, count = _sums(log_probs, mask)
    return (-total / count).exp()


def corpus_perplexity(log_probs, mask):
    r"""exp(-sum log q / number of tokens) over all tokens that count: a long sequence counts more than a short one.

    Raises ValueError if the shapes differ, or mask holds anything but 0 and 1 or leaves no token at all.
    Source: Jelinek et al. 1977.
    [B, T], [B, T] -> []
    """
    counted = _counted(log_probs, mask)
    require_values("the sum of mask", counted.sum(), lambda n: n > 0, "at least 1: a token that counts")
    return (-log_probs.masked_fill(~counted, 0.0).sum() / counted.sum()).exp()


def bits_per_byte(log_probs, mask, byte_counts):
    r"""-sum_i log q_i / (bytes log 2): bits for each byte of the text, which do not depend on how it was cut into tokens.

    byte_counts: the bytes of each sequence, in UTF-8, of all the tokens that count.

    Raises ValueError if the shapes differ, mask holds anything but 0 and 1 or leaves a row no token, or byte_counts holds
    anything but positive integers.  Source: Gao et al. 2020, section 3.1.
    [B, T], [B, T], [B] -> [B]
    """
    total, _ = _sums(log_probs, mask)
    require_one_each(log_probs, byte_counts=byte_counts)
    require_integers(byte_counts=byte_counts)
    require_values("byte_counts", byte_counts, lambda n: n > 0, "positive")
    return -total / math.log(2) / byte_counts


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
    first, different = _numbered(as_int64(tokens))
    grams = first
    for further in range(1, order):  # a pair of numbers below T is one number below T^2
        grams, different = _numbered(grams[:, :-1] * length + first[:, further:])
    return different.to(torch.get_default_dtype()) / (length - order + 1)


def _numbered(keys):
    """Equal keys of a row by equal numbers 0, 1, ..., and how many there are: [B, W] -> [B, W], [B]"""
    ordered, places = keys.sort(1)
    new = ordered[:, 1:] != ordered[:, :-1]
    numbers = torch.nn.functional.pad(new.cumsum(1), (1, 0))
    return torch.empty_like(keys).scatter_(1, places, numbers), numbers[:, -1] + 1


def _sums(log_probs, mask):
    """The sum of each row over what counts, and how many that are."""
    counted = _counted(log_probs, mask)
    count = counted.sum(1)
    require_values("the sum of a row of mask", count, lambda n: n > 0, "at least 1: a token that counts")
    return log_probs.masked_fill(~counted, 0.0).sum(1), count


def _counted(log_probs, mask):
    require_rank(2, log_probs=log_probs)
    require_same_shape(log_probs=log_probs, mask=mask)
    require_binary(mask=mask)
    return mask != 0
