"""Wrong forms of byte-pair encoding that the rows must refuse, and other right forms that they must accept."""

import itertools
from collections import Counter

import torch

from practice_torch.autoregressive import tokenization as right
from tests.support.mistakes import Mistake

SPACES = (9, 10, 11, 12, 13, 32)


def _cumulative(starts):
    return torch.tensor(list(itertools.accumulate(starts)), dtype=torch.int64)


def _space_ends_a_chunk(data):
    data = data.tolist()
    return _cumulative([i > 0 and data[i - 1] in SPACES and byte not in SPACES for i, byte in enumerate(data)])


def _every_space_starts_a_chunk(data):
    return _cumulative([i > 0 and byte in SPACES for i, byte in enumerate(data.tolist())])


def _unchecked_chunks(data):
    data = data.tolist()
    return _cumulative([i > 0 and byte in SPACES and data[i - 1] not in SPACES for i, byte in enumerate(data)])


def _one_chunk(function):
    """The function as if all were one chunk: pairs cross the borders."""
    return lambda tokens, chunk, **others: function(tokens, torch.zeros_like(chunk), **others)


def _merged(tokens, chunk, pair, new_token, overlapping=False, leftwards=False):
    tokens, chunk, pair = tokens.tolist(), chunk.tolist(), tuple(int(t) for t in pair)
    places = [i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) == pair and chunk[i] == chunk[i + 1]]
    taken = set()
    for i in reversed(places) if leftwards else places:
        if overlapping or not {i - 1, i + 1} & taken:
            taken.add(i)
    kept = [i for i in range(len(tokens)) if i in taken or i - 1 not in taken]
    new = [new_token if i in taken else tokens[i] for i in kept]
    return torch.tensor(new, dtype=torch.int64), torch.tensor([chunk[i] for i in kept], dtype=torch.int64)


def _greedy(data, chunk, merges, best=lambda counts: min(counts, key=lambda pair: (-counts[pair], pair)), count=None):
    """Training that counts everything anew in each round."""
    tokens, learned = data, []
    for r in range(merges):
        counts = (count or _overlapping)(tokens.tolist(), chunk.tolist())
        if not counts:
            break
        learned.append(best(counts))
        tokens, chunk = _merged(tokens, chunk, learned[-1], 256 + r)
    return torch.tensor(learned, dtype=torch.int64).view(-1, 2)


def _overlapping(tokens, chunk):
    places = range(len(tokens) - 1)
    return Counter((tokens[i], tokens[i + 1]) for i in places if chunk[i] == chunk[i + 1])


def _without_overlap(tokens, chunk):
    counts, last = Counter(), {}
    for i in range(len(tokens) - 1):
        pair = tokens[i], tokens[i + 1]
        if chunk[i] == chunk[i + 1] and last.get(pair) != i - 1:
            counts[pair] += 1
            last[pair] = i
    return counts


def _longest_match(data, chunk, merges):
    table = right._bytes_of(merges.tolist())
    longest_first = sorted(range(len(table)), key=lambda token: -len(table[token]))
    found = []
    for piece in right._pieces(data, chunk):
        while piece:
            found.append(next(token for token in longest_first if piece.startswith(table[token])))
            piece = piece[len(table[found[-1]]) :]
    return torch.tensor(found, dtype=torch.int64)


def _rank_order(data, chunk, merges):
    """Unchecked."""
    tokens = data
    for r, pair in enumerate(merges.tolist()):
        tokens, chunk = _merged(tokens, chunk, pair, 256 + r)
    return tokens


def _rank_order_reversed(data, chunk, merges):
    tokens = data
    for r, pair in reversed(list(enumerate(merges.tolist()))):
        tokens, chunk = _merged(tokens, chunk, pair, 256 + r)
    return tokens


def _as_text(tokens, merges):
    """Each token decoded to text on its own: a character that is cut in two is lost."""
    table = right._bytes_of(merges.tolist())
    text = "".join(table[token].decode(errors="replace") for token in tokens.tolist())
    return torch.tensor(list(text.encode()), dtype=torch.int64)


def _unchecked_decode(tokens, merges):
    table = [bytes([b]) for b in range(256)]
    for a, b in merges.tolist():
        table.append(table[min(a, len(table) - 1)] + table[min(b, len(table) - 1)])
    return torch.tensor(list(b"".join(table[min(token, len(table) - 1)] for token in tokens.tolist())), dtype=torch.int64)


def _dense_counts(tokens, chunk, vocabulary_size):
    counts = torch.zeros(vocabulary_size, vocabulary_size, dtype=torch.int64)
    for (a, b), count in _overlapping(tokens.tolist(), chunk.tolist()).items():
        counts[a % vocabulary_size, b % vocabulary_size] = count
    return counts


MISTAKES = (
    Mistake("chunk_ids", "the space ends a chunk", _space_ends_a_chunk),
    Mistake("chunk_ids", "every space starts a chunk", _every_space_starts_a_chunk),
    Mistake("chunk_ids", "accepts what is no byte", _unchecked_chunks, only_checks=True),
    Mistake("pair_counts", "across chunks", _one_chunk(right.pair_counts)),
    Mistake("pair_counts", "transposed",
            lambda tokens, chunk, *, vocabulary_size: _dense_counts(tokens, chunk, vocabulary_size).T),
    Mistake("pair_counts", "runs counted without overlap", lambda tokens, chunk, *, vocabulary_size: torch.tensor(
        [[_without_overlap(tokens.tolist(), chunk.tolist())[a, b] for b in range(vocabulary_size)]
         for a in range(vocabulary_size)])),
    Mistake("pair_counts", "accepts tokens outside the vocabulary",
            lambda tokens, chunk, *, vocabulary_size: _dense_counts(tokens, chunk, vocabulary_size), only_checks=True),
    Mistake("merge_pair", "overlapping replacement",
            lambda tokens, chunk, *, pair, new_token: _merged(tokens, chunk, pair, new_token, overlapping=True)),
    Mistake("merge_pair", "in the width of the tokens", lambda tokens, chunk, *, pair, new_token: tuple(
        part.to(given.dtype) for part, given in zip(
            right.merge_pair(tokens, chunk, pair=pair, new_token=new_token), (tokens, chunk), strict=True)), narrow=True),
    Mistake("merge_pair", "right to left",
            lambda tokens, chunk, *, pair, new_token: _merged(tokens, chunk, pair, new_token, leftwards=True)),
    Mistake("merge_pair", "across chunks", _one_chunk(right.merge_pair)),
    Mistake("train_byte_pairs", "across chunks",
            lambda data, chunk, *, merges: right.train_byte_pairs(data, torch.zeros_like(chunk), merges=merges)),
    Mistake("train_byte_pairs", "ties go to the largest pair",
            lambda data, chunk, *, merges: _greedy(data, chunk, merges, lambda n: max(n, key=lambda pair: (n[pair], pair)))),
    Mistake("train_byte_pairs", "ties go to the pair that occurs first",
            lambda data, chunk, *, merges: _greedy(data, chunk, merges, lambda counts: counts.most_common(1)[0][0])),
    Mistake("train_byte_pairs", "runs counted without overlap",
            lambda data, chunk, *, merges: _greedy(data, chunk, merges, count=_without_overlap)),
    Mistake("train_byte_pairs", "all merges from one count", lambda data, chunk, *, merges: torch.tensor(
        [pair for pair, _ in _overlapping(data.tolist(), chunk.tolist()).most_common(merges)], dtype=torch.int64).view(-1, 2)),
    Mistake("encode_byte_pairs", "greedy longest match", _longest_match),
    Mistake("encode_byte_pairs", "the last rank first", _rank_order_reversed),
    Mistake("encode_byte_pairs", "across chunks",
            lambda data, chunk, merges: right.encode_byte_pairs(data, torch.zeros_like(chunk), merges)),
    Mistake("encode_byte_pairs", "the leading space dropped",
            lambda data, chunk, merges: (lambda keep: right.encode_byte_pairs(data[keep], chunk[keep], merges))(data != 32)),
    Mistake("encode_byte_pairs", "accepts a table that refers to later tokens", _rank_order, only_checks=True),
    Mistake("decode_byte_pairs", "decoded to text token by token", _as_text),
    Mistake("decode_byte_pairs", "right before left",
            lambda tokens, merges: right.decode_byte_pairs(tokens, merges.flip(1))),
    Mistake("decode_byte_pairs", "accepts tokens and tables that do not exist", _unchecked_decode, only_checks=True),
)  # fmt: skip


def _plain_training(data, chunk, *, merges):
    right.train_byte_pairs(data, chunk, merges=merges)  # for its checks
    return _greedy(data, chunk, merges)


def _sweeps(data, chunk, merges):
    right.encode_byte_pairs(data, chunk, merges)  # for its checks
    return _rank_order(data, chunk, merges)


EQUIVALENT = (
    Mistake("train_byte_pairs", "all pairs counted anew in each round", _plain_training),
    Mistake("encode_byte_pairs", "rank by rank over the whole sequence", _sweeps),
)
