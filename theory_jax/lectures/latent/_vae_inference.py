"""The mean log-estimate of the example of the lecture on inference, and the figure."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.latent.vae import gaussian_log_likelihood
from theory_jax.latent.vae_inference import (
    aggregate_posterior_log_density,
    importance_weighted_log_likelihood,
    linear_interpolation,
    spherical_path,
)


def expected_log(size):
    """The mean of the logarithm of the estimate over all samples of a size: likelihoods 0.8 and 0.2, all else one half."""
    heads = np.arange(size + 1)
    states = (np.arange(size)[None, :] >= heads[:, None]).astype(int)
    a, b = jnp.log(jnp.array([0.8, 0.2]))[states], jnp.full(states.shape, math.log(0.5))
    return np.array([math.comb(size, k) for k in heads]) / 2**size @ np.asarray(importance_weighted_log_likelihood(a, b, b))


def draw_estimates_paths_and_holes(left, middle, right):
    """The mean log-estimate over the number of samples, norms along two paths, and an aggregate with a hole."""
    sizes = range(1, 9)
    left.plot(sizes, [expected_log(size) for size in sizes], "o-", label="mean log-estimate")
    left.axhline(math.log(0.5), linestyle="--", color="gray", label=r"$\log p(x)$")
    left.set(xlabel="$S$", ylabel="nats")
    left.legend()
    fractions = jnp.linspace(0.0, 1.0, 21)
    for interpolate, label in ((linear_interpolation, "line"), (spherical_path, "arc")):
        path = interpolate(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]]), fractions)[0]
        middle.plot(fractions, jnp.linalg.norm(path, axis=1), label=label)
    middle.set(xlabel=r"$\tau$", ylabel="norm", ylim=(0, 1.2))
    middle.legend()
    means, log_vars = jnp.array([[-2.0], [-1.3], [1.2], [2.1]]), jnp.log(jnp.array([[0.15], [0.2], [0.2], [0.15]]))
    line = jnp.linspace(-4.0, 4.0, 161)[:, None]
    for mean, log_var in zip(means, log_vars, strict=True):
        right.plot(
            line,
            jnp.exp(gaussian_log_likelihood(line, *(jnp.broadcast_to(a, line.shape) for a in (mean, log_var)))) / 4,
            color="gray",
            linewidth=0.7,
        )
    right.plot(line, jnp.exp(aggregate_posterior_log_density(line, means, log_vars)), label="aggregate")
    right.plot(line, jnp.exp(gaussian_log_likelihood(line, jnp.zeros_like(line), jnp.zeros_like(line))), label="prior")
    right.set(xlabel="$z$", ylabel="density", ylim=(0, 0.55))
    right.legend()
