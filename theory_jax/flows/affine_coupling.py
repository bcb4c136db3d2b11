"""Affine coupling (Real NVP): layers that stretch by an amount that depends on the point, with a determinant in O(D).

Forward is the way from data x to noise z.
"""

from functools import partial

import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import require, require_at_least, require_positive
from theory_jax.flows._coupling import conditioned, from_half, known, perceptron, require_finite_exponential, require_mask
from theory_jax.flows.additive_coupling import alternating_mask
from theory_jax.flows.change_of_variables import standard_normal_log_prob


def checkerboard_mask(*, height, width, flip=False):
    r"""True where row + column is even, odd if flip: these entries are kept. The axis of size 1 is broadcast to all channels.

    Raises ValueError if height or width < 1, or both are 1: such a mask leaves nothing to pass, or nothing to change.
    Source: Dinh et al. 2017, section 3.4.
    -> [1, H, W]
    """
    require_at_least(1, height=height, width=width)
    require(height * width > 1, "height and width are 1; a mask needs at least 2 places")
    return ((jnp.arange(height)[:, None] + jnp.arange(width)) % 2 == int(flip))[None]


def channel_mask(*, channels, flip=False):
    r"""True for the first half of the channels (rounded down), for the others if flip.

    Raises ValueError if channels < 2: such a mask leaves nothing to pass, or nothing to change.
    Source: Dinh et al. 2017, section 3.4.
    -> [C, 1, 1]
    """
    require_at_least(2, channels=channels)
    return ((jnp.arange(channels) < channels // 2) != flip)[:, None, None]


def forward(x, mask, log_scale_fn, shift_fn):
    r"""z = m x + (1 - m) (x e^s + t) and log |det dz/dx| = sum (1 - m) s, with s and t the two functions of m x.

    From data to noise; m is 1 where mask is True. log_scale_fn and shift_fn map a batch to one of its shape. Axes of mask that
    have size 1 stand for all sizes.

    Raises ValueError if mask does not fit an example of x or holds no truth values, log_scale_fn or shift_fn does not keep the
    shape, or e^|s| overflows.  Source: Dinh et al. 2017, eq. 4 to 6 and 9.
    [B, ...], [...] -> [B, ...], [B]
    """
    log_scale, shift = _scale_and_shift(x, mask, log_scale_fn, shift_fn)
    return x * jnp.exp(log_scale) + shift, _sum(log_scale)


def inverse(z, mask, log_scale_fn, shift_fn):
    r"""x = m z + (1 - m) (z - t) e^-s and log |det dx/dz| = -sum (1 - m) s, with s and t the two functions of m z = m x.

    Raises ValueError as forward does, of z in place of x.  Source: Dinh et al. 2017, eq. 8.
    [B, ...], [...] -> [B, ...], [B]
    """
    log_scale, shift = _scale_and_shift(z, mask, log_scale_fn, shift_fn)
    return (z - shift) * jnp.exp(-log_scale), -_sum(log_scale)


def bounded_log_scale(raw, *, bound=2.0):
    r"""bound tanh(raw / bound): the identity to first order at 0, and never beyond the bound.

    Raises ValueError if bound is not positive.  Source: Dinh et al. 2017, section 4.1 (tanh with a learned bound).
    [...] -> [...]
    """
    require_positive(bound=bound)
    return bound * jnp.tanh(raw / bound)


def log_prob(x, masks, log_scale_fns, shift_fns):
    r"""log p(x) = log N(z; 0, I) + the log-determinants of all layers, in nats; the first layer is applied to x.

    Raises ValueError if masks, log_scale_fns and shift_fns differ in number, or as forward does.
    Source: Dinh et al. 2017, eq. 2 and 3.
    [B, ...], ([...]) -> [B]
    """
    for name, functions in (("log_scale_fns", log_scale_fns), ("shift_fns", shift_fns)):
        require(len(functions) == len(masks), f"{name} has {len(functions)} layers; it must have as many as masks, {len(masks)}")
    total = 0.0
    for layer in zip(masks, log_scale_fns, shift_fns, strict=True):
        x, log_det = forward(x, *layer)
        total = total + log_det
    return standard_normal_log_prob(x) + total


def _scale_and_shift(x, mask, log_scale_fn, shift_fn):
    """Both functions of what passes, 0 where an entry passes."""
    require_mask(x, mask)
    log_scale = jnp.where(mask, 0, conditioned(x, mask, log_scale_fn, "log_scale_fn"))
    require_finite_exponential(log_scale_fn=log_scale)
    return log_scale, jnp.where(mask, 0, conditioned(x, mask, shift_fn, "shift_fn"))


def _sum(log_scale):
    return jnp.sum(log_scale, axis=tuple(range(1, log_scale.ndim)))


class RealNVP(nnx.Module):
    """Affine layers, of perceptrons with bounded log-scales: [B, D] -> z [B, D], log_det [B].

    shape: of an example before it was flattened; images have checkerboard masks, vectors alternating ones.
    """

    def __init__(self, *, shape, layers, hidden, bound, rngs: nnx.Rngs):
        self.shape, self.bound = tuple(shape), bound
        masks = _masks(self.shape, layers)
        self.networks = nnx.List(perceptron(mask.sum(), *hidden, 2 * (~mask).sum(), rngs=rngs) for mask in masks)

    def __call__(self, x):
        total = 0.0
        for mask, network in zip(_masks(self.shape, len(self.networks)), self.networks, strict=True):

            def answer(kept, which, mask=mask, network=network):
                return from_half(network, kept, mask)[which]

            def log_scale(kept, answer=answer):
                return bounded_log_scale(answer(kept, 0), bound=self.bound)

            x, log_det = forward(x, mask, log_scale, partial(answer, which=1))
            total = total + log_det
        return x, total


def _masks(shape, layers):
    return [known(_mask, shape=shape, flip=number % 2 == 1) for number in range(layers)]


def _mask(*, shape, flip):
    """The entries of a flattened example that pass unchanged."""
    if len(shape) == 1:
        return alternating_mask(dim=shape[0], flip=flip)
    return jnp.broadcast_to(checkerboard_mask(height=shape[1], width=shape[2], flip=flip), shape).reshape(-1)
