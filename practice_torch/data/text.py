"""Text: the embedded help pages of Python, or the user's own UTF-8 file, as windows of characters, of bytes or of tokens."""

import platform
import string
from dataclasses import replace

import torch

from practice_torch.data.blank import blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.preparation.prepared import is_prepared
from practice_torch.data.reading.files import reading, size_of
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.remote.store import is_url
from practice_torch.data.splits import existing_path, fingerprint, held_out_count
from practice_torch.data.streams.streamed_text import load_prepared
from practice_torch.data.text_set import Text, Vocabulary

NAMES = ("pydoc",)
KINDS = "a UTF-8 text file or a folder that `prepare text` wrote (or its URL)"
FORMS = f"pydoc (Python's own help pages); {KINDS}, of any size."
PYDOC = 500_000  # characters of Python's help pages, about: they differ between versions
SMALLER = "use a shorter text"
# Bytes for each byte of a file while it is encoded: measured 28 and 3.8. What it takes to learn tokens is not known here.
WORKING = {"character": 32, "byte": 4, "token": 4}


def load(source, *, held_out=0.1, seed=0, context=64, level="character", learn=None, tokenizer=None):
    """(train, held-out) text from "pydoc" or the path of a UTF-8 file, split by position: the end is held out.

    level is "character" (the vocabulary is the training text's characters, sorted, and one for the unknown), "byte", or "token":
    learn(the training part's bytes) is then the vocabulary, something with vocabulary_size, encode and decode; tokenizer, a
    ModelTokenizer, takes its place where a model has its tokens already. Line ends become newlines. The split draws nothing; seed
    is taken so that every modality is loaded by the same call.

    Of a folder that `prepare text` wrote, which has its own tokens, the training part is streamed (StreamedText), and no more
    than streamed_text.HELD_OUT tokens are held out. Behind a URL (s3://bucket/folder), it is read by way of the local disk
    (RemoteText).

    Raises DataError, one line, where the text cannot be used.
    """
    if level not in ("character", "byte", "token"):
        raise DataError(f"level is {level!r}; it must be 'character', 'byte' or 'token'")
    if context < 1:
        raise DataError(f"context is {context}; it must be at least 1")
    if is_url(source):
        return _prepared(source, held_out, context, level, seed, tokenizer)
    path = None if str(source) == "pydoc" else existing_path(source, NAMES, KINDS)
    if path and path.is_dir() and is_prepared(path):
        return _prepared(path, held_out, context, level, seed, tokenizer)
    text = _read(path, level) if path else pydoc()
    name, raw = str(source), text.encode()
    symbols = text if level == "character" else raw  # tokens are split as bytes are: their figures are of the same text
    unit = "characters" if level == "character" else "bytes"
    hidden = held_out_count(len(symbols), held_out, f"{unit} in {name}")
    while tokenizer and hidden < len(raw) and raw[-hidden] & 0xC0 == 0x80:  # tokenizers of others read no half of a character
        hidden += 1
    training, rest = symbols[:-hidden], symbols[-hidden:]
    if tokenizer:
        vocabulary, size, characters, unit = tokenizer, tokenizer.vocabulary, None, "tokens"
    elif level == "token":
        vocabulary = learn(training)
        size, characters, unit = vocabulary.vocabulary_size, None, "tokens"
    else:
        vocabulary = Vocabulary("".join(sorted(set(training))) if level == "character" else None)
        size, characters = vocabulary.size, vocabulary.characters
    streams = [vocabulary.encode(part).to(torch.uint8 if size <= 256 else torch.int32) for part in (training, rest)]
    if min(map(len, streams)) < context + 1:
        raise DataError(
            f"{name} has {sum(map(len, streams))} {unit}, {len(streams[0])} to train on and {len(streams[1])} held out; each "
            f"part needs at least {context + 1} (the context of {context} and one more): give a longer text or a shorter context"
        )
    description = {
        "name": name,
        "shape": [context + 1],
        "level": level,
        "vocabulary": size,
        "characters": characters,
        "classes": None,
        "sha256": fingerprint(raw),
    }
    if name == "pydoc":
        description["python"] = platform.python_version()  # the pages, and with them every figure, differ between versions
    if tokenizer:
        description, vocabulary = _with_tokenizer(description, tokenizer), tokenizer.kept()
    parts = []
    for stream, stride, split in zip(streams, (1, context), ("train", "held-out"), strict=True):
        part = Text(stream, context, stride, vocabulary, {})
        details = {"split": split, "count": len(part), "tokens": len(stream)}
        if characters is not None:
            details["unknown"] = int((stream == size - 1).sum())
        parts.append(replace(part, description=description | details))
    return tuple(parts)


def _prepared(path, held_out, context, level, seed, tokenizer):
    def hidden(total):
        return held_out_count(total, held_out, f"tokens in {path}")

    train, stream, description = load_prepared(path, held_out_count=hidden, context=context, level=level, seed=seed)
    if tokenizer:
        tokenizer.require_equal(train.vocabulary, path)
        description = _with_tokenizer(description, tokenizer)
        train = replace(train, vocabulary=tokenizer.kept(), description=_with_tokenizer(train.description, tokenizer))
    rest = Text(stream, context, context, train.vocabulary, {})
    counted = {"split": "held-out", "count": len(rest), "tokens": len(stream)}
    return train, replace(rest, description=description | counted)


def _with_tokenizer(description, tokenizer):
    """The description as the model knows its tokenizer."""
    rest = {key: value for key, value in description.items() if key != "tokenizer"}
    rest["vocabulary"] = tokenizer.vocabulary
    return rest | ({"tokenizer": dict(tokenizer.about)} if tokenizer.about else {})


def pydoc():
    """All help pages of this Python."""
    from pydoc_data.topics import topics

    return "\n".join(topics.values())


def _read(path, level):
    with reading(path, SMALLER):
        if path.is_dir():
            raise DataError(f"{path} is a folder; it must be {KINDS}: name a file")
        require_memory(path, WORKING[level] * size_of(path), SMALLER)
        raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte 0x{raw[error.start]:02x} at offset {error.start}"
        raise DataError(f"{path} is not UTF-8 ({found}): convert it, e.g. with iconv -f LATIN1 -t UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def blank(name, facts, *, context=64, level="character", learn=None):
    """The training text without data: see blank.py."""
    characters = string.printable if level == "character" else None
    size = len(characters) + 1 if characters else 256 + (learn.keywords["merges"] if learn else 0)
    known = {"shape": [context + 1], "level": level, "vocabulary": size, "characters": characters, "tokens": PYDOC}
    if name == "pydoc":
        known["count"] = PYDOC - context
    return blank_set(name, known, facts, lambda count: {"tokens": torch.zeros(count, context + 1, dtype=torch.int64)})
