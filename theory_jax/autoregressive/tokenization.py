"""Byte-pair tokens: a lossless code for any bytes, what greedy merging maximizes, and why bits per byte is the fair unit.

The functions come first; the derivation below them executes the argument on these very functions. How many tokens come out
depends on the data, so the work is done on arrays of the input's length, padded with -1, and only the last line of a function
cuts them: all but that line runs under jit, and that line cuts on the host, where a new length has nothing to compile.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_rank, require_same_shape, require_tokens, require_values, widened
from theory_jax.derivation import Derivation


def chunk_ids(data):
    r"""The number of the chunk of each byte: a chunk starts at a whitespace byte (9-13, 32) after one that is none.

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
    """What is there of an array that is padded at its end."""
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


derivation = Derivation(
    title="Byte pairs: lossless, greedy, and only comparable in bits per byte",
    sources=(
        "Gage 1994, A New Algorithm for Data Compression",
        "Sennrich, Haddow & Birch 2016, Neural Machine Translation of Rare Words with Subword Units",
        "Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
    ),
)

_TEXT = b"the thin thing then thanks the other theme; there the aaaa aaaaa banana bandana  cabana\n\tthe end the"
_data = jnp.array(np.frombuffer(_TEXT, np.uint8), int)
_chunk = chunk_ids(_data)


def _merges(count=24):
    return train_byte_pairs(_data, _chunk, merges=count)


def _random_strings(count, length, letters, seed):
    rng = np.random.default_rng(seed)
    return jnp.array(rng.choice(np.array(letters), size=(count, length)))


@derivation.exact(
    r"\mathrm{decode}(\mathrm{encode}(b)) = b \quad\text{for every byte string } b",
    because="A merge replaces two tokens by one that stands for exactly their bytes, and what it stands for never changes: "
    "reading the tree of merges downwards undoes them all. Nothing asks whether the bytes are text; half a UTF-8 character, "
    "or noise, comes back as it went in.",
)
def encoding_is_lossless():
    strings = jnp.concatenate([_random_strings(6, 40, range(256), 0), _random_strings(18, 40, list(b" then\xff\xc3"), 1)])
    back = [decode_byte_pairs(encode_byte_pairs(b, chunk_ids(b), _merges()), _merges()) for b in strings]
    return jnp.stack(back), strings


@derivation.exact(
    r"\mathrm{length}_{r} - \mathrm{length}_{r+1} = \#\{\text{new tokens of merge } r\}",
    because="Two tokens become one. Bookkeeping over all merges of a training run: what the sequence loses in length is what "
    "appears of the new token.",
)
def a_merge_shortens_by_its_new_tokens():
    tokens, chunk, shorter, made = _data, _chunk, [], []
    for r, pair in enumerate(_merges().tolist()):
        merged, chunk = merge_pair(tokens, chunk, pair=pair, new_token=256 + r)
        shorter.append(len(tokens) - len(merged))
        made.append(np.count_nonzero(np.asarray(merged) == 256 + r))
        tokens = merged
    return jnp.array(shorter), jnp.array(made)


@derivation.bound(
    r"\#\{\text{new tokens of merge } r\} \le n_{ab}",
    because="Every new token was an occurrence of its pair. Occurrences of a pair of different tokens cannot overlap, so "
    "there the bound is tight; a pair of equal tokens may overlap with itself.",
)
def the_saving_is_at_most_the_count():
    pairs = [(ord("t"), ord("h")), (ord("a"), ord("n")), (ord("a"), ord("a"))]
    counts = pair_counts(_data, _chunk, vocabulary_size=256)
    before = jnp.array([counts[pair] for pair in pairs])
    saved = jnp.array([len(_data) - len(merge_pair(_data, _chunk, pair=pair, new_token=256)[0]) for pair in pairs])
    return saved, before, (saved[:2], before[:2])


@derivation.exact(
    r"\mathrm{a}^n:\qquad n_{aa} = n - 1, \qquad \text{saving} = \lfloor n / 2 \rfloor",
    because="In aaa the pair aa occurs twice, but after the first replacement a single a is left. Greedy merging maximizes "
    "the immediate count, which overestimates self-pairs, and no step of it looks ahead: it is a heuristic for compression, "
    "not its optimum.",
)
def self_pairs_are_overcounted():
    lengths = range(2, 9)
    runs = [jnp.full(n, ord("a")) for n in lengths]
    zeros = [jnp.zeros(n, int) for n in lengths]
    counts = [pair_counts(run, zero, vocabulary_size=98)[97, 97] for run, zero in zip(runs, zeros, strict=True)]
    saved = [n - len(merge_pair(a, z, pair=(97, 97), new_token=256)[0]) for n, a, z in zip(lengths, runs, zeros, strict=True)]
    wanted = np.array([[n - 1, n // 2] for n in lengths])
    return jnp.stack([jnp.array(counts), jnp.array(saved)], axis=1), wanted


def _lowest_rank_first(tokens, chunk, merges):
    """The other definition of encoding: of all adjacent pairs that have a rank, merge one of lowest rank, leftmost first."""
    ranks = {tuple(pair): r for r, pair in enumerate(merges)}
    tokens, chunk = list(tokens), list(chunk)
    while True:
        places = [i for i in range(len(tokens) - 1) if chunk[i] == chunk[i + 1] and (tokens[i], tokens[i + 1]) in ranks]
        if not places:
            return tokens
        i = min(places, key=lambda i: (ranks[tokens[i], tokens[i + 1]], i))
        tokens[i : i + 2] = [256 + ranks[tokens[i], tokens[i + 1]]]
        del chunk[i]


@derivation.exact(
    r"\text{merges in rank order} \;=\; \text{repeatedly the adjacent pair of lowest rank}",
    because="Merge r makes token 256 + r, which only later merges use: it never creates an occurrence of an earlier pair. So "
    "when all of rank r are done no lower rank can come back, and the whole sequence may be swept rank by rank, or chunk by "
    "chunk, or one pair at a time. Three hundred random strings agree.",
)
def both_definitions_of_encoding_agree():
    strings = _random_strings(300, 24, list(b"the an"), 2)
    chunks = jax.vmap(chunk_ids)(strings)
    swept = jax.vmap(_encode, (0, 0, None))(strings, chunks, _merges())
    table = _merges().tolist()
    one_by_one = [_lowest_rank_first(s, c, table) for s, c in zip(strings.tolist(), chunks.tolist(), strict=True)]
    return swept, np.array([tokens + [-1] * (24 - len(tokens)) for tokens in one_by_one])


@derivation.exact(
    r"\mathrm{encode}(\mathrm{decode}(t, h, e)) = (\mathtt{the}) \ne (t, h, e)",
    because="Decoding forgets where the cuts were. The tokens t, h, e and the token `the` stand for the same bytes, and "
    "encoding gives the canonical one: decode is onto, encode picks one preimage, and a model's samples need not be "
    "canonical.",
)
def encoding_is_not_the_inverse_of_decoding():
    spelled = jnp.array(list(b"the"))
    table = jnp.array([[ord("t"), ord("h")], [256, ord("e")]])
    again = decode_byte_pairs(spelled, table)
    canonical = encode_byte_pairs(again, chunk_ids(again), table)
    return jnp.concatenate([canonical, decode_byte_pairs(canonical, table)]), jnp.array([257, *b"the"])


def _segmentations(text, spellings):
    """Every sequence of tokens that decodes to the text."""
    if not text:
        return [()]
    starts = [token for token, spelling in spellings.items() if text.startswith(spelling)]
    return [(token, *rest) for token in starts for rest in _segmentations(text[len(spellings[token]) :], spellings)]


@derivation.bound(
    r"-\log p(\text{text}) \;\le\; -\log p(\mathrm{enc}(\text{text})), \qquad"
    r" p(\text{text}) = \sum_{s\,:\,\mathrm{dec}(s) = \text{text}} p(s)",
    because="A model of tokens spreads the probability of a text over all of its segmentations, and encoding looks at one of "
    "them: what is reported is an upper bound on the negative log-likelihood of the text. It is tight where only one "
    "segmentation exists.",
)
def token_likelihood_bounds_text_likelihood():
    table = jnp.array([[97, 98], [98, 97], [256, 97], [97, 97]])
    alphabet = [97, 98, 256, 257, 258, 259]
    spellings = {t: bytes(decode_byte_pairs(jnp.array([t]), table).tolist()) for t in alphabet}
    log_p = dict(zip(alphabet, np.log(np.random.default_rng(3).dirichlet(np.ones(6))), strict=True))
    texts = [b"abab", b"aabaab", b"babaaab"]

    def score(tokens):
        return sum(log_p[int(token)] for token in tokens)

    def both(text):
        data = jnp.array(list(text))
        total = np.logaddexp.reduce([score(s) for s in _segmentations(text, spellings)])
        return -total, -score(encode_byte_pairs(data, jnp.zeros(len(text), int), table))

    whole, canonical = np.array([both(text) for text in texts]).T
    return whole, canonical, both(b"bb")


@derivation.numeric(
    r"\text{uniform over } V:\quad \text{perplexity} = V, \qquad \text{bits per byte} = \frac{L}{N} \log_2 V",
    because="Per-token perplexity counts choices per token, and tokens differ in size: the uniform model has perplexity 256 "
    "on bytes and more on byte pairs, although it says the same of neither text. Dividing all bits by the bytes, which no "
    "tokenizer changes, makes models comparable; by that measure the larger vocabulary comes out better here.",
)
def bits_per_byte_is_comparable():
    tokens = encode_byte_pairs(_data, _chunk, _merges())
    bits = []
    for sequence, size in ((_data, 256), (tokens, 256 + len(_merges()))):
        log_probs = jax.nn.log_softmax(jnp.zeros((len(sequence), size)))
        bits.append(-jnp.sum(jnp.take_along_axis(log_probs, sequence[:, None], 1)) / jnp.log(2.0) / len(_data))
    ratio = len(tokens) / len(_data)
    return jnp.stack(bits), jnp.array([8.0, ratio * np.log2(256 + len(_merges()))])


@derivation.bound(
    r"\frac{N}{L_{32}} + 0.3 \;\le\; \frac{N}{L_{128}}",
    because="More merges, fewer tokens: on the first 20 kB of Python's help pages 128 merges give well over 1.7 bytes per "
    "token and 32 merges well under 1.5. The price is V E embedding parameters and a tail of tokens so rare that nothing is "
    "learned about them. Without merges a token is a byte.",
)
def more_merges_longer_tokens():
    from pydoc_data.topics import topics

    data = jnp.array(np.frombuffer("\n".join(topics.values()).encode()[:20_000], np.uint8), int)
    chunk = chunk_ids(data)
    table = train_byte_pairs(data, chunk, merges=128)
    none, few, many = (len(data) / len(encode_byte_pairs(data, chunk, table[:count])) for count in (0, 32, 128))
    return jnp.array([few + 0.3, 1.7]), jnp.array([many, many]), (none, jnp.array(1.0))


if __name__ == "__main__":
    derivation.main()
