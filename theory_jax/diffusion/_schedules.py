"""The schedules on which derivations compute: few levels, or as many as a limit needs."""

import math

import jax.numpy as jnp
from sympy import sqrt

from theory_jax.diffusion.noise_schedules import cosine_alpha_bar
from theory_jax.notation import plus, times

STEPS = 12


def schedule():
    """The cosine schedule of STEPS steps."""
    return cosine_alpha_bar(num_steps=STEPS)


def quarter_turn(steps):
    """Levels at equal angles from the data nearly to nothing: one curve, whatever the number of steps."""
    return jnp.cos(jnp.arange(steps + 1) * (0.47 * math.pi / steps)) ** 2


def by_point(code, *, steps):
    """The code of a bridge, at one random point after the other: each has a schedule of its own.

    The first `steps` columns are the shares of variance that the steps keep. code(alpha_bar, *columns of length one) -> [1]
    """

    def at_points(*columns):
        rows = zip(*columns, strict=True)
        schedules = ((jnp.cumprod(jnp.array([1.0, *row[:steps]])), row[steps:]) for row in rows)
        return jnp.concatenate([code(alpha_bar, *(jnp.atleast_1d(x) for x in rest)) for alpha_bar, rest in schedules])

    return at_points


def noised(level, x, noise):
    """sqrt(level) x + sqrt(1 - level) noise, in this order."""
    return plus(times(sqrt(level), x), times(sqrt(1 - level), noise))
