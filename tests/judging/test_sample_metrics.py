"""Metrics of samples: their order between a baseline and real data, their intervals, and what cannot be judged."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from practice_torch.data import audio, images, text
from practice_torch.data.notes import synthesize
from practice_torch.engine import estimate
from practice_torch.engine.artifacts import Audio, Figure, ImageGrid, Text
from practice_torch.engine.errors import RunError
from practice_torch.experiments.judging import extractors
from practice_torch.experiments.judging.extractors import next_byte
from practice_torch.experiments.judging.sample_metrics import EXPLAINS, sample_metrics


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


RANGES = {"fraction": (0.0, 1.0), "bits per byte": (0.0, math.inf)}


def metrics_of(artifacts, data, experiment=None):
    _, found = sample_metrics(artifacts, experiment, *data, seeded())
    assert set(found) <= set(EXPLAINS)
    for name, kinds in found.items():
        fewest, most = RANGES.get(EXPLAINS[name].unit, (-math.inf, math.inf))
        for kind, part in kinds.items():
            assert fewest <= part.low <= part.value <= part.high <= most, (name, kind, part)
    return {name: {kind: estimate.value for kind, estimate in kinds.items()} for name, kinds in found.items()}


@pytest.fixture(scope="module")
def digits():
    return images.load("digits", held_out=0.3)


@pytest.fixture(scope="module")
def pydoc():
    return text.load("pydoc", context=64, level="byte")


def test_real_images_are_between_the_baseline_and_a_copy(digits, monkeypatch):
    """Held-out digits, a little blurred, as samples: worse than real ones, better than independent pixels."""
    monkeypatch.setattr(estimate, "_SPLITS", 20)
    train, held_out = digits
    image = held_out.batch()["image"]
    blurred = 0.7 * image + 0.3 * torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    found = metrics_of({"samples": ImageGrid(blurred, 8)}, digits)
    frechet, kernel = found["frechet_distance"], found["kernel_distance"]
    assert frechet["real"] < frechet["samples"] < frechet["baseline"]
    assert kernel["real"] < min(kernel["samples"], kernel["baseline"])
    for name in ("precision", "recall"):
        assert found[name]["real"] > found[name]["baseline"]
    assert abs(found["data_copying_z"]["real"]) < 4
    copied = metrics_of({"samples": ImageGrid(train.batch()["image"][::4], 8)}, digits)
    assert copied["data_copying_z"]["samples"] < -10
    assert copied["authenticity"]["samples"] == 0
    assert copied["frechet_distance"]["samples"] < 2 * found["frechet_distance"]["real"]


NOTES = dict(held_out=0.3, sample_rate=8000, length=1024)


def by_class(sounds):
    return {f"class_{k:02d}": Audio(sounds[k::13], 8000) for k in range(13)}


def test_sounds_are_judged_by_a_classifiers_features(monkeypatch):
    """Notes that are a quarter tone too high are between real ones and noise: in rounds of all pitches, real ones are near."""
    monkeypatch.setattr(estimate, "_SPLITS", 10)
    data = audio.load("notes", **NOTES)
    notes, _ = synthesize(13 * 6, length=1054, sample_rate=8000, generator=seeded(1))
    higher = torch.nn.functional.interpolate(notes[:, None], 1024, mode="linear")[:, 0]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):  # as they are judged
        compared, found = sample_metrics(by_class(higher), None, *data, seeded())
    distance = found["frechet_audio_distance"]
    assert compared.startswith("of 78 sounds the hidden layer of a network of log-mel columns that recognizes 100% of")
    assert distance["real"].high < distance["samples"].low
    assert 5 * distance["real"].value < distance["samples"].value < distance["baseline"].value / 10


def test_too_few_sounds_of_a_class_are_refused(monkeypatch):
    monkeypatch.setattr(extractors, "_SOUND_STEPS", 2)
    train, held_out = audio.load("notes", **NOTES)
    with pytest.raises(RunError, match="3 samples of each of 13 classes are too few to be judged; give --samples 52 or more"):
        sample_metrics(by_class(train.sounds[:39]), None, train, held_out, seeded())
    with pytest.raises(RunError, match="0 samples of each of 13 classes are too few"):
        sample_metrics(
            {"class_00": Audio(train.sounds, 8000), "class_01": Audio(train.sounds, 8000)}, None, train, held_out, seeded()
        )
    few = [replace(part, sounds=part.sounds[:40], labels=part.labels[:40]) for part in (train, held_out)]
    with pytest.raises(RunError, match="real sounds of each of 13 classes are too few to judge samples by; at least 8 are"):
        sample_metrics(by_class(train.sounds[:52]), None, *few, seeded())


def test_sounds_without_classes_are_judged_by_their_columns(monkeypatch):
    """In features that hardly depend on the pitch."""
    monkeypatch.setattr(estimate, "_SPLITS", 5)
    data = audio.load("notes", **NOTES)
    one_pitch = data[0].sounds[data[0].labels == 4].repeat(3, 1)
    noisy = data[0].sounds[:40] + 0.02 * torch.randn(40, 1024, generator=seeded())
    data = [replace(part, labels=None, description=part.description | {"classes": None}) for part in data]
    compared, _ = sample_metrics({"sounds": Audio(noisy, 8000)}, None, *data, seeded())
    of_noisy, of_pitch = (
        metrics_of({"sounds": Audio(sounds, 8000)}, data)["frechet_audio_distance"] for sounds in (noisy, one_pitch)
    )
    assert compared == "of 40 sounds log-mel columns"
    assert of_noisy["real"] < of_noisy["samples"] < of_noisy["baseline"]
    assert of_pitch["samples"] < 0.5 * of_pitch["baseline"]


def test_pictures_of_sounds_are_refused():
    with pytest.raises(RunError, match="the samples are pictures of data that are no images"):
        sample_metrics({"spectra": ImageGrid(torch.rand(30, 1, 9, 9), 8)}, None, *audio.load("notes", **NOTES), seeded())


class Counted(torch.nn.Module):
    """Bytes by how frequent they are in the training text."""

    def __init__(self, train):
        super().__init__()
        frequency = torch.bincount(train.stream.long(), minlength=256) + 1.0
        self.bits = -(frequency / frequency.sum()).log2()

    def evaluate(self, data):
        return {"bits_per_byte": self.bits[data.batch()["tokens"][:, 1:]].mean().item()}

    def evaluation_weight(self, data):
        return data.batch()["tokens"][:, 1:].numel()


def test_text_is_judged_by_bits_per_byte_and_repetition(pydoc, monkeypatch):
    """A model of single bytes is the baseline itself; a text of one letter repeats itself."""
    monkeypatch.setattr(estimate, "_SPLITS", 20)
    model = Counted(pydoc[0])
    found = metrics_of({"text": Text("a" * 1000)}, pydoc, model)
    assert found["bits_per_byte"]["samples"] == pytest.approx(model.evaluate(pydoc[1])["bits_per_byte"], rel=1e-6)
    assert found["bits_per_byte"]["samples"] == pytest.approx(found["bits_per_byte"]["baseline"], rel=0.01)
    assert found["perplexity"] == pytest.approx({kind: 2**bits for kind, bits in found["bits_per_byte"].items()})
    assert found["distinct_4"]["samples"] == pytest.approx(1 / 253)
    assert found["distinct_4"]["samples"] < found["distinct_4"]["real"] < found["distinct_4"]["baseline"]


def as_text(tokens):
    return bytes(tokens.flatten().tolist()).decode(errors="ignore")


def test_passages_are_judged_by_what_predicts_their_bytes(pydoc, monkeypatch):
    """Passages with their bytes shuffled: between real ones and independent bytes. One passage, repeated, is no variety."""
    monkeypatch.setattr(estimate, "_SPLITS", 20)
    passages = pydoc[0].stream[: 256 * 1600].view(-1, 256)[::8]
    shuffled = passages.gather(1, torch.rand(passages.shape, generator=seeded()).argsort(1))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        compared, found = sample_metrics({"text": Text(as_text(shuffled))}, None, *pydoc, seeded())
    assert torch.equal(torch.get_rng_state(), before)
    assert found == sample_metrics({"text": Text(as_text(shuffled))}, None, *pydoc, seeded())[1]
    assert "passages of 256, the mean of a hidden layer of a network that predicts a byte from 8" in compared
    distance, precision, recall = (
        {kind: part.value for kind, part in found[name].items()} for name in ("frechet_distance", "precision", "recall")
    )
    # 0.6: the help pages are those of the running Python; with 3.13's the ratio is 0.56
    assert 4 * distance["real"] < distance["samples"] < 0.6 * distance["baseline"]
    assert recall["baseline"] < 0.2 < recall["samples"] < 0.7 < recall["real"]
    assert precision["samples"] < 0.6 < 0.8 < precision["real"]
    repeated = metrics_of({"text": Text(as_text(passages[100]) * 100)}, pydoc)
    assert repeated["precision"]["samples"] == 1 and repeated["recall"]["samples"] < 0.02
    assert next_byte.cache_info().misses == 1  # trained once for all three


def test_too_little_text_for_features_is_reported(pydoc):
    few, _ = sample_metrics({"text": Text("ab " * 1600)}, None, *pydoc, seeded())
    assert few == "bytes; features are not, of 18 passages of 256 bytes, fewer than 20: give more --samples"
    short = [replace(part, stream=part.stream[:8000]) for part in pydoc]
    few, _ = sample_metrics({"text": Text("ab " * 9000)}, None, *short, seeded())
    assert few == "bytes; features are not, of 15 passages of 256 bytes, fewer than 20: the training text is too short"


class TensorData:
    """Windows of tokens, [N, T]."""

    description = {}

    def __init__(self, windows):
        self.windows = windows

    def __len__(self):
        return len(self.windows)

    def batch(self, indices=slice(None)):
        return {"tokens": self.windows[indices]}


class HarderLater(torch.nn.Module):
    """Needs 1 bit for every byte of the first half of 800 windows, 3 for those of the second."""

    def evaluate(self, data):
        return {"bits_per_byte": data.batch()["tokens"].double().mean().item()}

    def evaluation_weight(self, data):
        return len(data)


def test_the_interval_of_a_text_accounts_for_correlated_neighbors():
    """40 blocks, of which half have 1 and half 3: a standard deviation of 1 / sqrt(40). Blocks of every 40th window had none."""
    windows = torch.tensor([1, 3]).repeat_interleave(400)[:, None].expand(-1, 5)
    data = TensorData(windows)
    _, found = sample_metrics({"text": Text("a")}, HarderLater(), data, data, seeded())
    estimate = found["bits_per_byte"]["samples"]
    assert estimate.value == 2
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 / 40**0.5, rel=0.25)


@pytest.mark.parametrize(
    ("artifacts", "complaint"),
    [
        ({"points": Figure(None)}, "the samples are points: figures"),
        ({"samples": ImageGrid(torch.rand(30, 1, 9, 9), 8)}, r"samples have shape \[1, 9, 9\] and the data \[1, 8, 8\]"),
        ({"samples": ImageGrid(torch.rand(19, 1, 8, 8), 8)}, "19 samples or training examples are too few"),
    ],
)
def test_what_cannot_be_judged_is_reported(artifacts, complaint, digits):
    with pytest.raises(RunError, match=complaint):
        sample_metrics(artifacts, SimpleNamespace(), *digits, seeded())
