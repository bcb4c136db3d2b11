"""With the exact velocity of independent pixels: what is drawn and completed has their law; and a few steps written out."""

import torch

from practice_torch.experiments.diffusion.inpainting import InpaintingExperiment
from tests.diffusion.metrics_inpainting import completed
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import rough


def with_exact_pixels(**changes):
    experiment = built("diffusion/inpainting", num_steps=100, **changes)
    kept = experiment.alpha_bar.double()
    experiment.network = Network(lambda x, t: prediction(LOPSIDED, x.double(), kept[t], "velocity").float())
    return experiment


def draws_the_law_of_the_data():
    """Images of which nothing is known; and what is not known of others, by repeated steps, too."""
    experiment = with_exact_pixels()
    require_law(2 * experiment.sample(64)["samples"].images - 1, LOPSIDED.cdf)
    x0 = torch.linspace(-1, 1, 64 * 64).view(64, 1, 8, 8)
    for times in (1, 3):
        drawn = experiment.completed(x0, experiment.known, times)
        require_law(drawn[:, :, 4:], LOPSIDED.cdf)
        require_same(drawn[:, :, :4], x0[:, :, :4])


def completes_by_the_chain():
    """The network sees the other half, too: what is known, and how noisy it is, shows in what is drawn."""
    experiment = built("diffusion/inpainting", num_steps=5)
    experiment.network = Network(lambda x, t: rough(x + x.flip(2), t))
    x0 = torch.linspace(-1, 1, 192).view(3, 1, 8, 8)
    for times in (1, 3):
        experiment.generator.manual_seed(4)
        drawn = experiment.completed(x0, experiment.known, times)
        experiment.generator.manual_seed(4)
        require_same(drawn, completed(experiment, x0, times))


SAMPLERS = {
    draws_the_law_of_the_data: {
        "half is known": (InpaintingExperiment.sample, "torch.zeros_like(self.known)", "self.known"),
        "the mask inverted": (InpaintingExperiment.completed, "known.expand_as(x0)", "~known.expand_as(x0)"),
        "pixels in -1..1": (InpaintingExperiment.sample, "(x + 1) / 2", "x"),
        "the velocity taken for the data": (
            InpaintingExperiment.completed, "x0_from_velocity(x, self.network(x, t), t, self.alpha_bar)", "self.network(x, t)"),
        "no noise": (InpaintingExperiment.completed, "noise_pred, noise, x0", "noise_pred, 0 * noise, x0"),
    },
    completes_by_the_chain: {
        "known pixels without noise": (InpaintingExperiment.completed, "x0, known_noise", "x0, 0 * known_noise"),
        "climbs without noise": (
            InpaintingExperiment.completed, "t + 1, self._noise(len(x))", "t + 1, 0 * self._noise(len(x))"),
        "jumps of two": (InpaintingExperiment.completed, "jump_length=1", "jump_length=2"),
        "data beyond their range": (InpaintingExperiment.completed, ".clamp(-1, 1)", ""),
        "one noise for both": (InpaintingExperiment.completed, "x0, known_noise", "x0, noise"),
    },
}  # fmt: skip
