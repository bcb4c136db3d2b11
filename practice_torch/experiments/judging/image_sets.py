"""Sets of images as published metrics read them: bytes [B, 3, H, W], batch by batch, never the whole set in memory.

A set is the training or held-out part of a run's data, a folder of images, or an .npz file with images, [N, H, W, 3] of uint8.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from practice_torch.data.errors import DataError
from practice_torch.data.reading.decoding import SUFFIXES, decode, open_image
from practice_torch.data.reading.folders import files_in
from practice_torch.data.reading.npz import read_npz
from practice_torch.data.streams.streamed_images import StreamedImages
from practice_torch.engine.errors import RunError
from practice_torch.networks.inception import as_bytes

_READ = 500  # images at a time, for a checksum of their pixels
ARRAY = "arr_0"  # of the .npz files in which others publish samples and reference images


@dataclass(frozen=True)
class ImageSet:
    """Images of one size. read(first, last) gives bytes [last - first, 3, H, W]; checksum(), of all that decides the pixels."""

    name: str
    count: int
    size: tuple[int, int]  # height, width
    read: Callable[[int, int], torch.Tensor]
    checksum: Callable[[], str]


def require_size(images, size):
    """RunError if a reference has images of another size, height and width, than the samples."""
    if images.size != tuple(size):
        (height, width), (wanted_height, wanted_width) = images.size, size
        raise RunError(
            f"{images.name} has images of {width} x {height} pixels, the samples {wanted_width} x {wanted_height}: "
            "bring the reference to the size of the samples, as published distances do"
        )


def of_data(data, name):
    """The images of a data set. RunError if its examples are no images."""
    if not len(data) or "image" not in data.batch(torch.tensor([0])):
        raise RunError(f"{name} holds no images, which these metrics compare; leave --inception out")

    def read(first, last):
        return as_bytes(data.batch(torch.arange(first, last))["image"])

    def checksum():
        if isinstance(data, StreamedImages):  # the manifest has the checksum of every file
            facts = [dict(data.description), data.first, data.count, data.seed, data.side]
            return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        digest = hashlib.sha256()
        for first in range(0, len(data), _READ):
            digest.update(read(first, min(first + _READ, len(data))).cpu().numpy().tobytes())
        return digest.hexdigest()

    return ImageSet(name, len(data), tuple(data.description["shape"][1:]), read, checksum)


def of_folder(folder):
    """The images of a folder and its sub-folders. DataError if there is none, or one cannot be read."""
    folder = Path(folder)
    files = files_in(folder, SUFFIXES, "images")

    def read(first, last):
        some = files[first:last]
        return decode(lambda: ((str(file), file) for file in some), len(some)).expand(-1, 3, -1, -1)

    def checksum():
        digest = hashlib.sha256()
        for file in files:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()

    size = open_image(str(files[0]), files[0]).shape[:2]
    return ImageSet(str(folder), len(files), tuple(size), read, checksum)


def of_npz(path):
    """The images of an .npz file, [N, H, W, 3] of uint8 under arr_0. DataError if they are something else."""
    images = read_npz(path, ARRAY)[ARRAY]
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != "uint8":
        raise DataError(f"{path}: {ARRAY} is {list(images.shape)} of {images.dtype}; it must be [N, H, W, 3] of uint8")

    def read(first, last):
        return torch.from_numpy(images[first:last]).permute(0, 3, 1, 2).contiguous()

    return ImageSet(str(path), len(images), images.shape[1:3], read, lambda: hashlib.sha256(images.tobytes()).hexdigest())
