"""Additive coupling (NICE): layers around networks that are never inverted, with the determinant 1.

Forward is the way from data x to noise z.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import require_at_least, require_batch, require_rank, require_shape
from theory_jax.flows._coupling import conditioned, from_half, known, perceptron, require_finite_exponential, require_mask


def alternating_mask(*, dim, flip=False):
    r"""True at the even indices of 0..dim-1, at the odd ones if flip: what passes unchanged.

    Raises ValueError if dim < 2: such a mask leaves nothing to pass, or nothing to change.
    Source: Dinh et al. 2014, section 3.2.
    -> [D]
    """
    require_at_least(2, dim=dim)
    return jnp.arange(dim) % 2 == (1 if flip else 0)


def forward(x, mask, shift_fn):
    r"""z = x + (1 - m) shift_fn(m x), from data to noise; the log-determinant is 0. m is 1 where mask is True.

    shift_fn maps a batch to one of its shape. Axes of mask that have size 1 stand for all sizes.

    Raises ValueError if mask does not fit an example of x or holds no truth values, or shift_fn does not keep the shape.
    Source: Dinh et al. 2014, eq. 4.
    [B, ...], [...] -> [B, ...]
    """
    require_mask(x, mask)
    return x + jnp.where(mask, 0, conditioned(x, mask, shift_fn, "shift_fn"))


def inverse(z, mask, shift_fn):
    r"""x = z - (1 - m) shift_fn(m z), from noise to data: forward with the sign changed, as m z = m x.

    Raises ValueError as forward does, of z in place of x.  Source: Dinh et al. 2014, section 3.2.
    [B, ...], [...] -> [B, ...]
    """
    return forward(z, mask, lambda kept: -shift_fn(kept))


def diagonal_scaling(x, log_scale):
    r"""z = e^log_scale x, and log |det dz/dx| = sum_d log_scale_d for every example, in nats.

    Raises ValueError if log_scale has not one entry for each of x, or e^|log_scale| overflows.
    Source: Dinh et al. 2014, section 3.3.
    [B, D], [D] -> [B, D], [B]
    """
    require_rank(2, x=x)
    require_shape(x.shape[1:], log_scale=log_scale)
    require_finite_exponential(log_scale=log_scale)
    return jnp.exp(log_scale) * x, jnp.broadcast_to(jnp.sum(log_scale), x.shape[:1])


def logistic_log_prob(z):
    r"""-sum_d [softplus(z_d) + softplus(-z_d)], in nats: the log-density of independent standard logistic variables.

    Raises ValueError if z has no axis for the batch.  Source: Dinh et al. 2014, section 3.4.
    [B, ...] -> [B]
    """
    require_batch(z=z)
    terms = jax.nn.softplus(z) + jax.nn.softplus(-z)
    return -jnp.sum(terms, axis=tuple(range(1, z.ndim)))


class NICE(nnx.Module):
    """Coupling layers with alternating masks, then a diagonal scaling: [B, D] -> z [B, D], log_det [B]."""

    def __init__(self, *, dim, layers, hidden, rngs: nnx.Rngs):
        masks = _masks(dim, layers)
        self.shifts = nnx.List(perceptron(mask.sum(), *hidden, (~mask).sum(), rngs=rngs) for mask in masks)
        self.log_scale = nnx.Param(jnp.zeros(dim))

    def __call__(self, x):
        for mask, parts in zip(_masks(x.shape[1], len(self.shifts)), self.shifts, strict=True):
            x = forward(x, mask, lambda kept, mask=mask, parts=parts: from_half(parts, kept, mask)[0])
        return diagonal_scaling(x, self.log_scale[...])


def _masks(dim, layers):
    return [known(alternating_mask, dim=dim, flip=number % 2 == 1) for number in range(layers)]
