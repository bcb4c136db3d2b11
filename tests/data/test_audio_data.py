"""Sounds: every rate, length and number of channels becomes one form; whatever is wrong is one clear line."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from practice_torch.data import audio, notes
from practice_torch.engine.batches.datasets import load_data
from tests.commands.test_practice_commands import call
from tests.commands.test_practice_commands import refused as refused_line
from tests.support.data.files import damaged, everything, refused, shared
from tests.support.engine.toys import SoundRecipe

RNG = np.random.default_rng(0)


def sine(frequency, rate, seconds, level=0.5):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def save(path, samples, rate=8000, subtype="PCM_16"):
    """The path, with these samples [T] or [T, C] in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype, format=path.suffix[1:].upper())
    return path


def whole(folder, **options):
    """All sounds [N, T] of a folder, ordered by file, and the remarks: the split is undone by the labels that stand for it."""
    parts = audio.load(folder, **options)
    order = everything(parts, "label").argsort(stable=True)
    return everything(parts, "audio")[order, 0], parts[0].description["remarks"]


# ---------------------------------------------------------------------------------------------------- notes


def test_notes_are_drawn_from_the_seed():
    train, held_out = audio.load("notes", seed=3)
    assert (len(train), len(held_out)) == (208, 52)
    batch = train.batch(torch.tensor([5, 0, 7]))
    assert batch["audio"].shape == (3, 1, 1024) and batch["audio"].dtype == torch.float32
    assert batch["label"].dtype == torch.int64 and batch["label"].equal(train.labels[[5, 0, 7]])
    assert everything((train, held_out), "label").bincount().tolist() == [20] * 13
    assert train.sounds.equal(audio.load("notes", seed=3)[0].sounds)
    assert not train.sounds.equal(audio.load("notes", seed=4)[0].sounds)
    first, second = (json.loads(json.dumps(part.description)) for part in (train, held_out))
    assert first == second | {"split": "train", "count": 208}
    assert (first["sample_rate"], first["length"], first["shape"]) == (8000, 1024, [1, 1024])
    assert first["classes"][0] == "A3" and first["frequencies"][12] == pytest.approx(440)
    assert first["remarks"] == [] and len(first["sha256"]) == 64


@pytest.mark.parametrize(("sample_rate", "length"), [(8000, 1024), (16000, 4096), (2000, 1000)])
def test_the_strongest_frequency_of_a_note_is_its_pitch(sample_rate, length):
    parts = audio.load("notes", seed=1, sample_rate=sample_rate, length=length)
    sounds, labels = everything(parts, "audio")[:, 0], everything(parts, "label")
    strongest = torch.fft.rfft(sounds * torch.hann_window(length)).abs().argmax(1) * sample_rate / length
    wanted = torch.tensor(notes.FREQUENCIES)[labels]
    assert float((strongest - wanted).abs().max()) <= 0.5001 * sample_rate / length
    peaks = sounds.abs().amax(1)
    assert float(peaks.min()) >= 0.3 and float(peaks.max()) <= 0.9


def test_notes_fade_and_neither_begin_nor_end_at_once():
    sounds = audio.load("notes")[0].sounds
    early, late = sounds[:, 50:250].square().mean(1), sounds[:, 774:974].square().mean(1)
    assert bool((late < 0.8 * early).all())
    assert float(sounds[:, [0, -1]].abs().max()) == 0


def test_no_harmonic_is_folded_back():
    """At 1 kHz only the fundamental of A4 is below half the rate: anything elsewhere would be aliases."""
    sounds, labels = notes.synthesize(26, length=1000, sample_rate=1000, generator=torch.Generator().manual_seed(0))
    power = torch.fft.rfft(sounds[labels == 12].double() * torch.hann_window(1000, dtype=torch.float64)).abs().square()
    near = torch.zeros(501, dtype=torch.bool)
    near[380:501] = True
    assert float(power[:, ~near].sum() / power.sum()) < 1e-3


# ---------------------------------------------------------------------------------------------------- folders


def test_a_folder_per_label(tmp_path):
    for name in ("10", "2", "sea"):
        for index in range(2):
            save(tmp_path / name / f"{index}.wav", sine(100 * len(name), 8000, 0.05))
    parts = audio.load(tmp_path, length=300)
    assert parts[0].description["classes"] == ["2", "10", "sea"]
    assert everything(parts, "label").sort().values.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("7_jackson_0.wav", "3_theo_1.wav", "10-a.wav", "7 b.flac"), ["3", "7", "10"]),
        (("0.wav", "1.wav", "2.wav"), None),  # these are only numbered
        (("7_jackson_0.wav", "theo_1.wav"), None),
    ],
)
def test_file_names_that_begin_with_their_label(tmp_path, names, classes):
    for name in names:
        save(tmp_path / name, sine(200, 8000, 0.05))
    train, held_out = audio.load(tmp_path, length=100)
    assert train.description["classes"] == classes
    assert ("label" in held_out.batch()) == (classes is not None)


def test_sixteen_bits_come_back_as_they_were(tmp_path):
    stored = RNG.integers(-(2**15), 2**15, (6, 64), dtype=np.int16)
    for index, row in enumerate(stored):
        save(tmp_path / f"{index}_x.{('wav', 'flac')[index % 2]}", row)
    sounds, remarks = whole(tmp_path, length=64)
    assert sounds.mul(2**15).equal(torch.from_numpy(stored).float()) and remarks == []


@pytest.mark.parametrize("rate", [44_100, 48_000, 22_050, 8_000, 6_000, 44_101])
def test_a_tone_keeps_its_frequency_and_its_level(tmp_path, rate):
    """Recorded in stereo at any rate, 440 Hz are 440 Hz at 8 kHz; 44101 and 8000 have no common divisor."""
    for index, level in enumerate((0.25, 0.5)):
        tone = sine(440, rate, 1.2, level)
        save(tmp_path / f"{index}_tone.wav", np.stack((tone, tone), axis=1), rate)
    sounds, remarks = whole(tmp_path, length=8000)
    spectrum = torch.fft.rfft(sounds[:, 1000:5000] * torch.hann_window(4000, periodic=True)).abs()
    assert spectrum.argmax(1).tolist() == [220, 220]  # bins of 2 Hz
    assert (spectrum[:, 220] / 1000).tolist() == pytest.approx([0.25, 0.5], rel=2e-3)
    aside = spectrum.clone()
    aside[:, 215:226] = 0
    assert float(aside.max() / spectrum.max()) < 1e-3  # nothing folded back
    assert ("resampled to 8000 Hz" in remarks[-1]) == (rate != 8000)


def test_what_is_above_half_the_rate_is_gone(tmp_path):
    for index, frequency in enumerate((3500, 4100, 5000)):
        save(tmp_path / f"{index}_high.wav", sine(frequency, 44_100, 0.5), 44_100)
    sounds, _ = whole(tmp_path, length=4000)
    level = sounds[:, 500:3500].square().mean(1).mul(2).sqrt() / 0.5
    assert level.tolist() == pytest.approx([1, 0, 0], abs=3e-3)  # 4.1 kHz would be heard as 3.9, 5 kHz as 3


def test_channels_are_averaged(tmp_path):
    first, second = sine(300, 8000, 0.1, 0.2), sine(700, 8000, 0.1, 0.6)
    save(tmp_path / "0_a.wav", np.stack((first, second, second), axis=1), subtype="FLOAT")
    save(tmp_path / "1_b.wav", np.stack((first, -first), axis=1), subtype="FLOAT")
    sounds, remarks = whole(tmp_path, length=800)
    assert sounds[0].numpy() == pytest.approx((first + 2 * second) / 3, abs=1e-6)
    assert float(sounds[1].abs().max()) == 0
    assert remarks == [
        "2 of 2 sounds are of several channels and averaged: 0_a.wav, for one",
        "1 of 2 sounds is silent throughout: 1_b.wav",
    ]


def test_lengths(tmp_path):
    tone = sine(437, 8000, 0.1) + 0.1
    quiet = np.concatenate((np.full(300, 1e-3), tone))  # 300 samples below 1% of the peak, and 800 of sound
    for index, samples in enumerate((tone, tone[:500], quiet, np.concatenate((quiet, tone[:400])))):
        save(tmp_path / f"{index}_x.wav", samples, subtype="FLOAT")
    sounds, remarks = whole(tmp_path, length=800)
    assert sounds[0].numpy() == pytest.approx(tone, abs=1e-6)
    assert sounds[1, :500].numpy() == pytest.approx(tone[:500], abs=1e-6) and not sounds[1, 500:].any()
    for row in sounds[2:]:  # cut to what comes after the silence
        assert row.numpy() == pytest.approx(tone, abs=1e-6)
    assert remarks == [
        "2 of 4 sounds are longer than 800 samples (0.1 s) and cut: 2_x.wav, for one",
        "1 of 4 sounds is shorter than 800 samples (0.1 s) and padded with silence: 1_x.wav",
    ]
    late, _ = whole(tmp_path, length=1000)  # silence is cut only as far as there is too much
    assert late[2].numpy() == pytest.approx(quiet[100:], abs=1e-6)


def test_a_long_sound_gives_windows_that_cover_it_all_in_one_part(tmp_path):
    """Sounds of 99 to 450 samples, each a different ramp; of 450, windows of 100 begin at 0, 87, 175, 262, 350."""
    counts = {99: 1, 100: 1, 199: 1, 200: 2, 201: 3, 450: 5}
    for index, frames in enumerate(counts):
        save(tmp_path / f"{index}_x.wav", (1000 * (index + 1) + np.arange(frames)).astype(np.int16))
    parts = audio.load(tmp_path, length=100, held_out=0.5, seed=1)
    examples = everything(parts, "audio")[:, 0].mul(2**15).round().int()
    owners = [set((part.batch()["audio"][:, 0, 0] * 2**15).round().div(1000, rounding_mode="floor").tolist()) for part in parts]
    assert not owners[0] & owners[1] and owners[0] | owners[1] == {1, 2, 3, 4, 5, 6}
    for index, (frames, count) in enumerate(counts.items()):
        own = examples[examples[:, 0] // 1000 == index + 1]
        begun = (own[:, 0] - 1000 * (index + 1)).sort().values.tolist()
        assert (
            len(own) == count
            and begun[0] == 0
            and set(own.flatten().tolist()) - {0}
            == {1000 * (index + 1) + place for place in range(100 if count == 1 else frames) if frames != 99 or place < 99}
        )
    assert begun == [0, 87, 175, 262, 350]
    assert (
        "3 of 6 sounds are longer than two times 100 samples (0.0125 s) and give several examples: 3_x.wav, for one"
        in (parts[0].description["remarks"])
    )


def test_beyond_full_scale_and_clipped(tmp_path):
    loud = sine(200, 8000, 0.1, 2.5)
    save(tmp_path / "0_loud.wav", loud, subtype="FLOAT")
    save(tmp_path / "1_clipped.wav", np.clip(loud, -1, 1))
    save(tmp_path / "2_nearly.wav", sine(200, 8000, 0.1, 0.97))
    sounds, remarks = whole(tmp_path, length=800)
    assert sounds[0].numpy() == pytest.approx(loud / np.abs(loud).max(), abs=1e-6)  # scaled, neither cut nor wrapped
    assert float(sounds.abs().max()) <= 1
    assert remarks[0] == "1 of 3 sounds is beyond full scale and scaled down: 0_loud.wav"
    assert remarks[1].startswith("1 of 3 sounds is clipped") and remarks[1].endswith("1_clipped.wav")
    again, remarks = whole(tmp_path, length=1600, sample_rate=16_000)  # the resampled corners of 1_clipped overshoot
    assert float(again.abs().max()) <= 1
    assert any(remark.startswith("2 of 3 sounds are beyond full scale") for remark in remarks)


def test_the_digest_is_of_the_files_and_their_labels(tmp_path):
    def digest():
        return audio.load(tmp_path / "data", length=50)[0].description["sha256"]

    for index in range(3):
        save(tmp_path / "data" / f"{index}_x.wav", sine(100 + index, 8000, 0.02))
    before = digest()
    (tmp_path / "data").rename(tmp_path / "other")
    (tmp_path / "other").rename(tmp_path / "data")
    assert digest() == before
    (tmp_path / "data" / "1_x.wav").rename(tmp_path / "data" / "0_y.wav")
    renamed = digest()
    save(tmp_path / "data" / "2_x.wav", sine(102, 8000, 0.02, 0.4))
    assert len({before, renamed, digest()}) == 3


def test_spoken_digits():
    train, held_out = audio.load(shared("spoken_digits"), length=4096, held_out=0.1)
    assert (len(train), len(held_out)) == (2734, 304)  # of 2700 and 300: a few are of more than two lengths
    assert train.description["classes"] == [str(digit) for digit in range(10)]
    assert min(everything((train, held_out), "label").bincount().tolist()) == 300
    assert train.description["remarks"][0].startswith("17 of 3000 sounds are longer than two times 4096 samples (0.512 s)")
    assert train.description["remarks"][1].startswith("717 of 3000 sounds are longer than 4096 samples (0.512 s) and cut")
    assert float(train.sounds.abs().max()) <= 1
    assert float((train.sounds.abs().amax(1) > 0.005).float().mean()) > 0.99  # a last window may be the silence after a word


def test_moving_and_the_recipe(tmp_path):
    for index in range(4):
        save(tmp_path / f"{index}.wav", sine(100, 16_000, 0.1), 16_000)
    recipe = SoundRecipe(data=str(tmp_path), sample_rate=16_000, length=1200, held_out=0.25)
    train, held_out = load_data(recipe)
    assert train.batch()["audio"].shape == (3, 1, 1200) and train.description["sample_rate"] == 16_000
    assert held_out.to("cpu").batch(torch.tensor([0])).keys() == {"audio"}
    assert load_data(SoundRecipe())[0].description["name"] == "notes"
    for wrong in ({"length": 0}, {"sample_rate": -1}, {"steps": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            SoundRecipe(**wrong)


# ---------------------------------------------------------------------------------------------------- bad input


def test_bad_sources(tmp_path):
    refused(audio.load, tmp_path / "nowhere", "does not exist", "notes", "folder of wav and flac")
    refused(audio.load, "note", "did you mean 'notes'")
    refused(audio.load, tmp_path, "holds no sounds", "it is empty", ".wav .flac")
    (tmp_path / "a.mp3").write_bytes(b"ID3")
    refused(audio.load, tmp_path, "1 other files, e.g. a.mp3")
    refused(audio.load, tmp_path / "a.mp3", "is a file", "folder of wav")
    save(tmp_path / "a.wav", sine(100, 8000, 0.1))
    refused(audio.load, tmp_path / "a.wav", "is a file", f"give its folder, {tmp_path}")
    refused(audio.load, tmp_path, "1 found", "at least 2")
    save(tmp_path / "inner" / "b.wav", sine(100, 8000, 0.1))
    refused(audio.load, tmp_path, "both in itself (a.wav) and in sub-folders (inner/b.wav)")
    refused(audio.load, "notes", "length is 0", length=0)
    refused(audio.load, "notes", "sample_rate is -8000", sample_rate=-8000)
    refused(audio.load, "notes", "sample_rate is 880", "440 Hz", "above 880", sample_rate=880)
    refused(audio.load, "notes", "held_out is 1.5", held_out=1.5)


@pytest.mark.parametrize("kind", ["wav", "flac"])
@pytest.mark.parametrize("how", ["empty", "truncated", "foreign", "bit flips"])
def test_one_damaged_file(tmp_path, kind, how):
    for index in range(4):
        save(tmp_path / f"{index}.{kind}", RNG.uniform(-0.5, 0.5, 4000))
    spoilt = tmp_path / f"2.{kind}"
    content = damaged(spoilt.read_bytes())[how]
    if (kind, how) == ("wav", "bit flips"):  # samples of a wav file have no checksum: only its header can be seen to be wrong
        content = bytearray(spoilt.read_bytes())
        content[20] ^= 0x55
    spoilt.write_bytes(content)
    refused_and_skipped(tmp_path, spoilt)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((0, 1)), "has no samples"),
        (np.array([[0.1, 0.2], [0.3, np.nan], [np.nan, 0.0]]), "holds nan at sample 1 of channel 1"),
        (np.array([[0.1], [0.2], [-np.inf]]), "holds -inf at sample 2 of channel 0"),
    ],
)
def test_one_file_without_samples_or_not_finite(tmp_path, samples, words):
    for index in range(4):
        save(tmp_path / f"{index}.wav", RNG.uniform(-0.5, 0.5, 400), subtype="FLOAT")
    save(tmp_path / "2.wav", samples, subtype="FLOAT")
    assert words in refused_and_skipped(tmp_path, tmp_path / "2.wav")


def refused_and_skipped(folder, spoilt):
    """The complaint about the one spoilt file of four, which with skip_unusable is a remark."""
    refused(audio.load, folder, spoilt, "--skip-unusable", length=3000)
    parts = audio.load(folder, length=3000, skip_unusable=True)
    assert sum(map(len, parts)) == 3
    (remark,) = [line for line in parts[0].description["remarks"] if line.startswith("left out")]
    assert str(spoilt) in remark
    return remark


def test_a_wav_file_of_unknown_size_is_read(tmp_path):
    """Programs that write into a pipe cannot go back and fill in the size."""
    for index in range(2):
        path = save(tmp_path / f"{index}.wav", sine(100, 8000, 0.1))
        content = bytearray(path.read_bytes())
        content[4:8] = b"\xff\xff\xff\xff"
        path.write_bytes(content)
    assert sum(map(len, audio.load(tmp_path, length=800))) == 2


def test_too_few_are_left(tmp_path):
    for index in range(13):
        (tmp_path / f"{index}.wav").write_bytes(b"")
    refused(audio.load, tmp_path, "usable sounds", "0 found", skip_unusable=True)
    for index in range(2):
        save(tmp_path / f"{index}.wav", sine(100, 8000, 0.1))
    remarks = audio.load(tmp_path, skip_unusable=True)[0].description["remarks"]
    left_out = [line for line in remarks if line.startswith("left out")]
    assert len(left_out) == 11 and left_out[-1] == "left out: 1 more"


def test_a_label_without_usable_files_keeps_its_place(tmp_path):
    for name in "012":
        for index in range(2):
            save(tmp_path / name / f"{index}.wav", sine(100, 8000, 0.1))
    for path in (tmp_path / "1").iterdir():
        path.write_bytes(b"RIFF")
    parts = audio.load(tmp_path, skip_unusable=True)
    assert parts[0].description["classes"] == ["0", "1", "2"]
    assert everything(parts, "label").sort().values.tolist() == [0, 0, 2, 2]


def test_a_file_without_permission(tmp_path, monkeypatch):
    for index in range(2):
        save(tmp_path / f"{index}.wav", sine(100, 8000, 0.1))

    def refuse(path, *_, **__):  # root may read everything, so that taking the permission away would prove nothing
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    refused(audio.load, tmp_path, "0.wav", "permission denied")
    refused(audio.load, tmp_path, "permission denied", skip_unusable=True)


# ---------------------------------------------------------------------------------------------------- the command

TINY = ("--steps", 1, "--warmup-steps", 0, "--length", 300, "--doublings", 2, "--residual-channels", 3, "--skip-channels", 4)


def test_training_on_a_folder_with_one_damaged_file(tmp_path):
    for index in range(12):
        save(tmp_path / "data" / f"{index}.wav", RNG.uniform(-0.5, 0.5, 200))
    (tmp_path / "data" / "7.wav").write_bytes(b"")
    asked = ("train", "wavenet", "notes", "--data", tmp_path / "data", "--run", tmp_path / "run", *TINY)
    assert f"{tmp_path / 'data' / '7.wav'} is empty" in refused_line(3, *asked)
    assert not (tmp_path / "run").exists()
    code, _, err = call(*asked, "--skip-unusable")
    assert code == 0, err
    notes_said = [line for line in err.splitlines() if line.startswith("note: ")]
    assert notes_said[0].startswith("note: 11 of 11 sounds are shorter") and "7.wav is empty" in notes_said[1]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "7.wav is empty" in page and page.count("<audio controls") >= 1
    assert list((tmp_path / "run" / "previews").glob("*.wav"))


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        (("--data", "nowhere"), "does not exist; it must be one of notes, or a folder of wav and flac files"),
        (("--sample-rate", "800"), "notes reach 440 Hz"),
    ],
)
def test_data_that_cannot_be_used(tmp_path, fields, because):
    assert because in refused_line(3, "train", "wavenet", "notes", "--run", tmp_path / "run", *TINY, *fields)
    assert not (tmp_path / "run").exists()


def test_fields_that_cannot_be(tmp_path):
    assert "sample_rate is 0; it must be at least 1" in refused_line(2, "train", "wavenet", "notes", "--sample-rate", "0")
    assert "length is -4; it must be at least 1" in refused_line(2, "train", "wavenet", "notes", "--length", "-4")
