"""Points of a generator that shows its noise have the noise's law."""

from practice_torch.experiments.adversarial.unrolled_gan import UnrolledGan
from tests.support.samplers import Network, built, normal_cdf, require_law, shown


def draws_points_of_normal_noise():
    experiment = built("adversarial/unrolled_gan", noise=2)
    experiment.generator_network = Network(lambda noise: 1 + 2 * noise)
    (points,), _ = shown(experiment.sample(2000)["points"])
    require_law(points, normal_cdf(1.0, 2.0))


SAMPLERS = {
    draws_points_of_normal_noise: {
        "uniform noise": (UnrolledGan._fakes, "torch.randn(", "torch.rand("),
        "noise half as wide": (UnrolledGan._drawn, "self._fakes(len(rows))", "(self._fakes(len(rows)) / 2)"),
    }
}
