"""Super-resolution by a GAN: pixels from channels, two scores of a restored image, and the generator's loss."""

import jax.numpy as jnp
from flax import nnx
from jax.nn import softplus

from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.arguments import (
    require,
    require_at_least,
    require_batch,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
)

_STABILIZERS = 0.01, 0.03  # K_1 and K_2 of Wang et al.


def pixel_shuffle(x, *, factor):
    r"""out[c, r h + i, r w + j] = x[c r^2 + i r + j, h, w] with r = factor and i, j in 0..r-1: r^2 channels as r x r pixels.

    Raises ValueError if x does not have four axes, factor < 1, or the channels are no multiple of factor^2.
    Source: Shi et al. 2016, eq. 4.
    [B, K, H, W] -> [B, C, M, N]
    """
    require_rank(4, x=x)
    require_at_least(1, factor=factor)
    batch, channels, height, width = x.shape
    require(channels % factor**2 == 0, f"x has shape {list(x.shape)}; its channels must be a multiple of {factor**2}")
    grid = jnp.reshape(x, (batch, channels // factor**2, factor, factor, height, width))
    return jnp.einsum("bcijhw->bchiwj", grid).reshape(batch, channels // factor**2, height * factor, width * factor)


def pixel_unshuffle(x, *, factor):
    r"""out[c r^2 + i r + j, h, w] = x[c, r h + i, r w + j] with r = factor: pixel_shuffle undone, to the last bit.

    Raises ValueError if x does not have four axes, factor < 1, or a side is no multiple of factor.
    Source: Shi et al. 2016, eq. 4, inverted.
    [B, C, M, N] -> [B, K, H, W]
    """
    require_rank(4, x=x)
    require_at_least(1, factor=factor)
    batch, channels, *sides = x.shape
    divisible = all(side % factor == 0 for side in sides)
    require(divisible, f"x has shape {list(x.shape)}; height and width must be multiples of {factor}")
    height, width = (side // factor for side in sides)
    grid = jnp.reshape(x, (batch, channels, height, factor, width, factor))
    return jnp.einsum("bchiwj->bcijhw", grid).reshape(batch, channels * factor**2, height, width)


def peak_signal_to_noise_ratio(x, y, *, data_range):
    r"""10 log10(data_range^2 / mse), mse the mean of (x - y)^2 over channels and pixels: in decibels, infinite if x = y.

    Raises ValueError if the shapes differ, x does not have four axes or no pixel, or data_range <= 0.
    Source: Wang & Bovik 2009, section 2; Ledig et al. 2017, section 2.1.1.
    [B, C, H, W], [B, C, H, W] -> [B]
    """
    _require_images(x, y, data_range)
    mse = jnp.mean(((x - y) / data_range) ** 2, axis=(1, 2, 3))
    differs = mse > 0
    return jnp.where(differs, -10 * jnp.log10(jnp.where(differs, mse, 1.0)), jnp.inf)


def structural_similarity(x, y, *, data_range, window_size=11, sigma=1.5):
    r"""Mean over windows and channels of (2 m_x m_y + a)(2 v_xy + b) / ((m_x^2 + m_y^2 + a)(v_x + v_y + b)); 1 if x = y.

    m, v and v_xy are the means, variances and covariance within a window, weighted by a Gaussian of deviation sigma, cut off to
    window_size^2 pixels, of sum one; every window is inside the image. a = (0.01 data_range)^2 and b = (0.03 data_range)^2.

    Raises ValueError if the shapes differ, x does not have four axes or no pixel, data_range or sigma is not positive, or
    window_size is not odd, from 1 to the shorter side.  Source: Wang et al. 2004, eq. 13-17.
    [B, C, H, W], [B, C, H, W] -> [B]
    """
    _require_images(x, y, data_range)
    require_positive(sigma=sigma)
    *_, height, width = x.shape
    fits = window_size % 2 == 1 and 1 <= window_size <= min(height, width)
    require(fits, f"window_size is {window_size}; it must be odd, from 1 to {min(height, width)}, the shorter side of x")
    weights = _window(window_size, sigma).astype(x.dtype)

    def mean(patches):
        return jnp.sum(weights * patches, axis=(3, 5), keepdims=True)

    x, y = (_patches(image / data_range, window_size) for image in (x, y))
    mean_x, mean_y = mean(x), mean(y)
    off_x, off_y = x - mean_x, y - mean_y
    a, b = (constant**2 for constant in _STABILIZERS)
    luminance = (2 * mean_x * mean_y + a) / (mean_x**2 + mean_y**2 + a)
    contrast_structure = (2 * mean(off_x * off_y) + b) / (mean(off_x**2) + mean(off_y**2) + b)
    return jnp.mean(luminance * contrast_structure, axis=(1, 2, 3, 4, 5))


def perceptual_generator_loss(features, features_target, logits_fake, *, adversarial_weight=1e-3):
    r"""Mean squared difference of an example's features + adversarial_weight (-log sigma(l)), l the discriminator's logit.

    The features are those of a restored image and of the true one, by a fixed network, or the pixels themselves.

    Raises ValueError if the shapes of the features differ, they have no entry, logits_fake is not one logit for each example, or
    adversarial_weight < 0.  Source: Ledig et al. 2017, eq. 3-6.
    [B, ...], [B, ...], [B] -> [B]
    """
    require_batch(features=features)
    require_same_shape(features=features, features_target=features_target)
    require(0 not in features.shape[1:], f"features has shape {list(features.shape)}; an example must have at least one entry")
    require_one_each(features, logits_fake=logits_fake)
    require_at_least(0, adversarial_weight=adversarial_weight)
    content = jnp.mean((features - features_target) ** 2, axis=tuple(range(1, features.ndim)))
    return content + adversarial_weight * softplus(-logits_fake)


def _require_images(x, y, data_range):
    require_rank(4, x=x)
    require_same_shape(x=x, y=y)
    require(0 not in x.shape[1:], f"x has shape {list(x.shape)}; it must have at least one pixel")
    require_positive(data_range=data_range)


def _window(size, sigma):
    """Weights [size, 1, size] of sum one, which fall with the distance from the middle as a Gaussian does."""
    away = jnp.arange(size) - size // 2
    weights = jnp.exp(-(away[:, None, None] ** 2 + away**2) / (2.0 * sigma**2))
    return weights / jnp.sum(weights)


def _patches(x, size):
    """All windows inside the images, [B, C, H - size + 1, size, W - size + 1, size]."""
    rows, columns = (jnp.arange(side - size + 1)[:, None] + jnp.arange(size) for side in x.shape[2:])
    return x[:, :, rows][..., columns]


# ---------------------------------------------------------------------------------------------------- the network


class ResidualUpsampler(nnx.Module):
    """Images [B, C, H, W] -> images factor times as high and wide; inside, but for the shuffle, channels are last."""

    def __init__(self, *, channels, width, blocks, factor, rngs: nnx.Rngs):
        require(factor in (2, 4, 8), f"factor is {factor}; it must be 2, 4 or 8")
        self.first, self.last = _convolution(channels, width, 9, rngs), _convolution(width, channels, 9, rngs)
        self.blocks = nnx.List([_Residual(width, rngs) for _ in range(blocks)])
        self.joined = _convolution(width, width, 3, rngs)
        self.doublings = nnx.List([_convolution(width, 4 * width, 3, rngs) for power in (2, 4, 8) if power <= factor])

    def __call__(self, images):
        start = leaky_rectifier(self.first(jnp.moveaxis(images, 1, -1)))
        x = start
        for block in self.blocks:
            x = block(x)
        x = start + self.joined(x)
        for doubling in self.doublings:
            wide = pixel_shuffle(jnp.moveaxis(doubling(x), -1, 1), factor=2)
            x = leaky_rectifier(jnp.moveaxis(wide, 1, -1))
        return jnp.moveaxis(self.last(x), -1, 1)


class _Residual(nnx.Module):
    """x + outer(leaky(inner(x)))."""

    def __init__(self, width, rngs):
        self.inner, self.outer = _convolution(width, width, 3, rngs), _convolution(width, width, 3, rngs)

    def __call__(self, x):
        return x + self.outer(leaky_rectifier(self.inner(x)))


def _convolution(inputs, outputs, window, rngs):
    return nnx.Conv(inputs, outputs, (window, window), param_dtype=float, rngs=rngs)
