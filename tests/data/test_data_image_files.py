"""Images in one .npz or .parquet file: every layout gives the same pixels, and whatever is wrong is one clear line."""

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from practice_torch.data import images
from tests.support.data.files import damaged, everything, gray, refused, shared


@pytest.mark.parametrize(
    ("shape", "channels"), [((7, 6, 5), 1), ((7, 6, 5, 3), 3), ((7, 3, 6, 5), 3), ((7, 1, 6, 5), 1), ((7, 6, 5, 1), 1)]
)
def test_npz_layouts_give_the_same_pixels(tmp_path, shape, channels):
    plain = np.random.default_rng(0).integers(0, 256, (7, channels, 6, 5), dtype=np.uint8)
    stored = plain[:, 0] if len(shape) == 3 else plain if shape[1] == channels else plain.transpose(0, 2, 3, 1)
    assert stored.shape == shape
    np.savez(tmp_path / "a.npz", images=stored, labels=np.arange(7, dtype=np.uint8))
    parts = images.load(tmp_path / "a.npz", held_out=0.3)
    order = everything(parts, "label")
    assert everything(parts, "image").equal(torch.from_numpy(plain).float()[order] / 255)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, bool])
def test_npz_floats_and_bools_are_kept(tmp_path, dtype):
    pixels = (np.random.default_rng(0).random((4, 3, 2)) > 0.5).astype(dtype)
    np.savez_compressed(tmp_path / "a.npz", images=pixels)
    train, _ = images.load(tmp_path / "a.npz")
    assert train.batch()["image"].dtype == torch.float32
    assert set(train.batch()["image"].unique().tolist()) == {0.0, 1.0}


def test_a_whole_set_of_floats_is_not_copied(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.random.default_rng(0).random((4, 3, 2)))
    train, _ = images.load(tmp_path / "a.npz")
    assert train.batch()["image"].data_ptr() == train.pixels.data_ptr()


FINE = np.random.default_rng(0).random((6, 4, 3))


def with_value(value):
    return np.where(np.arange(72).reshape(6, 4, 3) == 14, value, FINE)


BAD_NPZ = {
    "NaN": ({"images": with_value(np.nan)}, ("image 1 holds nan", "0..1")),
    "infinite": ({"images": with_value(-np.inf)}, ("image 1 holds -inf", "0..1")),
    "negative": ({"images": with_value(-0.01)}, ("image 1 holds -0.01", "0..1")),
    "0..255 as floats": ({"images": with_value(254.0)}, ("254.0", "divide by 255")),
    "integers": ({"images": (FINE * 255).astype(np.int64)}, ("int64", "uint8")),
    "0 and 1 as bytes": ({"images": (FINE > 0.5).astype(np.uint8)}, ("0 and 1 only", "255")),
    "all black": ({"images": np.zeros((6, 4, 3), np.uint8)}, ("all of it 0",)),
    "complex": ({"images": FINE + 1j}, ("complex128",)),
    "two axes": ({"images": FINE[0]}, ("[4, 3]", "[N, H, W]")),
    "no images": ({"images": FINE[:0]}, ("[0, 4, 3]", "nothing in it")),
    "no pixels": ({"images": FINE[:, :0]}, ("[6, 0, 3]", "nothing in it")),
    "four channels": ({"images": np.zeros((6, 4, 8, 8))}, ("neither axis 1 nor axis 3",)),
    "unclear channels": ({"images": np.zeros((6, 3, 8, 3))}, ("axis 1 and axis 3 could both",)),
    "one image": ({"images": FINE[:1]}, ("1 found", "at least 2")),
    "other names": ({"x_train": FINE}, ("no array 'images'", "x_train")),
    "too few labels": ({"images": FINE, "labels": np.arange(5)}, ("[5]", "[6]")),
    "labels as a matrix": ({"images": FINE, "labels": np.eye(6)}, ("[6, 6]", "[6]")),
    "negative label": ({"images": FINE, "labels": np.array([0, 1, -1, 0, 1, 0])}, ("label -1 at row 2", "0..5")),
    "label out of range": ({"images": FINE, "labels": np.array([0, 1, 0, 255, 1, 0], np.uint8)}, ("label 255 at row 3", "0..5")),
    "label without a name": (
        {"images": FINE, "labels": np.array([0, 1, 0, 2, 1, 0]), "classes": np.array(["no", "yes"])},
        ("label 2 at row 3", "0..1", "2 named classes"),
    ),
    "labels as floats": ({"images": FINE, "labels": np.zeros(6)}, ("float64", "integers")),
    "pickled": ({"images": np.array([FINE, None], dtype=object)}, ("pickled", "np.savez")),
}


@pytest.mark.parametrize("case", BAD_NPZ)
def test_bad_npz(tmp_path, case):
    arrays, parts = BAD_NPZ[case]
    np.savez(tmp_path / "bad.npz", **arrays)
    refused(images.load, tmp_path / "bad.npz", "bad.npz", *parts)


def test_a_pickle_is_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    np.save(tmp_path / "images.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.write(tmp_path / "images.npy", "images.npy")
    refused(images.load, tmp_path / "bomb.npz", "pickled")
    (tmp_path / "bare.npz").write_bytes((tmp_path / "images.npy").read_bytes())
    refused(images.load, tmp_path / "bare.npz", "is not an .npz archive")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("how", ["empty", "truncated", "foreign", "bit flips"])
def test_a_damaged_npz(tmp_path, how):
    np.savez_compressed(tmp_path / "a.npz", images=np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8))
    (tmp_path / "a.npz").write_bytes(damaged((tmp_path / "a.npz").read_bytes())[how])
    refused(images.load, tmp_path / "a.npz", "a.npz")


def test_an_npz_that_claims_more_than_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 1000, 1000)})
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue() + b"\0" * 100)
    refused(images.load, tmp_path / "huge.npz", "huge.npz")


def test_more_classes_than_the_recipe_has(tmp_path):
    np.savez(tmp_path / "a.npz", images=FINE, labels=np.arange(6))
    assert images.load(tmp_path / "a.npz", classes=6)
    refused(images.load, tmp_path / "a.npz", "label 5", "0..4", classes=5)


def encoded(pixels, suffix="png"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, suffix)
    return buffer.getvalue()


def write_parquet(path, columns, **options):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = arrow.table(columns)
    parquet.write_table(table.replace_schema_metadata(options.pop("metadata", None)), path, **options)
    return path


@pytest.mark.parametrize("form", ["bytes", "struct"])
def test_parquet_holds_what_was_encoded(tmp_path, form):
    rows = [encoded(gray(seed)) for seed in range(8)]
    column = rows if form == "bytes" else [{"bytes": row, "path": None} for row in rows]
    path = write_parquet(tmp_path / "a.parquet", {"image": column, "label": list(range(8))}, row_group_size=3)
    parts = images.load(path)
    order = everything(parts, "label")
    expected = torch.from_numpy(np.stack([gray(seed) for seed in range(8)]))[order][:, None]
    assert (everything(parts, "image") * 255).round().byte().equal(expected)


def test_parquet_labels_as_words_and_published_names(tmp_path):
    rows = [encoded(gray(seed)) for seed in range(3)]
    path = write_parquet(tmp_path / "a.parquet", {"image": rows, "label": ["dog", "cat", "dog"]})
    assert images.load(path)[0].description["classes"] == ["cat", "dog"]
    features = {"info": {"features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    metadata = {"huggingface": json.dumps(features)}
    path = write_parquet(tmp_path / "b.parquet", {"image": rows, "label": [0, 1, 1]}, metadata=metadata)
    assert images.load(path)[0].description["classes"] == ["no", "yes"]


def bad_parquet():
    good = [encoded(gray(seed)) for seed in range(4)]
    return {
        "no image column": ({"picture": ["a", "b"]}, ("no column 'image'", "picture: string")),
        "two columns of bytes": ({"a": good, "b": good}, ("no column 'image'",)),
        "a missing image": ({"image": good[:2] + [None]}, ("row 2", "no bytes")),
        "a missing label": ({"image": good, "label": [0, 1, None, 1]}, ("row 2", "'label' is empty")),
        "a row that is no image": ({"image": good[:2] + [b"nonsense"]}, ("row 2 is not a readable image",)),
        "a truncated row": ({"image": good[:3] + [good[3][:-30]]}, ("row 3 is a damaged image",)),
        "mixed sizes": ({"image": good + [encoded(gray(0, 9, 9))]}, ("row 4 is 9x9", "row 0 is 5x6")),
        "negative label": ({"image": good, "label": [0, 1, -3, 1]}, ("label -3 at row 2",)),
        "label out of range": ({"image": good, "label": [0, 1, 99, 1]}, ("label 99 at row 2", "0..3")),
        "labels as floats": ({"image": good, "label": [0.0, 1.0, 0.5, 1.0]}, ("double", "integers")),
        "one row": ({"image": good[:1]}, ("1 found",)),
    }


@pytest.mark.parametrize("case", bad_parquet())
def test_bad_parquet(tmp_path, case):
    columns, parts = bad_parquet()[case]
    parts = [part.replace("double", "float64") for part in parts]
    refused(images.load, write_parquet(tmp_path / "bad.parquet", columns), "bad.parquet", *parts)


def test_parquet_without_rows(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    path = write_parquet(tmp_path / "a.parquet", {"image": arrow.array([], arrow.binary())})
    refused(images.load, path, "no rows")


@pytest.mark.parametrize("how", ["empty", "truncated", "foreign"])
def test_a_damaged_parquet(tmp_path, how):
    path = write_parquet(tmp_path / "a.parquet", {"image": [encoded(gray(seed)) for seed in range(9)]})
    path.write_bytes(damaged(path.read_bytes())[how])
    refused(images.load, path, "a.parquet", "again")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused(images.load, tmp_path / "a.parquet", "a.parquet", "pip install pyarrow")


def test_mnist_from_an_npz():
    path = shared("mnist10k.npz")
    train, held_out = images.load(path, held_out=0.1)
    assert (len(train), len(held_out)) == (9000, 1000)
    assert train.description["shape"] == [1, 28, 28] and train.description["classes"] == list("0123456789")
    stored = np.load(path)
    batch = held_out.batch(torch.arange(5))
    for image, label in zip(batch["image"], batch["label"], strict=True):
        same = (stored["images"] == (image[0] * 255).round().byte().numpy()).all(axis=(1, 2))
        assert label in stored["labels"][same]


def test_cifar_from_a_parquet():
    train, held_out = images.load(shared("cifar10-test.parquet"), classes=10)
    assert (len(train), len(held_out)) == (8000, 2000)
    assert train.description["shape"] == [3, 32, 32]
    assert torch.cat((train.labels, held_out.labels)).bincount().tolist() == [1000] * 10
