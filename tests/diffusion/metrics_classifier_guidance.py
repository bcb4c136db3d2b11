"""Guided images: classifiers level by level, one image after another; what samples are worth as flows/flow_matching has it."""

import math

import torch

from tests.support.judged import Judge, spread_within
from tests.support.metrics import mean

NAMES = ("digits",)
FIELDS = {"digits": {"judged_samples": 50, "compared_samples": 50}}
COUNT = 12
FLOAT32 = True


def level(e, uniform):
    return min(int(uniform * e.recipe.num_steps), e.recipe.num_steps - 1) + 1


def noised(e, x0, t, eps):
    a = float(e.alpha_bar[t])
    return math.sqrt(a) * x0 + math.sqrt(1 - a) * eps


def called(e, name, x, t):
    """The likeliest class of each; the clean classifier gets level 0."""
    scores = getattr(e, name)(x, torch.full((len(x),), t if name == "noisy" else 0))
    return scores.max(1).indices


def logs(e, batch, phase):
    if phase == "denoiser":
        return {}
    x0, uniforms = 2 * batch["image"] - 1, torch.rand(len(batch["image"]), generator=e.generator)
    eps, right = torch.randn(x0.shape, generator=e.generator), []
    for k, image in enumerate(x0):
        t = level(e, float(uniforms[k])) if phase == "noisy" else 0
        right.append(int(called(e, phase, noised(e, image, t, eps[k])[None], t)) == int(batch["label"][k]))
    return {"accuracy": mean(right)}


def accuracies(e, data):
    """Levels, and the share of images that each classifier knows there, always with the same noise."""
    batch, steps, fixed = data.batch(), e.recipe.num_steps, torch.Generator().manual_seed(0)
    count = min(40, steps)
    levels = [round(1 + k / (count - 1) * (steps - 1)) for k in range(count)]
    found = {"noisy": [], "clean": []}
    for t in levels:
        x = noised(e, 2 * batch["image"] - 1, t, torch.randn(batch["image"].shape, generator=fixed))
        for name, shares in found.items():
            shares.append(mean((called(e, name, x, t) == batch["label"]).double()))
    return levels, found


def verdict(e, data, samples, label):
    from practice_torch.experiments.diffusion import classifier_guidance

    train, batch = classifier_guidance.load_data(e.recipe)[0].batch(), data.batch()
    drawn = ((samples + 1) / 2).clamp(0, 1)
    found = Judge(train["image"], train["label"]).verdict(drawn, batch["image"], label, batch["label"], len(e.classes))
    return found | {"spread": spread_within(drawn, label) / spread_within(batch["image"], batch["label"])}


def labels(e, count):
    return torch.tensor(sorted(k % len(e.classes) for k in range(count)))


def drawn(e, label, white=None, **how):
    """The sampler has its own tests."""
    from practice_torch.experiments.diffusion.classifier_guidance import Guiding

    return e._draw(label, Guiding(**how), white)  # noqa: SLF001


def evaluate(e, data):
    label, x0 = labels(e, e.recipe.judged_samples), 2 * data.batch()["image"] - 1
    fixed = torch.Generator().manual_seed(0)
    count, errors = 4 * len(x0), []
    eps = torch.randn(count, *e.shape, generator=fixed)
    for k in range(count):
        t = level(e, k / count)
        x = noised(e, x0[k % len(x0)], t, eps[k])[None]
        errors.append(mean((e.denoiser(x, torch.tensor([t]))[0] - eps[k]).square().flatten()))
    found = {"loss": mean(errors)} | verdict(e, data, drawn(e, label), label)
    unguided = verdict(e, data, drawn(e, label, guidance=0.0), label)
    found |= {f"{name}_unguided": unguided[name] for name in ("class_accuracy", "frechet_distance", "spread")}
    for name, shares in accuracies(e, data)[1].items():
        for number, part in enumerate(torch.tensor(shares).tensor_split(4), start=1):
            found[f"{name}_accuracy_quarter_{number}"] = mean(part)
    return found


def classifiers(e, data):
    levels, found = accuracies(e, data)
    lines = [("plot", levels, [100 * share for share in found[name]], {"label": f"trained on {name} images"}) for name in found]
    return [*lines, ("axhline", 100 / len(e.classes))]


def preview(e, data):
    return {"classifiers": classifiers(e, data)}


SCALES = (0.0, 0.5, 1.0, 1.5, 2.5, 4.0, 8.0)


def study(e, data):
    """All scales by both classifiers, with the same noise; gradients next to the exact ones; images side by side."""
    from practice_torch.experiments.diffusion import classifier_guidance

    label = labels(e, e.recipe.compared_samples)
    white = torch.randn(len(label), *e.shape, generator=e.generator)
    unguided, measured = verdict(e, data, drawn(e, label, white, guidance=0.0), label), {}
    for name in ("noisy", "clean"):
        ways = [drawn(e, label, white, guidance=scale, classifier=name) for scale in SCALES[1:]]
        measured[name] = [unguided, *(verdict(e, data, samples, label) for samples in ways)]
    lines, rows = [], []
    for name, points in measured.items():
        for key in ("class_accuracy", "spread"):
            lines.append(("plot", SCALES, [100 * point[key] for point in points]))
        for scale, point in zip(SCALES, points, strict=True):
            values = point["class_accuracy"], point["frechet_distance"], point["spread"], point["nearest"]
            rows.append(f"{name:<10}{scale:>8g}{values[0]:>17.1%}{values[1]:>19.3f}{values[2]:>18.1%}{values[3]:>25.3f}")
    title = "classifier   scale   class as asked   Frechet distance   spread, of real   nearest training image"
    train = classifier_guidance.load_data(e.recipe)[0].batch()
    found = {
        "scales": "\n".join([title, *rows]),
        "trade_off": [*lines, ("axhline", 100)],
        "classifiers": classifiers(e, data),
        "slopes": slopes(e, data.batch(), train),
    }
    asked = labels(e, 4 * len(e.classes))
    white, blocks = torch.randn(len(asked), *e.shape, generator=e.generator), []
    for scale in (0.0, 1.0, e.recipe.guidance, SCALES[-1]):
        shown = (drawn(e, asked, white, guidance=scale) + 1) / 2
        blocks.append(shown.clamp(0, 1).unflatten(0, (-1, 4)))
    images = []
    for k in range(len(e.classes)):
        for number, block in enumerate(blocks):
            images += [*block[k], *([torch.full_like(block[k, 0], 96 / 255)] if number < 3 else [])]
    return found | {"classes": torch.stack(images)}


def slopes(e, batch, train):
    """Root mean square lengths at each level where half of the variance is noise, or more: of the exact slope of log p(y | x),
    which the training images imply, and of each classifier's difference from it.
    """
    a = e.alpha_bar.tolist()
    first = min(t for t in range(1, len(a)) if a[t] <= 0.5)
    count, last = min(40, e.recipe.num_steps - first + 1), e.recipe.num_steps
    levels = [round(first + k / (count - 1) * (last - first)) for k in range(count)]
    fixed, x0 = torch.Generator().manual_seed(0), (2 * train["image"] - 1).flatten(1)
    lengths, errors = [], {"noisy": [], "clean": []}
    for t in levels:
        x = noised(e, 2 * batch["image"] - 1, t, torch.randn(batch["image"].shape, generator=fixed))
        right = []
        for one, label in zip(x.flatten(1), batch["label"], strict=True):
            logits = -(one - math.sqrt(a[t]) * x0).square().sum(1) / 2 / (1 - a[t])
            means = [logits[rows].softmax(0) @ x0[rows] for rows in (train["label"] == label, slice(None))]
            right.append(math.sqrt(a[t]) / (1 - a[t]) * (means[0] - means[1]))
        right = torch.stack(right)
        lengths.append(math.sqrt(mean(right.square().sum(1))))
        for name, missed in errors.items():
            with torch.enable_grad():
                place = x.detach().requires_grad_()
                scores = getattr(e, name)(place, torch.full((len(x),), t if name == "noisy" else 0)).log_softmax(1)
                (found,) = torch.autograd.grad(scores.gather(1, batch["label"][:, None]).sum(), place)
            missed.append(math.sqrt(mean((found.flatten(1) - right).square().sum(1))))
    return [("plot", levels, lengths), *(("plot", levels, missed) for missed in errors.values())]


SLIPS = {
    "the line of guessing elsewhere": (
        "diffusion/classifier_guidance",
        "GuidanceExperiment._by_level",
        "1 / len(self.classes)  ->  *",
    )
}
