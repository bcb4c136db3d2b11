"""Mixtures of the lecture on expectation-maximization: the example, a random one, their slopes, and the figure."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.latent.gaussian_mixture import expected_complete_log_likelihood, log_responsibilities, mixture_log_density

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
