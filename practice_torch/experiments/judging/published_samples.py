"""Judge the files of `sample RUN --count N --out DIR` as papers do: by Inception's features, next to a whole set of images."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from torch import nn

from practice_torch.engine import gpu
from practice_torch.engine.distributed.evaluation_shares import Shares
from practice_torch.engine.errors import RunError
from practice_torch.experiments.judging import image_sets
from practice_torch.experiments.judging.published_metrics import EXPLAINS, Statistics, measure, published_metrics
from practice_torch.experiments.judging.references import reference
from practice_torch.networks.inception import load_inception, resize_as_tensorflow, resize_by_pillow


class Protocol(NamedTuple):
    """All but the samples: the network, what tells its features from others, and the reference with its size in words."""

    network: nn.Module
    features: str
    size: tuple[int, int]  # height and width of the images
    real: Statistics
    against: str


def published_protocol(weights, against, data, samples, processes, say, *, clean=False):
    """The Protocol, the same on every process; what cannot be compared is refused here, before hours of sampling.

    weights: a file of Inception's. against: what `references.reference` takes, of the run's data (train, held-out). samples:
    their folder; None: they will be drawn, in the size of the data. say(line): progress and warnings. clean: resize images as
    clean-fid does, in place of TensorFlow.
    """
    network = load_inception(weights, resize=resize_by_pillow if clean else resize_as_tensorflow).to(processes.device)
    checksum = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    features = f"Inception, sha256 {checksum[:16]}, resized as {'clean-fid' if clean else 'TensorFlow'} does"
    drawn = image_sets.of_data(data[0], "the training part") if samples is None else image_sets.of_folder(samples)
    with gpu.settings(processes.device):
        real, words = reference(against, data, drawn.size, network, features, Shares(None, processes), say)
    return Protocol(network, features, drawn.size, real, words)


def judge_as_published(protocol, folder, step, processes, seed, say):
    """The content of published_metrics.json, the same on every process.

    folder: of the samples. step: of the weights that drew them; None if it is not known.
    """
    drawn, network = image_sets.of_folder(folder), protocol.network
    if drawn.size != protocol.size:
        raise RunError(f"{folder} has images of {drawn.size}, height and width, and the reference of {protocol.size}")
    with gpu.settings(processes.device):
        samples = measure(drawn, network, Shares(None, processes), say, keep=drawn.count)
    for name, count in ((drawn.name, samples.count), (protocol.against, protocol.real.count)):
        if 0 < count <= network.width:
            say(
                f"warning: {name}: {count:,} images are no more than Inception's {network.width:,} features: their covariance is "
                "singular and the distance far too large; published ones are of 50,000"
            )
    found = published_metrics(samples, protocol.real, network, seed)
    return {
        "step": step,
        "samples": samples.count,
        "folder": str(folder),
        "against": protocol.against,
        "reference_images": protocol.real.count or None,
        "features": protocol.features,
        "metrics": {name: EXPLAINS[name]._asdict() | values for name, values in found.items()},
    }
