"""Cascades: an image as a small one and its details, and noise on the small one that a later stage is given.

A block of four pixels is (x_00, x_01, x_10, x_11), row by row.
"""

import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_rank, require_same_shape, require_timesteps
from theory_jax.diffusion.forward_process import forward_sample
from theory_jax.latent.convolutional_vae import average_pool


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
    require(fits, f"x is {height} x {width}; with {num_levels} levels its sides must be multiples of {factor}")
    images = [x]
    while len(images) < num_levels:
        images.insert(0, average_pool(images[0], window=2))
    return tuple(images)


def conditioning_augmentation(low_resolution, noise, level, alpha_bar):
    r"""sqrt(a_s) low_resolution + sqrt(1 - a_s) noise at the level s of each example; low_resolution itself at s = 0.

    The stage that is given this image is given s, too. Trained for every s, it is sampled at the one that is best.

    Raises ValueError if the shapes differ, level is not an integer in 0..T for each example, or alpha_bar is no schedule.
    Source: Ho et al. 2022 (Cascaded Diffusion Models), section 4.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(low_resolution=low_resolution, noise=noise)
    require_timesteps(alpha_bar, low_resolution, lowest=0, level=level)
    return forward_sample(low_resolution, level, noise, alpha_bar)


def haar_analysis(x):
    r"""Low band (x_00 + x_01 + x_10 + x_11)/2 of every block, twice its mean, and its three details.

    They are the horizontal difference (x_00 - x_01 + x_10 - x_11)/2, the vertical one (x_00 + x_01 - x_10 - x_11)/2 and the
    diagonal one (x_00 - x_01 - x_10 + x_11)/2: an orthonormal change of basis.

    Raises ValueError unless x has four axes, and height and width are even.  Source: Haar 1910; Guth et al. 2022.
    [B, C, H, W] -> [B, C, H/2, W/2], [B, C, 3, H/2, W/2]
    """
    require_rank(4, x=x)
    height, width = x.shape[2:]
    require(height % 2 == 0 and width % 2 == 0, f"x is {height} x {width}; both sides must be even")
    a, b, c, d = (x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1))
    top, bottom, left, right = a + b, c + d, a - b, c - d
    return (top + bottom) / 2, jnp.stack([left + right, top - bottom, left - right], axis=2) / 2


def haar_synthesis(low, detail):
    r"""The image whose bands are these: the inverse of haar_analysis, and its transpose.

    Raises ValueError unless low has four axes, and detail has three bands of the shape of low.
    Source: Haar 1910; Guth et al. 2022.
    [B, C, H, W], [B, C, 3, H, W] -> [B, C, 2*H, 2*W]
    """
    require_rank(4, low=low)
    batch, channels, height, width = low.shape
    given, wanted = list(jnp.shape(detail)), [batch, channels, 3, height, width]
    require(given == wanted, f"detail has shape {given}; it must have shape {wanted}, three bands like low")
    across, down, diagonal = detail[:, :, 0], detail[:, :, 1], detail[:, :, 2]
    sums, differences = (low + down, low - down), (across + diagonal, across - diagonal)
    rows = [jnp.stack([s + d, s - d], axis=-1) for s, d in zip(sums, differences, strict=True)]
    return jnp.stack(rows, axis=3).reshape(batch, channels, 2 * height, 2 * width) / 2
