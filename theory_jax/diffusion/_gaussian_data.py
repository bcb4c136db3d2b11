"""Data N(0, c), on which everything about a diffusion is known in closed form."""

import jax.numpy as jnp

from theory_jax.mathematics.levels import per_example


def noised_variance(c, a):
    """Var(x_t) for data of variance c, as a sum without cancellation."""
    return (1 - a) + a * c


def best_noise(c, alpha_bar):
    """E(noise | x_t) for data N(0, c), c a number or one for each entry of the last axis; as a denoise_fn."""

    def denoise_fn(x, t):
        a = per_example(alpha_bar[t], x)
        return jnp.sqrt(1 - a) / noised_variance(c, a) * x

    return denoise_fn
