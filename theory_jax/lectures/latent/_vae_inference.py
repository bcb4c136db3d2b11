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
    sizes = (1, 2, 3, 4, 6, 8)
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


def draw_narrow_and_wide(divergences, estimates):
    """Left: the chi-squared divergence of N(0, 1) from centered encoders. Right: estimates with a narrow and a wide one."""
    variances = np.linspace(0.51, 3, 120)
    divergences.semilogy(variances, variances / np.sqrt(2 * variances - 1) - 1)
    divergences.axvspan(0, 0.5, color="gray", alpha=0.2, linewidth=0)
    divergences.axvline(1, linestyle="--", color="gray")
    divergences.set(xlabel="variance of the encoder", ylabel=r"$\chi^2$", xlim=(0, 3), ylim=(1e-3, 10))
    noise = np.random.default_rng(1).standard_normal((6, 4096))
    sizes = 4 ** np.arange(7)
    for variance, color in ((0.1, "C1"), (2.0, "C0")):
        posterior = -(noise**2) * variance / 2  # up to a constant that both have, and the evidence
        encoder = -(noise**2) / 2 - math.log(variance) / 2
        found = [
            importance_weighted_log_likelihood(
                jnp.zeros((6, size)), jnp.asarray(posterior[:, :size]), jnp.asarray(encoder[:, :size])
            )
            for size in sizes
        ]
        estimates.semilogx(sizes, np.stack(found), ".-", color=color, linewidth=0.8)
        estimates.plot([], [], color=color, label=f"variance {variance:g}")
    estimates.axhline(0, linestyle="--", color="gray")
    estimates.set(xlabel="$S$", ylabel="estimate less $\\log p(x)$")
    estimates.legend(loc="lower right")
