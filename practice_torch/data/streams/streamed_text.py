"""Prepared text: windows of tokens from shards that are mapped into memory, not read into it."""

import hashlib
import mmap
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.prepared import AGAIN, MOST_OPEN, Prepared, open_prepared
from practice_torch.data.reading.files import reading
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.streams.remote_text import remote_text
from practice_torch.data.text_set import Text

HELD_OUT = 2**21  # largest number of held-out tokens, from the end: they are read into memory and evaluated as a whole
DTYPES = {"uint8": torch.uint8, "uint16": torch.int32, "uint32": torch.int32}  # as they lie on a device
SMALLER = "train on it as it streams"


@dataclass(frozen=True)
class PreparedTokenizer:
    """The tokenizer of prepared text as the bytes of its file: library is bytes, diptych, tokenizers or tiktoken."""

    library: str
    content: bytes | None


@dataclass(frozen=True, eq=False)
class Shards:
    """The tokens of all shards as one sequence, which any process maps when it first reads it."""

    prepared: Prepared
    ends: tuple[int, ...]  # the number of tokens up to and with each shard
    dtype: np.dtype
    vocabulary: int
    maps: OrderedDict = field(default_factory=OrderedDict, repr=False)

    def __getstate__(self):
        return vars(self) | {"maps": OrderedDict()}

    def __len__(self):
        return self.ends[-1]

    def windows(self, starts, length):
        """Tokens [B, length] from each start [B] on, int64. A window may reach over the ends of shards.

        Raises DataError, which names a shard, if a token is not one of the vocabulary.
        """
        result = np.empty((len(starts), length), self.dtype)
        for row, start in zip(result, starts.tolist(), strict=True):
            shard = bisect_right(self.ends, start)
            place, tokens = start - (self.ends[shard - 1] if shard else 0), self._mapped(shard)
            part = tokens[place : place + length]
            row[: len(part)] = part
            filled = len(part)
            while filled < length:
                shard += 1
                part = self._mapped(shard)[: length - filled]
                row[filled : filled + len(part)] = part
                filled += len(part)
        if result.size and int(result.max()) >= self.vocabulary:
            row = int((result >= self.vocabulary).any(1).argmax())
            self._require_known(result[row], bisect_right(self.ends, int(starts[row])))
        return torch.from_numpy(result.astype(np.int64))

    def read(self, start, stop, dtype):
        """The tokens start..stop as one tensor."""
        require_memory(f"the {stop - start} tokens of {self.prepared.folder}", (stop - start) * dtype.itemsize, SMALLER)
        result, first = torch.empty(stop - start, dtype=dtype), 0
        for shard, end in enumerate(self.ends):
            a, b = max(start, first), min(stop, end)
            if a < b:
                path, _held = self.prepared.local(shard)
                with reading(path, SMALLER):
                    part = np.fromfile(path, self.dtype, count=b - a, offset=(a - first) * self.dtype.itemsize)
                if len(part) < b - a:
                    raise DataError(f"{path} was cut while it was read: {AGAIN}")
                self._require_known(part, shard)
                result[a - start : b - start] = torch.from_numpy(part.astype(np.int32) if dtype == torch.int32 else part)
            first = end
        return result

    def keep(self, shards):
        """Let go of all shards but these."""
        for shard in self.maps.keys() - set(shards):
            del self.maps[shard]

    def _require_known(self, tokens, shard):
        if len(tokens) and (largest := int(tokens.max())) >= self.vocabulary:
            path = self.prepared.paths[shard]
            found = f"a token {largest}; the vocabulary ends at {self.vocabulary - 1}"
            raise DataError(f"{path} is damaged (it holds {found}): verify the folder with prepare --verify, or {AGAIN}")

    def _mapped(self, shard):
        if (found := self.maps.get(shard)) is None:
            path, held = self.prepared.local(shard)
            with reading(path, AGAIN), open(path, "rb") as file:
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            memory.madvise(mmap.MADV_RANDOM)  # reading ahead would read 60 times the bytes of a window
            if len(self.maps) >= MOST_OPEN:  # a map holds a file open
                self.maps.popitem(last=False)
            found = self.maps[shard] = np.frombuffer(memory, self.dtype), held
            if len(found[0]) != self.ends[shard] - (self.ends[shard - 1] if shard else 0):
                raise DataError(f"{path} was changed while it was used: {AGAIN}")
        self.maps.move_to_end(shard)
        return found[0]


@dataclass(frozen=True, eq=False)
class StreamedText:
    """The training part of prepared text: a window of context + 1 tokens at every position, read from the disk when requested."""

    shards: Shards
    tokens: int  # those of the training part, which come first
    context: int
    vocabulary: PreparedTokenizer
    description: dict
    varies = False  # an example is the same each time
    order = None

    def __len__(self):
        return self.tokens - self.context

    @property
    def resident_bytes(self):
        """Memory of the tokens on a device."""
        return self.tokens * DTYPES[self.shards.dtype.name].itemsize

    def batch(self, indices, draws=None):
        """{"tokens": int64 [B, context + 1]}; nothing is drawn."""
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < len(self):
            raise IndexError(f"indices are {int(indices.min())} to {int(indices.max())}; there are {len(self)} windows")
        return {"tokens": self.shards.windows(indices, self.context + 1)}

    def resident(self):
        """The same windows from tokens in memory."""
        stream = self.shards.read(0, self.tokens, DTYPES[self.shards.dtype.name])
        return Text(stream, self.context, 1, self.vocabulary, self.description)


def load_prepared(path, *, held_out_count, context, level, seed):
    """(streamed training part, tokens held out [H], their description) of prepared text.

    held_out_count: from the number of tokens to how many of them to hold out, of which HELD_OUT are taken at most.
    """
    prepared = open_prepared(path, "text")
    manifest = prepared.manifest
    tokenizer, dtype = _tokenizer(prepared), np.dtype(manifest["dtype"])
    for shard in manifest["shards"]:
        if shard["count"] * dtype.itemsize != shard["bytes"]:
            found = f"{shard['bytes']} bytes are not {shard['count']} tokens of {dtype.name}"
            raise DataError(f"{prepared.folder}/manifest.json: {shard['file']}: {found}: {AGAIN}")
    if level == "character" or level == "byte" and tokenizer.library != "bytes":
        mend = "give it the text file itself" if level == "character" else "prepare it with --tokens bytes"
        raise DataError(f"{path} holds tokens ({tokenizer.library}); this recipe takes {level}s: {mend}")
    total = manifest["count"]
    hidden = min(held_out_count(total), HELD_OUT)
    if min(hidden, total - hidden) < context + 1:
        raise DataError(
            f"{path} has {total} tokens, {total - hidden} to train on and {hidden} held out; each part needs at least "
            f"{context + 1} (the context of {context} and one more): prepare a longer text, or take a shorter context"
        )
    shards = Shards(prepared, tuple(accumulate(prepared.counts)), dtype, manifest["vocabulary"])
    about = {key: manifest["tokenizer"][key] for key in ("library", "end_of_text", "bytes") if key in manifest["tokenizer"]}
    description = {
        "name": str(path),
        "shape": [context + 1],
        "level": level,
        "vocabulary": manifest["vocabulary"],
        "characters": None,
        "classes": None,
        "sha256": manifest["sha256"],
        "tokenizer": about,
    }
    if remarks := manifest.get("remarks"):
        description["remarks"] = remarks
    counted = {"split": "train", "count": total - hidden - context, "tokens": total - hidden}
    if prepared.cache:
        train = remote_text(shards, total - hidden, context, seed, tokenizer, description | counted)
    else:
        train = StreamedText(shards, total - hidden, context, tokenizer, description | counted)
    return train, shards.read(total - hidden, total, DTYPES[dtype.name]), description


def tokenizer_of(path):
    """(tokenizer, name of the token that ends a text) of a folder of prepared text."""
    prepared = open_prepared(path, "text")
    return _tokenizer(prepared), prepared.manifest["tokenizer"]["end_of_text"]


def _tokenizer(prepared):
    """The folder's tokenizer. DataError if it differs from the shards' tokenizer."""
    about, vocabulary = prepared.manifest["tokenizer"], prepared.manifest["vocabulary"]
    if (dtype := prepared.manifest["dtype"]) not in DTYPES or vocabulary - 1 > np.iinfo(dtype).max:
        raise DataError(f"{prepared.folder}: a vocabulary of {vocabulary} does not fit {dtype}: {AGAIN}")
    if "file" not in about:
        if vocabulary != 256:
            raise DataError(f"{prepared.folder}: its tokens are bytes, and its vocabulary is {vocabulary}, not 256: {AGAIN}")
        return PreparedTokenizer(about["library"], None)
    content = prepared.read(about["file"])
    if hashlib.sha256(content).hexdigest() != about["sha256"]:
        file = f"{prepared.folder}/{about['file']}"
        raise DataError(f"{file} is another tokenizer than its shards were made with: copy the right one there, or {AGAIN}")
    return PreparedTokenizer(about["library"], content)
