"""Reads images from a folder, an .npz file or a .parquet file, and says in one line what is wrong with them."""

import json
from dataclasses import dataclass, replace

import numpy as np
import torch

from practice_torch.data.decoding import SUFFIXES, decode
from practice_torch.data.errors import DataError
from practice_torch.data.folders import files_in, folder_labels
from practice_torch.data.npz import read_npz


@dataclass(frozen=True, eq=False)
class Content:
    """What a source holds: pixels [N, C, H, W] (bytes, or float32 in 0..1), the value that is white, labels and their names."""

    pixels: torch.Tensor
    labels: torch.Tensor | None
    classes: tuple[str, ...]
    white: int

    def take(self, indices):
        """The images at the indices."""
        return replace(self, pixels=self.pixels[indices], labels=None if self.labels is None else self.labels[indices])


def read(path):
    """The images at a path that exists."""
    readers = {".npz": _read_npz, ".parquet": _read_parquet}
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            return _read_folder(path)
        if suffix not in readers:
            mend = f"give its folder, {path.parent}" if suffix in SUFFIXES else "convert it to one of these"
            raise DataError(f"{path} is neither a folder of images, an .npz nor a .parquet file: {mend}")
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes): write it again")
        return readers[suffix](path)
    except PermissionError as error:
        raise DataError(f"{error.filename or path} cannot be read: permission denied") from None
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory ({error}): use fewer or smaller images") from None


def _read_folder(root):
    files = files_in(root, SUFFIXES, "images")
    labels, names = folder_labels(root, files, "images")
    return Content(decode([(str(file), file) for file in files]), labels, names, white=255)


def _read_npz(path):
    arrays = read_npz(path, "images", "labels", "classes")
    pixels, white = _npz_pixels(path, arrays["images"])
    names = arrays.get("classes")
    names = None if names is None else tuple(str(name) for name in np.atleast_1d(names))
    labels = None
    if "labels" in arrays:
        labels, names = _labels(path, arrays["labels"], len(pixels), names)
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


def _read_parquet(path):
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(f"{path}: reading parquet needs pyarrow ({error}): pip install pyarrow") from None
    try:
        table = parquet.ParquetFile(path)
        schema = table.schema_arrow
        image = _image_column(path, schema)
        label = next((name for name in ("label", "labels") if name in schema.names), None)
        content = table.read(columns=[name for name in (image, label) if name])
    except (arrow.ArrowException, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise DataError(f"{path} is no parquet file, or is damaged ({_one_line(error)}): write or download it again") from None
    encoded = content.column(image).combine_chunks()
    if arrow.types.is_struct(encoded.type):
        encoded = encoded.field("bytes")
    if encoded.null_count:
        row = encoded.is_null().to_numpy(zero_copy_only=False).argmax()
        raise DataError(f"{path}, row {row}: column '{image}' holds no bytes; the encoded image itself must stand in the file")
    if len(encoded) == 0:
        raise DataError(f"{path} has no rows: give at least 2 images")
    names, labels = None, None
    if label:
        labels, names = _labels(path, *_label_column(path, content.column(label), schema, label))
    pixels = decode([(f"{path}, row {row}", value.as_buffer()) for row, value in enumerate(encoded)])
    return Content(pixels, labels, names or (), white=255)


def _image_column(path, schema):
    import pyarrow as arrow

    def holds_bytes(kind):
        if arrow.types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0 and holds_bytes(kind.field("bytes").type)
        return arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind)

    columns = [field.name for field in schema if holds_bytes(field.type)]
    if "image" in columns or len(columns) == 1:
        return "image" if "image" in columns else columns[0]
    found = ", ".join(f"{field.name}: {field.type}" for field in schema)
    raise DataError(f"{path} has no column 'image' of bytes or {{bytes, path}} (found {found:.300}): rename or convert one")


def _label_column(path, column, schema, label):
    """(labels as integers, how many, their names): names as the file's metadata or its strings give them."""
    column = column.combine_chunks()
    if column.null_count:
        row = column.is_null().to_numpy(zero_copy_only=False).argmax()
        raise DataError(f"{path}, row {row}: column '{label}' is empty; either every row has a label, or the file no such column")
    values = column.to_numpy(zero_copy_only=False)
    if values.dtype == object and all(isinstance(value, str) for value in values):
        names, labels = np.unique(values.astype(str), return_inverse=True)
        return labels, len(values), tuple(str(name) for name in names)
    return values, len(values), _published_names(schema, label)


def _published_names(schema, label):
    """The class names that the `datasets` library writes into a file's metadata, or None."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features[label]["names"])
    except (KeyError, TypeError, ValueError):
        return None


def _labels(path, labels, count, names):
    """Labels as int64 [N] with the names of their classes, after every check."""
    if labels.shape != (count,):
        shape = list(labels.shape)
        raise DataError(f"{path}: labels has shape {shape}; with {count} images it must be [{count}]: give each image one label")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{path}: labels has dtype {labels.dtype}; it must hold integers 0, 1, 2, ...: convert it")
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


def _one_line(error):
    return " ".join(str(error).split())[:200] or type(error).__name__
