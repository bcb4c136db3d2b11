"""Rows of a .jsonl or .parquet file with the columns of preferences, demonstrations or judgements: texts, or messages."""

import json
from typing import NamedTuple

from practice_torch.data.alignment.messages import conversation, parted, prompt_of, replied
from practice_torch.data.errors import DataError
from practice_torch.data.reading.files import reading, size_of
from practice_torch.data.reading.memory import require_memory

PAIRS = "prompt, chosen and rejected; or chosen and rejected, which begin with their prompt"
COMPLETIONS = "prompt and completion; or messages; or text; or the columns of pairs, of which the chosen one is taken"
JUDGED = "prompt, completion and label (true or false); or the columns of pairs, of which both are taken"
COLUMNS = {"pairs": PAIRS, "completions": COMPLETIONS, "judged": JUDGED}
KINDS = "a .jsonl file with an object on every line, or a .parquet file"
SMALLER = "use fewer rows"


class Row(NamedTuple):
    """A prompt and its completions: two of a pair, the chosen one first, else one. All are texts, or lists of messages; a whole
    conversation is a completion of the empty list.
    """

    prompt: str | list
    completions: tuple[str | list, ...]
    margin: float = 0.0  # of a pair
    label: bool = True  # of a judgement
    where: str = ""  # what a message calls it


def read_rows(path, columns):
    """The rows of a file. DataError, one line with the number of the row, where one cannot be used."""
    with reading(path, SMALLER):
        if path.is_dir():
            raise DataError(f"{path} is a folder; it must be {KINDS}: name the file")
        require_memory(path, 8 * size_of(path), SMALLER)
        rows, kind = [], None
        for where, content in contents(path):
            found = OF[columns](where, content)
            kind = same_kind(where, found[0].prompt, kind)
            rows += [row._replace(where=where) for row in found]
        return rows


def same_kind(where, prompt, kind):
    """The kind of a row's prompt, a text or messages; DataError if the rows before are of the other kind."""
    here = "messages" if isinstance(prompt, list) else "texts"
    if kind not in (None, here):
        raise DataError(f"{where}: it has {here}, and the rows before have {kind}: put them into two files")
    return here


def require_template(where, template):
    """DataError unless there is a ChatTemplate for messages."""
    if template is None:
        mend = "name one with --chat-template FILE (a Jinja file, or a folder with chat_template.jinja), or give texts"
        raise DataError(f"{where}: it has messages, and the model has no chat template: {mend}")


def contents(path):
    """(what a message calls a row, the row as a dict)."""
    if path.suffix == ".parquet":
        yield from _of_parquet(path)
        return
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError, too
                raise DataError(f"{where}: it is not JSON ({str(error)[:80]}): write an object on every line") from None
            if not isinstance(row, dict):
                raise DataError(f"{where}: it is {type(row).__name__}, not an object: write an object on every line")
            yield where, row


def _of_parquet(path):
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(f"{path}: reading parquet needs pyarrow ({error}): pip install pyarrow") from None
    try:
        number = 0
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=256):
            for row in batch.to_pylist():
                yield f"{path}, row {number}", row
                number += 1
    except (DataError, PermissionError, MemoryError):
        raise
    except Exception as error:  # pyarrow raises OSError, ArrowInvalid, UnicodeDecodeError, ... for one and the same trouble
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path} is not a parquet file, or is damaged ({why}): write it again") from None


# ---------------------------------------------------------------------------------------------------- columns


def _pair(where, row):
    """[the pair of a row]."""
    _require(where, row, {"chosen", "rejected"} <= row.keys(), PAIRS)
    prompt = row.get("prompt")
    if _of_messages(where, row, ("prompt", "chosen", "rejected")):
        if prompt is None:
            prompt, chosen, rejected = parted(where, row["chosen"], row["rejected"])
        else:
            prompt = prompt_of(where, prompt)
            chosen, rejected = (replied(where, prompt, row[name], name) for name in ("chosen", "rejected"))
    else:
        chosen, rejected = (_text(where, row, name) for name in ("chosen", "rejected"))
    if chosen == rejected:
        raise DataError(f"{where}: chosen and rejected are equal, so that nothing is preferred: leave the row out")
    if prompt is None:
        shared = _shared(chosen, rejected)
        prompt, chosen, rejected = chosen[:shared], chosen[shared:], rejected[shared:]
        if not (prompt and chosen and rejected):
            found = (
                "begin with no text in common" if not prompt else "have no text of their own after it: one continues the other"
            )
            raise DataError(f"{where}: there is no prompt, and chosen and rejected {found}: add the column prompt")
    margin = row.get("margin")
    if margin is not None and (isinstance(margin, bool) or not isinstance(margin, int | float) or margin != margin):
        raise DataError(f"{where}: margin is {margin!r:.40}; it must be a number")
    prompt = prompt if isinstance(prompt, list) else _text(where, row | {"prompt": prompt}, "prompt")
    return [Row(prompt, (chosen, rejected), float(margin or 0.0))]


def _completion(where, row):
    """[the demonstration of a row]; a text of its own has no prompt, and neither has a conversation."""
    if {"prompt", "completion"} <= row.keys():
        return [_answered(where, row)]
    if "messages" in row:
        return [Row([], (conversation(where, row["messages"]),))]
    if "text" in row:
        return [Row("", (_text(where, row, "text"),))]
    _require(where, row, {"chosen", "rejected"} <= row.keys(), COMPLETIONS)
    (pair,) = _pair(where, row)
    return [Row(pair.prompt, pair.completions[:1])]


def _judged(where, row):
    """The judgements of a row: one, or those of a pair."""
    if {"prompt", "completion", "label"} <= row.keys():
        label = row["label"]
        if label not in (True, False):
            raise DataError(f"{where}: label is {label!r:.40}; it must be true or false")
        return [_answered(where, row)._replace(label=bool(label))]
    _require(where, row, {"chosen", "rejected"} <= row.keys(), JUDGED)
    (pair,) = _pair(where, row)
    return [Row(pair.prompt, (text,), label=label) for text, label in zip(pair.completions, (True, False), strict=True)]


def _answered(where, row):
    """Its prompt and completion."""
    if not _of_messages(where, row, ("prompt", "completion")):
        return Row(_text(where, row, "prompt"), (_text(where, row, "completion"),))
    prompt = prompt_of(where, row["prompt"])
    return Row(prompt, (replied(where, prompt, row["completion"], "completion"),))


OF = {"pairs": _pair, "completions": _completion, "judged": _judged}


def _require(where, row, found, columns):
    if not found:
        raise DataError(f"{where}: its columns are {', '.join(map(str, row))[:120] or 'none'}; wanted are {columns}")


def _of_messages(where, row, names):
    """Whether these columns, where the row has them, are lists of messages; DataError if some are, and others texts."""
    kinds = {name: isinstance(row[name], list) for name in names if row.get(name) is not None}
    if len(set(kinds.values())) > 1:
        lists, others = (" and ".join(name for name, kind in kinds.items() if kind == wanted) for wanted in (True, False))
        raise DataError(f"{where}: messages in {lists}, and no messages in {others}: give all as messages, or all as texts")
    return True in kinds.values()


def _text(where, row, name):
    return text_of(where, row[name], name)


def text_of(where, value, name):
    """The value of a column, which must be a text with at least one character.  DataError that names the column."""
    if not isinstance(value, str):
        raise DataError(f"{where}: '{name}' is {type(value).__name__}; it must be a text: write it in quotes")
    if not value:
        raise DataError(f"{where}: '{name}' is empty; it must have at least one character: mend the row, or leave it out")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
        raise DataError(f"{where}: '{name}' is no valid Unicode: mend the row, or leave it out") from None
    return value


def _shared(chosen, rejected):
    """The length of the prompt with which both texts begin; a space before the completions is theirs, as in TRL."""
    length = next((k for k, pair in enumerate(zip(chosen, rejected, strict=False)) if pair[0] != pair[1]), None)
    if length is None:
        return min(len(chosen), len(rejected))
    return length - 1 if length and chosen[length - 1] == " " else length
