"""Images by name or in folders: a batch holds what is on disk, and whatever is wrong is one clear line."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from practice_torch.data import images
from tests.support.data.files import everything, gray, refused, save


def test_digits_are_sixteenths():
    train, held_out = images.load("digits", held_out=0.25, seed=1)
    assert (len(train), len(held_out)) == (1348, 449)
    batch = train.batch(torch.tensor([5, 0, 5]))
    assert batch["image"].shape == (3, 1, 8, 8) and batch["image"].dtype == torch.float32
    assert batch["label"].dtype == torch.int64
    assert batch["image"][0].equal(batch["image"][2])
    whole = everything((train, held_out), "image")
    assert set((whole * 16).unique().tolist()) == set(range(17))
    # the mean gray level of scikit-learn's file, whatever the split
    assert float(whole.double().mean() * 16) == pytest.approx(4.884164579855314, abs=1e-9)
    assert train.description["classes"] == list("0123456789")
    assert json.loads(json.dumps(train.description)) == train.description


def test_digits_go_with_their_labels():
    from sklearn.datasets import load_digits

    digits = load_digits()
    known = {tuple(row.astype(int)): label for row, label in zip(digits.data, digits.target, strict=True)}
    for part in images.load("digits"):
        batch = part.batch(torch.arange(0, len(part), 7))
        for image, label in zip(batch["image"], batch["label"], strict=True):
            assert known[tuple((image * 16).int().flatten().tolist())] == label


def test_one_class_alone():
    whole = everything(images.load("digits", seed=4), "label")
    parts = images.load("digits", seed=4, only_class=7)
    assert everything(parts, "label").unique().tolist() == [7]
    assert sum(len(part) for part in parts) == int((whole == 7).sum()) == 179
    whole, part = (part.batch(torch.arange(len(part))) for part in (images.load("digits", seed=4)[1], parts[1]))
    assert part["image"].equal(whole["image"][whole["label"] == 7])
    assert parts[0].description["classes"] == list("0123456789") and parts[0].description["count"] == len(parts[0])
    assert parts[0].description["sha256"] == parts[1].description["sha256"] != images.load("digits")[0].description["sha256"]
    blank = images.blank("mnist", {}, only_class=7)
    assert len(blank) == 6000


def test_a_class_that_is_not_there(tmp_path):
    refused(images.load, "digits", "only_class is 10; digits has the classes 0..9", only_class=10)
    refused(images.load, "squares", "only_class is 0; squares has no labels", only_class=0)
    np.savez(
        tmp_path / "few.npz",
        images=np.stack([gray(seed) for seed in range(4)]),
        labels=np.array([0, 0, 0, 2]),
        classes=np.array(["a", "b", "c"]),
    )
    refused(images.load, tmp_path / "few.npz", "no image of this class is in one of the parts", "--held-out", only_class=2)


def test_a_few_images_of_each_class():
    whole, few = (images.load("digits", seed=4, **given) for given in ({}, {"examples_per_class": (10,)}))
    batch = few[0].batch(torch.arange(len(few[0])))
    assert batch["label"].bincount().tolist() == [10] * 10 and few[0].description["count"] == 100
    assert few[1].batch()["image"].equal(whole[1].batch()["image"])
    known = {tuple(image.flatten().tolist()) for image in whole[0].batch()["image"]}
    assert all(tuple(image.flatten().tolist()) in known for image in batch["image"])
    rare = (20, 2, *[20] * 8)
    drawn = [images.load("digits", seed=seed, examples_per_class=rare)[0].batch() for seed in (4, 4, 5)]
    assert drawn[0]["label"].bincount().tolist() == list(rare)
    assert drawn[0]["image"].equal(drawn[1]["image"]) and not drawn[0]["image"].equal(drawn[2]["image"])
    first = [whole[0].batch()["image"][whole[0].batch()["label"] == 3][:10], batch["image"][batch["label"] == 3]]
    assert not torch.equal(*first)  # drawn: the first digits of the data are those of one writer
    assert len(images.load("digits", only_class=3, examples_per_class=(7,))[0]) == 7
    assert len(images.load("digits", examples_per_class=(5000,))[0]) == len(whole[0])
    counts = [len(images.blank("mnist", {}, **given)) for given in ({"examples_per_class": (10,)}, {"examples_per_class": rare})]
    assert counts == [100, 182] and len(images.blank("mnist", {}, only_class=1, examples_per_class=rare)) == 2
    refused(images.load, "squares", "examples_per_class is (3,); squares has no labels", examples_per_class=(3,))
    refused(images.load, "digits", "(3, 4); digits has 10 classes", "or one for each", examples_per_class=(3, 4))


def test_every_square_is_where_its_factors_say():
    train, held_out = images.load("squares", held_out=0.5)
    assert (len(train), len(held_out)) == (676, 676)
    assert train.description["classes"] is None and train.description["factors"] == {"column": 13, "row": 13, "size": 8}
    assert json.loads(json.dumps(train.description)) == train.description
    batch = train.to("cpu").batch(torch.arange(676))
    image, (column, row, size) = batch["image"][:, 0].double(), batch["factors"].double().T
    assert "label" not in batch and batch["image"].dtype == torch.float32 and batch["factors"].dtype == torch.int64
    area, middle = image.sum((1, 2)), torch.arange(16) + 0.5
    assert area.equal((4 + size / 2) ** 2)  # sixteenths, and nothing is cut off at the border
    torch.testing.assert_close(((image * middle).sum((1, 2)) / area), 5 + column / 2)
    torch.testing.assert_close(((image * middle[:, None]).sum((1, 2)) / area), 5 + row / 2)
    assert everything((train, held_out), "factors").unique(dim=0).shape == (1352, 3)


def test_the_fingerprint_depends_on_the_content_and_not_on_the_split():
    first, again = images.load("digits", seed=0)[0], images.load("digits", seed=5, held_out=0.4)[1]
    assert first.description["sha256"] == again.description["sha256"]


def test_the_fingerprint_changes_with_one_pixel(tmp_path):
    pixels = np.stack([gray(seed) for seed in range(4)])
    digests = []
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, images=pixels)
        digests.append(images.load(tmp_path / name)[0].description["sha256"])
        pixels[3, 0, 0] ^= 1
    assert digests[0] != digests[1]


def test_moving_a_set_keeps_its_batches():
    train, _ = images.load("digits")
    indices = torch.tensor([3, 1, 4])
    assert train.to("cpu").batch(indices)["image"].equal(train.batch(indices)["image"])


def fake_torchvision(monkeypatch, make):
    module = types.ModuleType("torchvision")
    module.datasets = types.SimpleNamespace(MNIST=make, CIFAR10=make)
    monkeypatch.setitem(sys.modules, "torchvision", module)


def test_torchvision_keeps_its_published_parts(monkeypatch, tmp_path):
    def make(folder, train, download):
        assert Path(folder) == tmp_path and download
        count = 5 if train else 3
        data = np.arange(count * 4 * 2 * 3, dtype=np.uint8).reshape(count, 4, 2, 3)
        return types.SimpleNamespace(data=data, targets=[1] * count, classes=["no", "yes"])

    fake_torchvision(monkeypatch, make)
    train, held_out = images.load("cifar10", folder=tmp_path)
    assert (len(train), len(held_out)) == (5, 3)
    assert train.description["shape"] == [3, 4, 2] and train.description["classes"] == ["no", "yes"]
    expected = torch.tensor([3.0, 4.0, 5.0]) / 255  # the second pixel of the first row, channels last on disk
    assert train.batch(torch.tensor([0]))["image"][0, :, 0, 1].allclose(expected)


def test_torchvision_without_network_is_one_line(monkeypatch, tmp_path):
    def make(folder, train, download):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nTried https://...")

    fake_torchvision(monkeypatch, make)
    refused(images.load, "mnist", "mnist could not be downloaded", tmp_path, "network", folder=tmp_path)


def test_torchvision_absent_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    refused(images.load, "mnist", "torchvision", "pip install")


def test_a_folder_with_labels(tmp_path):
    for label in (0, 2, 10):
        for number in range(3):
            save(tmp_path / str(label) / f"{number}.png", gray(10 * label + number))
    (tmp_path / "notes.txt").write_text("not an image, and not called one")
    parts = images.load(tmp_path, held_out=0.3)
    assert parts[0].description["classes"] == ["0", "2", "10"]  # by number: letters would put 10 before 2
    assert parts[0].description["shape"] == [1, 6, 5]
    stored = {tuple(gray(10 * label + n).flatten().tolist()): k for k, label in enumerate((0, 2, 10)) for n in range(3)}
    found = {}
    for part in parts:
        for image, label in zip(*part.batch().values(), strict=True):
            found[tuple((image * 255).round().int().flatten().tolist())] = int(label)
    assert found == stored


def test_a_folder_without_labels_has_none(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.png", gray(number))
    train, _ = images.load(tmp_path)
    assert set(train.batch()) == {"image"} and train.description["classes"] is None
    refused(images.load, tmp_path, "no labels", "10 classes", classes=10)


def test_gray_and_colored_together_become_colored(tmp_path):
    save(tmp_path / "a.png", gray(0))
    save(tmp_path / "b.png", np.stack([gray(1), gray(2), gray(3)], axis=-1))
    whole = everything(images.load(tmp_path), "image")
    assert whole.shape == (2, 3, 6, 5)
    alone = next(image for image in whole if image[0].equal(image[1]))
    assert (alone[2] * 255).round().byte().numpy().tolist() == gray(0).tolist()


def test_transparency_is_blended_with_white(tmp_path):
    pixels = np.zeros((4, 3, 4), np.uint8)
    pixels[..., 3] = np.array([0, 255, 0])  # black all over, but only the middle column is opaque
    for name in "ab":
        save(tmp_path / f"{name}.png", pixels)
    image = images.load(tmp_path)[0].batch()["image"][0]
    assert image[:, 0].tolist() == [[1.0, 0.0, 1.0]] * 3


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees
    for name in "ab":
        Image.fromarray(gray(0)).save(tmp_path / f"{name}.png", exif=exif)
    image = images.load(tmp_path)[0].batch()["image"][0, 0]
    assert (image * 255).round().byte().numpy().tolist() == np.rot90(gray(0), -1).tolist()


def test_large_images_are_decoded_in_threads_in_order(tmp_path):
    for number in range(6):
        save(tmp_path / f"{number}.png", np.full((200, 180), 40 * number, np.uint8))
    parts = images.load(tmp_path, held_out=0.2)
    whole = everything(parts, "image").flatten(1) * 255
    assert sorted(whole[:, 0].round().tolist()) == [0, 40, 80, 120, 160, 200]
    assert whole.amin(1).equal(whole.amax(1))


def test_a_missing_path_suggests_the_nearest_name():
    refused(images.load, "digit", "does not exist", "did you mean 'digits'")
    refused(images.load, "/nowhere/at/all", "/nowhere/at/all", "does not exist", "mnist", ".npz")
    refused(images.load, "x" * 5000, "is not a usable path")


def test_an_empty_folder(tmp_path):
    refused(images.load, tmp_path, tmp_path, "it is empty", ".png")
    (tmp_path / "readme.md").write_text("hello")
    refused(images.load, tmp_path, "no images", "readme.md")


def test_the_first_image_of_another_size_is_named(tmp_path):
    for number, width in enumerate((5, 5, 7, 9)):
        save(tmp_path / f"{number}.png", gray(number, width=width))
    refused(images.load, tmp_path, "2.png is 7x6", "0.png is 5x6", "resize")


def test_labels_half_given(tmp_path):
    save(tmp_path / "a.png", gray(0))
    save(tmp_path / "cats" / "b.png", gray(1))
    refused(images.load, tmp_path, "a.png", "cats/b.png", "labels are ambiguous")


def test_a_truncated_image(tmp_path):
    pixels = np.stack([gray(1, 64, 64), gray(2, 64, 64), gray(3, 64, 64)], axis=-1)
    for name in ("a.png", "b.jpg"):
        whole = save(tmp_path / name, pixels).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        refused(images.load, tmp_path, name, "damaged", "replace or remove")
        save(tmp_path / name, pixels)


@pytest.mark.parametrize("content", [b"plainly no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage"])
def test_a_file_that_is_no_image(tmp_path, content):
    save(tmp_path / "a.png", gray(0))
    (tmp_path / "b.png").write_bytes(content)
    refused(images.load, tmp_path, "b.png is not a readable image", "PNG")


def test_sixteen_bits_of_gray_become_eight_and_floats_are_refused(tmp_path):
    for name, level in (("a", 30000), ("b", 65535), ("c", 255)):
        Image.fromarray(np.full((4, 3), level, np.uint16)).save(tmp_path / f"{name}.png")
    levels = everything(images.load(tmp_path), "image")[:, 0, 0, 0] * 255
    assert sorted(levels.round().tolist()) == [1, 117, 255]  # 255 / 257 = 0.99, 30000 / 257 = 116.7
    Image.fromarray(np.full((4, 3), 0.5, np.float32)).save(tmp_path / "0.tiff")
    refused(images.load, tmp_path, "0.tiff", "32 bits", "convert")


def test_one_image_alone(tmp_path):
    save(tmp_path / "a.png", gray(0))
    refused(images.load, tmp_path, "1 found", "at least 2")


def test_links_that_lead_back_end(tmp_path):
    for name in "abc":
        save(tmp_path / "x" / f"{name}.png", gray(ord(name)))
    (tmp_path / "x" / "again").symlink_to(tmp_path)
    assert sum(map(len, images.load(tmp_path))) == 3


def test_a_single_image_or_another_format_is_not_a_set(tmp_path):
    refused(images.load, save(tmp_path / "a.png", gray(0)), "a.png", "give its folder")
    (tmp_path / "a.csv").write_text("1,2")
    refused(images.load, tmp_path / "a.csv", "neither a folder")
