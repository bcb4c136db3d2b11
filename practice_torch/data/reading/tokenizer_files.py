"""Tokenizers of others, from their files: those that write every byte, so that text and tokens tell the same.

A tokenizer is here (library, content): what tokenizes, and the bytes of its file, which a prepared folder and a run folder keep.
"""

import base64
import functools
import json
from pathlib import Path

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.reading.sentence_pieces import bytes_of_piece, is_of_pieces, space_before

LIBRARIES = ("tokenizers", "tiktoken")
TIKTOKEN = "tiktoken:"
ENDS = ("<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "</s>", "<eos>", "<|im_end|>")  # what others call the end of a text


class TokenizerFile:
    """A tokenizer that others made: text to tokens and back, as BytePairTokenizer does; no text becomes a special token.

    One of pieces, as Llama's, puts a space before a text: that byte is one of its first token's, and decoding takes it away.
    """

    def __init__(self, library, content):
        self.library, self.content = library, content
        self.special_tokens, self._bytes, self._ids, self._before = {"tokenizers": _tokenizers, "tiktoken": _tiktoken}[library](
            content
        )

    def __reduce__(self):
        return TokenizerFile, (self.library, self.content)

    @property
    def vocabulary_size(self):
        """The number of tokens; some numbers may stand for none."""
        return len(self._bytes)

    def lengths(self):
        """Bytes that each token encodes, [V]; 0 for special tokens."""
        return list(map(len, self._bytes))

    def encode(self, text):
        """The tokens of a string or of UTF-8 bytes: -> int64 [L]."""
        return torch.tensor(self._ids(text if isinstance(text, str) else text.decode()), dtype=torch.int64)

    def decode(self, tokens):
        """The text of tokens [L]; bytes that are no UTF-8 become the replacement character."""
        known = (token for token in torch.as_tensor(tokens).tolist() if token < len(self._bytes))  # a model's table may be longer
        return b"".join(self._bytes[token] for token in known).removeprefix(self._before).decode(errors="replace")

    def special(self, name):
        """The number of a special token."""
        return self.special_tokens[name]


def read_tokenizer(asked):
    """The (library, content) that --tokens names: a tokenizer.json, or tiktoken:NAME. DataError if it cannot be read."""
    if asked.startswith(TIKTOKEN):
        return "tiktoken", _content_of_encoding(asked.removeprefix(TIKTOKEN))
    path = Path(asked).expanduser()
    try:
        return "tokenizers", path.read_bytes()
    except OSError as error:
        allowed = "it must be bytes, learned, a tokenizer.json or tiktoken:NAME"
        raise DataError(f"tokens is {asked!r:.200}, which cannot be read ({(error.strerror or '').lower()}); {allowed}") from None


def end_of_text(tokenizer, name):
    """The name of the token that separates documents: as asked, or the first that is usual. DataError if there is none."""
    known = tokenizer.special_tokens
    found = [name] if name else [end for end in ENDS if end in known]
    if not found or found[0] not in known:
        which = f"no special token {name!r}" if name else "no special token that usually ends a text"
        raise DataError(f"the tokenizer has {which}; it has {', '.join(known)[:200] or 'none'}: name one with --end-of-text")
    return found[0]


def _tokenizers(content):
    tokenizers = _imported("tokenizers")
    try:
        inner = tokenizers.Tokenizer.from_str(content.decode())
    except Exception as error:  # the library raises Exception itself
        raise DataError(f"the tokenizer is no tokenizer.json of tokenizers ({str(error)[:120]}): name another file") from None
    inner.no_truncation()
    inner.no_padding()
    inner.encode_special_tokens = True
    added = inner.get_added_tokens_decoder()
    special = {token.content: number for number, token in added.items() if token.special}
    spelled = {number: spelling for spelling, number in inner.get_vocab(with_added_tokens=True).items()}
    alphabet, table, stored = _alphabet(), [b""] * (max(spelled) + 1), json.loads(content)
    pieces = is_of_pieces(stored)
    given = space_before(stored) if pieces else None
    for number, spelling in spelled.items():
        if number in added:
            table[number] = b"" if added[number].special else spelling.encode()
            continue
        if pieces:
            table[number] = bytes_of_piece(spelling)
            continue
        if not all(mark in alphabet for mark in spelling):
            found = f"token {number} is {spelling!r:.40}"
            raise DataError(f"the tokenizer is not byte-level ({found}), so its tokens have no bytes: use one like GPT-2's")
        table[number] = bytes(map(alphabet.__getitem__, spelling))
    space = " " if given else ""
    before = b"" if given is None else b" "
    return special, table, lambda text: inner.encode(space + text if text else text, add_special_tokens=False).ids, before


def _tiktoken(content):
    tiktoken = _imported("tiktoken")
    stored = json.loads(content)
    ranks = {base64.b64decode(token): number for token, number in stored["ranks"].items()}
    inner = tiktoken.Encoding(
        stored["name"], pat_str=stored["pattern"], mergeable_ranks=ranks, special_tokens=stored["special_tokens"]
    )
    table = [b""] * inner.n_vocab
    for token, number in ranks.items():
        table[number] = token
    return stored["special_tokens"], table, inner.encode_ordinary, b""


def tiktoken_encoder(pattern, ranks):
    """A function of a string or of UTF-8 bytes -> int64 [L]: tiktoken's encoder with a pattern and ranks {bytes: token}."""
    inner = _imported("tiktoken").Encoding("diptych", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})

    def encode(text):
        if isinstance(text, str):
            text.encode()  # raises at half a surrogate pair, where tiktoken reads a replacement
        else:
            text = bytes(text).decode()
        # by an array: torch reads a list slowly, and encode_to_numpy takes twice as long where there are no special tokens
        return torch.from_numpy(np.array(inner.encode_ordinary(text), np.int64))

    return encode


def _content_of_encoding(name):
    tiktoken = _imported("tiktoken")
    try:
        encoding = tiktoken.get_encoding(name)
    except Exception as error:  # ValueError for a name, and any error of a download
        why = " ".join(str(error).split())[:160]
        raise DataError(f"tiktoken has no encoding {name!r} at hand ({why}): name another") from None
    return encoding_content(encoding)


def encoding_content(encoding):
    """A tiktoken encoding as the bytes of a file, which needs no other to be used again."""
    inside = vars(encoding)  # tiktoken gives out neither the pattern nor the ranks
    ranks = {base64.b64encode(token).decode(): number for token, number in inside["_mergeable_ranks"].items()}
    special = inside["_special_tokens"]
    stored = {"name": encoding.name, "pattern": inside["_pat_str"], "ranks": ranks, "special_tokens": special}
    return json.dumps(stored).encode()


def _imported(library):
    try:
        return __import__(library)
    except ImportError:
        raise DataError(f"this tokenizer needs {library}, which is not installed: pip install {library}") from None


@functools.cache
def _alphabet():
    """The bytes of the printable characters by which byte-level tokenizers write them, since GPT-2."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = (byte for byte in range(256) if byte not in plain)
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(rest)}


def byte_alphabet():
    """Those characters, [256] by their bytes."""
    return sorted(_alphabet(), key=_alphabet().get)
