"""Prompts as tokens, and the columns of their rows, which a reward function gets: the user's own, or Python's help pages."""

import json
from dataclasses import dataclass, replace

import torch

from practice_torch.data.alignment.fitting import OF_GPT2, encoder_given, template_given
from practice_torch.data.alignment.messages import prompt_of
from practice_torch.data.alignment.rows import KINDS, SMALLER, contents, require_template, same_kind, text_of
from practice_torch.data.blank import blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.indices import on_device_of
from practice_torch.data.reading.chat_templates import ChatTemplate
from practice_torch.data.reading.files import reading, size_of
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.splits import existing_path, fingerprint, random_split
from practice_torch.data.streams.streamed_text import PreparedTokenizer
from practice_torch.data.text import pydoc

NAMES = ("pydoc",)
FORMS = (
    f"pydoc (passages of Python's help pages); or {KINDS}. Columns: prompt (a text, or a list of messages, for which the model "
    "has a chat template; also called messages), and any others, which the reward function gets."
)
PASSAGE = 32  # characters of a prompt of the help pages, at most


@dataclass(frozen=True, eq=False)
class Prompts:
    """Tokens [N, P], zeros behind the `lengths` [N], and the columns: each row's JSON as bytes [N, W], spaces behind."""

    tokens: torch.Tensor
    lengths: torch.Tensor
    columns: torch.Tensor
    vocabulary: PreparedTokenizer
    description: dict
    template: ChatTemplate | None = None

    def __len__(self):
        return self.tokens.shape[0]

    def batch(self, indices=None):
        """{"tokens": int64 [B, P], "length": int64 [B], "columns": uint8 [B, W]}."""
        parts = [self.tokens, self.lengths, self.columns]
        if indices is not None:
            places = on_device_of(self.tokens, indices)
            parts = [part.index_select(0, places) for part in parts]
        return {"tokens": parts[0].long(), "length": parts[1].long(), "columns": parts[2]}

    def to(self, device):
        """The same prompts on the device, so that batches are gathered there."""
        return replace(self, **{name: getattr(self, name).to(device) for name in ("tokens", "lengths", "columns")})


def rows_of(columns):
    """The rows {name: value} of the `columns` of a batch."""
    return [json.loads(bytes(row)) for row in columns.cpu().numpy()]


def load(
    source, *, held_out=0.1, seed=0, prompt=64, tokens="bytes", chat_template="", byte_pairs=None, of_run=None, tokenizer=None
):
    """(train, held-out) prompts of "pydoc", or of a .jsonl or .parquet file.

    prompt: the most tokens of one; of a longer one the last are kept, which the description's remarks count. The other arguments
    are those of alignment's loader. description["end"] is the token that ends a completion; of messages, the assistant's turn.

    Raises DataError, one line with the number of the row, where one cannot be used.
    """
    name = str(source)
    rows = _pydoc() if name == "pydoc" else _read(existing_path(source, NAMES, KINDS))
    if len(rows) < 2:
        raise DataError(f"{name} has {len(rows)} prompts; at least 2 are needed, one to train on and one held out: add more")
    encoder = encoder_given(tokens, byte_pairs, of_run, tokenizer)
    template, about = template_given(chat_template, encoder, tokenizer), encoder.about
    encoded, end = _encoded(rows, name, encoder, template)
    cut = sum(len(known) > prompt for known in encoded)
    encoded = [known[-prompt:] for known in encoded]
    texts = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    width, wide = max(map(len, encoded)), max(map(len, texts))
    require_memory(f"{len(rows)} prompts of {width} tokens, and columns of {wide} bytes", len(rows) * (4 * width + wide), SMALLER)
    held = torch.zeros(len(rows), width, dtype=torch.int32)
    columns = torch.full((len(rows), wide), ord(" "), dtype=torch.uint8)
    for place, (known, text) in enumerate(zip(encoded, texts, strict=True)):
        held[place, : len(known)] = torch.tensor(known, dtype=torch.int32)
        columns[place, : len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    lengths = torch.tensor(list(map(len, encoded)), dtype=torch.int32)
    description = {
        "name": name,
        "shape": [width],
        "vocabulary": encoder.size,
        "classes": None,
        "end": end,
        "sha256": fingerprint(held, lengths, columns),
        "tokenizer": {"library": about.library} | ({"bytes": len(about.content)} if about.content else {}),
    }
    if cut:
        description["remarks"] = [f"{cut} of {len(rows)} prompts were cut at their beginning to {prompt} tokens"]
    parts = random_split(len(rows), held_out, seed, f"prompts in {name}", size=held.nbytes + columns.nbytes)
    return tuple(
        Prompts(
            *(each[indices] for each in (held, lengths, columns)),
            about,
            description | {"split": split, "count": len(indices)},
            template,
        )
        for indices, split in zip(parts, ("train", "held-out"), strict=True)
    )


def _encoded(rows, name, encoder, template):
    """(the tokens of each prompt, a list; the token that ends a completion)."""
    if not isinstance(rows[0]["prompt"], list):
        return [encoder.encode(row["prompt"]) for row in rows], encoder.end
    require_template(name, template)
    found = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(template.tokens(encoder.tokenizer, row["prompt"]).tolist())
        except (DataError, ValueError) as error:  # half a surrogate pair in what a template takes besides contents
            raise DataError(f"{name}, prompt {number}: {error}") from None
    end = template.end_of_turn(encoder.tokenizer)
    return found, encoder.end if end is None else end


def blank(name, facts, *, prompt=64, tokens="bytes", chat_template="", byte_pairs=None, of_run=None, tokenizer=None):
    """The training prompts without data: see blank.py."""
    length = min(PASSAGE, prompt) if name == "pydoc" else prompt
    library, size, end = ("bytes", 256, 0) if tokens == "bytes" else ("tiktoken", OF_GPT2, OF_GPT2 - 1)
    known = {"shape": [length], "vocabulary": size, "end": end, "tokenizer": {"library": library}}
    columns = list(b'{"prompt": "", "answer": "0"}')

    def form(count):
        return {
            "tokens": torch.zeros(count, length, dtype=torch.int64),
            "length": torch.full((count,), length),
            "columns": torch.tensor(columns, dtype=torch.uint8).expand(count, -1),
        }

    return blank_set(name, known, facts, form)


# ---------------------------------------------------------------------------------------------------- rows


def _pydoc():
    """Passages of the help pages, each of another length."""
    text = pydoc()
    places = range(0, len(text) - PASSAGE, 3 * PASSAGE)
    return [{"prompt": text[k : k + PASSAGE // 2 + (k // (3 * PASSAGE)) % (PASSAGE // 2 + 1)]} for k in places]


def _read(path):
    """The rows of a file, each with a prompt."""
    with reading(path, SMALLER):
        if path.is_dir():
            raise DataError(f"{path} is a folder; it must be {KINDS}: name the file")
        require_memory(path, 8 * size_of(path), SMALLER)
        rows, names, kind = [], None, None
        for where, row in contents(path):
            names = names or row.keys()
            if row.keys() != names:
                raise DataError(f"{where}: its columns are {', '.join(map(str, row))[:120]}, and {', '.join(names)[:120]} before")
            rows.append(_row(where, row))
            kind = same_kind(where, rows[-1]["prompt"], kind)
        return rows


def _row(where, row):
    if "messages" in row and "prompt" not in row:
        row = {"prompt": row["messages"]} | {name: value for name, value in row.items() if name != "messages"}
    if "prompt" not in row:
        raise DataError(f"{where}: its columns are {', '.join(map(str, row))[:120] or 'none'}; wanted is prompt, and any others")
    prompt = row["prompt"]
    row = row | {"prompt": prompt_of(where, prompt) if isinstance(prompt, list) else text_of(where, prompt, "prompt")}
    if "completions" in row:
        raise DataError(f"{where}: it has a column completions, which is what the policy draws: give the column another name")
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except (UnicodeEncodeError, TypeError) as error:  # half of a surrogate pair; bytes or dates of a parquet file
        raise DataError(f"{where}: a column is no text and no number ({str(error)[:80]}): mend the row or drop it") from None
    return row
