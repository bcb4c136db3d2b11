"""Super-resolution: a sharp image drawn by a diffusion model that sees a small one, and images made consistent with it.

A is the average of blocks of factor x factor pixels, U repeats every pixel as such a block, and AU is the identity.
"""

import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_rank
from theory_jax.latent.convolutional_vae import average_pool as average_pool
from theory_jax.latent.convolutional_vae import nearest_upsample as nearest_upsample


def concatenate_low_resolution(x_t, low_resolution):
    r"""The channels of x_t, and after them those of U low_resolution: what a network sees that draws x given its small version.

    Raises ValueError unless both have four axes and one batch, and the sides of x_t are one multiple of those of low_resolution.
    Source: Saharia et al. 2021 (SR3), section 2.3, with the nearest pixel for its bicubic interpolation.
    [B, C, H, W], [B, D, P, Q] -> [B, C+D, H, W]
    """
    require_rank(4, x_t=x_t, low_resolution=low_resolution)
    (batch, _, *sides), (small_batch, _, *small) = x_t.shape, low_resolution.shape
    require(small_batch == batch, f"low_resolution has {small_batch} examples; it must have {batch}, as x_t")
    factor = sides[0] // small[0] if small[0] else 0
    fits = factor > 0 and sides == [factor * side for side in small]
    require(fits, f"low_resolution is {small[0]} x {small[1]}; the {sides[0]} x {sides[1]} of x_t must be one multiple of that")
    return jnp.concatenate([x_t, nearest_upsample(low_resolution, factor=factor)], axis=1)


def consistency_error(x, low_resolution, *, factor):
    r"""The mean of (A x - low_resolution)^2 over channels and pixels: what x, made small, misses.

    Raises ValueError unless x has four axes, factor divides its sides, and low_resolution has the shape of A x.
    Source: Saharia et al. 2021 (SR3), table 1, with the mean of blocks for its small version.
    [B, C, H, W], [B, C, P, Q] -> [B]
    """
    return jnp.mean(_missing(x, low_resolution, factor, "x") ** 2, axis=(1, 2, 3))


def null_space_projection(x0_pred, low_resolution, *, factor):
    r"""x0_pred + U (low_resolution - A x0_pred): the nearest image whose small version is low_resolution.

    Raises ValueError unless x0_pred has four axes, factor divides its sides, and low_resolution has the shape of A x0_pred.
    Source: Wang, Yu & Zhang 2023 (DDNM), section 3.1, with the pseudoinverse U of A.
    [B, C, H, W], [B, C, P, Q] -> [B, C, H, W]
    """
    return x0_pred + nearest_upsample(_missing(x0_pred, low_resolution, factor, "x0_pred"), factor=factor)


def _missing(x, low_resolution, factor, name):
    """low_resolution - A x."""
    require_rank(4, **{name: x})
    require_at_least(1, factor=factor)
    *front, height, width = x.shape
    fits = height % factor == 0 and width % factor == 0
    require(fits, f"{name} is {height} x {width}; its sides must be multiples of factor, {factor}")
    given, wanted = list(low_resolution.shape), [*front, height // factor, width // factor]
    require(given == wanted, f"low_resolution has shape {given}; it must have shape {wanted}, that of {name} made small")
    return low_resolution - average_pool(x, window=factor)
