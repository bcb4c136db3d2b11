"""Trust region policy optimization: on control tasks, each update goes as far along the natural gradient as a divergence allows.

The natural gradient is found by conjugate gradients, to which the Fisher matrix of the whole policy is known by its products
alone; a line search along it ends where the advantage of the actions taken is larger and the divergence small enough.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.func import functional_call

from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.control import cart_pole
from practice_torch.experiments.control.tasks import ControlEvaluation, Rollouts, actor_of, task_of
from practice_torch.networks.perceptron import perceptron
from practice_torch.reinforcement.natural_gradient import backtracking_line_search, conjugate_gradient


@dataclass(frozen=True)
class TrustRegionRecipe(Recipe):
    """An actor learns a control task by natural gradients, a critic by Adam.

    The task is simulated: there are no data. The learning rate and the batches are the critic's: the actor's step is as long as
    the divergence allows, and taken on all that was collected.
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
    """Updates of the critic on the collected steps, each on a batch drawn from them."""
    maximum_kl: Annotated[float, Above(0)] = 0.01
    """Nats by which an update may change the policy: the mean divergence of the old one from it, over the states seen."""
    iterations: Annotated[int, AtLeast(1)] = 10
    """Iterations of the conjugate gradient."""
    damping: Annotated[float, AtLeast(0)] = 0.1
    """Damping added to the diagonal of the Fisher matrix."""
    metric: Fixed = "mean_return"
    direction: Direction = "higher"

    def __post_init__(self):
        super().__post_init__()
        collected = self.copies * self.horizon
        self._require("batch_size", self.batch_size <= collected, f"at most the steps collected, copies x horizon = {collected}")


class TrustRegionExperiment(ControlEvaluation, nn.Module):
    """An actor that no optimizer moves, a critic, and the copies of the task on which they are tried."""

    eager = {"actor": "second derivatives are taken of it, which compiled networks do not have"}

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator, self.task = recipe, None, task_of(recipe.task)
        self.phases = (Phase("collect"), Phase("improve"), Phase("value", moves=("critic",), times=recipe.updates))
        self.actor = actor_of(self.task, recipe.hidden)
        self.critic = perceptron(self.task.sizes[1], recipe.hidden, recipe.hidden, 1)
        self.rollouts = Rollouts(recipe, self.task)

    def forward(self, batch, phase):
        """Collects, moves the actor, or half the squared error of the critic; the engine's batch is empty."""
        if phase == "value":
            drawn = self.rollouts.drawn(self.generator)
            return (self.critic(self.rollouts.observations[drawn])[:, 0] - self.rollouts.returns[drawn]).square().mean() / 2, {}
        logs = self.rollouts.collect(self.actor, self.critic, self.generator) if phase == "collect" else self._improve()
        return torch.zeros((), device=self.rollouts.observations.device), logs

    @torch.no_grad()
    def _improve(self):
        """One step of the actor, along F^-1 g and of the length at which 1/2 s^T F s is the divergence allowed."""
        recipe = self.recipe
        names, tensors = zip(*self.actor.named_parameters(), strict=True)
        shapes = [tensor.shape for tensor in tensors]
        here = torch.cat([tensor.flatten() for tensor in tensors]).requires_grad_()

        def law(parameters):
            parts = parameters.split([shape.numel() for shape in shapes])
            named = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
            return functional_call(self.actor, named, (self.rollouts.observations,))

        def surrogate(parameters):
            """The advantage of the actions taken, by as much likelier as they have become."""
            log_probs = self.actor.log_prob(law(parameters), self.rollouts.actions)
            return ((log_probs - self.rollouts.old_log_probs).exp() * self.rollouts.advantages).mean()

        def divergence(parameters):
            return self.actor.divergence(law(parameters), old_law).mean()

        with torch.enable_grad():
            old_law = law(here).detach()
            (gradient,) = torch.autograd.grad(surrogate(here), here)
            (slope,) = torch.autograd.grad(divergence(here), here, create_graph=True)  # 0; its derivative is the Fisher matrix

        def fisher(vector):
            return torch.autograd.grad(slope, here, vector, retain_graph=True)[0] + recipe.damping * vector

        direction = conjugate_gradient(gradient, fisher, iterations=recipe.iterations)
        curvature = direction.dot(fisher(direction))
        step = (2 * recipe.maximum_kl / curvature.where(curvature > 0, 1)).sqrt() * direction
        there, fraction = backtracking_line_search(here, step, surrogate, divergence, maximum_kl=recipe.maximum_kl)
        logs = {"nats": divergence(there), "fraction": fraction, "gain": surrogate(there) - surrogate(here)}
        for tensor, part in zip(tensors, there.split([shape.numel() for shape in shapes]), strict=True):
            tensor.copy_(part.view(tensor.shape))
        return logs


RECIPES = {
    # measured at seeds 0, 1, 2: 500 steps, the most there is, after 205 thousand steps; no update changes the policy by more than
    # 0.0099 nats, here and below.
    "cart_pole": TrustRegionRecipe(
        horizon=64, steps=100, batch_size=256, learning_rate=1e-3, evaluate_every=50, log_every=10, target=450.0
    ),
    # measured at seeds 0, 1, 2: -166, -159 and -161, after 205 thousand steps; an untrained policy is paid -1200.
    "pendulum": TrustRegionRecipe(
        task="pendulum",
        time_limit=200,
        horizon=64,
        discount=0.95,
        steps=100,
        updates=32,
        batch_size=256,
        learning_rate=1e-3,
        evaluate_every=50,
        log_every=10,
        target=-200.0,
    ),
}


def build(recipe, data):
    """The actor, the critic and the task that a recipe describes; there are no data."""
    return TrustRegionExperiment(recipe)
