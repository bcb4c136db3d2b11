"""Prompts with two completions of which one was chosen, with one to learn, or with one that was judged, as tokens."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from practice_torch.data.alignment.fitting import OF_GPT2, encoder_given, fitted, template_given
from practice_torch.data.alignment.packing import packed, packed_form
from practice_torch.data.alignment.rows import COLUMNS, KINDS, SMALLER, Row, read_rows, require_template
from practice_torch.data.blank import blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.indices import on_device_of
from practice_torch.data.reading.chat_templates import ChatTemplate
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.splits import existing_path, fingerprint, random_split
from practice_torch.data.streams.streamed_text import PreparedTokenizer
from practice_torch.data.text import pydoc

NAMES = ("pydoc",)
FORMS = (
    f"pydoc (how Python's help pages go on, and the passage after that); or {KINDS}. Columns: "
    + "; ".join(f"of {name}: {columns}" for name, columns in COLUMNS.items())
    + ". Prompts and completions are texts, or lists of messages, for which the model has a chat template."
)
PASSAGE = 32  # characters of a prompt, and of each completion, of the help pages


COLUMNS_OF_EXAMPLES = ("tokens", "prompts", "lengths", "labels", "margins", "rows", "learned")


@dataclass(frozen=True, eq=False)
class Examples:
    """Tokens [N, K, T] of a prompt with each of its K completions, the chosen one first; zeros behind the `lengths` [N, K]."""

    tokens: torch.Tensor
    prompts: torch.Tensor  # [N], tokens of the prompt
    lengths: torch.Tensor
    labels: torch.Tensor  # [N], whether the completion is desirable
    margins: torch.Tensor  # [N], by how much the chosen one is to win
    rows: torch.Tensor  # [N], the example's number among those of both parts
    learned: torch.Tensor | None  # [N, T], of conversations: whether a token is the assistant's to write
    vocabulary: PreparedTokenizer
    description: dict
    template: ChatTemplate | None = None

    def __len__(self):
        return self.tokens.shape[0]

    def batch(self, indices=None):
        """{"tokens": int64 [B, K, T], "prompt": int64 [B], "length": int64 [B, K], "label": bool [B], "margin": float32 [B],
        "row": int64 [B]}; of conversations also "learned": bool [B, T].
        """
        parts = {"tokens": self.tokens, "prompt": self.prompts, "length": self.lengths, "row": self.rows}
        more = {"label": self.labels, "margin": self.margins} | ({} if self.learned is None else {"learned": self.learned})
        if indices is not None:
            places = on_device_of(self.tokens, indices)
            parts, more = ({name: part.index_select(0, places) for name, part in of.items()} for of in (parts, more))
        return {name: part.long() for name, part in parts.items()} | more

    def to(self, device):
        """The same examples on the device, so that batches are gathered there."""
        return self._each(lambda column: column.to(device))

    def part(self, indices, split):
        """Some of the examples."""
        about = self.description | {"split": split, "count": len(indices)}
        return replace(self._each(lambda column: column[indices]), description=about)

    def _each(self, change):
        columns = {name: getattr(self, name) for name in COLUMNS_OF_EXAMPLES}
        return replace(self, **{name: change(column) for name, column in columns.items() if column is not None})


class Encoded(NamedTuple):
    """Tokens of a row that fit into the context."""

    prompt: list
    completions: list
    learned: list | None  # of a conversation: whether each token of the completion is the assistant's
    row: Row


def load(
    source,
    *,
    held_out=0.1,
    seed=0,
    context=128,
    columns="pairs",
    packing=False,
    tokens="bytes",
    chat_template="",
    byte_pairs=None,
    of_run=None,
    tokenizer=None,
):
    """(train, held-out) examples of "pydoc", or of a .jsonl or .parquet file.

    columns: pairs, completions or judged. packing: rows of the training part, of completions, hold several examples: a Packed.
    tokens: bytes; a tokenizer.json; tiktoken:NAME; a folder of prepared text; or of a run, for its tokenizer. chat_template: the
    template of messages, a file or a folder; "": none. byte_pairs: the class of Diptych's tokenizer, and of_run(folder): the
    tokenizer of a run, or None if the folder is none; neither is imported here. tokenizer: a ModelTokenizer, which is taken
    instead, with its template. A completion ends with the token that ends a text, or a turn of the template. What is longer than
    the context is cut, which the description's remarks count.

    Raises DataError, one line with the number of the row, where one cannot be used.
    """
    if context < 4:
        raise DataError(f"context is {context}; it must be at least 4: a prompt, and completions that differ")
    name = str(source)
    rows = _pydoc(columns) if name == "pydoc" else read_rows(existing_path(source, NAMES, KINDS), columns)
    encoder = encoder_given(tokens, byte_pairs, of_run, tokenizer)
    template = template_given(chat_template, encoder, tokenizer)
    kept, cut, alike = [], [0, 0], 0
    for row in rows:
        prompt, completions, learned = _tokens_of(row, encoder, template)
        prompt, completions, shortened = fitted(prompt, completions, context)
        cut = [count + now for count, now in zip(cut, shortened, strict=True)]
        if len(completions) == 2 and completions[0] == completions[1]:
            alike += 1
        elif len(prompt) + min(map(len, completions)) < 2:
            alike += 1  # of a single token nothing is predicted
        else:
            kept.append(Encoded(prompt, completions, learned and learned[: len(completions[0])], row))
    if len(kept) < 2:
        raise DataError(
            f"{name}: {len(kept)} examples are left of {len(rows)}; at least 2 are needed: add more, or more --context"
        )
    if columns == "judged" and len({one.row.label for one in kept}) < 2:
        found = "true" if kept[0].row.label else "false"
        raise DataError(f"{name}: every label is {found}; both are needed, or nothing is told apart: add rows of the other")
    whole = _tensors(name, kept, encoder, template)
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
    train, held = (whole.part(indices, split) for indices, split in zip(parts, ("train", "held-out"), strict=True))
    return (packed(train, context) if packing else train), held


def _tokens_of(row, encoder, template):
    """(tokens of the prompt, of each completion, of a conversation which of them are the assistant's), lists; with their ends."""
    if isinstance(row.prompt, str):
        return encoder.encode(row.prompt), [[*encoder.encode(text), encoder.end] for text in row.completions], None
    require_template(row.where, template)
    try:
        if not row.prompt:
            return _conversation(row.completions[0], encoder, template)
        found = [template.reply(encoder.tokenizer, row.prompt, completion) for completion in row.completions]
    except (DataError, ValueError) as error:  # half a surrogate pair in what a template takes besides contents
        raise DataError(f"{row.where}: {error}") from None
    return found[0][0].tolist(), [_ended(completion.tolist(), encoder) for _, completion in found], None


def _conversation(messages, encoder, template):
    """What is before the assistant's first token is the prompt, and may be cut at its beginning."""
    tokens, own = template.turns(encoder.tokenizer, messages)
    begin, last = int(own.nonzero()[0]), int(own.nonzero()[-1])
    completion, learned = _ended(tokens[begin : last + 1].tolist(), encoder), own[begin : last + 1].tolist()
    return tokens[:begin].tolist(), [completion], learned + [True] * (len(completion) - len(learned))


def _ended(completion, encoder):
    """The completion with the end of a text, unless a special token ends it."""
    special = set(map(encoder.tokenizer.special, encoder.tokenizer.special_tokens)) if encoder.named else set()
    return completion if completion and completion[-1] in special else [*completion, encoder.end]


def _tensors(name, kept, encoder, template):
    """All examples, padded to the longest."""
    width = max(len(one.prompt) + len(completion) for one in kept for completion in one.completions)
    several, masked = len(kept[0].completions), kept[0].learned is not None
    size = (several * 4 + masked) * len(kept) * width
    require_memory(f"{len(kept)} examples of {width} tokens", size, SMALLER)
    tokens = torch.zeros(len(kept), several, width, dtype=torch.int32)
    lengths = torch.zeros(len(kept), several, dtype=torch.int32)
    learned = torch.zeros(len(kept), width, dtype=torch.bool) if masked else None
    for row, one in enumerate(kept):
        for column, completion in enumerate(one.completions):
            text = [*one.prompt, *completion]
            tokens[row, column, : len(text)] = torch.tensor(text, dtype=torch.int32)
            lengths[row, column] = len(text)
        if masked:
            learned[row, len(one.prompt) : lengths[row, 0]] = torch.tensor(one.learned)
    prompts, labels, margins = zip(*((len(one.prompt), one.row.label, one.row.margin) for one in kept), strict=True)
    columns = torch.tensor(prompts, dtype=torch.int32), lengths, torch.tensor(labels), torch.tensor(margins)
    about = encoder.about
    description = {
        "name": name,
        "shape": list(tokens.shape[1:]),
        "vocabulary": encoder.size,
        "classes": None,
        "sha256": fingerprint(tokens, *columns, learned),
        "tokenizer": {"library": about.library} | ({"bytes": len(about.content)} if about.content else {}),
        "examples": len(kept),
    }
    return Examples(tokens, *columns, torch.arange(len(kept)), learned, about, description, template)


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


def blank(
    name,
    facts,
    *,
    context=128,
    columns="pairs",
    packing=False,
    tokens="bytes",
    chat_template="",
    byte_pairs=None,
    of_run=None,
    tokenizer=None,
):
    """The training examples without data: see blank.py."""
    length, several = min(2 * PASSAGE + 1, context) if name == "pydoc" else context, 2 if columns == "pairs" else 1
    length = context if packing else length
    library, size = ("bytes", 256) if tokens == "bytes" else ("tiktoken", OF_GPT2)
    known = {"shape": [several, length], "vocabulary": size, "tokenizer": {"library": library}, "examples": 1}

    def form(count):
        return {
            "tokens": torch.zeros(count, several, length, dtype=torch.int64),
            "prompt": torch.ones(count, dtype=torch.int64),
            "length": torch.full((count, several), length),
            "label": torch.ones(count, dtype=torch.bool),
            "margin": torch.zeros(count),
            "row": torch.zeros(count, dtype=torch.int64),
        }

    return blank_set(name, known, facts, (lambda count: packed_form(count, length)) if packing else form)
