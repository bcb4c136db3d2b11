"""The variational autoencoder of latent/vae with convolutions, which halve the sides by strides and double them again."""

import itertools
import math

from torch import nn

from practice_torch.data.errors import DataError
from practice_torch.latent.vae import VariationalAutoencoder


class ConvolutionalAutoencoder(VariationalAutoencoder):
    """Other layers in the same places: rows of pixels in, rows of logits out, and images only in between.

    channels: of each level, from fine to coarse; kernels of 4, strides of 2, batch normalization (Tolstikhin et al. 2018).
    repeated: the decoder repeats pixels and convolves with kernels of 3, in place of transposed convolutions.
    """

    def __init__(self, *, shape, channels, latent_dim, repeated=False):
        nn.Module.__init__(self)  # not the perceptrons'
        colors, *sides = shape
        factor = 2 ** len(channels)
        if any(side % factor for side in sides):
            found = " x ".join(map(str, sides))
            mend = "crop or resize them, or take fewer channels"
            raise DataError(f"images of {found} pixels cannot be halved {len(channels)} times: {mend}")
        coarsest = (channels[-1], *(side // factor for side in sides))
        features = math.prod(coarsest)
        levels = list(itertools.pairwise((colors, *channels)))
        self.encoder = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 4, stride=2, padding=1, bias=False), _norm(b)) for a, b in levels
        )
        self.encoder[0].insert(0, nn.Unflatten(1, tuple(shape)))
        self.mean, self.log_var = (nn.Sequential(nn.Flatten(), nn.Linear(features, latent_dim)) for _ in range(2))
        grid = nn.Sequential(nn.Linear(latent_dim, features, bias=False), nn.Unflatten(1, coarsest), _norm(channels[-1]))
        ups = [nn.Sequential(*_doubled(b, a, repeated, bias=False), _norm(a)) for a, b in reversed(levels[1:])]
        self.decoder = nn.ModuleList([grid, *ups])
        self.logits = nn.Sequential(*_doubled(channels[0], colors, repeated), nn.Flatten())


def _doubled(inputs, outputs, repeated, bias=True):
    if repeated:
        return nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    return (nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias),)


def _norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)
