"""Prepared sounds: windows of the mapped samples are what was recorded; whatever is wrong is named or, if asked, left out."""

import json
import pickle
import signal

import numpy as np
import pytest
import soundfile
import torch

from practice_torch.data import audio
from practice_torch.data.errors import DataError
from practice_torch.data.preparation import prepare_audio
from practice_torch.data.preparation.prepared import open_prepared
from tests.data.test_sources import archive, saved, table
from tests.support.data.files import one_line
from tests.support.engine.forks import codes_of, fork


def ramp(number, frames):
    """Samples that tell which sound they are of, and which of its samples they are."""
    return (np.arange(frames) + 3000 * number).astype(np.int16)


def save(path, samples, rate=8000, subtype="PCM_16"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype, format=path.suffix[1:].upper())
    return path


def prepare(out, *sources, said=None, **options):
    options = {"workers": 1, "sample_rate": 8000} | options
    say = (lambda line: None) if said is None else said.append
    return prepare_audio.prepare(sources, out, prepare_audio.Options(**options), say)


def refused(function, *arguments, say=(), **options):
    with pytest.raises(DataError) as error:
        function(*arguments, **options)
    message = one_line(error)
    assert all(str(word) in message for word in say), message


def sixteen(sounds):
    """The values of 16 bits: exact, since they are divided by a power of two."""
    return (sounds[:, 0] * 2**15).int()


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of three rows."""
    monkeypatch.setattr("practice_torch.data.preparation.preparing_rows.MOST_ROWS", 3)


FRAMES = (50, 100, 199, 200, 201, 450, 130, 999)


@pytest.fixture
def out(tmp_path, small_shards):
    """Eight sounds of lengths below, between and above one and two windows of 100, prepared; labels by their names."""
    for number, frames in enumerate(FRAMES):
        save(tmp_path / "in" / f"{number % 2}_{number}.{('wav', 'flac')[number // 4]}", ramp(number, frames))
    prepare(tmp_path / "out", tmp_path / "in")
    return tmp_path / "out"


def numbers(batch):
    """Which sound each window is of, of those above."""
    return (sixteen(batch["audio"]).amax(1) // 3000).tolist()


def test_every_sample_of_every_sound_is_in_one_part(out):
    assert open_prepared(out, "audio").counts == [3, 3, 2]
    train, held_out = audio.load(out, length=100, held_out=0.25, seed=1)
    windows = train.batch(torch.arange(len(train)))
    parts = [set(numbers(windows)), set(numbers(held_out.batch()))]
    assert not parts[0] & parts[1] and parts[0] | parts[1] == set(range(8)) and len(parts[1]) == 2
    seen = set(torch.cat([sixteen(windows["audio"]).flatten(), sixteen(held_out.batch()["audio"]).flatten()]).tolist())
    missing = set(np.concatenate([ramp(n, frames) for n, frames in enumerate(FRAMES)]).tolist()) - seen
    assert {(sample // 3000, sample % 3000 >= 100) for sample in missing} <= {(2, True), (6, True)}  # of less than two lengths
    counts = {number: numbers(windows).count(number) for number in parts[0]}
    assert counts == {n: count for n, count in enumerate((1, 1, 1, 2, 3, 5, 1, 10)) if n in parts[0]}
    begun = (sixteen(windows["audio"])[:, 0] % 3000)[torch.tensor([n == 7 for n in numbers(windows)])]
    assert begun.tolist() == [number * 899 // 9 for number in range(10)]
    assert windows["label"].tolist() == [n % 2 for n in numbers(windows)] and train.description["classes"] == ["0", "1"]
    assert (len(train), len(held_out)) == (train.description["count"], held_out.description["count"])
    assert json.loads(json.dumps(train.description)) == train.description
    assert train.resident_bytes == 400 * len(train)


def test_the_resident_set_is_the_streamed_one(out):
    train, _ = audio.load(out, length=100, seed=2)
    indices = torch.tensor([3, 0, len(train) - 1])
    for one in (train.resident(), pickle.loads(pickle.dumps(train))):
        first, second = one.batch(indices), train.batch(indices)
        assert first["audio"].equal(second["audio"]) and first["label"].equal(second["label"])


def test_random_windows_begin_everywhere_and_depend_on_the_draws_alone(out):
    train, _ = audio.load(out, length=100, held_out=0.1, seed=0)
    fixed = train.batch(torch.arange(len(train)))
    index = torch.tensor([n for n, number in enumerate(numbers(fixed)) if number == 7])
    assert len(index) == 10
    begun = []
    for first in range(0, 4000, 10):
        found = sixteen(train.batch(index, torch.arange(first, first + 10))["audio"])
        assert (found.diff(dim=1) == 1).all()  # one piece of the sound each
        begun.append(found[:, 0] - 21_000)
    begun = torch.stack(begun)
    assert begun.min() == 0 and begun.max() == 899  # 999 - 100
    for number in range(10):  # each in its own tenth
        assert begun[:, number].min() >= 90 * number and begun[:, number].max() <= 90 * (number + 1)
    shares = begun.flatten().bincount(minlength=900).view(9, 100).sum(1)
    assert shares.tolist() == pytest.approx([4000 / 9] * 9, abs=5 * (4000 / 9) ** 0.5)
    order = torch.tensor([7, 3])
    again = train.batch(index[order], order + 3990)["audio"]
    assert sixteen(again)[:, 0].tolist() == (begun[-1][order] + 21_000).tolist()


def test_a_sound_shorter_than_the_window_is_followed_by_silence(out):
    train, held_out = audio.load(out, length=100, seed=1)
    for part, draws in ((train, torch.arange(len(train))), (train, None), (held_out, None)):
        everything = part.batch(torch.arange(len(part)), draws) if part is train else part.batch()
        for window in sixteen(everything["audio"])[torch.tensor(numbers(everything)) == 0]:
            assert window.tolist() == [*range(50), *[0] * 50]


def test_other_rates_and_channels(tmp_path):
    time = np.arange(44_100) / 44_100
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    save(tmp_path / "in" / "a.wav", np.stack([tone, tone, tone], 1), 44_100, "FLOAT")
    save(tmp_path / "in" / "b.flac", np.stack([tone, -tone], 1), 44_100)
    save(tmp_path / "in" / "c.wav", 3 * tone[:22_050:2], 22_050, "FLOAT")
    manifest = prepare(tmp_path / "out", tmp_path / "in").manifest
    assert manifest["remarks"] == [
        "sounds of up to 3 channels are averaged to one",
        "resampled from 22050 to 44100 Hz to 8000 Hz",
        "1 of 3 sounds is beyond full scale and scaled down",
        "1 of 3 sounds is silent throughout",
    ]
    train, held_out = audio.load(tmp_path / "out", length=4000, held_out=0.4)
    assert train.description["remarks"] == manifest["remarks"]
    windows = torch.cat([train.batch(torch.arange(len(train)))["audio"], held_out.batch()["audio"]])[:, 0]
    loud = windows[windows.abs().amax(1) > 0]
    assert len(loud) == 3 and len(windows) == 5  # two seconds and half a one, in windows of half a second
    assert (torch.fft.rfft(loud * torch.hann_window(4000)).abs().argmax(1) * 2).tolist() == [440] * 3
    refused(audio.load, tmp_path / "out", sample_rate=16_000, length=10, say=["prepared at 8000 Hz", "--sample-rate 8000"])


def test_archives_and_tables(tmp_path):
    content = [save(tmp_path / "x.flac", ramp(number, 120)).read_bytes() for number in range(4)]
    tar = archive(
        tmp_path / "a.tar",
        *[part for n, raw in enumerate(content) for part in ((f"{n}.flac", raw), (f"{n}.cls", b"%d" % (n % 2)))],
    )
    folder = saved(tmp_path / "data", table([(raw, n % 2) for n, raw in enumerate(content)], ["no", "yes"], column="audio"))
    found = []
    for name, source in (("one", tar), ("two", folder)):
        prepare(tmp_path / name, source)
        train, _ = audio.load(tmp_path / name, length=100, seed=3)
        batch = train.batch(torch.arange(len(train)))
        found.append((numbers(batch), batch["label"].tolist()))
    assert found[0] == found[1] and len(found[0][0]) == 3
    assert open_prepared(tmp_path / "two").manifest["classes"] == ["no", "yes"]


def test_held_out_windows_are_few_however_long_the_sounds(tmp_path, monkeypatch):
    monkeypatch.setattr("practice_torch.data.streams.streamed_sounds.MOST_HELD_OUT", 7)
    for number in range(9):
        save(tmp_path / "in" / f"{number}.wav", ramp(number, 3000))
    prepare(tmp_path / "out", tmp_path / "in")
    train, held_out = audio.load(tmp_path / "out", length=100, held_out=0.3)
    assert (len(train), len(held_out)) == (180, 7) and not set(numbers(held_out.batch())) & set(
        numbers(train.batch(torch.arange(180)))
    )


def test_one_that_is_not_usable_in_the_middle_of_many(tmp_path, small_shards):
    for number in range(7):
        save(tmp_path / "in" / f"{number}.wav", ramp(number, 120))
    wrong = tmp_path / "in" / "3x.wav"
    for content, why in ((b"", "empty"), ((tmp_path / "in" / "1.wav").read_bytes()[:200], "damaged"), (b"ID3", "neither wav")):
        wrong.write_bytes(content)
        refused(prepare, tmp_path / why, tmp_path / "in", say=[wrong, why, "--skip-unusable leaves such sounds out"])
        manifest = prepare(tmp_path / f"{why} skipped", tmp_path / "in", skip_unusable=True).manifest
        assert manifest["count"] == 7 and str(wrong) in manifest["remarks"][1]
    wrong.unlink()
    for number in range(1, 7):
        (tmp_path / "in" / f"{number}.wav").unlink()
    prepare(tmp_path / "alone", tmp_path / "in")
    refused(audio.load, tmp_path / "alone", say=["1 found", "at least 2"])


def test_a_killed_preparation_goes_on_to_the_same_bytes(tmp_path, out, monkeypatch):
    def killed():
        own, seen = prepare_audio._row, []

        def row(*arguments):
            seen.append(arguments)
            if len(seen) == 5:
                signal.raise_signal(signal.SIGKILL)
            return own(*arguments)

        monkeypatch.setattr(prepare_audio, "_row", row)
        prepare(tmp_path / "again", tmp_path / "in")

    assert codes_of([fork(killed, {})]) == [-signal.SIGKILL]
    refused(audio.load, tmp_path / "again", say=["prepare was not finished"])
    prepare(tmp_path / "again", tmp_path / "in")
    first, second = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in (out, tmp_path / "again"))
    assert first == second


def test_options():
    for rate in (0, 999, 10**6):
        with pytest.raises(ValueError, match="sample_rate is"):
            prepare_audio.Options(sample_rate=rate)
