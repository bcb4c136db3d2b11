"""Images of galaxies with a known flux, size and shape: Sersic's profile, a telescope's blur, and moments that read an image."""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from theory_jax.arguments import (
    require,
    require_batch,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from theory_jax.mathematics.levels import per_example

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
    return 2 * index + sum(c * index ** (-float(k)) for k, c in enumerate(SERIES))


def sersic_constant(index):
    r"""b with P(2n, b) = 1/2, P the regularized lower incomplete gamma function: the median of a gamma variable of shape 2n.

    Raises ValueError if index leaves [0.36, 10].  Source: Ciotti 1991; Graham & Driver 2005, section 2.
    [...] -> [...]
    """
    require_values("index", index, lambda n: (n >= INDICES[0]) & (n <= INDICES[1]), f"in [{INDICES[0]}, {INDICES[1]:g}]")
    shape = 2 * index
    median = jax.lax.stop_gradient(sersic_constant_approximation(index))
    still = jax.lax.stop_gradient(shape)
    for _ in range(2):
        median = median - _newton(still, median)
    # The last step of Newton's method changes nothing but the derivative, which is that of the root: -P_a / P_x.
    return median - _newton(shape, median)


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
    x, y = grid_x - center_x[:, None, None], grid_y - center_y[:, None, None]
    ratio, cosine, sine = (value[:, None, None] for value in (axis_ratio, jnp.cos(angle), jnp.sin(angle)))
    along, across = cosine * x + sine * y, cosine * y - sine * x
    return _root(ratio * along**2 + across**2 / ratio)


def sersic_profile(radius, total_flux, half_light_radius, index):
    r"""I_e exp(-b ((r/R)^(1/n) - 1)) with I_e = F / (2 pi R^2 n e^b Gamma(2n) b^(-2n)): light per area, with integral F.

    b is sersic_constant_approximation(index). The gradient with respect to the radius at r = 0, infinite for n > 1, is 0.

    Raises ValueError unless total_flux, half_light_radius and index have one entry for each galaxy, or if radius is negative,
    total_flux or half_light_radius not positive, or index below 0.36.  Source: Sersic 1963; Graham & Driver 2005, section 2.
    [B, ...], [B], [B], [B] -> [B, ...]
    """
    require_batch(radius=radius)
    require_shape(jnp.shape(radius)[:1], total_flux=total_flux, half_light_radius=half_light_radius, index=index)
    require_values("radius", radius, lambda r: r >= 0, "at least 0")
    for name, value in (("total_flux", total_flux), ("half_light_radius", half_light_radius)):
        require_values(name, value, lambda a: a > 0, "positive")
    constant = sersic_constant_approximation(index)
    at_center = total_flux / (2 * math.pi * half_light_radius**2 * index)
    at_center = at_center * jnp.exp(2 * index * jnp.log(constant) - gammaln(2 * index))
    outside = radius > 0
    logarithm = jnp.log(jnp.where(outside, radius, 1.0) / per_example(half_light_radius, radius)) / per_example(index, radius)
    power = jnp.where(outside, jnp.exp(jnp.where(outside, logarithm, 0.0)), 0.0)
    return per_example(at_center, radius) * jnp.exp(-per_example(constant, radius) * power)


def gaussian_point_spread(images, *, sigma):
    r"""sum_jl k(i-j) k(m-l) image_jl: the convolution with exp(-d^2 / 2 sigma^2) at whole pixels, made to sum to one.

    The image is a torus: what leaves it on one side enters on the other, and d is the shorter way around.

    Raises ValueError unless images has three axes, or if sigma is not positive.  Source: Trujillo et al. 2001, section 2.
    [B, H, W] -> [B, H, W]
    """
    require_rank(3, images=images)
    require_positive(sigma=sigma)

    def spread(length):
        places = jnp.arange(length, dtype=images.dtype)
        apart = jnp.abs(places[:, None] - places)
        weights = jnp.exp(-((jnp.minimum(apart, length - apart) / sigma) ** 2) / 2)
        return weights / jnp.sum(weights, axis=1, keepdims=True)

    return jnp.einsum("ij,bjl,lm->bim", spread(images.shape[1]), images, spread(images.shape[2]))


def image_moments(images, grid_x, grid_y):
    r"""(F, cx, cy, xx, yy, xy) of each image: flux, light-weighted centroid, and light-weighted second moments about it.

    F = sum I, cx = sum I x / F, xx = sum I (x - cx)^2 / F, and so on; the sums run over pixels.

    Raises ValueError unless images has three axes and the grids its last two, or if the light of an image is not positive.
    Source: Kaiser, Squires & Broadhurst 1995, section 2.
    [B, H, W], [H, W], [H, W] -> [B, 6]
    """
    require_rank(3, images=images)
    require_shape(jnp.shape(images)[1:], grid_x=grid_x, grid_y=grid_y)
    flux = jnp.sum(images, axis=(1, 2))
    require_values("the light of images", flux, lambda light: light > 0, "positive")
    share = images / flux[:, None, None]
    center_x, center_y = jnp.sum(share * grid_x, axis=(1, 2)), jnp.sum(share * grid_y, axis=(1, 2))
    x, y = grid_x - center_x[:, None, None], grid_y - center_y[:, None, None]
    second = [jnp.sum(share * product, axis=(1, 2)) for product in (x * x, y * y, x * y)]
    return jnp.stack([flux, center_x, center_y, *second], axis=1)


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
    xx, yy, xy = moments[:, 3], moments[:, 4], moments[:, 5]
    trace, stretch = xx + yy, _root((xx - yy) ** 2 + 4 * xy**2)
    require_values("xx + yy of moments", trace, lambda a: a >= 0, "at least 0")
    slack = 1e-5 * trace**2  # rounding: a line has a determinant of 0
    require_values("xx yy - xy^2 of moments", xx * yy - xy**2 + slack, lambda a: a >= 0, "at least 0")
    there = trace > 0
    ellipticity = jnp.where(there, stretch / jnp.where(there, trace, 1.0), 0.0)
    ratio = _root((1 - ellipticity) / (1 + ellipticity))
    turned = stretch > 0
    angle = jnp.where(turned, jnp.arctan2(2 * xy, jnp.where(turned, xx - yy, 1.0)) / 2, 0.0)
    return jnp.stack([_root(trace), ratio, angle], axis=1)


def _root(squared):
    """The square root; 0, with a gradient of 0, for nonpositive arguments."""
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def _newton(shape, x):
    """(log P(a, x) + log 2) / (d/dx log P(a, x)): by how much x is above the median, to first order."""
    terms = jnp.arange(TERMS, 0, -1, dtype=jnp.result_type(x))
    # P(a, x) = x^a e^-x / Gamma(a + 1) (1 + x/(a+1) (1 + x/(a+2) (1 + ...))): from the inside out, all of it positive
    total, _ = jax.lax.scan(lambda inner, j: (1 + x / (shape + j) * inner, None), jnp.ones_like(x), terms)
    excess = shape * jnp.log(x) - x - gammaln(shape + 1) + jnp.log(total) + math.log(2)
    return excess * jax.lax.stop_gradient(x * total / shape)
