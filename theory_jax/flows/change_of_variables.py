"""The density of a transformed variable: log p(x) = log p(z) - log |det df/dz|, and the map of Box and Muller.

z is the noise, x = f(z) the data.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_batch, require_positive, require_rank, require_same_shape, require_values
from theory_jax.mathematics.elementary import log1p


def standard_normal_log_prob(z):
    r"""log N(z; 0, I) = -1/2 sum_d z_d^2 - D/2 log 2 pi over all D entries of each example, in nats.

    Raises ValueError if z has no axis for the batch.  Source: Papamakarios et al. 2021, section 2.1.
    [B, ...] -> [B]
    """
    require_batch(z=z)
    entries = z.reshape(z.shape[0], math.prod(z.shape[1:]))
    return -jnp.sum(entries**2, axis=1) / 2 - entries.shape[1] * math.log(2 * math.pi) / 2


def pushforward_log_prob(base_log_prob, forward_log_det):
    r"""log p(x) = log p(z) - log |det df/dz| at x = f(z), in nats. Here forward is the way from noise z to data x.

    Raises ValueError if the shapes differ.  Source: Papamakarios et al. 2021, eq. 3.
    [B], [B] -> [B]
    """
    require_rank(1, base_log_prob=base_log_prob)
    require_same_shape(base_log_prob=base_log_prob, forward_log_det=forward_log_det)
    return base_log_prob - forward_log_det


def log_abs_det_jacobian(x, fn):
    r"""log |det d fn(x)_b / d x_b| of every example b, by its whole Jacobian of D x D entries: O(D^3), for checks.

    fn maps a batch, each example by itself.

    Raises ValueError if x has no axis for the batch, or fn does not keep the shape of x.
    Source: Papamakarios et al. 2021, section 2.1.
    [B, ...] -> [B]
    """
    require_batch(x=x)
    mapped = jax.eval_shape(fn, x).shape
    require(mapped == x.shape, f"fn gives shape {list(mapped)}; it must keep that of x, {list(x.shape)}")
    size = math.prod(x.shape[1:])
    jacobians = jax.vmap(jax.jacfwd(lambda example: fn(example[None])[0]))(x)
    return jnp.linalg.slogdet(jacobians.reshape(x.shape[0], size, size))[1]


def inverse_transform_sample(u, *, rate=1.0):
    r"""-log(1 - u) / rate: an exponential variable of this rate if u is uniform on [0, 1).

    Raises ValueError if u is outside [0, 1) or rate is not positive.  Source: Devroye 1986, section II.2.
    [...] -> [...]
    """
    require_positive(rate=rate)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    return -log1p(-u) / rate


def box_muller(u):
    r"""sqrt(-2 log u_1) (cos 2 pi u_2, sin 2 pi u_2): two independent standard normals from two independent uniforms.

    At u_1 = 1 the result is 0 whatever u_2 is, and the gradient is set to 0: the radius has none there.

    Raises ValueError if the rows of u do not have two entries, u_1 is outside (0, 1] or u_2 outside [0, 1].
    Source: Box & Muller 1958.
    [B, 2] -> [B, 2]
    """
    _require_uniforms(u)
    inside = u[:, 0] < 1
    radius = jnp.where(inside, jnp.sqrt(-2 * jnp.log(jnp.where(inside, u[:, 0], 0.5))), 0.0)
    angle = 2 * math.pi * u[:, 1]
    return radius[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)


def box_muller_inverse(z):
    r"""u_1 = e^(-|z|^2 / 2) and u_2 = atan2(z_2, z_1) / (2 pi), modulo 1 in [0, 1): the uniforms that box_muller maps to z.

    Raises ValueError if the rows of z do not have two entries.  Source: Box & Muller 1958.
    [B, 2] -> [B, 2]
    """
    _require_pairs(z=z)
    somewhere = jnp.any(z != 0, axis=1)  # the angle of the origin is 0, and has no gradient
    turns = jnp.arctan2(z[:, 1], jnp.where(somewhere, z[:, 0], 1.0)) / (2 * math.pi)
    turns = turns + (turns < 0)
    turns = turns - (turns >= 1)  # -1e-20 + 1 rounds to 1
    return jnp.stack([jnp.exp(-jnp.sum(z**2, axis=1) / 2), turns], axis=1)


def box_muller_log_det(u):
    r"""log |det dz/du| = log 2 pi - log u_1 of z = box_muller(u), in nats.

    Raises ValueError if the rows of u do not have two entries, u_1 is outside (0, 1] or u_2 outside [0, 1].
    Source: Box & Muller 1958.
    [B, 2] -> [B]
    """
    _require_uniforms(u)
    return math.log(2 * math.pi) - jnp.log(u[:, 0])


def _require_uniforms(u):
    _require_pairs(u=u)
    require_values("u", u, lambda u: (u >= 0) & (u <= 1) & ((u > 0) | (np.arange(2) == 1)), "in (0, 1], and the second in [0, 1]")


def _require_pairs(**arrays):
    require_rank(2, **arrays)
    for name, array in arrays.items():
        require(array.shape[1] == 2, f"{name} has shape {list(array.shape)}; its rows must have 2 entries")
