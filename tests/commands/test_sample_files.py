"""sample RUN --out DIR: a file for each sample, in batches that a stopped command goes on with."""

import json

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from practice_torch.commands.sample_files import ARRAY, MANIFEST, write_samples
from practice_torch.engine.artifacts import Audio, Figure, ImageGrid, Text
from practice_torch.engine.errors import RunError
from tests.commands.test_practice_commands import QUICK, VAE, call, refused

ASKED = {"count": 7, "batch": 3, "seed": 5}


class Drawing:
    """An experiment that draws the same kind of artifact, of random numbers; `stops` after so many batches."""

    def __init__(self, kind="images", stops=None):
        self.kind, self.stops, self.sizes, self.generator = kind, stops, [], torch.Generator()

    def sample(self, count):
        if len(self.sizes) == self.stops:
            raise KeyboardInterrupt
        self.sizes.append(count)
        noise = torch.rand(count, 3, 4, 5, generator=self.generator) + 0 * torch.rand(1)
        match self.kind:
            case "images":
                return {"samples": ImageGrid(noise, 2)}
            case "gray images of two classes":
                return {"a": ImageGrid(noise[:1, :1], 1), "b": ImageGrid(noise[1:, :1], 1)}
            case "sounds":
                return {"spectra": Figure(None), "sounds": Audio(noise.flatten(1), 8000)}
            case "texts":
                return {"text": Text(f"passages {noise.sum().item()}")}
            case "fewer images":
                return {"samples": ImageGrid(noise[1:], 2)}
            case "points":
                return {"points": Figure(None, points=noise.flatten(1).double())}
        return {"curve": Figure(None)}


class Rank:
    """One of some processes, which are called one after the other."""

    def __init__(self, rank, count):
        self.rank, self.count = rank, count

    def broadcast(self, make):
        return make()

    def wait(self):
        pass


def write(experiment, folder, asked, rank=0, count=1):
    return write_samples(experiment, folder, asked, Rank(rank, count))


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_images_are_written_one_by_one_in_their_own_pixels(tmp_path):
    experiment = Drawing()
    assert write(experiment, tmp_path / "out", ASKED) == 7 and experiment.sizes == [3, 3, 1]
    found = files(tmp_path / "out")
    assert list(found) == [*(f"{n}.png" for n in range(7)), MANIFEST]
    pixels = [np.asarray(Image.open(tmp_path / "out" / f"{n}.png")) for n in range(7)]
    assert all(image.shape == (4, 5, 3) and image.dtype == np.uint8 for image in pixels)
    assert len({image.tobytes() for image in pixels}) == 7, "a batch repeats another"
    assert json.loads(found[MANIFEST]) == ASKED


def test_values_are_rounded_to_the_nearest_of_256(tmp_path):
    experiment = Drawing()
    experiment.sample = lambda count: {"samples": ImageGrid(torch.tensor([-0.5, 0.0, 0.501 / 255, 1.0, 1.7]).view(1, 1, 1, 5), 1)}
    write(experiment, tmp_path / "out", ASKED | {"count": 1})
    assert np.asarray(Image.open(tmp_path / "out" / "0.png")).tolist() == [[0, 0, 1, 255, 255]]


def test_a_stopped_command_goes_on_and_ends_in_the_same_files(tmp_path):
    write(Drawing(), tmp_path / "whole", ASKED)
    with pytest.raises(KeyboardInterrupt):
        write(Drawing(stops=2), tmp_path / "stopped", ASKED)
    (tmp_path / "stopped" / ".6.png").write_bytes(b"half")  # of a batch that was not finished
    (tmp_path / "stopped" / "1.png").unlink()
    experiment = Drawing()
    assert write(experiment, tmp_path / "stopped", ASKED) == 4 and experiment.sizes == [3, 1]
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    assert write(experiment, tmp_path / "stopped", ASKED) == 0


def test_processes_share_the_batches_and_write_the_same_files(tmp_path):
    write(Drawing(), tmp_path / "whole", ASKED)
    drawn = [Drawing(), Drawing()]
    counts = [write(drawn[rank], tmp_path / "shared", ASKED, rank, 2) for rank in (0, 1)]
    assert counts == [4, 3] and [one.sizes for one in drawn] == [[3, 1], [3]]
    assert files(tmp_path / "shared") == files(tmp_path / "whole")


def test_another_seed_draws_others(tmp_path):
    for seed in (5, 6):
        write(Drawing(), tmp_path / str(seed), ASKED | {"seed": seed})
    assert files(tmp_path / "5")["0.png"] != files(tmp_path / "6")["0.png"]


@pytest.mark.parametrize(("kind", "suffix"), [("gray images of two classes", "png"), ("sounds", "wav"), ("texts", "txt")])
def test_what_is_drawn_is_a_file_each(kind, suffix, tmp_path):
    write(Drawing(kind), tmp_path / "out", ASKED | {"batch": 7})
    found = files(tmp_path / "out")
    assert list(found) == [*(f"{n}.{suffix}" for n in range(7)), MANIFEST] and len(set(found.values())) == 8
    if kind == "sounds":
        sound, rate = soundfile.read(tmp_path / "out" / "0.wav")
        assert sound.shape == (60,) and rate == 8000


def array(folder):
    assert list(files(folder)) == [MANIFEST, ARRAY]
    with np.load(folder / ARRAY) as file:
        assert list(file) == ["arr_0"]
        return file["arr_0"]


def test_points_are_one_array_and_so_are_images_and_sounds_on_request(tmp_path):
    write(Drawing("points"), tmp_path / "points", ASKED)
    for kind in ("images", "sounds"):
        write(Drawing(kind), tmp_path / kind, ASKED | {"format": "npz"})
    write(Drawing(), tmp_path / "files", ASKED)
    points, images, sounds = (array(tmp_path / kind) for kind in ("points", "images", "sounds"))
    assert (points.shape, points.dtype) == (sounds.shape, sounds.dtype) == ((7, 60), np.float32)
    np.testing.assert_array_equal(points, sounds)  # of the same random numbers
    assert (images.shape, images.dtype) == ((7, 4, 5, 3), np.uint8)
    np.testing.assert_array_equal(images, [np.asarray(Image.open(tmp_path / "files" / f"{n}.png")) for n in range(7)])
    with pytest.raises(RunError, match="these samples are texts, which are no array: leave --format out"):
        write(Drawing("texts"), tmp_path / "texts", ASKED | {"format": "npz"})


def test_an_array_that_was_stopped_or_shared_is_the_same(tmp_path):
    write(Drawing("points"), tmp_path / "whole", ASKED)
    with pytest.raises(KeyboardInterrupt):
        write(Drawing("points", stops=2), tmp_path / "stopped", ASKED)
    assert not (tmp_path / "stopped" / ARRAY).exists()
    left = sorted(path for path in (tmp_path / "stopped").glob("array-*"))
    experiment = Drawing("points")
    left[1].write_bytes(left[1].read_bytes()[:40])
    with pytest.raises(RunError, match=r"array-3\.npz cannot be read: delete it, and repeat the command"):
        write(experiment, tmp_path / "stopped", ASKED)
    left[1].unlink()
    assert write(experiment, tmp_path / "stopped", ASKED) == 3 and experiment.sizes == [1, 3]
    for rank in (0, 1):
        write(Drawing("points"), tmp_path / "shared", ASKED, rank, 2)
    assert files(tmp_path / "stopped") == files(tmp_path / "shared") == files(tmp_path / "whole")
    assert write(experiment, tmp_path / "stopped", ASKED) == 0


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("a curve", r"curve \(Figure\), which is no file for each"),
        ("fewer images", r"3 samples are drawn as samples \(ImageGrid\)"),
    ],
)
def test_what_is_no_file_a_sample_is_refused(kind, words, tmp_path):
    with pytest.raises(RunError, match=words):
        write(Drawing(kind), tmp_path / "out", ASKED)


def test_a_folder_of_something_else_is_refused(tmp_path):
    write(Drawing(), tmp_path / "out", ASKED)
    with pytest.raises(RunError, match="holds samples of seed 5, and this command asks for 6"):
        write(Drawing(), tmp_path / "out", ASKED | {"seed": 6})
    with pytest.raises(RunError, match="holds samples of count 7, and this command asks for 8"):
        write(Drawing(), tmp_path / "out", ASKED | {"count": 8})
    for content in ("{", "[]", "{}"):
        (tmp_path / "out" / MANIFEST).write_text(content)
        with pytest.raises(RunError, match=r"is not empty, and samples\.json in it describes no samples"):
            write(Drawing(), tmp_path / "out", ASKED)


def test_the_command(tmp_path):
    """Draws, goes on, and refuses a folder of other samples; files show the same as the command without --out would draw."""
    run, out = tmp_path / "run", tmp_path / "out"
    assert call("train", *VAE, "--run", run, *QUICK)[0] == 0
    code, said, _ = call("sample", run, "--count", 5, "--batch", 2, "--out", out)
    assert code == 0 and said == f"{out}: 5 samples\n"
    assert Image.open(out / "4.png").size == (8, 8) and not (run / "samples").exists()
    assert call("sample", run, "--count", 5, "--batch", 2, "--out", out)[1] == f"{out}: 5 samples, 0 of them drawn now\n"
    assert "holds samples of batch 2" in refused(3, "sample", run, "--count", 5, "--out", out)
    assert "batch is 0; it must be at least 1" in refused(2, "sample", run, "--batch", 0, "--out", out)
    assert "--format is of the files of --out" in refused(2, "sample", run, "--format", "npz")
    assert call("sample", run, "--count", 5, "--batch", 2, "--format", "npz", "--out", tmp_path / "array")[0] == 0
    assert array(tmp_path / "array").shape == (5, 8, 8, 1)
