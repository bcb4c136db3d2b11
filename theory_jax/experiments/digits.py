"""The 1,797 handwritten digits of scikit-learn, 8 x 8 pixels of 17 gray levels."""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

HELD_OUT = 359  # a fifth
WHITE = 16


def digits(seed=0):
    """(training, held-out) digits: dictionaries of image [N, 1, 8, 8] in [0, 1] and label [N], split by the seed."""
    loaded = load_digits()
    order = jax.random.permutation(jax.random.key(seed), len(loaded.target))
    images = jnp.asarray(loaded.images, jnp.result_type(float))[:, None] / WHITE
    everything = {"image": images, "label": jnp.asarray(loaded.target)}
    return tuple({name: x[part] for name, x in everything.items()} for part in (order[HELD_OUT:], order[:HELD_OUT]))
