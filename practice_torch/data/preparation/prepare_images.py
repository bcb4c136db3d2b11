"""Images of any size, as they are encoded: folders, tar archives (WebDataset), parquet, Arrow files.

Every image is decoded once, so that training meets none that is damaged. Its bytes are kept as they are, with its name, its label
and its size; decoding, cropping and resizing happen in training.
"""

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image

from practice_torch.data.preparation.preparing_rows import RowOptions, prepare_rows, row_facts
from practice_torch.data.reading.decoding import SUFFIXES, open_image

QUALITY = 95
INTEGERS = ("height", "width", "colored")


@dataclass(frozen=True)
class Options(RowOptions):
    """Options of images."""

    most_side: int = 0
    """Scale down images with a shorter side longer than this, and encode them again: a JPEG as JPEG of quality 95, which loses
    a little, anything else as PNG, which is lossless; 0: keep all as they are."""

    def __post_init__(self):
        super().__post_init__()
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
    short = min(pixels.shape[:2])
    if 0 < options.most_side < short:
        height, width = (max(options.most_side, round(side * options.most_side / short)) for side in pixels.shape[:2])
        image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
        pixels, encoded = np.asarray(image), io.BytesIO()
        jpeg = bytes(raw[:2]) == b"\xff\xd8"
        image.save(encoded, **{"format": "JPEG", "quality": QUALITY, "subsampling": 0} if jpeg else {"format": "PNG"})
        raw = encoded.getvalue()
    height, width = pixels.shape[:2]
    return {"content": bytes(raw), "height": height, "width": width, "colored": int(pixels.ndim == 3)}
