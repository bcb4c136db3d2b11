"""Byte-pair tokens: a lossless code for any bytes, what greedy merging maximizes, and why bits per byte is the fair unit.

How many tokens come out depends on the data, so the work is done on arrays of the input's length, padded with -1, and only the
last line of a function cuts them: all but that line runs under jit, and that line cuts on the host, where a new length has
nothing to compile.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_rank, require_same_shape, require_tokens, require_values, widened


def chunk_ids(data):
    r"""The number of the chunk of each byte: a chunk starts at a whitespace byte (9-13, 32) after a non-whitespace byte.

    Raises ValueError if data holds anything but 0..255.  Source: Radford et al. 2019, section 2.2 (their rule is finer).
    [N] -> [N]
    """
    _require_bytes(data)
    space = jnp.isin(data, jnp.array([9, 10, 11, 12, 13, 32]))
    after_space = jnp.concatenate([jnp.ones(1, bool), space])[: len(data)]
    return jnp.cumsum(space & ~after_space)


def pair_counts(tokens, chunk, *, vocabulary_size):
    r"""n_ab = #{i : t_i = a, t_{i+1} = b, in one chunk}; overlapping pairs count, as in aaa.

    Raises ValueError if a token is outside 0..V-1 or the shapes differ.  Source: Sennrich et al. 2016, algorithm 1.
    [N], [N] -> [V, V]
    """
    _require_tokens(tokens, chunk)
    require_tokens(vocabulary_size, tokens=tokens)
    return _pair_counts(widened(tokens), widened(chunk), vocabulary_size)


def merge_pair(tokens, chunk, *, pair, new_token):
    r"""The tokens with each occurrence of the pair inside a chunk replaced by new_token, from left to right, not overlapping.

    Raises ValueError if the shapes differ or a token is negative.  Source: Sennrich et al. 2016, algorithm 1.
    [N], [N] -> [M], [M]
    """
    _require_tokens(tokens, chunk)
    merged, chunks = _merge(widened(tokens), widened(chunk), *pair, new_token)
    there = np.asarray(merged) >= 0
    return _cut(merged, there), _cut(chunks, there)


def train_byte_pairs(data, chunk, *, merges):
    r"""The merges of byte-pair encoding: up to `merges` times the most frequent pair, the smallest (a, b) among equals.

    Token 256 + r is what merge r makes. Every round counts all pairs again.

    Raises ValueError if data holds anything but 0..255 or merges is negative.  Source: Sennrich et al. 2016, algorithm 1.
    [N], [N] -> [R, 2]
    """
    _require_bytes(data)
    require_same_shape(data=data, chunk=chunk)
    require(merges >= 0, f"merges is {merges}; it must be 0 or more")
    if len(data) < 2:  # no pair anywhere
        return jnp.zeros((0, 2), int)
    pairs, counts = _train(data, chunk, merges)
    return _cut(pairs, np.asarray(counts) > 0)


def encode_byte_pairs(data, chunk, merges):
    r"""The tokens of the bytes: the merges in the order of their rank, each over the whole sequence.

    Raises ValueError if data holds anything but 0..255, or a merge refers to a token that does not exist before it.
    Source: Sennrich et al. 2016.
    [N], [N], [R, 2] -> [L]
    """
    _require_bytes(data)
    require_same_shape(data=data, chunk=chunk)
    _require_merges(merges)
    tokens = _encode(data, chunk, merges)
    return _cut(tokens, np.asarray(tokens) >= 0)


def decode_byte_pairs(tokens, merges):
    r"""The bytes that the tokens stand for.

    Every byte finds itself: it knows its token and its place in it, and walks down the tree of merges, left or right.

    Raises ValueError if a token is not in the table, or a merge refers to a token that does not exist before it.
    Source: Gage 1994.
    [L], [R, 2] -> [N]
    """
    _require_merges(merges)
    _require_tokens(tokens, tokens)
    known = 256 + len(merges)
    require_values("tokens", tokens, lambda a: a < known, f"a token of the table, 0..{known - 1}")
    if len(merges) == 0:
        return widened(tokens)
    tokens, merges = widened(tokens), widened(merges)
    sizes = _sizes(merges)
    return _expand(tokens, merges, sizes, int(jnp.sum(sizes[tokens])))


def _cut(padded, there):
    """The valid part of an array that is padded at its end."""
    return jnp.asarray(np.asarray(padded)[: np.count_nonzero(there)])


def _pair_counts(tokens, chunk, vocabulary_size):
    """-1 is padding: no token, in no pair."""
    inside = (chunk[:-1] == chunk[1:]) & (tokens[:-1] >= 0) & (tokens[1:] >= 0)
    counts = jnp.zeros((vocabulary_size, vocabulary_size), int)
    return counts.at[tokens[:-1], tokens[1:]].add(jnp.asarray(inside, int))


@jax.jit
def _merge(tokens, chunk, first, second, new_token):
    """One merge on padded tokens: -1 behind the last."""
    nowhere = jnp.zeros(1, bool)
    hit = (tokens[:-1] == first) & (tokens[1:] == second) & (chunk[:-1] == chunk[1:])
    hit = jnp.concatenate([hit, nowhere])[: len(tokens)]

    def step(taken_before, hit_here):
        taken = hit_here & ~taken_before  # what begins inside a replaced pair is gone
        return taken, taken

    _, taken = jax.lax.scan(step, jnp.array(False), hit)
    gone = jnp.concatenate([nowhere, taken])[: len(tokens)] | (tokens < 0)
    order = jnp.argsort(gone, stable=True)  # those that stay move to the front
    merged = jnp.where(gone, -1, jnp.where(taken, new_token, tokens))
    return merged[order], chunk[order]


@partial(jax.jit, static_argnums=2)
def _train(data, chunk, merges):
    def one(state, new_token):
        counts = _pair_counts(*state, 256 + merges)
        best = jnp.argmax(counts)  # the first of the largest: the smallest (a, b)
        pair = jnp.stack(jnp.divmod(best, 256 + merges))
        count = counts.ravel()[best]
        # without a pair left, the "pair" of two -2 is merged, which is nowhere
        return _merge(*state, *jnp.where(count > 0, pair, -2), new_token), (pair, count)

    return jax.lax.scan(one, (jnp.asarray(data, int), chunk), jnp.arange(256, 256 + merges))[1]


@jax.jit
def _encode(data, chunk, merges):
    def one(state, row):
        pair, new_token = row
        return _merge(*state, *pair, new_token), None

    ranks = 256 + jnp.arange(len(merges))
    return jax.lax.scan(one, (jnp.asarray(data, int), chunk), (jnp.asarray(merges, int), ranks))[0][0]


@jax.jit
def _sizes(merges):
    """The number of bytes of every token."""

    def one(r, sizes):
        return sizes.at[256 + r].set(sizes[merges[r, 0]] + sizes[merges[r, 1]])

    return jax.lax.fori_loop(0, len(merges), one, jnp.ones(256 + len(merges), int))


@partial(jax.jit, static_argnums=3)
def _expand(tokens, merges, sizes, total):
    lengths = sizes[tokens]
    start = jnp.cumsum(lengths) - lengths
    token = jnp.repeat(tokens, lengths, total_repeat_length=total)
    place = jnp.arange(total) - jnp.repeat(start, lengths, total_repeat_length=total)

    def descend(state):
        token, place = state
        left, right = merges[jnp.maximum(token - 256, 0)].T
        inside_left = place < sizes[left]
        below, shift = jnp.where(inside_left, left, right), jnp.where(inside_left, 0, sizes[left])
        whole = token < 256
        return jnp.where(whole, token, below), jnp.where(whole, place, place - shift)

    return jax.lax.while_loop(lambda state: jnp.any(state[0] >= 256), descend, (token, place))[0]


def _require_bytes(data):
    require_rank(1, data=data)
    require_values("data", data, lambda a: (a >= 0) & (a <= 255), "a byte, 0..255")


def _require_tokens(tokens, chunk):
    require_rank(1, tokens=tokens)
    require_same_shape(tokens=tokens, chunk=chunk)
    require_values("tokens", tokens, lambda a: a >= 0, "0 or more")


def _require_merges(merges):
    require_rank(2, merges=merges)
    require(merges.shape[1] == 2, f"merges has {merges.shape[1]} columns; it must have 2")
    known = 256 + np.arange(merges.shape[0])[:, None]
    allowed = "a token that exists before its row: row r makes token 256 + r of tokens 0..255 + r"
    require_values("merges", merges, lambda a: (a >= 0) & (a < known), allowed)
