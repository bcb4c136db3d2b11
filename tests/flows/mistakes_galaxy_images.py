"""Wrong forms of galaxy images that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.flows import galaxy_images as right
from tests.support.mistakes import Mistake


def _constant(of_index):
    def wrong(index):
        right.sersic_constant(index)  # for its checks
        return of_index(index)

    return wrong


def _radius(of_axes):
    """of_axes(u, v, q, angle) -> r^2, on [B, H, W]."""

    def wrong(grid_x, grid_y, center_x, center_y, axis_ratio, angle):
        right.elliptical_radius(grid_x, grid_y, center_x, center_y, axis_ratio, angle)  # for its checks
        x, y = grid_x - center_x[:, None, None], grid_y - center_y[:, None, None]
        ratio, cosine, sine = (value[:, None, None] for value in (axis_ratio, angle.cos(), angle.sin()))
        return right._root(of_axes(x, y, ratio, cosine, sine))

    return wrong


def _profile(of_factors):
    """of_factors(F, R, n, b, r/R) -> light."""

    def wrong(radius, total_flux, half_light_radius, index):
        right.sersic_profile(radius, total_flux, half_light_radius, index)  # for its checks
        flux, size, n = (v.view(-1, *[1] * (radius.ndim - 1)) for v in (total_flux, half_light_radius, index))
        return of_factors(flux, size, n, right.sersic_constant_approximation(n), radius / size)

    return wrong


def _sersic(flux, size, n, b, relative, power=None):
    scale = torch.exp(2 * n * b.log() - torch.lgamma(2 * n) - math.log(2 * math.pi)) / (size**2 * n)
    return flux * scale * torch.exp(-b * (relative ** (1 / n) if power is None else power))


def _spread(of_kernels):
    """of_kernels(column, row, images): the weights [H], [W] around the circle, not normalized."""

    def wrong(images, *, sigma):
        right.gaussian_point_spread(images, sigma=sigma)  # for its checks
        weights = []
        for length in images.shape[1:]:
            places = torch.arange(length, dtype=images.dtype)
            weights.append(torch.exp(-0.5 * (torch.minimum(places, length - places) / sigma) ** 2))
        return of_kernels(*weights, images)

    return wrong


def _folded(column, row, images):
    """The sum over shifts of the image."""
    total = torch.zeros_like(images)
    for i, weight in enumerate(column):
        for j, other in enumerate(row):
            total = total + weight * other * torch.roll(images, (i, j), (1, 2))
    return total


def _moments(of_sums):
    """of_sums(share, x, y, flux) -> the last three."""

    def wrong(images, grid_x, grid_y):
        found = right.image_moments(images, grid_x, grid_y)
        flux = found[:, 0, None, None]
        return torch.cat([found[:, :3], of_sums(images / flux, grid_x, grid_y, found)], dim=1)

    return wrong


def _second(share, x, y):
    return torch.stack([(share * product).sum((1, 2)) for product in (x * x, y * y, x * y)], dim=1)


def _shape(of_shape):
    """of_shape(size, ratio, angle, moments) -> the three."""

    def wrong(moments):
        return torch.stack(of_shape(*right.shape_from_moments(moments).unbind(1), moments), dim=1)

    return wrong


def _by_eigenvalues(size, ratio, angle, moments):
    xx, yy, xy = moments[:, 3:].unbind(1)
    matrices = torch.stack([torch.stack([xx, xy], 1), torch.stack([xy, yy], 1)], 2)
    small, large = torch.linalg.eigvalsh(matrices).clamp(min=0).unbind(1)
    return right._root(small + large), right._root(small / large.where(large > 0, 1.0)).where(large > 0, 1.0), angle


MISTAKES = (
    Mistake("sersic_constant_approximation", "two terms", lambda index: (
        2 * index - 1 / 3 + 0 * right.sersic_constant_approximation(index))),
    Mistake("sersic_constant_approximation", "the last term added", lambda index: (
        right.sersic_constant_approximation(index) + 2 * 2194697 / 30690717750 / index**4)),
    Mistake("sersic_constant", "the series", _constant(right.sersic_constant_approximation)),
    Mistake("sersic_constant", "without a gradient", _constant(lambda index: right.sersic_constant(index).detach() + 0 * index)),
    Mistake("sersic_constant", "the gradient of the series", _constant(
        lambda index: right.sersic_constant(index).detach() + right.sersic_constant_approximation(index)
        - right.sersic_constant_approximation(index).detach())),
    Mistake("elliptical_radius", "the axis ratio on the wrong axis", _radius(
        lambda x, y, q, c, s: (c * x + s * y) ** 2 / q + q * (c * y - s * x) ** 2)),
    Mistake("elliptical_radius", "areas not kept", _radius(
        lambda x, y, q, c, s: (q * (c * x + s * y)) ** 2 + (c * y - s * x) ** 2)),
    Mistake("elliptical_radius", "turned the other way", _radius(
        lambda x, y, q, c, s: q * (c * x - s * y) ** 2 + (c * y + s * x) ** 2 / q)),
    Mistake("sersic_profile", "b left out of the flux", _profile(
        lambda flux, size, n, b, r: _sersic(flux, size, n, b, r) * b ** (-2 * n))),
    Mistake("sersic_profile", "n for 1/n", _profile(lambda flux, size, n, b, r: _sersic(flux, size, n, b, r, r**n))),
    Mistake("sersic_profile", "the median of the gamma law", _profile(
        lambda flux, size, n, b, r: _sersic(flux, size, n, right.sersic_constant(n.clamp(max=10)), r))),
    Mistake("sersic_profile", "e^b left out of I_e", _profile(
        lambda flux, size, n, b, r: _sersic(flux, size, n, b, r) * b.exp())),
    Mistake("gaussian_point_spread", "not normalized", _spread(_folded)),
    Mistake("gaussian_point_spread", "along the rows alone", _spread(
        lambda column, row, images: _folded(column[:1] / column[:1], row / row.sum(), images))),
    Mistake("gaussian_point_spread", "without the 2", _spread(
        lambda column, row, images: _folded(column**2 / (column**2).sum(), row**2 / (row**2).sum(), images))),
    Mistake("image_moments", "not divided by the flux", _moments(
        lambda share, x, y, found: found[:, 3:] * found[:, :1])),
    Mistake("image_moments", "about the origin", _moments(lambda share, x, y, found: _second(share, x, y))),
    Mistake("image_moments", "x and y exchanged", lambda images, grid_x, grid_y: (
        right.image_moments(images, grid_x, grid_y)[:, [0, 2, 1, 4, 3, 5]])),
    Mistake("shape_from_moments", "the ratio of the eigenvalues", _shape(lambda size, q, angle, moments: (size, q**2, angle))),
    Mistake("shape_from_moments", "twice the angle", _shape(lambda size, q, angle, moments: (size, q, 2 * angle))),
    Mistake("shape_from_moments", "the other sense", _shape(lambda size, q, angle, moments: (size, q, -angle))),
    Mistake("shape_from_moments", "the mean of both axes", _shape(lambda size, q, angle, moments: (size / 2**0.5, q, angle))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("sersic_profile", "from the center outward", _profile(
        lambda flux, size, n, b, r: _sersic(flux, size, n, b, r, torch.exp(r.where(r > 0, 1.0).log() / n).where(r > 0, 0.0)))),
    Mistake("gaussian_point_spread", "as a sum over shifts", _spread(
        lambda column, row, images: _folded(column / column.sum(), row / row.sum(), images))),
    Mistake("image_moments", "pixel by pixel", _moments(lambda share, x, y, found: _second(
        share, x - found[:, 1, None, None], y - found[:, 2, None, None]))),
)  # fmt: skip
