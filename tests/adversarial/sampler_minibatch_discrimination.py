"""Points of a generator that shows its noise have the noise's law; a preview draws them over real ones."""

import torch

from practice_torch.experiments.adversarial.minibatch_discrimination import BatchGan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, shown


def draws_points_of_normal_noise():
    experiment = _of_noise()
    (points,), _ = shown(experiment.sample(2000)["points"])
    require_law(points, normal_cdf(1.0, 2.0))


def previews_points_over_real_ones():
    real = torch.linspace(-1, 1, 12).view(6, 2)
    (held_out, points), _ = shown(_of_noise().preview(_Data(real))["points"])
    require_same(held_out, real)
    require_law(points, normal_cdf(1.0, 2.0))


def _of_noise():
    experiment = built("adversarial/minibatch_discrimination", noise=2)
    experiment.generator_network = Network(lambda noise: 1 + 2 * noise)
    return experiment


class _Data:
    def __init__(self, points):
        self.points = points

    def batch(self):
        return {"point": self.points}


SAMPLERS = {
    draws_points_of_normal_noise: {
        "uniform noise": (BatchGan._fakes, "torch.randn(", "torch.rand("),
        "noise half as wide": (BatchGan._drawn, "self._fakes(len(rows))", "(self._fakes(len(rows)) / 2)"),
    },
    previews_points_over_real_ones: {"real points for fakes": (BatchGan.preview, "self._drawn(2000).cpu()", "real")},
}
