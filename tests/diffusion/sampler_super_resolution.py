"""With the exact velocity of independent pixels what is drawn has their law; and a few steps written out, given small images."""

import torch

from practice_torch.diffusion.parameterizations import convert_prediction
from practice_torch.diffusion.super_resolution import nearest_upsample
from practice_torch.experiments.diffusion.super_resolution import SuperResolutionExperiment
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import ancestral, rough


def draws_the_law_of_the_data():
    experiment = built("diffusion/super_resolution", num_steps=100, judged_steps=100)
    kept = experiment.alpha_bar.double()
    experiment.network = Network(lambda x, t: prediction(LOPSIDED, x[:, :1].double(), kept[t], "velocity").float())
    require_law(2 * experiment.sample(64)["samples"].images - 1, LOPSIDED.cdf)


def draws_by_the_chain():
    """The answer depends on the small image, which enters with every step; small images are taken in turn."""
    experiment = built("diffusion/super_resolution", num_steps=5, judged_steps=5)
    experiment.network = Network(lambda x, t: rough(x[:, :1] + 2 * x[:, 1:], t))
    experiment.small.copy_(torch.linspace(-1, 1, experiment.small.numel()).view_as(experiment.small))
    experiment.generator.manual_seed(4)
    drawn = experiment.sample(18)["samples"].images
    generator = torch.Generator().manual_seed(4)
    seen = nearest_upsample(torch.cat([experiment.small, experiment.small[:2]]), factor=2)

    def noise(x, t):
        return convert_prediction(rough(x + 2 * seen, t), x, t, experiment.alpha_bar, source="velocity", target="noise")

    start = torch.randn(18, 1, 8, 8, generator=generator)
    require_same(drawn, (ancestral(noise, start, experiment.alpha_bar, generator, clip=1.0) + 1) / 2)


SAMPLERS = {
    draws_the_law_of_the_data: {
        "pixels in -1..1": (SuperResolutionExperiment.sample, "(x + 1) / 2", "x"),
        "the velocity taken for the data": (SuperResolutionExperiment.drawn, '"velocity"', '"x0"'),
    },
    draws_by_the_chain: {
        "one small image for all": (SuperResolutionExperiment.sample, "torch.arange(count) % len(self.small)", "[0] * count"),
        "the first image's small one": (SuperResolutionExperiment.drawn, "(x, part)", "(x, part[:1].expand_as(part))"),
        "half of the noise": (SuperResolutionExperiment._noise, "return ", "return 0.5 * "),
        "data beyond their range": (SuperResolutionExperiment.drawn, "limit=1.0, ", ""),
        "fewer steps": (SuperResolutionExperiment.drawn, "steps=self.recipe.judged_steps", "steps=3"),
    },
}
