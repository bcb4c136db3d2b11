"""The objective of the experiment reinforcement/ppo, by functions with contracts."""

import torch

from practice_torch.reinforcement.ppo import clipped_policy_loss, clipped_value_loss
from tests.support.objectives import Objective


def control(e, batch, phase):
    """Of some of the collected steps; logits of the actions, or means and log-variances of normal ones."""
    recipe, rollouts = e.recipe, e.rollouts
    drawn = torch.randperm(len(rollouts.observations), generator=e.generator)[: recipe.batch_size]
    law, values = e.actor(rollouts.observations[drawn]), e.critic(rollouts.observations[drawn])
    if recipe.task == "pendulum":
        policy = torch.distributions.Normal(law[:, 0], (law[:, 1] / 2).exp())
        log_probs = policy.log_prob(rollouts.actions[drawn, 0])[:, None]
    else:
        policy = torch.distributions.Categorical(logits=law)
        log_probs = policy.log_prob(rollouts.actions[drawn])[:, None]
    old_log_probs, advantages, old_values, returns = (
        getattr(rollouts, name)[drawn, None] for name in ("old_log_probs", "advantages", "old_values", "returns")
    )
    policy_loss = clipped_policy_loss(log_probs, old_log_probs, advantages, clip=recipe.clip)
    value_loss = clipped_value_loss(values, old_values, returns, clip=recipe.value_clip)
    return (policy_loss + recipe.value_coefficient * value_loss).mean() - recipe.entropy_coefficient * policy.entropy().mean()


OBJECTIVE = Objective(control, unread={"evaluation_episodes"}, together=[dict(value_clip=0.01), dict(task="pendulum")])
