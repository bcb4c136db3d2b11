"""Exercises of the lecture: The autoencoder: a bottleneck, and the part of the data that passes it."""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize
from sympy import solve, symbols

from theory_jax.derivation.parts import value
from theory_jax.latent.autoencoder import linear_autoencoder, principal_subspace_error, squared_reconstruction_error
from theory_jax.lectures.latent.autoencoder import F, _error, a_1, a_2, derivation, e_1, e_2, gap, small


@derivation.exercise(
    "Points lie evenly on a circle of radius 1. What is the error of the best linear autoencoder with one code? What would a "
    "code that is not linear reach?",
    "Both eigenvalues are one half, so the error is 0.5000, for every direction. The angle is one number from which the point "
    "comes back with an error of 0, but no linear map computes it.",
    level="easy",
    hint="The variance of the circle's points is the same in every direction; their sum is the mean squared radius.",
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
    level="easy",
    hint="Write down the mean squares and the mean product of both coordinates, and take the larger direction.",
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
    level="medium",
    hint="Discard the smallest first; and the mean square of a coordinate of a random unit vector is one third.",
)
def three_eigenvalues():
    corners = np.array([[a, b, c] for a in (-2, 2) for b in (-1, 1) for c in (-1, 1)]) * np.array([1, np.sqrt(2), 1])
    for rank, error in enumerate(("7", "3", "1")):
        yield principal_subspace_error(corners, rank=rank), error
    yield 1 + principal_subspace_error(corners, rank=3), "1"
    axes = np.eye(3)[:, None]  # their mean is that of all directions: the mean of u u^T is a third of the identity
    yield np.mean([_error(jnp.array(u), jnp.array(u.T), corners) for u in axes]), "4.6667"


@derivation.exercise(
    "The variances are 4 and 1, and the encoder is fixed at (1, 1). Which decoder is best? Is it the pseudo-inverse of the "
    "encoder, as the best encoder is that of the decoder?",
    r"It is (0.8, 0.2), the regression of $x$ on its code, with the error 1.6. The pseudo-inverse is (0.5, 0.5), with the error "
    "2.5: it does not know that the first coordinate varies more.",
    level="medium",
    hint="With the encoder fixed, the error is quadratic in each entry of the decoder.",
)
def the_decoder_of_an_encoder():
    given = {small: 1, gap: 3, e_1: 1, e_2: 1}
    of_decoder = derivation.ground().expand(F).subs(given)
    best = solve([of_decoder.diff(a_1), of_decoder.diff(a_2)], [a_1, a_2])
    yield (float(best[a_1]), float(best[a_2])), "(0.8, 0.2)"
    yield value(F, given | best), "1.6"
    inverse = np.linalg.pinv(np.array([[1.0, 1.0]])).ravel()
    yield inverse, "(0.5, 0.5)"
    yield value(F, given | dict(zip((a_1, a_2), inverse, strict=True))), "2.5"


@derivation.exercise(
    r"Weight decay adds $\alpha (|E|^2 + |D|^2)$ to the error. By which factor does a coordinate with the variance $\lambda$ "
    r"come back, if it has a code of its own? When is it given up? Compute the factors of the variances 4 and 1 for $\alpha$ "
    "at 0.5.",
    r"Encoder and decoder become equally long, and the factor is $1 - \alpha/\lambda$ while $\alpha$ is below $\lambda$, and 0 "
    "from there on: 0.875 and 0.5. This is what noise does to probabilistic components, with the penalty in place of the "
    "noise's variance. The scales of the codes are no longer arbitrary. Their rotation is: it changes neither length.",
    level="hard",
    hint="For a given product of the two weights, which lengths have the smallest sum of squares?",
)
def weight_decay():
    variance, penalty, weight = symbols("lambda alpha w", positive=True)
    loss = variance * (1 - weight**2) ** 2 + 2 * penalty * weight**2  # encoder and decoder are equal
    factor = solve(loss.diff(weight), weight)[0] ** 2
    yield factor, 1 - penalty / variance
    for number, back in ((4.0, "0.875"), (1.0, "0.5")):
        best = minimize(
            lambda at, here=number: here * (1 - at[0] * at[1]) ** 2 + 0.5 * (at @ at), np.array([0.9, 0.2]), tol=1e-10
        )
        yield best.x[0] * best.x[1], back
