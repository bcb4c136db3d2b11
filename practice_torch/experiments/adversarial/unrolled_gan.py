"""A generator that plays against the discriminator that its move will meet, after K steps of it, next to one that does not."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.func import functional_call

from practice_torch.adversarial.gan import discriminator_loss
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.adversarial.gradient_penalty import Wgan
from practice_torch.experiments.judging.points import MODES, modes, require_mixture
from practice_torch.networks.perceptron import perceptron


@dataclass(frozen=True)
class UnrolledRecipe(Recipe):
    """A GAN of two perceptrons on points, whose generator descends the value of the game after steps of the discriminator."""

    modality: ClassVar[str] = "points"
    unrolled_steps: Annotated[int, AtLeast(0)] = 5
    """Steps K of the discriminator through which the generator's gradient is taken; 0: the game without unrolling."""
    step_size: Annotated[float, Above(0)] = 0.1
    """Size of these steps, which are of plain gradient ascent."""
    critic_turns: Annotated[int, AtLeast(1)] = 1
    """Discriminator updates in every step."""
    generator_rate: Annotated[float, Above(0)] = 1.0
    """Learning rate of the generator, as a multiple of the discriminator's."""
    points: Annotated[int, AtLeast(2)] = 16384
    """Number of points drawn from a toy distribution (a file has its own number)."""
    noise: Annotated[int, AtLeast(1)] = 2
    """Dimension of the generator's noise."""
    hidden: Annotated[int, AtLeast(1)] = 128
    """Width of the two hidden layers of both networks."""
    radius: Annotated[float, Above(0)] = 0.2
    """Distance from a mode's center within which a generated point counts as good (mixtures only)."""
    metric: Fixed = "quality_times_coverage"
    direction: Direction = "higher"

    def loading(self):
        """Number of points to draw."""
        return {"count": self.points}


class UnrolledGan(Wgan):
    """Generator and discriminator. Only the generator's turn unrolls: the discriminator's weights are moved by its own turns."""

    explains = MODES

    @property
    def eager(self):
        """The network that is not compiled."""
        return {"critic": "torch.func differentiates it in its weights"} if self.recipe.unrolled_steps else {}

    def forward(self, batch, phase):
        """The mean loss of one player over a batch of real points and as many fakes."""
        real = self._inside(batch)
        fakes = self._fakes(len(real))
        weights = dict(self.critic.named_parameters())
        if phase == "generator":
            return -self._loss(self._unrolled(weights, real, fakes), real, fakes), {}
        return self._loss(weights, real, fakes.detach()), {}

    def evaluate(self, data):
        """Which modes the fakes cover."""
        return modes(self._drawn(len(data)), self.mixture, self.recipe.radius)

    def _loss(self, weights, real, fakes):
        """The discriminator's mean loss with these weights: minus the value of the game."""
        logits = (functional_call(self.critic, weights, (points,))[:, 0].float() for points in (real, fakes))
        return discriminator_loss(*logits).mean()

    def _unrolled(self, weights, real, fakes):
        """The weights after steps on this batch, as functions of the fakes."""
        slopes = torch.func.grad(self._loss)  # itself differentiable in the fakes
        for _ in range(self.recipe.unrolled_steps):
            down = slopes(weights, real, fakes)
            weights = {name: weight - self.recipe.step_size * down[name] for name, weight in weights.items()}
        return weights


# The rates of Metz et al. 2017, appendix A, at which the generator is ten times as fast as the discriminator.
_PLAY = {
    "data": "eight_gaussians", "steps": 3000, "learning_rate": 1e-4, "generator_rate": 10.0, "beta1": 0.5, "batch_size": 64,
    "held_out": 0.2, "average_decay": 0.99, "evaluate_every": 1000, "checkpoint_every": 1000,
}  # fmt: skip
RECIPES = {
    # Measured with seeds 0 and 1, in 65 seconds of one core: 0.81 and 0.81, all 8 modes. In batches of 128, with
    # steps of size 0.5: 0, no mode.
    "eight_gaussians": UnrolledRecipe(target=0.65, **_PLAY),
    # The same game without unrolling, in 15 seconds. Measured with seed 0: 0, no mode; the fakes run from one mode to the next.
    "eight_gaussians_without": UnrolledRecipe(unrolled_steps=0, **_PLAY),
}


def build(recipe, data):
    """Both players that a recipe describes.

    Raises DataError where the points are no mixture.
    """
    require_mixture(recipe, data.description)
    (dim,) = data.description["shape"]
    hidden = recipe.hidden, recipe.hidden
    generator = perceptron(recipe.noise, *hidden, dim, activation=nn.ReLU)
    return UnrolledGan(recipe, data.description, generator, perceptron(dim, *hidden, 1, activation=partial(nn.LeakyReLU, 0.2)))
