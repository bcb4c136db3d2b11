"""Elementary functions where those of jax.numpy lose digits, in the value or in the derivative."""

import jax
import jax.numpy as jnp


@jax.custom_jvp
def expm1(x):
    """e^x - 1 with the derivative e^x; that of jnp.expm1 is (e^x - 1) + 1, in which rounding drowns a small e^x."""
    return jnp.expm1(x)


expm1.defjvps(lambda tangent, value, x: tangent * jnp.exp(x))


def log1p(y):
    """log(1 + y). XLA's own log1p on CPU is off by up to 240 roundoffs where -0.42 < y < -0.3, and exact for positive y."""
    negative = y < 0
    magnitude = jnp.log1p(jnp.where(negative, -y / (1 + jnp.where(negative, y, 0.0)), y))
    return jnp.where(negative, -magnitude, magnitude)
