"""Shared parts of the tests of data: small files, damaged files, and the form of error messages."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from practice_torch.data.errors import DataError

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("DIPTYCH_DATA", ROOT.parent / "shared" / "data"))


def shared(name):
    """A real data file next to the repository, or a visible skip."""
    if not (SHARED / name).exists():
        pytest.skip(f"{name} is not in {SHARED} (set DIPTYCH_DATA)")
    return SHARED / name


def one_line(error):
    """The message of the error, checked to be one line that ends with a remedy."""
    message = str(error.value)
    assert "\n" not in message and len(message) < 500
    return message


def refused(load, source, *parts, **options):
    """load(source) raises a DataError of one line that holds every part."""
    with pytest.raises(DataError) as error:
        load(source, **options)
    message = one_line(error)
    for part in parts:
        assert str(part) in message, message


def gray(seed, height=6, width=5):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def everything(parts, key):
    """The values of both parts, held-out last."""
    return torch.cat([part.batch()[key] for part in parts])


def damaged(whole):
    """Every way a file of these bytes is commonly spoilt."""
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1 :]
    return {"empty": b"", "truncated": whole[: int(len(whole) * 0.7)], "foreign": b"GIF89a, say" * 9, "bit flips": flipped}
