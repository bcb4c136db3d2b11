"""The deep convolutional generator and discriminator: strides instead of pooling, batch normalization, no hidden dense layers."""

import itertools
import math

import torch
from torch import nn

from practice_torch.data.errors import DataError


class Generator(nn.Module):
    """Noise to images in (-1, 1): a coarse grid of features, doubled in size until it has that of the images.

    [B, latent] -> [B, C, H, W]
    """

    def __init__(self, *, latent, shape, width):
        super().__init__()
        channels, *sides = shape
        widths, coarse = pyramid(sides, width)
        self.start = (widths[-1], *coarse)
        self.project = nn.Linear(latent, math.prod(self.start), bias=False)
        layers = [_batch_norm(widths[-1]), nn.ReLU()]
        for wider, narrower in itertools.pairwise(reversed(widths)):
            # Kernel 4, stride 2: the stride divides the kernel, so all outputs are reached by equally many inputs. No bias: the
            # normalization would subtract it again.
            layers += [nn.ConvTranspose2d(wider, narrower, 4, stride=2, padding=1, bias=False), _batch_norm(narrower), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))  # the images themselves are not normalized
        self.apply(_initialize)

    def forward(self, z):
        """Images in (-1, 1)."""
        return torch.tanh(self.layers(self.project(z).unflatten(1, self.start)))


class Discriminator(nn.Module):
    """Images in [-1, 1] to logits of being real: the generator, mirrored.

    [B, C, H, W] -> [B]
    """

    def __init__(self, *, shape, width):
        super().__init__()
        channels, *sides = shape
        widths, coarse = pyramid(sides, width)
        layers = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2)]  # the first layer sees the images as they are
        for narrower, wider in itertools.pairwise(widths):
            layers += [nn.Conv2d(narrower, wider, 4, stride=2, padding=1, bias=False), _batch_norm(wider), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * math.prod(coarse), 1))
        self.apply(_initialize)

    def forward(self, images):
        """One logit an image."""
        return self.layers[-1](self.features(images))[:, 0]

    def features(self, images):
        """[B, D], of which the last layer takes the logit."""
        return self.layers[:-1](images)


class Critic(nn.Module):
    """Images in [-1, 1] to scores: the discriminator without batch normalization, through which one example's score would
    depend on the others, and a penalty on its slope would not be about its own example.

    [B, C, H, W] -> [B]
    """

    def __init__(self, *, shape, width):
        super().__init__()
        channels, *sides = shape
        widths, coarse = pyramid(sides, width)
        layers = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2)]
        for narrower, wider in itertools.pairwise(widths):
            layers += [nn.Conv2d(narrower, wider, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * math.prod(coarse), 1))
        self.apply(_keep_the_second_moment)

    def forward(self, images):
        """One score an image."""
        return self.layers(images)[:, 0]


def pyramid(sides, width):
    """Channels from fine to coarse, doubled whenever the sides are halved, and the coarsest sides.

    Raises DataError if the sides cannot be halved down to 8 or less.
    """
    coarse, widths = tuple(sides), [width]
    while all(side % 2 == 0 for side in coarse) and min(coarse) > 4:
        coarse, widths = tuple(side // 2 for side in coarse), [*widths, 2 * widths[-1]]
    if max(coarse) > 8:
        given, end = " x ".join(map(str, sides)), " x ".join(map(str, coarse))
        raise DataError(f"images of {given} pixels can be halved to {end}; the result must be 8 or less: crop or resize them")
    return widths, coarse


def _batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)


def _initialize(module):
    """Weights from N(0, 0.02^2), gains from N(1, 0.02^2), biases 0 (Radford et al. 2016)."""
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if weight is not None:
        nn.init.normal_(weight, 1.0 if isinstance(module, nn.BatchNorm2d) else 0.0, 0.02)
    if bias is not None:
        nn.init.zeros_(bias)


def _keep_the_second_moment(module):
    """Weights of variance 2/(inputs (1 + 0.2^2)), which leaky rectifiers need where nothing is normalized; biases 0."""
    if hasattr(module, "weight"):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        nn.init.zeros_(module.bias)
