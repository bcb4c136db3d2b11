"""Perceptrons play the adversarial game on pairs of image and latent; a linear classifier reads what the encoder has learned."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import nn

from practice_torch.adversarial.bigan import bigan_discriminator_loss, bigan_generator_encoder_loss
from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Recipe
from practice_torch.experiments.judging.image_judge import probe_accuracy
from practice_torch.experiments.training.adversarial_game import GAME, GameStatistics
from practice_torch.foundations.training_practice import scale_to_range
from practice_torch.networks.perceptron import perceptron


@dataclass(frozen=True)
class BiganRecipe(Recipe):
    """A bidirectional GAN of perceptrons on images with labels, which only the evaluation sees."""

    latent: Annotated[int, AtLeast(1)] = 16
    """Dimension of the latent."""
    hidden: Annotated[int, AtLeast(1)] = 256
    """Width of the two hidden layers of all three networks."""
    cycle_weight: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the mean squared error of G(E(x)), which generator and encoder then lower, too (ALICE); 0: the game alone."""
    fakes: Annotated[int, AtLeast(1)] = 1000
    """Generated samples in an evaluation."""


class Bigan(nn.Module):
    """Generator, encoder and a discriminator of pairs.

    Images are in [0, 1] outside and in [-1, 1] inside, where the generator ends in a tanh.
    """

    explains = {
        "probe_accuracy": Metric("fraction", "accuracy of a linear classifier of latents, from one half of the held-out images"),
        "unexplained": Metric("fraction", "squared error of G(E(x)) on held-out images, of the variance of their pixels"),
        "latent_error": Metric("squared distance", "squared error of E(G(z)), for each dimension; 1 is the prior's variance"),
        "latent_deviation": Metric("deviations", "root mean square of the encoder's latents; that of the prior is 1"),
        **GAME,
    }

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator, self.shape = recipe, None, tuple(description["shape"])
        pixels, hidden, latent = math.prod(self.shape), (recipe.hidden, recipe.hidden), recipe.latent
        leaky = partial(nn.LeakyReLU, 0.2)
        self.generator_network = perceptron(latent, *hidden, pixels, activation=nn.ReLU)
        self.encoder = perceptron(pixels, *hidden, latent, activation=leaky)
        self.discriminator = perceptron(pixels + latent, *hidden, 1, activation=leaky)
        self.statistics = GameStatistics(real_target=1.0)
        self.phases = (Phase("discriminator", ("discriminator",)), Phase("opponents", ("generator_network", "encoder")))

    def forward(self, batch, phase):
        """The mean loss of the discriminator or of its two opponents."""
        x = self._inside(batch["image"])
        z = self._noise(len(x))
        made, code = self._made(z), self.encoder(x)
        if phase == "opponents":
            loss = bigan_generator_encoder_loss(self._logits(x, code), self._logits(made, z)).mean()
            if self.recipe.cycle_weight:
                loss = loss + self.recipe.cycle_weight * (self._made(code) - x).square().mean()
            return loss, {}
        logits = self._logits(x, code.detach()), self._logits(made.detach(), z)
        loss = bigan_discriminator_loss(*logits).mean()
        self.statistics.update(loss.detach())
        return loss, {"encoder": torch.sigmoid(logits[0].detach()).mean(), "generator": torch.sigmoid(logits[1].detach()).mean()}

    def evaluate(self, data):
        """Accuracy of a probe on the codes, and reconstruction errors of the two maps."""
        held_out = data.batch(torch.arange(min(len(data), 1000)))
        x = self._inside(held_out["image"])
        code, z = self.encoder(x), self._noise(self.recipe.fakes)
        error = (self._made(code) - x).double().square().mean()
        return {
            "probe_accuracy": probe_accuracy(code, held_out["label"]),
            "unexplained": float(error / x.double().var(0, correction=0).mean()),
            "latent_error": float((self.encoder(self._made(z)) - z).double().square().mean()),
            "latent_deviation": float(code.double().square().mean().sqrt()),
            **self.statistics.metrics(),
        }

    def preview(self, data):
        """Held-out images above their reconstructions; fakes; the state of the game."""
        x = self._inside(data.batch(torch.arange(min(len(data), 10)))["image"])
        both = torch.cat([x, self._made(self.encoder(x))])
        caption = "Held-out images, and under each the generator's image of its code"
        fakes = self._shown(self._made(self._noise(64)), 8, "Generated images")
        return {"reconstructions": self._shown(both, len(x), caption), "fakes": fakes, "game": self.statistics.text()}

    def sample(self, count):
        """Fakes of fresh noise."""
        return {"fakes": self._shown(self._made(self._noise(count)), 8, "Generated images from standard normal noise")}

    def _shown(self, x, columns, caption):
        images = scale_to_range(x.float(), minimum=-1.0, maximum=1.0, low=0.0, high=1.0)
        return ImageGrid(images.unflatten(1, self.shape), columns, caption)

    def _inside(self, images):
        return scale_to_range(images.flatten(1), minimum=0.0, maximum=1.0)

    def _made(self, z):
        return torch.tanh(self.generator_network(z))

    def _logits(self, x, z):
        return self.discriminator(torch.cat([x, z], dim=1))[:, 0].float()

    def _noise(self, count):
        return torch.randn((count, self.recipe.latent), generator=self.generator, device=self.statistics.loss.device)


_DIGITS = dict(
    data="digits",
    steps=4000,
    batch_size=64,
    learning_rate=5e-4,
    beta1=0.5,
    held_out=0.2,
    evaluate_every=1000,
    checkpoint_every=1000,
)

RECIPES = {
    # Measured with seeds 0 and 1: accuracies of 86 and 84% (untrained, 27%). The game alone does not reconstruct: 1.1 of the
    # pixels' variance is unexplained, so G(E(x)) is a digit, but another one.
    "digits": BiganRecipe(metric="probe_accuracy", direction="higher", target=0.8, **_DIGITS),
    # With the squared error of the reconstruction 0.43 is unexplained with both seeds (untrained 2.5, the mean image 1),
    # and the accuracies are 87 and 85%.
    "digits_cycle": BiganRecipe(cycle_weight=1.0, metric="unexplained", direction="lower", target=0.55, **_DIGITS),
}


def build(recipe, data):
    """The players that a recipe describes, for images of the data's shape and classes.

    Raises DataError where the data have no labels.
    """
    if data.description["classes"] is None:
        name = data.description["name"]
        raise DataError(f"{name} has no labels, which the evaluation needs: give each class a sub-folder")
    return Bigan(recipe, data.description)
