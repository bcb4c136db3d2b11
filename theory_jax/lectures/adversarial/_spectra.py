"""The weight of the worked example, networks of three layers, and the figure of the power iteration."""

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta

from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.adversarial.spectral_normalization import (
    lipschitz_bound,
    power_iteration,
    spectral_norm_estimate,
    spectral_normalize,
)

WEIGHT, START = jnp.array([[3.0, 0.0], [4.0, 5.0]]), jnp.array([1.0, 0.0])


def rotation(tangent, row, column):
    """The entries of a rotation of the plane, by the tangent of half its angle."""
    return (KroneckerDelta(row, column) * (1 - tangent**2) + 2 * (row - column) * tangent) / (1 + tangent**2)


def networks():
    """Two distances and bounds, and half of these, as functions of layers and inputs; 100 random ones; and tight ones."""
    draw = np.random.default_rng(0)
    shapes = (100, 5, 3), (100, 4, 5), (100, 2, 4), (100, 3), (100, 3)
    diagonal = tuple(np.eye(*shape[1:])[None] * size for shape, size in zip(shapes[:3], (2.0, 3.0, 0.5), strict=True))
    tight = *diagonal, np.array([[3.0, 0, 0]]), np.array([[1.0, 0, 0]])

    def sides(*given):
        *layers, x, x_other = given
        bounds = np.prod([np.linalg.svd(layer, compute_uv=False)[:, 0] for layer in layers], axis=0)
        bounds[0] = lipschitz_bound([layer[0] for layer in layers])
        for layer in layers[:-1]:
            x, x_other = (leaky_rectifier(jnp.asarray(np.einsum("bij,bj->bi", layer, part))) for part in (x, x_other))
        out = np.einsum("bij,bj->bi", layers[-1], np.asarray(x - x_other))
        return np.linalg.norm(out, axis=1), bounds * np.linalg.norm(given[-2] - given[-1], axis=1)

    points = tuple(draw.standard_normal(shape) for shape in shapes)
    return sides, lambda *given: (sides(*given)[0], sides(*given)[1] / 2), points, tight


def estimate_of_two(components, values):
    """Of the matrix with these singular values and the right vectors turned, for a u of these components."""
    turned = jnp.diag(values) @ jnp.kron(jnp.eye(2), np.array([[0.8, -0.6], [0.6, 0.8]])).T
    return spectral_norm_estimate(turned, *power_iteration(turned, components, iterations=2))


def against(weight, direction, u, v):
    """The normalized weight times a direction, entry by entry."""
    return direction * spectral_normalize(weight, u, v)


def draw_spectra(ellipse, error):
    """Left: what the weight makes of the circle. Right: the error of four matrices."""
    angle = np.linspace(0, 2 * np.pi, 121)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    ellipse.plot(*circle, ":", color="gray")
    ellipse.plot(*(np.asarray(WEIGHT) @ circle))
    for turns in (1, 2):
        found = power_iteration(WEIGHT, START, iterations=turns)
        ellipse.plot(*(found[0] * spectral_norm_estimate(WEIGHT, *found)), "o", label=f"after {turns}")
    ellipse.legend()
    ellipse.set(xlabel="$h_1$", ylabel="$h_2$", aspect="equal")
    for ratio in (0.3, 0.6, 0.8, 0.95):
        weight, start, counts = jnp.diag(jnp.array([1.0, ratio, 0.2])), jnp.ones(3), range(1, 9)
        line = [1 - spectral_norm_estimate(weight, *power_iteration(weight, start, iterations=n)) ** 2 for n in counts]
        error.semilogy(counts, np.maximum(line, 1e-16), label=rf"$\sigma_1 = {ratio}$")
    error.set(xlabel="iterations", ylabel=r"$\sigma_0^2 - \hat\sigma^2$", ylim=(1e-12, 1))
    error.legend()
