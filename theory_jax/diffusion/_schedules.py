"""The schedules on which derivations compute: few levels, or as many as a limit needs."""

import math

import jax.numpy as jnp

from theory_jax.diffusion.noise_schedules import cosine_alpha_bar

STEPS = 12


def schedule():
    """The cosine schedule of STEPS steps."""
    return cosine_alpha_bar(num_steps=STEPS)


def quarter_turn(steps):
    """Levels at equal angles from the data nearly to nothing: one curve, whatever the number of steps."""
    return jnp.cos(jnp.arange(steps + 1) * (0.47 * math.pi / steps)) ** 2
