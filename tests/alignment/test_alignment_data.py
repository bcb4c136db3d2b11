"""Rows of demonstrations, preferences and judgements: what is read, and what is refused in one line that names the row."""

import json

import pyarrow
import pytest
import torch
from pyarrow import parquet

from practice_torch.data.alignment import load
from practice_torch.data.errors import DataError

PAIR = {"prompt": "a b", "chosen": " good", "rejected": " bad"}
JUDGED = {"prompt": "a b", "completion": " good", "label": True}


def written(folder, rows, name="rows.jsonl"):
    path = folder / name
    if name.endswith("parquet"):
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def texts(data):
    """(prompt, completions) of every example, without the end."""
    rows = zip(data.tokens, data.prompts.tolist(), data.lengths.tolist(), strict=True)
    for tokens, prompt, lengths in rows:
        assert all(tokens[k, end - 1] == 0 for k, end in enumerate(lengths))
        yield bytes(tokens[0, :prompt].tolist()), [bytes(tokens[k, prompt : end - 1].tolist()) for k, end in enumerate(lengths)]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
@pytest.mark.parametrize(
    ("columns", "row", "wanted"),
    [
        ("pairs", PAIR | {"margin": 0.5}, (b"a b", [b" good", b" bad"])),
        ("pairs", {"chosen": "a b good", "rejected": "a b bad"}, (b"a b", [b" good", b" bad"])),
        ("completions", {"prompt": "a b", "completion": " good"}, (b"a b", [b" good"])),
        ("completions", {"text": "a b good"}, (b"", [b"a b good"])),
        ("completions", PAIR, (b"a b", [b" good"])),
    ],
)
def test_the_columns_of_trl_are_read(columns, row, wanted, name, tmp_path):
    train, held_out = load(written(tmp_path, [row] * 4, name), columns=columns, context=32)
    for data in (train, held_out):
        assert list(texts(data)) == [wanted] * len(data)
        assert data.batch(torch.tensor([0]))["margin"].tolist() == [row.get("margin", 0.0)]
    assert len(train) + len(held_out) == 4


def test_a_pair_is_two_judgements(tmp_path):
    parts = load(written(tmp_path, [PAIR] * 4), columns="judged", context=32)
    found = [(row, bool(label)) for data in parts for row, label in zip(texts(data), data.labels, strict=True)]
    assert sorted(found) == [((b"a b", [b" bad"]), False)] * 4 + [((b"a b", [b" good"]), True)] * 4


def test_what_is_longer_than_the_context_is_cut_and_counted(tmp_path):
    rows = [{"prompt": "p" * 20, "completion": "c" * 20}] * 2 + [{"prompt": "ab", "completion": "c"}]
    train, held_out = load(written(tmp_path, rows), columns="completions", context=16)
    assert train.description["remarks"] == [
        "2 of 3 prompts were cut at their beginning to fit a context of 16 tokens",
        "2 of 3 rows have a completion that was cut at its end to fit a context of 16 tokens",
    ]
    assert max(int(data.lengths.max()) for data in (train, held_out)) == 16


@pytest.mark.parametrize(
    ("columns", "row", "wrong"),
    [
        ("pairs", "{", "line 2: it is not JSON"),
        ("pairs", "[1]", "line 2: it is list, not an object"),
        ("pairs", {"prompt": "a", "response": "b"}, "line 2: its columns are prompt, response; wanted are prompt, chosen"),
        ("pairs", PAIR | {"prompt": ""}, "line 2: 'prompt' is empty"),
        ("pairs", PAIR | {"chosen": " bad"}, "line 2: chosen and rejected are equal"),
        ("pairs", PAIR | {"chosen": 3}, "line 2: 'chosen' is int; it must be a text"),
        ("pairs", PAIR | {"margin": "much"}, "line 2: margin is 'much'; it must be a number"),
        ("pairs", {"chosen": "yes", "rejected": "no"}, "line 2: there is no prompt, and .* no text in common"),
        ("pairs", {"chosen": "yes", "rejected": "yes, no"}, "line 2: there is no prompt, and .* one continues the other"),
        (
            "pairs",
            PAIR | {"chosen": [{"role": "user", "content": "a"}]},
            "line 2: messages in chosen, and no messages in prompt and rejected",
        ),
        ("completions", {"answer": "a"}, "line 2: its columns are answer; wanted are prompt and completion"),
        ("judged", JUDGED | {"label": "good"}, "line 2: label is 'good'; it must be true or false"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(columns, row, wrong, tmp_path):
    sound = {"pairs": PAIR, "completions": {"text": "a b"}, "judged": JUDGED}[columns]
    with pytest.raises(DataError, match=wrong) as error:
        load(written(tmp_path, [sound, row, sound]), columns=columns, context=32)
    assert "\n" not in str(error.value)


def test_judgements_of_one_label_are_refused(tmp_path):
    with pytest.raises(DataError, match="every label is true; both are needed"):
        load(written(tmp_path, [JUDGED] * 4), columns="judged", context=32)


def test_a_damaged_parquet_file_is_refused(tmp_path):
    path = written(tmp_path, [PAIR] * 4, "rows.parquet")
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataError, match="is not a parquet file, or is damaged"):
        load(path, context=32)
