"""A vector field and its Jacobian along given directions."""

import math

import jax
import jax.numpy as jnp


def value_and_products(x, probes, fn):
    """fn(x) and p^T J p for every probe p and example, [P, B], with J = d fn / d x of the example."""
    value, push = jax.linearize(fn, x)
    products = probes * jax.vmap(push)(probes)
    return value, jnp.sum(products.reshape(*probes.shape[:2], math.prod(x.shape[1:])), axis=2)
