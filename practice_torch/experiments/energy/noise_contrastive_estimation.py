"""Noise-contrastive estimation of an energy network and its constant on points; a grid measures the error."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.data.errors import DataError
from practice_torch.energy import metropolis_adjusted_langevin as metropolis
from practice_torch.energy.energy_models import quadrature_log_partition
from practice_torch.energy.noise_contrastive_estimation import log_odds, loss
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.judging.points import on_the_plane, scatter
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.networks.perceptron import perceptron

_CELLS = 200  # of the grid, along an axis
_BEYOND = 1.5  # by how much the grid is wider than the data, on every side
_STEP = 0.005  # of the sampler: about the variance across a moon; what oversteps is rejected


@dataclass(frozen=True)
class ContrastRecipe(Recipe):
    """An unnormalized density of points in the plane, estimated by classification against normal noise."""

    modality: ClassVar[str] = "points"
    noise_ratio: Annotated[int, AtLeast(1)] = 4
    """Draws of noise for each point."""
    noise_deviation: Annotated[float, Above(0)] = 1.2
    """Standard deviation of the noise; that of the toy distributions is about 1."""
    hidden: Annotated[int, AtLeast(1)] = 128
    """Width of the three hidden layers."""
    points: Annotated[int, AtLeast(2)] = 16_384
    """Number of points drawn from a toy distribution (a file has its own number)."""
    shown_steps: Annotated[int, AtLeast(1)] = 300
    """Steps of Metropolis-adjusted Langevin sampling of the points in previews and samples."""
    metric: Fixed = "negative_log_likelihood"

    def loading(self):
        """Number of points to draw."""
        return {"count": self.points}


class ContrastExperiment(nn.Module):
    """A perceptron that is the logarithm of a density; its last bias is the constant that normalizes it."""

    explains = {
        "negative_log_likelihood": Metric("nats", "-log p of held-out points, of the model normalized on a grid"),
        "log_mass": Metric("nats", "logarithm of the model's mass on a grid, with the constant that it learned; 0 is right"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.network = perceptron(2, recipe.hidden, recipe.hidden, recipe.hidden, 1, activation=nn.SiLU)

    def forward(self, batch, phase):
        """The mean cost of calling points data and their draws of noise noise."""
        x, ratio = batch["point"], self.recipe.noise_ratio
        noise = self._noise(len(x) * ratio, x.device)
        return loss(self._log_odds(x), self._log_odds(noise).view(-1, ratio)).mean(), {}

    def evaluate(self, data):
        """The likelihood of held-out points after normalization, and how much of it the model had done itself."""
        points = data.batch()["point"]
        low, high = points.amin(0) - _BEYOND, points.amax(0) + _BEYOND
        cells = (torch.arange(_CELLS, device=points.device) + 0.5) / _CELLS
        grid = low + (high - low) * torch.cartesian_prod(cells, cells)
        log_mass = quadrature_log_partition(grid, float((high - low).prod()) / _CELLS**2, self._energy)
        return {"negative_log_likelihood": float(self._energy(points).mean() + log_mass), "log_mass": float(log_mass)}

    def preview(self, data):
        """The density, over held-out points, and points that a sampler draws from it."""
        points = data.batch()["point"][:300]
        field = on_the_plane(lambda x: (-self._energy(x)).exp(), points)
        caption = "The learned density, and held-out points"
        return {"density": Figure(partial(_draw, points.cpu(), field), caption), **self.sample(2000)}

    def sample(self, count):
        """Points after `shown_steps` of Metropolis-adjusted Langevin sampling, from the noise."""
        x = self._noise(count, next(self.network.parameters()).device)
        for _ in range(self.recipe.shown_steps):
            uniforms = torch.rand(count, generator=self.generator, device=x.device, dtype=x.dtype)
            x, _ = metropolis.step(x, self._normal(x), uniforms, self._energy, step_size=_STEP)
        caption = f"{count} points after {self.recipe.shown_steps} steps of a sampler, from noise"
        return {"points": Figure(partial(_draw, x.float().cpu(), None), caption, points=x)}

    def _energy(self, x):
        """Minus the logarithm of the model, its constant included."""
        return -self.network(x)[:, 0]

    def _log_odds(self, x):
        deviation = self.recipe.noise_deviation
        log_noise = standard_normal_log_prob(x / deviation) - 2 * math.log(deviation)
        return log_odds(-self._energy(x), log_noise, noise_ratio=self.recipe.noise_ratio)

    def _noise(self, count, device):
        return self.recipe.noise_deviation * torch.randn(count, 2, generator=self.generator, device=device)

    def _normal(self, like):
        return torch.randn(like.shape, generator=self.generator, device=like.device, dtype=like.dtype)


def _draw(points, field, axes):
    if field is not None:
        axes.pcolormesh(*field, cmap="Greys", shading="nearest", linewidth=0, rasterized=True)
    scatter(axes, None, points)
    axes.set_aspect("equal", "datalim" if field is None else "box")


RECIPES = {
    # measured with seeds 0 and 1: 1.146 and 1.154 nats, of which 1.118 are the entropy of the moons; the mass is right to 1%
    "two_moons": ContrastRecipe(
        data="two_moons",
        steps=3000,
        batch_size=256,
        learning_rate=2e-3,
        schedule="cosine",
        average_decay=0.99,
        target=1.2,
        evaluate_every=1000,
        checkpoint_every=3000,
    )
}


def build(recipe, data):
    """The experiment of a recipe on points in the plane.

    Raises DataError where the points are not in the plane, on a grid of which the model is normalized.
    """
    name, shape = data.description["name"], data.description["shape"]
    if shape != [2]:
        raise DataError(f"{name} has points with {shape[0]} entries; the grid needs 2: use two_moons or eight_gaussians")
    return ContrastExperiment(recipe)
