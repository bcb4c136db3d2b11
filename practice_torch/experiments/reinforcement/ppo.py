"""Proximal policy optimization on control tasks, of which many copies run at once: the cart-pole, the pendulum, or Gymnasium's.

A step of the run collects a batch with the policy as it is, and then takes several updates on it. With one update on the whole
batch the ratio is 1 everywhere and nothing is clipped: that is the policy gradient (REINFORCE with a value as its baseline).
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.control import cart_pole
from practice_torch.experiments.control.tasks import TASKS, ControlEvaluation, Rollouts, actor_of, task_of
from practice_torch.networks.perceptron import perceptron
from practice_torch.reinforcement.ppo import clipped_indicator, ppo_loss


@dataclass(frozen=True)
class ControlRecipe(Recipe):
    """An actor and a critic learn a control task, such as to balance a pole, from what the actor tries.

    The task is simulated: there are no data. A batch is drawn from the steps collected last.
    """

    modality: ClassVar[None] = None
    task: str = "cart_pole"
    """cart_pole or pendulum, which are built in; or the id of a Gymnasium environment, such as Acrobot-v1, if Gymnasium is
    installed. A resumed run starts new episodes in a Gymnasium environment.
    """
    copies: Annotated[int, AtLeast(1)] = 32
    """Copies of the task that run at once."""
    horizon: Annotated[int, AtLeast(1)] = 32
    """Steps of every copy that are collected before an update."""
    time_limit: Annotated[int, AtLeast(1)] = cart_pole.TIME_LIMIT
    """Steps after which an episode is cut."""
    discount: Annotated[float, AtLeast(0, below=1)] = 0.98
    """Discount of a reward one step later."""
    trace_decay: Annotated[float, AtLeast(0, at_most=1)] = 0.95
    """Decay of the trace of the generalized advantages."""
    hidden: Annotated[int, AtLeast(1)] = 64
    """Width of the two hidden layers of the actor, and of the critic."""
    evaluation_episodes: Annotated[int, AtLeast(1)] = 200
    """Episodes of an evaluation."""
    updates: Annotated[int, AtLeast(1)] = 16
    """Updates on the collected steps, each on a batch drawn from them."""
    clip: Annotated[float, Above(0, below=1)] = 0.2
    """Clipping range of the ratio of an action's probabilities."""
    value_clip: Annotated[float, Above(0)] = 0.2
    """Clipping range of a value; the largest value is 1."""
    value_coefficient: Annotated[float, AtLeast(0)] = 0.5
    """Weight of the values' loss."""
    entropy_coefficient: Annotated[float, AtLeast(0)] = 0.01
    """Weight of the entropy."""
    metric: Fixed = "mean_return"
    direction: Direction = "higher"

    def __post_init__(self):
        super().__post_init__()
        collected = self.copies * self.horizon
        self._require("batch_size", self.batch_size <= collected, f"at most the steps collected, copies x horizon = {collected}")


class ControlExperiment(ControlEvaluation, nn.Module):
    """An actor and a critic, and the copies of the task on which they are tried."""

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator, self.task = recipe, None, task_of(recipe.task)
        self.phases = (Phase("collect"), Phase("update", moves=("actor", "critic"), times=recipe.updates))
        self.actor = actor_of(self.task, recipe.hidden)
        self.critic = perceptron(self.task.sizes[1], recipe.hidden, recipe.hidden, 1)
        self.rollouts = Rollouts(recipe, self.task)
        # a step of all copies is one call; the physics of Gymnasium's tasks is no code of torch
        self.calls = {"actor": "play"} if recipe.task in TASKS else {}

    def forward(self, batch, phase):
        """Collect steps, or return the loss of a batch of collected steps; the engine's batch is empty."""
        if phase == "collect":
            return torch.zeros((), device=self.rollouts.observations.device), self.rollouts.collect(
                self.actor, self.critic, self.generator
            )
        return self._loss()

    def _loss(self):
        """The clipped loss of a batch drawn from the collected steps; each is an example of one step."""
        recipe, rollouts = self.recipe, self.rollouts
        drawn = rollouts.drawn(self.generator)
        law, values = self.actor(rollouts.observations[drawn]), self.critic(rollouts.observations[drawn])
        log_probs, entropy = self.actor.log_prob(law, rollouts.actions[drawn])[:, None], self.actor.entropy(law)[:, None]
        old_log_probs, advantages, old_values, returns = rollouts.kept(drawn)
        losses = ppo_loss(
            log_probs, old_log_probs, advantages, values, old_values, returns, entropy, torch.ones_like(drawn)[:, None],
            clip=recipe.clip, value_clip=recipe.value_clip, value_coefficient=recipe.value_coefficient,
            entropy_coefficient=recipe.entropy_coefficient,
        )  # fmt: skip
        cut = clipped_indicator(log_probs.detach(), old_log_probs, advantages, clip=recipe.clip)
        return losses.mean(), {"clipped": cut.to(losses.dtype).mean(), "entropy": entropy.detach().mean()}


RECIPES = {
    # measured at seeds 0, 1, 2: 500 steps, the most there is, after 154 thousand steps; an untrained policy holds 20.
    "cart_pole": ControlRecipe(
        steps=150, batch_size=256, learning_rate=1e-3, clip_norm=0.5, evaluate_every=50, log_every=10, target=475.0
    ),
    # measured at seeds 0, 1, 2: 107, 179 and 127, after 410 thousand steps: it finds the balance, and loses it again.
    "cart_pole_policy_gradient": ControlRecipe(
        horizon=128, updates=1, steps=100, batch_size=4096, learning_rate=5e-3, clip_norm=0.5, evaluate_every=50, log_every=10,
        target=100.0,
    ),
    # measured at seeds 0, 1, 2: -165, -159 and -172, after 205 thousand steps; an untrained policy is paid -1200.
    "pendulum": ControlRecipe(
        task="pendulum", time_limit=200, horizon=64, discount=0.95, updates=32, steps=100, batch_size=256, learning_rate=1e-3,
        entropy_coefficient=0.0, clip_norm=0.5, evaluate_every=50, log_every=10, target=-200.0,
    ),
}  # fmt: skip


def build(recipe, data):
    """The actor, the critic and the task that a recipe describes; there are no data."""
    return ControlExperiment(recipe)
