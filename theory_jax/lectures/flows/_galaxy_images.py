"""The example, the figure and checks of the code of the lecture on galaxies."""

import math

import jax.numpy as jnp
import numpy as np
import scipy.special

from theory_jax.derivation.kinds import Sides
from theory_jax.flows.galaxy_images import (
    elliptical_radius,
    gaussian_point_spread,
    image_moments,
    sersic_constant,
    sersic_constant_approximation,
    sersic_profile,
    shape_from_moments,
)


def approximate(indices):
    """The code's series for the constant, as NumPy's array."""
    return np.asarray(sersic_constant_approximation(jnp.asarray(indices)))


def simulated(ratio, angle):
    """Galaxies of index 1 and radius 3 on 41 x 41 pixels, and the pixels' coordinates."""
    rows, columns = np.indices((41, 41)) - 20.0
    one = np.ones(len(ratio))
    radius = elliptical_radius(columns, rows, 0 * one, 0 * one, ratio, angle)
    return sersic_profile(radius, one, 3 * one, one), columns, rows


def draw_reading(image, ratios):
    """Draws a galaxy with its ellipse before and after a blur, and axis ratios read off blurred galaxies."""
    galaxy, columns, rows = simulated(np.array([0.4]), np.array([0.6]))
    both = jnp.concatenate([galaxy, gaussian_point_spread(galaxy, sigma=3.0)])
    image.imshow(np.arcsinh(np.asarray(galaxy[0]) / 1e-3), origin="lower", extent=(-20.5, 20.5, -20.5, 20.5), cmap="magma")
    turn = np.linspace(0, 2 * np.pi, 100)
    moments = np.asarray(image_moments(both, columns, rows))
    for (size, ratio, angle), line in zip(np.asarray(shape_from_moments(moments)), ("-", "--"), strict=True):
        long = size / np.sqrt(1 + ratio**2)
        u, v = long * np.cos(turn), ratio * long * np.sin(turn)
        image.plot(np.cos(angle) * u - np.sin(angle) * v, np.sin(angle) * u + np.cos(angle) * v, line, color="white")
    image.set(xlabel="pixels", ylabel="pixels")
    wanted = np.linspace(0.3, 1, 8)
    galaxies, columns, rows = simulated(wanted, np.full(8, 0.6))
    for sigma in (1.0, 2.0, 3.0):
        moments = image_moments(gaussian_point_spread(galaxies, sigma=sigma), columns, rows)
        (lines,) = ratios.plot(wanted, shape_from_moments(moments)[:, 1], label=f"blurred by {sigma:g}")
        without = moments - sigma**2 * jnp.array([0.0, 0.0, 0.0, 1.0, 1.0, 0.0])
        ratios.plot(wanted, shape_from_moments(without)[:, 1], "x", color=lines.get_color())
    ratios.set(xlabel="axis ratio, simulated", ylabel="axis ratio, read")
    ratios.legend()


def a_gaussian_galaxy():
    """Moments of one galaxy before and after a blur, and three indices."""
    half = 16 / (2 * math.log(2))
    yield "m", half, "11.542"
    second = np.array([1.25 * half, 1.25 * half, 0.75 * half])
    yield r"Q_{xx}, Q_{xy}", second[[0, 2]], "(14.427, 8.656)"
    read = shape_from_moments(jnp.array([[1.0, 0.0, 0.0, *second], [1.0, 0.0, 0.0, second[0] + 1, second[1] + 1, second[2]]]))
    yield r"\sqrt{Q_{xx} + Q_{yy}}, q", read[0, :2], "(5.372, 0.5)"
    yield r"q \text{ after a blur of } \varsigma = 1", read[1, 1], "0.5302"
    subtracted = shape_from_moments(jnp.array([[1.0, 0.0, 0.0, *second]]))
    yield r"\text{... with its variance subtracted}", subtracted[0, 1], "0.5"
    along = (1 - 0.5**2) / (1 + 0.5**2)
    yield r"\varepsilon \sin 2\phi \text{ of both orders}", (along, -along), "(0.6, -0.6)"
    yield (
        r"\text{missed by a flow that forgets}",
        np.mean([(a - b) ** 2 for a in (along, -along) for b in (along, -along)]),
        "0.72",
    )
    indices = np.array([0.5, 1.0, 4.0])
    constants = np.asarray(sersic_constant(jnp.asarray(indices)))
    yield r"b \text{ for } n = \frac{1}{2}, 1, 4", constants, "(0.6931, 1.6783, 7.6692)"


def one_galaxy():
    """One galaxy from its numbers to its image, and back."""
    one = jnp.ones(1)
    yield r"n = \tfrac12, \ R = 4: \quad b", sersic_constant(one / 2), "0.6931"
    rows, columns = jnp.indices((61, 61)) - 30.0
    radius = elliptical_radius(columns, rows, 0 * one, 0 * one, one / 2, 0 * one)
    yield r"q = \tfrac12, \ \phi = 0: \quad \rho \text{ at } (0, 0), (4, 0)", radius[0, 30, jnp.array([30, 34])], "(0, 2.8284)"
    image = sersic_profile(radius, 100 * one, 4 * one, one / 2)
    yield r"F = 100, \ b \text{ by the series } \beta: \quad \text{light}", image[0, 30, jnp.array([30, 34])], "(1.3795, 0.9753)"
    moments = image_moments(jnp.concatenate([image, gaussian_point_spread(image, sigma=1.0)]), columns, rows)
    yield r"\text{read off: } q", shape_from_moments(moments)[0, 1], "0.5000"
    yield r"\text{blurred by } \varsigma = 1: \quad q", shape_from_moments(moments)[1, 1], "0.5302"
    without = moments - jnp.array([0.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    yield r"\text{with } \varsigma^2 \text{ subtracted: } q", shape_from_moments(without)[1, 1], "0.5000"


def blur_adds_its_variance():
    """One lit pixel, blurred by two widths."""
    rows, columns = jnp.indices((25, 25)) - 12.0
    point = jnp.zeros((1, 25, 25)).at[0, 12, 12].set(2.0)
    blurred = jnp.concatenate([gaussian_point_spread(point, sigma=sigma) for sigma in (1.0, 1.2)])
    found = image_moments(blurred, columns, rows)[:, np.array([0, 3, 4])]
    wrong = {"the deviation": jnp.array([[2.0, 1.0, 1.0], [2.0, 1.2, 1.2]])}
    return Sides(left=found, right=jnp.array([[2.0, 1.0, 1.0], [2.0, 1.44, 1.44]]), wrong=wrong)


def before_the_blur():
    """The blurred galaxy of the example, with the blur taken off."""
    half = 16 / (2 * math.log(2))
    size, ratio, _ = shape_from_moments(jnp.array([[1.0, 0.0, 0.0, 1.25 * half + 1, 1.25 * half + 1, 0.75 * half]]))[0]
    major = size**2 / (1 + ratio**2)
    yield (major * ratio**2 - 1, major - 1), "5.771 / 23.083"
    yield jnp.sqrt((major * ratio**2 - 1) / (major - 1)), "0.5000"


def twice_the_radius():
    """The light within two half-light radii."""
    yield scipy.special.gammainc(1.0, float(sersic_constant(jnp.array(0.5))) * 4), "0.9375"
