"""A decoder that is small enough to integrate over (one latent, four logits), and the figures of the lecture on the VAE."""

import math

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from theory_jax.latent.vae import bernoulli_log_likelihood, gaussian_log_likelihood, kl_to_standard_normal, negative_elbo

WEIGHT, BIAS = jnp.array([1.4, -0.9, 0.4, 1.1]), jnp.array([0.2, -0.5, 1.0, -1.1])
IMAGES = jnp.array([[i >> d & 1 for d in range(4)] for i in range(16)], dtype=float)
ENCODER_MEAN = (IMAGES - 0.5) @ jnp.array([[0.7], [-0.4], [0.1], [0.8]])
ENCODER_LOG_VAR = -1.8 - 0.3 * IMAGES @ jnp.array([[1.0], [0.2], [0.0], [-0.5]])


def bounds_and_gaps():
    """ELBO of each of the 16 images by the topic's loss, and the divergence of its encoder from its posterior: [16], [16]."""
    grid = jnp.linspace(-10.0, 10.0, 401)  # the trapezoid rule for a Gaussian is exact to the last digits at this step
    z, step = jnp.tile(grid, 16)[:, None], 0.05
    images, m, v = (jnp.repeat(array, grid.size, axis=0) for array in (IMAGES, ENCODER_MEAN, ENCODER_LOG_VAR))
    logits, nothing = jnp.tanh(z) * WEIGHT + BIAS, jnp.zeros_like(z)
    log_q = gaussian_log_likelihood(z, m, v).reshape(16, -1)
    loss = negative_elbo(images, logits, m, v).reshape(16, -1)
    log_joint = (bernoulli_log_likelihood(images, logits) + gaussian_log_likelihood(z, nothing, nothing)).reshape(16, -1)
    log_posterior = log_joint - logsumexp(log_joint, axis=1, keepdims=True) - math.log(step)
    return -step * jnp.sum(jnp.exp(log_q) * loss, axis=1), step * jnp.sum(jnp.exp(log_q) * (log_q - log_posterior), axis=1)


def terms_of(m, t):
    """Reconstruction and rate of the example, by the topic's functions: [N], [N] -> [N], [N]."""
    column, log_t = m[:, None], jnp.log(t)[:, None]
    at_mean = gaussian_log_likelihood(jnp.full_like(column, 2.0), column, jnp.zeros_like(column))
    return at_mean - t / 2, kl_to_standard_normal(column, log_t)


def draw_bound(left, right):
    """The bound over mean and variance of the encoder, and its two terms at mean 1."""
    means, variances = np.meshgrid(np.linspace(-0.2, 2.2, 49), np.linspace(0.1, 1.5, 49))
    found, price = terms_of(jnp.array(means.ravel()), jnp.array(variances.ravel()))
    levels = -2.2655 - np.array([1.6, 0.8, 0.4, 0.2, 0.1, 0.02])
    lines = left.contour(means, variances, np.asarray(found - price).reshape(means.shape), levels=levels)
    left.clabel(lines, fmt="%.2f", fontsize=7)
    left.plot([1], [0.5], "o")
    left.set(xlabel="$m$", ylabel="$t$")
    widths = np.linspace(0.05, 1.5, 60)
    found, price = terms_of(jnp.ones(60), jnp.array(widths))
    right.plot(widths, found, label="reconstruction")
    right.plot(widths, -price, label="minus rate")
    right.plot(widths, found - price, label="ELBO")
    right.axhline(-2.2655, linestyle="--", color="gray", label=r"$\log p(x)$")
    right.set(xlabel="$t$", ylabel="nats", ylim=(-3.2, 0.9))
    right.legend(ncols=2, loc="upper center")


CORRELATIONS = (0.6, 0.9, 0.98)


def diagonal_gap(variance, known):
    """What a diagonal encoder with the posterior's means lacks, if one latent has the variance `known` given the other."""
    return variance / known - 1 - np.log(variance / known) - np.log(known) / 2


def draw_diagonal(plane, gaps):
    """A correlated posterior with the best diagonal encoder, and the gap of encoders of every variance."""
    angle = np.linspace(0, 2 * np.pi, 121)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    wide, narrow = math.sqrt(1 + CORRELATIONS[1]), math.sqrt(1 - CORRELATIONS[1])  # deviations along the diagonals
    for radius in (1, 2):
        along, across = radius * wide * circle[0], radius * narrow * circle[1]
        given = {"label": "posterior"} if radius == 1 else {}
        plane.plot((along - across) / math.sqrt(2), (along + across) / math.sqrt(2), color="gray", **given)
        given = {"label": "best diagonal encoder"} if radius == 1 else {}
        plane.plot(*(radius * math.sqrt(1 - CORRELATIONS[1] ** 2) * circle), color="C0", **given)
    plane.set(xlabel="$z_1$", ylabel="$z_2$", xlim=(-3, 3), ylim=(-3, 4.4), aspect="equal")
    plane.legend(fontsize="small", loc="upper left")
    variances = np.geomspace(0.02, 1.5, 60)
    for rho in CORRELATIONS:
        known = 1 - rho**2
        (line,) = gaps.semilogx(variances, diagonal_gap(variances, known), label=rf"$\rho = {rho:g}$")
        gaps.plot(known, diagonal_gap(known, known), "o", color=line.get_color())
    gaps.set(xlabel="variance of the encoder", ylabel="gap, nats", ylim=(0, 5))
    gaps.legend()
