"""Images: the embedded digits and squares, torchvision's data sets, or the user's own folder, .npz or .parquet file.

Pixels stay as they were stored (bytes where possible) and become floats in 0..1 batch by batch, all at once.
"""

from pathlib import Path

import torch

from practice_torch.data.blank import MANY, blank_labels, blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.image_set import Images
from practice_torch.data.preparation.prepared import is_prepared
from practice_torch.data.reading import image_files
from practice_torch.data.reading.cache_folder import cache_folder
from practice_torch.data.reading.decoding import MOST_PIXELS, SUFFIXES
from practice_torch.data.remote.store import is_url
from practice_torch.data.splits import existing_path, fingerprint, random_split
from practice_torch.data.squares import FACTORS, SIDE, WHITE, squares
from practice_torch.data.streams.streamed_images import load_prepared

TORCHVISION = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}
NAMES = ("digits", "squares", *TORCHVISION)
# of these: shape, number of classes, examples to train on
KNOWN = {
    "digits": ([1, 8, 8], 10, 1438),
    "squares": ([1, SIDE, SIDE], 0, 676),
    "mnist": ([1, 28, 28], 10, 60_000),
    "fashion_mnist": ([1, 28, 28], 10, 60_000),
    "kmnist": ([1, 28, 28], 10, 60_000),
    "cifar10": ([3, 32, 32], 10, 50_000),
    "cifar100": ([3, 32, 32], 100, 50_000),
}
KINDS = "a folder of images, an .npz file or a .parquet file, or what `prepare images` wrote, or its URL"
FORMS = (
    f"digits and squares (embedded); {', '.join(TORCHVISION)} (downloaded); a folder of images ({' '.join(SUFFIXES)}) of one "
    "size, or of any with --image-size, where sub-folders are labels; an .npz file with an array images, uint8 or floats in "
    "0..1, and labels and classes if there are any; a .parquet file with columns image and label; or a folder that `prepare "
    f"images` wrote. An image has at most {MOST_PIXELS} pixels, as in 8192x8192."
)


def load(source, *, held_out=0.2, seed=0, classes=None, folder=None, image_size=None, only_class=None, examples_per_class=()):
    """(train, held-out) images from a built-in name or a path.

    Names: digits (1797 of 8x8, 17 gray levels), squares (1352 of 16x16, with factors in place of labels), and torchvision's
    mnist, fashion_mnist, kmnist, cifar10, cifar100, which keep their published two parts (held_out is not used) and are
    downloaded into `folder` (default ~/.cache/diptych, or the environment's DIPTYCH_CACHE). Paths: a folder of images
    (sub-folders are labels), an .npz (arrays images, and labels if there are any), a .parquet file (columns image and label); or
    a folder written by `prepare images`, with its training part left on the disk. With `classes`, labels must lie in
    0..classes-1. With `image_size`, images of a folder or a .parquet file, of any sizes, become squares of this side: the
    shorter side is brought to it, and the longer one cropped. With `only_class`, both parts keep the images of this class. With
    `examples_per_class`, the training part keeps at most so many images of each class, drawn by the seed: (10,) for all classes,
    or a number for each.

    Raises DataError, one line, where the data cannot be used.
    """
    name = str(source)
    if image_size is not None and image_size < 1:
        raise DataError(f"image_size is {image_size}; it must be at least 1, or none to keep images as they are")
    if image_size is not None and name in NAMES:
        raise DataError(f"{name} has images of one size; image_size ({image_size}) is for files: leave it out")
    if name in TORCHVISION:
        contents = parts = _from_torchvision(name, Path(folder).expanduser() if folder else cache_folder())
    else:
        path = name if is_url(name) else None if name in _EMBEDDED else existing_path(source, NAMES, KINDS)
        if is_url(name) or path is not None and is_prepared(path):
            if only_class is not None:
                raise DataError(f"only_class is {only_class}; {name} is prepared: prepare a folder of this class alone")
            if examples_per_class:
                raise DataError(
                    f"examples_per_class is {examples_per_class}; {name} is prepared: prepare a folder of fewer images"
                )
            return load_prepared(path, held_out=held_out, seed=seed, classes=classes, side=image_size)
        whole = _EMBEDDED[name]() if path is None else image_files.read(path, image_size)
        contents = (whole,)
        split = random_split(len(whole.pixels), held_out, seed, f"images in {name}", size=whole.pixels.nbytes)
        parts = [whole.take(indices) for indices in split]
    if classes is not None:
        for whole in contents:
            _require_classes(name, whole.labels, classes)
    if only_class is not None:
        contents, parts = ([_of_class(name, part, only_class) for part in group] for group in (contents, parts))
    digest = fingerprint(*(array for whole in contents for array in (whole.pixels, whole.labels)))
    if examples_per_class:
        parts = _few_of_each(name, parts[0], examples_per_class, seed), parts[1]
    return tuple(_describe(name, part, split, digest) for part, split in zip(parts, ("train", "held-out"), strict=True))


def _describe(name, content, split, digest):
    description = {
        "name": name,
        "split": split,
        "count": content.pixels.shape[0],
        "shape": list(content.pixels.shape[1:]),
        "classes": None if content.labels is None else list(content.classes),
        "sha256": digest,
    }
    if content.factors is not None:
        description["factors"] = FACTORS
    return Images(content.pixels, content.labels, content.white, description, content.factors)


def _of_class(name, content, number):
    """The images of one class; their label and the names of the classes stay as they are."""
    if content.labels is None or number >= len(content.classes):
        known = "no labels" if content.labels is None else f"the classes 0..{len(content.classes) - 1}"
        raise DataError(f"only_class is {number}; {name} has {known}")
    found = (content.labels == number).nonzero()[:, 0]
    if not len(found):
        raise DataError(f"only_class is {number}; no image of this class is in one of the parts of {name}: raise --held-out")
    return content.take(found)


def _few_of_each(name, content, most, seed):
    """At most so many images of each class, drawn, in the order of the data."""
    if content.labels is None or len(most) not in (1, len(content.classes)):
        known = "no labels" if content.labels is None else f"{len(content.classes)} classes: give one number, or one for each"
        raise DataError(f"examples_per_class is {most}; {name} has {known}")
    order = torch.randperm(len(content.labels), generator=torch.Generator().manual_seed(seed))
    limits = most * len(content.classes) if len(most) == 1 else most
    kept = [order[content.labels[order] == number][:limit] for number, limit in enumerate(limits)]
    return content.take(torch.cat(kept).sort().values)


def _require_classes(name, labels, classes):
    if labels is None:
        raise DataError(f"{name} has no labels; {classes} classes are needed: give each class a sub-folder, or add labels")
    if int(labels.max()) >= classes:
        found = int(labels.max())
        raise DataError(f"{name}: label {found} found; allowed are 0..{classes - 1}: raise the recipe's number of classes")


def _digits():
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = torch.from_numpy(digits.images.astype("uint8"))[:, None]
    names = tuple(str(name) for name in digits.target_names)
    return image_files.Content(pixels, torch.from_numpy(digits.target).long(), names, white=16)


def _squares():
    pixels, factors = squares()
    return image_files.Content(pixels, None, (), WHITE, factors)


_EMBEDDED = {"digits": _digits, "squares": _squares}


def _from_torchvision(name, folder):
    """torchvision's train and test parts. It compares the files with their published checksums before it opens them."""
    try:
        from torchvision import datasets  # slow to import (seconds), and only wanted here
    except ImportError as error:
        raise DataError(
            f"{name} comes from torchvision, which does not import ({error}): pip install torchvision, or give a path ({KINDS})"
        ) from None
    parts = []
    for train in (True, False):
        try:
            part = getattr(datasets, TORCHVISION[name])(folder, train=train, download=True)
        except Exception as error:  # torchvision raises URLError, RuntimeError, OSError, ... for one and the same trouble
            raise DataError(
                f"{name} could not be downloaded into {folder} ({_one_line(error)}): check the network and the folder, "
                f"or give a path ({KINDS})"
            ) from None
        pixels = torch.as_tensor(part.data)
        pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
        names = tuple(part.classes)
        parts.append(image_files.Content(pixels, torch.as_tensor(part.targets).long(), names, white=255))
    return tuple(parts)


def _one_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def blank(name, facts, *, image_size=None, only_class=None, examples_per_class=()):
    """The training images without data: see blank.py."""
    shape, classes, count = KNOWN.get(name, ([3, image_size, image_size], 0, MANY))
    shape = facts.get("shape", shape)
    count = count if only_class is None else count // max(1, classes)
    limits = examples_per_class * max(1, classes) if len(examples_per_class) == 1 else examples_per_class
    count = min(count, sum(limits) if only_class is None else limits[only_class]) if limits else count
    known = {"shape": shape, "classes": [str(label) for label in range(classes)] or None, "count": count}
    if name == "squares":
        known["factors"] = FACTORS
    return blank_set(name, known, facts, lambda count: {"image": torch.zeros(count, *shape)} | blank_labels(known | facts, count))
