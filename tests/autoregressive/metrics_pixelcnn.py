"""Codes of pixels: their cost by the network's own law of each image, and by histograms of every pixel."""

import math
from collections import Counter

import torch

from tests.support.judged import Judge
from tests.support.metrics import mean

NAMES = ("digits",)
FIELDS = {"digits": {"dropout": 0.0}}  # one image after another would drop other units
COUNT = 12


def codes_of(e, image):
    return (image * (e.recipe.num_levels - 1)).round().long()


def log_probs(e, batch):
    """One image after another."""
    codes, labels = codes_of(e, batch["image"]), batch["label"]
    return [float(e.network.log_prob(codes[k : k + 1], labels[k : k + 1])) for k in range(len(codes))]


def logs(e, batch, phase, cost=log_probs):
    return {"bits_per_dimension": -mean(cost(e, batch)) / math.log(2) / math.prod(e.shape)}


def independent(e, train, held_out):
    """Bits of a pixel by its histogram in the training images, to which every level is added once."""
    levels, costs = e.recipe.num_levels, []
    columns = zip(*(codes_of(e, part).flatten(1).T.tolist() for part in (train, held_out)), strict=True)
    for known, asked in columns:
        counts = Counter(known)
        costs += [-math.log2((counts[code] + 1) / (len(known) + levels)) for code in asked]
    return mean(costs)


def evaluate(e, data, cost=log_probs):
    from practice_torch.experiments.codes import pixel_codes

    batch, train = data.batch(), pixel_codes.load_data(e.recipe)[0].batch()
    judge, classes = Judge(train["image"], train["label"]), data.description["classes"]
    asked = torch.arange(len(classes)).repeat_interleave(20)
    uniforms = torch.rand(len(asked), *e.shape, e.uniforms, generator=e.generator)
    drawn = e.drawn(uniforms, asked, None) / (e.recipe.num_levels - 1)
    return {
        "bits_per_dimension": -mean(cost(e, batch)) / math.log(2) / math.prod(e.shape),
        "independent_pixels": independent(e, train["image"], batch["image"]),
        "class_accuracy": mean((judge.classify(drawn) == asked).double()),
        "class_accuracy_real": mean((judge.classify(batch["image"]) == batch["label"]).double()),
    }


def preview(e, data):
    """The upper half of each image, and below it seven times what the network draws."""
    batch = data.batch(torch.arange(6))
    codes, above = codes_of(e, batch["image"]), e.shape[1] // 2
    uniforms = torch.rand(42, *e.shape, e.uniforms, generator=e.generator)
    rows = []
    for k in range(6):
        rows.append(codes[k])
        for u in uniforms[7 * k : 7 * k + 7]:
            rows.append(e.drawn(u[None], batch["label"][k : k + 1], codes[k : k + 1, :, :above])[0])
    return {"completions": torch.stack(rows) / (e.recipe.num_levels - 1)}
