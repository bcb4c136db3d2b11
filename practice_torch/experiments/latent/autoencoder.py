"""A deep autoencoder compared with the best linear one that has as many codes, and with a linear one that is trained."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import nn

from practice_torch.engine.artifacts import Figure, ImageGrid
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.foundations.training_practice import ema_update
from practice_torch.latent.autoencoder import (
    linear_autoencoder,
    principal_subspace_error,
    principal_subspace_reconstruction,
    squared_reconstruction_error,
)
from practice_torch.networks.perceptron import perceptron

_JUDGED = 10_000  # held-out images at most, since principal components need all of them at once
_MAPPED = 1000  # images in a map of codes
_SHOWN = 10  # images that are reconstructed in a preview
_DECAY = 0.99  # of the moments of the codes


@dataclass(frozen=True)
class AutoencoderRecipe(Recipe):
    """An autoencoder of perceptrons, and a linear one with as many codes. Errors are sums over pixels."""

    hidden_dims: Annotated[tuple[int, ...], AtLeast(1)] = (256, 128)
    """Widths of the encoder's hidden layers; the decoder mirrors them."""
    latent_dim: Annotated[int, AtLeast(1)] = 8
    """Number of codes of an image."""
    metric: Fixed = "ratio"

    def __post_init__(self):
        super().__post_init__()
        self._require("hidden_dims", self.hidden_dims != (), "at least one width: without a hidden layer the model is linear")


class AutoencoderExperiment(nn.Module):
    """Both autoencoders learn from the same data in turns.

    The mean and the second moments of the codes are moving averages, so that codes can be drawn: an autoencoder alone does not
    say which codes are likely.
    """

    explains = {
        "ratio": Metric("fraction", "squared_error divided by principal_error; no linear autoencoder is below 1"),
        "linear_ratio": Metric("fraction", "the same of the linear autoencoder that is trained"),
        "squared_error": Metric("squared error", "of held-out images from their codes, summed over the pixels"),
        "principal_error": Metric("squared error", "the least of a linear autoencoder: by the images' own principal components"),
    }
    eager = dict.fromkeys(("linear.0", "linear.1"), "its weight is multiplied with the other's: two products are all there is")
    phases = (Phase("deep", moves=("encoder", "decoder")), Phase("linear", moves=("linear",), learning_rate=1e-2))

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator = recipe, tuple(shape), None
        pixels, codes = math.prod(shape), recipe.latent_dim
        self.encoder = perceptron(pixels, *recipe.hidden_dims, codes, activation=nn.SiLU)
        self.decoder = perceptron(codes, *reversed(recipe.hidden_dims), pixels, activation=nn.SiLU)
        # The decoder's bias is the mean, which the encoder subtracts.
        self.linear = nn.ModuleList([nn.Linear(pixels, codes, bias=False), nn.Linear(codes, pixels)])
        self.register_buffer("mean", torch.zeros(codes))
        self.register_buffer("second_moments", torch.zeros(codes * codes))

    def forward(self, batch, phase):
        """The mean squared error of a batch under the autoencoder of this phase."""
        x = batch["image"].flatten(1)
        if phase == "linear":
            return squared_reconstruction_error(x, self._linear(x)).mean(), {}
        codes = self.encoder(x)
        self._follow(codes.detach().to(self.mean.dtype))
        return squared_reconstruction_error(x, self.decoder(codes)).mean(), {}

    def evaluate(self, data):
        """Errors of held-out images, next to the least that a linear autoencoder can have on them."""
        x = self._images(data, _JUDGED)
        made = self.decoder(self.encoder(x)), self._linear(x)
        deep, linear = (squared_reconstruction_error(x, again).double().mean().item() for again in made)
        least = principal_subspace_error(x.double(), rank=self._rank()).item()
        return {"ratio": deep / least, "linear_ratio": linear / least, "squared_error": deep, "principal_error": least}

    def preview(self, data):
        """Reconstructions by both, and maps of held-out images in two dimensions by both."""
        x = self._images(data, _MAPPED)
        labels = data.batch(torch.arange(len(x))).get("label")
        codes, best = self.encoder(x), principal_subspace_reconstruction(x, rank=self._rank())
        rows = [part[:_SHOWN] for part in (x, self.decoder(codes), best)]
        title = "Codes of held-out images" + ("" if self.recipe.latent_dim == 2 else " in the plane in which they vary most")
        return {
            "reconstructions": ImageGrid(
                torch.cat(rows).unflatten(1, self.shape),
                len(rows[0]),
                f"Held-out images; below from {self.recipe.latent_dim} codes; below from as many of their principal components",
            ),
            "codes": Figure(partial(_map, codes.float().cpu(), labels), f"{title}, colored by label"),
            "principal_components": Figure(partial(_map, x.float().cpu(), labels), "First two principal components of the same"),
            **self.sample(60),
        }

    def sample(self, count):
        """Images decoded from codes of the Gaussian with the moments of the training data's codes."""
        second = self.second_moments.view(len(self.mean), -1)
        variances, axes = torch.linalg.eigh(second - torch.outer(self.mean, self.mean))
        noise = torch.randn(count, len(variances), generator=self.generator, device=variances.device)
        codes = self.mean + (noise * variances.clamp(min=0).sqrt()) @ axes.mT
        caption = "Codes drawn from a Gaussian with the moments of real codes, and decoded: nothing makes the codes Gaussian"
        return {"gaussian_codes": ImageGrid(self.decoder(codes).float().unflatten(1, self.shape), 10, caption)}

    def _linear(self, x):
        down, up = self.linear
        return linear_autoencoder(x, down.weight, up.weight, up.bias)

    def _follow(self, codes):
        """One step of the moving averages."""
        second = (codes.mT @ codes / len(codes)).flatten()
        for average, value in ((self.mean, codes.mean(0)), (self.second_moments, second)):
            average.copy_(ema_update(average, value, decay=_DECAY))

    def _images(self, data, most):
        return data.batch(torch.arange(min(len(data), most)))["image"].flatten(1)

    def _rank(self):
        """Number of principal components: as many as there are codes, and no more than pixels."""
        return min(self.recipe.latent_dim, math.prod(self.shape))


def _map(x, labels, axes):
    """Points [N, D] on the plane in which they vary most; of one dimension its only axis, twice."""
    centered = x - x.mean(0)
    plane = torch.linalg.svd(centered, full_matrices=False).Vh[:2].mT
    first, second = (centered @ plane)[:, [0, -1]].mT
    dots = axes.scatter(first, second, c=None if labels is None else labels.cpu(), cmap=None if labels is None else "tab10", s=8)
    axes.set(xlabel="first axis", ylabel="second axis", aspect="equal")
    if labels is not None and labels.max() < 10:
        dots.set_clim(-0.5, 9.5)
        axes.figure.colorbar(dots, label="label", ticks=range(int(labels.max()) + 1))


_DIGITS = dict(
    data="digits",
    steps=3000,
    batch_size=64,
    learning_rate=1e-3,
    schedule="cosine",
    held_out=0.2,
    evaluate_every=1500,
    checkpoint_every=1500,
)

RECIPES = {
    # Measured with seeds 0 and 1, in 14 CPU seconds: 0.49 and 0.47; the linear one has 1.07 and 1.06. With an encoder that stays
    # as it began 1.99 (seed 0).
    "digits": AutoencoderRecipe(target=0.6, **_DIGITS),
    # Measured with seeds 0 and 1: 0.60 and 0.62; the linear one has 1.02 and 1.02. With an encoder that stays as it began 1.25.
    "digits_plane": AutoencoderRecipe(latent_dim=2, target=0.7, **_DIGITS),
    # The widths are theirs. They pretrained each layer as a restricted Boltzmann machine, with logistic units; here all layers
    # begin at random.
    "mnist": AutoencoderRecipe(
        data="mnist",
        steps=100_000,
        batch_size=128,
        learning_rate=1e-3,
        schedule="cosine",
        hidden_dims=(1000, 500, 250),
        latent_dim=30,
        evaluate_every=10_000,
        checkpoint_every=10_000,
    ),
}

PUBLISHED = {
    "mnist": Published(
        "MNIST, 60,000 digits of 28 x 28",
        "",
        "squared_error of test images",
        3.0,
        "Hinton & Salakhutdinov 2006, figure 2B: autoencoder, logistic and standard principal components",
        quoted="The average squared errors for the last three rows are 3.00, 8.01, and 13.87.",
        differences=(
            Difference("initialization", "layers trained as restricted Boltzmann machines", "random", "not known"),
            Difference("architecture", "logistic units", "SiLU", "not known"),
            Difference("optimizer", "conjugate gradients, on cross-entropy", "Adam, on squared error", "not known"),
            Difference(
                "evaluation", "said of a figure with one image of each class", "the mean of all 10,000 test images", "not known"
            ),
        ),
    )
}


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape."""
    return AutoencoderExperiment(recipe, data.description["shape"])
