"""What the lecture on latent variables computes with matrices, its example's estimate, and its figure."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.latent.latent_variable_models import (
    linear_gaussian_log_marginal,
    linear_gaussian_maximum_likelihood_covariance,
    linear_gaussian_posterior,
    monte_carlo_log_marginal,
)

LIKELIHOOD, PRIOR = np.array([0.8, 0.4, 0.2]), np.array([0.5, 0.25, 0.25])  # the worked example's numbers


def over_samples(estimate_of, size):
    """The mean of what is computed from the likelihoods of `size` samples of the example's prior, over all outcomes."""
    states = np.stack(np.meshgrid(*[np.arange(3)] * size, indexing="ij"), axis=-1).reshape(-1, size)
    return float(PRIOR[states].prod(1) @ np.asarray(estimate_of(jnp.log(LIKELIHOOD)[states])))


def identities():
    """Sylvester, Woodbury and a rotation for small symbolic matrices: left sides, right sides, and wrong right sides."""
    weight, column = sympy.Matrix(2, 2, sympy.symbols("w:4")), sympy.Matrix(sympy.symbols("v:3"))
    scale, angle = sympy.Symbol("s", positive=True), sympy.Symbol("a", real=True)
    turn = sympy.Matrix([[sympy.cos(angle), -sympy.sin(angle)], [sympy.sin(angle), sympy.cos(angle)]])
    inner, outer = weight.T * weight + scale * sympy.eye(2), weight * weight.T + scale * sympy.eye(2)
    tall = (column * column.T + scale * sympy.eye(3)).det()
    volume = inner.det()
    product = outer * (volume * sympy.eye(2) - weight * inner.adjugate() * weight.T)
    left = [outer.det(), tall, *product, *(weight * turn * (weight * turn).T)]
    right = [volume, scale**2 * ((column.T * column)[0] + scale), *(scale * volume * sympy.eye(2)), *(weight * weight.T)]
    wrong = {
        "one power of s too few": [right[0], right[1] / scale, *right[2:]],
        "W^T W in the last": [*right[:6], *(weight.T * weight)],
    }
    return left, right, wrong


def slopes_of_optimum():
    """For 20 points: the slopes of the likelihood at (a factor of the best weights, a noise variance), and the best noise."""
    x = np.random.default_rng(0).normal(size=(20, 4)) * np.array([3.0, 2.0, 1.0, 0.5])
    found = np.asarray(linear_gaussian_maximum_likelihood_covariance(x, latent_dim=2))
    values, vectors = np.linalg.eigh(found)
    weight = vectors[:, 2:] * np.sqrt(values[2:] - values[0])

    def slopes(scale_weight, noise):
        mean_log_likelihood = lambda w, v: jnp.mean(linear_gaussian_log_marginal(x, w, x.mean(0), v))  # noqa: E731
        of_weight, of_noise = jax.grad(mean_log_likelihood, argnums=(0, 1))(scale_weight * weight, jnp.log(noise))
        return jnp.append(of_weight.ravel(), of_noise)

    return slopes, values[0]


def draw_line_and_bias(left, right):
    """A distribution of one latent dimension with posterior means, and the mean estimate over the number of samples."""
    weight, at = np.array([[2.0], [1.0]]), np.array([[3.0, 4.0]])
    angles = np.linspace(0, 2 * np.pi, 100)
    ellipse = 2 * np.linalg.cholesky(weight @ weight.T + np.eye(2)) @ np.stack([np.cos(angles), np.sin(angles)])
    left.plot(*ellipse, color="gray", linewidth=1)
    left.plot(*(weight * np.array([-2.4, 2.4])), color="gray", linestyle="--", linewidth=1, label="$Wz$")
    left.plot(*at[0], "k*", markersize=9, label="$x$")
    for variance in (0.01, 1.0, 5.0):
        center, _ = linear_gaussian_posterior(at, weight, np.zeros(2), np.log(variance))
        left.plot(*(weight @ np.asarray(center)[0]), "o", label=f"$s = {variance:g}$")
    left.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    left.legend(fontsize=8)
    sizes = range(1, 7)
    right.plot(sizes, [over_samples(monte_carlo_log_marginal, size) for size in sizes], "o-", label=r"$\mathbb{E} \log \hat p_S$")
    right.axhline(math.log(0.55), linestyle="--", color="gray", label=r"$\log p(x)$")
    right.set(xlabel="$S$ samples of the prior", ylabel="nats")
    right.legend()
