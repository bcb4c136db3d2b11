"""Prepared images, read from the disk: decoded, cropped to squares and resized example by example, in the workers."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.image_set import Images
from practice_torch.data.permutation import permuted, uniforms
from practice_torch.data.preparation.arrow_shards import ArrowRows
from practice_torch.data.preparation.prepared import open_prepared
from practice_torch.data.reading.decoding import decode, open_image
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.shard_order import ShardOrder
from practice_torch.data.splits import held_out_count
from practice_torch.data.streams.few_shards import rows_of_few_shards

MOST_HELD_OUT = 2000  # images, used by evaluations and held in memory


@dataclass(frozen=True, eq=False)
class StreamedImages:
    """Images [C, H, W] of one size from a prepared folder.

    rows_of: from indices [B] to the rows of a part of the images.
    side: of the square that an image becomes: its shorter side is brought to it, and the longer one is cropped, at the center or
    at a random place; None: they have one size, and stay as they are.
    """

    rows: ArrowRows
    rows_of: Callable
    count: int
    seed: int
    side: int | None
    description: dict
    order: ShardOrder | None = None  # of images behind a URL

    def __len__(self):
        return self.count

    @property
    def resident_bytes(self):
        """Bytes of all of them as a tensor."""
        return self.count * int(np.prod(self.description["shape"]))

    @property
    def varies(self):
        """Whether the visible part of an image is random."""
        return self.side is not None or self.order is not None

    def batch(self, indices, draws=None):
        """{"image": float32 [B, C, H, W] in 0..1, "label": int64 [B]}; there is no "label" where the data has none.

        draws, int64 [B], decide the places of the crops; None: the center.
        """
        channels, height, width = self.description["shape"]
        places = [0.5] * len(indices) if draws is None else uniforms(draws, 1, self.seed)[:, 0].tolist()
        pixels, labels = np.empty((len(indices), channels, height, width), np.uint8), []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what pillow only remarks on
            for position, (place, index) in enumerate(zip(places, self._rows(indices), strict=True)):
                where, raw, label = self._read(index)
                image = open_image(where, raw, self.side, place)
                pixels[position] = image.transpose(2, 0, 1) if image.ndim == 3 else image
                labels.append(label)
        batch = {"image": torch.from_numpy(pixels).float().div_(255)}
        return batch | ({} if self.description["classes"] is None else {"label": torch.tensor(labels, dtype=torch.int64)})

    def ahead(self, numbers):
        """Fetch these shards, and let go of others."""
        self.rows.keep(numbers)
        self.rows.prepared.cache.ahead(numbers)

    def resident(self):
        """All of them as `Images`, cropped at their centers."""
        if self.order is not None:
            name = self.description["name"]
            raise DataError(f"{name} is streamed from its URL: leave --placement out, or copy it to a disk")
        require_memory(f"the {self.count} images of {self.description['name']}", self.resident_bytes, "leave them on the disk")
        order = self._rows(torch.arange(self.count))
        pixels = decode(lambda: (self._read(row)[:2] for row in order), self.count, self.side, self.description["shape"][0] == 3)
        labels = None
        if self.description["classes"] is not None:
            labels = torch.tensor([self.rows.row(row, "label")[1][0] for row in order], dtype=torch.int64)
        return Images(pixels, labels, 255, self.description)

    def _rows(self, indices):
        return self.rows_of(indices).tolist()

    def _read(self, row):
        labelled = self.description["classes"] is not None
        where, values = self.rows.row(row, "content", *["label"] * labelled)
        return where, values[0], values[1] if labelled else None


def load_prepared(folder, *, held_out, seed, classes, side):
    """(streamed training part, resident held-out part) of a prepared folder."""
    prepared = open_prepared(folder, "images")
    manifest, count = prepared.manifest, prepared.manifest["count"]
    names = manifest["classes"]
    if classes is not None and (names is None or len(names) > classes):
        found = "has no labels" if names is None else f"has {len(names)} classes"
        raise DataError(f"{folder} {found}; {classes} classes are needed: prepare it with labels, or set the recipe's classes")
    size = [side, side] if side else _one_size(folder, manifest)
    hidden = min(held_out_count(count, held_out, f"images in {folder}"), MOST_HELD_OUT)
    description = {"name": str(folder), "shape": [3 if manifest["colored"] else 1, *size], "classes": names}
    description |= {"sha256": manifest["sha256"], "remarks": manifest["remarks"]}
    rows = ArrowRows(prepared)
    if prepared.cache:
        parts, order = _of_few_shards(rows, hidden, seed)
    else:
        shuffled = partial(permuted, count=count, seed=seed)
        parts, order = (partial(_after, hidden, shuffled), shuffled), None
    about = {"split": "train", "count": count - hidden}
    train = StreamedImages(rows, parts[0], count - hidden, seed, side, description | about, order)
    rest = StreamedImages(rows, parts[1], hidden, seed, side, description | {"split": "held-out", "count": hidden})
    found = rest.resident()
    if prepared.cache:
        rows.keep(())
    return train, found


def _after(first, rows_of, indices):
    return rows_of(indices + first)


def _of_few_shards(rows, hidden, seed):
    """((rows to train on, rows held out), the order of the first)."""
    found = rows_of_few_shards(rows, hidden, seed, "images")
    below = torch.searchsorted(found, torch.from_numpy(rows.starts))
    counts = np.diff(rows.starts) - below.diff().numpy()
    return (partial(_all_but, found - torch.arange(hidden)), found.__getitem__), ShardOrder(counts, rows.prepared.together())


def _all_but(others, indices):
    """The rows of indices among all rows but some: `others` has their numbers, less the number of those before each, sorted."""
    return indices + torch.searchsorted(others, indices, right=True)


def _one_size(folder, manifest):
    (low_height, height), (low_width, width) = manifest["height"], manifest["width"]
    if (low_height, low_width) != (height, width):
        found = f"{low_width} to {width} wide and {low_height} to {height} high"
        raise DataError(f"{folder} has images of several sizes, {found}: give --image-size, the side of the squares to train on")
    return [height, width]
