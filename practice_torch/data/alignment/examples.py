"""Prompts with two completions of which one was chosen, with one to learn, or with one that was judged, as tokens."""

from dataclasses import dataclass, replace

import torch

from practice_torch.data.alignment.fitting import OF_GPT2, encoder_given, fitted
from practice_torch.data.alignment.rows import COLUMNS, KINDS, SMALLER, Row, read_rows
from practice_torch.data.blank import blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.indices import on_device_of
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.splits import existing_path, fingerprint, random_split
from practice_torch.data.streams.streamed_text import PreparedTokenizer
from practice_torch.data.text import pydoc

NAMES = ("pydoc",)
FORMS = f"pydoc (how Python's help pages go on, and the passage after that); or {KINDS}. Columns: " + "; ".join(
    f"of {name}: {columns}" for name, columns in COLUMNS.items()
)
PASSAGE = 32  # characters of a prompt, and of each completion, of the help pages


@dataclass(frozen=True, eq=False)
class Examples:
    """Tokens [N, K, T] of a prompt with each of its K completions, the chosen one first; zeros behind the `lengths` [N, K]."""

    tokens: torch.Tensor
    prompts: torch.Tensor  # [N], tokens of the prompt
    lengths: torch.Tensor
    labels: torch.Tensor  # [N], whether the completion is desirable
    margins: torch.Tensor  # [N], by how much the chosen one is to win
    vocabulary: PreparedTokenizer
    description: dict

    def __len__(self):
        return self.tokens.shape[0]

    def batch(self, indices=None):
        """{"tokens": int64 [B, K, T], "prompt": int64 [B], "length": int64 [B, K], "label": bool [B], "margin": float32 [B]}."""
        parts = {"tokens": self.tokens, "prompt": self.prompts, "length": self.lengths}
        more = {"label": self.labels, "margin": self.margins}
        if indices is not None:
            places = on_device_of(self.tokens, indices)
            parts, more = ({name: part.index_select(0, places) for name, part in of.items()} for of in (parts, more))
        return {name: part.long() for name, part in parts.items()} | more

    def to(self, device):
        """The same examples on the device, so that batches are gathered there."""
        moved = {name: getattr(self, name).to(device) for name in ("tokens", "prompts", "lengths", "labels", "margins")}
        return replace(self, **moved)


def load(
    source, *, held_out=0.1, seed=0, context=128, columns="pairs", tokens="bytes", byte_pairs=None, of_run=None, tokenizer=None
):
    """(train, held-out) examples of "pydoc", or of a .jsonl or .parquet file.

    columns: pairs, completions or judged. tokens: bytes; a tokenizer.json; tiktoken:NAME; a folder of prepared text; or of a run,
    for its tokenizer. byte_pairs: the class of Diptych's tokenizer, and of_run(folder): the tokenizer of a run, or None if the
    folder is none; neither is imported here. tokenizer: a ModelTokenizer, which is taken instead. A completion ends with the
    token that ends a text. What is longer than the context is cut, which the description's remarks count.

    Raises DataError, one line with the number of the row, where one cannot be used.
    """
    if context < 4:
        raise DataError(f"context is {context}; it must be at least 4: a prompt, and completions that differ")
    name = str(source)
    rows = _pydoc(columns) if name == "pydoc" else read_rows(existing_path(source, NAMES, KINDS), columns)
    about, encode, size, end = encoder_given(tokens, byte_pairs, of_run, tokenizer)
    kept, cut, alike = [], [0, 0], 0
    for row in rows:
        completions = [[*encode(completion), *end] for completion in row.completions]
        prompt, completions, shortened = fitted(encode(row.prompt), completions, context)
        cut = [count + now for count, now in zip(cut, shortened, strict=True)]
        if len(completions) == 2 and completions[0] == completions[1]:
            alike += 1
        elif len(prompt) + min(map(len, completions)) < 2:
            alike += 1  # of a single token nothing is predicted
        else:
            kept.append((prompt, completions, row.label, row.margin))
    if len(kept) < 2:
        raise DataError(
            f"{name}: {len(kept)} examples are left of {len(rows)}; at least 2 are needed: add more, or more --context"
        )
    if columns == "judged" and len({label for _, _, label, _ in kept}) < 2:
        found = "true" if kept[0][2] else "false"
        raise DataError(f"{name}: every label is {found}; both are needed, or nothing is told apart: add rows of the other")
    whole = _tensors(name, kept, about, size)
    remarks = [
        f"{count} of {len(rows)} {what}"
        for count, what in (
            (cut[0], f"prompts were cut at their beginning to fit a context of {context} tokens"),
            (cut[1], f"rows have a completion that was cut at its end to fit a context of {context} tokens"),
            (alike, "rows were left out: their completions are equal up to where they are cut, or of a single token"),
        )
        if count
    ]
    whole = replace(whole, description=whole.description | ({"remarks": remarks} if remarks else {}))
    parts = random_split(len(kept), held_out, seed, f"examples in {name}", size=whole.tokens.nbytes)
    return tuple(_part(whole, indices, split) for indices, split in zip(parts, ("train", "held-out"), strict=True))


def _part(whole, indices, split):
    parts = {name: getattr(whole, name)[indices] for name in ("tokens", "prompts", "lengths", "labels", "margins")}
    return replace(whole, **parts, description=whole.description | {"split": split, "count": len(indices)})


def _tensors(name, kept, about, size):
    """All examples, padded to the longest."""
    width = max(len(prompt) + len(completion) for prompt, completions, *_ in kept for completion in completions)
    several = len(kept[0][1])
    require_memory(f"{len(kept)} examples of {width} tokens", several * 4 * len(kept) * width, SMALLER)
    tokens = torch.zeros(len(kept), several, width, dtype=torch.int32)
    lengths = torch.zeros(len(kept), several, dtype=torch.int32)
    for row, (prompt, completions, *_) in enumerate(kept):
        for column, completion in enumerate(completions):
            text = [*prompt, *completion]
            tokens[row, column, : len(text)] = torch.tensor(text, dtype=torch.int32)
            lengths[row, column] = len(text)
    prompts, labels, margins = zip(*((len(prompt), label, margin) for prompt, _, label, margin in kept), strict=True)
    columns = torch.tensor(prompts, dtype=torch.int32), lengths, torch.tensor(labels), torch.tensor(margins)
    description = {
        "name": name,
        "shape": list(tokens.shape[1:]),
        "vocabulary": size,
        "classes": None,
        "sha256": fingerprint(tokens, *columns),
        "tokenizer": {"library": about.library} | ({"bytes": len(about.content)} if about.content else {}),
    }
    return Examples(tokens, *columns, about, description)


def _pydoc(columns):
    """A passage of the help pages, its continuation and the passage after that, one after another, as rows."""
    text, long = pydoc(), 3 * PASSAGE
    places = range(0, len(text) - long, long)
    passages = [tuple(text[k + PASSAGE * part : k + PASSAGE * (part + 1)] for part in range(3)) for k in places]
    pairs = [Row(prompt, (own, other)) for prompt, own, other in passages if own != other]
    if columns == "pairs":
        return pairs
    if columns == "completions":
        return [Row(pair.prompt, pair.completions[:1]) for pair in pairs]
    judged = ((pair.prompt, text, label) for pair in pairs for text, label in zip(pair.completions, (True, False), strict=True))
    return [Row(prompt, (text,), label=label) for prompt, text, label in judged]


def blank(name, facts, *, context=128, columns="pairs", tokens="bytes", byte_pairs=None, of_run=None, tokenizer=None):
    """The training examples without data: see blank.py."""
    length, several = min(2 * PASSAGE + 1, context) if name == "pydoc" else context, 2 if columns == "pairs" else 1
    library, size = ("bytes", 256) if tokens == "bytes" else ("tiktoken", OF_GPT2)
    known = {"shape": [several, length], "vocabulary": size, "tokenizer": {"library": library}}

    def form(count):
        return {
            "tokens": torch.zeros(count, several, length, dtype=torch.int64),
            "prompt": torch.ones(count, dtype=torch.int64),
            "length": torch.full((count, several), length),
            "label": torch.ones(count, dtype=torch.bool),
            "margin": torch.zeros(count),
        }

    return blank_set(name, known, facts, form)
