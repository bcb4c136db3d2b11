"""Points of a generator that shows its noise have the noise's law; a preview draws them over real ones."""

import torch

from practice_torch.experiments.adversarial.gan import PointGan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, shown


def draws_what_the_generator_makes_of_normal_noise():
    experiment = built("adversarial/gan", noise=2)
    experiment.generator_network = Network(lambda noise: 1 + 2 * noise)
    (points,), _ = shown(experiment.sample(2000)["points"])
    require_law(points, normal_cdf(1.0, 2.0))


def previews_points_over_real_ones():
    experiment, real = built("adversarial/gan", noise=2), torch.linspace(-1, 1, 12).view(6, 2)
    experiment.generator_network = Network(lambda noise: 1 + 2 * noise)
    parts, _ = shown(experiment.preview(_Data(real))["points"])
    held_out, points = parts[-2:]  # over the field
    require_same(held_out, real)
    require_law(points, normal_cdf(1.0, 2.0))


class _Data:
    def __init__(self, points):
        self.points = points

    def batch(self):
        return {"point": self.points}


SAMPLERS = {
    draws_what_the_generator_makes_of_normal_noise: {
        "uniform noise": (PointGan._fakes, "torch.randn(", "torch.rand("),
        "noise half as wide": (PointGan._fakes, "torch.randn(", "0.5 * torch.randn("),
    },
    previews_points_over_real_ones: {
        "real points for fakes": (PointGan.preview, "self._fakes(2000)", "real"),
        "fakes for real points": (PointGan.preview, "self._picture(real,", "self._picture(self._fakes(6),"),
    },
}
