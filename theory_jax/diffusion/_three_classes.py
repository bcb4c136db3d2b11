"""The example of guidance: three Gaussian classes in two dimensions, of different weights and widths, at five levels of noise."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.diffusion._schedules import schedule
from theory_jax.diffusion.score_prediction import diffused_mixture

TIMES = np.array([1, 3, 6, 9, 11])
LABELS = np.array([0, 1, 2, 2, 1])
MEANS = jnp.array([[2.0, 0.5], [-1.0, 1.5], [0.3, -2.0]])
LOG_VARS = jnp.log(jnp.array([0.3, 0.8, 0.1]))
LOG_WEIGHTS = jnp.log(jnp.array([0.5, 0.2, 0.3]))
SCALE = 2.5


def points(seed=0):
    """A point for each of the five levels."""
    return 1.5 * jax.random.normal(jax.random.key(seed), (len(TIMES), 2), dtype=float)


def noised_mixture():
    """The mixture at the five levels, a tuple as mixture_log_prob wants it."""
    return *diffused_mixture(MEANS, LOG_VARS, TIMES, schedule()), LOG_WEIGHTS
