"""Sources of `prepare`: folders, tar archives, parquet and Arrow files list the same examples, and errors are one line."""

import io
import json
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.labels import class_names, class_numbers
from practice_torch.data.preparation.preparing_rows import _list
from practice_torch.data.preparation.shard_files import sidecar
from practice_torch.data.preparation.sources import Entry, Reader, units
from tests.support.data.files import gray, one_line, save

SUFFIXES = (".png", ".jpg")


def listed(*sources, labels=True):
    """(all entries with the numbers of their classes, the names of the classes), as preparing_rows.py lists a group of files."""
    group = units(sources, SUFFIXES, "image", labels=labels)
    with TemporaryDirectory() as folder:
        _list(Path(folder), "listing", group, suffixes=SUFFIXES, holds="image", labels=labels, most=(100, 10**9))
        lines = (Path(folder) / "listing").read_bytes().splitlines()
        facts = sidecar(Path(folder), "listing")["labels"]
    names, numbers = class_names(facts), class_numbers(facts)
    found = [Entry(Path(path), *rest) for path, *rest in map(json.loads, lines)]
    return [entry._replace(label=numbers and numbers[str(entry.label)]) for entry in found], names


def refused(*sources, say, **options):
    with pytest.raises(DataError) as error:
        listed(*sources, **options)
    message = one_line(error)
    assert all(word in message for word in say), message


def archive(path, *members):
    """A tar archive of (name, bytes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def table(rows, names=None, column="image"):
    """An Arrow table as Hugging Face writes it, of (bytes, label)."""
    import pyarrow as arrow

    data = {column: [{"bytes": raw, "path": None} for raw, _ in rows]}
    if rows[0][1] is not None:
        data["label"] = [label for _, label in rows]
    found = arrow.table(data)
    if names:
        features = {"label": {"names": names, "_type": "ClassLabel"}}
        found = found.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    return found


def saved(folder, found):
    """The output of `save_to_disk`."""
    import pyarrow as arrow

    folder.mkdir(parents=True)
    with arrow.ipc.new_stream(folder / "data-00000-of-00001.arrow", found.schema) as stream:
        stream.write_table(found, max_chunksize=2)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    return folder


def read_all(found):
    reader = Reader("image")
    return [bytes(reader.read(entry)) for entry in found]


CONTENT = [(b"zero", 1), (b"one", 0), (b"two", 1), (b"three", 0), (b"four", 1)]
NAMES = ["cat", "dog"]


def source(kind, folder):
    """The same five examples in every form: (path, the classes that it names)."""
    if kind == "folder":
        for number, (raw, label) in enumerate(CONTENT):
            path = folder / "data" / NAMES[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
        return folder / "data"
    if kind.startswith("tar"):
        words = {
            "tar cls": lambda label: ("cls", str(label)),
            "tar json": lambda label: ("json", json.dumps({"label": NAMES[label], "caption": "?"})),
            "tar txt": lambda label: ("txt", NAMES[label] + "\n"),
        }[kind]
        members = []
        for number, (raw, label) in enumerate(CONTENT):
            suffix, text = words(label)
            members += [(f"./{number:04}.jpg", raw), (f"./{number:04}.{suffix}", text.encode())]
        return archive(folder / "a.tar", *members)
    if kind == "parquet":
        from pyarrow import parquet

        parquet.write_table(table(CONTENT, NAMES), folder / "a.parquet", row_group_size=2)
        return folder / "a.parquet"
    return saved(folder / "data", table(CONTENT, NAMES))


@pytest.mark.parametrize("kind", ["folder", "tar cls", "tar json", "tar txt", "parquet", "save_to_disk"])
def test_all_forms_give_the_same_examples(kind, tmp_path):
    path = source(kind, tmp_path)
    found, classes = listed(path)
    assert classes == (["0", "1"] if kind == "tar cls" else NAMES)
    pairs = list(zip(read_all(found), [entry.label for entry in found], strict=True))
    assert pairs == CONTENT if kind != "folder" else sorted(pairs) == sorted(CONTENT)
    assert read_all(found[3:] + found[1:2]) == [pairs[3][0], pairs[4][0], pairs[1][0]]  # from the middle, and back
    unlabelled, none = listed(path, labels=False)
    assert none is None and {entry.label for entry in unlabelled} == {None}
    assert len({entry.name for entry in found}) == 5


def test_several_sources_and_a_folder_of_archives(tmp_path):
    for name, label in (("b", "dog"), ("a", "cat")):
        archive(tmp_path / "tars" / f"{name}.tar", (f"{name}.jpg", name.encode()), (f"{name}.txt", label.encode()))
    found, classes = listed(tmp_path / "tars", archive(tmp_path / "c.tar", ("c.png", b"c"), ("c.cls", b"ant")))
    assert classes == ["ant", "cat", "dog"] and read_all(found) == [b"a", b"b", b"c"]
    assert [entry.label for entry in found] == [1, 2, 0]


def test_published_classes_keep_their_order_and_those_without_an_example(tmp_path):
    folder = saved(tmp_path / "s", table([(b"x", 2), (b"y", 0)], ["wolf", "ant", "bee"]))
    found, classes = listed(folder)
    assert classes == ["wolf", "ant", "bee"] and [entry.label for entry in found] == [2, 0]
    refused(saved(tmp_path / "t", table([(b"x", 3)], ["wolf", "ant", "bee"])), say=["label 3", "0..2", "3 named classes"])


def test_numbers_of_classes_stay_as_they_are(tmp_path):
    path = archive(
        tmp_path / "a.tar",
        *[(f"{n}.{s}", c) for n, label in enumerate("2002") for s, c in (("jpg", b"x"), ("cls", label.encode()))],
    )
    found, classes = listed(path)
    assert classes == ["0", "1", "2"] and [entry.label for entry in found] == [2, 0, 0, 2]


def test_captions_are_no_labels_and_long_extensions_belong_together(tmp_path):
    caption = ("x/1.txt", b"a cat\non a mat")
    path = archive(tmp_path / "a.tar", ("x/1.jpg", b"x"), caption, ("x/2.left.jpg", b"y"), ("x/.jpg", b""))
    found, classes = listed(path)
    assert classes is None and [entry.name for entry in found] == ["a.tar/x/1.jpg", "a.tar/x/2.left.jpg"]


def test_some_without_a_label(tmp_path):
    path = archive(tmp_path / "a.tar", ("1.jpg", b"x"), ("2.jpg", b"y"), ("2.cls", b"0"))
    refused(path, say=["a.tar/2.jpg has a label", "a.tar/1.jpg has none", "--ignore-labels"])
    assert len(listed(path, labels=False)[0]) == 2
    other = archive(tmp_path / "b.tar", ("1.jpg", b"x"), ("1.cls", b"7"))
    refused(other, say=["label 7 found", "0..0"])
    for name, content in (("1.json", b'{"label": 0.5}'), ("1.json", b"{"), ("1.cls", b"\xff")):
        wrong = archive(tmp_path / "c.tar", ("1.jpg", b"x"), (name, content))
        refused(wrong, say=[f"{name} is no label"])
        assert listed(wrong, labels=False)[1] is None
    save(tmp_path / "f" / "a.png", gray(0))
    save(tmp_path / "f" / "cats" / "b.png", gray(1))
    refused(tmp_path / "f", say=["labels are ambiguous"])
    assert len(listed(tmp_path / "f", labels=False)[0]) == 2


def test_an_archive_cut_short_anywhere(tmp_path):
    whole = archive(tmp_path / "a.tar", *[(f"{n}.jpg", bytes([n]) * 1000) for n in range(4)]).read_bytes()
    end = 4 * (512 + 1024)
    for length in (100, 700, end - 1500, end - 1536, end - 24, end):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        refused(tmp_path / "cut.tar", say=["cut.tar", "cut short", "copy it again"])
    (tmp_path / "cut.tar").write_bytes(b"not a tar archive at all" * 99)
    refused(tmp_path / "cut.tar", say=["is no tar archive"])
    import gzip

    (tmp_path / "cut.tar").write_bytes(gzip.compress(whole))
    refused(tmp_path / "cut.tar", say=["is compressed", "decompress it"])
    refused(archive(tmp_path / "none.tar", ("a.pdf", b"x")), say=["holds no images", ".png .jpg"])


def test_nothing_of_an_archive_is_written_and_links_are_refused(tmp_path):
    path = archive(tmp_path / "in" / "a.tar", ("/abs/1.jpg", b"x"), ("../../2.jpg", b"y"))
    before = sorted(tmp_path.rglob("*"))
    assert read_all(listed(path)[0]) == [b"x", b"y"] and sorted(tmp_path.rglob("*")) == before
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
        with tarfile.open(path, "w") as tar:
            info = tarfile.TarInfo("3.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        refused(path, say=["3.jpg is no regular file"])


def test_other_sources(tmp_path):
    refused(tmp_path / "nowhere", say=["does not exist", ".tar"])
    refused(save(tmp_path / "a.png", gray(0)), say=["a.png is neither", "give its folder"])
    (tmp_path / "d" / "train").mkdir(parents=True)
    (tmp_path / "d" / "dataset_dict.json").write_text("{}")
    refused(tmp_path / "d", say=["several parts (train)", "name one of them"])
    (tmp_path / "d" / "dataset_dict.json").rename(tmp_path / "d" / "state.json")
    refused(tmp_path / "d", say=["is not what save_to_disk writes"])
    (tmp_path / "d" / "state.json").write_text('{"_data_files": [{"filename": "../a.arrow"}]}')
    refused(tmp_path / "d", say=["outside of its folder"])
    path = saved(tmp_path / "s", table(CONTENT)) / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:300])
    refused(tmp_path / "s", say=["is not an Arrow file, or is damaged"])


def test_a_row_without_bytes(tmp_path):
    found, _ = listed(saved(tmp_path / "s", table([(b"x", None), (None, None), (b"z", None)])))
    reader = Reader("image")
    assert bytes(reader.read(found[0])) == b"x"
    with pytest.raises(DataError, match="row 1: column 'image' holds no bytes"):
        reader.read(found[1])
    assert bytes(reader.read(found[2])) == b"z"
