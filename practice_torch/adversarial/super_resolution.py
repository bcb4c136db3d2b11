"""Super-resolution by a GAN: sub-pixel upsampling, PSNR and SSIM, and the loss of SRGAN's generator."""

import torch
from torch import nn
from torch.nn.functional import leaky_relu, logsigmoid

from practice_torch.arguments import (
    require,
    require_at_least,
    require_batch,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
)


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
    # torch's pixel_shuffle and pixel_unshuffle fail on a batch of none
    blocks = x.reshape(batch, channels // factor**2, factor, factor, height, width)
    return blocks.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels // factor**2, factor * height, factor * width)


def pixel_unshuffle(x, *, factor):
    r"""out[c r^2 + i r + j, h, w] = x[c, r h + i, r w + j] with r = factor: pixel_shuffle undone, to the last bit.

    Raises ValueError if x does not have four axes, factor < 1, or a side is no multiple of factor.
    Source: Shi et al. 2016, eq. 4, inverted.
    [B, C, M, N] -> [B, K, H, W]
    """
    require_rank(4, x=x)
    require_at_least(1, factor=factor)
    batch, channels, height, width = x.shape
    fits = height % factor == 0 and width % factor == 0
    require(fits, f"x has shape {list(x.shape)}; height and width must be multiples of {factor}")
    blocks = x.reshape(batch, channels, height // factor, factor, width // factor, factor)
    return blocks.permute(0, 1, 3, 5, 2, 4).reshape(batch, factor**2 * channels, height // factor, width // factor)


def peak_signal_to_noise_ratio(x, y, *, data_range):
    r"""10 log10(data_range^2 / mse), mse the mean of (x - y)^2 over channels and pixels: in decibels, infinite if x = y.

    Raises ValueError if the shapes differ, x does not have four axes or no pixel, or data_range <= 0.
    Source: Wang & Bovik 2009, section 2; Ledig et al. 2017, section 2.1.1.
    [B, C, H, W], [B, C, H, W] -> [B]
    """
    _require_pair(x, y, data_range)
    relative = ((x - y) / data_range).square().mean((1, 2, 3))
    # the logarithm of 0 would have a gradient of NaN
    return torch.where(relative > 0, -10 * relative.masked_fill(relative == 0, 1.0).log10(), torch.inf)


def structural_similarity(x, y, *, data_range, window_size=11, sigma=1.5):
    r"""Mean over windows and channels of (2 m_x m_y + a)(2 v_xy + b) / ((m_x^2 + m_y^2 + a)(v_x + v_y + b)); 1 if x = y.

    m, v and v_xy are the means, variances and covariance within a window, weighted by a Gaussian of deviation sigma, cut off to
    window_size^2 pixels, of sum one; every window is inside the image. a = (0.01 data_range)^2 and b = (0.03 data_range)^2.

    Raises ValueError if the shapes differ, x does not have four axes or no pixel, data_range or sigma is not positive, or
    window_size is not odd, from 1 to the shorter side.  Source: Wang et al. 2004, eq. 13-17.
    [B, C, H, W], [B, C, H, W] -> [B]
    """
    _require_pair(x, y, data_range)
    require_positive(sigma=sigma)
    shorter = min(x.shape[2:])
    fits = window_size % 2 == 1 and 1 <= window_size <= shorter
    require(fits, f"window_size is {window_size}; it must be odd, from 1 to {shorter}, the shorter side of x")
    places = torch.arange(window_size, dtype=x.dtype, device=x.device) - window_size // 2
    weights = torch.softmax(-places.square() / (2 * sigma**2), 0)
    mean_x, mean_y = x / data_range, y / data_range
    variances = covariance = torch.zeros_like(mean_x)  # the sum of both variances is enough
    for axis in (2, 3):
        mean_x, mean_y, variances, covariance = _pooled(mean_x, mean_y, variances, covariance, axis, weights)
    luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x.square() + mean_y.square() + 1e-4)
    return (luminance * (2 * covariance + 9e-4) / (variances + 9e-4)).mean((1, 2, 3))


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
    errors = (features - features_target).square()
    content = errors.flatten(1).mean(1) if errors.ndim > 1 else errors
    return content - adversarial_weight * logsigmoid(logits_fake)  # torch's softplus is the identity beyond 20


def _pooled(mean_x, mean_y, variances, covariance, axis, weights):
    """Moments of windows along one axis, of the moments of their parts: the variance of the means is added to the mean variance.

    Nothing cancels, as it would in the mean of squares less the square of the mean.
    """
    size = len(weights)
    mean_x, mean_y, variances, covariance = (part.unfold(axis, size, 1) for part in (mean_x, mean_y, variances, covariance))
    center_x, center_y = mean_x @ weights, mean_y @ weights
    off_x, off_y = mean_x - center_x[..., None], mean_y - center_y[..., None]
    variances = (variances + off_x.square() + off_y.square()) @ weights
    return center_x, center_y, variances, (covariance + off_x * off_y) @ weights


def _require_pair(x, y, data_range):
    require_rank(4, x=x)
    require_same_shape(x=x, y=y)
    require(0 not in x.shape[1:], f"x has shape {list(x.shape)}; it must have at least one pixel")
    require_positive(data_range=data_range)


# ---------------------------------------------------------------------------------------------------- the network


class ResidualUpsampler(nn.Module):
    """Images at a small size to images `factor` times as high and wide: SRGAN's generator without batch normalization.

    Residual blocks work at the small size; then every doubling is a convolution and a shuffle. The rectifiers are leaky.

    [B, C, H, W] -> [B, C, M, N]
    """

    def __init__(self, *, channels, width, blocks, factor):
        super().__init__()
        if factor not in (2, 4, 8):
            raise ValueError(f"factor is {factor}; it must be 2, 4 or 8")
        self.first, self.last = nn.Conv2d(channels, width, 9, padding=4), nn.Conv2d(width, channels, 9, padding=4)
        self.blocks = nn.ModuleList(_Residual(width) for _ in range(blocks))
        self.joined = nn.Conv2d(width, width, 3, padding=1)
        doublings = factor.bit_length() - 1
        self.doublings = nn.ModuleList(nn.Conv2d(width, 4 * width, 3, padding=1) for _ in range(doublings))

    def forward(self, images):
        """The enlarged images; nothing bounds their pixels."""
        x = start = leaky_relu(self.first(images), 0.2)
        for block in self.blocks:
            x = block(x)
        x = start + self.joined(x)
        for doubling in self.doublings:
            x = leaky_relu(pixel_shuffle(doubling(x), factor=2), 0.2)
        return self.last(x)


class _Residual(nn.Module):
    """x + two convolutions of it, with a rectifier between them."""

    def __init__(self, width):
        super().__init__()
        self.inner, self.outer = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x):
        return x + self.outer(leaky_relu(self.inner(x), 0.2))
