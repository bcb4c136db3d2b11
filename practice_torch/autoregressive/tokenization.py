"""Byte-pair tokens: exact on any bytes, learned in seconds. A tokenizer of bytes, one of byte pairs, and their files."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from practice_torch.arguments import as_int64, require, require_rank, require_same_shape, require_values
from practice_torch.autoregressive._byte_pairs import LARGEST_TOKEN, Spellings, learn, reachable

# The chunks of chunk_ids, as a pattern over bytes: whitespace and the word after it.
_CHUNK = re.compile(rb"[\t-\r ]*[^\t-\r ]+|[\t-\r ]+")
_SCHEMA = "diptych/byte_pairs/1"


def chunk_ids(data):
    r"""The number of the chunk of each byte: a chunk starts at a whitespace byte (9-13, 32) after a non-whitespace byte.

    Raises ValueError if data holds anything but 0..255.  Source: Radford et al. 2019, section 2.2 (their rule is finer).
    [N] -> [N]
    """
    _require_bytes(data)
    space = ((data >= 9) & (data <= 13)) | (data == 32)
    starts = space.clone()
    starts[:1] = False
    starts[1:] &= ~space[:-1]
    return starts.cumsum(0)


def pair_counts(tokens, chunk, *, vocabulary_size):
    r"""n_ab = #{i : t_i = a, t_{i+1} = b, in one chunk}; overlapping pairs count, as in aaa.

    Raises ValueError if a token is outside 0..V-1 or the shapes differ.  Source: Sennrich et al. 2016, algorithm 1.
    [N], [N] -> [V, V]
    """
    _require_tokens(tokens, vocabulary_size)
    require_same_shape(tokens=tokens, chunk=chunk)
    tokens, inside = as_int64(tokens), chunk[1:] == chunk[:-1]
    pairs = tokens[:-1] * vocabulary_size + tokens[1:]
    # a separate index for non-pairs: a mask would make the shape depend on values
    counts = torch.bincount(torch.where(inside, pairs, vocabulary_size**2), minlength=vocabulary_size**2 + 1)
    return counts[:-1].view(vocabulary_size, vocabulary_size)


def merge_pair(tokens, chunk, *, pair, new_token):
    r"""The tokens with each occurrence of the pair inside a chunk replaced by new_token, from left to right, not overlapping.

    Raises ValueError if the shapes differ or a token is negative.  Source: Sennrich et al. 2016, algorithm 1.
    [N], [N] -> [M], [M]
    """
    _require_tokens(tokens)
    require_same_shape(tokens=tokens, chunk=chunk)
    tokens, chunk = as_int64(tokens), as_int64(chunk)
    first, second = map(int, pair)
    hit = (tokens[:-1] == first) & (tokens[1:] == second) & (chunk[:-1] == chunk[1:])
    # hits in a row overlap (a pair aa in aaaa): of each run, every other one counts, from its first
    places = torch.arange(len(hit), device=tokens.device)
    before = torch.where(hit, -1, places).cummax(0).values if len(hit) else places
    taken = hit & ((places - before) % 2 == 1)
    none = taken.new_zeros(1)
    merged = torch.where(torch.cat([taken, none])[: len(tokens)], new_token, tokens)
    kept = ~torch.cat([none, taken])[: len(tokens)]
    return merged[kept], chunk[kept]


def train_byte_pairs(data, chunk, *, merges):
    r"""The merges of byte-pair encoding: up to `merges` times the most frequent pair, the smallest (a, b) among equals.

    Token 256 + r is what merge r makes. Counts are kept per distinct chunk and brought up to date where a merge happened; a
    heap with possibly outdated entries gives the most frequent pair.

    Raises ValueError if data holds anything but 0..255 or merges is negative.  Source: Sennrich et al. 2016, algorithm 1.
    [N], [N] -> [R, 2]
    """
    _require_bytes(data)
    require_same_shape(data=data, chunk=chunk)
    require(0 <= merges <= LARGEST_TOKEN - 256, f"merges is {merges}; it must be between 0 and {LARGEST_TOKEN - 256}")
    return torch.tensor(learn(Counter(_pieces(data, chunk)), merges), dtype=torch.int64).view(-1, 2)


def encode_byte_pairs(data, chunk, merges):
    r"""The tokens of the bytes: inside each chunk the adjacent pair of lowest rank is merged, until none is in the table.

    Raises ValueError if data holds anything but 0..255, or a merge refers to a token that does not exist before it.
    Source: Sennrich et al. 2016.
    [N], [N], [R, 2] -> [L]
    """
    _require_bytes(data)
    require_same_shape(data=data, chunk=chunk)
    _require_merges(merges)
    return _encode(_pieces(data, chunk), Spellings(merges.tolist()))


def decode_byte_pairs(tokens, merges):
    r"""The bytes that the tokens stand for.

    Raises ValueError if a token is not in the table, or a merge refers to a token that does not exist before it.
    Source: Gage 1994.
    [L], [R, 2] -> [N]
    """
    _require_merges(merges)
    _require_tokens(tokens, 256 + len(merges))
    table = _bytes_of(merges.tolist())
    return _as_tensor(b"".join(map(table.__getitem__, tokens.tolist())), np.uint8)


def _encode(pieces, spellings):
    return _as_tensor(b"".join(map(spellings.__getitem__, pieces)), "<i4")


def _as_tensor(raw, dtype):
    return torch.from_numpy(np.frombuffer(raw, dtype).astype(np.int64))


def _pieces(data, chunk):
    """The chunks as bytes."""
    raw = data.to(torch.uint8).cpu().numpy().tobytes()
    cuts = (torch.nonzero(chunk[1:] != chunk[:-1])[:, 0] + 1).tolist()
    return [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)] if raw else []


def _bytes_of(merges):
    """The bytes of every token."""
    table = [bytes([byte]) for byte in range(256)]
    for a, b in merges:
        table.append(table[a] + table[b])
    return table


def _require_bytes(data):
    require_rank(1, data=data)
    require_values("data", data, lambda data: (data >= 0) & (data <= 255), "a byte, 0..255")


def _require_tokens(tokens, vocabulary_size=None):
    require_rank(1, tokens=tokens)
    last = torch.iinfo(torch.int64).max if vocabulary_size is None else vocabulary_size - 1
    allowed = "0 or more" if vocabulary_size is None else f"a token of the vocabulary, 0..{last}"
    require_values("tokens", tokens, lambda tokens: (tokens >= 0) & (tokens <= last), allowed)


def _require_merges(merges):
    require_rank(2, merges=merges)
    require(merges.shape[1] == 2, f"merges has {merges.shape[1]} columns; it must have 2")
    known = torch.arange(256, 256 + len(merges), device=merges.device).unsqueeze(1)
    allowed = "a token that exists before its row: row r makes token 256 + r of tokens 0..255 + r"
    require_values("merges", merges, lambda merges: (merges >= 0) & (merges < known), allowed)


# The tokenizers


@dataclass(frozen=True)
class BytePairTokenizer:
    """Text to tokens and back, exact on any bytes: 256 bytes, then what the merges make, then special tokens.

    Special tokens are outside the bytes: no text is ever encoded to one, and decoding leaves them out.
    """

    merges: tuple[tuple[int, int], ...] = ()
    special_tokens: tuple[str, ...] = ()

    def __post_init__(self):
        _require_merges(torch.tensor(self.merges, dtype=torch.int64).view(-1, 2))
        distinct = len(set(self.special_tokens)) == len(self.special_tokens)
        require(distinct, f"special_tokens is {self.special_tokens}; each must occur once")
        object.__setattr__(self, "_spellings", Spellings(self.merges))
        object.__setattr__(self, "_bytes", _bytes_of(self.merges) + [b""] * len(self.special_tokens))

    @classmethod
    def train(cls, text, *, merges, special_tokens=()):
        """The tokenizer of a text, a string or bytes. Never give it the text that it will be judged by."""
        return cls.of_counts(Counter(cls.chunks(text)), merges=merges, special_tokens=special_tokens)

    @classmethod
    def of_counts(cls, counts, *, merges, special_tokens=()):
        """The tokenizer of a text, given the counts of its distinct chunks, {bytes: int}."""
        return cls(tuple(learn(counts, merges)), tuple(special_tokens))

    @staticmethod
    def chunks(text):
        """Chunks that merges do not cross, as bytes: each word of a string or of bytes, with the whitespace before it."""
        return _CHUNK.findall(text.encode() if isinstance(text, str) else bytes(text))

    @property
    def vocabulary_size(self):
        """The number of tokens."""
        return len(self._bytes)

    def lengths(self):
        """Length of each token in bytes, [V]; 0 for special tokens."""
        return list(map(len, self._bytes))

    def special(self, name):
        """The number of a special token."""
        known = ", ".join(self.special_tokens) or "none"
        require(name in self.special_tokens, f"name is {name!r}; it must be a special token of this tokenizer: {known}")
        return 256 + len(self.merges) + self.special_tokens.index(name)

    def encode(self, text):
        """The tokens of a string or of bytes: -> int64 [L]."""
        return _encode(self.chunks(text), self._spellings)

    def ranks(self):
        """(pattern, {bytes: token}) with which tiktoken gives the same tokens: tokenizer_files.tiktoken_encoder takes them."""
        return _CHUNK.pattern.decode(), reachable(self._bytes[: 256 + len(self.merges)], Spellings(self.merges))

    def decode_bytes(self, tokens):
        """The bytes of tokens [L]."""
        tokens = torch.as_tensor(tokens, dtype=torch.int64)
        _require_tokens(tokens, self.vocabulary_size)
        return b"".join(map(self._bytes.__getitem__, tokens.tolist()))

    def decode(self, tokens):
        """The text of tokens [L]; bytes that are no UTF-8 become the replacement character, which only whole texts avoid."""
        return self.decode_bytes(tokens).decode(errors="replace")

    def content(self):
        """The merges and special tokens as JSON, which `load` reads from a file."""
        content = {"schema": _SCHEMA, "merges": [list(pair) for pair in self.merges], "special_tokens": list(self.special_tokens)}
        return json.dumps(content) + "\n"

    def save(self, path):
        """Write the merges and special tokens as JSON."""
        Path(path).write_text(self.content(), encoding="utf-8")

    @classmethod
    def load(cls, path):
        """Read what `save` wrote.  Raises ValueError, one line, if the file is anything else."""
        return cls.of_content(Path(path).read_bytes(), path)

    @classmethod
    def of_content(cls, content, name="the content"):
        """The tokenizer of what `content` gave.  Raises ValueError, one line with the name, if it is anything else."""
        try:
            content = json.loads(content)
            require(content["schema"] == _SCHEMA, f"its schema is {content['schema']!r}; it must be {_SCHEMA!r}")
            merges, special = content["merges"], content["special_tokens"]
            whole = all(type(token) is int and 0 <= token <= LARGEST_TOKEN for pair in merges for token in pair)
            require(whole and all(len(pair) == 2 for pair in merges), "merges must be pairs of tokens")
            require(all(isinstance(name, str) for name in special), "special_tokens must be strings")
            return cls(tuple(map(tuple, merges)), tuple(special))
        except (ValueError, KeyError, TypeError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"{name} is no tokenizer: {reason}") from None


class ByteTokenizer(BytePairTokenizer):
    """A token is a byte: the tokenizer without merges."""

    def __init__(self, special_tokens=()):
        super().__init__((), tuple(special_tokens))
