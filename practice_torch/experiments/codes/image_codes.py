"""Convolutional autoencoders of images with a grid of codes, and code vectors updated as moving averages of their encodings."""

import torch
from torch import nn

from practice_torch.data.errors import DataError
from practice_torch.latent.vector_quantization import ema_codebook_update


def grid_of(shape, halvings):
    """The sides of the grid that is left of images of this shape. Raises DataError if they cannot be halved so often."""
    sides = shape[1:]
    if any(side % 2**halvings for side in sides):
        found = " x ".join(map(str, sides))
        raise DataError(f"images of {found} pixels cannot be halved {halvings} times: resize them, or halve less often")
    return tuple(side // 2**halvings for side in sides)


def encoder(channels, outputs, *, width, halvings):
    """Images [B, channels, H, W] -> [B, outputs, H/2^halvings, W/2^halvings], by convolutions with a stride of 2."""
    halved = [layer for _ in range(halvings) for layer in (nn.SiLU(), nn.Conv2d(width, width, 4, 2, 1))]
    return nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1), *halved, nn.SiLU(), nn.Conv2d(width, outputs, 1))


def decoder(inputs, channels, *, width, halvings):
    """The way back, by transposed convolutions."""
    doubled = [layer for _ in range(halvings) for layer in (nn.SiLU(), nn.ConvTranspose2d(width, width, 4, 2, 1))]
    return nn.Sequential(nn.Conv2d(inputs, width, 3, 1, 1), *doubled, nn.SiLU(), nn.Conv2d(width, channels, 3, 1, 1))


def residual_encoder(channels, outputs, *, width, halvings, blocks):
    """The same by one or more convolutions with a stride of 2, and residual blocks (van den Oord et al. 2017, section 4.1)."""
    halved = [layer for _ in range(halvings - 1) for layer in (nn.ReLU(), nn.Conv2d(width, width, 4, 2, 1))]
    behind = [_Residual(width) for _ in range(blocks)]
    return nn.Sequential(nn.Conv2d(channels, width, 4, 2, 1), *halved, *behind, nn.ReLU(), nn.Conv2d(width, outputs, 1))


def residual_decoder(inputs, channels, *, width, halvings, blocks):
    """The way back: residual blocks, then transposed convolutions."""
    before = [_Residual(width) for _ in range(blocks)]
    doubled = [layer for _ in range(halvings - 1) for layer in (nn.ReLU(), nn.ConvTranspose2d(width, width, 4, 2, 1))]
    last = nn.ReLU(), nn.ConvTranspose2d(width, channels, 4, 2, 1)
    return nn.Sequential(nn.Conv2d(inputs, width, 1), *before, *doubled, *last)


class _Residual(nn.Module):
    """x + W_1 * relu(W_3 * relu(x)), with kernels of 3 and 1."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 1))

    def forward(self, x):
        return x + self.layers(x)


def follow(experiment, z, indices):
    """The codes' moving averages take in a batch z [N, D]; codes that hardly occur are replaced by vectors drawn from it.

    The experiment has the buffers codebook, counts and sums, the fields decay and restart_below of its recipe, and whole_batch.
    Several processes take in the vectors of all of them, and draw from those of rank 0.
    """
    recipe, batch = experiment.recipe, experiment.whole_batch
    before = experiment.counts, experiment.sums
    if batch.rank > 0:
        before = [torch.zeros_like(average) for average in before]  # rank 0 adds the past, once
    counts, sums, codebook = ema_codebook_update(z, indices, *before, decay=recipe.decay)
    if batch.count > 1:
        counts, sums = batch.total(counts), batch.total(sums)
        *_, codebook = ema_codebook_update(z[:0], indices[:0], counts, sums, decay=1.0)  # the codes of these averages as they are
    rare = (counts < recipe.restart_below).unsqueeze(1)
    drawn = z[torch.randint(len(z), (recipe.codes,), generator=experiment.generator, device=z.device)]
    drawn = batch.of_first(drawn)
    experiment.counts.copy_(torch.where(rare[:, 0], 1.0, counts))
    experiment.sums.copy_(torch.where(rare, drawn, sums))
    experiment.codebook.copy_(torch.where(rare, drawn, codebook))
