"""A preparation in parts: what is joined has the bytes of one preparation, after kills, too; parts that do not fit are named."""

import contextlib
import json
import os
import shutil
import signal
import sys

import pytest

from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.commands import preparing
from practice_torch.data.errors import DataError
from practice_torch.data.preparation import parts, prepare_audio, prepare_images, prepare_text
from practice_torch.data.preparation.parts import Part, join
from practice_torch.data.preparation.prepared import digest_of, is_prepared
from shared_specs.commands.errors import UsageError
from tests.data.test_prepared_audio import ramp
from tests.data.test_prepared_audio import save as save_sound
from tests.data.test_sources import archive, saved, table
from tests.support.data.files import gray, one_line, save
from tests.support.engine.forks import codes_of, fork

MODULES = {"text": prepare_text, "images": prepare_images, "audio": prepare_audio}


def prepare(modality, sources, out, part=None, **options):
    module = MODULES[modality]
    more = {"byte_pairs": BytePairTokenizer} if modality == "text" else {}
    return module.prepare(list(map(str, sources)), out, module.Options(**{"workers": 1} | options), silent, **more, part=part)


def silent(_):
    pass


def joined(out):
    return join(out, lambda modality: MODULES[modality].facts, silent)


def content(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refused(function, *arguments, say):
    with pytest.raises(DataError) as error:
        function(*arguments)
    message = one_line(error)
    assert all(str(word) in message for word in say), message


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Shards of some hundred bytes; what a killed process has written is kept by the system, without fsync."""
    monkeypatch.setattr(os, "fsync", lambda number: None)
    monkeypatch.setattr(prepare_text, "CHUNK", 700)
    monkeypatch.setattr("practice_torch.data.preparation.preparing_rows.MOST_ROWS", 3)
    monkeypatch.setattr("practice_torch.data.preparation.preparing_rows.MOST_BYTES", 1500)
    monkeypatch.setattr("practice_torch.data.preparation.arrow_shards.BATCH", 150)


def picture(number, folder):
    return save(folder / "x.png", gray(number)).read_bytes()


def tar(folder, name, numbers, label):
    members = [
        (f"{name}{n}.{suffix}", raw) for n in numbers for suffix, raw in (("jpg", picture(n, folder)), ("txt", label(n).encode()))
    ]
    return archive(folder / f"{name}.tar", *members)


def sources_of(kind, folder):
    """(modality, sources, options) of several files."""
    if kind in ("bytes", "learned"):
        (folder / "texts").mkdir()
        for number in range(4):
            lines = [json.dumps({"text": f"{n} bottles of beer on the {number} wall"}) for n in range(20 * number + 9)]
            (folder / "texts" / f"{number}.jsonl").write_text("\n".join(lines))
        (folder / "texts" / "z.txt").write_text("Take one down\n" * 90)
        return "text", [folder / "texts"], {"tokens": "learned", "merges": 20} if kind == "learned" else {}
    if kind == "sounds":
        for number in range(8):
            save_sound(folder / "in" / "ab"[number % 2] / f"{number}.wav", ramp(number, 50 + 30 * number))
        (folder / "in" / "a" / "3x.wav").write_bytes(b"ID3")
        return "audio", [folder / "in"], {"sample_rate": 8000, "skip_unusable": True}
    if kind == "folder":
        for number in range(11):
            save(folder / "in" / ("cat", "ant")[number > 6] / f"{number}.png", gray(number))
        return "images", [folder / "in"], {}
    if kind == "names":  # each archive has a class that the others lack, and only the last the first of all
        return "images", [tar(folder, name, range(9), lambda n, name=name: f"{name if n else 'n'}") for name in "dcba"], {}
    if kind == "numbers":  # which grow beyond the number of examples of the first part
        return (
            "images",
            [tar(folder, "t", range(12), lambda n: "16" if n == 5 else str(n % 12)), tar(folder, "u", range(5), str)],
            {},
        )
    rows = [(picture(n, folder), n % 3) for n in range(7)]
    published = [saved(folder / f"in{n}", table(rows, ["no", "yes", "so"] + ["other"] * (n == 2))) for n in range(3)]
    return "images", published, {}


KINDS = ("bytes", "learned", "sounds", "folder", "names", "numbers", "published")


@pytest.mark.parametrize("kind", KINDS)
def test_parts_join_to_the_bytes_of_the_whole(kind, tmp_path):
    modality, sources, options = sources_of(kind, tmp_path)
    whole = prepare(modality, sources, tmp_path / "whole", **options)
    for of in (1, 3, 9):
        out = tmp_path / str(of)
        for number in reversed(range(1, of + 1)):  # in any order
            part = prepare(modality, sources, out, Part(number, of), **options)
            assert of == 1 or len(part["shards"]) < len(whole.paths)
        assert joined(out).manifest == whole.manifest
        assert content(out) == content(tmp_path / "whole"), of
    assert len(whole.paths) > 2 and joined(out).manifest == whole.manifest, "joined again"


def test_labels_are_written_again_only_where_a_class_is_missing(tmp_path, monkeypatch):
    seen = []
    own = parts.renumbered
    monkeypatch.setattr(parts, "renumbered", lambda path, *more: (seen.append(path.parent.name), own(path, *more)))
    modality, sources, options = sources_of("names", tmp_path)
    for number in (1, 2):
        prepare(modality, sources, tmp_path / "out", Part(number, 2), **options)
    assert joined(tmp_path / "out").manifest["classes"] == ["a", "b", "c", "d", "n"]
    assert set(seen) == {"part-1-of-2", "part-2-of-2"}  # c, d, n are 0, 1, 2 in the first, and n is 2 in the second
    seen.clear()
    modality, sources, options = sources_of("numbers", tmp_path)
    for number in (1, 2):
        prepare(modality, sources, tmp_path / "numbers", Part(number, 2), **options)
    joined(tmp_path / "numbers")
    assert not seen


def test_a_part_opens_the_archives_of_its_share_alone(tmp_path):
    """Listing a billion examples takes hours, which every part would spend."""
    modality, sources, options = sources_of("names", tmp_path)
    prepare(modality, sources, tmp_path / "whole", **options)
    damaged = sources[3].read_bytes()
    sources[3].write_bytes(b"x" * len(damaged))
    prepare(modality, sources, tmp_path / "out", Part(1, 2), **options)
    refused(prepare, modality, sources, tmp_path / "out", Part(2, 2), say=["a.tar is no tar archive, or is cut short"])
    sources[3].write_bytes(damaged)
    prepare(modality, sources, tmp_path / "out", Part(2, 2), **options)
    joined(tmp_path / "out")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def killed_at(moment, out, action):
    """In its own process: act, and be killed just before the folder is changed for the `moment`-th time."""
    seen = 0

    def watch(event, arguments):
        nonlocal seen
        if event in ("open", "os.rename", "os.remove", "os.rmdir") and str(out) in str(arguments):
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    def forked():
        sys.addaudithook(watch)
        action()

    return codes_of([fork(forked, {})]) == [-signal.SIGKILL]


def test_killed_parts_and_joins_are_repeated_to_the_same_bytes(tmp_path):
    modality, sources, options = sources_of("names", tmp_path)
    prepare(modality, sources, tmp_path / "whole", **options)
    out, ended = tmp_path / "out", []
    for number in (1, 2):

        def part(number=number):
            prepare(modality, sources, out, Part(number, 2), **options)

        assert killed_at(30, out, part)
        refused(joined, out, say=[f"part-{number}-of-2 is not finished", "same command"])
        part()
    for moment in range(3, 100, 4):  # each goes on where the one before was killed
        if not killed_at(moment, out, lambda: joined(out)):
            break
        ended.append(moment)
        with contextlib.suppress(DataError):
            assert is_prepared(out) and content(out)["manifest.json"] == (tmp_path / "whole" / "manifest.json").read_bytes()
    joined(out)
    assert len(ended) > 5 and content(out) == content(tmp_path / "whole")


def sign(path, **changes):
    part = json.loads(path.read_bytes()) | changes
    path.write_text(json.dumps(part | {"sha256": digest_of(part)}))


def test_parts_that_do_not_fit_are_named(tmp_path):
    modality, sources, _ = sources_of("folder", tmp_path)
    out = tmp_path / "out"
    refused(joined, out, say=["holds no parts", "--part K/N"])
    for number in (1, 3):
        prepare(modality, sources, out, Part(number, 3))
    refused(joined, out, say=["has 2 of 3 parts; missing: 2/3", "--part 2/3"])
    refused(is_prepared, out, say=["holds parts of prepared data", f"--join {out}"])
    refused(is_prepared, out / "part-1-of-3", say=["is a part", f"--join {out}"])
    prepare(modality, sources, tmp_path / "options", Part(2, 3), most_side=4)
    prepare(modality, sources, tmp_path / "four", Part(2, 4))
    shutil.copytree(tmp_path / "in", tmp_path / "moved")
    prepare(modality, [tmp_path / "moved"], tmp_path / "sources", Part(2, 3))
    save(tmp_path / "in" / "ant" / "new.png", gray(50))
    prepare(modality, sources, tmp_path / "files", Part(2, 3))
    (tmp_path / "in" / "ant" / "new.png").unlink()
    for folder, say in [
        ("options/part-2-of-3", ["is not of the same preparation", "most_side is 4, there 0"]),
        ("four/part-2-of-4", ["is one of 4 parts", "one of 3"]),
        ("sources/part-2-of-3", ["is not of the same preparation", "its source is", "moved"]),
        ("files/part-2-of-3", ["is not of the same preparation", "the source files differ"]),
        ("out/part-3-of-3", ["part 3/3 is there twice", "part-3-of-3", "part-x"]),
    ]:
        shutil.copytree(tmp_path / folder, out / "part-x")
        refused(joined, out, say=["part-x", *say])
        shutil.rmtree(out / "part-x")
    prepare(modality, sources, out, Part(2, 3))
    path = out / "part-2-of-3" / "part.json"
    whole = path.read_bytes()
    sign(path, version=0)
    refused(joined, out, say=["part-2-of-3 has version 0"])
    path.write_bytes(whole.replace(b'"of": 3', b'"of": 2'))
    refused(joined, out, say=["part.json is damaged or was changed"])
    path.write_bytes(whole)
    shard = next(path.parent.glob("shard-*"))
    raw = shard.read_bytes()
    shard.write_bytes(raw[:-1])
    refused(joined, out, say=[shard, "is missing or has another size"])
    shard.write_bytes(raw)
    assert joined(out).manifest["count"] == 11
    refused(prepare, modality, sources, out, Part(1, 3), say=["is prepared or joined already", "another --out"])


def test_parts_of_other_tokens_and_without_their_tokenizer_are_named(tmp_path):
    modality, sources, options = sources_of("learned", tmp_path)
    out = tmp_path / "out"
    for number in (1, 2):
        prepare(modality, sources, out, Part(number, 2), **options)
    file = out / "part-1-of-2" / "tokenizer.json"
    file.rename(tmp_path / "kept")
    refused(joined, out, say=[file, "is missing", "copy the part again"])
    (tmp_path / "kept").rename(file)
    described = json.loads((out / "part-2-of-2" / "part.json").read_bytes())["same"]
    sign(out / "part-2-of-2" / "part.json", same=described | {"vocabulary": 7})
    refused(joined, out, say=["part-2-of-2", "is not of the same preparation", "its vocabulary is 7, there 277"])


def test_classes_that_only_all_parts_together_show(tmp_path):
    some = [tar(tmp_path, "a", range(4), lambda n: "x"), archive(tmp_path / "b.tar", ("1.jpg", picture(1, tmp_path)))]
    far = [tar(tmp_path, "c", range(4), lambda n: "77"), tar(tmp_path, "d", range(4), str)]
    for name, sources, say in (("some", some, ["has a label", "b.tar/1.jpg has none"]), ("far", far, ["label 77", "0..7"])):
        for number in (1, 2):
            prepare("images", sources, tmp_path / name, Part(number, 2))
        refused(joined, tmp_path / name, say=say)
        refused(prepare, "images", sources, tmp_path / "whole", say=say)


def test_the_command(tmp_path, capsys):
    modality, sources, _ = sources_of("folder", tmp_path)
    words = [modality, str(sources[0]), "--out", str(tmp_path / "out"), "--workers", "1"]
    for part in ("1/2", "2/2", "2/2"):
        assert preparing.prepare([*words, "--part", part], None) == 0
        assert f"part {part}, " in (said := capsys.readouterr()).out and f"--join {tmp_path / 'out'}" in said.out
    assert "is prepared already" in said.err
    assert preparing.prepare(["--join", str(tmp_path / "out")], None) == 0
    assert f"{tmp_path / 'out'}: 11 images" in capsys.readouterr().out and is_prepared(tmp_path / "out")
    for wrong in ("0/2", "3/2", "2", "a/b", "1/2/3", "-1/2"):
        with pytest.raises(UsageError, match="it must be K/N"):
            preparing.prepare([*words, f"--part={wrong}"], None)
    preparing.prepare(["--help"], None)
    assert "--join DIR" in (said := capsys.readouterr().out) and "--part K/N" in said
