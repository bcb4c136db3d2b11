"""Pairs of completions: what a user's file becomes, what is cut and said, and every line that cannot be used."""

import json

import pytest
import torch

from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.data.pairs import load
from practice_torch.data.preparation import prepare_text
from tests.support.data.files import refused

ROW = {"prompt": "How are you?", "chosen": " Well.", "rejected": " Who asks?"}


def written(folder, *rows):
    """A .jsonl file of the rows; a string is a line as it is."""
    path = folder / "pairs.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_a_pair_is_the_prompt_with_either_completion_and_its_end(tmp_path):
    row = ROW | {"chosen": " Gut, schön."}
    train, held_out = load(written(tmp_path, row, "", row, row), held_out=0.34)
    assert (len(train), len(held_out)) == (2, 1) and "remarks" not in train.description
    batch = train.batch(torch.tensor([1, 0]))
    for column, key in enumerate(("chosen", "rejected")):
        text = (row["prompt"] + row[key]).encode() + b"\0"
        assert batch["length"][:, column].tolist() == [len(text)] * 2
        for tokens in batch["tokens"][:, column].tolist():
            assert bytes(tokens[: len(text)]) == text and not any(tokens[len(text) :])
    assert batch["prompt"].tolist() == [len(ROW["prompt"])] * 2
    assert all(part.dtype == torch.int64 for part in batch.values())
    assert train.description["shape"] == [2, batch["tokens"].shape[2]]


def test_long_texts_are_truncated_with_a_warning(tmp_path):
    """The prompt gives way first, at its beginning, down to half of the context; then the completions do, at their end."""
    rows = [
        {"prompt": "0123456789", "chosen": "ab", "rejected": "c"},  # 3 + 10: the prompt keeps 5
        {"prompt": "0123456789", "chosen": "abcdefgh", "rejected": "c"},
        {"prompt": "x", "chosen": "abcdefghi1", "rejected": "abcdefghi2"},  # equal in 7 bytes
        {"prompt": "x", "chosen": "yes", "rejected": "no"},
    ]
    train, held_out = load(written(tmp_path, *rows), held_out=0.3, context=8)
    assert train.description["remarks"] == [
        "2 of 4 prompts were cut at their beginning to fit a context of 8 tokens",
        "2 of 4 pairs have a completion that was cut at its end to fit a context of 8 tokens",
        "1 of 4 pairs were left out, because their completions are equal up to where they are cut",
    ]
    texts = set()
    for part in (train, held_out):
        batch = part.batch()
        for pair, lengths in zip(batch["tokens"].tolist(), batch["length"].tolist(), strict=True):
            texts.add(tuple(bytes(row[:end]) for row, end in zip(pair, lengths, strict=True)))
    assert texts == {(b"56789ab\0", b"56789c\0"), (b"6789abcd", b"6789c\0"), (b"xyes\0", b"xno\0")}


def test_the_tokens_are_those_of_prepared_text(tmp_path):
    text, out = tmp_path / "text.txt", tmp_path / "prepared"
    text.write_text("How are you? Well. Who asks? " * 40)
    prepare_text.prepare([text], out, prepare_text.Options(tokens="learned", merges=8, workers=1), print, BytePairTokenizer)
    tokenizer = BytePairTokenizer.load(out / prepare_text.FILE)
    train, _ = load(written(tmp_path, ROW, ROW), held_out=0.5, tokens=str(out), byte_pairs=BytePairTokenizer)
    batch = train.batch()
    prompt, end = int(batch["prompt"]), int(batch["length"][0, 0])
    assert tokenizer.decode(batch["tokens"][0, 0, :prompt]) == ROW["prompt"] and prompt < len(ROW["prompt"])
    assert tokenizer.decode(batch["tokens"][0, 0, prompt : end - 1]) == ROW["chosen"]
    assert batch["tokens"][0, 0, end - 1] == tokenizer.special(prepare_text.END)
    assert train.description["vocabulary"] == tokenizer.vocabulary_size == 256 + 8 + 1
    assert train.description["tokenizer"] == {"library": "diptych", "bytes": len((out / prepare_text.FILE).read_bytes())}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"prompt": "a", "chosen": ', "it is not JSON"),
        ('["a", "b", "c"]', "it is list, not an object"),
        ('{"prompt": "a", "chosen": "b"}', "it has no 'rejected' (keys: prompt, chosen)"),
        ('{"prompt": "a", "chosen": "b", "rejected": 3}', "'rejected' is int; it must be a text"),
        ('{"prompt": "a", "chosen": "", "rejected": "b"}', "'chosen' is empty"),
        ('{"prompt": "", "chosen": "c", "rejected": "b"}', "'prompt' is empty"),
        ('{"prompt": "a", "chosen": "b", "rejected": "b"}', "chosen and rejected are equal"),
        ('{"prompt": "a", "chosen": "b", "rejected": "\\ud800"}', "'rejected' is no valid Unicode"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, line, words):
    path = written(tmp_path, ROW, "", line, ROW)
    refused(load, path, f"{path}, line 3: ", words)


def test_what_is_no_file_of_pairs_is_refused(tmp_path):
    refused(load, tmp_path / "nothing.jsonl", "does not exist", "prompt, chosen and rejected")
    refused(load, written(tmp_path, ROW), "has 1 pairs; at least 2")
    refused(load, written(tmp_path, ROW, ROW), "tokens is", "tokenizer.json", tokens="nothing.json")
    refused(load, written(tmp_path, ROW, ROW), "a folder that prepare did not write", tokens=str(tmp_path))
    refused(load, written(tmp_path, ROW, ROW), "context is 3", context=3)
    alike = [ROW | {"rejected": " Well, who asks?"}] * 3
    refused(load, written(tmp_path, *alike), "0 pairs are left of 3", context=8)


def test_help_pages_give_passages_that_follow_each_other():
    train, held_out = load("pydoc")
    assert len(train) > 9 * len(held_out) - 10 > 3000
    batch = held_out.batch(torch.arange(4))
    from practice_torch.data.text import pydoc

    for (chosen, rejected), prompt in zip(batch["tokens"].tolist(), batch["prompt"].tolist(), strict=True):
        passages = [bytes(chosen).rstrip(b"\0"), bytes(rejected[prompt:]).rstrip(b"\0")]
        assert b"".join(passages).decode() in pydoc()
