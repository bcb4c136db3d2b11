"""Stretched light with the exact velocity of a law that the properties choose, and few steps, written out."""

import torch

from practice_torch.experiments.flows.galaxy_images import GalaxyExperiment
from practice_torch.experiments.sampling.flow_sampling import Solving
from tests.support.known_laws import Mixture, velocity
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same
from tests.support.written_chains import rough


def draws_light_of_the_law_that_the_properties_choose():
    """Pixels are asinh(light/s), normal around the first property in deviations of the training data."""
    experiment = built("flows/galaxy_images", softening=0.1)

    def answer(seen, level):
        x, mean = seen[:, :1], seen[:, 1:2]
        return velocity(Mixture((1.0,), (0.0,), (0.3,)), x - level.view(-1, 1, 1, 1) / 1000 * mean, level / 1000) + mean

    experiment.network = Network(answer)
    properties = experiment.mean + experiment.deviation * torch.linspace(-2, 2, 40)[:, None]
    light = experiment.drawn(properties, how=Solving(steps=20))
    require_law(torch.asinh(light / 0.1) - torch.linspace(-2, 2, 40).view(-1, 1, 1, 1), normal_cdf(0.0, 0.3))


def draws_by_the_steps():
    """Properties uniform over sqrt(3) deviations around the mean; a midpoint step; light in 0..1 of the brightest pixel."""
    experiment = built("flows/galaxy_images", softening=0.2)
    experiment.network = Network(lambda seen, level: 15 * rough(seen[:, :1], level / 100) + seen[:, 1:].sum(1, keepdim=True))
    experiment.sampling = Solving("midpoint", 1)
    drawn, generator = experiment.sample(4)["samples"].images, torch.Generator().manual_seed(0)
    uniform = 2 * torch.rand(4, 5, generator=generator) - 1
    x, planes = torch.randn(4, *experiment.shape, generator=generator), 3**0.5 * uniform.sum(1).view(-1, 1, 1, 1)
    half = x + (15 * rough(x, 0.0) + planes) / 2
    x = (x + 15 * rough(half, 5.0) + planes).clamp(-20, 20)
    require_same(drawn, x / x.max())


def shows_each_property_in_turn():
    """Ten columns from -sqrt(3) to sqrt(3) deviations; the other properties are at their means, the noise is one."""
    experiment = built("flows/galaxy_images", sampling_steps=1)
    experiment.network = Network(lambda seen, level: (seen[:, 1:] * torch.arange(1, 6).view(-1, 1, 1)).sum(1, keepdim=True))
    noises, noise = [], experiment._noise
    experiment._noise = lambda count: noises.append(noise(count)) or noises[-1]
    found = experiment.preview(_Data(experiment))["properties"].images.view(5, 10, 1, 8, 8)
    shift = torch.arange(1, 6)[:, None] * torch.linspace(-(3**0.5), 3**0.5, 10)
    wanted = noises[-1][0] + shift.view(5, 10, 1, 1, 1)
    require_same(found, wanted / wanted.max())


class _Data:
    def __init__(self, experiment):
        self.experiment = experiment

    def __len__(self):
        return 4

    def batch(self, rows):
        return {"properties": self.experiment.mean + self.experiment.deviation * torch.zeros(len(rows), 1)}


SAMPLERS = {
    draws_light_of_the_law_that_the_properties_choose: {
        "not stretched back": (GalaxyExperiment.drawn, ".sinh()", ""),
        "not softened": (GalaxyExperiment.drawn, "self.recipe.softening * ends", "ends"),
        "properties as they are": (GalaxyExperiment._velocity, "(properties - self.mean) / self.deviation", "properties"),
        "the time in 0..1": (GalaxyExperiment._velocity, "1000 * time", "time"),
        "half of the noise": (GalaxyExperiment._noise, "return ", "return 0.5 * "),
    },
    draws_by_the_steps: {
        "properties above the mean": (GalaxyExperiment.sample, "* uniform", "* uniform.abs()"),
        "a deviation of the properties": (GalaxyExperiment.sample, "SPREAD * ", ""),
        "the method of an evaluation": (GalaxyExperiment.sample, "how=self.sampling", "how=None"),
        "light beyond the brightest": (GalaxyExperiment.drawn, ".clamp(-BRIGHTEST, BRIGHTEST)", ".clamp(-1, 1)"),
        "light itself in the picture": (GalaxyExperiment._grid, "self.stretched(images)", "images"),
    },
    shows_each_property_in_turn: {
        "a noise for each": (GalaxyExperiment.preview, "self._noise(1).expand(", "self._noise(50).view("),
        "columns and rows exchanged": (GalaxyExperiment.preview, "rows.flatten(0, 1)", "rows.transpose(0, 1).flatten(0, 1)"),
        "half of the spread": (GalaxyExperiment.preview, "SPREAD, SHOWN", "0, SHOWN"),
    },
}
