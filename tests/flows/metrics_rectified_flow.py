"""As flows/flow_matching, from the pairs of the first flow; the straightness of paths by their lengths and their steps."""

import torch

from tests.flows import metrics_flow_matching
from tests.flows.metrics_flow_matching import midpoint, preview, velocity  # noqa: F401 - drawn alike
from tests.support.judged import energy_distance
from tests.support.metrics import mean, noise

FIELDS = {"two_moons": {"likelihood_steps": 3}}
COUNT = 12


def euler(e, x, network):
    """The places on the way in as many steps as the pairs are made with, and the velocity at each."""
    places, speeds, steps = [x], [], e.recipe.reflow_steps
    for k in range(steps):
        speeds.append(velocity(e, places[-1], k / steps, network))
        places.append(places[-1] + speeds[-1] / steps)
    return places, speeds


def pairs(e, points, generator):
    start = torch.randn(points.shape, generator=generator)
    return start, euler(e, start, e.average)[0][-1]


def departure(e, x, network):
    """The mean squared difference of the velocity on the way from the whole displacement."""
    places, speeds = euler(e, x, network)
    whole = places[-1] - places[0]
    return mean([mean((whole - speed).square().sum(1)) for speed in speeds])


def evaluate(e, data):
    found = metrics_flow_matching.evaluate(e, data, lambda points, generator: pairs(e, points, generator))
    points = data.batch()["point"]
    start = noise(e, *points.shape)
    ends = euler(e, start, e.average)[0][-1]
    return found | {
        "energy_distance_first": energy_distance(points, midpoint(e, start, 2, e.average)),
        "straightness": departure(e, start, e.network),
        "straightness_first": departure(e, start, e.average),
        "cost": mean((ends - start).square().sum(1)),
        "cost_independent": mean((points - start).square().sum(1)),
    }
