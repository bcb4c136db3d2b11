"""Prepared images: what was encoded comes back, in squares of any side; whatever is wrong is named or, if asked, left out."""

import io
import json
import pickle
import resource
import signal
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from practice_torch.commands import preparing
from practice_torch.data import images
from practice_torch.data.errors import DataError
from practice_torch.data.permutation import uniforms
from practice_torch.data.preparation import prepare_images
from practice_torch.data.preparation.prepared import digest_of, verify
from practice_torch.data.reading.decoding import open_image
from shared_specs.commands.errors import UsageError
from tests.data.test_sources import archive
from tests.support.data.files import gray, one_line, save
from tests.support.engine.forks import codes_of, fork


def prepare(out, *sources, said=None, **options):
    say = (lambda line: None) if said is None else said.append
    return prepare_images.prepare(sources, out, prepare_images.Options(**{"workers": 1} | options), say)


def refused(function, *arguments, say=(), **options):
    with pytest.raises(DataError) as error:
        function(*arguments, **options)
    message = one_line(error)
    assert all(str(word) in message for word in say), message


def folder_of(folder, count=6, label=lambda number: "ab"[number % 2], **size):
    for number in range(count):
        save(folder / label(number) / f"{number}.png", gray(number, **size))
    return folder


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of three rows, written in batches of one or two where this process writes them."""
    monkeypatch.setattr("practice_torch.data.preparation.preparing_rows.MOST_ROWS", 3)
    monkeypatch.setattr("practice_torch.data.preparation.arrow_shards.BATCH", 150)


def test_what_was_encoded_comes_back_with_its_label(tmp_path, small_shards):
    prepared = prepare(tmp_path / "out", folder_of(tmp_path / "in", 8))
    assert prepared.counts == [3, 3, 2] and prepared.manifest["classes"] == ["a", "b"]
    train, held_out = images.load(tmp_path / "out", held_out=0.25, seed=1)
    assert (len(train), len(held_out), train.description["shape"]) == (6, 2, [1, 6, 5])
    stored = {tuple(gray(number).flatten().tolist()): number % 2 for number in range(8)}
    found = {}
    for batch in (train.batch(torch.arange(6)), held_out.batch()):
        assert batch["image"].dtype == torch.float32 and batch["label"].dtype == torch.int64
        for image, label in zip(batch["image"], batch["label"].tolist(), strict=True):
            found[tuple((image * 255).round().int().flatten().tolist())] = label
    assert found == stored
    for part in (train, held_out):
        assert json.loads(json.dumps(part.description)) == part.description
    assert train.description["sha256"] == prepared.manifest["sha256"] == held_out.description["sha256"]
    assert train.resident_bytes == 6 * 30


def test_the_resident_set_is_the_streamed_one(tmp_path, small_shards):
    prepare(tmp_path / "out", folder_of(tmp_path / "in", 7))
    train, _ = images.load(tmp_path / "out", seed=3)
    indices = torch.tensor([4, 0, 3])
    copy = pickle.loads(pickle.dumps(train))  # what a spawned worker gets
    for one, other in ((train.resident(), train), (train, copy)):
        first, second = one.batch(indices), other.batch(indices)
        assert first["image"].equal(second["image"]) and first["label"].equal(second["label"])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "1", "LA", "I;16"])
def test_every_kind_of_pixels(tmp_path, mode):
    """Gray has one channel, and anything else three; transparency is over white; 16 bits become 8."""
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    if mode == "I;16":
        image = Image.fromarray(levels.astype(np.uint16) * 257)
    elif mode == "RGBA":
        image = Image.merge("RGBA", [Image.fromarray(levels)] * 3 + [Image.new("L", (8, 8), 255)])
    else:
        image = Image.fromarray(levels).convert("RGB" if mode == "CMYK" else mode).convert(mode)
    for name in "ab":
        (tmp_path / "in").mkdir(exist_ok=True)
        image.save(tmp_path / "in" / f"{name}.{'tif' if mode == 'CMYK' else 'png'}")
    prepare(tmp_path / "out", tmp_path / "in")
    found = images.load(tmp_path / "out")[0].batch(torch.tensor([0]))["image"][0]
    assert len(found) == (1 if mode in ("L", "LA", "1", "I;16") else 3)
    wanted = levels if mode != "1" else np.asarray(image).astype(np.uint8) * 255
    assert (found * 255).round().byte().numpy().tolist() == [wanted.tolist()] * len(found)


def test_gray_among_colored_and_a_photograph_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees
    (tmp_path / "in").mkdir()
    Image.fromarray(gray(0)).save(tmp_path / "in" / "0.png", exif=exif)
    save(tmp_path / "in" / "1.png", np.stack([gray(n, 5, 6) for n in (1, 2, 3)], -1))
    manifest = prepare(tmp_path / "out", tmp_path / "in").manifest
    assert (manifest["height"], manifest["width"], manifest["colored"]) == ([5, 5], [6, 6], True)
    train, held_out = images.load(tmp_path / "out", held_out=0.5)
    both = [(part.batch(torch.tensor([0]))["image"][0] * 255).round().byte().numpy() for part in (train, held_out)]
    turned = next(image for image in both if (image[0] == image[1]).all())
    assert turned[2].tolist() == np.rot90(gray(0), -1).tolist()


def ramp(width, height):
    """Columns brighten from left to right by one level a pixel."""
    return np.repeat(np.arange(width, dtype=np.uint8)[None], height, 0)


@pytest.mark.parametrize(("width", "height"), [(60, 20), (20, 60), (60, 10), (33, 33), (12, 7)])
def test_squares_at_the_center_and_where_the_draws_say(tmp_path, width, height):
    pixels = ramp(60, 20).T if height == 60 else ramp(width, height)
    for name in "ab":
        save(tmp_path / "in" / f"{name}.png", np.ascontiguousarray(pixels))
    prepare(tmp_path / "out", tmp_path / "in")
    train, held_out = images.load(tmp_path / "out", image_size=10, seed=5)
    center = train.batch(torch.tensor([0]))["image"]
    assert center.shape == (1, 1, 10, 10) and held_out.batch()["image"].equal(center)
    draws = torch.arange(40)
    cropped = train.batch(torch.zeros(40, dtype=torch.int64), draws)["image"]
    assert cropped.equal(train.batch(torch.zeros(40, dtype=torch.int64), draws)["image"])
    if min(width, height) == 10:  # nothing is resized: whole pixels
        begun = (uniforms(draws, 1, 5)[:, 0] * 50).round()
        assert (cropped.mean((1, 2, 3)) * 255 - 4.5).numpy() == pytest.approx(begun.numpy(), abs=1e-4)
        assert (center[0, 0, 0] * 255).round().tolist() == list(range(25, 35))
    elif max(width, height) == 60:  # the mean gives the start of the crop: (59 - 19) / 2 + 9.5 at the center
        assert float(center.mean() * 255) == pytest.approx(29.5, abs=0.6)
        begun = uniforms(draws, 1, 5)[:, 0] * 40
        assert (cropped.mean((1, 2, 3)) * 255 - 9.5).numpy() == pytest.approx(begun.numpy(), abs=0.6)
        assert len(begun.unique()) > 20
    else:
        assert bool((cropped == cropped[0]).all()) or width == 12


def test_a_pattern_finer_than_the_new_pixels_becomes_gray(tmp_path):
    """Every second column is white: without antialiasing, a quarter of the size would be all white, all black or stripes."""
    pixels = np.zeros((128, 128), np.uint8)
    pixels[:, ::2] = 255
    for suffix, options in ((".png", {}), (".jpg", {"quality": 100})):
        Image.fromarray(pixels).save(tmp_path / f"a{suffix}", **options)
        found = open_image("a", tmp_path / f"a{suffix}", 32).astype(float)
        assert found[4:-4, 4:-4] == pytest.approx(127.5, abs=4)


def test_a_large_jpeg_decoded_small_looks_like_one_decoded_whole(tmp_path):
    y, x = np.mgrid[0:600, 0:900] / 900
    colors = [127 + 60 * np.sin(2 * np.pi * (k * x + 3 * y)) + 50 * (x > 0.5) * (y > 0.3) for k in (2, 5, 9)]
    pixels = np.stack(colors, -1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=92)
    whole = Image.open(tmp_path / "a.jpg").crop((150, 0, 750, 600)).resize((64, 64), Image.Resampling.BICUBIC)
    difference = np.abs(open_image("a", tmp_path / "a.jpg", 64).astype(int) - np.asarray(whole).astype(int))
    assert difference.mean() < 1 and difference.max() <= 12


def test_several_sizes_need_an_image_size_in_memory_too(tmp_path):
    for number, width in enumerate((5, 7, 9, 30)):
        save(tmp_path / "in" / f"{number}.png", gray(number, width=width))
    prepare(tmp_path / "out", tmp_path / "in")
    refused(images.load, tmp_path / "out", say=["several sizes", "5 to 30 wide and 6 to 6 high", "--image-size"])
    for source in ("in", "out"):
        parts = images.load(tmp_path / source, image_size=6)
        assert [part.description["shape"] for part in parts] == [[1, 6, 6]] * 2 and sum(map(len, parts)) == 4
        assert parts[0].batch(torch.tensor([0, 1]))["image"].shape == (2, 1, 6, 6)
    refused(images.load, tmp_path / "out", image_size=0, say=["image_size is 0; it must be at least 1"])
    refused(images.load, "digits", image_size=9, say=["digits has images of one size", "leave it out"])


def test_classes(tmp_path):
    prepare(tmp_path / "out", folder_of(tmp_path / "in", 9, label=lambda number: "abc"[number % 3]))
    assert images.load(tmp_path / "out", classes=3)[0].description["classes"] == ["a", "b", "c"]
    refused(images.load, tmp_path / "out", only_class=1, say=["only_class is 1", "is prepared", "a folder of this class alone"])
    refused(
        images.load, tmp_path / "out", examples_per_class=(1,), say=["examples_per_class is (1,)", "a folder of fewer images"]
    )
    refused(images.load, tmp_path / "out", classes=2, say=["has 3 classes", "2 classes are needed"])
    prepare(tmp_path / "none", tmp_path / "in", ignore_labels=True)
    assert set(images.load(tmp_path / "none")[0].batch(torch.tensor([0]))) == {"image"}
    refused(images.load, tmp_path / "none", classes=2, say=["has no labels"])


def test_larger_images_are_stored_smaller_only_on_request(tmp_path):
    photograph = Image.fromarray(np.stack([gray(n, 8, 12) for n in range(3)], -1)).resize((192, 128), Image.Resampling.BICUBIC)
    for name in ("a.jpg", "b.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        photograph.save(tmp_path / "in" / name)
    save(tmp_path / "in" / "c.png", gray(3, 64, 64))
    assert prepare(tmp_path / "whole", tmp_path / "in").manifest["height"] == [64, 128]
    small = prepare(tmp_path / "small", tmp_path / "in", most_side=64)
    assert (small.manifest["height"], small.manifest["width"]) == ([64, 64], [64, 96])
    rows = images.load(tmp_path / "small", image_size=64)[0].rows
    kept = {rows.row(n, "name")[1][0]: bytes(rows.row(n, "content")[1][0]) for n in range(3)}
    assert kept["c.png"] == (tmp_path / "in" / "c.png").read_bytes()
    scaled = photograph.resize((96, 64), Image.Resampling.BICUBIC)
    assert open_image("b", _written(tmp_path / "x", kept["b.png"])).tolist() == np.asarray(scaled).tolist()
    scaled.save(tmp_path / "wanted.jpg", quality=95, subsampling=0)
    jpeg, wanted = Image.open(io.BytesIO(kept["a.jpg"])), Image.open(tmp_path / "wanted.jpg")
    assert jpeg.quantization == wanted.quantization and jpeg.layer == wanted.layer  # of the layers, their subsampling
    with pytest.raises(ValueError, match="most_side is -1"):
        prepare_images.Options(most_side=-1)


def test_one_square_of_every_image(tmp_path):
    """Pillow's box around a pixel, and the center of a face of CelebA's size, where both differences of sides are even."""
    face = Image.fromarray(np.random.default_rng(0).integers(0, 256, (218, 178, 3), np.uint8))
    (tmp_path / "in").mkdir()
    for name in "ab":
        face.save(tmp_path / "in" / f"{name}.jpg")
    decoded = Image.open(tmp_path / "in" / "a.jpg")
    for crop, box in {"128@89,121": (25, 57, 153, 185), "140": (19, 39, 159, 179), "3@1,1": (0, 0, 3, 3)}.items():
        manifest = prepare(tmp_path / crop, tmp_path / "in", crop=crop).manifest
        assert manifest["options"]["crop"] == crop and manifest["height"] == manifest["width"] == [box[2] - box[0]] * 2
        kept = bytes(images.load(tmp_path / crop)[0].rows.row(0, "content")[1][0])
        assert np.array_equal(open_image("a", _written(tmp_path / "x", kept)), np.asarray(decoded.crop(box)))
    assert prepare(tmp_path / "small", tmp_path / "in", crop="140", most_side=64).manifest["height"] == [64, 64]
    for crop, taken in {"128@63,121": "columns -1 to 126", "128@89,155": "rows 91 to 218", "179": "columns 0 to 178"}.items():
        say = ["a.jpg is 178x218 (width x height)", f"the crop {crop} takes", taken, "--skip-unusable"]
        refused(prepare, tmp_path / "refused", tmp_path / "in", crop=crop, say=say)
    for crop in ("0", "64@3", "big", "-3", "64@1,-2"):
        with pytest.raises(ValueError, match=f"crop is '{crop}'; it must be SIZE or SIZE@X,Y"):
            prepare_images.Options(crop=crop)


def _written(path, raw):
    path.write_bytes(raw)
    return path


# ---------------------------------------------------------------------------------------------------- bad input


def bomb(width, height):
    """A PNG with a header that declares more than there is."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def spoilt(how):
    y, x = np.mgrid[0:64, 0:64]
    whole = Image.fromarray((x * 2 + y).astype(np.uint8))
    file = io.BytesIO()
    whole.save(file, "JPEG")
    raw = file.getvalue()
    return {"cut short": raw[: len(raw) // 2], "empty": b"", "foreign": b"no image", "bomb": bomb(60_000, 60_000)}[how]


@pytest.mark.parametrize("how", ["cut short", "empty", "foreign", "bomb"])
def test_one_that_is_not_usable_in_the_middle_of_many(tmp_path, how, small_shards):
    folder_of(tmp_path / "in", 11, label=lambda number: "a")
    wrong = tmp_path / "in" / "a" / "5x.jpg"
    wrong.write_bytes(spoilt(how))
    refused(prepare, tmp_path / "out", tmp_path / "in", say=[wrong, "--skip-unusable leaves such images out"])
    refused(images.load, tmp_path / "out", say=["prepare was not finished", "run it again"])
    prepared = prepare(tmp_path / "skipped", tmp_path / "in", skip_unusable=True)
    assert prepared.manifest["count"] == 11
    assert prepared.manifest["remarks"][0] == "1 were not usable and are left out"
    assert str(wrong) in prepared.manifest["remarks"][1]
    assert images.load(tmp_path / "skipped")[0].description["remarks"] == prepared.manifest["remarks"]


def test_one_in_an_archive_is_named_and_a_shard_of_none_is_left_out(tmp_path, small_shards):
    members = [(f"{number}.jpg", save(tmp_path / "x.png", gray(number)).read_bytes()) for number in range(9)]
    members[3:6] = [(name, b"") for name, _ in members[3:6]]
    path = archive(tmp_path / "a.tar", *members)
    refused(prepare, tmp_path / "out", path, say=[f"{path}/3.jpg"])
    prepared = prepare(tmp_path / "skipped", path, skip_unusable=True)
    assert prepared.counts == [3, 3] and len(prepared.manifest["remarks"]) == 4
    none = archive(tmp_path / "b.tar", ("1.jpg", b""))
    refused(prepare, tmp_path / "none", none, skip_unusable=True, say=["nothing in", "not empty"])


def test_a_shard_cut_short_missing_or_changed(tmp_path, small_shards):
    prepared = prepare(tmp_path / "out", folder_of(tmp_path / "in", 7))
    path, whole = prepared.paths[1], prepared.paths[1].read_bytes()
    path.write_bytes(whole[:-100])
    refused(images.load, tmp_path / "out", say=[path, "the manifest lists"])
    path.unlink()
    refused(images.load, tmp_path / "out", say=[path, "is missing"])
    path.write_bytes(bytes(len(whole)))  # of the right size
    train, rest = images_of_another_shard(tmp_path / "out")
    refused(train.batch, torch.arange(len(train)), say=[path, "is damaged"])
    refused(verify, tmp_path / "out", say=[path.name, "not the content"])
    path.write_bytes(prepared.paths[0].read_bytes() + bytes(len(whole) - prepared.paths[0].stat().st_size))


def images_of_another_shard(folder):
    """Loaded with a seed for which the held-out image is not in the damaged shard."""
    for seed in range(20):
        try:
            return images.load(folder, held_out=0.01, seed=seed)
        except DataError:
            continue
    raise AssertionError("every seed holds out an image of the second shard")


def test_a_manifest_that_counts_other_rows(tmp_path, small_shards):
    prepared = prepare(tmp_path / "out", folder_of(tmp_path / "in", 6))
    shards = [dict(shard) for shard in prepared.manifest["shards"]]
    shards[0]["count"], shards[1]["count"] = 2, 4
    manifest = prepared.manifest | {"shards": shards}
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(manifest | {"sha256": digest_of(manifest)}))
    refused(images.load, tmp_path / "out", say=["does not have the", "rows of the manifest"])


def test_a_shard_with_offsets_beyond_its_end(tmp_path):
    """Read without a check, they would end the process."""
    prepared = prepare(tmp_path / "out", folder_of(tmp_path / "in", 4))
    path, sizes = prepared.paths[0], [(tmp_path / "in" / "ab"[n % 2] / f"{n}.png").stat().st_size for n in (0, 2, 1, 3)]
    whole, offsets = path.read_bytes(), np.cumsum([0, *sizes]).astype(np.int64)
    assert whole.count(offsets.tobytes()) == 1
    path.write_bytes(whole.replace(offsets.tobytes(), (offsets * 10**9).tobytes()))
    refused(images.load, tmp_path / "out", say=[path, "is damaged"])


def test_the_command(tmp_path, capsys):
    folder_of(tmp_path / "in", 6, height=20, width=30)
    asked = ["images", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert preparing.prepare([*asked, "--most-side", "9"], None) == 0
    said = capsys.readouterr()
    assert f"{tmp_path / 'out'}: 6 images, 14x9, gray, 2 classes, 1 shards" in said.out and "--data" in said.out
    assert preparing.prepare(["--verify", str(tmp_path / "out")], None) == 0
    for words, error, why in (
        (["--most-side", "-1"], UsageError, "most_side is -1"),
        (["--mostside", "1"], UsageError, "did you mean --most-side"),
        (["--most-side", "8"], DataError, "holds other prepared data (its most_side is 9, now 8)"),
    ):
        with pytest.raises(error) as refusal:
            preparing.prepare([*asked, *words], None)
        assert why in str(refusal.value)


def test_a_killed_preparation_goes_on_to_the_same_bytes(tmp_path, small_shards, monkeypatch):
    folder_of(tmp_path / "in", 12)
    prepare(tmp_path / "whole", tmp_path / "in")

    def killed():
        rows = iter(range(100))
        own = prepare_images._row

        def row(*arguments):
            if next(rows) == 7:
                signal.raise_signal(signal.SIGKILL)
            return own(*arguments)

        monkeypatch.setattr(prepare_images, "_row", row)
        prepare(tmp_path / "out", tmp_path / "in")

    assert codes_of([fork(killed, {})]) == [-signal.SIGKILL]
    assert len(list((tmp_path / "out").glob("shard-*.arrow"))) == 2
    refused(images.load, tmp_path / "out", say=["prepare was not finished"])
    said = []
    prepare(tmp_path / "out", tmp_path / "in", said=said)
    assert any("2 of 4 shards are there" in line for line in said)
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    save(tmp_path / "in" / "a" / "new.png", gray(99))
    refused(prepare, tmp_path / "out", tmp_path / "in", say=["source files have changed"])


def test_a_full_disk(tmp_path):
    folder_of(tmp_path / "in", 8, height=64, width=64)

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        refused(prepare, tmp_path / "out", tmp_path / "in", say=["cannot be written", "make room"])
        assert not list((tmp_path / "out").glob("*.arrow"))

    assert codes_of([fork(full, {})]) == [0]
    prepare(tmp_path / "out", tmp_path / "in")
    prepare(tmp_path / "whole", tmp_path / "in")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_jobs_are_written_alike_in_any_order_in_other_processes(tmp_path, monkeypatch, small_shards):
    """Arguments of processes are pickled; tests/data/test_prepared.py tests the assignment of jobs."""
    whole = prepare(tmp_path / "whole", folder_of(tmp_path / "in", 7))
    asked = {}
    shards = "practice_torch.data.preparation.preparing_rows.prepare_shards"
    monkeypatch.setattr(shards, lambda *_, **keywords: asked.update(keywords))
    prepare(tmp_path / "other", tmp_path / "in", workers=2)
    (tmp_path / "other").mkdir()
    for name, _, part in reversed(asked["jobs"](tmp_path / "other")[0]):
        write, place = pickle.loads(pickle.dumps((asked["write"], part)))
        write(tmp_path / "other", name, place)
    for path in whole.paths:
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
    assert asked["workers"] == 2 and whole.manifest["options"] == {
        "skip_unusable": False,
        "ignore_labels": False,
        "crop": "",
        "most_side": 0,
    }
