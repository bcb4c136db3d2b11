"""Contracts of images of galaxies."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

INDEX = uniform(5, low=0.4, high=8.0)
GRID_Y, GRID_X = np.indices((4, 5)) - 1.5
GRIDS = dict(grid_x=GRID_X, grid_y=GRID_Y)
PLACED = dict(
    center_x=normal(3, scale=0.3),
    center_y=normal(3, scale=0.3),
    axis_ratio=uniform(3, low=0.2, high=0.9),
    angle=uniform(3, low=-1.5, high=1.5),
)
RADIUS = dict(grid_x=GRID_X, grid_y=GRID_Y, **PLACED)
GALAXY = dict(
    total_flux=uniform(3, low=1.0, high=4.0), half_light_radius=uniform(3, low=1.0, high=3.0), index=uniform(3, low=0.4, high=4.0)
)
IMAGES, LIGHT = normal(3, 4, 5), uniform(3, 4, 5, low=0.1, high=1.0)
MOMENTS = np.array([[2.0, 0.1, -0.3, 5.0, 3.0, 1.2], [0.5, 4.0, 0.2, 1.0, 2.5, -0.7], [9.0, 0.0, 0.0, 3.0, 0.4, 0.2]])
ONE = np.array([1.0])
HALVES = np.array([0.5, 1.0, 2.0, 4.0])  # indices for which 2n is whole, so that quadratures below are exact

# ---------------------------------------------------------------------------------------------------- answers by hand

ANGLES = [0.0, np.pi / 2, np.arctan2(0.6, 0.8)]
SQUARES = [[[0.25, 0.0, 0.25], [4.25, 4.0, 4.25]], [[4.0, 0.0, 4.0], [4.25, 0.25, 4.25]], [[1.6, 0.0, 1.6], [7.85, 2.65, 0.65]]]
CROSSED = [[[4.0, 0.0, 4.0], [4.25, 0.25, 4.25]], [[0.25, 0.0, 0.25], [4.25, 4.0, 4.25]], [[2.65, 0.0, 2.65], [0.65, 1.6, 7.85]]]
SMALLER = [
    [[0.0625, 0.0, 0.0625], [1.0625, 1.0, 1.0625]],
    [[1.0, 0.0, 1.0], [1.0625, 0.0625, 1.0625]],
    [[0.4, 0.0, 0.4], [1.9625, 0.6625, 0.1625]],
]
FLIPPED = [*SQUARES[:2], [[1.6, 0.0, 1.6], [0.65, 2.65, 7.85]]]


def _bell(length, sigma, period=True):
    """exp(-d^2 / 2 sigma^2) around a circle of this many pixels, from pixel 0."""
    places = np.arange(length)
    return np.exp(-0.5 * (np.minimum(places, length - places) if period else places) ** 2 / sigma**2)


def _blurred(rows, columns):
    """A point in the corner, spread by these weights."""
    return np.outer(rows / rows.sum(), columns / columns.sum())[None]


# ---------------------------------------------------------------------------------------------------- laws


def _gamma(whole):
    """Gamma of whole numbers: (k - 1)!"""
    return np.array([np.prod(np.arange(1.0, k)) for k in whole])


def _radial(f, index, power, nodes, weights):
    """int 2 pi r^(1 + power) I dr of galaxies with F = R = 1, for nodes and weights in s = b r^(1/n): [B]."""
    constant = f.sersic_constant_approximation(index)[:, None]
    n = index[:, None]
    r = (nodes / constant) ** n
    light = f.sersic_profile(r, np.ones_like(index), np.ones_like(index), index)
    return (weights * 2 * np.pi * r ** (2 + power) * light * n / nodes).sum(axis=1)


def _whole(f, index, power):
    nodes, weights = np.polynomial.laguerre.laggauss(12)
    return _radial(f, index, power, nodes, weights * np.exp(nodes))


def _share_within(f, index):
    """1/Gamma(2n) int_0^b s^(2n-1) e^-s ds at b = sersic_constant(index)."""
    nodes, weights = np.polynomial.legendre.leggauss(30)
    b = f.sersic_constant(index)[:, None]
    s = b * (nodes + 1) / 2
    return (weights * b / 2 * s ** (2 * index[:, None] - 1) * np.exp(-s)).sum(axis=1) / _gamma(2 * index)


def _doubled(f, moments):
    """(cos 2 angle, sin 2 angle): the angle modulo pi."""
    angle = f.shape_from_moments(moments)[:, 2]
    return np.stack([np.cos(2 * angle), np.sin(2 * angle)], axis=1)


def _turned(moments, by):
    """The moments of images turned by an angle."""
    cosine, sine = np.cos(by), np.sin(by)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    second = np.stack([moments[:, [3, 5]], moments[:, [5, 4]]], axis=1)
    second = rotation @ second @ rotation.T
    return np.concatenate([moments[:, :3], second[:, [0, 1, 0], [0, 1, 1]]], axis=1)


SPEC = (
    # The constant.
    Agree("sersic_constant_approximation", "regular", given(index=INDEX)),
    Agree("sersic_constant_approximation", "both ends", given(index=np.array([[0.36, 20.0]]))),
    Anchor("sersic_constant_approximation", "1/2, 1 and 4", given(index=[0.5, 1.0, 4.0]), source="the fractions, by hand",
           gives=[0.69339978821446755, 1.6783886549215683, 7.6692499846695046],
           near_misses={"two terms": [0.66666666666666667, 1.6666666666666667, 7.6666666666666667],
                        "four terms": [0.69363119733490104 + 131 * 8 / 1148175, 1.6783460709386635 + 131 / 1148175,
                                       7.6692484812855183 + 131 / 64 / 1148175],
                        "the median": [LOG_2, 1.6783469900166607, 7.6692494425008039],
                        "n for 2n": [0.19339978821446755, 0.6783886549215683, 3.6692499846695046]}),
    Rejects("sersic_constant_approximation", "below the series", given(index=[1.0, 0.3]), blames="index"),
    Agree("sersic_constant", "regular", given(index=INDEX)),
    Agree("sersic_constant", "both ends", given(index=np.array([[0.36, 10.0]]))),
    Anchor("sersic_constant", "1/2, 1, 4 and 10", given(index=[0.5, 1.0, 4.0, 10.0]),
           source="log 2; roots of P(2n, b) = 1/2 to 40 digits",
           gives=[LOG_2, 1.6783469900166607, 7.6692494425008039, 19.667672423305667],
           near_misses={"the series": [0.69339978821446755, 1.6783886549215683, 7.6692499846695046, 19.667672456541368],
                        "the mean": [1.0, 2.0, 8.0, 20.0], "of shape n": [0.2274682115597863, LOG_2, 3.672060748850897,
                                                                           9.668714614714142]}),
    Law.equal("half of the light", given(index=HALVES), left=_share_within, right=0.5),
    Rejects("sersic_constant", "too flat", given(index=[1.0, 0.3]), blames="index"),
    Rejects("sersic_constant", "too steep", given(index=[1.0, 10.5]), blames="index"),
    # The radius.
    Agree("elliptical_radius", "regular", given(**RADIUS)),
    Agree("elliptical_radius", "thin, and centered on a pixel", given(**GRIDS | dict(
        center_x=[0.5, 1.5], center_y=[-0.5, 0.0], axis_ratio=[0.1, 1.0], angle=[1.5, -0.4]))),
    Anchor("elliptical_radius", "q = 1/4 at 0, at a right angle, and at (0.8, 0.6)",
           given(grid_x=[[0.0, 1.0, 2.0]] * 2, grid_y=[[0.0] * 3, [1.0] * 3], center_x=[1.0] * 3, center_y=[0.0] * 3,
                 axis_ratio=[0.25] * 3, angle=ANGLES),
           gives=np.sqrt(SQUARES), source="by hand: (u, v) = (1.4, 0.2) at the last pixel of the last galaxy",
           near_misses={"the axes exchanged": np.sqrt(CROSSED), "areas not kept": np.sqrt(SMALLER), "squared": SQUARES,
                        "turned the other way": np.sqrt(FLIPPED)}),
    Law.equal("half a turn changes nothing", given(**RADIUS), left=lambda f, *galaxy: f.elliptical_radius(*galaxy),
              right=lambda f, *galaxy: f.elliptical_radius(*galaxy[:5], galaxy[5] - np.pi)),
    Law.equal("grid and center move together", given(**RADIUS), left=lambda f, *galaxy: f.elliptical_radius(*galaxy),
              right=lambda f, x, y, cx, cy, *shape: f.elliptical_radius(x + 0.5, y - 0.25, cx + 0.5, cy - 0.25, *shape)),
    Law.equal("a circle", given(**RADIUS),
              left=lambda f, x, y, cx, cy, q, angle: f.elliptical_radius(x, y, cx, cy, np.ones_like(q), angle) ** 2,
              right=lambda f, x, y, cx, cy, q, angle: (x - cx[:, None, None]) ** 2 + (y - cy[:, None, None]) ** 2),
    *(
        Rejects("elliptical_radius", case, given(**RADIUS | PLACED | dict(center_x=zeros(3), center_y=zeros(3)) | wrong),
                blames=name)
        for case, name, wrong in (
            ("a ratio above one", "axis_ratio", dict(axis_ratio=[0.5, 1.5, 1.0])),
            ("a ratio of zero", "axis_ratio", dict(axis_ratio=[0.5, 0.0, 1.0])),
            ("grids of two shapes", "grid_y", dict(grid_y=zeros(4, 4))),
            ("a grid for each galaxy", "grid_x", dict(grid_x=zeros(3, 4, 5), grid_y=zeros(3, 4, 5))),
            ("one angle for all", "angle", dict(angle=zeros(1))),
            ("centers with a second axis", "center_x", dict(center_x=zeros(3, 1))),
        )
    ),
    # The profile.
    Agree("sersic_profile", "images", given(radius=uniform(3, 4, 5, low=0.1, high=5.0), **GALAXY)),
    Agree("sersic_profile", "the center and far out", given(
        radius=[[0.0, 1e-3, 9.0], [0.0, 1e-3, 20.0], [0.0, 1e-3, 20.0]], total_flux=[1.0, 2.0, 1e3],
        half_light_radius=[1.5, 1.0, 2.0], index=[0.5, 1.0, 4.0])),
    Anchor("sersic_profile", "indices 1/2, 1 and 4 at 0, R and 2R",
           given(radius=[[0.0, 2.0, 4.0]] * 3, total_flux=[3.0] * 3, half_light_radius=[2.0] * 3, index=[0.5, 1.0, 4.0]),
           gives=[[0.16553700574980879, 0.082747597558057542, 0.010335614160404933],
                  [0.33625323055694605, 0.062769914081938313, 0.011717544266646532],
                  [70.862100302396029, 0.033090327974698005, 0.0077536551903672781]],
           source="30 digits",
           near_misses={
               "b left out of the flux": [[0.238732414637843, 0.11933605830935707, 0.014905707120302931],
                                          [0.1193662073189215, 0.02228263075803113, 0.0041595996442457888],
                                          [5.9209428233592015e-6, 2.7648903872210744e-9, 6.4786322813317261e-10]],
               "n for 1/n": [[0.16553700574980879, 0.082747597558057542, 0.062089654749690463],
                             [0.33625323055694605, 0.062769914081938313, 0.011717544266646532],
                             [70.862100302396029, 0.033090327974698005, 3.6224870493427894e-52]],
               "n left out of the flux": [[0.082768502874904396, 0.041373798779028771, 0.0051678070802024667],
                                          [0.33625323055694605, 0.062769914081938313, 0.011717544266646532],
                                          [283.44840120958412, 0.13236131189879202, 0.031014620761469112]],
               "light per R^2": [[0.66214802299923516, 0.33099039023223017, 0.041342456641619733],
                                 [1.3450129222277842, 0.25107965632775325, 0.046870177066586129],
                                 [283.44840120958412, 0.13236131189879202, 0.031014620761469112]]}),
    Law.normalized("the whole light is the flux", given(index=HALVES[:3]), total=lambda f, index: _whole(f, index, 0)),
    Law.equal("the second moment of the radius", given(index=HALVES[:3]), left=lambda f, index: _whole(f, index, 2),
              right=lambda f, index: f.sersic_constant_approximation(index) ** (-2 * index)
              * _gamma(4 * index) / _gamma(2 * index)),
    Law.equal("twice the scale, a quarter of the light per area", given(radius=uniform(3, 4, low=0.1, high=5.0), **GALAXY),
              left=lambda f, r, flux, size, index: f.sersic_profile(2 * r, flux, 2 * size, index),
              right=lambda f, r, flux, size, index: f.sersic_profile(r, flux / 4, size, index)),
    *(
        Rejects("sersic_profile", case, given(**dict(radius=zeros(2, 3), total_flux=[1.0, 1.0], half_light_radius=[1.0, 1.0],
                                                     index=[1.0, 1.0]) | wrong), blames=name)
        for case, name, wrong in (
            ("a negative radius", "radius", dict(radius=[[0.0, 1.0], [-1.0, 1.0]])),
            ("no light", "total_flux", dict(total_flux=[1.0, 0.0])),
            ("no size", "half_light_radius", dict(half_light_radius=[1.0, 0.0])),
            ("too flat", "index", dict(index=[0.2, 1.0])),
            ("one flux for all", "total_flux", dict(total_flux=[1.0])),
            ("an index for each pixel", "index", dict(index=zeros(2, 3))),
            ("one size for all", "half_light_radius", dict(half_light_radius=[1.0])),
            ("no batch", "radius", dict(radius=np.array(1.0))),
        )
    ),
    # The point spread.
    Agree("gaussian_point_spread", "regular", given(images=IMAGES, sigma=0.8)),
    Agree("gaussian_point_spread", "wider than the image", given(images=IMAGES, sigma=5.0)),
    Anchor("gaussian_point_spread", "a point in the corner",
           given(images=[np.eye(1, 20, 0).reshape(4, 5)], sigma=0.8),
           gives=_blurred(_bell(4, 0.8), _bell(5, 0.8)), source="exp(-d^2 / 1.28), by hand",
           near_misses={"not normalized": np.outer(_bell(4, 0.8), _bell(5, 0.8))[None],
                        "no torus": _blurred(_bell(4, 0.8, period=False), _bell(5, 0.8, period=False)),
                        "without the 2": _blurred(_bell(4, 0.8) ** 2, _bell(5, 0.8) ** 2),
                        "sigma not squared": _blurred(_bell(4, 0.8**0.5), _bell(5, 0.8**0.5)),
                        "along the rows alone": _blurred(np.eye(4)[0], _bell(5, 0.8))}),
    Law.equal("no light is lost", given(images=LIGHT), right=lambda f, images: images.sum((1, 2)),
              left=lambda f, images: f.gaussian_point_spread(images, sigma=1.2).sum((1, 2))),
    Law.equal("an image moved by a pixel", given(images=IMAGES),
              left=lambda f, images: f.gaussian_point_spread(np.roll(images, (1, 2), (1, 2)), sigma=0.8),
              right=lambda f, images: np.roll(f.gaussian_point_spread(images, sigma=0.8), (1, 2), (1, 2))),
    Law.equal("the same along both axes", given(images=IMAGES),
              left=lambda f, images: f.gaussian_point_spread(np.swapaxes(images, 1, 2), sigma=0.8),
              right=lambda f, images: np.swapaxes(f.gaussian_point_spread(images, sigma=0.8), 1, 2)),
    Law.equal("a sharp one changes nothing", given(images=IMAGES), right=lambda f, images: images,
              left=lambda f, images: f.gaussian_point_spread(images, sigma=1e-3)),
    Rejects("gaussian_point_spread", "no width", given(images=zeros(2, 3, 3), sigma=0.0), blames="sigma"),
    Rejects("gaussian_point_spread", "channels", given(images=zeros(2, 1, 3, 3), sigma=1.0), blames="images"),
    # The moments.
    Agree("image_moments", "regular", given(images=LIGHT, **GRIDS)),
    Anchor("image_moments", "three pixels with light",
           given(images=[[[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]], grid_x=[[0.0, 1.0, 2.0]] * 2, grid_y=[[0.0] * 3, [1.0] * 3]),
           gives=[[4.0, 1.25, 0.25, 0.6875, 0.1875, -0.0625]], source="by hand",
           near_misses={"not divided by the flux": [[4.0, 1.25, 0.25, 2.75, 0.75, -0.25]],
                        "about the origin": [[4.0, 1.25, 0.25, 2.25, 0.25, 0.25]],
                        "the mean of pixels": [[4 / 6, 1.25, 0.25, 0.6875, 0.1875, -0.0625]],
                        "x and y exchanged": [[4.0, 0.25, 1.25, 0.1875, 0.6875, -0.0625]]}),
    Law.equal("twice the light", given(images=LIGHT, **GRIDS),
              left=lambda f, images, x, y: f.image_moments(3 * images, x, y) / [3.0, 1, 1, 1, 1, 1],
              right=lambda f, images, x, y: f.image_moments(images, x, y)),
    Law.equal("a grid that is moved and stretched", given(images=LIGHT, **GRIDS),
              left=lambda f, images, x, y: f.image_moments(images, 2 * x + 5, y / 2 - 1),
              right=lambda f, images, x, y: f.image_moments(images, x, y) * [1, 2, 0.5, 4, 0.25, 1] + [0, 5, -1, 0, 0, 0]),
    Rejects("image_moments", "no light", given(images=np.stack([np.ones((4, 5)), np.zeros((4, 5))]), **GRIDS), blames="images"),
    Rejects("image_moments", "a grid of another shape", given(images=LIGHT, grid_x=GRID_X, grid_y=GRID_Y.T), blames="grid_y"),
    Rejects("image_moments", "a row of pixels", given(images=LIGHT, grid_x=GRID_X[0], grid_y=GRID_Y), blames="grid_x"),
    Rejects("image_moments", "one image", given(images=zeros(4, 5), **GRIDS), blames="images"),
    # The shape.
    Agree("shape_from_moments", "regular", given(moments=MOMENTS)),
    Agree("shape_from_moments", "a circle, a point and a line", given(moments=[
        [1.0, 0.0, 0.0, 2.0, 2.0, 0.0], [1.0, 3.0, 4.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 4.0, 0.0, 0.0]]),
          frozen=("moments",)),
    Anchor("shape_from_moments", "half as wide as long, diagonally; a third less wide than long",
           given(moments=[[4.0, 1.0, 2.0, 5.0, 5.0, 3.0], [1.0, 0.0, 0.0, 10.0, 16.0, 4.0]]),
           gives=[[10**0.5, 0.5, np.pi / 4], [26**0.5, 2 / 3, np.arctan(2.0)]], source="eigenvalues 8 and 2; 18 and 8",
           near_misses={"the ratio of the eigenvalues": [[10**0.5, 0.25, np.pi / 4], [26**0.5, 4 / 9, np.arctan(2.0)]],
                        "twice the angle": [[10**0.5, 0.5, np.pi / 2], [26**0.5, 2 / 3, 2 * np.arctan(2.0)]],
                        "atan for atan2": [[10**0.5, 0.5, np.pi / 4], [26**0.5, 2 / 3, np.arctan(-8 / 6) / 2]],
                        "the wrong way": [[10**0.5, 0.5, -np.pi / 4], [26**0.5, 2 / 3, -np.arctan(2.0)]],
                        "the mean of both axes": [[5**0.5, 0.5, np.pi / 4], [13**0.5, 2 / 3, np.arctan(2.0)]],
                        "xy once": [[10**0.5, (7 / 13) ** 0.5, np.pi / 4],
                                    [26**0.5, ((26 - 52**0.5) / (26 + 52**0.5)) ** 0.5, np.arctan2(4, -6) / 2]]}),
    Law.equal("an image that is turned", given(moments=MOMENTS), left=lambda f, moments: _doubled(f, _turned(moments, 0.7)),
              right=lambda f, moments: _doubled(f, moments)
              @ np.array([[np.cos(1.4), np.sin(1.4)], [-np.sin(1.4), np.cos(1.4)]])),
    Law.equal("... keeps its size and its axis ratio", given(moments=MOMENTS),
              left=lambda f, moments: f.shape_from_moments(_turned(moments, 0.7))[:, :2],
              right=lambda f, moments: f.shape_from_moments(moments)[:, :2]),
    Law.equal("light along y", given(moments=[[1.0, 0.0, 0.0, 2.0, 8.0, 0.0]]), left=_doubled,
              right=lambda f, moments: [[-1.0, 0.0]]),
    Rejects("shape_from_moments", "five numbers", given(moments=zeros(2, 5)), blames="moments"),
    Rejects("shape_from_moments", "one image", given(moments=zeros(6)), blames="moments"),
    Rejects("shape_from_moments", "negative light", given(moments=[[1.0, 0.0, 0.0, -2.0, 1.0, 0.0]]), blames="moments"),
    Rejects("shape_from_moments", "more correlated than can be", given(moments=[[1.0, 0.0, 0.0, 2.0, 1.0, 1.5]]),
            blames="moments"),
)  # fmt: skip
