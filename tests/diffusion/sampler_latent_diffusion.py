"""Latents with their exact velocity reach the decoder with their distribution; and a few explicit steps of both first stages."""

import torch

from practice_torch.diffusion.latent_diffusion import quantize_latent
from practice_torch.experiments.diffusion.latent_diffusion import LatentDiffusionExperiment
from tests.support.known_laws import Mixture, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import ddim, rough

SCALE = 2.0  # what the network sees, over what the decoder sees
CLASSES = [Mixture((0.4, 0.6), (mean - 0.1, mean + 0.1), (0.04, 0.03)) for mean in (0.3, 0.5, 0.7)]  # in the decoder's units


def draws_the_law_of_each_class():
    """With a decoder that shows the latents as they are."""
    experiment = built("diffusion/latent_diffusion", num_steps=100, judged_steps=100)
    experiment.scale.fill_(SCALE)
    kept = experiment.alpha_bar.double()

    def answer(x, t, label):
        found = [prediction(law.noised(SCALE, 0.0), x.double(), kept[t], "velocity") for law in CLASSES]
        return torch.stack(found)[label, torch.arange(len(x))].float()

    experiment.network, experiment.frozen["decoder"] = Network(answer), Network(lambda latent: latent)
    for law, rows in zip(CLASSES, experiment.sample(60)["samples"].images.split(20), strict=True):
        require_law(rows, law.cdf)


def draws_by_the_chain():
    """Led away from no class (3) or not; latents have no range to clip to; with codes, each place is decoded from the nearest."""
    for stage, kind, scale in (("kl", "noise", 1.0), ("vq", "velocity", 2.5)):
        experiment = built("diffusion/latent_diffusion", first_stage=stage, prediction=kind, guidance=scale, num_steps=6)
        experiment.scale.fill_(SCALE)
        experiment.network = Network(rough)
        experiment.frozen["decoder"] = Network(lambda latent: latent.double() + 0.5)
        drawn, generator = experiment.sample(4)["samples"].images, torch.Generator().manual_seed(0)
        label = torch.tensor([0, 0, 1, 2])

        def predict(x, t, label=label, scale=scale):
            nothing = rough(x, t, torch.full_like(label, 3))
            return nothing + scale * (rough(x, t, label) - nothing)

        noise, count = torch.randn(4, *experiment.latent, generator=generator), experiment.recipe.judged_steps
        latent = ddim(predict, noise, experiment.alpha_bar, count=count, prediction=kind) / SCALE
        latent = quantize_latent(latent, experiment.codebook)[0] if stage == "vq" else latent
        require_same(drawn, (latent + 0.5).clamp(0, 1))


SAMPLERS = {
    draws_the_law_of_each_class: {
        "multiplied by the scale": (LatentDiffusionExperiment._drawn, "scale=self.scale", "scale=1 / self.scale"),
        "labels in turn": (LatentDiffusionExperiment._labels, ".sort().values", ""),
        "a velocity taken for noise": (LatentDiffusionExperiment._drawn, "=self.recipe.prediction", "='noise'"),
        "half of the noise": (LatentDiffusionExperiment._noise, "return ", "return 0.5 * "),
    },
    draws_by_the_chain: {
        "clipped latents": (LatentDiffusionExperiment._drawn, "steps, generator", "steps, limit=1.0, generator"),
        "as many steps as levels": (LatentDiffusionExperiment._drawn, "steps=self.recipe.judged_steps, ", ""),
        "no scale of the guidance": (LatentDiffusionExperiment._drawn, "self.recipe.guidance", "1.0"),
        "a class for no class": (LatentDiffusionExperiment._drawn, "len(self.classes), ", "0, "),
        "latents next to their codes": (LatentDiffusionExperiment._decoded, '== "vq"', '== "no"'),
        "pixels beyond their range": (LatentDiffusionExperiment._decoded, ".clamp(0, 1)", ""),
    },
}
