"""Scores of single examples by torch.distributions, rankings by scikit-learn or by counting pairs, sounds by SciPy."""

import math
import statistics

import torch
from scipy.signal import hilbert
from sklearn.metrics import average_precision_score

from practice_torch.experiments.latent.anomaly_detection import smoothed as smoothed_by_experiment
from tests.support.metrics import bernoulli, divergence, mean, noise, normal, standard_normal

COUNT = 24


def view(e, image_or_sound):
    if e.medium.judged == "left_out":
        return (image_or_sound.flatten(1) > e.recipe.threshold).to(image_or_sound.dtype)
    spectra = []
    for sound in image_or_sound[:, 0]:
        size = min(512, len(sound))
        padded = torch.nn.functional.pad(sound[None], (size // 2, size // 2), mode="reflect")[0]
        frames = padded.unfold(0, size, size // 2) * torch.sin(math.pi * torch.arange(size) / size) ** 2
        spectra.append((torch.fft.rfft(frames).abs() + 0.1).log().T.flatten())
    return torch.stack(spectra)


def log_likelihood(e, x, output):
    if e.medium.judged == "left_out":
        return bernoulli(output).log_prob(x)
    return torch.distributions.Normal(output, e.recipe.deviation).log_prob(x).sum(-1)


def scores(e, x):
    """(-ELBO, -log p(x | z)) of each view, the latter averaged over draws."""
    q = normal(*e.network.encode(x))
    eps = noise(e, len(x) * e.recipe.score_draws, e.recipe.latent_dim).view(len(x), e.recipe.score_draws, -1)
    z = q.mean[:, None] + q.stddev[:, None] * eps
    output = e.network.decode(z.flatten(0, 1)).unflatten(0, eps.shape[:2])
    reconstruction = -log_likelihood(e, x[:, None].expand_as(output), output).mean(1)
    return (reconstruction + divergence(q, standard_normal(q.mean))).tolist(), reconstruction.tolist()


def is_normal(e, batch):
    return batch["label"] != e.recipe.anomaly if "image" in batch else torch.ones(len(batch["audio"]), dtype=torch.bool)


def smoothed(x):
    """Of each view the mean of the five nearest. Of binary ones many are equally near: the experiment chooses."""
    if set(x.unique().tolist()) <= {0.0, 1.0}:
        return smoothed_by_experiment(x)
    rows = []
    for one in x:
        order = sorted(range(len(x)), key=lambda k: float((x[k] - one).norm()))[:5]
        rows.append(torch.stack([x[k] for k in order]).mean(0))
    return torch.stack(rows)


def anomalies(e, batch):
    normal_ones = is_normal(e, batch)
    if "image" in batch:
        x = view(e, batch["image"])
        drawn = torch.randint(2, x[normal_ones].shape, generator=e.generator).to(x.dtype)
        return {"left_out": x[~normal_ones], "noise": drawn, "simple": (smoothed(x[normal_ones]) > 0.5).to(x.dtype)}
    sounds, length = batch["audio"], batch["audio"].shape[-1]
    places = torch.randint(length, sounds.shape[:2], generator=e.generator)
    clicked = sounds.clone()
    for k, place in enumerate(places[:, 0].tolist()):
        clicked[k, 0, place] += e.recipe.click
    turn = 2 * math.pi * e.recipe.shift / e.recipe.sample_rate * torch.arange(length)
    analytic = torch.from_numpy(hilbert(sounds.numpy()))
    detuned = (analytic.real * turn.cos() - analytic.imag * turn.sin()).to(sounds.dtype)
    return {"detuned": view(e, detuned), "click": view(e, clicked), "simple": smoothed(view(e, sounds))}


def ranked(ordinary, strange):
    """The share of pairs in which the anomaly scores higher."""
    return mean([(s > o) + (s == o) / 2 for s in strange for o in ordinary])


def evaluate(e, data):
    batch = data.batch()
    x = view(e, batch["image" if "image" in batch else "audio"])[is_normal(e, batch)]
    reference, _ = scores(e, x[0::2])
    kinds = anomalies(e, batch)  # before the tested ones are scored
    ordinary = scores(e, x[1::2])
    found = {kind: scores(e, views) for kind, views in kinds.items()}
    judged = found[e.medium.judged]
    middle = statistics.median(reference)
    unusual = lambda values: [abs(value - middle) for value in values]  # noqa: E731 - its unit does not matter to a ranking
    threshold = sorted(judged[0], reverse=True)[math.ceil(0.95 * len(judged[0])) - 1]
    labels = [0] * len(ordinary[0]) + [1] * len(judged[0])
    return {
        "auroc": ranked(ordinary[0], judged[0]),
        "average_precision": average_precision_score(labels, ordinary[0] + judged[0]),
        "false_positive_rate": mean([value >= threshold for value in ordinary[0]]),
        "auroc_reconstruction": ranked(ordinary[1], judged[1]),
        "auroc_simple": ranked(ordinary[0], found["simple"][0]),
        "auroc_simple_typicality": ranked(unusual(ordinary[0]), unusual(found["simple"][0])),
        "negative_elbo": mean(ordinary[0]),
    }


def preview(e, data):
    batch = data.batch()
    key = "image" if "image" in batch else "audio"
    kinds = {"normal": view(e, batch[key])[is_normal(e, batch)]} | anomalies(e, batch)
    drawn = {}
    for kind, x in kinds.items():
        some = x[[round((len(x) - 1) * k / 11) for k in range(12)]]
        again = e.network.decode(e.network.encode(some)[0])
        drawn[kind] = shown(e, torch.cat([some, again.sigmoid() if key == "image" else again]))
    curves = []
    for x in kinds.values():
        ordered = sorted(scores(e, x)[0])
        curves.append(("plot", ordered, [k / (len(ordered) - 1) for k in range(len(ordered))]))
    return drawn | {"scores": [(*curve, {"label": kind.replace("_", " ")}) for kind, curve in zip(kinds, curves, strict=True)]}


def shown(e, x):
    """Images as they are; spectrograms between the least and the largest value, high frequencies on top, frames four wide."""
    pictures = x.unflatten(1, e.medium.shape)
    if e.medium.judged == "left_out":
        return pictures
    low, high = min(x.flatten().tolist()), max(x.flatten().tolist())
    rows = [(picture.flip(0) - low) / (high - low) for picture in pictures]
    return torch.stack([row.repeat_interleave(4, 1)[None] for row in rows])
