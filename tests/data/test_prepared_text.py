"""Prepared text: the same tokens from every form of file, windows from the map, tokenizers of others, and what is refused."""

import dataclasses
import gzip
import json
import math
import pickle
import shutil
import sys

import numpy as np
import pytest
import torch

from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.data import text
from practice_torch.data.errors import DataError
from practice_torch.data.preparation import documents, prepare_text
from practice_torch.data.preparation.prepare_text import Options
from practice_torch.data.preparation.prepared import digest_of
from practice_torch.data.reading.tokenizer_files import TokenizerFile, encoding_content
from practice_torch.data.streams import streamed_text
from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.errors import OptionError
from practice_torch.experiments.autoregressive.transformer import RECIPES, build
from tests.commands.test_practice_commands import call
from tests.commands.test_practice_commands import refused as refuses
from tests.support.engine.toys import remains

VERSES = [f"{n} bottles of beer, {'é' * (n % 3)} on the  wall;\nTake {n % 7} down.\r\n\n Pass it\taround" for n in range(90)]
WHOLE = "\n\n".join(VERSES).replace("\r\n", "\n")
LEARNED = {"tokens": "learned", "merges": 60}


def prepare(sources, out, said=None, **options):
    options = Options(**({"workers": 1} | options))
    say = (lambda line: None) if said is None else said.append
    return prepare_text.prepare(list(map(str, np.atleast_1d(sources))), out, options, say, BytePairTokenizer)


def tokens_of(prepared):
    return np.concatenate([np.fromfile(path, prepared.manifest["dtype"]) for path in prepared.paths])


def refused(function, *arguments, say=(), **options):
    with pytest.raises(DataError) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert all(word in message for word in say) and "\n" not in message, message


def rewrite(folder, change):
    """Another manifest in the folder's place, signed as if it had been written so."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest | {"sha256": digest_of(manifest)}))


@pytest.fixture
def small(monkeypatch):
    """Files are cut every few hundred bytes."""
    monkeypatch.setattr(prepare_text, "CHUNK", 700)
    monkeypatch.setattr(documents, "BLOCK", 100)


@pytest.fixture
def verses(tmp_path):
    path = tmp_path / "verses.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\n\n".join(VERSES).encode())
    return path


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """A byte-level tokenizer.json, as GPT-2's is, learned from the verses."""
    tokenizers = pytest.importorskip("tokenizers")
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    special = ["<|endoftext|>", "<|other|>"]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=alphabet, special_tokens=special, show_progress=False
    )
    inner.train_from_iterator([WHOLE], trainer)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    inner.save(str(path))
    return path


# ---------------------------------------------------------------------------------------------------- the same tokens


def test_however_a_text_is_cut_its_tokens_are_those_of_the_whole(small, verses, tmp_path):
    prepared = prepare(verses, tmp_path / "bytes")
    assert len(prepared.paths) > 5 and bytes(tokens_of(prepared)).decode() == WHOLE
    prepared = prepare(verses, tmp_path / "pairs", **LEARNED)
    tokenizer = BytePairTokenizer.load(tmp_path / "pairs" / "tokenizer.json")
    assert len(prepared.paths) > 5 and tokens_of(prepared).dtype == np.uint16
    assert tokens_of(prepared).tolist() == tokenizer.encode(WHOLE).tolist()
    assert tokenizer.special("<|endoftext|>") == prepared.manifest["vocabulary"] - 1 == 256 + 60
    learned = BytePairTokenizer.train(WHOLE.encode()[: int(0.9 * verses.stat().st_size)], merges=60)
    assert tokenizer.merges == learned.merges, "the last tenth, which may be held out, taught nothing"


def test_a_text_without_line_ends_is_cut_between_characters(small, tmp_path):
    (tmp_path / "a.txt").write_text("é" * 1500 + "\r\n" * 400 + "日本" * 300)
    assert bytes(tokens_of(prepare(tmp_path / "a.txt", tmp_path / "out"))).decode() == "é" * 1500 + "\n" * 400 + "日本" * 300


def test_lines_rows_and_compressed_lines_are_the_same_documents(small, tmp_path):
    from pyarrow import Table, parquet

    lines = "".join(json.dumps({"title": n, "text": verse}) + "\n" for n, verse in enumerate(VERSES))
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    parquet.write_table(Table.from_pydict({"text": VERSES}), tmp_path / "c.parquet", row_group_size=7)
    (tmp_path / "folder").mkdir()
    for number, verse in enumerate(VERSES):
        (tmp_path / "folder" / f"{number:03d}.txt").write_bytes(verse.encode())
    expected = [verse.replace("\r\n", "\n") for verse in VERSES]
    for name in ("a.jsonl", "b.jsonl.gz", "c.parquet", "folder"):
        prepared = prepare(tmp_path / name, tmp_path / f"out-{name}")
        assert bytes(tokens_of(prepared)).decode().split("\0") == expected, name
        assert prepared.manifest["documents"] == len(VERSES)
        assert prepared.manifest["text_bytes"] == sum(len(verse.encode()) for verse in expected)
    both = prepare([tmp_path / "c.parquet", tmp_path / "a.jsonl"], tmp_path / "both", **LEARNED)
    tokens = tokens_of(both)
    assert (tokens == 316).sum() == 2 * len(VERSES) - 1 and tokens[0] != 316 and tokens[-1] != 316


def test_a_job_can_be_sent_to_another_process(small, verses, tmp_path, monkeypatch):
    """And makes the same shard there: how jobs reach processes is tested with shards of another kind, in test_prepared.py."""
    prepare([verses, verses], tmp_path / "here", **LEARNED)
    real = prepare_text.write_shard
    monkeypatch.setattr(prepare_text, "write_shard", lambda *job: real(*pickle.loads(pickle.dumps(job))))
    prepare([verses, verses], tmp_path / "there", **LEARNED)
    for file in (tmp_path / "here").iterdir():
        assert file.read_bytes() == (tmp_path / "there" / file.name).read_bytes(), file.name


def test_a_stopped_preparation_keeps_its_merges_and_its_shards(small, verses, tmp_path, monkeypatch):
    prepare(verses, tmp_path / "whole", **LEARNED)
    done = []

    def stops(folder, name, job):
        if len(done) == 3:
            raise DataError("stopped")
        done.append(name)
        real(folder, name, job)

    real = prepare_text.write_shard
    monkeypatch.setattr(prepare_text, "write_shard", stops)
    refused(prepare, verses, tmp_path / "out", say=["stopped"], **LEARNED)
    monkeypatch.setattr(prepare_text, "write_shard", real)
    monkeypatch.setattr(BytePairTokenizer, "of_counts", None)  # nothing is learned again
    said = []
    prepare(verses, tmp_path / "out", said, **LEARNED)
    assert "3 of" in said[0]
    for file in (tmp_path / "whole").iterdir():
        assert file.read_bytes() == (tmp_path / "out" / file.name).read_bytes(), file.name
    refused(prepare, verses, tmp_path / "out", say=["its merges is 60, now 61"], tokens="learned", merges=61)
    refused(prepare, verses, tmp_path / "out", say=["its tokens is 'learned', now 'bytes'"])


# ---------------------------------------------------------------------------------------------------- windows


def test_windows_are_those_of_the_whole_text_also_over_the_ends_of_shards(small, verses, tmp_path):
    whole = tokens_of(prepare(verses, tmp_path / "out", **LEARNED)).astype(np.int64)
    train, held_out = text.load(tmp_path / "out", context=500, held_out=0.4, level="token")
    assert len(train) == len(whole) - len(held_out.stream) - 500
    indices = torch.randperm(len(train))
    expected = torch.from_numpy(whole).unfold(0, 501, 1)[indices]
    assert max(train.shards.ends[1:]) > 501 > min(np.diff(train.shards.ends)), "windows reach over more than one end"
    for data in (train, pickle.loads(pickle.dumps(train)), train.resident()):
        assert torch.equal(data.batch(indices)["tokens"], expected)
        assert data.batch(indices[:0])["tokens"].shape == (0, 501)
    assert train.resident().stream.nbytes == train.resident_bytes
    assert train.batch(indices[:2])["tokens"].dtype == torch.int64 and not pickle.loads(pickle.dumps(train)).shards.maps
    assert held_out.stream.tolist() == whole[len(whole) - len(held_out.stream) :].tolist()
    with pytest.raises(IndexError, match="there are"):
        train.batch(torch.tensor([len(train)]))


def test_bytes_are_split_as_the_file_itself_is_and_little_is_held_out_of_much(verses, tmp_path, monkeypatch):
    (tmp_path / "plain.txt").write_text(WHOLE)
    prepare(tmp_path / "plain.txt", tmp_path / "out")
    both = [text.load(tmp_path / name, context=8, level="byte") for name in ("out", "plain.txt")]
    for ours, theirs in zip(*both, strict=True):
        assert len(ours) == len(theirs)
        assert torch.equal(ours.batch(torch.arange(len(ours)))["tokens"], theirs.batch(torch.arange(len(theirs)))["tokens"])
    monkeypatch.setattr(streamed_text, "HELD_OUT", 100)
    train, held_out = text.load(tmp_path / "out", context=8, level="byte")
    assert (len(held_out.stream), train.tokens) == (100, len(WHOLE.encode()) - 100)


# ---------------------------------------------------------------------------------------------------- tokenizers of others


def test_a_tokenizer_json_writes_every_byte_and_no_text_becomes_special(others, tmp_path):
    tokenizer = TokenizerFile("tokenizers", others.read_bytes())
    odd = "an <|endoftext|> that is <|other|> text, \x00 and \u65e5\u672c \U0001f600\n"
    tokens = tokenizer.encode(odd)
    assert tokenizer.decode(tokens) == odd and not set(tokens.tolist()) & set(tokenizer.special_tokens.values())
    assert sum(tokenizer.lengths()[token] for token in tokens.tolist()) == len(odd.encode())
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in (odd, WHOLE)))
    prepared = prepare(tmp_path / "a.jsonl", tmp_path / "out", tokens=str(others))
    expected = [*tokens.tolist(), tokenizer.special("<|endoftext|>"), *tokenizer.encode(WHOLE).tolist()]
    assert tokens_of(prepared).tolist() == expected
    assert prepared.manifest["tokenizer"]["end_of_text"] == "<|endoftext|>"
    prepared = prepare(tmp_path / "a.jsonl", tmp_path / "other", tokens=str(others), end_of_text="<|other|>")
    assert tokenizer.special("<|other|>") in tokens_of(prepared)


@pytest.mark.peers("tiktoken")
def test_a_tiktoken_encoding_is_kept_as_a_file_of_its_own(tmp_path):
    import tiktoken

    ranks = {bytes([byte]): byte for byte in range(256)} | {b"be": 256, b"er": 257, b" beer": 258}
    encoding = tiktoken.Encoding("ours", pat_str=r"\s*\S+|\s+", mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 259})
    tokenizer = TokenizerFile("tiktoken", encoding_content(encoding))
    assert tokenizer.encode(WHOLE).tolist() == encoding.encode_ordinary(WHOLE)
    assert tokenizer.decode(tokenizer.encode(WHOLE)) == WHOLE and tokenizer.vocabulary_size == 260


@pytest.mark.peers("tiktoken")
def test_learned_tokens_through_tiktoken_are_the_same_folder(verses, tmp_path):
    own, theirs = prepare(verses, tmp_path / "own", **LEARNED), prepare(verses, tmp_path / "out", encoder="tiktoken", **LEARNED)
    assert own.manifest == theirs.manifest and tokens_of(own).tolist() == tokens_of(theirs).tolist()


def test_tiktoken_is_refused_where_it_is_not_installed_or_not_asked(verses, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    refused(prepare, verses, tmp_path / "out", say=["needs tiktoken", "pip install tiktoken"], encoder="tiktoken", **LEARNED)
    with pytest.raises(ValueError, match="encoder is tiktoken; it applies to --tokens learned only"):
        Options(encoder="tiktoken")


def test_tokenizers_that_will_not_do_are_refused(others, verses, tmp_path, monkeypatch):
    def changed(name, change):
        content = json.loads(others.read_text())
        change(content)
        (tmp_path / name).write_text(json.dumps(content))
        return str(tmp_path / name)

    lower = changed("lower.json", lambda content: content.update(normalizer={"type": "Lowercase"}))
    shrinks = changed("nfd.json", lambda content: content.update(normalizer={"type": "NFD"}))
    words = changed("words.json", lambda content: content["model"]["vocab"].update({"\u2581of": 700}))
    none = changed("none.json", lambda content: content.update(added_tokens=content["added_tokens"][1:]))
    (tmp_path / "noise.json").write_bytes(b"\xff")
    refused(prepare, verses, tmp_path / "out", say=["changes text", "bytes of", "without a normalizer"], tokens=shrinks)
    assert prepare(verses, tmp_path / "lower", tokens=lower)  # as long as before: bits per byte mean what they say
    refused(prepare, verses, tmp_path / "out2", say=["not byte-level (token 700 is"], tokens=words)
    refused(prepare, verses, tmp_path / "out3", say=["no special token that usually", "<|other|>", "--end-of-text"], tokens=none)
    refused(prepare, verses, tmp_path / "out4", say=["no special token 'x'"], tokens=str(others), end_of_text="x")
    refused(prepare, verses, tmp_path / "out5", say=["is no tokenizer.json"], tokens=str(tmp_path / "noise.json"))
    refused(prepare, verses, tmp_path / "out6", say=["'gpt2'", "bytes, learned, a tokenizer.json"], tokens="gpt2")
    for name, asked in (("tokenizers", str(others)), ("tiktoken", "tiktoken:gpt2")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            refused(prepare, verses, tmp_path / "out7", say=[f"needs {name}", f"pip install {name}"], tokens=asked)


@pytest.mark.parametrize("tokens", ["bytes", "learned", "others"])
def test_a_language_model_evaluates_and_samples_with_the_tokens_of_its_text(tokens, small, verses, tmp_path, request):
    options = LEARNED if tokens == "learned" else {"tokens": str(request.getfixturevalue(tokens))} if tokens == "others" else {}
    prepare([verses, verses], tmp_path / "out", **options)
    recipe = dataclasses.replace(RECIPES["pydoc"], data=str(tmp_path / "out"), context=16, width=16, layers=1, heads=2)
    train, held_out = text.load(recipe.data, **recipe.loading())
    model = build(recipe, train)
    torch.nn.init.zeros_(model.network.token_embedding.weight)
    predicted = held_out.batch()["tokens"][:, 1:]
    size = sum(len(model.tokenizer().decode(row).encode(errors="replace")) for row in predicted.flatten()[:, None])
    if tokens != "others":  # a letter in two tokens decodes to two marks of three bytes each: count those of our own
        size = sum(model.tokenizer().lengths()[token] for token in predicted.flatten().tolist())
    uniform = math.log2(train.description["vocabulary"]) * predicted.numel() / size
    assert model.evaluate(held_out)["bits_per_byte"] == pytest.approx(uniform, rel=2e-2 if tokens == "others" else 1e-6)

    again = build(recipe, Described(json.loads(json.dumps(train.description))))
    again.load_state_dict(model.state_dict())
    torch.nn.init.normal_(model.network.token_embedding.weight)
    again.load_state_dict(model.state_dict())
    for one in (model, again):
        one.generator = torch.Generator().manual_seed(0)
        one.sampling = dataclasses.replace(one.sampling, prompt="bottles", length=9)
    assert (written := model.sample(2)["text"].text) == again.sample(2)["text"].text and written.startswith("bottles")
    with pytest.raises(OptionError, match="merges is 5, but .* is prepared"):
        build(dataclasses.replace(recipe, merges=5), train)


@pytest.mark.weekly
@pytest.mark.xdist_group("processes")
def test_streamed_text_trains_as_text_in_memory_does_also_killed(small, verses, tmp_path, forked):
    """The whole of it: two workers that read the map, kill -9 in a step, and a run that samples once its data are gone."""
    data = tmp_path / "out"
    prepare([verses] * 3, data, **LEARNED)
    (resident,) = forked("tests.support.data.text_streams:train", tmp_path / "resident", data, "device")
    (killed,) = forked("tests.support.data.text_streams:train", tmp_path / "streamed", data, "stream", killed_at=5)
    assert (resident.code, resident.value, killed.code) == (0, 0, -9), resident.err
    (again,) = forked("tests.support.data.text_streams:resume", tmp_path / "streamed")
    assert again.value == 0 and "continuing after step" in again.err
    assert remains(tmp_path / "streamed") == remains(tmp_path / "resident")
    shutil.rmtree(data)
    code, out, err = call("sample", tmp_path / "streamed", "--count", 1, "--length", 8, "--prompt", "bottles", "--cpu")
    assert code == 0 and "bottles" in out, err


# ---------------------------------------------------------------------------------------------------- what is refused


def test_what_is_not_utf_8_is_named_with_its_place_or_counted(small, tmp_path):
    path = tmp_path / "a.txt"
    raw = ("word and word\n" * 300).encode()
    path.write_bytes(raw[:2000] + b"\xff\xe9" + raw[2000:])
    refused(prepare, path, tmp_path / "out", say=["a.txt is not UTF-8 (byte 0xff at offset 2000)", "--skip-unusable"])
    prepared = prepare(path, tmp_path / "out2", skip_unusable=True)
    assert bytes(tokens_of(prepared)) == raw and prepared.manifest["remarks"] == ["2 bytes that are not UTF-8 were left out"]
    assert text.load(tmp_path / "out2", context=4, level="byte")[0].description["remarks"] == prepared.manifest["remarks"]


def test_empty_files_and_unusable_rows_are_named_or_counted(tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "empty.txt").write_bytes(b"")
    refused(prepare, tmp_path / "texts", tmp_path / "out", say=["empty.txt is empty"])
    refused(prepare, tmp_path / "texts", tmp_path / "out", say=["all files", "are empty"], skip_unusable=True)
    (tmp_path / "texts" / "blank.jsonl").write_text("\n\n")
    refused(prepare, tmp_path / "texts", tmp_path / "out", say=["there is nothing in"], skip_unusable=True)
    rows = ['{"text": "one"}', '{"txt": "two"}', '{"text": 3}', "[4]", "{", '{"text": "\\ud800"}', '{"text": "seven"}']
    (tmp_path / "texts" / "blank.jsonl").write_text("\n".join(rows))
    complaints = ("'text' is missing (fields: txt", "is no text", "no JSON object", "not JSON", "no valid Unicode")
    for row, wrong in enumerate(complaints, 2):
        (tmp_path / "b.jsonl").write_text("\n".join([rows[0], "", rows[row - 1]]))
        refused(prepare, tmp_path / "b.jsonl", tmp_path / f"out{row}", say=["b.jsonl, line 3", wrong, "--skip-unusable"])
    prepared = prepare(tmp_path / "texts", tmp_path / "out8", skip_unusable=True)
    assert bytes(tokens_of(prepared)) == b"one\0seven"
    assert prepared.manifest["remarks"] == ["1 empty files were left out", "5 rows without a usable text were left out"]


def test_files_that_are_not_what_their_names_say_are_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 or not")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n' * 999)[:-12])
    (tmp_path / "c.tar.gz").write_bytes(b"x")
    (tmp_path / "d.jsonl.zst").write_bytes(b"x")
    from pyarrow import Table, parquet

    parquet.write_table(Table.from_pydict({"body": ["a", None]}), tmp_path / "e.parquet")
    for name, words in [
        ("a.parquet", "is not a parquet file"),
        ("b.jsonl.gz", "is damaged"),
        ("c.tar.gz", "decompress it"),
        ("e.parquet", "no column 'text' (columns: body): name it with --field"),
        ("f.txt", "does not exist"),
    ]:
        refused(prepare, tmp_path / name, tmp_path / f"out-{name}", say=[name, words])
    refused(prepare, tmp_path / "e.parquet", tmp_path / "out", say=["row 1: column 'body' holds NoneType"], field="body")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "zstandard", None)
        refused(prepare, tmp_path / "d.jsonl.zst", tmp_path / "out-z", say=["pip install zstandard"])


def test_damaged_shards_and_folders_of_other_kinds_are_refused(small, verses, tmp_path):
    out = tmp_path / "out"
    prepare(verses, out, **LEARNED)
    load = {"context": 8, "level": "token"}
    manifest, shard = (out / "manifest.json").read_bytes(), out / "shard-00001.bin"
    raw = shard.read_bytes()
    shard.write_bytes(raw[:-2])
    refused(text.load, out, say=["shard-00001.bin has", "the manifest lists"], **load)
    shard.write_bytes(np.full(len(raw) // 2, 60000, np.uint16).tobytes())
    train, _ = text.load(out, **load)
    place = torch.tensor([0, train.shards.ends[0] + 3])
    for function in (lambda: train.batch(place), train.resident):
        refused(function, say=["shard-00001.bin is damaged (it holds a token 60000; the vocabulary ends at 316)", "--verify"])
    shard.write_bytes(raw)
    rewrite(out, lambda content: content.update(vocabulary=70000))
    refused(text.load, out, say=["a vocabulary of 70000 does not fit uint16"], **load)
    rewrite(out, lambda content: content.update(vocabulary=317, dtype="uint32"))
    refused(text.load, out, say=["shard-00000.bin: ", "bytes are not", "tokens of uint32"], **load)
    (out / "manifest.json").write_bytes(manifest)
    (out / "tokenizer.json").write_text(BytePairTokenizer(((97, 98),)).content())
    refused(text.load, out, say=["tokenizer.json is another tokenizer"], **load)
    prepare(verses, out.with_name("bytes"))
    refused(text.load, out.with_name("bytes"), say=["holds tokens (bytes)", "takes characters"], context=8, level="character")
    rewrite(out.with_name("bytes"), lambda content: content.update(vocabulary=200))
    refused(text.load, out.with_name("bytes"), say=["its tokens are bytes", "200"], context=8, level="token")


def test_tokens_in_place_of_bytes_and_short_texts_are_refused(verses, tmp_path):
    prepare(verses, tmp_path / "out", **LEARNED)
    refused(text.load, tmp_path / "out", say=["holds tokens (diptych)", "takes bytes", "--tokens bytes"], context=8, level="byte")
    refused(text.load, tmp_path / "out", say=["each part needs at least 5001"], context=5000, level="token")
    refused(prepare, verses, tmp_path / "much", say=["merges is 90000, but the"], tokens="learned", merges=90_000)
    with pytest.raises(ValueError, match="merges is 0; it must be between 1"):
        Options(merges=0)


# ---------------------------------------------------------------------------------------------------- the command


def test_the_command_prepares_reports_and_verifies(verses, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("prepare", "text", "verses.txt", "--out", "out", "--tokens", "learned", "--merges", 60)
    assert code == 0 and "tokens (uint16, vocabulary 317) of 1 documents" in out and "train with --data out" in out
    assert call("prepare", "--verify", "out")[:2] == (0, "out: all 1 shards have their checksums\n")
    code, out, _ = call("prepare", "text", "--help")
    assert code == 0 and all(word in out for word in ("--tokens", "--merges", "--field", "--skip-unusable", "zero byte"))
    assert "prepare" in call("list")[1]
    with open("out/shard-00000.bin", "r+b") as shard:
        shard.write(b"\xff")
    for code, line, words in [
        (3, "--verify out", "not the content that was prepared: shard-00000.bin"),
        (3, "--verify .", "is not a prepared folder"),
        (3, "text nothing.txt --out new", "does not exist"),
        (2, "text verses.txt", "--out"),
        (2, "text --out new", "takes SOURCES"),
        (2, "text verses.txt --out new --merges 0", "merges is 0; it must be between 1"),
        (2, "text verses.txt --out new --workers 0", "workers is 0; it must be at least 1"),
        (2, "text verses.txt --out new --tokns bytes", "did you mean --tokens?"),
        (2, "txt verses.txt --out new", "did you mean text?"),
    ]:
        assert words in refuses(code, "prepare", *line.split()), line
    with pytest.raises(DataError):
        call("prepare", "--verify", ".", "--debug")
