"""Decodes many images into one array, with a progress bar, and with a one-line error for a bad image.

Gray images have one channel and color images three; a set with both becomes color. Transparency is blended with white,
photographs are rotated according to their EXIF metadata, and only the first frame of an animation is read. CMYK becomes RGB
without a color profile; 16-bit gray is rounded to 8 bits.

Images of any size become squares where a side is requested: the largest square within, at the center or elsewhere along the
longer side, is brought to that side by Pillow's bicubic filter, which takes its support in the original (antialiasing). A JPEG
is first decoded at the smallest of 1, 1/2, 1/4 and 1/8 of its size that is still twice the side (DCT scaling): a large
photograph then takes a fraction of the time, and no pixel differs visibly.
"""

import io
import os
import sys
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from practice_torch.data.errors import DataError
from practice_torch.data.reading.files import read_bytes
from practice_torch.data.reading.memory import available, require_memory
from shared_specs.stopping import process_count

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
# Listed, so that no file reaches a decoder that runs other programs (EPS), whatever its suffix.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MOST_PIXELS = 2**26  # 8192 x 8192
WORKING = 16  # bytes a pixel while an image is decoded: as it is stored, with its colors, and over white
CHUNK = 64
AHEAD = 2**26  # bytes of encoded images that wait to be decoded
# Below this many pixels Python's own work on a file outweighs the decoder's, and threads only wait for each other: measured,
# four threads take 1.3 times as long as one at 32x32, as long at 128x128, and 0.7 times as long at 256x256.
THREADS_FROM = 160 * 160
SHOW_PROGRESS_FROM = 5000


class _Colored(Exception):
    """A colored image in a set that began gray: decode once more, with three channels."""


def decode(items, count, side=None, colored=None):
    """Bytes [N, C, H, W] of count images, which must agree in size, or become squares of this side.

    items() gives them from the first: pairs of (what to call it, a path or its bytes). colored: whether there are 3 channels, if
    that is known.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pillow only remarks on (odd camera notes), once for each of many thousand files
        where, source = next(iter(items()))
        first = open_image(where, source, side)
        try:
            return _decode_all(items(), count, where, first.shape[:2], side, first.ndim == 3 if colored is None else colored)
        except _Colored:
            return _decode_all(items(), count, where, first.shape[:2], side, colored=True)


def _decode_all(items, count, first, size, side, colored):
    height, width = size
    channels = 3 if colored else 1
    what = f"the set of {count} images of {width}x{height} (width x height) that begins with {first}"
    require_memory(what, count * channels * height * width, "use fewer or smaller images")
    pixels = np.empty((count, channels, height, width), np.uint8)

    def decode_chunk(start, chunk):
        for index, (where, source) in enumerate(chunk, start):
            image = open_image(where, source, side)
            if image.shape[:2] != size:
                raise DataError(
                    f"{where} is {image.shape[1]}x{image.shape[0]} (width x height), but {first} is {width}x{height}; "
                    "all must have one size: resize or crop them, or give --image-size"
                )
            if image.ndim == 3 and not colored:
                raise _Colored
            pixels[index] = image.transpose(2, 0, 1) if image.ndim == 3 else image
        return len(chunk)

    workers = _workers(height * width)
    with _progress(count) as advance, ThreadPoolExecutor(workers) as threads:
        waiting = deque()
        for start, chunk, encoded in _chunks(items):
            # limits the encoded images in memory; in order, so that the first wrong one is reported
            while waiting and (len(waiting) > 2 * workers or encoded + sum(held for _, held in waiting) > AHEAD):
                advance(waiting.popleft()[0].result())
            waiting.append((threads.submit(decode_chunk, start, chunk), encoded))
        for done, _ in waiting:
            advance(done.result())
    return torch.from_numpy(pixels)


def _workers(pixels):
    if pixels < THREADS_FROM:
        return 1
    return max(1, min(process_count(), available() // (WORKING * pixels)))


def _chunks(items):
    """(the number of the first, at most CHUNK items, the bytes in them): items to be read from a file have none yet."""
    start, chunk, size = 0, [], 0
    for item in items:
        chunk.append(item)
        size += 0 if isinstance(item[1], os.PathLike) else len(item[1])
        if len(chunk) == CHUNK or size > AHEAD // 4:
            yield start, chunk, size
            start, chunk, size = start + len(chunk), [], 0
    if chunk:
        yield start, chunk, size


def open_image(where, source, side=None, at=0.5):
    """One image as bytes [H, W] if it is gray, [H, W, 3] if it is colored; as a square of this side, if one is given.

    at: where the square is along the longer side, from 0 (left or top) to 1.
    """
    raw = read_bytes(source, "use smaller images") if isinstance(source, os.PathLike) else source
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError(f"{image.width}x{image.height}, width x height")
            require_memory(where, WORKING * image.width * image.height, "use smaller images")
            if image.mode in ("I", "F"):
                found = f"{where} has 32 bits a channel (mode {image.mode})"
                raise DataError(f"{found}; allowed are 8, and 16 of gray images: convert it, or use a float .npz")
            if side is not None:
                image.draft(None, (2 * side, 2 * side))
            if image.mode.startswith("I;16"):
                image = Image.fromarray(((np.asarray(image, np.uint32) + 128) // 257).astype(np.uint8))  # 65535 is 255
            if "exif" in image.info:
                image = ImageOps.exif_transpose(image)
            gray = image.mode in ("1", "L", "LA", "La")
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            mode = "L" if gray else "RGB"
            image = image if image.mode == mode else image.convert(mode)
            return np.asarray(image if side is None else _square(image, side, at))
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{where} is not a readable image; allowed are {', '.join(FORMATS)}: replace or remove it") from None
    except Image.DecompressionBombError as error:
        # pillow has its own limit, and raises "Image size (10000000000 pixels) exceeds limit of ..."
        why = str(error).split(" exceeds")[0].removeprefix("Image size ").strip("()")
        raise DataError(f"{where} is too large ({why}); allowed are {MOST_PIXELS} pixels, as in 8192x8192: resize it") from None
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ... for one and the same trouble
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{where} is a damaged image ({why}): replace or remove it") from None


def _square(image, side, at):
    short = min(image.size)
    left, top = (at * (length - short) for length in image.size)
    if short == side:  # whole pixels are kept
        left, top = round(left), round(top)
        return image.crop((left, top, left + side, top + side))
    return image.resize((side, side), Image.Resampling.BICUBIC, (left, top, left + short, top + short))


@contextmanager
def _progress(count):
    """A bar on the terminal for sets that take a while; nothing for small ones, or where stderr is no terminal."""
    if count < SHOW_PROGRESS_FROM or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"decoding {count} images", total=count)
        yield lambda done: bar.advance(task, done)
