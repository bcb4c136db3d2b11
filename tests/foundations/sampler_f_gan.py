"""Points of a generator that shows its noise have the noise's law; a preview draws them over real ones."""

import torch

from practice_torch.experiments.foundations.f_gan import FGan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, shown


def _experiment():
    experiment = built("foundations/f_gan", noise=2)
    experiment.generator_network = Network(lambda noise: 1 + 2 * noise)
    return experiment


def draws_what_the_generator_makes_of_normal_noise():
    (points,), _ = shown(_experiment().sample(2000)["points"])
    require_law(points, normal_cdf(1.0, 2.0))


def previews_points_over_real_ones():
    real = torch.linspace(-1, 1, 12).view(6, 2)
    (held_out, points), _ = shown(_experiment().preview(_Data(real))["points"])
    require_same(held_out, real)
    require_law(points, normal_cdf(1.0, 2.0))


class _Data:
    def __init__(self, points):
        self.points = points

    def batch(self):
        return {"point": self.points}


SAMPLERS = {
    draws_what_the_generator_makes_of_normal_noise: {
        "uniform noise": (FGan._fakes, "torch.randn(", "torch.rand("),
        "noise half as wide": (FGan._fakes, "torch.randn(", "0.5 * torch.randn("),
    },
    previews_points_over_real_ones: {"real points for fakes": (FGan.preview, "self._fakes(2000)", "real")},
}
