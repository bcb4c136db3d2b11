"""The objective of the experiment flows/diffusion_bridge, by functions with contracts."""

import math

from practice_torch.diffusion.simple_loss import squared_error
from tests.support.objectives import Objective, normal, uniform


def bridged(e, batch, phase):
    """The squared error of the slope of sin(pi t/2) x1 + cos(pi t/2) x0."""
    x1, x0 = batch["point"], normal(e, *batch["point"].shape)
    time = uniform(e, len(x1))
    angle = math.pi / 2 * time[:, None]
    slope = math.pi / 2 * (angle.cos() * x1 - angle.sin() * x0)
    return squared_error(e.network(angle.sin() * x1 + angle.cos() * x0, 1000 * time), slope).mean()


OBJECTIVE = Objective(bridged, unread={"points", "judged_steps", "likelihood_steps", "diffusion"})
