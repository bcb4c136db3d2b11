"""The logarithm of Wright's omega function, by which the conjugate of Jeffreys' divergence is written."""

import jax
import jax.numpy as jnp


@jax.custom_jvp
def log_omega(excess):
    """The y with y + e^y = 1 + excess, accurate also where it vanishes with the excess."""
    # Newton on the increasing, convex y + expm1(y) - excess. Both starting points, excess/2 and log(1 + excess), are at or
    # above the root, from where the steps descend to it: six reach double precision from everywhere.
    positive = excess > 0
    y = jnp.where(positive, jnp.minimum(excess / 2, jnp.log1p(jnp.where(positive, excess, 0.0))), excess / 2)
    for _ in range(6):
        rise = jnp.expm1(y)
        y = y - (y + rise - excess) / (2 + rise)
    return y


@log_omega.defjvp
def log_omega_jvp(primals, tangents):
    (excess,), (tangent,) = primals, tangents
    y = log_omega(excess)
    return y, tangent * jax.nn.sigmoid(-y)  # dy/dx = 1/(1 + omega)
