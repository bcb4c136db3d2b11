"""Sounds of one length and one sample rate: the embedded notes, or the user's own folder of wav and flac files."""

import hashlib

import torch

from practice_torch.data.blank import blank_labels, blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.notes import FREQUENCIES, PITCHES, synthesize
from practice_torch.data.preparation.prepared import is_prepared
from practice_torch.data.reading.files import read_bytes, reading
from practice_torch.data.reading.folders import files_in, folder_or_number_labels
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.reading.sound_files import RATES, SUFFIXES, Counters, decode, mono, windows
from practice_torch.data.remote.store import is_url
from practice_torch.data.sound_set import Sounds
from practice_torch.data.splits import existing_path, fingerprint, held_out_count, random_split
from practice_torch.data.streams.streamed_sounds import load_prepared

NAMES = ("notes",)
KINDS = "a folder of wav and flac files, or a folder written by `prepare audio`, or its URL"
SMALLER = "use fewer or shorter sounds"
NOTES = 260  # by default: 20 of each pitch
DRAWING = 64  # bytes a sample while notes are synthesized, in float64
FORMS = (
    "notes (synthesized); or a folder of wav and flac files of any lengths, numbers of channels and rates from "
    f"{RATES[0]} to {RATES[1]} Hz (sub-folders, or else the numbers that all file names begin with, are labels)."
)
MOST_NAMED = 10


def load(source, *, held_out=0.2, seed=0, sample_rate=8000, length=1024, skip_unusable=False, notes=NOTES):
    """(train, held-out) sounds of `length` samples at `sample_rate` Hz, from "notes" or a folder of wav and flac files.

    Notes: `notes` synthesized tones of 13 pitches, the label. Folder: of any rates, lengths and numbers of channels, which are
    averaged; labels are the sub-folders, or else the numbers that the file names begin with (7_jackson_32.wav).

    A shorter sound is followed by silence; a longer one is cut to its beginning, less the silence before it; one of at least two
    lengths gives as many evenly spaced windows as cover it, which all go into the same part. One beyond full scale is scaled
    down to it. description["remarks"] lists all this, and the silent or clipped sounds.

    A folder that `prepare audio` wrote (its sample rate must be this one), or its URL, gives a training part that stays there.

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
        held_out_count(notes, held_out, "sounds in notes")
        require_memory(f"{notes} notes of {length} samples", DRAWING * notes * length, SMALLER)
        generator = torch.Generator().manual_seed(seed)
        sounds, labels = synthesize(notes, length=length, sample_rate=sample_rate, generator=generator)
        classes, remarks, digest, used = PITCHES, [], fingerprint(sounds, labels), torch.arange(notes)
    else:
        path = name if is_url(name) else existing_path(source, NAMES, KINDS)
        if not is_url(name) and not path.is_dir():
            mend = f"give its folder, {path.parent}" if path.suffix.lower() in SUFFIXES else "it must be " + KINDS
            raise DataError(f"{path} is a file: {mend}")
        if is_url(name) or is_prepared(path):
            return load_prepared(path, held_out=held_out, seed=seed, sample_rate=sample_rate, length=length)
        sounds, labels, classes, remarks, digest, used = _read_folder(path, sample_rate, length, skip_unusable)
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
    files = used.unique()  # the windows of one file are not split
    split = random_split(len(files), held_out, seed, f"sounds in {name}", size=sounds.nbytes)
    parts = [torch.isin(used, files[part]).nonzero().squeeze(1) for part in split]
    return tuple(
        Sounds(
            sounds[indices], None if labels is None else labels[indices], description | {"split": split, "count": len(indices)}
        )
        for indices, split in zip(parts, ("train", "held-out"), strict=True)
    )


def _read_folder(root, sample_rate, length, skip_unusable):
    if not RATES[0] <= sample_rate <= RATES[1]:
        raise DataError(f"sample_rate is {sample_rate}; files can be brought to {RATES[0]} to {RATES[1]} Hz: choose among these")
    with reading(root, SMALLER):
        files = files_in(root, SUFFIXES, "sounds")
        labels, classes = folder_or_number_labels(root, files, "sounds")
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
            sounds.append(windows(mono(stored, rate, sample_rate, where, found), length, where, found))
            digests.append(hashlib.sha256(raw).digest())
            used += [index] * len(sounds[-1])
        held_out_count(len(sounds), 0.5, f"usable sounds in {root}")
        used = torch.tensor(used)
        labels = None if labels is None else labels[used]
        remarks = found.remarks(len(sounds), sample_rate, length) + skipped[:MOST_NAMED]
        if len(skipped) > MOST_NAMED:
            remarks.append(f"left out: {len(skipped) - MOST_NAMED} more")
        require_memory(f"the {len(used)} examples of {root}", 4 * len(used) * length, SMALLER)
        return torch.cat(sounds), labels, classes, remarks, fingerprint(b"".join(digests), labels), used


def blank(name, facts, *, sample_rate=8000, length=1024, skip_unusable=False, notes=NOTES):
    """The training sounds without data: see blank.py."""
    known = {"shape": [1, length], "sample_rate": sample_rate}
    if name == "notes":
        known |= {"classes": list(PITCHES), "frequencies": list(FREQUENCIES)}
    return blank_set(
        name, known, facts, lambda count: {"audio": torch.zeros(count, 1, length)} | blank_labels(known | facts, count)
    )
