"""Cascades: an image as a small one and its details, and noise on the small one that a later stage is given.

A block of four pixels is (x_00, x_01, x_10, x_11), row by row.
"""

import torch

from practice_torch.arguments import require, require_at_least, require_rank, require_same_shape, require_shape, require_timesteps
from practice_torch.latent.convolutional_vae import average_pool
from practice_torch.mathematics.levels import level_at, per_example


def image_pyramid(x, *, num_levels):
    r"""The image in num_levels resolutions, the smallest first and x itself last; each is the mean of 2 x 2 blocks of the next.

    Raises ValueError unless x has four axes, num_levels is at least 1, and 2^(num_levels - 1) divides height and width.
    Source: Ho et al. 2022 (Cascaded Diffusion Models).
    [B, C, H, W] -> ([...])
    """
    require_rank(4, x=x)
    require_at_least(1, num_levels=num_levels)
    height, width = x.shape[2:]
    factor = 2 ** (num_levels - 1)
    fits = height % factor == 0 and width % factor == 0
    require(fits, f"x is {height} x {width}; num_levels, {num_levels}, needs sides that are multiples of {factor}")
    return tuple(average_pool(x, window=2**halvings) for halvings in reversed(range(num_levels)))


def conditioning_augmentation(low_resolution, noise, level, alpha_bar):
    r"""sqrt(a_s) low_resolution + sqrt(1 - a_s) noise at the level s of each example; low_resolution itself at s = 0.

    The stage that is given this image is given s, too. Trained for every s, it is sampled at the one that is best.

    Raises ValueError if the shapes differ, level is not an integer in 0..T for each example, or alpha_bar is no schedule.
    Source: Ho et al. 2022 (Cascaded Diffusion Models), section 4.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(low_resolution=low_resolution, noise=noise)
    require_timesteps(alpha_bar, low_resolution, lowest=0, level=level)
    kept = level_at(level, alpha_bar)
    return per_example(kept.sqrt(), low_resolution) * low_resolution + per_example((1 - kept).sqrt(), noise) * noise


def haar_analysis(x):
    r"""Low band (x_00 + x_01 + x_10 + x_11)/2 of every block, twice its mean, and its three details.

    They are the horizontal difference (x_00 - x_01 + x_10 - x_11)/2, the vertical one (x_00 + x_01 - x_10 - x_11)/2 and the
    diagonal one (x_00 - x_01 - x_10 + x_11)/2: an orthonormal change of basis.

    Raises ValueError unless x has four axes, and height and width are even.  Source: Haar 1910; Guth et al. 2022.
    [B, C, H, W] -> [B, C, H/2, W/2], [B, C, 3, H/2, W/2]
    """
    require_rank(4, x=x)
    height, width = x.shape[2:]
    require(height % 2 == 0 and width % 2 == 0, f"x has sides of {height} and {width} pixels; they must be even")
    blocks = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).permute(0, 1, 3, 5, 2, 4)  # row and column in the block, then blocks
    bands = torch.einsum("kpq,bcpqij->bckij", _signs(x), blocks) / 2
    return bands[:, :, 0], bands[:, :, 1:]


def haar_synthesis(low, detail):
    r"""The image whose bands are these: the inverse of haar_analysis, and its transpose.

    Raises ValueError unless low has four axes, and detail has three bands of the shape of low.
    Source: Haar 1910; Guth et al. 2022.
    [B, C, H, W], [B, C, 3, H, W] -> [B, C, 2*H, 2*W]
    """
    require_rank(4, low=low)
    batch, channels, height, width = low.shape
    require_shape((batch, channels, 3, height, width), detail=detail)
    bands = torch.cat([low[:, :, None], detail], dim=2)
    return torch.einsum("kpq,bckij->bcipjq", _signs(low), bands).reshape(batch, channels, 2 * height, 2 * width) / 2


def _signs(x):
    """The signs of the pixels of a block in each band, [4, 2, 2]: low, across, down, diagonal."""
    pair = x.new_tensor([[1.0, 1.0], [1.0, -1.0]])
    return torch.einsum("kp,lq->klpq", pair, pair).flatten(0, 1)
