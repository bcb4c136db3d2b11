"""Spectra as images, by a second computation; the sounds of spectra; and the messages for sizes that do not fit."""

import numpy as np
import pytest
import scipy.io.wavfile
import torch

from practice_torch.data import audio, spectra
from practice_torch.data.errors import DataError
from practice_torch.data.preparation import prepare_audio
from practice_torch.experiments.codes.sound_codes import nearest_note
from practice_torch.experiments.media.heard import griffin_lim
from tests.support.data.spectra import images_of, sounds_of

SIZES = dict(sample_rate=4000, length=256, window=64, hop=16)


def test_images_are_the_spectra_of_the_sounds_of_the_same_split():
    train, rest = spectra.load("notes", held_out=0.25, seed=3, notes=52, **SIZES)
    sounds = audio.load("notes", held_out=0.25, seed=3, notes=52, sample_rate=4000, length=256)
    for part, known in zip((train, rest), sounds, strict=True):
        batch, heard = part.batch(), known.batch()
        assert batch["image"].shape == (len(known), 1, 32, 16) and torch.equal(batch["label"], heard["label"])
        np.testing.assert_allclose(batch["image"][:, 0], images_of(heard["audio"][:, 0], 64, 16), atol=1e-3)
    assert train.description["shape"] == [1, 32, 16] and train.description["frequencies"] == list(audio.FREQUENCIES)
    assert (len(train), len(rest)) == (39, 13)


def test_a_tone_of_full_scale_is_white_at_its_row_and_silence_is_black():
    time = torch.arange(256) / 4000
    tone = torch.sin(2 * torch.pi * 1000 * time)[None]  # the sixteenth of 32 frequencies, 62.5 Hz apart
    image = spectra.spectra(tone, window=64, hop=16)[0]
    inner = image[:, 3:-3]
    assert inner.argmax(0).eq(32 - 16).all() and inner.amax() == pytest.approx(1, abs=1e-3)
    assert spectra.spectra(tone / 100, window=64, hop=16)[0, 16, 8] == pytest.approx(0.5, abs=1e-3)  # 40 dB of 80
    assert spectra.spectra(0 * tone, window=64, hop=16).eq(0).all()


@pytest.mark.parametrize(("window", "hop"), [(64, 64), (64, 32), (64, 16), (2, 2)])
def test_a_sound_comes_back_from_its_transform(window, hop):
    """But where hardly any window reaches: the first and last samples of frames that do not overlap."""
    sounds = torch.randn(3, 4 * window, dtype=torch.float64)
    again = spectra.inverse(spectra.transform(sounds, window=window, hop=hop), hop=hop)
    reached = torch.hann_window(window, dtype=torch.float64).repeat(4) > 1e-3 if hop == window else slice(None)
    torch.testing.assert_close(again[:, reached], sounds[:, reached])


def test_magnitudes_are_those_of_the_image_and_black_is_silent():
    sounds = 0.3 * torch.randn(2, 256, dtype=torch.float64)
    image = spectra.spectra(sounds, window=64, hop=16)
    found, known = spectra.magnitudes(image, window=64), spectra.transform(sounds, window=64, hop=16).abs()
    torch.testing.assert_close(found[:, 1:], known[:, 1:])
    assert found[:, 0].eq(0).all() and spectra.magnitudes(0 * image, window=64).eq(0).all()


def test_sounds_of_spectra_have_their_notes_and_nearly_their_spectra():
    _, rest = spectra.load("notes", notes=130, sample_rate=4000, length=1024, window=128, hop=32)
    images, errors = rest.pixels[:, 0].double(), []
    for rounds in (0, 1, 60):
        draws = torch.Generator().manual_seed(0)
        sounds = griffin_lim(spectra.magnitudes(images, window=128), hop=32, generator=draws, rounds=rounds)
        errors.append(80 * (spectra.spectra(sounds, window=128, hop=32) - images).abs().mean())
    assert errors[0] > errors[1] > errors[2] and errors[2] < 3  # dB
    assert nearest_note(sounds, audio.FREQUENCIES, 4000).eq(rest.labels).double().mean() > 0.9
    few = griffin_lim(spectra.magnitudes(images[:2], window=128), hop=32, generator=draws.manual_seed(0), rounds=2)
    turns = torch.rand(2, 65, 32, generator=draws.manual_seed(0), dtype=torch.float64)
    np.testing.assert_allclose(few, sounds_of(images[:2], turns, 32, 2), atol=1e-9)


def test_spectra_of_a_folder_have_its_labels(tmp_path):
    for name in ("high", "low"):
        (tmp_path / name).mkdir()
        for number in range(3):
            scipy.io.wavfile.write(tmp_path / name / f"{number}.wav", 4000, np.full(300, 9000 + number, np.int16))
    train, rest = spectra.load(tmp_path, held_out=0.4, **SIZES)
    assert train.description["classes"] == ["high", "low"] and len(train) + len(rest) >= 6
    assert train.batch(torch.tensor([0]))["image"].shape == (1, 1, 32, 16)
    options = prepare_audio.Options(workers=1, sample_rate=4000)
    prepare_audio.prepare((tmp_path,), tmp_path.parent / f"{tmp_path.name}-prepared", options, lambda line: None)
    again, kept = spectra.load(tmp_path.parent / f"{tmp_path.name}-prepared", held_out=0.4, **SIZES)
    both = lambda *parts: sorted(torch.cat([part.pixels for part in parts]).flatten(1).sum(1).tolist())  # noqa: E731
    assert both(again, kept) == pytest.approx(both(train, rest), abs=1e-2) and again.description["classes"] == ["high", "low"]


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (dict(window=63), "window is 63; it must be an even number"),
        (dict(hop=15), "hop is 15; it must be even, and at most window (64)"),
        (dict(hop=0), "hop is 0; it must be positive"),
        (dict(hop=66), "hop is 66; it must be even, and at most window (64)"),
        (dict(length=260), "length is 260; it must be a multiple of hop (16)"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, words):
    with pytest.raises(DataError) as refused:
        spectra.load("notes", **SIZES | sizes)
    assert str(refused.value) == words


def test_spectra_without_data_have_the_same_description():
    train, blank = spectra.load("notes", **SIZES)[0], spectra.blank("notes", {}, **SIZES)
    assert {name: blank.description[name] for name in ("shape", "classes", "frequencies", "sample_rate")} == {
        name: train.description[name] for name in ("shape", "classes", "frequencies", "sample_rate")
    }
    first = torch.tensor([0, 1])
    for name, part in blank.batch(first).items():
        assert part.shape == train.batch(first)[name].shape and part.dtype == train.batch(first)[name].dtype
