"""What the experiment of reinforcement/trust_region minimizes, written with functions that have contracts."""

import torch

from tests.support.objectives import Objective


def value_of_steps(e, batch, phase):
    """The critic alone: the actor is moved by no gradient of a loss."""
    drawn = torch.randperm(len(e.runs.seen), generator=e.generator)[: e.recipe.batch_size]
    return (e.critic(e.runs.seen[drawn]).squeeze(1) - e.runs.returns[drawn]).pow(2).mean() / 2


OBJECTIVE = Objective(value_of_steps, unread={"evaluation_episodes"}, together=[dict(task="pendulum")], sizes=dict(iterations=3))
