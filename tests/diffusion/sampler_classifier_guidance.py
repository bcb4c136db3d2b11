"""An exact denoiser of all classes, led by their exact classifier, draws the pixels of the class; a few steps are written out."""

import torch

from practice_torch.diffusion.classifier_guidance import guided_noise
from practice_torch.experiments.diffusion.classifier_guidance import GuidanceExperiment, Guiding
from tests.support.known_laws import Mixture, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import ancestral, ddim, rough

CLASSES = [Mixture((1.0,), (mean,), (0.2,)) for mean in (-0.2, 0.0, 0.2)]  # of every pixel, alike


def _knowing():
    experiment = built("diffusion/classifier_guidance", num_steps=100, judged_steps=100)
    kept = experiment.alpha_bar

    def log_probs(x, t):
        a = kept[t][:, None]
        away = x.flatten(1)[:, None] - a[..., None].sqrt() * torch.tensor([[m] for law in CLASSES for m in law.means])
        return -away.square().sum(2) / (2 * (a * 0.04 + 1 - a))

    def denoise(x, t):
        shares = log_probs(x, t).softmax(1)
        noises = torch.stack([prediction(law, x, kept[t], "noise") for law in CLASSES], 1)
        return (shares.view(*shares.shape, 1, 1, 1) * noises).sum(1)

    experiment.denoiser, experiment.noisy = Network(denoise), Network(log_probs)
    return experiment


def draws_the_pixels_of_the_classes():
    for sampler in ("ddim", "ancestral"):
        experiment = _knowing()
        experiment.sampling = Guiding(guidance=1.0, sampler=sampler)
        images = 2 * experiment.sample(30)["samples"].images - 1
        for law, rows in zip(CLASSES, images.split(10), strict=True):
            require_law(rows, law.cdf)


def draws_a_class_by_the_chain():
    """The recipe's scale where none is requested; a classifier of clean images; data clipped to -1..1."""
    clean = Guiding(guidance=-3.0, steps=2, classifier="clean")
    for how in (Guiding(label=1), clean, Guiding(guidance=0.0, sampler="ancestral")):
        experiment = built("diffusion/classifier_guidance", num_steps=4, judged_steps=4)
        recipe, (weight,) = experiment.recipe, torch.linspace(-1, 1, 3 * 64).view(1, 3, 64)
        experiment.denoiser, experiment.sampling = Network(rough), how
        experiment.noisy = Network(lambda x, t, weight=weight: (1 + t[:, None]) * x.flatten(1).sin() @ weight.mT)
        experiment.clean = Network(lambda x, t, weight=weight: (5 + t[:, None]) * x.flatten(1).sin() @ weight.mT)
        drawn, generator = experiment.sample(6)["samples"].images, torch.Generator().manual_seed(0)
        label = torch.ones(6).long() if how.label else torch.tensor([0, 0, 1, 1, 2, 2])

        def predict(x, t, weight=weight, how=how, label=label, kept=experiment.alpha_bar):
            factor = (5 + 0 * t if how.classifier == "clean" else 1 + t)[:, None]
            shares = (factor * x.flatten(1).sin() @ weight.mT).softmax(1)
            of_logits = torch.nn.functional.one_hot(label, 3) - shares  # the slope of log-softmax
            gradient = (factor * of_logits @ weight * x.flatten(1).cos()).view_as(x)
            scale = recipe.guidance if how.guidance is None else how.guidance  # noqa: B023 - the loop's own
            return guided_noise(rough(x, t), gradient, t, kept, scale=scale)

        x = torch.randn(6, *experiment.shape, generator=generator)
        if how.sampler == "ddim":
            x = ddim(predict, x, experiment.alpha_bar, count=how.steps or 4, clip=1.0)
        else:
            x = ancestral(predict, x, experiment.alpha_bar, generator, clip=1.0)
        require_same(drawn, (x + 1) / 2)


SAMPLERS = {
    draws_the_pixels_of_the_classes: {
        "away from the class": (GuidanceExperiment._guided, "scale=scale", "scale=-scale"),
        "half of the slope": (GuidanceExperiment._guided, "scale=scale", "scale=scale / 2"),
        "another class": (GuidanceExperiment._guided, "(x, label,", "(x, label.flip(0),"),
    },
    draws_a_class_by_the_chain: {
        "no scale of the recipe": (GuidanceExperiment._guided, "self.recipe.guidance if", "1.0 if"),
        "the noisy classifier always": (GuidanceExperiment._guided, "t, how.classifier)", 't, "noisy")'),
        "no level for the classifier": (GuidanceExperiment.log_probs, 'if classifier == "noisy"', "if False"),
        "classes in turn": (GuidanceExperiment._labels, ".sort().values", ""),
        "the steps of an evaluation": (GuidanceExperiment._draw, "if how.steps is None else how.steps", ""),
        "data beyond their range": (GuidanceExperiment._draw, "limit=1.0, ", ""),
    },
}
