"""A gated PixelCNN: the probability of every gray level of every pixel, given the pixels before it."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from practice_torch.autoregressive.pixelcnn import GatedPixelCNN
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.codes.pixel_codes import PixelExperiment, conditioning_classes


@dataclass(frozen=True)
class PixelcnnRecipe(Recipe):
    """A gated PixelCNN with a softmax over the levels, conditional on the class where the data has classes."""

    num_levels: Annotated[int, AtLeast(2)] = 17
    """Number of gray levels, or of the levels of a color."""
    conditional: bool = True
    """Condition on the class of an image, where the data has classes."""
    width: Annotated[int, AtLeast(1)] = 32
    """Channels of every layer."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate behind every gate."""
    layers: Annotated[int, AtLeast(1)] = 6
    """Gated layers, of both stacks."""
    reach: Annotated[int, AtLeast(2)] = 2
    """Rows of a layer's window above and columns before, the pixel's own included; the window is 2 reach - 1 columns wide."""
    metric: Fixed = "bits_per_dimension"


@dataclass(frozen=True)
class BitPixelcnnRecipe(Recipe):
    """A gated PixelCNN of binary images, drawn anew for every batch: a pixel is 1 with its value as probability."""

    num_levels: ClassVar[int] = 2
    conditional: ClassVar[bool] = False
    width: Annotated[int, AtLeast(1)] = 128
    """Channels of every layer."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate behind every gate."""
    layers: Annotated[int, AtLeast(1)] = 15
    """Gated layers, of both stacks."""
    reach: Annotated[int, AtLeast(2)] = 2
    """Rows of a layer's window above and columns before, the pixel's own included; the window is 2 reach - 1 columns wide."""
    metric: Fixed = "nats_per_image"


class BitPixels(PixelExperiment):
    """Learns the bits of images, which are drawn anew in every batch."""

    explains = {
        "nats_per_image": Metric("nats per image", "-log p of held-out images, with drawn bits"),
        "bits_per_dimension": PixelExperiment.explains["bits_per_dimension"],
        "independent_pixels": Metric("nats per image", "the same of independent pixels: the means of the training images"),
    }

    def evaluate(self, data):
        """Nats of a held-out image, of the model and of independent pixels."""
        log_prob, size = 0.0, math.prod(self.shape)
        for number, indices in enumerate(torch.arange(len(data)).split(250)):
            codes = self._codes(data.batch(indices)["image"])
            if self.shares.takes(number):
                log_prob += self.log_prob(codes, None).double().sum().item()
        nats = -sum(self.shares.together([log_prob])) / len(data)
        p, q = (_mean_image(part).cpu() for part in (self._training, data))  # which may be on two devices
        independent = -(q * p.log() + (1 - q) * (1 - p).log()).sum().item()
        return {"nats_per_image": nats, "bits_per_dimension": nats / size / math.log(2), "independent_pixels": independent}

    def _codes(self, image):
        return torch.bernoulli(image, generator=self.generator).long()


def _mean_image(data):
    """The mean of images, a black and a white one added: strictly between 0 and 1."""
    total = sum(data.batch(indices)["image"].double().sum(0) for indices in torch.arange(len(data)).split(5000))
    return (total + 1) / (len(data) + 2)


RECIPES = {
    # measured with two seeds: 1.72 and 1.75 bits per dimension, given the class, in 70 CPU seconds; independent pixels
    # need 2.42. 84% and 71% of the samples show the requested digit. Twice the steps reach 1.67 and 92%.
    "digits": PixelcnnRecipe(
        data="digits", steps=500, batch_size=64, learning_rate=3e-3, schedule="cosine", warmup_steps=50, clip_norm=1.0,
        dropout=0.2, held_out=0.2, target=1.85, evaluate_every=500, checkpoint_every=500,
    ),
    # Layers and channels are those of the published PixelCNN, whose layers have no gates and a blind spot. Not run here at this
    # size: docs/published_results.md has a smaller one.
    "mnist": BitPixelcnnRecipe(
        data="mnist", steps=60_000, batch_size=64, learning_rate=1e-3, schedule="cosine", warmup_steps=500, clip_norm=1.0,
        evaluate_every=6000, checkpoint_every=6000,
    ),
    # Layers, channels and windows are those that the paper gives for its larger images; how it is trained is our own.
    "cifar10": PixelcnnRecipe(
        data="cifar10", num_levels=256, conditional=False, width=384, layers=20, reach=3, steps=200_000, batch_size=128,
        learning_rate=3e-4, schedule="cosine", warmup_steps=1000, clip_norm=1.0, dropout=0.1, average_decay=0.9995,
        precision="bfloat16", evaluate_every=10_000, checkpoint_every=5000,
    ),
}  # fmt: skip

PUBLISHED = {
    "mnist": Published(
        "mnist",
        "",
        "-log p of test images, nats",
        81.3,
        "PixelCNN, van den Oord et al. 2016a, Pixel recurrent neural networks, as github.com/EugenHotaj/pytorch-generative "
        "cites it",
        quoted="PixelCNN | 81.45 | 81.30 [1]; 15 residual layers, 128 filters per layer",
        differences=(
            Difference(
                "architecture",
                "one stack of masked convolutions, without gates, blind to a part of the rows above",
                "two stacks with gates, which see all earlier pixels",
                "not known",
            ),
            Difference("data", "bits that were drawn once", "drawn anew in every batch", "not known; it flatters the recipe"),
            Difference("training", "not looked up", "our own", "not known"),
        ),
    ),
    "cifar10": Published(
        "CIFAR-10, downloaded by torchvision",
        "",
        "bits per dimension of the test images, unconditional",
        3.03,
        "Gated PixelCNN, van den Oord et al. 2016b, table 1, as Jo & Hwang 2025, Continuous diffusion model for language "
        "modeling, table 3, cite it",
        quoted="PixelRNN [60] 3.00 Gated PixelCNN [59] 3.03 PixelCNN++ [50] 53M 2.92 (bits per dimension on CIFAR-10)",
        differences=(
            Difference("architecture", "not said for these images", "the one that is given for images of ImageNet", "not known"),
            Difference("training", "not said", "our own, with dropout and averaged weights", "not known"),
        ),
    ),
}


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape and classes."""
    description = data.description
    network = GatedPixelCNN(
        num_levels=recipe.num_levels,
        colors=description["shape"][0],
        width=recipe.width,
        layers=recipe.layers,
        kernel_size=2 * recipe.reach - 1,
        classes=len(conditioning_classes(recipe, description)),
        dropout=recipe.dropout,
    )
    kind = BitPixels if isinstance(recipe, BitPixelcnnRecipe) else PixelExperiment
    return kind(recipe, description, network)
