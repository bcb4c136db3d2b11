"""Metrics of a trained model's samples, each with an interval, next to a baseline and next to real data in the place of samples.

Images are compared with held-out ones by principal components (published_samples.py has Inception's features, and whole sets);
sound_metrics.py and text_metrics.py say what sounds and texts are compared with. The baseline draws every pixel, or every sample
of a sound, from another training example: right in all values, wrong in how they hang together. Real examples, as many as there
are samples, say what a perfect model would reach: a distance of finite samples is not 0.
"""

import math

import torch

from practice_torch.engine import evaluation
from practice_torch.engine.artifacts import Audio, ImageGrid, Text
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.errors import RunError
from practice_torch.engine.estimate import FRACTION, Estimate, interval, mean_interval
from practice_torch.engine.experiment import Metric
from practice_torch.evaluation.kernel_distance import kernel_inception_distance
from practice_torch.evaluation.memorization import authenticity, data_copying_z_score, nearest_distance
from practice_torch.experiments.judging.feature_metrics import FEWEST, distance_precision_recall, recombined
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.experiments.judging.sound_metrics import of_sounds
from practice_torch.experiments.judging.text_metrics import of_texts

_SUBSETS = 10  # of a kernel distance, disjoint
_MOST = 5000  # examples of each kind

EXPLAINS = {
    "frechet_distance": Metric("squared distance", "Frechet distance between Gaussians fitted to features of both"),
    "kernel_distance": Metric("squared distance", "squared distance of kernel means, without bias"),
    "precision": Metric("fraction", "samples that lie among the real examples they are compared with"),
    "recall": Metric("fraction", "real examples that lie among the samples"),
    "data_copying_z": Metric("standard deviations", "far below 0: nearer to the training data than held-out data are"),
    "authenticity": Metric("fraction", "samples farther from the training data than its nearest example is from its neighbors"),
    "frechet_audio_distance": Metric("squared distance", "Frechet distance between Gaussians fitted to features of all frames"),
    "bits_per_byte": Metric("bits per byte", "of held-out text; the baseline knows how frequent each byte is, and nothing else"),
    "perplexity": Metric("bytes", "2 to the bits per byte: so many equally likely next bytes"),
    "distinct_4": Metric("fraction", "different sequences of 4 bytes in passages of 256; the baseline: independent bytes"),
}


def judge(training, step, count):
    """The content of sample_metrics.json. step: of the weights. count: of samples; of images at most as many as are compared.

    Of several processes, those that draw the samples are the same as in an evaluation; rank 0 judges them.
    """
    experiment, seed = training.experiment, training.recipe.seed
    data = training.train_data, training.held_out_data
    if "image" in data[0].batch(torch.arange(min(1, len(data[0])))):
        count = min(count, len(data[0]), _MOST)
    artifacts = evaluation.call_on_ranks(training, "samples", lambda: experiment.sample(count))
    generator = torch.Generator().manual_seed(seed_of(seed, "sample metrics"))
    measured = lambda: sample_metrics(artifacts, experiment, *data, generator)  # noqa: E731
    judged = lambda: evaluation.call_isolated(training, "samples", measured)  # noqa: E731
    features, found = judged() if training.sharded else training.processes.broadcast(judged)
    return {
        "step": step,
        "samples": count,
        "features": features,
        "metrics": {
            name: EXPLAINS[name]._asdict() | {kind: estimate._asdict() for kind, estimate in kinds.items()}
            for name, kinds in found.items()
        },
    }


def sample_metrics(artifacts, experiment, train, held_out, generator):
    """A description of the comparison, and {metric: {"samples": Estimate, "baseline": ..., "real": ...}} of the artifacts.

    RunError if no artifact can be judged, or there are too few examples.
    """
    kinds = {kind: [part for part in artifacts.values() if isinstance(part, kind)] for kind in (ImageGrid, Audio, Text)}
    if images := kinds[ImageGrid]:
        drawn = torch.cat([part.images for part in images]).float().cpu().clamp(0, 1)
        real = [_batch(data) for data in (train, held_out)]
        if "image" not in real[0]:  # spectrograms, say
            raise RunError("the samples are pictures of data that are no images, which no metric compares; leave --samples out")
        return _of_images(drawn, *(batch["image"].float().cpu() for batch in real), generator)
    if sounds := kinds[Audio]:
        return of_sounds(sounds, _batch(train), _batch(held_out), train.description["classes"] or [], generator)
    if texts := kinds[Text]:
        return of_texts("\n".join(part.text for part in texts), experiment, train, held_out, generator)
    names = ", ".join(artifacts) or "nothing"
    raise RunError(
        f"the samples are {names}: figures, which no metric compares; `evaluate RUN` without --samples measures the model"
    )


def _batch(data):
    count = min(len(data), _MOST)
    return data.batch(torch.linspace(0, len(data) - 1, count).round().long())


def _beside(drawn, train, generator):
    """The samples, the baseline and real examples: as many of each as there are of the fewest, next to the training data."""
    count = min(len(drawn), len(train))
    if count < FEWEST:
        raise RunError(f"{count} samples or training examples are too few to be judged; give --samples {FEWEST} or more")
    baseline = recombined(train, generator)[:count]
    real = train[torch.randperm(len(train), generator=generator)[:count]]
    return {"samples": drawn[:count], "baseline": baseline, "real": real}


def _of_images(drawn, train, held_out, generator):
    if drawn.shape[1:] != held_out.shape[1:]:
        raise RunError(
            f"samples have shape {list(drawn.shape[1:])} and the data {list(held_out.shape[1:])}: they cannot be compared"
        )
    if len(held_out) < FEWEST:
        raise RunError(f"the data hold out {len(held_out)} images; at least {FEWEST} are needed to judge samples")
    sets = _beside(drawn, train, generator)
    features = Judge(train).features
    real = features(held_out)
    # distances to the training data, of pixels; for real examples, of one half of the held-out data, next to the other
    near = {name: nearest_distance(part.flatten(1), train.flatten(1)) for name, part in sets.items() if name != "real"}
    halves = nearest_distance(held_out.flatten(1), train.flatten(1)).tensor_split(2)
    found = {}
    for name, images in sets.items():
        of_set = features(images)
        fresh, apart = (torch.cat(halves), near[name]) if name != "real" else halves
        genuine = images if name != "real" else held_out
        found[name] = distance_precision_recall(of_set, real, generator) | {
            "kernel_distance": mean_interval(_kernel_distances(of_set, real, generator)),
            "data_copying_z": _z_score(apart, fresh, generator),
            "authenticity": mean_interval(authenticity(genuine.flatten(1), train.flatten(1)), FRACTION),
        }
    return "principal components of the training images", {
        metric: {name: found[name][metric] for name in found} for metric in found["samples"]
    }


def _kernel_distances(x, y, generator):
    """Kernel distances of disjoint, hence independent subsets."""
    size = min(len(x), len(y)) // _SUBSETS
    subsets = [torch.randperm(len(part), generator=generator)[: size * _SUBSETS].view(_SUBSETS, size) for part in (x, y)]
    return kernel_inception_distance(x, y, *subsets)


def _z_score(apart, fresh, generator):
    """data_copying_z_score from distances to the training data, [Q] and [P]: those of points on a line to its origin."""

    def largest(count, others):
        return math.sqrt(3 * count * others / (count + others + 1))

    def by_largest(generated, test):  # between -1 and 1, however many there are
        z = data_copying_z_score(generated[:, None], generated.new_zeros(1, 1), test[:, None])
        return z / largest(len(generated), len(test))

    estimate = interval(by_largest, apart, fresh, generator=generator, within=(-1.0, 1.0))
    return Estimate(*(largest(len(apart), len(fresh)) * number for number in estimate))
