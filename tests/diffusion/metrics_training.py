"""Errors of predictions level by level, one example after another; what samples are worth as flows/flow_matching has it."""

import math

import torch

from practice_torch.experiments.sampling.diffusion_sampling import Drawing
from tests.flows.metrics_flow_matching import judged_as, units, verdict
from tests.support.judged import spread_within
from tests.support.metrics import mean

NAMES = ("digits", "notes")
FIELDS = {name: {"judged_samples": 50, "num_steps": 4, "judged_steps": 3, "compared_samples": 50} for name in NAMES}
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
            given = None if label is None else label[row : row + 1]
            sums[level] += losses(e, x0[row : row + 1], [level], eps[k : k + 1], given)
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
    return found | verdict(e, data, e.drawn(label, e.judged_sampling()), label)  # the sampler has its own tests


def preview(e, data):
    """The comparisons are the last that is drawn; what is drawn before takes its draws from the generator first."""
    each = by_level(e, data)
    shown = e.medium.previewed(e.classes)
    e.drawn(e.labels(shown), e.judged_sampling())
    if e.recipe.modality == "images":
        e.drawn_here(e.labels(6), Drawing())
    return {"loss": [("plot", range(1, len(each) + 1), each)]} | comparisons(e, data)


def comparisons(e, data):
    """Distances by the number of steps, and three measures by the guidance scale; the sampler has its own tests."""
    label = torch.tensor(sorted(k % len(e.classes) for k in range(e.recipe.compared_samples)))
    counts, lines = [count for count in (2, 5, 10, 20, 50) if count <= e.recipe.num_steps], []
    for name in ("ddim", "dpm_solver", "ancestral"):
        samples = [e.drawn(label, Drawing(sampler=name, steps=count)) for count in counts]
        lines.append(("plot", counts, [verdict(e, data, x, label)["frechet_distance"] for x in samples], {"label": name}))
    batch, scales = data.batch(), (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
    real = spread_within(judged_as(e, units(e, batch)), batch["label"])
    samples = [e.drawn(label, Drawing(sampler="ddim", steps=e.recipe.judged_steps, guidance=scale)) for scale in scales]
    found = [verdict(e, data, x, label) for x in samples]
    measures = [
        [one["class_accuracy"] for one in found],
        [spread_within(judged_as(e, x), label) / real for x in samples],
        [one["frechet_distance"] for one in found],
    ]
    return {"steps": lines, "guidance": [*(("plot", scales, values) for values in measures), ("axvline", 1)]}


def study(e, data):
    """Paths between noises along great arcs; the schedule next to two others."""
    ends = e.noise(12)
    arcs = [arc(ends[k], ends[6 + k], place / 8) for k in range(6) for place in range(9)]
    label = torch.tensor([sorted(k % len(e.classes) for k in range(6))[row] for row in range(6) for _ in range(9)])
    paths = e.drawn(label, e.judged_sampling(), torch.stack(arcs))
    shown = judged_as(e, paths) if e.recipe.modality == "images" else paths[:, 0] / e.recipe.gain
    return {"interpolation": shown, "schedule": schedule(e)}


def arc(first, last, share):
    """On the great circle of both."""
    cosine = float((first * last).sum() / first.norm() / last.norm())
    angle = math.acos(cosine)
    return (math.sin((1 - share) * angle) * first + math.sin(share * angle) * last) / math.sin(angle)


def schedule(e):
    steps = e.recipe.num_steps
    last = min(20 / steps, 0.999)
    linear, cosine = [1.0], [1.0]
    for k in range(steps):
        linear.append(linear[-1] * (1 - (last / 200 + k / (steps - 1) * (last - last / 200))))
        share = [math.cos(((k + j) / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for j in (0, 1)]
        cosine.append(cosine[-1] * max(share[1] / share[0], 0.001))
    lines = []
    for a in (e.alpha_bar.tolist(), linear, cosine):
        inside = [k for k, share in enumerate(a) if 0 < share < 1]
        lines += [("plot", range(steps + 1), a), ("plot", inside, [math.log(a[k] / (1 - a[k])) for k in inside])]
    run = e.alpha_bar.tolist()
    amplitudes = [[math.sqrt(share) for share in run], [math.sqrt(1 - share) for share in run]]
    return [*lines, *(("plot", range(steps + 1), values) for values in amplitudes)]
