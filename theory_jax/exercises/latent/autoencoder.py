"""Exercises of the lecture: The autoencoder: a bottleneck, and the part of the data that passes it."""

import jax.numpy as jnp
import numpy as np

from theory_jax.latent.autoencoder import linear_autoencoder, principal_subspace_error, squared_reconstruction_error
from theory_jax.lectures.latent.autoencoder import _error, derivation


@derivation.exercise(
    "Points lie evenly on a circle of radius 1. What is the error of the best linear autoencoder with one code? What would a "
    "code that is not linear reach?",
    "Both eigenvalues are one half, so the error is 0.5000, for every direction. The angle is one number from which the point "
    "comes back with an error of 0, but no linear map computes it.",
)
def a_circle():
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    points = np.stack([np.cos(angles), np.sin(angles)], 1)
    yield principal_subspace_error(points, rank=1), "0.5000"
    code = np.arctan2(points[:, 1], points[:, 0])
    yield jnp.round(squared_reconstruction_error(points, np.stack([np.cos(code), np.sin(code)], 1)).max(), 12), "0"


@derivation.exercise(
    "Somebody forgets to subtract the mean of the points (3, 1) and (3, -1), and projects on the first eigenvector of their "
    "second moments, with one code. What is the error, and what is it with the mean subtracted?",
    "The second moments are 9 and 1, so the code is the first coordinate, which is the same for both: the error is 1. With the "
    "mean subtracted only the second coordinate varies, and the error is 0.",
)
def not_centered():
    points = np.array([[3.0, 1.0], [3.0, -1.0]])
    first = jnp.array([[1.0, 0.0]])
    forgotten = linear_autoencoder(points, first, first.T, jnp.zeros(2))
    yield jnp.mean(squared_reconstruction_error(points, forgotten)), "1"
    yield principal_subspace_error(points, rank=1), "0"


@derivation.exercise(
    "The eigenvalues of a covariance are 4, 2 and 1. What are the errors of the best linear autoencoders with 0, 1, 2 and 3 "
    "codes? And of one code in a direction that is drawn at random, on average?",
    "7, 3, 1 and 0. A random unit vector keeps a third of each variance on average, so 4.6667 is left.",
)
def three_eigenvalues():
    corners = np.array([[a, b, c] for a in (-2, 2) for b in (-1, 1) for c in (-1, 1)]) * np.array([1, np.sqrt(2), 1])
    for rank, error in enumerate(("7", "3", "1")):
        yield principal_subspace_error(corners, rank=rank), error
    yield 1 + principal_subspace_error(corners, rank=3), "1"
    axes = np.eye(3)[:, None]  # their mean is that of all directions: the mean of u u^T is a third of the identity
    yield np.mean([_error(jnp.array(u), jnp.array(u.T), corners) for u in axes]), "4.6667"
