"""Prepare text: tokenize it once, into shards of token numbers that training maps into memory.

Sources are UTF-8 text files (each a document), .jsonl, also .gz or .zst (a line is a document), and parquet (a row is one), or
folders of them. Documents are separated by the tokenizer's end-of-text token; for bytes, a zero byte separates them. A
text file beyond a megabyte is tokenized in parts that end before a line's end: bytes and learned tokens are those of the whole,
tokens of others may differ there. Line ends become newlines. The end of the last file is what training holds out: order the
sources accordingly.
"""

import dataclasses
import functools
import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from practice_torch.data.errors import DataError
from practice_torch.data.preparation import preparing
from practice_torch.data.preparation.documents import Tally, files_of, pieces_of, texts
from practice_torch.data.preparation.labels import no_labels
from practice_torch.data.preparation.shard_files import shard_file
from practice_torch.data.reading.tokenizer_files import TokenizerFile, end_of_text, read_tokenizer, tiktoken_encoder

END = "<|endoftext|>"  # of the tokens learned here
CHUNK = 2**26  # bytes of the sources that a shard takes, at least; of more than a terabyte, each takes more
TRAINED_ON = 0.9  # of the sources, at most, merges are learned from: the rest may be held out
FILE = "tokenizer.json"


@dataclass(frozen=True)
class Options(preparing.Options):
    """Options of text."""

    tokens: str = "bytes"
    """bytes; learned (byte pairs); a tokenizer.json (read by tokenizers); or tiktoken:NAME, an encoding that tiktoken has."""
    merges: int = 32_000
    """Number of byte-pair merges where tokens are learned."""
    sample: int = 64
    """Megabytes from the beginning of the sources that merges are learned from (never from their last tenth)."""
    encoder: Literal["own", "tiktoken"] = "own"
    """What encodes learned tokens: Diptych's encoder, or tiktoken with the same merges. The tokens are the same."""
    field: str = "text"
    """The field of .jsonl, or the column of parquet, that holds the text."""
    end_of_text: str = ""
    """The special token of a tokenizer.json that separates documents (default: the one with a usual name)."""

    def __post_init__(self):
        super().__post_init__()
        most = 0x10FFFF - 256 - 1  # a token is a code point while they are learned
        for name, least, largest in (("merges", 1, most), ("sample", 1, 2**40)):
            if not least <= (value := getattr(self, name)) <= largest:
                raise ValueError(f"{name} is {value}; it must be between {least} and {largest}")
        if self.encoder != "own" and self.tokens != "learned":
            raise ValueError(f"encoder is {self.encoder}; it applies to --tokens learned only")

    def lasting(self):
        """Options that affect the result; merges and sample only if tokens are learned."""
        unused = ("encoder",) if self.tokens == "learned" else ("encoder", "merges", "sample")
        return {name: value for name, value in super().lasting().items() if name not in unused}


@dataclass(frozen=True)
class Tokens:
    """A tokenizer for worker processes: library is bytes, diptych (with the class of its tokenizer) or an external one."""

    library: str
    file: Path | None
    byte_pairs: type | None
    end: str
    encoder: str = "own"

    @functools.cached_property
    def tokenizer(self):
        """The tokenizer; None for bytes."""
        if self.library == "bytes":
            return None
        if self.library == "diptych":
            return self.byte_pairs.load(self.file)
        return TokenizerFile(self.library, self.file.read_bytes())

    @functools.cached_property
    def _encode(self):
        return self.tokenizer.encode if self.encoder == "own" else tiktoken_encoder(*self.tokenizer.ranks())

    @property
    def size(self):
        """The number of tokens."""
        return self.tokenizer.vocabulary_size if self.tokenizer else 256

    @property
    def dtype(self):
        """The smallest that holds them: uint8, uint16 or uint32."""
        return np.min_scalar_type(self.size - 1) if self.size <= 2**16 else np.dtype(np.uint32)

    def separator(self):
        """The number of the token between documents."""
        return self.tokenizer.special(self.end) if self.tokenizer else 0

    def encode(self, raw):
        """The tokens of UTF-8 bytes."""
        if not self.tokenizer:
            return np.frombuffer(raw, np.uint8)
        return self._encode(raw).numpy()

    def __getstate__(self):
        made = ("tokenizer", "_encode")  # by each process itself
        return {key: value for key, value in vars(self).items() if key not in made}


def prepare(sources, out, options, say, byte_pairs, part=None):
    """The prepared folder; of a part, its description.

    byte_pairs: the class of Diptych's tokenizer, which is a topic and so not imported here. Every part learns the same tokens.
    """
    files, empty = files_of(sources, options.skip_unusable)
    jobs, total = _jobs(files)
    folder, content, foreign = Path(out, part.folder if part else ""), None, b""
    if options.tokens not in ("bytes", "learned"):
        library, content = read_tokenizer(options.tokens)
        foreign, tokenizer = content, TokenizerFile(library, content)
        tokens = Tokens(library, folder / FILE, None, end_of_text(tokenizer, options.end_of_text))
    elif options.tokens == "learned":
        tokens = Tokens("diptych", folder / FILE, byte_pairs, END, options.encoder)
        if not (folder / FILE).is_file():
            content = _learned(jobs, total, options, say, byte_pairs)
    else:
        tokens = Tokens("bytes", None, None, "")
    asked = {"source": list(map(str, sources)), "options": options.lasting(), "inputs": _inputs(files, foreign)}

    numbered = [(name, size, (number == 0, pieces, tokens, options)) for number, (name, size, pieces) in enumerate(jobs)]
    own = part.share(numbered, lambda job: job[1]) if part else numbered

    def listed(_):
        about = {"library": tokens.library, "end_of_text": tokens.end or None}
        if tokens.file:
            raw = tokens.file.read_bytes()
            about |= {"file": FILE, "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        same = {"dtype": tokens.dtype.name, "vocabulary": tokens.size, "tokenizer": about, "files_left_out": empty}
        return own, same, no_labels()

    return preparing.prepare_shards(
        out,
        "text",
        asked=asked,
        stamp=preparing.stamp_of(files),
        workers=options.workers,
        say=say,
        facts=facts,
        jobs=listed,
        write=write_shard,
        keep={FILE: content} if content else {},
        part=part,
    )


def facts(same, _, sidecars):
    """The manifest's entries about text."""
    sums = {field.name: sum(one[field.name] for one in sidecars) for field in dataclasses.fields(Tally)}
    return same | sums | {"remarks": _remarks(sums, same["files_left_out"])}


def summary(manifest):
    """Summary of the prepared data."""
    return (
        f"{manifest['count']} tokens ({manifest['dtype']}, vocabulary {manifest['vocabulary']}) of {manifest['documents']} "
        f"documents, {manifest['text_bytes'] / max(manifest['count'], 1):.2f} bytes a token"
    )


def write_shard(folder, name, job):
    """The tokens of some pieces as a shard."""
    is_first, pieces, tokens, options = job
    tally, separator = Tally(), np.array([tokens.separator()], tokens.dtype)
    lengths = np.array(tokens.tokenizer.lengths()) if tokens.library not in ("bytes", "diptych") else None
    with shard_file(folder, name) as file:
        for piece in pieces:
            for begins, raw in texts(piece, options.field, options.skip_unusable, tally):
                if begins and (file.size or not is_first):
                    file.write(separator)
                numbers = tokens.encode(raw)
                if lengths is not None and (spelled := int(lengths[numbers].sum())) != len(raw):
                    found = f"{len(raw)} bytes of {piece.path} became tokens of {spelled}"
                    raise DataError(f"{options.tokens} changes text ({found}): use a byte-level tokenizer without a normalizer")
                file.write(numbers.astype(tokens.dtype, copy=False))
        file.facts.update(count=file.size // tokens.dtype.itemsize, **dataclasses.asdict(tally))


def _jobs(files):
    """([(name, bytes, pieces) of each shard], bytes of all): pieces in order, until there are enough of them for a shard."""
    most = max(CHUNK, sum(file.stat().st_size for file in files) // preparing.MOST_SHARDS)
    jobs, pieces, size, total = [], [], 0, 0
    for piece in (piece for file in files for piece in pieces_of(file, most)):
        pieces.append(piece)
        size, total = size + piece.size, total + piece.size
        if size >= most:
            jobs.append((size, pieces))
            pieces, size = [], 0
    if pieces:
        jobs.append((size, pieces))
    return [(f"shard-{number:05d}.bin", *job) for number, job in enumerate(jobs)], total


def _learned(jobs, total, options, say, byte_pairs):
    """The file of byte pairs learned from the beginning of the sources."""
    most, seen, words = min(10**6 * options.sample, int(TRAINED_ON * total)), 0, Counter()
    for piece in (piece for _, _, pieces in jobs for piece in pieces):
        for _, raw in texts(piece, options.field, options.skip_unusable, Tally()):
            raw = raw[: most - seen]
            words.update(byte_pairs.chunks(raw))
            seen += len(raw)
            if seen >= most:
                break
        if seen >= most:
            break
    say(f"learning {options.merges} merges from {seen / 1e6:.3g} MB, {len(words)} different words")
    learned = byte_pairs.of_counts(words, merges=options.merges, special_tokens=(END,))
    if len(learned.merges) < options.merges:
        found = f"{seen} bytes have pairs for {len(learned.merges)} merges"
        raise DataError(f"merges is {options.merges}, but the {found}: ask for fewer, or give more text or a larger --sample")
    return learned.content().encode()


def _inputs(files, tokenizer):
    """The digest of the files' names and sizes, and of another's tokenizer."""
    lines = (f"{file.name}\0{file.stat().st_size}\n".encode(errors="surrogateescape") for file in files)
    return hashlib.sha256(b"".join(lines) + tokenizer).hexdigest()


def _remarks(sums, empty):
    what = {
        "empty files": empty,
        "bytes that are not UTF-8": sums["bytes_left_out"],
        "rows without a usable text": sums["rows_left_out"],
    }
    return [f"{count} {name} were left out" for name, count in what.items() if count]
