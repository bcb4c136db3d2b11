"""Both stages with the exact velocities of independent pixels; and a few steps of both written out, with noise between them."""

import torch

from practice_torch.diffusion.cascaded import conditioning_augmentation
from practice_torch.diffusion.parameterizations import convert_prediction
from practice_torch.diffusion.super_resolution import nearest_upsample
from practice_torch.experiments.diffusion.cascaded import CascadeExperiment
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import ancestral, rough


def draws_the_law_of_the_data():
    """Small images and sharp ones, whatever the noise between them."""
    experiment = built("diffusion/cascaded", num_steps=100, judged_steps=100)
    kept = experiment.alpha_bar.double()

    def answer(x, t, level=None):
        return prediction(LOPSIDED, x[:, :1].double(), kept[t], "velocity").float()

    experiment.small = experiment.large = Network(answer)
    require_law(experiment._small_ones(64), LOPSIDED.cdf)
    require_law(2 * experiment.sample(64)["samples"].images - 1, LOPSIDED.cdf)


def draws_by_the_chain():
    """The second stage sees the first one's image with the noise of its level, the same in every step, and that level."""
    experiment = built("diffusion/cascaded", num_steps=5, judged_steps=5, augmentation=0.8, judged_level=0.4)
    experiment.small = Network(rough)
    experiment.large = Network(lambda x, t, level: rough(x[:, :1] + 2 * x[:, 1:], t, level))
    alpha_bar, generator = experiment.alpha_bar, torch.Generator().manual_seed(4)
    experiment.generator.manual_seed(4)
    drawn = experiment.sample(3)["samples"].images

    def noise_of(velocity):
        return lambda x, t: convert_prediction(velocity(x, t), x, t, alpha_bar, source="velocity", target="noise")

    start = torch.randn(3, 1, 4, 4, generator=generator)
    small = ancestral(noise_of(rough), start, alpha_bar, generator, clip=1.0)
    level = torch.full((3,), 2)
    seen = nearest_upsample(
        conditioning_augmentation(small, torch.randn(small.shape, generator=generator), level, alpha_bar), factor=2
    )
    start = torch.randn(3, 1, 8, 8, generator=generator)
    large = ancestral(noise_of(lambda x, t: rough(x + 2 * seen, t, level)), start, alpha_bar, generator, clip=1.0)
    require_same(drawn, (large + 1) / 2)


SAMPLERS = {
    draws_the_law_of_the_data: {
        "pixels in -1..1": (CascadeExperiment.sample, "_shown(x)", "x"),
        "the velocity taken for the data": (CascadeExperiment._drawn, '"velocity"', '"x0"'),
    },
    draws_by_the_chain: {
        "no noise between the stages": (CascadeExperiment._noisy, "self._noise(small.shape)", "0 * self._noise(small.shape)"),
        "the level is not said": (CascadeExperiment._given, "t, level)", "t, 0 * level)"),
        "the most noise": (CascadeExperiment.sample, "levels()[1]", "levels()[2]"),
        "half of the noise": (CascadeExperiment._noise, "return ", "return 0.5 * "),
        "data beyond their range": (CascadeExperiment._drawn, "limit=1.0, ", ""),
        "fewer steps": (CascadeExperiment._drawn, "steps=self.recipe.judged_steps", "steps=3"),
    },
}
