"""Points of NICE, in which the network itself finds its logistic noise, and images, written out."""

import torch

from practice_torch.experiments.flows import additive_coupling
from practice_torch.experiments.training import flows
from practice_torch.flows.additive_coupling import NICE
from tests.support.samplers import built, moved, require_law, require_same, shown


def draws_points_whose_noise_is_logistic():
    experiment = moved(built("flows/additive_coupling", "two_moons"))
    (points,), _ = shown(experiment.sample(2000)["points"])
    noise = experiment.network(points.float())[0]
    require_law(noise, torch.sigmoid)
    require_same(noise, torch.logit(torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))))


def draws_images_of_logistic_noise():
    experiment = moved(built("flows/additive_coupling", "digits", num_levels=5, alpha=0.2))
    drawn = experiment.sample(3)["samples"].images
    noise = torch.logit(torch.rand(3, 64, generator=torch.Generator().manual_seed(0)))
    y = (experiment.network.inverse(noise)[0].view(3, 1, 8, 8).sigmoid() - 0.1) / 0.8
    require_same(drawn, (5 * y).floor().clamp(0, 4) / 4)


SAMPLERS = {
    draws_points_whose_noise_is_logistic: {
        "normal noise": (additive_coupling.build, "data.description, LOGISTIC)", "data.description)"),
        "the way to the noise": (flows.PointFlow._picture, "self.network.inverse(", "self.network("),
        "scaled as on the way to the noise": (NICE.inverse, "-self.log_scale", "self.log_scale"),
        "layers in the order of the way to the noise": (NICE.inverse, "reversed(", "("),
    },
    draws_images_of_logistic_noise: {"normal noise": (additive_coupling.build, "network, shape, LOGISTIC)", "network, shape)")},
}
