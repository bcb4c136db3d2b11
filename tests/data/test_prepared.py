"""Prepared folders, with shards of a toy modality: written, stopped and continued, checked when opened, verified."""

import json
import os
import signal
import sys

import pytest

from practice_torch.data import audio, images, text
from practice_torch.data.errors import DataError
from practice_torch.data.preparation import shard_files
from practice_torch.data.preparation.labels import no_labels
from practice_torch.data.preparation.prepared import digest_of, is_prepared, open_prepared, verify
from practice_torch.data.preparation.preparing import prepare_shards
from tests.support.data.letters import letters, row_is_damaged
from tests.support.engine.forks import fork

FEW = (3, 4)
ASKED = {"source": ["here"], "options": {"letters": 3}, "inputs": "0" * 64}


def prepare(out, *, counts=(3, 4, 5), write=letters, workers=1, said=None, asked=ASKED, stamp="then"):
    jobs = [(f"shard-{number:05d}.bin", count, count) for number, count in enumerate(counts)]
    return prepare_shards(
        out,
        "letters",
        asked=asked,
        stamp=stamp,
        jobs=lambda folder: (jobs, {}, no_labels()),
        write=write,
        workers=workers,
        say=(lambda line: None) if said is None else said.append,
        facts=lambda same, labels, sidecars: {"halves": sum(one["halves"] for one in sidecars)},
    )


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def refused(function, *arguments, say=(), **options):
    with pytest.raises(DataError) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert all(word in message for word in say) and "\n" not in message, message
    return message


def rewrite(folder, **changes):
    """Another manifest in the folder's place, signed as if it had been written so."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(manifest | {"sha256": digest_of(manifest)}))


def test_a_prepared_folder_is_its_shards_and_a_manifest(tmp_path):
    prepared = prepare(tmp_path / "out")
    assert sorted(content(tmp_path / "out")) == ["manifest.json", *(f"shard-0000{i}.bin" for i in range(3))]
    assert (prepared.manifest["count"], prepared.counts, prepared.manifest["halves"]) == (12, [3, 4, 5], 6)
    assert is_prepared(tmp_path / "out") and not is_prepared(tmp_path)
    assert verify(tmp_path / "out") == open_prepared(tmp_path / "out", "letters") == prepared


@pytest.mark.parametrize("suffix", [".bin", ".arrow"])
def test_shards_without_their_manifest_are_named(tmp_path, suffix):
    (tmp_path / f"shard-00000{suffix}").write_bytes(b"x")
    refused(is_prepared, tmp_path, say=[f"{tmp_path} has shards, but no manifest.json", "prepare it again, into another folder"])
    for load in (text.load, images.load, audio.load):
        refused(load, tmp_path, say=["has shards, but no manifest.json"])


def test_the_number_of_processes_changes_nothing(tmp_path):
    prepare(tmp_path / "one")
    prepare(tmp_path / "two", workers=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_shard_without_examples_is_left_out_and_none_at_all_is_refused(tmp_path):
    prepared = prepare(tmp_path / "out", counts=(3, 0, 5))
    assert prepared.counts == [3, 5] and "shard-00001.bin" not in content(tmp_path / "out")
    refused(prepare, tmp_path / "none", counts=(0, 0), say=["there is nothing in here"])


def test_prepared_again_is_left_as_it_is_and_other_options_are_refused(tmp_path):
    out, said = tmp_path / "out", []
    prepare(out)
    before = content(out)
    (out / "shard-00000.bin.json").write_bytes(b"left by a process that was killed after the manifest")
    prepare(out, said=said, stamp="later")
    assert content(out) == before and "prepared already" in said[0]
    other = ASKED | {"options": {"letters": 4}}
    refused(prepare, out, asked=other, say=["holds other prepared data", "its letters is 3, now 4", "another --out"])
    refused(prepare, out, asked=ASKED | {"inputs": "1" * 64}, say=["source files have changed"])


def test_a_stopped_run_goes_on_and_refuses_what_is_not_the_same(tmp_path):
    def stops(folder, name, count):
        if count == 4:
            raise DataError("row 7 is damaged")
        letters(folder, name, count)

    whole, out, said = tmp_path / "whole", tmp_path / "out", []
    prepare(whole)
    assert "row 7" in refused(prepare, out, write=stops)
    kept = (out / "shard-00000.bin").stat().st_ino
    refused(is_prepared, out, say=["prepare was not finished", "run it again"])
    refused(prepare, out, asked=ASKED | {"source": ["there"]}, say=["the beginning of something else", "its source is ['here']"])
    refused(prepare, out, stamp="later", say=["its source files have changed"])
    prepare(out, said=said)
    assert "1 of 3 shards" in said[0] and (out / "shard-00000.bin").stat().st_ino == kept
    assert content(out) == content(whole)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_before_the_first_shard_leaves_nothing(tmp_path, workers):
    """The next preparation there may differ: the source, repaired."""
    refused(prepare, tmp_path / "out", write=row_is_damaged, workers=workers)
    assert not content(tmp_path / "out")
    assert prepare(tmp_path / "out", stamp="later").manifest["count"] == 12


def killed_at(moment, out):
    """In its own process: prepare, and be killed just before the file system is changed for the `moment`-th time."""
    seen = 0

    def watch(event, arguments):
        nonlocal seen
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "test.write") and str(out) in str(arguments):
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    whole = shard_files.ShardFile.write
    shard_files.ShardFile.write = lambda file, data: (whole(file, data), sys.audit("test.write", str(out)))[0]
    sys.addaudithook(watch)
    prepare(out, counts=FEW)


def test_killed_at_any_moment_it_ends_in_the_same_bytes(tmp_path):
    prepare(tmp_path / "whole", counts=FEW)
    for moment in range(1, 100):
        out = tmp_path / str(moment)
        child = fork(lambda moment=moment, out=out: killed_at(moment, out), {})
        _, status = os.waitpid(child, 0)
        finished, whole = (out / "manifest.json").exists(), content(tmp_path / "whole")
        left = content(out) if out.exists() else {}
        assert all(raw == whole[name] for name, raw in left.items() if name in whole), moment  # nothing is half there
        prepare(out, counts=FEW)
        assert content(out) == whole, moment
        if not status:
            break
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL and (moment < 3 or out.exists())
    assert finished and moment > 25


def test_two_at_once_are_refused(tmp_path):
    def meanwhile(folder, name, count):
        refused(prepare, folder, say=["being prepared by another process"])
        letters(folder, name, count)

    prepare(tmp_path / "out", write=meanwhile)


def test_a_full_disk_is_named_and_leaves_room(tmp_path, monkeypatch):
    def full(number):
        raise OSError(28, "No space left on device")

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(shard_files.os, "fsync", full)
        refused(prepare, out, say=["out", "cannot be written: no space left on device", "run prepare again"])
    assert not content(out)
    with monkeypatch.context() as patch:
        patch.setattr(shard_files.ShardFile, "write", lambda file, data: shard_files.ShardFile.failing(file, data), raising=True)
        patch.setattr(shard_files.ShardFile, "failing", _written_to_a_full_disk, raising=False)
        refused(prepare, out, say=["shard-00000.bin cannot be written: no space left on device"])
    assert not content(out)
    assert prepare(out).manifest["count"] == 12


def _written_to_a_full_disk(file, data):
    with shard_files.writing(file.path):
        file.file.write(data)
        raise OSError(28, "No space left on device")


def test_a_folder_of_something_else_is_not_written_to(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    refused(prepare, tmp_path, say=["is not empty (thesis.tex)", "another --out"])
    refused(prepare, tmp_path / "thesis.tex" / "out", say=["cannot be written"])


def test_what_is_damaged_is_named(tmp_path):
    prepare(tmp_path)
    shard, manifest = tmp_path / "shard-00001.bin", tmp_path / "manifest.json"
    raw, signed = shard.read_bytes(), manifest.read_bytes()
    refused(open_prepared, tmp_path, "text", say=["is prepared letters", "takes text"])
    shard.write_bytes(raw[:-1])
    refused(open_prepared, tmp_path, say=["shard-00001.bin has 3 bytes", "the manifest lists 4"])
    shard.write_bytes(b"zzzz")
    assert open_prepared(tmp_path)  # which only reading all of it can find
    refused(verify, tmp_path, say=["shard-00001.bin", "not the content that was prepared"])
    shard.unlink()
    refused(open_prepared, tmp_path, say=["shard-00001.bin is missing"])
    shard.write_bytes(raw)
    for broken in (b"{", b"[]", b"", b"\xff"):
        manifest.write_bytes(broken)
        refused(open_prepared, tmp_path, say=["manifest.json is damaged"])
    manifest.write_bytes(signed.replace(b'"halves": 6', b'"halves": 5'))
    refused(open_prepared, tmp_path, say=["was changed since it was written"])
    manifest.write_bytes(signed)
    for changes, words in [
        ({"format": "tar"}, "has format 'tar'"),
        ({"version": 2}, "has version 2"),
        ({"count": 13}, "its count is 13, and its shards have 12"),
        ({"shards": [{"file": "shard-00000.bin", "count": 0, "bytes": 3, "sha256": ""}]}, "shard-00000.bin has no examples"),
    ]:
        manifest.write_bytes(signed)
        rewrite(tmp_path, **changes)
        refused(open_prepared, tmp_path, say=[words])
