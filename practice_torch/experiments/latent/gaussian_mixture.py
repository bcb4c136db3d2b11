"""Gaussian mixtures fitted by expectation-maximization, to points and to the leading principal components of images.

Nothing follows a gradient: the one step of the training runs EM on all of the data.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.engine.artifacts import Figure, ImageGrid
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.judging.points import scatter
from practice_torch.latent.gaussian_mixture import log_responsibilities, m_step, mixture_log_density, mixture_sample


@dataclass(frozen=True)
class PointMixtureRecipe(Recipe):
    """A mixture fitted to points."""

    modality: ClassVar[str] = "points"
    data: str = "eight_gaussians"
    """eight_gaussians, two_moons, bimodal, or the path of your own .npz or .csv of points."""
    steps: Annotated[int, AtLeast(1, at_most=1)] = 1
    """1, because the step has all of the data and runs EM on it."""
    batch_size: Annotated[int, AtLeast(1)] = 2**40
    """Number of examples that are fitted; without it, all."""
    iterations: Annotated[int, AtLeast(1)] = 100
    """Pairs of E-step and M-step."""
    components: Annotated[int, AtLeast(1)] = 8
    """Number of Gaussians in the mixture."""
    regularization: Annotated[float, AtLeast(0)] = 1e-6
    """Added to every variance, in squared units of the data: a component cannot shrink onto one point."""
    points: Annotated[int, AtLeast(2)] = 4096
    """Number of points drawn from a toy distribution (a file has its own number)."""
    metric: Fixed = "nats"

    def loading(self):
        """Number of points to draw of a toy distribution."""
        return {"count": self.points}


@dataclass(frozen=True)
class ImageMixtureRecipe(Recipe):
    """A mixture fitted to the leading principal components of images."""

    steps: Annotated[int, AtLeast(1, at_most=1)] = 1
    """1, because the step has all of the data and runs EM on it."""
    batch_size: Annotated[int, AtLeast(1)] = 2**40
    """Number of examples that are fitted; without it, all."""
    iterations: Annotated[int, AtLeast(1)] = 100
    """Pairs of E-step and M-step."""
    components: Annotated[int, AtLeast(1)] = 8
    """Number of Gaussians in the mixture."""
    regularization: Annotated[float, AtLeast(0)] = 1e-6
    """Added to every variance, in squared units of the data: a component cannot shrink onto one point."""
    dimensions: Annotated[int, AtLeast(1)] = 16
    """Number of principal components that are kept."""
    metric: Fixed = "nats"


class MixtureExperiment(nn.Module):
    """A mixture of points, as buffers that EM fills."""

    explains = {
        "nats": Metric("nats per example", "-log p(x) of held-out examples under the mixture"),
        "one_gaussian": Metric("nats per example", "the same of the Gaussian with the training data's mean and covariance"),
        "components_in_use": Metric("components", "e to the entropy of the weights: all, if they are equal"),
    }
    phases = (Phase("em"),)

    def __init__(self, recipe, size):
        super().__init__()
        self.recipe, self.generator = recipe, None
        for name, components in (("", recipe.components), ("one_", 1)):
            self.register_buffer(f"{name}log_weights", torch.full((components,), -math.log(components)))
            self.register_buffer(f"{name}means", torch.zeros(components, size))
            self.register_buffer(f"{name}factors", torch.eye(size).repeat(components, 1, 1))
        self.register_buffer("climb", torch.zeros(recipe.iterations))

    def forward(self, batch, phase):
        """EM from centers of k-means++; the loss is that of the last mixture. In float64: covariances keep their digits."""
        points, floor = self._fitted_points(batch).double(), self.recipe.regularization
        self._keep("one_", m_step(points, points.new_zeros(len(points), 1), regularization=floor))
        mixture, climb = self._start(points), []
        for _ in range(self.recipe.iterations):
            log_shares = log_responsibilities(points, *mixture)
            mixture = m_step(points, log_shares, regularization=floor)
            climb.append(mixture_log_density(points, *mixture).mean())
        self._keep("", mixture)
        self.climb.copy_(torch.stack(climb))
        return -climb[-1].float(), {}

    def evaluate(self, data):
        """Nats per held-out example of the mixture and of one Gaussian, and how many components are in use."""
        points = self._points(data.batch()).double()
        mixture, one = (-mixture_log_density(points, *self.mixture(name)).mean() for name in ("", "one_"))
        entropy = -(self.log_weights.exp() * self.log_weights.clamp(min=-1e4)).sum()
        return {"nats": float(mixture), "one_gaussian": float(one), "components_in_use": float(entropy.exp())}

    def preview(self, data):
        """Held-out examples, draws and components; and how the likelihood rose."""
        climb = self.climb.cpu()

        def draw(axes):
            axes.plot(range(1, len(climb) + 1), climb)
            axes.set(xlabel="iteration", ylabel="nats per example")

        real = self._points(data.batch(torch.arange(min(len(data), 2000)))).cpu()
        return self._shown(1000, real) | {"climb": Figure(draw, "Mean log-likelihood of the training data: EM never lowers it")}

    def sample(self, count):
        """Draws of the mixture."""
        return self._shown(count, None)

    def mixture(self, name=""):
        """(log_weights, means, scale_tril) in float64."""
        return tuple(getattr(self, f"{name}{part}").double() for part in ("log_weights", "means", "factors"))

    def drawn(self, count):
        """[count, D] draws."""
        device, size = self.means.device, self.means.shape[1]
        uniforms = torch.rand(count, generator=self.generator, device=device, dtype=torch.float64)
        noise = torch.randn(count, size, generator=self.generator, device=device, dtype=torch.float64)
        return mixture_sample(uniforms, noise, *self.mixture()).float()

    def _points(self, batch):
        return batch["point"]

    def _fitted_points(self, batch):
        return self._points(batch)

    def _shown(self, count, real):
        fakes, mixture = self.drawn(count).cpu(), [part.cpu() for part in self.mixture()]

        def draw(axes):
            scatter(axes, real, fakes)
            if fakes.shape[1] == 2:
                for center, factor in zip(*mixture[1:], strict=True):
                    axes.plot(*_ellipse(center, factor), color="black", linewidth=0.8)
                axes.set(aspect="equal")
            axes.set(xlabel="$x_1$", ylabel="$x_2$" if fakes.shape[1] > 1 else "rank")

        caption = "Draws of the mixture, over held-out points if there are any; ellipses of two deviations"
        return {"draws": Figure(draw, caption, points=fakes)}

    def _start(self, points):
        """Centers by k-means++, each with its share of the data's variance on every axis."""
        count, size = self.recipe.components, points.shape[1]
        chosen = points[self._one_of(points.new_ones(len(points)))]
        for _ in range(1, count):
            nearest = torch.cdist(points, chosen).amin(1).square()
            chosen = torch.cat([chosen, points[self._one_of(nearest + (nearest.sum() == 0))]])
        deviation = (points.var(0, correction=0).mean() / count + self.recipe.regularization).sqrt()
        log_weights = points.new_full((count,), -math.log(count))
        return log_weights, chosen, deviation * torch.eye(size).to(points).repeat(count, 1, 1)

    def _one_of(self, weights):
        """The index of one point, [1], with probability in proportion to its weight."""
        return torch.multinomial(weights.float(), 1, generator=self.generator)

    def _keep(self, name, mixture):
        for part, value in zip(("log_weights", "means", "factors"), mixture, strict=True):
            getattr(self, f"{name}{part}").copy_(value)


class ImageMixtureExperiment(MixtureExperiment):
    """The same of the first principal components of images."""

    def __init__(self, recipe, shape):
        self.kept = min(recipe.dimensions, math.prod(shape))
        super().__init__(recipe, self.kept)
        self.shape = tuple(shape)
        self.register_buffer("center", torch.zeros(math.prod(shape)))
        self.register_buffer("axes", torch.zeros(math.prod(shape), self.kept))

    def _points(self, batch):
        return (batch["image"].flatten(1) - self.center) @ self.axes

    def _fitted_points(self, batch):
        """The components are those of the images that are fitted."""
        x = batch["image"].flatten(1).double()
        self.center.copy_(x.mean(0))
        away = x - x.mean(0)
        self.axes.copy_(torch.linalg.eigh(away.mT @ away).eigenvectors[:, -self.kept :].flip(1))
        return self._points(batch)

    def preview(self, data):
        """Draws, the mean of every component, and how the likelihood rose."""
        order = self.log_weights.argsort(descending=True)
        means = ImageGrid(self._images(self.means[order]), 10, "Means of the components, the heaviest first")
        return super().preview(data) | {"means": means}

    def _shown(self, count, real):
        """Draws as images; a preview has few."""
        images = self._images(self.drawn(count if real is None else 64))
        return {"draws": ImageGrid(images, 8, "Draws of the mixture")}

    def _images(self, points):
        return (self.center + points @ self.axes.mT).clamp(0, 1).unflatten(1, self.shape)


def _ellipse(center, factor):
    """Two deviations around a center: [2, 60]."""
    angles = torch.linspace(0, 2 * math.pi, 60, dtype=factor.dtype)
    return center[:, None] + 2 * factor @ torch.stack([angles.cos(), angles.sin()])


RECIPES = {
    # measured with two seeds: -2.85 and -2.97; the entropy of the points' own law is -2.91, and one Gaussian has 3.53
    "eight_gaussians": PointMixtureRecipe(target=-2.7),
    # measured with two seeds: 2.6 and 3.7; one Gaussian, which is probabilistic principal component analysis, has 9.1 and 9.5
    "digits": ImageMixtureRecipe(data="digits", components=30, held_out=0.2, regularization=2.5e-3, target=5.0),
}


def build(recipe, data):
    """The mixture of a recipe."""
    shape = data.description["shape"]
    if isinstance(recipe, ImageMixtureRecipe):
        return ImageMixtureExperiment(recipe, shape)
    return MixtureExperiment(recipe, math.prod(shape))
