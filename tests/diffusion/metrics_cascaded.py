"""Samples of both stages by the chain written out level by level, and their distances by the judge written a second time."""

import math

import torch

from tests.diffusion.metrics_super_resolution import chain_of, enlarged, pooled
from tests.support.judged import Judge
from tests.support.metrics import mean, noise

NAMES = ("digits",)
FIELDS = {"digits": {"judged_samples": 24}}
COUNT = 12
TOLERANCE = 1e-4


def small_ones(e, count):
    return chain_of(e, e.small, noise(e, count, *e.small_shape))


def large_ones(e, small, level):
    a = float(e.alpha_bar[level])
    seen = enlarged(math.sqrt(a) * small + math.sqrt(1 - a) * noise(e, *small.shape), 2)
    given = torch.full((len(small),), level)
    return chain_of(e, lambda x, t: e.large(torch.cat([x, seen], 1), t, given), noise(e, len(small), *e.shape))


def levels_of(e):
    return [0, *(round(share * e.recipe.num_steps) for share in (e.recipe.judged_level, e.recipe.augmentation))]


def evaluate(e, data):
    from practice_torch.experiments.diffusion import cascaded

    held_out = data.batch()["image"]
    judge = Judge(cascaded.load_data(e.recipe)[0].batch()["image"])
    without, judged, most = levels_of(e)
    small = small_ones(e, e.recipe.judged_samples)
    true = pooled(2 * held_out - 1, 2)
    true = torch.stack([true[k % len(true)] for k in range(len(small))])
    drawn = [large_ones(e, *how) for how in ((small, judged), (small, without), (small, most), (true, judged))]
    names = ("frechet_distance", "frechet_unaugmented", "frechet_most", "frechet_true_small")
    found = {name: judge.frechet_distance((x + 1) / 2, held_out) for name, x in zip(names, drawn, strict=True)}
    return found | {"consistency": mean((pooled(drawn[0], 2) - small).flatten().square())}


def preview(e, data):
    small = small_ones(e, 16)
    columns = [enlarged(small, 2), *(large_ones(e, small, level) for level in levels_of(e))]
    return {"stages": torch.stack([(column[k] + 1) / 2 for k in range(16) for column in columns])}
