"""Discretization of diagonal systems with a held input, for any number of axes."""

import jax.numpy as jnp
import numpy as np

NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)  # exact for e^(zs) on [0, 1], |z| < 1, to 1e-19


def held(eigenvalues, step):
    """z = step eigenvalue and (e^z - 1)/eigenvalue, the step where z = 0: e^z multiplies the state, the quotient the input."""
    z = step * eigenvalues
    near = jnp.abs(z) < 1
    nodes, weights = (jnp.asarray(array, z.real.dtype) for array in ((NODES + 1) / 2, WEIGHTS / 2))
    # the quotient loses all digits as z -> 0, its derivative twice as many; the integral of e^(zs) loses none
    mean = jnp.exp(jnp.where(near, z, 0)[..., None] * nodes) @ weights.astype(z.dtype)
    return z, jnp.where(near, step * mean, (jnp.exp(jnp.where(near, 1, z)) - 1) / jnp.where(near, 1, eigenvalues))
