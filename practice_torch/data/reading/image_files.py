"""Read images from a folder, an .npz file or a .parquet file; errors are one line."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.reading.decoding import SUFFIXES, decode
from practice_torch.data.reading.files import reading, require_name, size_of
from practice_torch.data.reading.folders import files_in, folder_labels
from practice_torch.data.reading.npz import read_npz
from practice_torch.data.reading.parquet import Rows


@dataclass(frozen=True, eq=False)
class Content:
    """Content of a source: pixels [N, C, H, W] (bytes, or float32 in 0..1), the value that is white, labels and their names.

    factors: the values [N, F] of the factors of generated images.
    """

    pixels: torch.Tensor
    labels: torch.Tensor | None
    classes: tuple[str, ...]
    white: int
    factors: torch.Tensor | None = None

    def take(self, indices):
        """The images at the indices."""
        labels, factors = (None if value is None else value[indices] for value in (self.labels, self.factors))
        return replace(self, pixels=self.pixels[indices], labels=labels, factors=factors)


def read(path, side=None):
    """The images at a path that exists; of a folder or a .parquet file, as squares of this side if one is given."""
    readers = {".npz": _read_npz, ".parquet": _read_parquet}
    suffix = path.suffix.lower()
    with reading(path, "use fewer or smaller images"):
        if path.is_dir():
            return _read_folder(path, side)
        size_of(path)
        if suffix not in readers:
            mend = f"give its folder, {path.parent}" if suffix in SUFFIXES else "convert it to one of these"
            raise DataError(f"{path} is neither a folder of images, an .npz nor a .parquet file: {mend}")
        return readers[suffix](path, side)


def _read_folder(root, side):
    files = files_in(root, SUFFIXES, "images")
    labels, names = folder_labels(root, files, "images")
    return Content(decode(lambda: ((str(file), file) for file in files), len(files), side), labels, names, white=255)


def _read_npz(path, side):
    if side is not None:
        raise DataError(f"{path} has images of one size; image_size ({side}) is for encoded images: leave it out")
    arrays = read_npz(path, "images", "labels", "classes")
    pixels, white = _npz_pixels(path, arrays["images"])
    names = arrays.get("classes")
    names = None if names is None else tuple(str(name) for name in names.reshape(-1))
    labels = None
    if "labels" in arrays:
        labels, names = _labels(path, arrays["labels"], names, len(pixels))
    return Content(pixels, labels, names or (), white)


def _npz_pixels(path, images):
    shape = list(images.shape)
    if images.ndim not in (3, 4):
        raise DataError(f"{path}: images has shape {shape}; it must be [N, H, W], [N, H, W, C] or [N, C, H, W]")
    if 0 in shape:
        raise DataError(f"{path}: images has shape {shape}, so there is nothing in it: give at least 2 images")
    if images.ndim == 3:
        images = images[:, None]
    elif (shape[1] in (1, 3)) == (shape[3] in (1, 3)):
        both = "axis 1 and axis 3 could both be the channels"
        why = both if shape[1] in (1, 3) else "neither axis 1 nor axis 3 is 1 (gray) or 3 (RGB)"
        raise DataError(f"{path}: images has shape {shape}, and {why}: save [N, H, W] for gray, [N, 3, H, W] for color")
    elif shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.dtype == bool:
        return torch.from_numpy(np.ascontiguousarray(images).view(np.uint8)), 1
    if images.dtype == np.uint8:
        if images.max() <= 1:
            found = "all of it 0" if not images.any() else "0 and 1 only"
            raise DataError(f"{path}: images is uint8 and {found}, but 255 is white: multiply by 255, or save it as bool")
        return torch.from_numpy(np.ascontiguousarray(images)), 255
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"{path}: images has dtype {images.dtype}; it must be uint8, floats in 0..1, or bool: convert it")
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # not the other way round: every comparison with NaN is false
        index = tuple(int(axis[0]) for axis in np.nonzero(~((images >= 0) & (images <= 1))))
        mend = "divide by 255" if 1 < high <= 255 and low >= 0 else "map it to 0..1 and remove what is not finite"
        where = f"channel, row, column {list(index[1:])}"
        raise DataError(f"{path}: image {index[0]} holds {images[index]} at {where}; floats must lie in 0..1: {mend}")
    return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)), 1


def _read_parquet(path, side):
    rows = Rows(path)
    labels, names = None, None
    if rows.label:
        labels, names = _labels(path, *rows.labels(), count=rows.count)
    return Content(decode(rows.images, rows.count, side), labels, names or (), white=255)


def _labels(path, labels, names, count):
    """Labels as int64 [N] with the names of their classes, after every check."""
    if labels.shape != (count,):
        shape = list(labels.shape)
        raise DataError(f"{path}: labels has shape {shape}; with {count} images it must be [{count}]: give each image one label")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{path}: labels has dtype {labels.dtype}; it must hold integers 0, 1, 2, ...: convert it")
    for name in names or ():
        require_name(name, f"{path}: the name of a class,")
    classes = count if names is None else len(names)  # more classes than images is a mistake, such as 255 for -1
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        row = int(wrong.argmax())
        bound = f"{count} images" if names is None else f"{classes} named classes"
        allowed = f"0..{classes - 1}, for {bound}"
        raise DataError(f"{path}: label {labels[row]} at row {row}; allowed are {allowed}: number the classes from 0")
    if names is None:
        names = tuple(str(label) for label in range(int(labels.max()) + 1))
    return torch.from_numpy(labels.astype(np.int64)), names
