"""Points of a continuous flow: the network itself finds its normal noise in them."""

import torch

from practice_torch.experiments.training.flows import PointFlow
from practice_torch.flows.continuous_flow import ContinuousFlow
from tests.support.samplers import built, moved, normal_cdf, require_law, require_same, shown


def draws_points_of_the_noise():
    experiment = moved(built("flows/continuous_flow", judged_steps=24))
    (points,), _ = shown(experiment.sample(2000)["points"])
    noise = experiment.network(points.float())[0]
    require_law(noise, normal_cdf(0.0, 1.0))
    require_same(noise, torch.special.ndtri(torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))))


SAMPLERS = {
    draws_points_of_the_noise: {
        "the way to the noise": (PointFlow._picture, "self.network.inverse(", "self.network("),
        "times backward": (ContinuousFlow.inverse, "self._times(z, self.steps)", "self._times(z, self.steps).flip(0)"),
    }
}
