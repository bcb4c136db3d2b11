"""Byte pairs compared with the tokenizers library, and properties of the tokenizers, their files and the experiment."""

import json
import random
from pydoc_data.topics import topics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from practice_torch.autoregressive import tokenization as practice
from practice_torch.data.reading.tokenizer_files import tiktoken_encoder
from practice_torch.experiments.autoregressive.tokenization import BytePairExperiment, BytePairRecipe

TEXT = "\n".join(topics.values())
START = TEXT[:40_000]


def _peer(merges=None, train=None):
    """A tokenizers.Tokenizer with our chunks: with our merges, or trained on a text."""
    peer = pytest.importorskip("tokenizers")
    alphabet = practice_alphabet()
    if merges is not None:
        spelled = [alphabet[byte] for byte in range(256)]
        pairs = []
        for a, b in merges:
            pairs.append((spelled[a], spelled[b]))
            spelled.append(spelled[a] + spelled[b])
        model = peer.models.BPE({spelling: token for token, spelling in enumerate(spelled)}, pairs)
    else:
        model = peer.models.BPE()
    tokenizer = peer.Tokenizer(model)
    tokenizer.pre_tokenizer = peer.pre_tokenizers.Sequence(
        [
            peer.pre_tokenizers.Split(peer.Regex(r"[\t-\r ]*[^\t-\r ]+|[\t-\r ]+"), "isolated"),
            peer.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    if train is not None:
        everything = peer.pre_tokenizers.ByteLevel.alphabet()
        trainer = peer.trainers.BpeTrainer(vocab_size=256 + 40, initial_alphabet=everything, show_progress=False)
        tokenizer.train_from_iterator([train], trainer)
    return tokenizer


def practice_alphabet():
    """GPT-2's printable characters for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(256, 512))
    return {byte: chr(byte) if byte in plain else chr(next(rest)) for byte in range(256)}


def test_encoding_agrees_with_the_tokenizers_library():
    ours = practice.BytePairTokenizer.train(START, merges=300)
    text = TEXT[200_000:230_000] + " na\u00efve \u2192 \U0001f600  \n\n"
    assert _peer(merges=ours.merges).encode(text).ids == ours.encode(text).tolist()


HOSTILE = [
    "",
    " ",
    "\n" * 3000,
    "a" * 3000,
    "ab" * 2000 + "c",
    " \u00a0\u2003x\x1c\x85 \x00",
    "<end><|endoftext|>",
    "'s 'LL 1234567",
] + ["na\u00efve \u2192 \U0001f600\u200d\U0001f525 e\u0301\r\n\t \x0b\x0c end ", "\ufeff\ufffd\u202e\U0010ffff"]


@pytest.mark.peers("tiktoken")
def test_tiktoken_with_our_merges_gives_our_tokens():
    """Also of hostile text, and of tables with tokens that no text is encoded to."""
    dice = random.Random(0)
    texts = HOSTILE + ["".join(dice.choices("abc \n", k=300)) for _ in range(20)]
    tables = [((98, 99), (97, 98), (257, 99)), ((97, 97), (256, 256), (256, 97), (97, 256)), ((97, 98), (97, 98), (257, 99)), ()]
    for _ in range(30):
        known = [[97, 98, 99, *range(256, 256 + row)] for row in range(12)]
        tables.append(tuple((dice.choice(row), dice.choice(row)) for row in known))
    for tokenizer in (TOKENIZER, *map(practice.BytePairTokenizer, tables)):
        encode = tiktoken_encoder(*tokenizer.ranks())
        for text in texts:
            assert torch.equal(encode(text), tokenizer.encode(text)), (tokenizer.merges[:12], text[:80])
    encode = tiktoken_encoder(*TOKENIZER.ranks())
    assert torch.equal(encode(TEXT), TOKENIZER.encode(TEXT)) and torch.equal(encode(START.encode()), TOKENIZER.encode(START))
    with pytest.raises(UnicodeDecodeError):
        encode(b"\xff")
    for refusing in (TOKENIZER.encode, encode):
        with pytest.raises(UnicodeEncodeError):
            refusing("\ud800")


def test_training_agrees_with_the_tokenizers_library_up_to_ties():
    """The same forty merges; ranks differ only among equal counts."""
    ours = practice.BytePairTokenizer.train(START, merges=40)
    alphabet = practice_alphabet()
    spelled = {"".join(alphabet[b] for b in ours.decode_bytes([256 + r])) for r in range(40)}
    theirs = set(_peer(train=START).get_vocab()) - set(alphabet.values())
    assert len(spelled & theirs) >= 39  # the last of them may be a tie


def test_the_fast_trainer_is_the_plain_algorithm():
    """Counts brought up to date equal counts taken anew, merge after merge, on real text."""
    data = torch.tensor(list(START[:6000].encode()))
    chunk = practice.chunk_ids(data)
    merges = practice.train_byte_pairs(data, chunk, merges=60)
    tokens = data
    for r, pair in enumerate(merges):
        counts = practice.pair_counts(tokens, chunk, vocabulary_size=256 + r)
        best = int(counts.flatten().argmax())  # the first of the largest
        assert divmod(best, 256 + r) == tuple(pair.tolist())
        tokens, chunk = practice.merge_pair(tokens, chunk, pair=pair, new_token=256 + r)
    assert torch.equal(tokens, practice.encode_byte_pairs(data, practice.chunk_ids(data), merges))


TOKENIZER = practice.BytePairTokenizer.train(START, merges=400, special_tokens=("<end>", "<pad>"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_come_back(raw):
    assert TOKENIZER.decode_bytes(TOKENIZER.encode(raw)) == raw


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100))
def test_any_text_comes_back(text):
    text = text.encode(errors="replace").decode()  # lone surrogates are no text
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_the_pattern_cuts_as_chunk_ids_does():
    raw = b" a  b\xff\n\n c\x0b\x0cd \xc2\xa0 e  " + START.encode()[:3000]
    data = torch.tensor(list(raw))
    assert practice.BytePairTokenizer.chunks(raw) == practice._pieces(data, practice.chunk_ids(data))


def test_special_tokens_are_outside_the_bytes():
    """No text is encoded to one, not even its own name; decoding leaves them out."""
    assert TOKENIZER.vocabulary_size == 256 + 400 + 2
    assert (TOKENIZER.special("<end>"), TOKENIZER.special("<pad>")) == (656, 657)
    tokens = TOKENIZER.encode("a<end>b<pad>")
    assert int(tokens.max()) < 656
    assert TOKENIZER.decode([*tokens.tolist(), 656, 657]) == "a<end>b<pad>"
    with pytest.raises(ValueError, match="name is '<start>'"):
        TOKENIZER.special("<start>")
    with pytest.raises(ValueError, match="tokens is 658"):
        TOKENIZER.decode([658])


def test_bytes_are_tokens_of_the_tokenizer_without_merges():
    tokenizer = practice.ByteTokenizer(("<end>",))
    assert tokenizer.encode("h\u00e9").tolist() == [104, 195, 169]
    assert (tokenizer.vocabulary_size, tokenizer.special("<end>")) == (257, 256)


def test_a_tokenizer_survives_its_file(tmp_path):
    TOKENIZER.save(tmp_path / "tokenizer.json")
    again = practice.BytePairTokenizer.load(tmp_path / "tokenizer.json")
    assert again == TOKENIZER
    assert torch.equal(again.encode(START), TOKENIZER.encode(START))


GOOD = {"schema": "diptych/byte_pairs/1", "merges": [[116, 104]], "special_tokens": []}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "other/1"}, "schema"),
        ({"merges": [[116, 256]]}, "merges"),
        ({"merges": [[116, 104, 1]]}, "pairs"),
        ({"merges": [["t", "h"]]}, "pairs"),
        ({"merges": 3}, "no tokenizer"),
        ({"special_tokens": ["<a>", "<a>"]}, "special_tokens"),
        ({"special_tokens": [1]}, "strings"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(change, words, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(ValueError, match=words) as error:
        practice.BytePairTokenizer.load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_no_json_or_lacks_a_key_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    for content in ("{", json.dumps({"schema": "diptych/byte_pairs/1"})):
        path.write_text(content)
        with pytest.raises(ValueError, match="is no tokenizer"):
            practice.BytePairTokenizer.load(path)


def test_the_experiment_learns_and_judges():
    """Windows of a text in, merges out; held-out text is cut into longer pieces than bytes."""
    windows = torch.tensor(list(START.encode())[: 128 * 257]).view(-1, 257)

    class Windows:
        def batch(self):
            return {"tokens": windows}

    experiment = BytePairExperiment(BytePairRecipe(merges=50))
    loss, _ = experiment({"tokens": windows}, "count")
    metrics = experiment.evaluate(Windows())
    assert 0 < float(loss) < 0.8 and metrics["bytes_per_token"] > 1.25
    assert set(experiment.preview(Windows())) == {"cut", "tokens"}
    assert experiment.tokenizer().vocabulary_size == 306
