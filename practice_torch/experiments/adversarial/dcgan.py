"""Two convolutional networks play the adversarial game on images; a classifier trained next to them tells what the fakes show."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn

from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.evaluation.memorization import nearest_distance
from practice_torch.evaluation.precision_recall import nearest_neighbor_radii
from practice_torch.experiments.judging.image_judge import JUDGED, Judge
from practice_torch.experiments.judging.points import distance
from practice_torch.experiments.media.published_data import CELEBA, PREPARE_CELEBA_108
from practice_torch.experiments.training.adversarial_game import GAME, GENERATOR_LOSSES, GameStatistics, phases, turn
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood
from practice_torch.foundations.training_practice import scale_to_range
from practice_torch.networks.dcgan import Discriminator, Generator
from practice_torch.networks.perceptron import perceptron

_SURE = 0.9  # a fake is recognized if the classifier gives one class at least this probability
_NEAR = 0.9  # and plausible if it is no further from a held-out image than this part of those are from each other
_PRESENT = 0.2  # a class is present if recognized, plausible fakes of it make up this part of its even share


@dataclass(frozen=True)
class DcganRecipe(Recipe):
    """A convolutional GAN on images; where they have labels, a small classifier evaluates the generated ones."""

    latent: Annotated[int, AtLeast(1)] = 64
    """Dimension of the generator's noise."""
    width: Annotated[int, AtLeast(1)] = 32
    """Channels of both networks at full resolution; doubled whenever the size is halved. Narrow ones learn at higher rates: 16 at
    1e-3, where 64 learn at 2e-4.
    """
    generator_loss: Literal[tuple(GENERATOR_LOSSES)] = "non_saturating"
    """Generator loss: -log D (non-saturating) or log(1 - D) (minimax)."""
    real_target: Annotated[float, Above(0, at_most=1)] = 1.0
    """Label of real examples for the discriminator; less than 1 is one-sided label smoothing."""
    discriminator_turns: Annotated[int, AtLeast(1)] = 1
    """Discriminator updates in every step."""
    classifier_hidden: Annotated[int, AtLeast(1)] = 128
    """Units of the evaluation classifier's hidden layer."""
    fakes: Annotated[int, AtLeast(1)] = 1000
    """Generated samples in an evaluation."""
    metric: Fixed = "classes"
    direction: Direction = "higher"


class Dcgan(nn.Module):
    """Generator and discriminator; for images with labels also a classifier, trained next to them on the real images alone.

    Images are in [0, 1] outside and in [-1, 1] inside, where the generator ends in a tanh.
    """

    explains = {
        "classes": Metric("classes", f"classes with recognized, plausible samples of at least {_PRESENT:.0%} of an equal share"),
        "recognized": Metric("fraction", f"samples whose class has a probability of {_SURE:g} or more"),
        "plausible": Metric("fraction", f"samples as near to a held-out image as {_NEAR:.0%} of such images are to each other"),
        "recognized_real": Metric("fraction", "the same for held-out images"),
        "classifier_accuracy": Metric("fraction", "accuracy of the evaluation classifier on held-out images"),
        "distance": Metric("pixel distance", "mean distance to the nearest neighbor, samples to images and back, halved"),
        "frechet_distance": JUDGED["frechet_distance"],
        **GAME,
    }

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator, self.shares, shape = recipe, None, ALONE, description["shape"]
        self.generator_network = self.build_generator(shape)
        self.discriminator = self.build_discriminator(shape)
        self.statistics, self.classifier, self.phases = GameStatistics(recipe.real_target), None, phases(recipe)
        if description["classes"]:
            sizes = math.prod(shape), recipe.classifier_hidden, len(description["classes"])
            self.classifier = perceptron(*sizes, activation=nn.ReLU)
            self.phases = (*self.phases, Phase("classifier", ("classifier",), learning_rate=1e-3))

    def build_generator(self, shape):
        """The generator."""
        return Generator(latent=self.recipe.latent, shape=shape, width=self.recipe.width)

    def build_discriminator(self, shape):
        """The discriminator."""
        return Discriminator(shape=shape, width=self.recipe.width)

    def forward(self, batch, phase):
        """The mean loss of one player; the classifier never sees a fake here."""
        if phase == "classifier":
            return categorical_negative_log_likelihood(batch["label"], self._classes(batch["image"])).mean(), {}
        real = scale_to_range(batch["image"], minimum=0.0, maximum=1.0)
        return turn(phase, self._logits, real, self._made(real), self.recipe, self.statistics)

    def evaluate(self, data):
        """Number of classes among the fakes, their quality, and the accuracy of the classifier that judges them.

        A classifier is sure of noise, too. A fake must therefore also lie where images are: near a held-out one. (Independent
        pixels with the right gray levels show 8 digits to the classifier alone, and none so.)
        """
        held_out = data.batch(torch.arange(min(len(data), 1000)))
        fakes, real = self._shown(self.recipe.fakes), held_out["image"]
        plausible = nearest_distance(fakes.flatten(1), real.flatten(1)) <= _usual_distance(real.flatten(1))
        found = {
            "plausible": float(plausible.double().mean()),
            "distance": distance(real.flatten(1), fakes.flatten(1)),
            "frechet_distance": Judge(real).frechet_distance(fakes, real),
            **self.statistics.metrics(),
        }
        if self.classifier is None:
            return found
        count = self.classifier[-1].out_features
        recognized, called = self._recognize(fakes)
        recognized_real, called_real = self._recognize(real)
        shares = torch.bincount(called[recognized & plausible], minlength=count) / len(fakes)
        return found | {
            "classes": float((shares >= _PRESENT / count).sum()),
            "recognized": float(recognized.double().mean()),
            "recognized_real": float(recognized_real.double().mean()),
            "classifier_accuracy": float((called_real == held_out["label"]).double().mean()),
        }

    def preview(self, data):
        """Fakes, always of the same noise; fakes of every class; the state of the game."""
        by_class = {"classes": self._by_class()} if self.classifier else {}
        return {**self.sample(64), **by_class, "game": self.statistics.text()}

    def sample(self, count):
        """Fakes of fresh noise."""
        return {"fakes": ImageGrid(self._shown(count), 8, "Generated images from standard normal noise")}

    def _by_class(self, rows=6):
        """A column a class, filled with the first fakes that are recognized as it; gray where there are too few."""
        fakes, count = self._shown(self.recipe.fakes), self.classifier[-1].out_features
        recognized, called = self._recognize(fakes)
        grid = torch.full((rows, count, *fakes.shape[1:]), 0.4, device=fakes.device)
        for k in range(count):
            found = fakes[recognized & (called == k)][:rows]
            grid[: len(found), k] = found
        return ImageGrid(grid.flatten(0, 1), count, "A column for each class: the first generated images with a confident class")

    def _recognize(self, images):
        """Whether the classifier is confident about each image, and the predicted class."""
        confidence, called = torch.softmax(self._classes(images).float(), dim=1).max(dim=1)
        return confidence >= _SURE, called

    def _classes(self, images):
        return self.classifier(images.flatten(1))

    def _logits(self, images):
        return self.discriminator(images).float()

    def _asked(self, count):
        """Placeholders for the conditions of `count` fakes."""
        return torch.arange(count, device=self.statistics.loss.device)

    def _made(self, asked):
        """One fake for each entry of `asked`."""
        noise = torch.randn((len(asked), self.recipe.latent), generator=self.generator, device=asked.device)
        return self.generator_network(noise)

    def _shown(self, count):
        draw = lambda asked: scale_to_range(self._made(asked).float(), minimum=-1.0, maximum=1.0, low=0.0, high=1.0)  # noqa: E731
        return self.shares.rows(draw, self._asked(count))


def _usual_distance(images):
    """Within which most of the images [N, D] have their nearest neighbor among the others."""
    return nearest_neighbor_radii(images, neighbors=1).quantile(_NEAR)


RECIPES = {
    # Measured with seeds 0 and 1: all 10 digits, in 90 seconds of one core. One Gaussian for all pixels shows 4, every pixel by
    # itself and an untrained generator none.
    "digits": DcganRecipe(
        data="digits",
        steps=4000,
        batch_size=64,
        learning_rate=2e-4,
        beta1=0.5,
        held_out=0.2,
        target=8.0,
        evaluate_every=1000,
        checkpoint_every=1000,
    ),
    # For a GPU. The target is what we believe: all that was measured is 1000 steps of a quarter of the width on a CPU, which
    # showed 4 digits (1000 real images show 10, one Gaussian 4).
    "mnist": DcganRecipe(
        data="mnist",
        steps=20_000,
        batch_size=128,
        learning_rate=2e-4,
        beta1=0.5,
        width=64,
        target=9.0,
        evaluate_every=2000,
        checkpoint_every=2000,
    ),
    # The settings of Radford et al. 2016; with one more convolution at full resolution. 25 epochs.
    "celeba": DcganRecipe(
        data="celeba",
        image_size=64,
        steps=39_000,
        batch_size=128,
        learning_rate=2e-4,
        beta1=0.5,
        latent=100,
        width=64,
        held_out=0.01,
        precision="bfloat16",
        metric="frechet_distance",
        direction="lower",
        evaluate_every=3000,
        checkpoint_every=3000,
    ),
}

PUBLISHED = {
    "celeba": Published(
        CELEBA,
        PREPARE_CELEBA_108,
        "FID of 50,000 samples",
        21.4,
        "DCGAN without two time scales in Heusel et al. 2017, table 1, as a course's notes on the paper give it",
        quoted="CelebA 12.5 (TTUR) vs 21.4 (orig); SVHN 12.5 vs 21.4; LSUN 57.5 vs 70.4",
        differences=(
            Difference(
                "data",
                "cropped images of 64 pixels, from a folder without the program that made it; the code it derives from takes 108",
                "the square of 108 at the center, brought to 64 by a bicubic filter, without 1% of the images",
                "not known: FID compares with the images of the crop",
            ),
            Difference("batches", "64 images", "128 images, as Radford et al. 2016", "not known"),
            Difference(
                "weights that are evaluated", "the best of 8 runs, judged every 1,000 updates", "the last of one", "not known"
            ),
            Difference("evaluation", "images are JPEGs when Inception sees them", "images are not compressed", "not known"),
        ),
    )
}


def build(recipe, data):
    """The players that a recipe describes, for images of the data's shape and classes.

    Raises DataError where the data have no labels, or sides that cannot be halved often enough.
    """
    require_labels(recipe, data.description)
    return Dcgan(recipe, data.description)


def require_labels(recipe, description):
    """Raises DataError where the evaluation needs labels and the data have none."""
    if description["classes"] is None and recipe.metric == "classes":
        name = description["name"]
        raise DataError(f"{name} has no labels, which the evaluation needs: give each class a sub-folder, or train recipe celeba")
