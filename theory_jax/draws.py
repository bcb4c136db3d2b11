"""Arrays for the steps of derivations: the same numbers at every run."""

import jax


def draw(*shape, seed=0, scale=1.0):
    """Independent N(0, scale^2) entries."""
    return scale * jax.random.normal(jax.random.key(seed), shape, dtype=float)
