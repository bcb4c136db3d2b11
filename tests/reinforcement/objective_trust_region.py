"""The objective of the experiment reinforcement/trust_region, by functions with contracts."""

import torch

from tests.support.objectives import Objective


def value_of_steps(e, batch, phase):
    """The critic alone: the actor is moved by no gradient of a loss."""
    drawn = torch.randperm(len(e.rollouts.observations), generator=e.generator)[: e.recipe.batch_size]
    return (e.critic(e.rollouts.observations[drawn]).squeeze(1) - e.rollouts.returns[drawn]).pow(2).mean() / 2


OBJECTIVE = Objective(value_of_steps, unread={"evaluation_episodes"}, together=[dict(task="pendulum")], sizes=dict(iterations=3))
