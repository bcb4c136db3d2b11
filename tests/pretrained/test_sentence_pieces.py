"""Tokenizers of pieces, as Llama's, against the library's own tokens and texts, in the two forms in which they are published."""

import json

import pytest

from practice_torch.data.errors import DataError
from practice_torch.data.reading.tokenizer_files import TokenizerFile

tokenizers = pytest.importorskip("tokenizers")
PREPENDS = [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]
FORMS = {
    "normalizer": {"normalizer": {"type": "Sequence", "normalizers": PREPENDS}, "pre_tokenizer": None},
    "metaspace": {
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False},
    },
}
TEXTS = ("on the one", "no", "", "n\n\n  \u00e9\U0001f600 <s>o", "  on", " the", "\t")


def content(form, **changes):
    """A tokenizer.json with every byte, some letters, and four merges."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += ["\u2581", *"onthe", "on", "\u2581on", "th", "\u2581th"]
    model = {"type": "BPE", "vocab": {piece: number for number, piece in enumerate(pieces)}, "byte_fallback": True}
    model |= {"merges": [["o", "n"], ["\u2581", "on"], ["t", "h"], ["\u2581", "th"]], "unk_token": "<unk>", "fuse_unk": True}
    end = [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]
    inner = tokenizers.Tokenizer.from_str(json.dumps({"version": "1.0", "model": model, "added_tokens": []}))
    inner.add_special_tokens(["<unk>", "<s>", "</s>"])
    stored = json.loads(inner.to_str()) | FORMS[form] | {"decoder": {"type": "Sequence", "decoders": end}}
    return json.dumps(stored | changes).encode()


@pytest.mark.parametrize("form", FORMS)
def test_tokens_and_texts_are_those_of_the_library(form):
    """But where the library loses a text's own first space, and where it reads a special token in a text."""
    ours, theirs = TokenizerFile("tokenizers", content(form)), tokenizers.Tokenizer.from_str(content(form).decode())
    theirs.encode_special_tokens = True
    for text in TEXTS:
        tokens = ours.encode(text)
        assert ours.decode(tokens) == text
        assert sum(ours.lengths()[token] for token in tokens.tolist()) == len(text.encode()) + bool(text)
        if form == "normalizer" or text[:1] != " ":
            wanted = theirs.encode(text, add_special_tokens=False).ids
            assert tokens.tolist() == wanted and ours.decode(tokens) == theirs.decode(wanted)
    assert ours.special_tokens == {"<unk>": 0, "<s>": 1, "</s>": 2} and ours.vocabulary_size == 259 + 10
    assert ours.decode([1, *ours.encode("on").tolist(), 2]) == "on"


def test_other_changes_of_text_and_missing_bytes_are_refused():
    lower = {"type": "Sequence", "normalizers": [*PREPENDS, {"type": "Lowercase"}]}
    stored = json.loads(content("normalizer"))
    del stored["model"]["vocab"]["<0x41>"]
    for changed, said in (
        (content("normalizer", normalizer=lower), "not known here (Lowercase)"),
        (content("metaspace", pre_tokenizer={"type": "Whitespace"}), "not known here (Whitespace)"),
        (content("metaspace", pre_tokenizer=None), "not known here (no step for spaces)"),
        (json.dumps(stored).encode(), "no token <0x41>"),
    ):
        with pytest.raises(DataError) as refused:
            TokenizerFile("tokenizers", changed)
        assert said in str(refused.value) and "\n" not in str(refused.value)
