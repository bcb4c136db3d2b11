"""Many encoded images at once: into one array, with progress, and with one clear line for the one that is wrong.

Gray images have one channel and colored ones three; a set with both becomes colored. Transparency is laid over white, a
photograph is turned upright as its camera noted, and of an animation the first picture counts.
"""

import io
import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from practice_torch.data.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
# Named, so that no file reaches a decoder that runs other programs (EPS), whatever its suffix says.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
CHUNK = 64
# Below this many pixels Python's own work on a file outweighs the decoder's, and threads only wait for each other: measured,
# four threads take 1.3 times as long as one at 32x32, as long at 128x128, and 0.7 times as long at 256x256.
THREADS_FROM = 160 * 160
SHOW_PROGRESS_FROM = 5000


class _Colored(Exception):
    """A colored image in a set that began gray: decode once more, with three channels."""


def decode(items):
    """Bytes [N, C, H, W] of the images in items, pairs of (what to call it, a path or its bytes), which must agree in size."""
    first = _open(*items[0])
    try:
        return _decode_all(items, first, colored=first.ndim == 3)
    except _Colored:
        return _decode_all(items, first, colored=True)


def _decode_all(items, first, colored):
    height, width = first.shape[:2]
    pixels = np.empty((len(items), 3 if colored else 1, height, width), np.uint8)

    def decode_chunk(start):
        for index in range(start, min(start + CHUNK, len(items))):
            where, source = items[index]
            image = _open(where, source)
            if image.shape[:2] != (height, width):
                raise DataError(
                    f"{where} is {image.shape[1]}x{image.shape[0]} (width x height), but {items[0][0]} is {width}x{height}; "
                    "all must have one size: resize or crop them"
                )
            if image.ndim == 3 and not colored:
                raise _Colored
            pixels[index] = image.transpose(2, 0, 1) if image.ndim == 3 else image
        return min(CHUNK, len(items) - start)

    workers = min(8, os.cpu_count() or 1) if height * width >= THREADS_FROM else 1
    # map yields in order, so the first wrong image is the one reported, whichever thread met another one earlier.
    with warnings.catch_warnings(), _progress(len(items)) as advance, ThreadPoolExecutor(workers) as threads:
        warnings.simplefilter("ignore")  # what pillow only remarks on (odd camera notes), once for each of many thousand files
        for done in threads.map(decode_chunk, range(0, len(items), CHUNK)):
            advance(done)
    return torch.from_numpy(pixels)


def _open(where, source):
    """One image as bytes [H, W] if it is gray, [H, W, 3] if it is colored."""
    try:
        with Image.open(io.BytesIO(source) if not isinstance(source, os.PathLike) else source, formats=FORMATS) as image:
            if image.mode.startswith(("I", "F")):
                raise DataError(
                    f"{where} has more than 8 bits a channel (mode {image.mode}); allowed are 8: convert it, or use a float .npz"
                )
            if "exif" in image.info:
                image = ImageOps.exif_transpose(image)
            gray = image.mode in ("1", "L", "LA", "La")
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            mode = "L" if gray else "RGB"
            return np.asarray(image if image.mode == mode else image.convert(mode))
    except (DataError, PermissionError):
        raise
    except UnidentifiedImageError:
        raise DataError(f"{where} is no image that can be read; allowed are {', '.join(FORMATS)}: replace or remove it") from None
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ... for one and the same trouble
        raise DataError(f"{where} is a damaged image ({' '.join(str(error).split())[:120]}): replace or remove it") from None


@contextmanager
def _progress(count):
    """A bar on the terminal for sets that take a while; nothing for small ones, or where nobody watches."""
    if count < SHOW_PROGRESS_FROM or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"decoding {count} images", total=count)
        yield lambda done: bar.advance(task, done)
