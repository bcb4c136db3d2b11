"""Pairs of the first flow, with ends distributed by its exact velocity, and points of the second flow."""

import torch

from practice_torch.experiments.flows.flow_matching import PointMatching
from practice_torch.experiments.flows.rectified_flow import RectifiedFlow
from practice_torch.experiments.sampling.flow_sampling import Solving
from tests.support.known_laws import LOPSIDED, Mixture, velocity
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, shown


def makes_pairs_of_the_first_flow():
    experiment = built("flows/rectified_flow", reflow_steps=100)
    experiment.average = Network(lambda x, level: velocity(LOPSIDED, x, level / 1000))
    starts, ends = experiment.pairs(torch.zeros(2000, 2), experiment.generator)
    require_same(starts, torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)))
    require_law(ends, LOPSIDED.cdf)


def draws_points_of_the_second_flow():
    """Of two Gaussians, so that both networks can be distinguished."""
    experiment = built("flows/rectified_flow")
    for name, mean in (("average", -0.5), ("first", -0.5), ("network", 0.5)):
        law = Mixture((1.0,), (mean,), (0.3,))
        setattr(experiment, name, Network(lambda x, level, law=law: velocity(law, x, level / 1000)))
    experiment.sampling = Solving(steps=20)
    (points,), _ = shown(experiment.sample(2000)["points"])
    require_law(points, normal_cdf(0.5, 0.3))


SAMPLERS = {
    makes_pairs_of_the_first_flow: {
        "the second flow's pairs": (RectifiedFlow.pairs, "self.first_velocity", "self.velocity"),
        "half of the way": (RectifiedFlow._times, "linspace(0, 1,", "linspace(0, 0.5,"),
        "data in the place of noise": (RectifiedFlow.pairs, "generator)[0]", "generator)[1]"),
        "a step": (RectifiedFlow._times, "self.recipe.reflow_steps + 1", "2"),
    },
    draws_points_of_the_second_flow: {"the first flow's points": (PointMatching.velocity, "self.network", "self.average")},
}
