"""Arrays for the steps of derivations: the same numbers at every run."""

import jax.numpy as jnp
import numpy as np


def draw(*shape, seed=0, scale=1.0):
    """Independent N(0, scale^2) entries; NumPy's: JAX would compile a program for every shape."""
    return jnp.asarray(scale * np.random.default_rng(seed).standard_normal(shape))


def disjoint_distributions():
    """Three pairs of distributions on four points with disjoint supports, as log-probabilities."""
    p = jnp.array([[0.5, 0.5, 0.0, 0.0], [0.9, 0.1, 0.0, 0.0], [0.3, 0.0, 0.7, 0.0]])
    q = jnp.array([[0.0, 0.0, 0.2, 0.8], [0.0, 0.0, 0.6, 0.4], [0.0, 0.5, 0.0, 0.5]])
    return jnp.log(p), jnp.log(q)
