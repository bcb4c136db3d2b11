"""Frechet and kernel distance, inception score, precision and recall as papers report them: of Inception's features.

Features are computed in float32 on the device, in batches, by all processes; statistics are sums in float64, so that a set of any
size takes the memory of a batch and of the features that are kept. Distances and scores are those of torch-fidelity at equal
weights, images and subsets.
"""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from practice_torch.data.errors import DataError
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Metric
from practice_torch.evaluation.frechet_distance import frechet_distance
from practice_torch.evaluation.inception_score import split_inception_scores
from practice_torch.evaluation.kernel_distance import kernel_inception_distance
from practice_torch.evaluation.precision_recall import precision_and_recall
from practice_torch.networks.inception import resize_as_tensorflow

FEWEST = 20  # images of a set
KEPT = 50_000  # features of a reference, for the kernel distance, precision and recall: 410 MB
SPLITS = 10  # of the inception score
SUBSETS, SUBSET = 100, 1000  # of the kernel distance
NEIGHBORS = 3  # of precision and recall
BATCH = {"cuda": 128}  # images at once; elsewhere 32
IN_LOG = 5.0  # seconds between two lines of progress

EXPLAINS = {
    "frechet_distance": Metric("squared distance", "FID: of Gaussians fitted to Inception's features of both sets"),
    "kernel_distance": Metric("squared distance", f"KID: mean over {SUBSETS} pairs of subsets of {SUBSET}, cubic kernel"),
    "inception_score": Metric("classes", f"mean over {SPLITS} blocks of the samples, of Inception's 1008 classes"),
    "precision": Metric("fraction", f"samples in a ball around a reference image, up to its neighbor {NEIGHBORS}, by features"),
    "recall": Metric("fraction", f"reference images in a ball around a sample, up to its neighbor {NEIGHBORS}, by features"),
}


class Statistics(NamedTuple):
    """Of the features of a set of images. features [K, D]: of evenly spread images, all if they are few; None: not known."""

    count: int
    mean: torch.Tensor  # [D], float64
    covariance: torch.Tensor  # [D, D], float64, divided by count - 1
    features: torch.Tensor | None


def measure(images, network, shares, say: Callable[[str], None], *, keep=KEPT):
    """The Statistics of an ImageSet, the same on every process of `shares`. say(line): progress.

    network: bytes [B, 3, H, W] to features [B, network.width]; on a GPU it is compiled for one size of batch, to which the last
    one is filled. RunError if the set has fewer than FEWEST images, DataError if its images differ in size.
    """
    if images.count < FEWEST:
        raise RunError(f"{images.name} has {images.count} images, too few to be judged: {FEWEST} at the least")
    device = next(network.parameters()).device
    size = BATCH.get(device.type, 32)
    filled = device.type == "cuda" and network.resize is resize_as_tensorflow  # Pillow is not compiled
    features_of = torch.compile(network, dynamic=False) if filled else network
    total = torch.zeros(network.width, dtype=torch.float64, device=device)
    products = torch.zeros(network.width, network.width, dtype=torch.float64, device=device)
    spread = _evenly(images.count, keep)
    kept, started = [torch.empty(0, network.width)], time.perf_counter()
    said = started
    for number, first in enumerate(range(0, images.count, size)):
        if not shares.takes(number):
            continue
        last = min(first + size, images.count)
        pixels = images.read(first, last)
        if tuple(pixels.shape[2:]) != tuple(images.size):
            raise DataError(f"{images.name} has images of {_words(pixels.shape[2:])} and of {_words(images.size)}: resize them")
        if filled:
            pixels = torch.cat([pixels, pixels[-1:].expand(size - len(pixels), -1, -1, -1)])
        with _exactly(device):
            features = features_of(pixels.to(device))[: last - first]
        wide = features.double()
        total += wide.sum(0)
        products.addmm_(wide.mT, wide)
        kept.append(features[spread[(spread >= first) & (spread < last)].to(device) - first].cpu())
        now = time.perf_counter()
        if now - said >= IN_LOG:
            rate, said = last / (now - started), now  # of all processes: the batches before this one are shared among them
            left = (images.count - last) / rate
            say(f"{images.name}: {last:,} of {images.count:,} images, {rate:.3g} a second, {left:.0f} s left")
    total, products = (sum(shares.together([part])) for part in (total, products))
    mean = total / images.count
    covariance = (products - images.count * torch.outer(mean, mean)) / (images.count - 1)
    return Statistics(images.count, mean.cpu(), covariance.cpu(), _in_order(kept, spread, size, shares))


def _evenly(count, most):
    """Indices of evenly spread images: all, or `most` of them."""
    return torch.linspace(0, count - 1, min(most, count), dtype=torch.float64).round().long()


def _in_order(kept, spread, size, shares):
    """The kept features of all processes, by the number of the image: process r has batches r, r + count, ..."""
    parts = shares.together([torch.cat(kept)])
    owner = spread // size % shares.count
    features = torch.empty(len(spread), parts[0].shape[1])
    for rank, part in enumerate(parts):
        features[owner == rank] = part
    return features


@contextlib.contextmanager
def _exactly(device):
    """Inside, no gradients, no autocast and no TF32."""
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False)
    with (
        torch.no_grad(),
        torch.autocast(device.type, enabled=False),
        exact if device.type == "cuda" else contextlib.nullcontext(),
    ):
        yield


def published_metrics(samples, reference, network, seed):
    """{metric: {"value", "deviation"}} of the Statistics of samples, with all their features, next to those of a reference.

    The deviation is that of the subsets of a kernel distance, and of the blocks of an inception score, which leaves out the last
    samples where SPLITS does not divide their number. Without the reference's features, there are no kernel distance, precision
    and recall. seed: of the subsets.
    """
    found = {"frechet_distance": {"value": frechet_distance(*samples[1:3], *reference[1:3]).item()}}
    device = next(network.parameters()).device
    if reference.features is not None:
        ours, theirs = (part.to(device) for part in (samples.features, reference.features))
        found["kernel_distance"] = _spread(_kernel_distances(ours, theirs, seed))
        shares = precision_and_recall(theirs, ours[_evenly(len(ours), KEPT).to(device)], neighbors=NEIGHBORS)
        found |= {name: {"value": share.item()} for name, share in zip(("precision", "recall"), shares, strict=True)}
    counted = samples.features[: len(samples.features) // SPLITS * SPLITS].to(device)
    with _exactly(device):
        log_probs = network.logits(counted).double().log_softmax(1)
    found["inception_score"] = _spread(split_inception_scores(log_probs, splits=SPLITS))
    return found


def _kernel_distances(x, y, seed):
    """In float64: a kernel distance is a small difference of large means. Of sets no larger than a subset there is one pair."""
    size = min(SUBSET, len(x), len(y))
    number = 1 if size == len(x) == len(y) else SUBSETS
    generator = torch.Generator().manual_seed(seed_of(seed, "subsets of the kernel distance"))
    subsets = [torch.stack([torch.randperm(len(part), generator=generator)[:size] for _ in range(number)]) for part in (x, y)]
    return kernel_inception_distance(x.double(), y.double(), *(part.to(x.device) for part in subsets))


def _spread(values):
    """Divided by the number of values, as published."""
    return {"value": values.mean().item(), "deviation": values.std(correction=0).item()}


def _words(size):
    height, width = size
    return f"{width} x {height} pixels"
