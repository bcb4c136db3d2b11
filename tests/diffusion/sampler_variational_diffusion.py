"""Steps to the posterior with the exact noise of independent pixels draw their distribution; and a few explicit steps."""

import itertools

import torch

from practice_torch.experiments.diffusion.variational_diffusion import VariationalDiffusionExperiment
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import rough


def draws_the_law_of_the_data():
    experiment = built("diffusion/variational_diffusion", num_levels=1001, sampling_steps=100)
    experiment.predictor = Network(lambda z, log_snr: prediction(LOPSIDED, z, torch.sigmoid(log_snr), "noise"))
    require_law(2 * experiment.sample(64)["samples"].images - 1, LOPSIDED.cdf)


def draws_values_by_the_chain():
    """Between even log-SNRs, with data beyond the range of the pixels; the last answer is the nearest of five values."""
    experiment = built("diffusion/variational_diffusion", num_levels=5, sampling_steps=3)
    experiment.predictor = Network(rough)
    drawn, generator = experiment.sample(3)["samples"].images, torch.Generator().manual_seed(0)
    recipe, z = experiment.recipe, torch.randn(3, *experiment.shape, generator=generator)

    def data(z, level):
        kept = level.sigmoid()
        return ((z - (1 - kept).sqrt() * rough(z, level)) / kept.sqrt()).clamp(-1, 1)

    levels = torch.linspace(recipe.log_snr_min, recipe.log_snr_max, 4)
    for t, s in itertools.pairwise(levels):
        kept_t, kept_s = t.sigmoid(), s.sigmoid()
        ratio = kept_t / kept_s  # what is left at t of the signal's square at s
        mean = ratio.sqrt() * (1 - kept_s) / (1 - kept_t) * z + kept_s.sqrt() * (1 - ratio) / (1 - kept_t) * data(z, t)
        fresh = torch.randn(z.shape, generator=generator)
        z = mean + ((1 - ratio) * (1 - kept_s) / (1 - kept_t)).sqrt() * fresh
    require_same(drawn, (2 * (data(z, levels[-1]) + 1)).round() / 4)


SAMPLERS = {
    draws_the_law_of_the_data: {
        "variance for deviation": (VariationalDiffusionExperiment.sample, "(log_var / 2).exp()", "log_var.exp()"),
        "data clipped to 0..1": (VariationalDiffusionExperiment._data, ".clamp(-1, 1)", ".clamp(0, 1)"),
        "signal and noise exchanged": (VariationalDiffusionExperiment._data, "for sign in (1, -1)", "for sign in (-1, 1)"),
        "the data of the first level": (VariationalDiffusionExperiment.sample, "levels[-1]", "levels[0]"),
    },
    draws_values_by_the_chain: {
        "a step too many": (VariationalDiffusionExperiment.sample, "sampling_steps + 1", "sampling_steps + 2"),
        "data beyond their range": (VariationalDiffusionExperiment._data, ".clamp(-1, 1)", ""),
        "an index of too many values": (VariationalDiffusionExperiment.sample, "num_levels - 1", "num_levels"),
    },
}
