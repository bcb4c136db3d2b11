"""Super-resolution: a sharp image drawn by a diffusion model that sees a small one, and images made consistent with it.

A is the average of blocks of factor x factor pixels, U repeats every pixel as such a block, and AU is the identity.
"""

import torch

from practice_torch.arguments import require, require_at_least, require_rank, require_shape
from practice_torch.latent.convolutional_vae import average_pool as average_pool
from practice_torch.latent.convolutional_vae import nearest_upsample as nearest_upsample


def concatenate_low_resolution(x_t, low_resolution):
    r"""The channels of x_t, and after them those of U low_resolution: what a network sees that draws x given its small version.

    Raises ValueError unless both have four axes and one batch, and the sides of x_t are one multiple of those of low_resolution.
    Source: Saharia et al. 2021 (SR3), section 2.3, with the nearest pixel for its bicubic interpolation.
    [B, C, H, W], [B, D, P, Q] -> [B, C+D, H, W]
    """
    require_rank(4, x_t=x_t, low_resolution=low_resolution)
    batch, _, height, width = x_t.shape
    examples, channels, rows, columns = low_resolution.shape
    require(examples == batch, f"low_resolution has {examples} examples; it must have as many as x_t, {batch}")
    whole = min(rows, columns) > 0 and height % rows == 0 and height // rows > 0 and height * columns == width * rows
    require(whole, f"low_resolution is {rows} x {columns}; the sides of x_t, {height} x {width}, must be one multiple of it")
    factor = height // rows
    repeated = low_resolution[:, :, :, None, :, None].expand(-1, -1, -1, factor, -1, factor)
    return torch.cat([x_t, repeated.reshape(batch, channels, height, width)], dim=1)


def consistency_error(x, low_resolution, *, factor):
    r"""The mean of (A x - low_resolution)^2 over channels and pixels: what x, made small, misses.

    Raises ValueError unless x has four axes, factor divides its sides, and low_resolution has the shape of A x.
    Source: Saharia et al. 2021 (SR3), table 1, with the mean of blocks for its small version.
    [B, C, H, W], [B, C, P, Q] -> [B]
    """
    _require_small_version(factor, low_resolution, x=x)
    return (average_pool(x, window=factor) - low_resolution).square().flatten(1).mean(dim=1)


def null_space_projection(x0_pred, low_resolution, *, factor):
    r"""x0_pred + U (low_resolution - A x0_pred): the nearest image whose small version is low_resolution.

    Raises ValueError unless x0_pred has four axes, factor divides its sides, and low_resolution has the shape of A x0_pred.
    Source: Wang, Yu & Zhang 2023 (DDNM), section 3.1, with the pseudoinverse U of A.
    [B, C, H, W], [B, C, P, Q] -> [B, C, H, W]
    """
    _require_small_version(factor, low_resolution, x0_pred=x0_pred)
    blocks = x0_pred.unflatten(3, (-1, factor)).unflatten(2, (-1, factor))
    moved = blocks + (low_resolution - blocks.mean(dim=(3, 5)))[:, :, :, None, :, None]
    return moved.reshape(x0_pred.shape)


def _require_small_version(factor, low_resolution, **images):
    """low_resolution has the shape of the named images after A."""
    require_rank(4, **images)
    require_at_least(1, factor=factor)
    ((name, x),) = images.items()
    batch, channels, height, width = x.shape
    divides = height % factor == 0 and width % factor == 0
    require(divides, f"{name} is {height} x {width}; factor, {factor}, must divide both sides")
    require_shape((batch, channels, height // factor, width // factor), low_resolution=low_resolution)
