"""Fakes of images: nearness by loops, Frechet distances by eigenvalues, classes by the classifier's probabilities."""

import numpy as np
import torch

from tests.support.judged import Judge, back_and_forth, nearest
from tests.support.metrics import mean, noise

FLOAT32 = True
NAMES = ("digits",)
FIELDS = {"digits": {"fakes": 40}}
COUNT = 12


def generated(e, count, labels=None):
    """Fakes in -1..1, of the classes in turn where they have any."""
    draws = noise(e, count, e.recipe.latent)
    if hasattr(e, "classes"):
        labels = torch.arange(count) % e.classes if labels is None else labels
        draws = torch.cat([draws, torch.eye(e.classes)[labels]], 1)
    return e.generator_network(draws)


def logits(e, images, labels):
    return e.discriminator(images, labels) if hasattr(e, "classes") else e.discriminator(images)


def logs(e, batch, phase):
    if phase != "discriminator":
        return {}
    made = generated(e, len(batch["image"]), batch["label"])
    real, fake = (mean(logits(e, x, batch["label"]).sigmoid()) for x in (2 * batch["image"] - 1, made))
    return {"real": real, "fake": fake}


def recognized(e, images):
    """(whether the largest probability is at least 0.9, the class) of each."""
    shares = e.classifier(images.flatten(1)).softmax(1)
    return [(max(row) >= 0.9, row.index(max(row))) for row in shares.tolist()]


def evaluate(e, data):
    """Of conditional fakes the requested classes are drawn, and judged, first."""
    batch, first = data.batch(), {}
    if hasattr(e, "classes"):
        asked = [k % e.classes for k in range(e.recipe.fakes)]
        called = recognized(e, (generated(e, len(asked)) + 1) / 2)
        right = [k == found for k, (_, found) in zip(asked, called, strict=True)]
        each = [mean([hit for hit, k in zip(right, asked, strict=True) if k == c]) for c in range(e.classes)]
        first = {"agreement": mean(right), "agreement_worst": min(each)}
    fakes, real = (generated(e, e.recipe.fakes) + 1) / 2, batch["image"]
    spacing = [min(nearest(real[k : k + 1], torch.cat([real[:k], real[k + 1 :]]))) for k in range(len(real))]
    plausible = [away <= np.quantile(spacing, 0.9) for away in nearest(fakes, real)]
    sure, of_real = recognized(e, fakes), recognized(e, real)
    shares = [mean([good and sure_ and k == c for good, (sure_, k) in zip(plausible, sure, strict=True)]) for c in range(3)]
    found = {
        "plausible": mean(plausible),
        "distance": back_and_forth(real, fakes),
        "frechet_distance": Judge(real).frechet_distance(fakes, real),
        "discriminator_loss": e.statistics.loss,
        "lowest_discriminator_loss": e.statistics.lowest,
        "classes": sum(share >= 0.2 / 3 for share in shares),
        "recognized": mean([sure_ for sure_, _ in sure]),
        "recognized_real": mean([sure_ for sure_, _ in of_real]),
        "classifier_accuracy": mean([k == label for (_, k), label in zip(of_real, batch["label"].tolist(), strict=True)]),
    }
    return found | first


def preview(e, data):
    """The fakes of all classes are drawn first."""
    if hasattr(e, "classes"):
        by_class = (generated(e, 6 * e.classes) + 1) / 2
        return {"classes": by_class, "fakes": (generated(e, 64) + 1) / 2}
    fakes = (generated(e, e.recipe.fakes) + 1) / 2
    columns = [[fake for fake, (sure, k) in zip(fakes, recognized(e, fakes), strict=True) if sure and k == c] for c in range(3)]
    gray = torch.full_like(fakes[0], 0.4)
    by_class = torch.stack([(column + 6 * [gray])[row] for row in range(6) for column in columns])
    return {"classes": by_class, "fakes": (generated(e, 64) + 1) / 2}
