"""Sounds of any length and rate, as 16-bit samples: folders of wav and flac files, tar archives, parquet, Arrow files.

Every sound is decoded once, averaged over its channels, resampled once, and kept as 16-bit samples (PCM): a random crop of an
hour is then a slice of the mapped file, and decodes nothing. That takes about twice the space of flac.
"""

from dataclasses import dataclass

import torch

from practice_torch.data.preparation.preparing_rows import RowOptions, prepare_rows, row_facts
from practice_torch.data.reading.sound_files import RATES, SUFFIXES, Counters, decode, mono

INTEGERS = ("frames", "rate", "channels", "clipped", "silent", "loud")
FULL = 2**15  # of 16 bits: what -1 is stored as


@dataclass(frozen=True)
class Options(RowOptions):
    """Options of sounds."""

    sample_rate: int = 16000
    """Sample rate in Hz that all sounds are brought to; a recipe trains on them at this rate."""

    def __post_init__(self):
        super().__post_init__()
        if not RATES[0] <= self.sample_rate <= RATES[1]:
            raise ValueError(f"sample_rate is {self.sample_rate}; it must be from {RATES[0]} to {RATES[1]}")


def prepare(sources, out, options, say, part=None):
    """The sources' sounds in the folder `out`, opened; of a part, its description."""
    about = {"suffixes": SUFFIXES, "holds": "sound", "integers": INTEGERS, "row": _row, "facts": facts}
    same = {"sample_rate": options.sample_rate, "dtype": "int16"}
    return prepare_rows(sources, out, options, say, modality="audio", **about, same=same, part=part)


def facts(same, labels, sidecars):
    """The manifest's entries about sounds."""
    return same | row_facts(labels, sidecars, lambda ranges, count: _facts(ranges, count, same["sample_rate"]))


def summary(manifest):
    """Summary of the prepared data."""
    classes, hours = manifest["classes"], manifest["samples"] / manifest["sample_rate"] / 3600
    labels = "no labels" if classes is None else f"{len(classes)} classes"
    return f"{manifest['count']} sounds, {hours:.3g} hours at {manifest['sample_rate']} Hz, {labels}"


def _facts(ranges, count, sample_rate):
    if not ranges:
        return {}
    remarks = [
        f"{ranges[name][2]} of {count} sounds {'is' if ranges[name][2] == 1 else 'are'} {words}"
        for name, words in (
            ("loud", "beyond full scale and scaled down"),
            ("clipped", "clipped (flat peaks), which a model will learn"),
            ("silent", "silent throughout"),
        )
        if ranges[name][2]
    ]
    (low, high, _), most = ranges["rate"], ranges["channels"][1]
    if (low, high) != (sample_rate, sample_rate):
        rates = f"{low} Hz" if low == high else f"{low} to {high} Hz"
        remarks.insert(0, f"resampled from {rates} to {sample_rate} Hz")
    if most > 1:
        remarks.insert(0, f"sounds of up to {most} channels are averaged to one")
    return {"samples": ranges["frames"][2], "frames": ranges["frames"][:2], "remarks": remarks}


def _row(where, raw, options):
    found = Counters()
    stored, rate = decode(where, bytes(raw), options.sample_rate)
    sound = mono(stored, rate, options.sample_rate, where, found)
    samples = (sound * FULL).round().clamp(-FULL, FULL - 1).to(torch.int16).numpy()
    flags = {name: int(found.counts[name] > 0) for name in ("clipped", "silent", "loud")}
    return {"content": samples.tobytes(), "frames": len(samples), "rate": rate, "channels": stored.shape[1], **flags}
