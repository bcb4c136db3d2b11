"""Splits, text and points: the parts are disjoint and seeded, and whatever is wrong is one clear line."""

import hashlib
import json
import sys

import numpy as np
import pytest
import torch

from practice_torch.data import images, points, text
from practice_torch.data.splits import random_split
from practice_torch.data.text_set import UNKNOWN
from tests.support.data.files import damaged, everything, refused


def test_split_is_disjoint_complete_and_seeded():
    train, hidden = random_split(103, 0.2, 3, "things")
    assert len(hidden) == 21
    assert sorted(torch.cat((train, hidden)).tolist()) == list(range(103))
    assert hidden.equal(random_split(103, 0.2, 3, "things")[1])
    assert not hidden.equal(random_split(103, 0.2, 4, "things")[1])


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_held_out_must_be_a_fraction(fraction):
    refused(images.load, "digits", "held_out", fraction, held_out=fraction)


@pytest.mark.parametrize(("count", "fraction", "hidden"), [(2, 0.01, 1), (2, 0.99, 1), (3, 0.9, 2), (1000, 0.1, 100)])
def test_neither_part_is_ever_empty(count, fraction, hidden):
    train, rest = random_split(count, fraction, 0, "things")
    assert (len(train), len(rest)) == (count - hidden, hidden)


def test_pydoc_is_split_by_position():
    from pydoc_data.topics import topics

    whole = "\n".join(topics.values())
    train, held_out = text.load("pydoc", context=20)
    vocabulary = train.vocabulary
    assert vocabulary.decode(train.stream) + held_out_text(held_out, whole) == whole
    assert len(train.stream) + len(held_out.stream) == len(whole)
    assert list(vocabulary.characters) == sorted(set(whole[: len(train.stream)]))
    assert train.description["sha256"] == hashlib.sha256(whole.encode()).hexdigest()
    assert train.description["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert json.loads(json.dumps(train.description)) == train.description


def held_out_text(part, whole):
    """The part's text, with the characters that training never saw put back."""
    tail = whole[-len(part.stream) :]
    decoded = part.vocabulary.decode(part.stream)
    assert len(decoded) == len(tail)
    return "".join(b if a == UNKNOWN else a for a, b in zip(decoded, tail, strict=True))


def test_windows_of_text(tmp_path):
    (tmp_path / "a.txt").write_text("abcdefghij" * 10)
    train, held_out = text.load(tmp_path / "a.txt", context=4, held_out=0.3)
    tokens = train.batch(torch.tensor([0, 7, len(train) - 1]))["tokens"]
    assert tokens.dtype == torch.int64
    assert [train.vocabulary.decode(row) for row in tokens] == ["abcde", "hijab", "fghij"]
    assert len(train) == 66
    # each held-out token after the first is predicted once: windows overlap by one
    windows = [held_out.vocabulary.decode(row) for row in held_out.batch()["tokens"]]
    assert windows == ["abcde", "efghi", "ijabc", "cdefg", "ghija", "abcde", "efghi"]


def test_held_out_characters_that_training_lacks_are_unknown(tmp_path):
    (tmp_path / "a.txt").write_text("ab" * 20 + "abzaby")
    train, held_out = text.load(tmp_path / "a.txt", context=2, held_out=6 / 46)
    assert train.vocabulary.characters == "ab" and train.vocabulary.size == 3
    assert held_out.stream.tolist() == [0, 1, 2, 0, 1, 2]
    assert held_out.description["unknown"] == 2 and train.description["unknown"] == 0
    assert held_out.vocabulary.decode(held_out.stream) == "ab\ufffdab\ufffd"


def test_bytes_and_characters_beyond_ascii(tmp_path):
    whole = "zażółć gęślą jaźń 🙂\n" * 12
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + whole.replace("\n", "\r\n").encode())
    train, held_out = text.load(tmp_path / "a.txt", context=5)
    assert train.vocabulary.decode(train.stream) + held_out.vocabulary.decode(held_out.stream) == whole
    train, held_out = text.load(tmp_path / "a.txt", context=5, level="byte")
    assert bytes(torch.cat((train.stream, held_out.stream)).tolist()).decode() == whole
    assert train.vocabulary.size == 256 and train.vocabulary.encode("é").tolist() == [0xC3, 0xA9]


def test_bad_text(tmp_path):
    path = tmp_path / "a.txt"
    refused(text.load, path, "does not exist", "pydoc")
    refused(text.load, "pydocs", "did you mean 'pydoc'")
    refused(text.load, tmp_path, "is a folder")
    path.write_bytes(b"")
    refused(text.load, path, "a.txt is empty")
    path.write_text("x")
    refused(text.load, path, "1 found")
    path.write_text("x" * 100)
    refused(text.load, path, "100 characters", "90 to train on and 10 held out", "at least 12", context=11)
    assert text.load(path, context=9)
    path.write_bytes(b"caf\xe9 " * 100)
    refused(text.load, path, "not UTF-8", "0xe9 at offset 3", "iconv")
    refused(text.load, "pydoc", "level", "'words'", level="words")
    refused(text.load, "pydoc", "context is 0", context=0)
    refused(text.load, "pydoc", "held_out is 1.5", held_out=1.5)


@pytest.mark.parametrize(("name", "axes"), [("eight_gaussians", 2), ("two_moons", 2), ("bimodal", 1)])
def test_toys_are_drawn_from_the_seed(name, axes):
    train, held_out = points.load(name, count=1000, held_out=0.25, seed=4)
    assert train.batch()["point"].shape == (750, axes) and len(held_out) == 250
    assert train.batch(torch.tensor([3]))["point"].dtype == torch.float32
    assert train.points.equal(points.load(name, count=1000, held_out=0.25, seed=4)[0].points)
    assert not train.points.equal(points.load(name, count=1000, held_out=0.25, seed=5)[0].points)
    first, second = (json.loads(json.dumps(part.description)) for part in (train, held_out))
    assert first == second | {"split": "train", "count": 750}


def test_moons_have_the_moments_of_their_integrals():
    whole = torch.cat([part.points for part in points.load("two_moons", count=200_000, seed=1)]).double()
    assert whole.mean(0).tolist() == pytest.approx([0, 0], abs=5 / 200_000**0.5)
    # the fourth moments are below 3, so five standard errors of a variance are below 5 sqrt(2 / N)
    assert whole.var(0).tolist() == pytest.approx([1, 1], abs=5 * (2 / 200_000) ** 0.5)


@pytest.mark.parametrize("name", ["eight_gaussians", "bimodal"])
def test_mixtures_have_their_weights_and_spreads(name):
    mixture, count = points.MIXTURES[name], 40_000
    whole = torch.cat([part.points for part in points.load(name, count=count, seed=2)]).double()
    if name == "bimodal":  # the two overlap, so that no point has an owner: ask for the mass left of some places instead
        for place in (-2.0, -0.6, 1.5):
            below = [normal_below(place, mean, std) for (mean,), std in zip(mixture.means, mixture.stds, strict=True)]
            mass = sum(weight * part for weight, part in zip(mixture.weights, below, strict=True))
            assert float((whole < place).double().mean()) == pytest.approx(mass, abs=5 * (mass * (1 - mass) / count) ** 0.5)
        return
    owner = torch.cdist(whole, torch.tensor(mixture.means, dtype=torch.float64)).argmin(1)
    frequency = owner.bincount(minlength=8) / count
    assert frequency.tolist() == pytest.approx([1 / 8] * 8, abs=5 * (7 / 64 / count) ** 0.5)
    spread = (whole - torch.tensor(mixture.means, dtype=torch.float64)[owner]).std(0)
    assert spread.tolist() == pytest.approx([0.02, 0.02], rel=5 / (2 * count) ** 0.5)


def normal_below(x, mean, std):
    return torch.special.ndtr(torch.tensor((x - mean) / std, dtype=torch.float64)).item()


def test_points_from_files(tmp_path):
    plain = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", points=plain)
    (tmp_path / "a.csv").write_text("x,y,z\n" + "\n".join(",".join(map(repr, row.tolist())) for row in plain))
    first, second = points.load(tmp_path / "a.npz"), points.load(tmp_path / "a.csv")
    for left, right in zip(first, second, strict=True):
        assert left.points.equal(right.points)
    whole = everything(first, "point")
    assert sorted(map(tuple, whole.tolist())) == sorted(map(tuple, plain.tolist()))
    np.savez(tmp_path / "b.npz", points=np.arange(10))
    assert points.load(tmp_path / "b.npz")[0].description["shape"] == [1]


def test_bad_points(tmp_path):
    refused(points.load, "two_moon", "did you mean 'two_moons'")
    refused(points.load, "two_moons", "1 found", count=1)
    refused(points.load, "two_moons", "held_out", held_out=0)
    refused(points.load, tmp_path, "neither an .npz nor a .csv")
    (tmp_path / "a.csv").write_text("")
    refused(points.load, tmp_path / "a.csv", "empty")
    for content, parts in (
        ("x,y\n1,2\n3\n", ("is not a table", "columns")),
        ("1,2\n3,four\n", ("is not a table", "four")),
        ("1,2\nnan,3\n4,5\n", ("point 1", "nan", "axis 0")),
        ("1,2\n3,1e60\n", ("point 1", "inf", "axis 1")),
        ("1,2\n-1e30,3\n", ("point 1 holds -1e+30 on axis 0", "up to 1e+08", "divide them by their scale")),
        ("x,y\n", ("a.csv",)),
        ("\n\n", ("a.csv",)),
        ("1,2\n", ("1 found",)),
    ):
        (tmp_path / "a.csv").write_text(content)
        refused(points.load, tmp_path / "a.csv", *parts)
    (tmp_path / "a.csv").write_bytes(b"1,2\n\xff\xfe,3\n")
    refused(points.load, tmp_path / "a.csv", "is not a table")
    np.savez(tmp_path / "a.npz", points=np.zeros((3, 2, 2)))
    refused(points.load, tmp_path / "a.npz", "[3, 2, 2]", "[N, D]")
    np.savez(tmp_path / "a.npz", points=np.array(["a", "b"]))
    refused(points.load, tmp_path / "a.npz", "dtype <U1")
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 2)))
    refused(points.load, tmp_path / "a.npz", "no array 'points'", "x")
    np.savez(tmp_path / "a.npz", points=np.array([object()]))
    refused(points.load, tmp_path / "a.npz", "a.npz")


@pytest.mark.parametrize("how", ["empty", "truncated", "foreign", "bit flips"])
def test_damaged_points(tmp_path, how):
    np.savez_compressed(tmp_path / "a.npz", points=np.random.default_rng(0).normal(size=(50, 2)))
    (tmp_path / "a.npz").write_bytes(damaged((tmp_path / "a.npz").read_bytes())[how])
    refused(points.load, tmp_path / "a.npz", "a.npz")


@pytest.mark.parametrize(
    ("load", "name"), [(images.load, "a.npz"), (text.load, "a.txt"), (points.load, "a.npz"), (points.load, "a.csv")]
)
def test_a_file_without_permission(tmp_path, monkeypatch, load, name):
    (tmp_path / name).write_bytes(b"x")

    def refuse(path, *_, **__):  # root may read everything, so that taking the permission away would prove nothing
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("io.open", refuse)
    refused(load, tmp_path / name, name, "permission denied")
