"""Errors of predictions level by level, one example after another; what samples are worth as flows/flow_matching has it."""

import math

import torch

from tests.flows.metrics_flow_matching import units, verdict
from tests.support.metrics import mean

NAMES = ("digits", "notes")
FIELDS = {name: {"judged_samples": 50, "num_steps": 4, "judged_steps": 3} for name in NAMES}
TOLERANCE = 1e-4  # predictions are cast to float32
COUNT = 12


def losses(e, x0, t, eps, label):
    """The squared error of the prediction for each entry, weighed."""
    a, found = e.alpha_bar.tolist(), []
    for k, level in enumerate(t):
        cos, sin = math.sqrt(a[level]), math.sqrt(1 - a[level])
        x_t = (cos * x0[k] + sin * eps[k])[None]
        target = {"noise": eps[k], "x0": x0[k], "velocity": cos * eps[k] - sin * x0[k]}[e.recipe.prediction]
        answer = e.network(x_t, torch.tensor([level]), None if label is None else label[k : k + 1])[0]
        found.append(weight(e, a[level]) * mean((answer - target).square().flatten()))
    return found


def weight(e, a):
    if not e.recipe.snr_limit:
        return 1.0
    snr = a / (1 - a)
    return min(snr, e.recipe.snr_limit) / {"noise": snr, "x0": 1.0, "velocity": snr + 1}[e.recipe.prediction]


def by_level(e, data):
    steps, fixed = e.recipe.num_steps, torch.Generator().manual_seed(0)
    sums = {level: [] for level in range(1, steps + 1)}
    batch = data.batch()
    x0, label = units(e, batch), batch["label"] if e.classes else None
    for begin in range(0, 16 * steps, 256):
        count = min(256, 16 * steps - begin)
        eps = torch.randn(count, *e.shape, generator=fixed)
        for k in range(count):
            row, level = (begin + k) % len(data), (begin + k) % steps + 1
            told = None if label is None else label[row : row + 1]
            sums[level] += losses(e, x0[row : row + 1], [level], eps[k : k + 1], told)
    return [mean(each) for each in sums.values()]


def prior_bits(e, data):
    """The divergence of the last level from white noise, in bits for each entry."""
    x0, a = units(e, data.batch()).double(), float(e.alpha_bar[-1])
    law = torch.distributions.Normal(math.sqrt(a) * x0, math.sqrt(1 - a))
    return mean(torch.distributions.kl_divergence(law, torch.distributions.Normal(0.0, 1.0)).flatten()) / math.log(2)


def evaluate(e, data):
    each = by_level(e, data)
    found = {"loss": mean(each), "prior_bits": prior_bits(e, data)}
    for number, part in enumerate(torch.tensor(each).tensor_split(4), start=1):
        found[f"loss_quarter_{number}"] = mean(part)
    label = torch.tensor(sorted(k % max(1, len(e.classes)) for k in range(e.recipe.judged_samples)))
    return found | verdict(e, data, e.drawn(label, e.judged_sampling()), label)  # the sampler has tests of its own


def preview(e, data):
    each = by_level(e, data)
    return {"loss": [("plot", range(1, len(each) + 1), each)]}
