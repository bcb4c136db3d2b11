"""Networks of reinforcement/ppo without a flax counterpart: their formulas and the rest of a Model row."""

import torch
from torch.nn import functional

from practice_torch.experiments.control.actors import CategoricalActor, GaussianActor
from shared_specs.rows import Model, begins_at, begins_by_inputs, given, normal
from tests.support.networks import Held


def _acted(network, observations):
    """Two hidden layers with tanh; where an action is numbers, their log-variances next to the means, equal in every state."""
    p, h = dict(network.named_parameters()), observations
    for place in (0, 2, 4):
        h = functional.linear(h if place == 0 else h.tanh(), p[f"network.{place}.weight"], p[f"network.{place}.bias"])
    if "log_var" not in p:
        return h
    return torch.cat([h, p["log_var"] * torch.ones_like(h)], dim=1)


HELD = tuple(
    Held(
        actor,
        Model(
            actor.__name__,
            "two actions",
            given(observations=normal(3, 4)),
            sizes=dict(observed=4, actions=2, hidden=5),
            initial=beginning | {"*": begins_by_inputs()},
        ),
        _acted,
    )
    for actor, beginning in ((CategoricalActor, {}), (GaussianActor, {"log_var": begins_at(0)}))
)
