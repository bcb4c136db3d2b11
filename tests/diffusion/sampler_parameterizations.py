"""Deterministic steps with the exact noise, data or velocity of independent pixels draw their distribution; and a few
explicit steps.
"""

import torch

from practice_torch.experiments.diffusion.parameterizations import PredictionExperiment
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import ddim, rough


def draws_the_law_of_the_data():
    for kind in ("noise", "x0", "velocity"):
        experiment = built("diffusion/parameterizations", kind, num_steps=200, sampling_steps=100)
        kept = experiment.alpha_bar.double()
        experiment.network = Network(lambda x, t, kept=kept, kind=kind: prediction(LOPSIDED, x.double(), kept[t], kind).float())
        require_law(2 * experiment.sample(64)["samples"].images - 1, LOPSIDED.cdf)


def draws_by_the_chain():
    for kind in ("noise", "x0", "velocity"):
        experiment = built("diffusion/parameterizations", kind, num_steps=10, sampling_steps=4)
        experiment.network = Network(rough)
        drawn = experiment.sample(3)["samples"].images
        noise = torch.randn(3, *experiment.shape, generator=torch.Generator().manual_seed(0))
        x = ddim(rough, noise, experiment.alpha_bar, count=4, prediction=kind, clip=1.0)
        require_same(drawn, (x + 1) / 2)


SAMPLERS = {
    draws_the_law_of_the_data: {
        "one step": (PredictionExperiment.sample, "pairwise(steps)", "pairwise(steps[::100])"),
        "noise of the next level": (PredictionExperiment.sample, "noise_from_x0(x, x0, t", "noise_from_x0(x, x0, s.clamp(min=1)"),
        "data for noisy data": (PredictionExperiment.sample, "x = forward_sample(x0, s,", "x = forward_sample(x, s,"),
        "data clipped to 0..1": (PredictionExperiment._data, ".clamp(-1, 1)", ".clamp(0, 1)"),
        "the velocity taken for the noise": (PredictionExperiment._data, "source=self.recipe.prediction", "source='noise'"),
        "pixels in -1..1": (PredictionExperiment.sample, "(x + 1) / 2", "x"),
    },
    draws_by_the_chain: {
        "a step too many": (PredictionExperiment.sample, "sampling_steps + 1", "sampling_steps + 2"),
        "not to the data": (PredictionExperiment.sample, "num_steps, 0,", "num_steps, 1,"),
        "data beyond their range": (PredictionExperiment._data, ".clamp(-1, 1)", ""),
    },
}
