"""A generator that is ten times as fast as its discriminator loses modes, unless the discriminator sees statistics of batches."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn

from practice_torch.adversarial.gan import discriminator_loss, non_saturating_generator_loss
from practice_torch.adversarial.minibatch_discrimination import BatchDiscriminator
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.adversarial.gradient_penalty import Wgan
from practice_torch.experiments.judging.points import MODES, modes, require_mixture, scatter
from practice_torch.networks.perceptron import perceptron


@dataclass(frozen=True)
class BatchRecipe(Recipe):
    """A GAN of two perceptrons on points, in which the discriminator may see a statistic of the batch."""

    modality: ClassVar[str] = "points"
    statistic: Literal["similarities", "deviation", "none"] = "similarities"
    """What the discriminator sees of the batch of each point: similarities to its other points (minibatch discrimination), the
    mean deviation of its features, or nothing.
    """
    kernels: Annotated[int, AtLeast(1)] = 8
    """Number of similarities."""
    places: Annotated[int, AtLeast(1)] = 4
    """Coordinates in the distance of each similarity."""
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


class BatchGan(Wgan):
    """Generator and discriminator in the non-saturating game; real points and fakes are batches of their own."""

    explains = MODES

    def forward(self, batch, phase):
        """The mean loss of one player over a batch of real points and as many fakes."""
        real = self._inside(batch)
        fakes = self._fakes(len(real))
        if phase == "generator":
            return non_saturating_generator_loss(self._scores(fakes)).mean(), {}
        logits_real, logits_fake = self._scores(real), self._scores(fakes.detach())
        logs = {"real": torch.sigmoid(logits_real.detach()).mean(), "fake": torch.sigmoid(logits_fake.detach()).mean()}
        return discriminator_loss(logits_real, logits_fake).mean(), logs

    def evaluate(self, data):
        """Which modes the fakes cover."""
        return modes(self._drawn(len(data)), self.mixture, self.recipe.radius)

    def preview(self, data):
        """Fakes over held-out points. A logit depends on the batch: the plane has no field of them."""
        real = data.batch()["point"][:2000].cpu()
        caption = "Generated points (blue) over held-out points (gray)"
        drawn = self._drawn(2000).cpu()
        return {"points": Figure(partial(_draw, real, drawn), caption, points=drawn)}


def _draw(real, fakes, axes):
    scatter(axes, real, fakes)
    axes.set_aspect("equal")


# The rates of both players in Metz et al. 2017, appendix A: the generator's is ten times the discriminator's.
_PLAY = {
    "data": "eight_gaussians", "steps": 4000, "learning_rate": 1e-4, "generator_rate": 10.0, "beta1": 0.5, "batch_size": 64,
    "held_out": 0.2, "average_decay": 0.99, "evaluate_every": 1000, "checkpoint_every": 2000,
}  # fmt: skip
RECIPES = {
    # Measured with seeds 0 and 1, in 31 seconds of one core: 0.76 and 0.77, 7 modes each.
    "eight_gaussians": BatchRecipe(target=0.6, **_PLAY),
    # Measured with seeds 0 and 1, in 22 seconds: 0.81 and 0.84, all 8 modes.
    "eight_gaussians_deviation": BatchRecipe(statistic="deviation", target=0.6, **_PLAY),
    # The same layers without a statistic. Measured with seeds 0 and 1: 0, no mode; all fakes are in one place, which moves.
    "eight_gaussians_without": BatchRecipe(statistic="none", **_PLAY),
}


def build(recipe, data):
    """Both players that a recipe describes.

    Raises DataError where the points are no mixture.
    """
    require_mixture(recipe, data.description)
    (dim,) = data.description["shape"]
    generator = perceptron(recipe.noise, recipe.hidden, recipe.hidden, dim, activation=nn.ReLU)
    critic = BatchDiscriminator(
        dim=dim, hidden=recipe.hidden, statistic=recipe.statistic, kernels=recipe.kernels, places=recipe.places
    )
    return BatchGan(recipe, data.description, generator, critic)
