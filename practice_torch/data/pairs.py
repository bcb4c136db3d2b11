"""Two completions of a prompt, of which one was chosen: the user's own JSONL, or passages of Python's help pages, as tokens."""

import json
from dataclasses import dataclass, replace

import torch

from practice_torch.data.alignment.fitting import OF_GPT2, encoder_named, fitted
from practice_torch.data.blank import blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.indices import on_device_of
from practice_torch.data.reading.files import reading, size_of
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.splits import existing_path, fingerprint, random_split
from practice_torch.data.streams.streamed_text import PreparedTokenizer
from practice_torch.data.text import pydoc

NAMES = ("pydoc",)
KEYS = ("prompt", "chosen", "rejected")
KINDS = "a .jsonl file with an object on every line: prompt, chosen and rejected, three texts"
FORMS = f"pydoc (how Python's help pages go on, and the passage after that); or {KINDS}."
SMALLER = "use fewer pairs"
PASSAGE = 32  # characters of a prompt, and of each completion, of the help pages


@dataclass(frozen=True, eq=False)
class Pairs:
    """Tokens [N, 2, T] of a prompt with its chosen completion, and with the rejected one; zeros behind the `lengths` [N, 2]."""

    tokens: torch.Tensor
    prompts: torch.Tensor  # [N], tokens of the prompt
    lengths: torch.Tensor
    vocabulary: PreparedTokenizer
    description: dict

    def __len__(self):
        return self.tokens.shape[0]

    def batch(self, indices=None):
        """{"tokens": int64 [B, 2, T], "prompt": int64 [B], "length": int64 [B, 2]}."""
        parts = {"tokens": self.tokens, "prompt": self.prompts, "length": self.lengths}
        if indices is not None:
            places = on_device_of(self.tokens, indices)
            parts = {name: part.index_select(0, places) for name, part in parts.items()}
        return {name: part.long() for name, part in parts.items()}

    def to(self, device):
        """The same pairs on the device, so that batches are gathered there."""
        moved = {name: getattr(self, name).to(device) for name in ("tokens", "prompts", "lengths")}
        return replace(self, **moved)


def load(source, *, held_out=0.1, seed=0, context=128, tokens="bytes", byte_pairs=None):
    """(train, held-out) pairs of "pydoc" or of a .jsonl file.

    tokens: bytes; a tokenizer.json; tiktoken:NAME; or a folder of prepared text, for its tokenizer. byte_pairs: the
    class of Diptych's tokenizer, which is a topic and so not imported here. A completion ends with the token that ends a text.
    A pair that is longer than the context is cut, which the description's remarks count.

    Raises DataError, one line with the number of the line, where a pair cannot be used.
    """
    if context < 4:
        raise DataError(f"context is {context}; it must be at least 4: a prompt, and completions that differ")
    name = str(source)
    rows = _pydoc() if name == "pydoc" else _read(existing_path(source, NAMES, KINDS))
    encoder = encoder_named(tokens, byte_pairs)
    kept, cut, alike = [], [0, 0], 0
    for row in rows:
        prompt, *completions = (encoder.encode(text) for text in row)
        prompt, completions, shortened = fitted(prompt, [[*completion, encoder.end] for completion in completions], context)
        cut = [count + now for count, now in zip(cut, shortened, strict=True)]
        if completions[0] == completions[1]:
            alike += 1
            continue
        kept.append((prompt, completions))
    if len(kept) < 2:
        raise DataError(f"{name}: {len(kept)} pairs are left of {len(rows)}; at least 2 are needed: give more, or more --context")
    pairs = _tensors(name, kept, encoder.about, encoder.size)
    remarks = [
        f"{count} of {len(rows)} {what}"
        for count, what in (
            (cut[0], f"prompts were cut at their beginning to fit a context of {context} tokens"),
            (cut[1], f"pairs have a completion that was cut at its end to fit a context of {context} tokens"),
            (alike, "pairs were left out, because their completions are equal up to where they are cut"),
        )
        if count
    ]
    description = {
        "name": name,
        "shape": list(pairs.tokens.shape[1:]),
        "vocabulary": encoder.size,
        "classes": None,
        "sha256": fingerprint(pairs.tokens, pairs.prompts, pairs.lengths),
        "tokenizer": pairs.description,
    } | ({"remarks": remarks} if remarks else {})
    parts = random_split(len(kept), held_out, seed, f"pairs in {name}", size=pairs.tokens.nbytes)
    return tuple(
        Pairs(
            pairs.tokens[indices],
            pairs.prompts[indices],
            pairs.lengths[indices],
            encoder.about,
            description | {"split": split, "count": len(indices)},
        )
        for indices, split in zip(parts, ("train", "held-out"), strict=True)
    )


def _tensors(name, kept, about, size):
    """All pairs, padded to the longest; the description is that of the tokenizer."""
    width = max(len(prompt) + len(completion) for prompt, completions in kept for completion in completions)
    require_memory(f"{len(kept)} pairs of {width} tokens", 2 * 4 * len(kept) * width, SMALLER)
    tokens = torch.zeros(len(kept), 2, width, dtype=torch.int32)
    lengths = torch.zeros(len(kept), 2, dtype=torch.int32)
    for row, (prompt, completions) in enumerate(kept):
        for column, completion in enumerate(completions):
            text = [*prompt, *completion]
            tokens[row, column, : len(text)] = torch.tensor(text, dtype=torch.int32)
            lengths[row, column] = len(text)
    prompts = torch.tensor([len(prompt) for prompt, _ in kept], dtype=torch.int32)
    facts = {"library": about.library} | ({"bytes": len(about.content)} if about.content else {})
    return Pairs(tokens, prompts, lengths, about, facts)


# ---------------------------------------------------------------------------------------------------- texts


def _pydoc():
    """(prompt, its continuation, the passage after that) of the help pages, one after another."""
    text, long = pydoc(), 3 * PASSAGE
    places = range(0, len(text) - long, long)
    rows = [tuple(text[k + PASSAGE * part : k + PASSAGE * (part + 1)] for part in range(3)) for k in places]
    return [row for row in rows if row[1] != row[2]]


def _read(path):
    """The rows of a file, every one usable."""
    with reading(path, SMALLER):
        if path.is_dir():
            raise DataError(f"{path} is a folder; it must be {KINDS}: name the file")
        require_memory(path, 8 * size_of(path), SMALLER)
        with open(path, "rb") as file:
            rows = [_row(f"{path}, line {number}", line) for number, line in enumerate(file, 1) if line.strip()]
    if len(rows) < 2:
        raise DataError(f"{path} has {len(rows)} pairs; at least 2 are needed, one to train on and one held out: add more")
    return rows


def _row(where, line):
    """(prompt, chosen, rejected) of a line."""
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError, too
        raise DataError(f"{where}: it is not JSON ({str(error)[:80]}): write an object with {', '.join(KEYS)}") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: it is {type(row).__name__}, not an object: write one with {', '.join(KEYS)}")
    for key in KEYS:
        if key not in row:
            known = ", ".join(map(str, row))[:120] or "none"
            raise DataError(f"{where}: it has no '{key}' (keys: {known}): every line needs {', '.join(KEYS)}")
        if not isinstance(row[key], str):
            raise DataError(f"{where}: '{key}' is {type(row[key]).__name__}; it must be a text: write it in quotes")
        if not row[key]:
            raise DataError(f"{where}: '{key}' is empty; it must have at least one character: mend the line, or leave it out")
        try:
            row[key].encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
            raise DataError(f"{where}: '{key}' is no valid Unicode: mend the line, or leave it out") from None
    if row["chosen"] == row["rejected"]:
        raise DataError(f"{where}: chosen and rejected are equal, so that nothing is preferred: leave the line out")
    return tuple(row[key] for key in KEYS)


def blank(name, facts, *, context=128, tokens="bytes", byte_pairs=None):
    """The training pairs without data: see blank.py."""
    length = min(2 * PASSAGE + 1, context) if name == "pydoc" else context
    library, size = ("bytes", 256) if tokens == "bytes" else ("tiktoken", OF_GPT2)
    known = {"shape": [2, length], "vocabulary": size, "tokenizer": {"library": library}}

    def form(count):
        places = torch.ones(count, dtype=torch.int64)
        return {
            "tokens": torch.zeros(count, 2, length, dtype=torch.int64),
            "prompt": places,
            "length": length * places[:, None].expand(-1, 2),
        }

    return blank_set(name, known, facts, form)
