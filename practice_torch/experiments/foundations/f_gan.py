"""Two perceptrons, generator and critic, play the game of one f-divergence on points."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn

from practice_torch.engine.artifacts import Figure
from practice_torch.engine.bounds import AtLeast, Finite
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Recipe
from practice_torch.experiments.judging.points import distance, require_mixture, scatter
from practice_torch.foundations.f_divergence import DIVERGENCES, f_generator
from practice_torch.foundations.f_gan import f_gan_alternative_generator_loss, f_gan_critic_loss, f_gan_generator_loss
from practice_torch.networks.perceptron import perceptron


@dataclass(frozen=True)
class FGanRecipe(Recipe):
    """An f-GAN on points."""

    modality: ClassVar[str] = "points"
    divergence: Literal[DIVERGENCES] = "gan"
    """f-divergence that the critic bounds from below and the generator minimizes."""
    alpha: Annotated[float | None, Finite()] = None
    """Parameter of the alpha divergence; the others have none."""
    generator_loss: Literal["alternative", "consistent"] = "alternative"
    """Generator loss: -g_f(v) (non-saturating) or -f*(g_f(v)) (minimax)."""
    points: Annotated[int, AtLeast(2)] = 16384
    """Number of points drawn from a toy distribution (a file has its own number)."""
    noise: Annotated[int, AtLeast(1)] = 2
    """Dimension of the generator's noise."""
    hidden: Annotated[int, AtLeast(1)] = 64
    """Width of the two hidden layers of both networks."""
    critic_turns: Annotated[int, AtLeast(1)] = 1
    """Critic updates in every step."""

    def __post_init__(self):
        super().__post_init__()
        f_generator(torch.zeros(1), divergence=self.divergence, alpha=self.alpha)  # raises for an alpha that does not fit

    def loading(self):
        """Number of points to draw."""
        return {"count": self.points}


class FGan(nn.Module):
    """Two perceptrons, generator and critic; the engine lets them take turns."""

    explains = {
        "distance": Metric("units of the data", "mean distance to the nearest neighbor, samples to data and back, halved"),
        "modes": Metric("modes", "modes of the mixture with at least a quarter of their share of good samples"),
        "high_quality": Metric("fraction", "samples within 3 standard deviations of a mode"),
    }

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.mixture = description.get("mixture")
        dimension, hidden = description["shape"][0], (recipe.hidden, recipe.hidden)
        self.generator_network = perceptron(recipe.noise, *hidden, dimension)
        self.critic = perceptron(dimension, *hidden, 1)
        self.phases = (Phase("critic", ("critic",), times=recipe.critic_turns), Phase("generator", ("generator_network",)))
        self.row = {"divergence": recipe.divergence, "alpha": recipe.alpha}

    def forward(self, batch, phase):
        """The mean loss of one player over a batch of real points and as many fakes."""
        real = batch["point"]
        if phase == "generator":
            losses = {"alternative": f_gan_alternative_generator_loss, "consistent": f_gan_generator_loss}
            return losses[self.recipe.generator_loss](self._value(self._fakes(len(real))), **self.row).mean(), {}
        with torch.no_grad():
            fakes = self._fakes(len(real))
        loss = f_gan_critic_loss(self._value(real), self._value(fakes), **self.row).mean()
        return loss, {"bound": -loss.detach()}

    def evaluate(self, data):
        """The distances from real points to the nearest fake and back, averaged; of mixtures, modes and quality too."""
        real = data.batch()["point"]
        fakes = self._fakes(len(real))
        metrics = {"distance": distance(real, fakes)}
        return metrics | (self._modes(fakes) if self.mixture else {})

    def preview(self, data):
        """Fakes over held-out points."""
        real = data.batch()["point"][:2000]
        caption = "Generated points (blue) over held-out points (gray)"
        return {"points": Figure(partial(_draw, real.cpu(), self._fakes(2000).cpu()), caption)}

    def sample(self, count):
        """Fakes alone."""
        fakes = self._fakes(count).cpu()
        return {"points": Figure(partial(_draw, None, fakes), f"{count} fakes", points=fakes)}

    def _modes(self, fakes):
        """Good samples lie within 3 standard deviations of a mode; a quarter of its share of good samples covers a mode."""
        means, stds, weights = (torch.tensor(self.mixture[key], device=fakes.device) for key in ("means", "stds", "weights"))
        away, nearest = torch.cdist(fakes, means).min(dim=1)
        good = away <= 3 * stds[nearest]
        shares = torch.bincount(nearest[good], minlength=len(means)) / len(fakes)
        return {"modes": float((shares >= weights / 4).sum()), "high_quality": float(good.double().mean())}

    def _value(self, points):
        return self.critic(points)[:, 0]

    def _fakes(self, count):
        device = self.critic[0].weight.device
        return self.generator_network(torch.randn((count, self.recipe.noise), generator=self.generator, device=device))


def _draw(real, fakes, axes):
    scatter(axes, real, fakes)
    axes.set_aspect("equal", "datalim")


_GAME = {"beta1": 0.5, "clip_norm": 1.0, "batch_size": 256, "held_out": 0.2, "steps": 6000, "evaluate_every": 2000}
_MODES = {"data": "eight_gaussians", "metric": "modes", "direction": "higher", "target": 6.0} | _GAME
RECIPES = {
    "eight_gaussians": FGanRecipe(**_MODES),
    "eight_gaussians_kl": FGanRecipe(divergence="kl", **_MODES),
    # Here the roles are reversed: -g_f(v) = e^-v explodes on samples that the critic refuses, -f*(g_f(v)) = 1 - v is a line.
    "eight_gaussians_reverse_kl": FGanRecipe(divergence="reverse_kl", generator_loss="consistent", **_MODES),
    "eight_gaussians_squared_hellinger": FGanRecipe(divergence="squared_hellinger", **_MODES),
    "eight_gaussians_jensen_shannon": FGanRecipe(divergence="jensen_shannon", **_MODES),
    "two_moons": FGanRecipe(data="two_moons", metric="distance", target=0.08, **_GAME),
    "two_moons_full": FGanRecipe(
        data="two_moons", metric="distance", hidden=256, points=262_144, **_GAME | {"batch_size": 8192, "steps": 50_000}
    ),
}


def build(recipe, data):
    """The two players that a recipe describes.

    Raises DataError where the recipe is judged by modes and the data are no mixture.
    """
    require_mixture(recipe, data.description)
    return FGan(recipe, data.description)
