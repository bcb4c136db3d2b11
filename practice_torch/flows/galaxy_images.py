"""Images of galaxies with a known flux, size and shape: Sersic's profile, a telescope's blur, and moments that read an image."""

import math

import torch

from practice_torch.arguments import (
    require,
    require_batch,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from practice_torch.mathematics.levels import per_example

INDICES = (0.36, 10.0)  # below, the series leaves the median; above, the sum of the incomplete gamma function needs more terms
SERIES = (-1 / 3, 4 / 405, 46 / 25515, 131 / 1148175, -2194697 / 30690717750)  # of n^0, n^-1, ...
TERMS = 64  # of that sum: the rest is below 1e-17 for all indices


def sersic_constant_approximation(index):
    r"""b with half of a galaxy's light within its half-light radius: 2n - 1/3 + 4/(405 n) + 46/(25515 n^2) + ... for the index n.

    Five terms; off by 2.5e-4 at n = 1/2, 4e-5 at 1 and 5e-7 at 4.

    Raises ValueError if index is below 0.36.  Source: Ciotti & Bertin 1999, eq. 18.
    [...] -> [...]
    """
    require_values("index", index, lambda n: n >= INDICES[0], f"at least {INDICES[0]}")
    inverse, total = 1 / index, torch.zeros_like(index)
    for coefficient in reversed(SERIES):
        total = coefficient + inverse * total
    return 2 * index + total


def sersic_constant(index):
    r"""b with P(2n, b) = 1/2, P the regularized lower incomplete gamma function: the median of a gamma variable of shape 2n.

    Raises ValueError if index leaves [0.36, 10].  Source: Ciotti 1991; Graham & Driver 2005, section 2.
    [...] -> [...]
    """
    require_values("index", index, lambda n: (n >= INDICES[0]) & (n <= INDICES[1]), f"in [{INDICES[0]}, {INDICES[1]:g}]")
    shape, median = 2 * index, sersic_constant_approximation(index).detach()
    for a in (shape.detach(), shape.detach(), shape):  # Newton's method; its last step carries the derivative of the root
        log_share, slope = _log_share(a, median)
        median = median - (log_share + math.log(2)) / slope.detach()
    return median


def elliptical_radius(grid_x, grid_y, center_x, center_y, axis_ratio, angle):
    r"""sqrt(q u^2 + v^2 / q) of every pixel: u along the major axis, v across, both from the center; areas are kept.

    angle: of the major axis, in radians, from x towards y. The gradient at the center itself is 0.

    Raises ValueError unless grid_x and grid_y have the same two axes and center_x, center_y, axis_ratio and angle one entry for
    each galaxy, or if axis_ratio leaves (0, 1].  Source: Graham & Driver 2005, section 2.
    [H, W], [H, W], [B], [B], [B], [B] -> [B, H, W]
    """
    require_rank(2, grid_x=grid_x)
    require_same_shape(grid_x=grid_x, grid_y=grid_y)
    require_rank(1, center_x=center_x)
    require_same_shape(center_x=center_x, center_y=center_y, axis_ratio=axis_ratio, angle=angle)
    require_values("axis_ratio", axis_ratio, lambda q: (q > 0) & (q <= 1), "in (0, 1]")
    root, cosine, sine = (value[:, None, None] for value in (axis_ratio.sqrt(), angle.cos(), angle.sin()))
    x, y = grid_x - center_x[:, None, None], grid_y - center_y[:, None, None]
    along, across = root * (cosine * x + sine * y), (cosine * y - sine * x) / root
    return _root(along.square() + across.square())


def sersic_profile(radius, total_flux, half_light_radius, index):
    r"""I_e exp(-b ((r/R)^(1/n) - 1)) with I_e = F / (2 pi R^2 n e^b Gamma(2n) b^(-2n)): light per area, with integral F.

    b is sersic_constant_approximation(index). The gradient with respect to the radius at r = 0, infinite for n > 1, is 0.

    Raises ValueError unless total_flux, half_light_radius and index have one entry for each galaxy, or if radius is negative,
    total_flux or half_light_radius not positive, or index below 0.36.  Source: Sersic 1963; Graham & Driver 2005, section 2.
    [B, ...], [B], [B], [B] -> [B, ...]
    """
    require_batch(radius=radius)
    require_shape(radius.shape[:1], total_flux=total_flux, half_light_radius=half_light_radius, index=index)
    require_values("radius", radius, lambda r: r >= 0, "at least 0")
    for name, value in (("total_flux", total_flux), ("half_light_radius", half_light_radius)):
        require_values(name, value, lambda a: a > 0, "positive")
    b = sersic_constant_approximation(index)
    area = 2 * torch.pi * half_light_radius.square() * index * torch.exp(torch.lgamma(2 * index) - 2 * index * b.log())
    # pow has no gradient of 0 at 0, and its gradient in the exponent would be NaN: the center goes another way
    center = radius == 0
    relative = radius.masked_fill(center, 1.0) / per_example(half_light_radius, radius)
    power = relative.pow(per_example(1 / index, radius)).masked_fill(center, 0.0)
    return per_example(total_flux / area, radius) * torch.exp(-per_example(b, radius) * power)


def gaussian_point_spread(images, *, sigma):
    r"""sum_jl k(i-j) k(m-l) image_jl: the convolution with exp(-d^2 / 2 sigma^2) at whole pixels, made to sum to one.

    The image is a torus: what leaves it on one side enters on the other, and d is the shorter way around.

    Raises ValueError unless images has three axes, or if sigma is not positive.  Source: Trujillo et al. 2001, section 2.
    [B, H, W] -> [B, H, W]
    """
    require_rank(3, images=images)
    require_positive(sigma=sigma)
    columns, rows = (_circulant(length, sigma, images) for length in images.shape[1:])
    return columns @ images @ rows


def image_moments(images, grid_x, grid_y):
    r"""(F, cx, cy, xx, yy, xy) of each image: flux, light-weighted centroid, and light-weighted second moments about it.

    F = sum I, cx = sum I x / F, xx = sum I (x - cx)^2 / F, and so on; the sums run over pixels.

    Raises ValueError unless images has three axes and the grids its last two, or if the light of an image is not positive.
    Source: Kaiser, Squires & Broadhurst 1995, section 2.
    [B, H, W], [H, W], [H, W] -> [B, 6]
    """
    require_rank(3, images=images)
    require_shape(images.shape[1:], grid_x=grid_x, grid_y=grid_y)
    places = torch.stack([grid_x.flatten(), grid_y.flatten()], dim=1)  # [P, 2]
    light = images.flatten(1)
    flux = light.sum(1)
    require_values("the light of images", flux, lambda a: a > 0, "positive")
    center = light @ places / flux[:, None]
    x, y = (places - center[:, None]).unbind(2)  # of each image about its own center: [B, P] each
    second = torch.stack([x * x, y * y, x * y], dim=1) @ light[:, :, None] / flux[:, None, None]
    return torch.cat([flux[:, None], center, second[:, :, 0]], dim=1)


def shape_from_moments(moments):
    r"""(size, axis ratio, angle) of image_moments: sqrt(xx + yy), sqrt((1 - e) / (1 + e)), 1/2 atan2(2 xy, xx - yy).

    e = sqrt((xx - yy)^2 + 4 xy^2) / (xx + yy). The angle is in [-pi/2, pi/2]; it is 0 for a round image, the axis ratio of a
    point is 1, and the gradients of what has no slope there (of e, and of a size of 0) are 0.

    Raises ValueError unless moments is [B, 6], or if light that is nowhere negative cannot have them: xx + yy or xx yy - xy^2 is
    negative.  Source: Kaiser, Squires & Broadhurst 1995, section 2.
    [B, 6] -> [B, 3]
    """
    require_rank(2, moments=moments)
    require(moments.shape[1] == 6, f"moments has shape {list(moments.shape)}; it must be [B, 6], as image_moments gives them")
    xx, yy, xy = moments[:, 3:].unbind(1)
    trace, difference = xx + yy, xx - yy
    require_values("xx + yy of moments", trace, lambda a: a >= 0, "at least 0")
    slack = 1e-5 * trace.square()  # rounding: a line has a determinant of 0
    require_values("xx yy - xy^2 of moments", xx * yy - xy.square() + slack, lambda a: a >= 0, "at least 0")
    stretch = _root(difference.square() + 4 * xy.square())
    # the root of the ratio of the eigenvalues, (trace - stretch) / 2 and (trace + stretch) / 2
    largest, round_ = trace + stretch, stretch == 0
    ratio = _root((trace - stretch) / largest.masked_fill(largest == 0, 1.0)).where(largest > 0, 1.0)
    angle = torch.atan2(2 * xy, difference.masked_fill(round_, 1.0)) / 2
    return torch.stack([_root(trace), ratio, angle.masked_fill(round_, 0.0)], dim=1)


def _root(squared):
    """The square root; 0, with a gradient of 0, for nonpositive arguments."""
    positive = squared > 0
    return squared.where(positive, 1.0).sqrt().where(positive, 0.0)


def _circulant(length, sigma, like):
    """[L, L]: how much of pixel j's light falls on pixel i."""
    places = torch.arange(length, device=like.device)
    around = (places[:, None] - places) % length
    weights = torch.exp(-0.5 * (torch.minimum(places, length - places).to(like.dtype) / sigma).square())
    return (weights / weights.sum())[around]


def _log_share(a, x):
    """(log P(a, x), its slope in x), by P(a, x) = x^a e^-x / Gamma(a + 1) sum_k x^k / ((a + 1) ... (a + k))."""
    steps = x.log()[..., None] - (a[..., None] + torch.arange(1, TERMS + 1, dtype=x.dtype, device=x.device)).log()
    total = 1 + steps.cumsum(-1).exp().sum(-1)
    return a * x.log() - x - torch.lgamma(a + 1) + total.log(), a / (x * total)
