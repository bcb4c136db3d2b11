"""Guided images: classifiers level by level, one image after another; what samples are worth as flows/flow_matching has it."""

import math

import torch

from tests.support.judged import Judge
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
    """The likeliest class of each; the clean classifier is told level 0."""
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


def spread(images, label):
    """The mean distance between two of one class."""
    pairs = [(i, j) for i in range(len(label)) for j in range(len(label)) if i != j and label[i] == label[j]]
    return mean([(images[i] - images[j]).norm() for i, j in pairs])


def verdict(e, data, samples, label):
    from practice_torch.experiments.diffusion import classifier_guidance

    train, batch = classifier_guidance.load_data(e.recipe)[0].batch(), data.batch()
    drawn = ((samples + 1) / 2).clamp(0, 1)
    found = Judge(train["image"], train["label"]).verdict(drawn, batch["image"], label, batch["label"], len(e.classes))
    return found | {"spread": spread(drawn, label) / spread(batch["image"], batch["label"])}


def labels(e, count):
    return torch.tensor(sorted(k % len(e.classes) for k in range(count)))


def drawn(e, label, **how):
    """The sampler has tests of its own."""
    from practice_torch.experiments.diffusion.classifier_guidance import Guiding

    return e._draw(label, Guiding(**how))  # noqa: SLF001


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


SLIPS = {
    "the line of guessing elsewhere": (
        "diffusion/classifier_guidance",
        "GuidanceExperiment._by_level",
        "1 / len(self.classes)  ->  *",
    )
}
