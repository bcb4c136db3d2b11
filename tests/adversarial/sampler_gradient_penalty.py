"""Points and images of a generator that shows its noise have the noise's law."""

import torch

from practice_torch.experiments.adversarial.gradient_penalty import Wgan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, shown


def draws_points_of_normal_noise():
    experiment = built("adversarial/gradient_penalty", "eight_gaussians", noise=2)
    experiment.generator_network = Network(lambda noise: 1 + 2 * noise)
    (points,), _ = shown(experiment.sample(2000)["points"])
    require_law(points, normal_cdf(1.0, 2.0))


def previews_points_over_real_ones():
    experiment, real = built("adversarial/gradient_penalty", "eight_gaussians", noise=2), torch.linspace(-1, 1, 12).view(6, 2)
    experiment.generator_network = Network(lambda noise: 1 + 2 * noise)
    parts, _ = shown(experiment.preview(_Data(real))["points"])
    held_out, points = parts[-2:]
    require_same(held_out, real)
    require_law(points, normal_cdf(1.0, 2.0))


def draws_images_of_normal_noise():
    experiment = built("adversarial/gradient_penalty", "digits", noise=64)
    experiment.generator_network = Network(lambda noise: torch.tanh(noise).view(-1, 1, 8, 8))
    images = experiment.sample(60)["fakes"].images
    require_law(torch.atanh(2 * images.double() - 1), normal_cdf(0.0, 1.0))


class _Data:
    def __init__(self, points):
        self.points = points

    def batch(self):
        return {"point": self.points}


SAMPLERS = {
    draws_points_of_normal_noise: {
        "uniform noise": (Wgan._fakes, "torch.randn(", "torch.rand("),
        "noise half as wide": (Wgan._drawn, "self._fakes(len(rows))", "(self._fakes(len(rows)) / 2)"),
    },
    previews_points_over_real_ones: {"real points for fakes": (Wgan.preview, "self._drawn(2000)", "real")},
    draws_images_of_normal_noise: {"pixels in -1..1": (Wgan._shown, "low=0.0,", "low=-1.0,")},
}
