"""Sounds of one length and one sample rate: the embedded notes, or the user's own folder of wav and flac files."""

import hashlib
import io
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.files import read_bytes, reading
from practice_torch.data.folders import files_in, folder_labels, numbered
from practice_torch.data.indices import beside
from practice_torch.data.memory import require_expansion, require_memory
from practice_torch.data.notes import FREQUENCIES, PITCHES, synthesize
from practice_torch.data.splits import existing_path, fingerprint, held_out_count, random_split

NAMES = ("notes",)
SUFFIXES = (".wav", ".flac")
MAGIC = (b"RIFF", b"RIFX", b"RF64", b"fLaC")  # how a file begins
KINDS = "a folder of wav and flac files"
SMALLER = "use fewer or shorter sounds"
NOTES = 260  # 20 of each pitch
DRAWING = 64  # bytes a sample while notes are synthesized, in float64
AUDIBLE = 0.01  # of a sound's peak (-40 dB): what comes before is cut first
CLIPPED = 0.99  # of full scale: three equal neighbors up there are a peak that was cut off
# Measured from 44.1 to 8 kHz: -0.1 dB up to 3.6 kHz, and -60 dB from 4 kHz on. torchaudio's own 6 and 0.99 lose 3 dB at 3.7 kHz
# and fold 4.3 kHz back at -12 dB.
FILTER = {"lowpass_filter_width": 32, "rolloff": 0.95}
RATES = (1000, 768_000)  # Hz, of a file: from below telephones to beyond what any recorder offers; headers can say 2^31 - 1
# Rates are brought to each other by the nearest ratio p/q with p q below this, so that the filter takes at most 100 MB. That of
# 44.1 kHz to 8 kHz is 441/80 itself; where there is none so short, pitch is off by less than 1/1000, a sixtieth of a semitone.
FINEST = 2**20
UNKNOWN_FRAMES = 2**62  # what libsndfile says, or more, where a flac file does not say how long it is
BLOCK = 2**20  # values decoded at once
WORKING = (40, 16)  # bytes for each stored value and each resampled one, until a sound has its form: measured up to 37 and 14
FORMS = (
    "notes (synthesized); or a folder of wav and flac files of any lengths, numbers of channels and rates from "
    f"{RATES[0]} to {RATES[1]} Hz (sub-folders, or else the numbers that all file names begin with, are labels)."
)
UNKNOWN_SIZE = 0x7FFFF000  # what programs that cannot seek write for the size of a wav file, or more
NUMBERED = re.compile(r"(\d+)[^\d.]")  # 7_jackson_32.wav is a seven, but 7.wav is only the seventh
MOST_NAMED = 10


@dataclass(frozen=True, eq=False)
class Sounds:
    """A set of sounds [N, T], float32 in -1..1, all at description["sample_rate"], and labels [N] or None."""

    sounds: torch.Tensor
    labels: torch.Tensor | None
    description: dict

    def __len__(self):
        return self.sounds.shape[0]

    def batch(self, indices=None):
        """{"audio": float32 [B, 1, T] in -1..1, "label": int64 [B]}; all of them, without a copy, where indices is None.

        There is no "label" where the data has none.
        """
        sounds, labels = self.sounds, self.labels
        if indices is not None:
            indices = beside(sounds, indices)
            sounds = sounds.index_select(0, indices)
            labels = None if labels is None else labels.index_select(0, indices)
        return {"audio": sounds[:, None]} if labels is None else {"audio": sounds[:, None], "label": labels}

    def to(self, device):
        """The same set with its tensors on the device, so that batches are gathered there."""
        labels = None if self.labels is None else self.labels.to(device)
        return replace(self, sounds=self.sounds.to(device), labels=labels)


def load(source, *, held_out=0.2, seed=0, sample_rate=8000, length=1024, skip_unusable=False):
    """(train, held-out) sounds of `length` samples at `sample_rate` Hz, from "notes" or a folder of wav and flac files.

    Notes: 260 synthesized tones of 13 pitches, the label. Folder: of any rates, lengths and numbers of channels, which are
    averaged; labels are the sub-folders, or else the numbers that the file names begin with (7_jackson_32.wav).

    A longer sound is cut to its beginning, less the silence before it; a shorter one is followed by silence. One beyond full
    scale is scaled down to it. All this is said in description["remarks"], and so is what is silent or clipped.

    Raises DataError, one line, where the sounds cannot be used; with skip_unusable, files that are damaged, empty or not
    finite are left out instead, and named in the remarks.
    """
    for name, value in (("sample_rate", sample_rate), ("length", length)):
        if value < 1:
            raise DataError(f"{name} is {value}; it must be at least 1")
    if sample_rate > RATES[1]:
        raise DataError(f"sample_rate is {sample_rate}; it must be at most {RATES[1]}")
    name = str(source)
    if name == "notes":
        held_out_count(NOTES, held_out, "sounds in notes")
        require_memory(f"{NOTES} notes of {length} samples", DRAWING * NOTES * length, SMALLER)
        generator = torch.Generator().manual_seed(seed)
        sounds, labels = synthesize(NOTES, length=length, sample_rate=sample_rate, generator=generator)
        classes, remarks, digest = PITCHES, [], fingerprint(sounds, labels)
    else:
        path = existing_path(source, NAMES, KINDS)
        if not path.is_dir():
            mend = f"give its folder, {path.parent}" if path.suffix.lower() in SUFFIXES else "it must be " + KINDS
            raise DataError(f"{path} is a file: {mend}")
        sounds, labels, classes, remarks, digest = _read_folder(path, sample_rate, length, skip_unusable)
    description = {
        "name": name,
        "shape": [1, length],
        "length": length,
        "sample_rate": sample_rate,
        "classes": None if labels is None else list(classes),
        "sha256": digest,
        "remarks": remarks,
    }
    if name == "notes":
        description["frequencies"] = list(FREQUENCIES)
    parts = random_split(len(sounds), held_out, seed, f"sounds in {name}", size=sounds.nbytes)
    return tuple(
        Sounds(
            sounds[indices],
            None if labels is None else labels[indices],
            description | {"split": split, "count": len(indices)},
        )
        for indices, split in zip(parts, ("train", "held-out"), strict=True)
    )


def _read_folder(root, sample_rate, length, skip_unusable):
    if not RATES[0] <= sample_rate <= RATES[1]:
        raise DataError(f"sample_rate is {sample_rate}; files can be brought to {RATES[0]} to {RATES[1]} Hz: choose among these")
    with reading(root, SMALLER):
        files = files_in(root, SUFFIXES, "sounds")
        labels, classes = _labels(root, files)
        require_memory(f"{len(files)} sounds of {length} samples", 8 * len(files) * length, SMALLER)
        sounds, digests, used, found, skipped = [], [], [], Counters(), []
        for index, path in enumerate(files):
            where = path.relative_to(root)
            try:
                raw = read_bytes(path, SMALLER)
                stored, rate = decode(path, raw, sample_rate)
            except DataError as error:
                if not skip_unusable:
                    raise DataError(f"{error}; --skip-unusable leaves such files out") from None
                skipped.append(f"left out: {error}")
                continue
            sounds.append(_fit(_mono(stored, rate, sample_rate, where, found), length, where, found))
            digests.append(hashlib.sha256(raw).digest())
            used.append(index)
        held_out_count(len(sounds), 0.5, f"usable sounds in {root}")
        labels = None if labels is None else labels[torch.tensor(used)]
        remarks = found.remarks(len(sounds), sample_rate, length) + skipped[:MOST_NAMED]
        if len(skipped) > MOST_NAMED:
            remarks.append(f"left out: {len(skipped) - MOST_NAMED} more")
        return torch.stack(sounds), labels, classes, remarks, fingerprint(b"".join(digests), labels)


def _labels(root, files):
    labels, names = folder_labels(root, files, "sounds")
    if labels is not None:
        return labels, names
    numbers = [NUMBERED.match(file.name) for file in files]
    return numbered([number[1] for number in numbers]) if all(numbers) else (None, ())


# ---------------------------------------------------------------------------------------------------- one file


def decode(path, raw, sample_rate):
    """(samples [T, C], float32, and their rate) of the file with these bytes, which will be resampled to sample_rate.

    DataError if it is damaged, not finite, of a rate outside RATES, or too long for the memory.
    """
    import soundfile

    if not raw.startswith(MAGIC):  # libsndfile would try a dozen other formats, some of whose decoders write to the terminal
        raise DataError(f"{path} is not a readable sound file (neither wav nor flac): convert, replace or remove it")
    # libsndfile reads on happily where a wav file was cut short: its header tells how long it was
    size = int.from_bytes(raw[4:8], "little") + 8
    if raw.startswith(b"RIFF") and len(raw) < size < UNKNOWN_SIZE:
        raise DataError(f"{path} is damaged: its header says {size} bytes, it has {len(raw)}: replace or remove it")
    try:
        with soundfile.SoundFile(io.BytesIO(raw)) as file:
            rate = file.samplerate
            if not RATES[0] <= rate <= RATES[1]:
                raise DataError(
                    f"{path} says it has {rate} Hz; allowed are {RATES[0]} to {RATES[1]}: fix its header or convert it"
                )
            samples = torch.from_numpy(_samples(path, len(raw), file, sample_rate))
    except soundfile.SoundFileError as error:
        why = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
        raise DataError(f"{path} is not a readable sound file, or is damaged ({why}): replace or remove it") from None
    if samples.shape[0] == 0:
        raise DataError(f"{path} has no samples: replace or remove it")
    if not bool(samples.isfinite().all()):
        time, channel = (int(index) for index in (~samples.isfinite()).nonzero()[0])
        raise DataError(
            f"{path} holds {samples[time, channel].item()} at sample {time} of channel {channel}: replace or remove it"
        )
    return samples, rate


def _samples(path, stored, file, sample_rate):
    """All samples [T, C] of an open sound, block by block: its header may claim, and a silent one hold, more than memory."""
    blocks, frames, mend = [], 0, "mend its header, or cut it into shorter ones"
    if file.frames < UNKNOWN_FRAMES:
        require_expansion(path, stored, 4 * file.frames * file.channels, mend)
    while len(block := file.read(max(1, BLOCK // file.channels), dtype="float32", always_2d=True)):
        frames += len(block)
        require_expansion(path, stored, 4 * frames * file.channels, mend)
        needed = WORKING[0] * frames * file.channels + WORKING[1] * frames * sample_rate // file.samplerate
        require_memory(path, needed, mend)
        blocks.append(block)
    return np.concatenate(blocks) if blocks else np.empty((0, file.channels), np.float32)


class Counters:
    """Counts of remarkable files in a folder, with the first of each kind."""

    def __init__(self):
        self.counts, self.first, self.rates = Counter(), {}, Counter()

    def add(self, what, where):
        self.counts[what] += 1
        self.first.setdefault(what, where)

    def remarks(self, total, sample_rate, length):
        """Warnings, a line each."""
        seconds = f"{length} samples ({length / sample_rate:.3g} s)"
        lines = {
            "long": f"longer than {seconds} and cut",
            "short": f"shorter than {seconds} and padded with silence",
            "channels": "of several channels and averaged",
            "loud": "beyond full scale and scaled down",
            "clipped": "clipped (flat peaks), which a model will learn",
            "silent": "silent throughout",
        }
        found = [
            f"{self.counts[what]} of {total} sounds {'is' if self.counts[what] == 1 else 'are'} {words}: {self.first[what]}"
            + (", for one" if self.counts[what] > 1 else "")
            for what, words in lines.items()
            if self.counts[what]
        ]
        others = [f"{count} from {rate} Hz" for rate, count in sorted(self.rates.items()) if rate != sample_rate]
        return found + ([f"resampled to {sample_rate} Hz: {', '.join(others)}"] if others else [])


def _mono(stored, rate, sample_rate, where, found):
    """One channel at the sample rate, within -1..1."""
    if stored.shape[1] > 1:
        found.add("channels", where)
    if _is_clipped(stored):
        found.add("clipped", where)
    found.rates[rate] += 1
    sound = _resample(stored.mean(dim=1), rate, sample_rate)
    peak = sound.abs().max().item()
    if peak == 0:
        found.add("silent", where)
    # the filter of the resampling overshoots at clipped peaks
    if peak > 1:
        found.add("loud", where)
        sound = (sound / peak).clamp(-1, 1)
    return sound


def _is_clipped(stored):
    loud = stored.abs() >= CLIPPED
    same = stored[1:] == stored[:-1]
    return bool((same[1:] & same[:-1] & loud[2:]).any())


def _resample(sound, rate, sample_rate):
    if rate == sample_rate:
        return sound
    from torchaudio.functional import resample

    # the filter bank has a row for every sample of a common period, which rates without a common divisor make gigabytes long
    ratio = Fraction(rate, sample_rate).limit_denominator(math.isqrt(FINEST * sample_rate // rate))
    return resample(sound, ratio.numerator, ratio.denominator, **FILTER)


def _fit(sound, length, where, found):
    """`length` samples: silence is added at the end, or the sound cut to what comes from its first audible sample on."""
    excess = sound.shape[0] - length
    if excess > 0:
        found.add("long", where)
        audible = sound.abs() > AUDIBLE * sound.abs().max()
        start = min(int(audible.int().argmax()), excess)
        return sound[start : start + length].clone()  # not a view, which would keep the whole sound in memory
    if excess < 0:
        found.add("short", where)
    return torch.nn.functional.pad(sound, (0, -excess))
