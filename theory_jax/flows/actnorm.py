"""Activation normalization: one shift and one log-scale a channel, which begin where the first batch is standardized.

Forward is the way from data x to noise z.
"""

import math

import jax.numpy as jnp

from theory_jax.arguments import require, require_shape, require_values
from theory_jax.flows._coupling import require_finite_exponential


def initialize(x):
    r"""-mean and -log of the standard deviation (of the variance divided by n) of each channel, over examples and positions.

    Raises ValueError if x has no axis for the channels, no values in a channel, or a channel with equal values.
    Source: Kingma & Dhariwal 2018, section 3.1.
    [B, C, ...] -> [C], [C]
    """
    _require_channels(x=x)
    others = (0, *range(2, x.ndim))
    require(x.size > 0, f"x has shape {list(x.shape)}; a mean needs at least one value")
    mean = jnp.mean(x, axis=others, keepdims=True)
    variance = jnp.mean((x - mean) ** 2, axis=others)
    require_values("x", variance, lambda v: v > 0, "of more than one value in each channel (shown is the variance of a channel)")
    return -mean.reshape(-1), -jnp.log(variance) / 2


def forward(x, shift, log_scale):
    r"""z = (x + shift) e^log_scale channel by channel, and log |det dz/dx| = N sum_c log_scale_c, N positions in a channel.

    Raises ValueError if x has no axis for the channels, shift or log_scale has not one entry for each, or e^|log_scale|
    overflows.  Source: Kingma & Dhariwal 2018, table 1.
    [B, C, ...], [C], [C] -> [B, C, ...], [B]
    """
    _require_layer(shift, log_scale, x=x)
    return (x + _beside(shift, x)) * jnp.exp(_beside(log_scale, x)), _log_det(x, log_scale)


def inverse(z, shift, log_scale):
    r"""x = z e^-log_scale - shift channel by channel, and log |det dx/dz| = -N sum_c log_scale_c, N positions in a channel.

    Raises ValueError as forward does, of z in place of x.  Source: Kingma & Dhariwal 2018, table 1.
    [B, C, ...], [C], [C] -> [B, C, ...], [B]
    """
    _require_layer(shift, log_scale, z=z)
    return z * jnp.exp(-_beside(log_scale, z)) - _beside(shift, z), -_log_det(z, log_scale)


def _beside(per_channel, x):
    return per_channel.reshape(-1, *[1] * (x.ndim - 2))


def _log_det(x, log_scale):
    return jnp.broadcast_to(math.prod(x.shape[2:]) * jnp.sum(log_scale), x.shape[:1])


def _require_channels(**arrays):
    for name, array in arrays.items():
        shape = list(jnp.shape(array))
        require(len(shape) >= 2, f"{name} has shape {shape}; its first two axes must be the batch and the channels")


def _require_layer(shift, log_scale, **arrays):
    _require_channels(**arrays)
    (array,) = arrays.values()
    require_shape(array.shape[1:2], shift=shift, log_scale=log_scale)
    require_finite_exponential(log_scale=log_scale)
