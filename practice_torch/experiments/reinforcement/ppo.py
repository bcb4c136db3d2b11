"""Proximal policy optimization on the cart-pole, whose physics runs here, for many carts at once.

A step of the run collects a batch with the policy as it is, and then takes several updates on it. With one update on the whole
batch the ratio is 1 everywhere and nothing is clipped: that is the policy gradient (REINFORCE with a value as its baseline).
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.engine.artifacts import Figure
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.parts.cart_pole import STEEPEST, TIME_LIMIT, advance, first_state, has_fallen
from practice_torch.networks.perceptron import perceptron
from practice_torch.reinforcement.policy_gradient import policy_entropy
from practice_torch.reinforcement.ppo import clipped_indicator, ppo_loss
from practice_torch.reinforcement.returns import generalized_advantages, lambda_returns, whiten

CONSTANTS = ("old_log_probs", "advantages", "old_values", "returns")  # of every collected step


@dataclass(frozen=True)
class CartPoleRecipe(Recipe):
    """An actor and a critic learn to balance a pole, from what the actor tries.

    The carts are simulated, so nothing is read from a data set; the engine, which always loads one, is handed two points of the
    smallest toy, and the fields about data are no flags here. A batch is drawn from the steps collected last.
    """

    modality: ClassVar[str] = "points"
    data: Fixed = "bimodal"
    held_out: Annotated[(float, *Fixed.__metadata__)] = 0.5
    carts: Annotated[int, AtLeast(1)] = 32
    """Carts that are simulated at once."""
    horizon: Annotated[int, AtLeast(1)] = 32
    """Steps of every cart that are collected before an update."""
    updates: Annotated[int, AtLeast(1)] = 16
    """Updates on what was collected, each on a batch drawn from it."""
    time_limit: Annotated[int, AtLeast(1)] = TIME_LIMIT
    """Steps after which an episode is cut."""
    discount: Annotated[float, AtLeast(0, below=1)] = 0.98
    """Discount of a reward one step later."""
    trace_decay: Annotated[float, AtLeast(0, at_most=1)] = 0.95
    """Decay of the trace of the generalized advantages."""
    clip: Annotated[float, Above(0, below=1)] = 0.2
    """How far the ratio of an action's probabilities may move."""
    value_clip: Annotated[float, Above(0)] = 0.2
    """How far a value may move; the largest value is 1."""
    value_coefficient: Annotated[float, AtLeast(0)] = 0.5
    """Weight of the values' loss."""
    entropy_coefficient: Annotated[float, AtLeast(0)] = 0.01
    """Weight of the entropy."""
    hidden: Annotated[int, AtLeast(1)] = 64
    """Width of the two hidden layers of the actor, and of the critic."""
    evaluation_episodes: Annotated[int, AtLeast(1)] = 200
    """Episodes of an evaluation."""
    metric: Fixed = "mean_return"
    direction: Direction = "higher"

    def loading(self):
        """As few points as can be split."""
        return {"count": 2}

    def __post_init__(self):
        super().__post_init__()
        collected = self.carts * self.horizon
        self._require("batch_size", self.batch_size <= collected, f"at most the steps collected, carts x horizon = {collected}")


class CartPoleExperiment(nn.Module):
    """An actor and a critic, and the carts on which they are tried."""

    explains = {
        "mean_return": Metric("steps", "mean length of episodes whose actions are drawn from the policy"),
        "greedy_return": Metric("steps", "mean length of episodes that take the likelier action"),
    }

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.phases = (Phase("collect"), Phase("update", moves=("actor", "critic"), times=recipe.updates))
        self.actor = perceptron(4, recipe.hidden, recipe.hidden, 2)
        self.critic = perceptron(4, recipe.hidden, recipe.hidden, 1)
        self.register_buffer("state", torch.zeros(recipe.carts, 4))
        self.register_buffer("age", torch.zeros(recipe.carts, dtype=torch.int64))
        # What was collected is not saved: every step of the run begins by collecting.
        steps = recipe.carts * recipe.horizon
        self.register_buffer("seen", torch.zeros(steps, 4), persistent=False)
        self.register_buffer("taken", torch.zeros(steps, dtype=torch.int64), persistent=False)
        for name in CONSTANTS:
            self.register_buffer(name, torch.zeros(steps), persistent=False)

    def forward(self, batch, phase):
        """Collects, or the loss of a batch of what was collected; of the data's batch nothing is used."""
        return self._collect() if phase == "collect" else self._loss()

    @torch.no_grad()
    def _collect(self):
        """`horizon` steps of every cart, and their advantages and returns by the critic as it is."""
        recipe, steps = self.recipe, []
        for _ in range(recipe.horizon):
            action = self._drawn(self.actor(self.state))
            after = advance(self.state, action)
            fallen = has_fallen(after)
            ended = fallen | (self.age + 1 >= recipe.time_limit)
            steps.append((self.state.clone(), action, after, fallen, ended))
            self.state.copy_(torch.where(ended[:, None], first_state(self._uniforms(recipe.carts, 4)), after))
            self.age.add_(1).masked_fill_(ended, 0)
        states, actions, after, fallen, ended = (torch.stack(column, 1) for column in zip(*steps, strict=True))
        values, following = self.critic(states)[..., 0], self.critic(after)[..., 0]
        # A step pays 1 - discount, so that all steps to come are worth 1. An episode that the limit cuts has not ended: what was
        # to follow is paid at once, by its value.
        rewards = 1 - recipe.discount + recipe.discount * following * (ended & ~fallen)
        row = rewards, torch.cat((values, following[:, -1:]), 1), ended
        decays = {"discount": recipe.discount, "trace_decay": recipe.trace_decay}
        advantages = whiten(generalized_advantages(*row, **decays), torch.ones_like(ended), epsilon=1e-8)
        log_probs = self._log_probs(self.actor(states), actions)
        kept = states.flatten(0, 1), actions, log_probs, advantages, values, lambda_returns(*row, **decays)
        for name, tensor in zip(("seen", "taken", *CONSTANTS), kept, strict=True):
            getattr(self, name).copy_(tensor.reshape_as(getattr(self, name)))
        return torch.zeros((), device=self.state.device), {"fallen": fallen.to(rewards.dtype).mean()}

    def _loss(self):
        """The clipped loss of a batch drawn from the collected steps; each is an example of one step."""
        recipe = self.recipe
        drawn = torch.randperm(len(self.seen), generator=self.generator, device=self.seen.device)[: recipe.batch_size]
        old_log_probs, advantages, old_values, returns = (getattr(self, name)[drawn, None] for name in CONSTANTS)
        logits, values = self.actor(self.seen[drawn]), self.critic(self.seen[drawn])
        policy = self._log_probs(logits, self.taken[drawn])[:, None], old_log_probs, advantages
        entropy = policy_entropy(logits)[:, None]
        losses = ppo_loss(
            *policy, values, old_values, returns, entropy, torch.ones_like(drawn)[:, None], clip=recipe.clip,
            value_clip=recipe.value_clip, value_coefficient=recipe.value_coefficient,
            entropy_coefficient=recipe.entropy_coefficient,
        )  # fmt: skip
        cut = clipped_indicator(*(part.detach() for part in policy), clip=recipe.clip)
        return losses.mean(), {"clipped": cut.to(losses.dtype).mean(), "entropy": entropy.detach().mean()}

    def evaluate(self, data):
        """How long episodes are, with actions that are drawn and with the likelier ones."""
        count = self.recipe.evaluation_episodes
        lengths = {name: self._episodes(count, greedy)[0] for name, greedy in (("mean_return", False), ("greedy_return", True))}
        return {name: float(length.double().mean()) for name, length in lengths.items()}

    def preview(self, data):
        """The policy and the value over the pole's angle and its velocity, and episodes."""
        angle, spin = torch.linspace(-STEEPEST, STEEPEST, 49), torch.linspace(-2, 2, 49)
        grid = torch.zeros(len(spin), len(angle), 4)
        grid[..., 2], grid[..., 3] = angle, spin[:, None]
        grid = grid.to(self.state.device)
        right, value = self.actor(grid).softmax(-1)[..., 1].cpu(), self.critic(grid)[..., 0].cpu()
        words = "of a cart at rest in the middle, by the pole's angle and its velocity"
        return {
            "policy": Figure(partial(_draw_map, angle, spin, right), f"The probability of a push to the right {words}"),
            "value": Figure(partial(_draw_map, angle, spin, value), f"The value {words}; 1 is a pole that never falls"),
            **self.sample(8),
        }

    def sample(self, count):
        """Episodes with actions drawn from the policy: the pole's angle, until it falls."""
        lengths, angles = self._episodes(count, greedy=False)
        return {"episodes": Figure(partial(_draw_angles, lengths.tolist(), angles.cpu()), "The pole's angle in every episode")}

    def _episodes(self, count, greedy):
        """The length of `count` episodes, [count], and the pole's angle after every step of them, [count, time_limit]."""
        state, angles = first_state(self._uniforms(count, 4)), []
        lengths = torch.zeros(count, dtype=torch.int64, device=state.device)
        alive = torch.ones(count, dtype=torch.bool, device=state.device)
        for _ in range(self.recipe.time_limit):
            logits = self.actor(state)
            # a pole that has fallen is left lying: far down, its equations are of no use
            state = torch.where(alive[:, None], advance(state, logits.argmax(1) if greedy else self._drawn(logits)), state)
            lengths += alive
            alive = alive & ~has_fallen(state)
            angles.append(state[:, 2])
        return lengths, torch.stack(angles, 1)

    def _drawn(self, logits):
        """An action of every row: 1, to the right, with its probability."""
        return (self._uniforms(len(logits)) < logits.softmax(-1)[:, 1]).long()

    def _uniforms(self, *shape):
        return torch.rand(shape, generator=self.generator, device=self.state.device)

    @staticmethod
    def _log_probs(logits, actions):
        return logits.log_softmax(-1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def _draw_map(angle, spin, values, axes):
    drawn = axes.pcolormesh(torch.rad2deg(angle), spin, values, shading="nearest")
    axes.figure.colorbar(drawn, ax=axes)
    axes.set(xlabel="angle of the pole, degrees", ylabel="its velocity, radians a second")


def _draw_angles(lengths, angles, axes):
    for length, angle in zip(lengths, torch.rad2deg(angles), strict=True):
        axes.plot(range(1, length + 1), angle[:length], linewidth=1)
    axes.set(xlabel="step", ylabel="angle of the pole, degrees")


RECIPES = {
    # measured at seeds 0, 1, 2: 500 steps, the most there is, after 154 thousand steps; an untrained policy holds 20.
    "cart_pole": CartPoleRecipe(
        steps=150, batch_size=256, learning_rate=1e-3, clip_norm=0.5, evaluate_every=50, log_every=10, target=475.0
    ),
    # measured at seeds 0, 1, 2: 118, 496 and 113, after 410 thousand steps: it finds the balance, and loses it again.
    "cart_pole_policy_gradient": CartPoleRecipe(
        horizon=128, updates=1, steps=100, batch_size=4096, learning_rate=5e-3, clip_norm=0.5, evaluate_every=50, log_every=10,
        target=100.0,
    ),
}  # fmt: skip


def build(recipe, data):
    """The actor, the critic and the carts that a recipe describes; the data say nothing about them."""
    return CartPoleExperiment(recipe)
