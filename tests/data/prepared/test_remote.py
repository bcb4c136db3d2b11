"""Prepared data behind URLs: the same examples by way of a bounded folder on the disk; what cannot be read is one line."""

import contextlib
import fcntl
import json
import os
import pickle
import sys
import threading
from collections import Counter

import fsspec
import numpy as np
import pytest
import soundfile
import torch

from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.data import audio, images, text
from practice_torch.data.errors import DataError
from practice_torch.data.preparation import prepare_audio, prepare_images, prepare_text, prepared
from practice_torch.data.remote import cache, store
from practice_torch.data.shard_order import ShardOrder
from practice_torch.data.streams import few_shards
from practice_torch.data.streams.streamed_sounds import _windows
from practice_torch.engine.batches.order import Order, shards_of
from practice_torch.engine.batches.streaming import Stream
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.engine.recipe import Recipe
from tests.support.data.files import gray, one_line, save

CPU = torch.device("cpu")
CONTEXT = 10


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Shards of some hundred bytes, of which two are mixed; the copies are in a folder of the test."""
    monkeypatch.setattr(os, "fsync", lambda number: None)
    monkeypatch.setattr(prepare_text, "CHUNK", 400)
    monkeypatch.setattr("practice_torch.data.preparation.preparing_rows.MOST_ROWS", 4)
    monkeypatch.setattr(prepared, "TOGETHER", 900)
    monkeypatch.setattr(store, "BLOCK", 100)
    monkeypatch.setenv("DIPTYCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def texts(tmp_path):
    """(the URL of prepared text in memory, its tokens)."""
    (tmp_path / "a.txt").write_text("".join(f"{n} bottles of beer on the wall\n" for n in range(100)))
    options = prepare_text.Options(workers=1, tokens="learned", merges=20)
    found = prepare_text.prepare([tmp_path / "a.txt"], tmp_path / "text", options, lambda line: None, BytePairTokenizer)
    return in_memory(tmp_path / "text"), np.concatenate([np.fromfile(path, np.uint16) for path in found.paths])


@pytest.fixture
def pictures(tmp_path):
    """(the URL of 30 prepared images in memory, their folder)."""
    for number in range(30):
        save(tmp_path / "in" / "ab"[number % 2] / f"{number}.png", gray(number))
    prepare_images.prepare([tmp_path / "in"], tmp_path / "out", prepare_images.Options(workers=1), lambda line: None)
    return in_memory(tmp_path / "out"), tmp_path / "out"


def in_memory(folder):
    """The URL of a copy of a folder."""
    system = fsspec.filesystem("memory")
    with contextlib.suppress(FileNotFoundError):
        system.rm(f"/bucket/{folder.name}", recursive=True)
    for file in folder.iterdir():
        system.pipe_file(f"/bucket/{folder.name}/{file.name}", file.read_bytes())
    return f"memory://bucket/{folder.name}"


def changed(url, name, content):
    fsspec.filesystem("memory").pipe_file(f"{url.removeprefix('memory:/')}/{name}", content)


def refused(function, *arguments, say=(), **options):
    with pytest.raises(DataError) as error:
        function(*arguments, **options)
    message = one_line(error)
    assert all(str(word) in message for word in say), message


def copies(tmp_path):
    return {file.name for file in (tmp_path / "cache" / "shards").iterdir()} - {cache.LOCK}


# ---------------------------------------------------------------------------------------------------- the order


def test_an_epoch_has_every_example_once_and_some_shards_at_a_time():
    counts = [5, 0, 7, 1, 30, 0, 4, 9]
    order = ShardOrder(counts, 3)
    places = torch.arange(56)
    shard_of = np.repeat(np.arange(8), counts)
    seen = []
    for epoch in (0, 1):
        found = order.indices(places, torch.full_like(places, epoch), 7)
        assert found.sort().values.tolist() == places.tolist()
        seen.append(found.tolist())
        for place in places.tolist():
            upcoming = order.upcoming(torch.tensor([place]), torch.tensor([epoch]), 7)
            assert shard_of[found[place]] in upcoming[:3] and len(upcoming) == len(set(upcoming)) <= 6
        shards = shard_of[found.numpy()]
        changes = [set(shards[:first]) & set(shards[first:]) for first in range(1, 56)]
        assert all(len(both) <= 3 for both in changes) and min(map(len, changes)) == 0, "groups follow each other"
    assert seen[0] != seen[1] and seen[0] != order.indices(places, torch.zeros_like(places), 8).tolist()
    asked, epochs = torch.tensor([50, 3, 50]), torch.tensor([0, 1, 1])
    assert order.indices(asked, epochs, 7).tolist() == [seen[0][50], seen[1][3], seen[1][50]]


def test_an_epoch_may_begin_with_any_example():
    order = ShardOrder([4] * 6, 2)
    places = torch.arange(24)
    firsts = Counter(int(order.indices(places[:1], places[:1] * 0 + epoch, 0)) for epoch in range(300))
    assert len(firsts) == 24 and max(firsts.values()) < 40  # 12.5 each, by chance up to 25


def read_by(counts, *, batch, parts, processes, together):
    """(the examples of an epoch's batches, of all processes, [N, batch]; the shards that each process took them from)."""
    batches = sum(counts) // batch
    order, shard_of, found, shards = ShardOrder(counts, together).in_parts(parts), np.repeat(range(len(counts)), counts), [], []
    for rank in range(processes):
        own = Order(sum(counts), batch // processes, 5, rank, processes, shards=order)
        draws = own.draws(0, batches + 2)  # and two of the next epoch
        examples = own.indices(draws).view(batches + 2, -1)
        taken = shard_of[examples.numpy()]
        found.append(examples[:batches])
        shards.append(set(taken[:batches].flatten().tolist()))
        for number in range(batches):
            upcoming = own.upcoming(own.draws(number))
            soon = taken[number : number + 2 if min(counts) else number + 1]
            assert set(soon.flatten().tolist()) <= set(upcoming) and all(counts[shard] for shard in upcoming)
    return torch.cat(found, 1), shards


@pytest.mark.parametrize(
    ("counts", "together"), [([5, 0, 7, 1, 30, 0, 4, 9], 2), ([8] * 12, 4), ([8] * 12, 8), ([56], 2), ([3, 53], 2)]
)
def test_every_process_reads_its_own_shards_and_any_number_of_them_sees_the_same_batches(counts, together):
    parts = 4
    found = {count: read_by(counts, batch=8, parts=parts, processes=count, together=together) for count in (1, 2, 4, 8)}
    whole, _ = found[1]
    assert all(other.equal(whole) for other, _ in found.values())
    assert len(whole.unique()) == whole.numel() == sum(counts)
    for processes in (2, 4, 8):
        _, shards = found[processes]
        pieces = min(processes, parts)  # several processes may share one
        assert sum(map(len, shards)) <= processes // pieces * (sum(map(bool, counts)) + pieces - 1)
    if len(counts) > 10:
        assert {len(own) for own in found[4][1]} == {3}, "of 12 shards of one size, each of four processes reads three"
    assert not whole.equal(read_by(counts, batch=8, parts=1, processes=1, together=together)[0])


def test_parts_have_every_example_once_in_each_of_their_epochs():
    order = ShardOrder([5, 0, 7, 1, 30, 0, 4, 9], 2).in_parts(4)  # pieces of 14
    draws = order.draws(torch.arange(3 * 56), 8)
    assert draws.sort().values.tolist() == list(range(3 * 56))
    seen = order.indices(draws % 56, draws // 56, 7).view(-1, 4, 2)
    for epoch in range(3):
        assert seen[7 * epoch : 7 * epoch + 7].flatten().sort().values.tolist() == list(range(56))
    assert ShardOrder([4, 4], 1).draws(torch.arange(40), 8).tolist() == list(range(40)), "without parts, places are places"


def test_data_parts_that_do_not_fit_are_refused(texts):
    url, _ = texts
    train, _ = text.load(url, context=CONTEXT, level="token")
    assert len(shards_of(train, Recipe(data_parts=4)).cuts) == 5 and shards_of(train, Recipe()) is train.order
    with pytest.raises(RunError, match="a batch of 6 examples cannot be split evenly into 4 data parts; set --data-parts to a "):
        Order(len(train), 3, 0, 0, 2, shards=train.order.in_parts(4))
    with pytest.raises(ValueError, match="data_parts is 5; it must be a divisor of batch_size .64."):
        Recipe(data_parts=5)
    resident, _ = images.load("squares")
    with pytest.raises(OptionError, match="data_parts is 4, but squares is not read from a URL: leave --data-parts out"):
        shards_of(resident, Recipe(data_parts=4))


# ---------------------------------------------------------------------------------------------------- the same examples


def test_text_of_a_url_predicts_every_token_of_a_shard_once_an_epoch(texts, tmp_path):
    url, tokens = texts
    train, held_out = text.load(url, context=CONTEXT, level="token", held_out=0.2)
    resident, rest = text.load(tmp_path / "text", context=CONTEXT, level="token", held_out=0.2)
    assert held_out.stream.equal(rest.stream) and train.description["sha256"] == resident.description["sha256"]
    assert train.order.together == 3 and len(train.order.counts) > 4
    indices = torch.arange(len(train))
    ends = np.minimum(train.shards.ends, len(tokens) - len(held_out.stream))
    for epoch in (None, 0, 1):
        found = train.batch(indices, None if epoch is None else indices + epoch * len(train))["tokens"]
        rows, place = found.numpy(), 0
        for count, start, end in zip(train.order.counts, [0, *ends[:-1]], ends, strict=True):
            windows = rows[place : place + count]
            place += count
            stream = np.concatenate([windows[:, :-1].flatten(), windows[-1:, -1]])
            offset = next(o for o in range(CONTEXT) if np.array_equal(tokens[start + o : start + o + len(stream)], stream))
            assert start + offset + len(stream) <= end and (epoch is not None or offset == 0)
            assert (windows[1:, 0] == windows[:-1, -1]).all() and end - start - len(stream) < 2 * CONTEXT
    refused(train.resident, say=[url, "is streamed from its URL", "copy it to a disk"])


def labels_of(batch):
    """{pixels: label}."""
    return {tuple(image.flatten().tolist()): int(label) for image, label in zip(batch["image"], batch["label"], strict=True)}


def test_images_of_a_url_are_those_of_the_folder_and_few_shards_are_held_out(pictures, monkeypatch, tmp_path):
    monkeypatch.setattr(few_shards, "SHARDS_HELD_OUT", 2)
    url, folder = pictures
    train, held_out = images.load(url, held_out=0.1, seed=3)
    assert (len(train), len(held_out), train.varies) == (27, 3, True) and train.description["shape"] == [1, 6, 5]
    assert len(copies(tmp_path)) <= 2 and not train.rows.open, "held-out images were read from two shards"
    resident, rest = images.load(folder)
    stored = labels_of(resident.batch(torch.arange(len(resident)))) | labels_of(rest.batch())
    for part in (train, pickle.loads(pickle.dumps(train))):
        assert labels_of(part.batch(torch.arange(27))) | labels_of(held_out.batch()) == stored
    refused(images.load, url, held_out=0.9, say=["27 images are to be held out, from 2 shards", "lower --held-out"])


@pytest.fixture
def tones(tmp_path):
    """(the URL of 30 prepared sounds of 50 to 630 samples in memory, their folder); sample n of sound k is 1000 k + n."""
    for number in range(30):
        samples = (np.arange(50 + 20 * number) + 1000 * number).astype(np.int16)
        (tmp_path / "in" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "in" / "ab"[number % 2] / f"{number}.wav", samples, 8000)
    options = prepare_audio.Options(workers=1, sample_rate=8000)
    prepare_audio.prepare([tmp_path / "in"], tmp_path / "sounds", options, lambda line: None)
    return in_memory(tmp_path / "sounds"), tmp_path / "sounds"


def which(batch):
    """(sound, the sample that its window begins with) of each."""
    return [divmod(int(first), 1000) for first in (batch["audio"][:, 0] * 2**15).round()[:, 0]]


def test_sounds_of_a_url_are_those_of_the_folder_each_once_an_epoch(tones, monkeypatch, tmp_path):
    monkeypatch.setattr(few_shards, "SHARDS_HELD_OUT", 2)
    url, folder = tones
    train, held_out = audio.load(url, length=400, held_out=0.1, seed=3)
    assert len(copies(tmp_path)) <= 2 and not train.rows.open, "held-out sounds were read from two shards"
    assert (len(train), train.description["count"], train.varies) == (27, 27, True) and len(train.order.counts) == 8
    ours, hidden = train.batch(torch.arange(27)), held_out.batch()
    assert sorted(sound for batch in (ours, hidden) for sound, _ in which(batch)) == list(range(30))
    assert [label for batch in (ours, hidden) for label in batch["label"].tolist()] == [
        sound % 2 for batch in (ours, hidden) for sound, _ in which(batch)
    ]
    resident, rest = audio.load(folder, length=400, held_out=0.1, seed=3)
    there = {
        which(batch)[0]: batch["audio"]
        for part in (resident, rest)
        for batch in [part.batch(torch.tensor([n])) for n in range(3)]
    }
    here = dict(zip(which(ours), ours["audio"], strict=True)) | dict(zip(which(hidden), hidden["audio"], strict=True))
    assert there and all(window[0].equal(here[place]) for place, window in there.items())
    refused(train.resident, say=[url, "is streamed from its URL"])
    refused(audio.load, url, length=400, held_out=0.5, say=["15 sounds are to be held out, from 2 shards", "lower --held-out"])
    refused(audio.load, url, sample_rate=16_000, say=["prepared at 8000 Hz"])
    refused(audio.load, "memory://bucket/nothing", say=["memory://bucket/nothing/manifest.json does not exist"])
    raw = fsspec.filesystem("memory").cat_file("/bucket/sounds/shard-00000-000.arrow")
    (tmp_path / "cache" / "shards" / train.rows.prepared.manifest["shards"][0]["sha256"]).unlink(missing_ok=True)
    changed(url, "shard-00000-000.arrow", raw[:-100])
    first = torch.tensor([0])
    refused(pickle.loads(pickle.dumps(train)).batch, first, say=["shard-00000-000.arrow", "not the content that was prepared"])


def test_windows_of_a_url_that_an_epoch_leaves_out_come_in_others(tones):
    """Shards have about as many examples as windows: each window comes as often as every other one of its shard."""
    train, _ = audio.load(tones[0], length=100, held_out=0.1, seed=3)
    counted, epochs = Counter(), 60
    indices = torch.arange(len(train))
    for epoch in range(epochs):
        train.rows.keep(())
        counted.update(
            train._find(index, turn) for index, turn in zip(indices.tolist(), [epoch / epochs] * len(train), strict=True)
        )
    windows = {shard: _windows(train.rows, shard, 100, train.hidden) for shard in range(len(train.rows.names))}
    for shard, counts in windows.items():
        rows = range(int(train.rows.starts[shard]), int(train.rows.starts[shard + 1]))
        expected = epochs * int(train.order.counts[shard]) / counts.sum()
        seen = [counted[row, number, count] for row, count in zip(rows, counts.tolist(), strict=True) for number in range(count)]
        assert all(abs(times - expected) <= 2 for times in seen), (shard, expected, seen)
    assert 0.6 < len(train) / sum(counts.sum() for counts in windows.values()) < 1.1
    drawn = train.batch(indices[-4:], indices[-4:] + 5 * len(train))
    assert drawn["audio"].equal(train.batch(indices[-4:], indices[-4:] + 5 * len(train))["audio"])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_goes_on_with_an_empty_disk_sees_the_same_batches(pictures, tmp_path, monkeypatch, workers):
    train, _ = images.load(pictures[0], seed=3, held_out=0.1)

    def batches(first, last):
        order = Order(len(train), 4, 5, shards=train.order)
        with contextlib.closing(Stream(train, order, CPU, workers)) as stream:
            return [stream[number]["image"] for number in range(first, last)]

    whole = batches(0, 16)
    for file in (tmp_path / "cache" / "shards").iterdir():
        file.unlink()
    assert all(one.equal(other) for one, other in zip(batches(9, 16), whole[9:], strict=True))
    assert len({tuple(row.flatten().tolist()) for batch in whole[:7] for row in batch}) == 27  # 28 places: all of them


# ---------------------------------------------------------------------------------------------------- the folder of copies


def cache_of(tmp_path, sizes, most, monkeypatch):
    """(a cache of shards of these sizes, the requests for each)."""
    monkeypatch.setenv("DIPTYCH_CACHE_GB", str(most / 1e9))
    system, asked = fsspec.filesystem("memory"), Counter()
    listed = []
    for number, size in enumerate(sizes):
        content = bytes([number]) * size
        system.pipe_file(f"/bucket/{number}", content)
        listed.append((f"memory://bucket/{number}", size, store.hashlib.sha256(content).hexdigest()))
    own = cache.fetch
    monkeypatch.setattr(cache, "fetch", lambda url, *more: (asked.update([url[-1]]), own(url, *more)))
    return cache.Cache(listed), asked


def test_the_least_recently_used_leave_and_those_in_use_stay(tmp_path, monkeypatch):
    copies_of, asked = cache_of(tmp_path, [250, 250, 250, 250, 600], 1000, monkeypatch)
    held = {}
    for number in (0, 1, 2, 3):
        path, file = copies_of.held(number)
        assert path.read_bytes() == bytes([number]) * 250
        held[number] = file
        os.utime(path, ns=(number, number))
    refused(copies_of.held, 4, say=["holds 1 kB of shards in use, and may hold 1 kB", "raise DIPTYCH_CACHE_GB"])
    for number in (1, 2):
        held[number].close()
    refused(copies_of.held, 4, say=["in use"])
    held[0].close()
    copies_of.held(0)[1].close()  # used just now
    held[3].close()
    path, _ = copies_of.held(4)
    assert sum(file.stat().st_size for file in path.parent.iterdir()) == 850 and asked == dict.fromkeys("01234", 1)
    assert copies_of.held(0)[0].exists() and asked["0"] == 1
    copies_of.require_room(1000)
    refused(copies_of.require_room, 1001, say=["DIPTYCH_CACHE_GB allows 1 kB", "take 1 kB"])


def test_a_shard_is_fetched_once_by_many_and_again_after_a_kill(tmp_path, monkeypatch):
    copies_of, asked = cache_of(tmp_path, [1000] * 3, 5000, monkeypatch)
    folder = tmp_path / "cache" / "shards"
    folder.mkdir(parents=True)
    (folder / f"{cache.ASIDE}{copies_of.shards[0][2]}").write_bytes(bytes(1000))  # of a process that was killed
    found = []
    threads = [threading.Thread(target=lambda: found.append(copies_of.held(0)[0].read_bytes())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [bytes(1000)] * 5 and asked == {"0": 1}
    copies_of.ahead([0, 1, 2])
    copies_of.threads.shutdown()
    assert asked == dict.fromkeys("012", 1) and len(copies(tmp_path)) == 3


def test_a_process_waits_for_another_that_fetches(tmp_path, monkeypatch):
    copies_of, asked = cache_of(tmp_path, [1000], 5000, monkeypatch)
    folder = tmp_path / "cache" / "shards"
    folder.mkdir(parents=True)
    aside, path = folder / f"{cache.ASIDE}{copies_of.shards[0][2]}", folder / copies_of.shards[0][2]
    with open(aside, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: copies_of.held(0))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive() and not asked
        file.write(bytes(1000))
        file.flush()
        aside.rename(path)
        fcntl.flock(file, fcntl.LOCK_SH)  # it is in use from now on, for longer than the other one may wait
        waiting.join(10)
        assert not waiting.is_alive() and not asked and path.read_bytes() == bytes(1000)


# ---------------------------------------------------------------------------------------------------- what is refused


def test_what_cannot_be_read_is_one_line(texts, pictures, tmp_path, monkeypatch):
    url, _ = texts
    load = {"context": CONTEXT, "level": "token"}
    for driver in ("s3fs", "gcsfs"):
        monkeypatch.setitem(sys.modules, driver, None)
    for other, words in [
        ("s3://bucket/text", ["s3:// needs a driver that is not installed", "pip install s3fs"]),
        ("gs://bucket/text", ["gs://", "pip install gcsfs"]),
        ("nosuch://bucket/text", ["no usable URL", "Protocol not known: nosuch"]),
        ("memory://bucket/nothing", ["memory://bucket/nothing/manifest.json does not exist", "prepare"]),
        (f"file://{tmp_path}/nothing", ["/nothing/manifest.json does not exist"]),
        (pictures[0], ["is prepared images; this recipe takes text"]),
    ]:
        refused(text.load, other, say=words, **load)
    refused(images.load, "memory://bucket/text", say=["is prepared text; this recipe takes images"])
    refused(audio.load, url, say=["is prepared text; this recipe takes audio"])
    refused(text.load, url, say=["no shard has more than", "takes up to 160", "shorter context"], context=80, level="token")
    monkeypatch.setenv("DIPTYCH_CACHE_GB", "1e-6")
    refused(text.load, url, say=["DIPTYCH_CACHE_GB allows 1 kB", "raise DIPTYCH_CACHE_GB"], **load)
    for wrong in ("0", "many", "nan"):
        monkeypatch.setenv("DIPTYCH_CACHE_GB", wrong)
        refused(text.load, url, say=[f"DIPTYCH_CACHE_GB is '{wrong}'", "gigabytes above 0"], **load)
    monkeypatch.delenv("DIPTYCH_CACHE_GB")

    def unreachable(*_, **__):
        raise TimeoutError("no route\nto host")

    with monkeypatch.context() as patch:
        patch.setattr(fsspec.implementations.memory.MemoryFileSystem, "cat_file", unreachable)
        refused(
            text.load, url, say=["manifest.json cannot be read (TimeoutError: no route to host)", "check the network"], **load
        )
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("DIPTYCH_CACHE", str(tmp_path / "file"))
    refused(text.load, url, say=["copies of remote shards", "cannot be used", "set DIPTYCH_CACHE"], **load)


def test_a_shard_that_was_changed_is_refused_by_its_checksum(texts, tmp_path):
    url, _ = texts
    train, _ = text.load(url, context=CONTEXT, level="token")
    raw = fsspec.filesystem("memory").cat_file("/bucket/text/shard-00000.bin")
    for content in (raw[:-1] + b"x", raw[:-2], raw + b"xx"):
        changed(url, "shard-00000.bin", content)
        if content == raw + b"xx":  # as many bytes as were prepared are read
            train.batch(torch.tensor([0]))
        else:
            refused(train.batch, torch.tensor([0]), say=["shard-00000.bin", "not the content that was prepared"])
            assert not any(name.startswith(cache.ASIDE) for name in copies(tmp_path))
    changed(url, "shard-00001.bin", b"")
    with contextlib.closing(Stream(train, Order(len(train), 64, 0, shards=train.order), CPU, 0)) as stream:
        refused(lambda: [stream[number] for number in range(20)], say=["shard-00001.bin"])
    manifest = json.loads(fsspec.filesystem("memory").cat_file("/bucket/text/manifest.json"))
    changed(url, "manifest.json", json.dumps(manifest | {"count": 5}).encode())
    refused(text.load, url, context=CONTEXT, level="token", say=["manifest.json was changed since it was written"])
