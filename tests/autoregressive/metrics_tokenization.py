"""Tokens counted one by one: merges are applied to each word in the order in which they were learned."""

import itertools
import math
from collections import Counter

from practice_torch.autoregressive.tokenization import BytePairTokenizer


def pieces(e, word):
    """The word cut into tokens, as bytes."""
    names = {k: bytes([k]) for k in range(256)}
    learned = [pair for pair in e.merges.tolist() if pair[0] >= 0]
    for number, (a, b) in enumerate(learned):
        names[256 + number] = names[a] + names[b]
    cut = list(word)
    for number, pair in enumerate(learned):
        merged, k = [], 0
        while k < len(cut):
            if cut[k : k + 2] == pair:
                merged.append(256 + number)
                k += 2
            else:
                merged.append(cut[k])
                k += 1
        cut = merged
    return [names[token] for token in cut]


def windows_of(batch):
    """Bytes; a random token may be a larger number."""
    return (batch["tokens"] % 256).tolist()


def text(data):
    windows = windows_of(data.batch())
    return bytes([windows[0][0], *itertools.chain.from_iterable(row[1:] for row in windows)])


def logs(e, batch, phase):
    words = Counter()
    for window in windows_of(batch):
        words.update(map(bytes, BytePairTokenizer.chunks(bytes(window))[1:-1]))
    return {"distinct_words": len(words)}


def evaluate(e, data):
    raw = text(data)
    cut = [piece for word in BytePairTokenizer.chunks(raw) for piece in pieces(e, bytes(word))]
    assert b"".join(cut) == raw
    size = 256 + sum(a >= 0 for a, _ in e.merges.tolist())
    return {"bytes_per_token": len(raw) / len(cut), "uniform_bits_per_byte": math.log2(size) * len(cut) / len(raw)}
