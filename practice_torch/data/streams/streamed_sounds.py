"""Prepared sounds, on the disk or behind a URL: windows of the mapped samples, at random places in long sounds."""

from dataclasses import dataclass

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.permutation import permuted, uniforms
from practice_torch.data.preparation.arrow_shards import ArrowRows
from practice_torch.data.preparation.prepared import open_prepared
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.reading.sound_files import window_counts, window_start
from practice_torch.data.shard_order import ShardOrder
from practice_torch.data.sound_set import Sounds
from practice_torch.data.splits import held_out_count
from practice_torch.data.streams.few_shards import rows_of_few_shards

MOST_HELD_OUT = 2000  # sounds, and windows of them, used by evaluations and held in memory
FULL = 2**15


@dataclass(frozen=True, eq=False)
class StreamedSounds:
    """Windows of `length` samples of a prepared folder's sounds, but of those in `hidden` (rows, sorted).

    A sound of at least two lengths is as many examples as it takes windows to cover it, any other is one. The windows of a sound
    share its beginnings evenly: the k-th of K begins at a random place in the k-th of K equal parts of 0..T - length.

    Of a shard behind a URL, the number of windows is not known before it is fetched: an epoch takes as many
    examples as `examples_of_shards` says. If it has
    more windows, an epoch leaves some out, evenly spaced, each epoch others; if it has fewer, some come twice.
    """

    rows: ArrowRows
    length: int
    seed: int
    hidden: np.ndarray
    starts: np.ndarray  # the number of examples in the shards before each
    description: dict
    order: ShardOrder | None = None  # of sounds behind a URL
    varies = True  # draws decide where a window begins

    def __len__(self):
        return int(self.starts[-1])

    @property
    def resident_bytes(self):
        """Bytes of all of them as a tensor, every window once."""
        return 4 * len(self) * self.length

    def batch(self, indices, draws=None):
        """{"audio": float32 [B, 1, T] in -1..1, "label": int64 [B]}; there is no "label" where the data has none.

        draws, int64 [B], decide where the windows begin; None: at evenly spaced places, which cover a sound.
        """
        places, turns = [None] * len(indices), [0.0] * len(indices)
        if draws is not None:
            places = uniforms(draws, 1, self.seed)[:, 0].tolist()
            turns = uniforms(draws // len(self), 1, f"{self.seed}/epochs")[:, 0].tolist()
        windows, labels = torch.zeros(len(indices), 1, self.length), []
        for position, (place, turn, index) in enumerate(zip(places, turns, indices.tolist(), strict=True)):
            row, number, count = self._find(index, turn)
            sound, label = _read(self.rows, row, self.description)
            _fill(windows[position, 0], sound, number, count, place)
            labels.append(label)
        return {"audio": windows} | (
            {} if self.description["classes"] is None else {"label": torch.tensor(labels, dtype=torch.int64)}
        )

    def ahead(self, numbers):
        """Fetch these shards, and let go of others."""
        self.rows.keep(numbers)
        self.rows.prepared.cache.ahead(numbers)

    def resident(self):
        """Every window once as `Sounds`."""
        if self.order is not None:
            name = self.description["name"]
            raise DataError(f"{name} is streamed from its URL: leave --placement out, or copy it to a disk")
        require_memory(f"the sounds of {self.description['name']}", self.resident_bytes, "leave them on the disk")
        return _sounds(self.rows, (self._find(index) for index in range(len(self))), len(self), self.length, self.description)

    def _find(self, index, turn=0.0):
        """(row, which window of it, of how many) of an example; turn in [0, 1) decides which windows an epoch leaves out."""
        shard = int(np.searchsorted(self.starts, index, "right")) - 1
        counts = _windows(self.rows, shard, self.length, self.hidden)
        ends = np.cumsum(counts)
        windows, examples = int(ends[-1]), int(self.starts[shard + 1] - self.starts[shard])
        within = ((index - int(self.starts[shard])) * windows + int(turn * windows)) // examples
        row = int(np.searchsorted(ends, within, "right"))
        return int(self.rows.starts[shard]) + row, within - int(ends[row] - counts[row]), int(counts[row])


def load_prepared(folder, *, held_out, seed, sample_rate, length):
    """(streamed training part, resident held-out part) of a prepared folder."""
    prepared = open_prepared(folder, "audio")
    manifest = prepared.manifest
    if manifest["sample_rate"] != sample_rate:
        there = manifest["sample_rate"]
        mend = f"train with --sample-rate {there}, or prepare again with --sample-rate {sample_rate}"
        raise DataError(f"{folder} was prepared at {there} Hz; the recipe's sample_rate is {sample_rate}: {mend}")
    rows, count = ArrowRows(prepared), manifest["count"]
    few = min(held_out_count(count, held_out, f"sounds in {folder}"), MOST_HELD_OUT)
    if prepared.cache:
        hidden = rows_of_few_shards(rows, few, seed, "sounds").numpy()
        per_shard, opened = examples_of_shards(manifest, length), np.unique(np.searchsorted(rows.starts, hidden, "right") - 1)
    else:
        hidden = permuted(torch.arange(few), count, seed).sort().values.numpy()
        per_shard, opened = [0] * len(rows.names), np.arange(len(rows.names))
    for shard in opened.tolist():
        per_shard[shard] = int(_windows(rows, shard, length, hidden).sum())
    order = ShardOrder(per_shard, prepared.together()) if prepared.cache else None
    description = {"name": str(folder), "shape": [1, length], "length": length, "sample_rate": sample_rate}
    description |= {"classes": manifest["classes"], "sha256": manifest["sha256"], "remarks": manifest["remarks"]}
    starts = np.cumsum([0, *per_shard])
    about = {"split": "train", "count": int(starts[-1])}
    train = StreamedSounds(rows, length, seed, hidden, starts, description | about, order)

    frames = [rows.row(row, "frames")[1][0] for row in hidden.tolist()]
    found = [
        (row, number, n)
        for row, n in zip(hidden.tolist(), window_counts(np.array(frames), length).tolist(), strict=True)
        for number in range(n)
    ]
    if len(found) > MOST_HELD_OUT:
        found = [found[place] for place in permuted(torch.arange(MOST_HELD_OUT), len(found), seed).sort().values.tolist()]
    description |= {"split": "held-out", "count": len(found)}
    held_out = _sounds(rows, found, len(found), length, description)
    if prepared.cache:
        rows.keep(())
    return train, held_out


def examples_of_shards(manifest, length):
    """The number of examples of each shard, as far as it is known without the shards.

    If all sounds have less than two lengths, it is that of the shard's sounds, otherwise about that of the windows: samples /
    length, where a shard has the same share of all samples as of all bytes.
    """
    shards, whole = manifest["shards"], sum(shard["bytes"] for shard in manifest["shards"])
    if manifest["frames"][1] < 2 * length:
        return [shard["count"] for shard in shards]
    return [max(shard["count"], manifest["samples"] * shard["bytes"] // whole // length) for shard in shards]


def _windows(rows, shard, length, hidden):
    """The number of windows of each of a shard's sounds; 0 for held-out sounds."""
    counts = window_counts(rows.integers(shard, "frames"), length)
    first, end = rows.starts[shard], rows.starts[shard + 1]
    counts[hidden[(hidden >= first) & (hidden < end)] - first] = 0
    return counts


def _sounds(rows, found, count, length, description):
    windows, labels = torch.zeros(count, length), []
    for window, (row, number, several) in zip(windows, found, strict=True):
        sound, label = _read(rows, row, description)
        _fill(window, sound, number, several, None)
        labels.append(label)
    return Sounds(windows, None if description["classes"] is None else torch.tensor(labels, dtype=torch.int64), description)


def _read(rows, row, description):
    """(16-bit samples, a view of the file; the label) of a row."""
    labelled = description["classes"] is not None
    _, values = rows.row(row, "content", *["label"] * labelled)
    return np.frombuffer(values[0], np.int16), values[1] if labelled else None


def _fill(window, sound, number, count, place):
    """Write a window of the sound; where it is shorter, silence follows."""
    excess = len(sound) - len(window)
    if place is None or excess <= 0:
        start = window_start(sound, len(window), number, count)
    else:
        start = int((number + place) / count * (excess + 1))
    cut = sound[start : start + len(window)]
    window[: len(cut)] = torch.from_numpy(cut.astype(np.float32)) / FULL
