"""Sounds of a model: the file holds the samples without wrapping around, and the spectrogram shows them."""

import json

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from practice_torch.engine.artifacts import PAUSE, Audio
from practice_torch.engine.spectrogram import FLOOR, spectrogram
from practice_torch.engine.storage.run import save_artifacts


def stored(folder, artifact):
    """The 16-bit samples of the file that the artifact becomes, and its caption."""
    sound, picture = save_artifacts({"a": artifact}, folder, prefix="00000007-")
    assert (sound.name, picture.name) == ("00000007-a.wav", "00000007-a.png")
    assert sorted(path.name for path in folder.iterdir()) == ["00000007-a.png", "00000007-a.wav", "captions.json"]
    captions = json.loads((folder / "captions.json").read_text())
    assert captions[sound.name] == captions[picture.name] == artifact.caption
    info = soundfile.info(sound)
    assert (info.samplerate, info.channels, info.subtype) == (artifact.sample_rate, 1, "PCM_16")
    return soundfile.read(sound, dtype="int16")[0]


def test_sixteen_bits_are_written_as_they_are(tmp_path):
    steps = torch.arange(-(2**15), 2**15, 7)
    assert stored(tmp_path, Audio(steps / 2**15, 22_050, "All of them")).tolist() == steps.tolist()


def test_full_scale_does_not_wrap_around(tmp_path):
    artifact = Audio(torch.tensor([1.0, -1.0, 0.0, 0.99999]), 8000)
    assert artifact.caption == ""
    assert stored(tmp_path, artifact).tolist() == [32767, -32768, 0, 32767]


def test_sounds_beyond_full_scale_are_scaled_down_with_a_note(tmp_path):
    sound = torch.tensor([[0.5, -2.0, 1.0], [0.25, 0.0, 1.5]])
    artifact = Audio(sound, 40, "Loud")
    assert artifact.caption == "Loud; scaled down from 2 times full scale"
    assert stored(tmp_path, artifact).tolist() == [8192, -32768, 16384, *[0] * 6, 4096, 0, 24576]  # both by the same factor
    assert artifact.samples is sound  # no one's tensor is changed


def test_non_finite_samples_become_silence_with_a_note(tmp_path):
    for wrong in (float("nan"), float("inf")):
        artifact = Audio(torch.tensor([0.5, wrong, -wrong, 0.25]), 8000)
        assert artifact.caption == "2 of 4 samples are not finite and were set to 0"
        assert stored(tmp_path, artifact).tolist() == [16384, 0, 0, 8192]


def test_several_sounds_with_pauses_between(tmp_path):
    sounds = torch.rand(3, 400, dtype=torch.float64) * 0.9
    played, pause = stored(tmp_path, Audio(sounds.requires_grad_(), 1000)), round(1000 * PAUSE)
    assert len(played) == 3 * 400 + 2 * pause
    for index in range(3):
        start = index * (400 + pause)
        assert played[start : start + 400] == pytest.approx(sounds[index].detach().numpy() * 2**15, abs=0.51)
        assert not played[start + 400 : start + 400 + pause].any()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 1, 8)])
def test_shapes_that_are_no_sounds(shape):
    with pytest.raises(ValueError, match=r"samples has shape .*\[T\] or \[N, T\]"):
        Audio(torch.zeros(shape), 8000)


def test_a_spectrogram_peaks_where_the_tones_are():
    rate, time = 8000, torch.arange(8000, dtype=torch.float64) / 8000
    tones = torch.where(time < 0.5, torch.sin(2 * np.pi * 1000 * time), 0.01 * torch.sin(2 * np.pi * 3000 * time))
    decibels, step = spectrogram(tones, rate)
    frequency = decibels.argmax(0) * rate / 2 / (len(decibels) - 1)
    seconds = torch.arange(decibels.shape[1]) * step
    assert set(frequency[(seconds > 0.05) & (seconds < 0.45)].tolist()) == {1000.0}
    late = (seconds > 0.55) & (seconds < 0.95)
    assert set(frequency[late].tolist()) == {3000.0}
    assert decibels[:, late].max().item() == pytest.approx(-40, abs=0.1) and decibels.max() == 0 and decibels.min() == FLOOR


@pytest.mark.parametrize(("samples", "rate"), [(torch.zeros(1), 8000), (torch.zeros(300), 44_100), (torch.ones(5), 8)])
def test_silence_and_the_shortest_sounds_are_drawn(tmp_path, samples, rate):
    stored(tmp_path, Audio(samples, rate))
    pixels = np.asarray(Image.open(tmp_path / "00000007-a.png").convert("RGB"))
    assert pixels.shape[1] >= 600
    if not samples.any():
        assert spectrogram(samples, rate)[0].eq(FLOOR).all()


def test_a_long_sound_has_a_picture_of_bounded_size():
    decibels, step = spectrogram(torch.zeros(8000 * 600), 8000)
    assert decibels.shape[1] <= 2010 and decibels.shape[1] * step == pytest.approx(600, rel=0.01)
