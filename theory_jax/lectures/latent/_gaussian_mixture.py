"""Mixtures of the lecture on expectation-maximization: the example, a random one, their slopes, and the figures."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE, VERMILION
from theory_jax.latent.gaussian_mixture import expected_complete_log_likelihood, log_responsibilities, m_step, mixture_log_density

APART = math.log(3) / 2
POINTS, START = np.array([[-APART], [APART]]), (np.log([0.5, 0.5]), np.array([[-1.0], [1.0]]), np.ones((2, 1, 1)))


def random_mixture(seed=0):
    """Twelve points in two dimensions, and the weights, means and factors of three components."""
    drawn = np.random.default_rng(seed)
    factor = np.tril(drawn.normal(size=(3, 2, 2)) / 2)
    factor[:, range(2), range(2)] = drawn.uniform(0.5, 1.5, size=(3, 2))
    weights = drawn.dirichlet(np.ones(3))
    drawn = drawn.normal(size=(12, 2)) * 1.5, np.log(weights), drawn.normal(size=(3, 2)), factor
    return tuple(map(jnp.asarray, drawn))


def slopes_in_all(total, weights, *rest):
    """The gradient of a total in the logits of the weights, the means and the factors."""
    of_logits = lambda logits, *others: total(jax.nn.log_softmax(logits), *others).sum()  # noqa: E731
    return jnp.concatenate([part.ravel() for part in jax.grad(of_logits, argnums=(0, 1, 2))(weights, *rest)])


def draw_bound_and_spike(left, right):
    """The log-likelihood of the example with a bound that touches it, and that of a component that shrinks onto a point."""
    shares = log_responsibilities(POINTS, *START)
    entropy_of_shares = -jnp.sum(jnp.exp(shares) * shares)
    at = np.linspace(-0.4, 1.8, 45)

    def of(mean):
        given = START[0], mean * START[1], START[2]
        return mixture_log_density(POINTS, *given).sum(), expected_complete_log_likelihood(POINTS, shares, *given).sum()

    likelihood, q = jax.vmap(of)(at)
    left.plot(at, likelihood, label=r"$\ell$")
    left.plot(at, q + entropy_of_shares, "--", label="$Q + H$")
    for touch in (1.0, APART / 2):
        left.axvline(touch, color="gray", linewidth=0.7, linestyle=":")
    left.set(xlabel="$u$", ylabel="nats")
    left.legend()
    scales = np.logspace(-6, 0, 13)

    def shrunk(scale):
        factor = jnp.stack([scale, 1.0])[:, None, None]
        return mixture_log_density(np.array([[0.0], [2.0]]), np.log([0.5, 0.5]), np.array([[0.0], [2.0]]), factor).sum()

    right.semilogx(scales, jax.vmap(shrunk)(scales), "o-", markersize=3)
    right.set(xlabel="$s$", ylabel=r"$\ell$, nats")


MOMENTS = (0, 1, 6, 10, 18, 25)


@functools.cache
def climb():
    """80 points in two clusters; the mixture, its shares and its log-likelihood after every step; and that of one Gaussian."""
    rng = np.random.default_rng(3)
    clusters = ([-1.5, 0.3], [[0.8, 0.0], [0.9, 0.5]], 50), ([1.4, -0.3], [[0.6, 0.0], [-0.2, 0.8]], 30)
    points = np.concatenate([mean + rng.standard_normal((count, 2)) @ np.transpose(factor) for mean, factor, count in clusters])
    given = jnp.log(jnp.full(2, 0.5)), jnp.array([[-0.2, -1.5], [0.2, 1.5]]), jnp.stack([jnp.eye(2)] * 2)
    steps = []
    for _ in range(MOMENTS[-1] + 1):
        shares = log_responsibilities(points, *given)
        steps.append((given, np.exp(shares), float(mixture_log_density(points, *given).sum())))
        given = m_step(points, shares)
    alone = m_step(points, jnp.zeros((len(points), 1)))
    return points, steps, float(mixture_log_density(points, *alone).sum())


def climb_to_two_clusters(clusters, likelihood, moment):
    """Draws the shares of the points and the components up to a step, and the log-likelihoods."""
    points, steps, alone = climb()
    (_, means, factors), shares, _ = steps[MOMENTS[moment]]
    angle = np.linspace(0, 2 * np.pi, 41)
    for k, color in enumerate((BLUE, VERMILION)):
        clusters.scatter(*points.T, s=14, color=color, alpha=shares[:, k], linewidths=0)
        clusters.plot(*(means[k][:, None] + 2 * factors[k] @ np.stack([np.cos(angle), np.sin(angle)])), color=color)
    clusters.set(xlim=(-4.6, 4.6), ylim=(-3.7, 3.7), xlabel="$x_1$", ylabel="$x_2$")
    likelihood.axhline(alone, color="gray", linestyle="--", linewidth=1)
    likelihood.plot([level for _, _, level in steps[: MOMENTS[moment] + 1]], "o-", color=BLUE, markersize=3)
    likelihood.set(xlim=(-1, 26), ylim=(-340, -205), xlabel="steps", ylabel=r"$\ell$, nats")
