"""What samples are compared with: the training or held-out images of their run, a folder, an .npz of images, or of statistics.

The statistics of images are kept in a cache, under a checksum of the pixels and of the network's weights: a large training set is
computed once. The kept file is an .npz with mu and sigma, which other tools for the FID read, too.
"""

import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.reading.cache_folder import cache_folder
from practice_torch.data.reading.npz import read_npz
from practice_torch.experiments.judging import image_sets
from practice_torch.experiments.judging.image_sets import require_size
from practice_torch.experiments.judging.published_metrics import KEPT, Statistics, measure

TRAIN, HELD_OUT = "train", "held-out"  # the parts of a run's data


def reference(against, data, size, network, features, shares, say):
    """The Statistics of what --against names, and a description of it. data: (train, held-out) of the run.

    size: height and width of the samples. features: what tells these features from others, as a checksum. say(line): progress.
    DataError or RunError, one line, if the reference cannot be compared with the samples.
    """
    if against in (TRAIN, HELD_OUT):
        part = data[against == HELD_OUT]
        images = image_sets.of_data(part, f"the {against} part of {part.description.get('name', 'the data')}")
    elif (path := Path(against)).is_dir():
        images = image_sets.of_folder(path)
    elif not path.is_file():
        raise DataError(f"--against {against}: no such file or folder; allowed are {TRAIN}, {HELD_OUT}, a folder, an .npz")
    elif _names(path) & {"mu", "sigma"}:
        found = _of_statistics(path, network.width, features)
        return found, f"statistics of {path}" + (f" ({found.count:,} images)" if found.count else "")
    else:
        images = image_sets.of_npz(path)
    require_size(images, size)
    return _kept(images, network, features, shares, say), f"{images.name} ({images.count:,} images)"


def _kept(images, network, features, shares, say):
    """The Statistics of a set from the cache, or measured and kept there."""
    key = hashlib.sha256(f"{images.checksum()} {images.count} {features} {KEPT}".encode()).hexdigest()
    file = cache_folder() / "statistics" / f"{key[:32]}.npz"
    # all processes read, or all measure: they may not see the same disk
    if all(shares.together([int(file.is_file())])):
        say(f"statistics of {images.name}: {file}")
        return _of_statistics(file, network.width, features)
    found = measure(images, network, shares, say)
    if shares.rank == 0:
        _write(found, file, features, say)
    return found


def _write(found, file, features, say):
    """Whole or not at all; a cache that cannot be written is said, and costs nothing but time."""
    arrays = {"mu": found.mean, "sigma": found.covariance, "features": found.features}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        half = file.with_suffix(f".{os.getpid()}.part")
        with half.open("wb") as out:
            np.savez(out, count=found.count, network=features, **{name: array.numpy() for name, array in arrays.items()})
        half.replace(file)
    except OSError as error:
        say(f"warning: the statistics are not kept, {file} cannot be written: {error.strerror}")


def _of_statistics(path, width, features):
    """The Statistics of a file with mu and sigma. DataError if they cannot be of this network's features."""
    arrays = read_npz(path, "mu", "sigma", "features", "count", "network")
    if "sigma" not in arrays:
        raise DataError(f"{path} has mu and no sigma: the mean of features without their covariance")
    mu, sigma = (torch.from_numpy(np.asarray(arrays[name], np.float64)) for name in ("mu", "sigma"))
    if mu.shape != (width,) or sigma.shape != (width, width):
        shapes = f"mu is {list(mu.shape)} and sigma {list(sigma.shape)}"
        raise DataError(f"{path}: {shapes}; Inception has {width:,} features: these are statistics of another network")
    if "network" in arrays and str(arrays["network"]) != features:
        raise DataError(
            f"{path} has features by {arrays['network']}, the samples by {features}: give the same --inception and --clean"
        )
    if not (mu.isfinite().all() and sigma.isfinite().all()):
        raise DataError(f"{path}: mu or sigma holds what is not finite")
    if mu.min() < 0:
        raise DataError(f"{path}: mu has {mu.min():.3g}; Inception's features are not negative: these are of another network")
    if (sigma - sigma.mT).abs().max() > 1e-5 * sigma.abs().max():
        raise DataError(f"{path}: sigma is not symmetric, as a covariance is")
    kept = torch.from_numpy(arrays["features"]) if "features" in arrays else None
    return Statistics(int(arrays.get("count", 0)), mu, sigma, kept)


def _names(path):
    """Of the arrays in an .npz; none if it is no archive, which its reader then reports."""
    if not zipfile.is_zipfile(path):
        return set()
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy") for name in archive.namelist()}
