"""Images of any size, as they are encoded: folders, tar archives (WebDataset), parquet, Arrow files.

Every image is decoded once, so that training meets none that is damaged. Its bytes are kept as they are, with its name, its label
and its size; decoding, cropping and resizing happen in training. A crop that is the same for all, which published results on
faces depend on, is taken here.
"""

import io
import re
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.preparing_rows import RowOptions, prepare_rows, row_facts
from practice_torch.data.reading.decoding import SUFFIXES, open_image

QUALITY = 95
INTEGERS = ("height", "width", "colored")


@dataclass(frozen=True)
class Options(RowOptions):
    """Options of images."""

    crop: str = ""
    """Keep one square of every image: SIZE, that many pixels at its center, or SIZE@X,Y, around the pixel in column X and row Y,
    counted from 0 at the top left. It is encoded again as PNG, which is lossless, and an image that does not contain it is an
    error. Empty: keep whole images."""
    most_side: int = 0
    """Scale down images with a shorter side longer than this, and encode them again: a JPEG as JPEG of quality 95, which loses
    a little, anything else as PNG, which is lossless; 0: keep all as they are."""

    def __post_init__(self):
        super().__post_init__()
        if self.crop:
            _numbers(self.crop)
        if self.most_side < 0:
            raise ValueError(f"most_side is {self.most_side}; it must be at least 1, or 0 to keep all images as they are")


def prepare(sources, out, options, say, part=None):
    """The sources' images in the folder `out`, opened; of a part, its description."""
    about = {"suffixes": SUFFIXES, "holds": "image", "integers": INTEGERS, "row": _row, "same": {}, "facts": facts}
    return prepare_rows(sources, out, options, say, modality="images", **about, part=part)


def facts(_, labels, sidecars):
    """The manifest's entries about images."""
    return row_facts(labels, sidecars, _facts)


def summary(manifest):
    """Summary of the prepared data."""
    classes = manifest["classes"]
    labels = "no labels" if classes is None else f"{len(classes)} classes"
    (least_height, height), (least_width, width) = manifest["height"], manifest["width"]
    sizes = (
        f"{width}x{height}"
        if (least_height, least_width) == (height, width)
        else (f"{least_width} to {width} wide and {least_height} to {height} high")
    )
    return f"{manifest['count']} images, {sizes}, {'colored' if manifest['colored'] else 'gray'}, {labels}"


def _facts(ranges, _):
    if not ranges:
        return {}
    return {name: ranges[name][:2] for name in ("height", "width")} | {"colored": bool(ranges["colored"][1])}


def _row(where, raw, options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pillow only remarks on (odd camera notes)
        pixels = open_image(where, raw)
    if options.crop:
        pixels = _cropped(where, pixels, options.crop)
        raw = _encoded(Image.fromarray(pixels), format="PNG")
    short = min(pixels.shape[:2])
    if 0 < options.most_side < short:
        height, width = (max(options.most_side, round(side * options.most_side / short)) for side in pixels.shape[:2])
        image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
        pixels, jpeg = np.asarray(image), bytes(raw[:2]) == b"\xff\xd8"
        raw = _encoded(image, format="JPEG", quality=QUALITY, subsampling=0) if jpeg else _encoded(image, format="PNG")
    height, width = pixels.shape[:2]
    return {"content": bytes(raw), "height": height, "width": width, "colored": int(pixels.ndim == 3)}


def _numbers(crop):
    """(size, x, y) of a crop; x and y are None at the center."""
    found = re.fullmatch(r"(\d{1,9})(?:@(\d{1,9}),(\d{1,9}))?", crop)
    if not found or int(found[1]) == 0:
        raise ValueError(f"crop is {crop!r}; it must be SIZE or SIZE@X,Y, in pixels, such as 140 or 128@89,121")
    return tuple(number and int(number) for number in found.groups())


def _cropped(where, pixels, crop):
    (size, *center), (height, width) = _numbers(crop), pixels.shape[:2]
    x, y = (side // 2 if at is None else at for side, at in zip((width, height), center, strict=True))
    left, top = x - size // 2, y - size // 2
    if left < 0 or top < 0 or left + size > width or top + size > height:
        taken = f"columns {left} to {left + size - 1} and rows {top} to {top + size - 1}"
        raise DataError(f"{where} is {width}x{height} (width x height), and the crop {crop} takes {taken}")
    return pixels[top : top + size, left : left + size]


def _encoded(image, **options):
    encoded = io.BytesIO()
    image.save(encoded, **options)
    return encoded.getvalue()
