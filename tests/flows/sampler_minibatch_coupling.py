"""Points of the exact velocity of straight paths between paired draws: each path is m + s z, at an even speed."""

from practice_torch.experiments.flows.flow_matching import PointMatching
from practice_torch.experiments.sampling import flow_sampling
from practice_torch.experiments.sampling.flow_sampling import Solving
from tests.support.samplers import Network, built, normal_cdf, require_law, shown

MEAN, DEVIATION = 0.5, 0.4


def draws_points_in_two_steps():
    """Noise z is paired with m + s z: a place x at time t is t m + (1 - t + t s) z, and the velocity m + (s - 1) z."""
    experiment = built("flows/minibatch_coupling")

    def velocity(x, level):
        time = level[:, None] / 1000
        return MEAN + (DEVIATION - 1) * (x - time * MEAN) / (1 - time + time * DEVIATION)

    experiment.network, experiment.sampling = Network(velocity), Solving("euler", 2)
    (points,), _ = shown(experiment.sample(4000)["points"])
    require_law(points, normal_cdf(MEAN, DEVIATION))


SAMPLERS = {
    draws_points_in_two_steps: {
        "a step too few": (flow_sampling.carried, "linspace(0, 1,", "linspace(0, 0.5,"),
        "uniform noise": (PointMatching._noise, "torch.randn(", "torch.rand("),
    }
}
