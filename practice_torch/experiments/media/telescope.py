"""A simulated telescope: images of galaxies from their properties; and what moments read off images, simulated or not."""

import torch
from torch.nn.functional import avg_pool2d

from practice_torch.flows.galaxy_images import (
    elliptical_radius,
    gaussian_point_spread,
    image_moments,
    sersic_profile,
    shape_from_moments,
)

FINER = 3  # subsamples along a side of a pixel, which is their mean: a steep core varies within one pixel
BLUR, OFF_CENTER = 0.8, 0.5  # pixels: of the telescope, and the largest offset of a galaxy from the middle of the image
NOISE = 0.05  # standard deviation of a pixel; the brightest has 0.6 to 17
WINDOW = 0.2  # of the shorter side: deviation of the Gaussian that weighs pixels; without it most of a moment is noise
DARK = 1e-6  # light of a pixel, at least: moments need light that is nowhere negative
AGREEING = {"flux": "flux", "size": "size", "axis_ratio": "axis ratio", "direction": "direction"}


def simulate(properties, side, generator):
    """Images [B, 1, S, S] of galaxies with the properties of data/galaxies [B, 5], each off center and with its own noise."""
    log_flux, log_radius, index, cosine, sine = properties.unbind(1)
    ellipticity = torch.hypot(cosine, sine).clamp(max=0.999)
    ratio, angle = ((1 - ellipticity) / (1 + ellipticity)).sqrt(), torch.atan2(sine, cosine) / 2
    x, y = _grid(side, side, FINER, properties)
    center = OFF_CENTER * (2 * torch.rand(2, len(properties), generator=generator, device=properties.device) - 1)
    light = sersic_profile(elliptical_radius(x, y, *center, ratio, angle), log_flux.exp(), log_radius.exp(), index)
    images = gaussian_point_spread(avg_pool2d(light[:, None], FINER)[:, 0], sigma=BLUR)
    return (images + NOISE * torch.randn(images.shape, generator=generator, device=images.device))[:, None]


def measured(images):
    """Measurements of images [B, C, H, W]: the logarithms of flux and size, the axis ratio q, and e (cos, sin)(2 angle), [B, 5].

    e = (1 - q^2)/(1 + q^2): a round galaxy has no angle, and 0 for it. Light is weighed by a window around the middle.
    """
    images = images.float().mean(1)
    x, y = _grid(*images.shape[1:], 1, images)
    window = torch.exp(-(x.square() + y.square()) / (2 * (WINDOW * min(x.shape)) ** 2))
    moments = image_moments(images.clamp(min=DARK) * window, x, y)
    size, ratio, angle = shape_from_moments(moments).unbind(1)
    ellipticity = (1 - ratio.square()) / (1 + ratio.square())
    direction = (2 * angle).cos(), (2 * angle).sin()
    return torch.stack([moments[:, 0].log(), size.log(), ratio, *(ellipticity * part for part in direction)], 1)


def agreement(found, wanted):
    """Correlations of measurements [B, 5] of two sets of images, by the names of AGREEING; 0 where one is constant."""
    each = torch.stack([found, wanted]).double()
    each = each - each.mean(1, keepdim=True)
    products = (each[0] * each[1]).sum(0) / each.square().sum(1).prod(0).sqrt()
    *first, cosine, sine = products.nan_to_num(0.0).unbind()
    return torch.stack([*first, (cosine + sine) / 2])


def _grid(height, width, finer, like):
    """Places of H x W pixels about the middle of the image, `finer` in each along either side: x and y."""
    y, x = (
        (torch.arange(side * finer, dtype=like.dtype, device=like.device) + 0.5) / finer - side / 2 for side in (height, width)
    )
    return x.expand(len(y), -1), y[:, None].expand(-1, len(x))
