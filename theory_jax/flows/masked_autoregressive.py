"""Masked autoregressive flow: every variable is standardized given all earlier ones; masks keep a network to that order.

Forward is the way from data x to noise z.
"""

import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import require, require_integers, require_rank, require_same_shape, require_shape, widened
from theory_jax.flows._coupling import perceptron, require_finite_exponential
from theory_jax.flows.affine_coupling import bounded_log_scale


def degrees_to_mask(input_degrees, output_degrees, *, strict):
    r"""True where output degree > input degree, if strict, else where >=: which weights of a layer respect the order.

    Raises ValueError if input_degrees or output_degrees is no vector of integers.  Source: Germain et al. 2015, eq. 8 and 9.
    [I], [O] -> [O, I]
    """
    require_rank(1, input_degrees=input_degrees, output_degrees=output_degrees)
    require_integers(input_degrees=input_degrees, output_degrees=output_degrees)
    below, above = widened(input_degrees)[None], widened(output_degrees)[:, None]
    return above > below if strict else above >= below


def masked_linear(x, weight, bias, mask):
    r"""x (mask * weight)^T + bias: a linear layer without the weights where mask is False.

    Raises ValueError if the shapes do not fit, or mask holds no truth values.  Source: Germain et al. 2015, eq. 7.
    [B, I], [O, I], [O], [O, I] -> [B, O]
    """
    require_rank(2, x=x, weight=weight)
    require_shape((weight.shape[0], x.shape[1]), weight=weight)
    require_shape(weight.shape[:1], bias=bias)
    require_same_shape(weight=weight, mask=mask)
    require(mask.dtype == bool, f"mask has dtype {mask.dtype}; it must be truth values, True where a weight stays")
    return x @ jnp.where(mask, weight, 0).T + bias


def forward(x, conditioner_fn):
    r"""z_d = (x_d - mean_d) e^-log_scale_d with (mean, log_scale) = conditioner_fn(x), and log |det dz/dx| = -sum log_scale.

    conditioner_fn gives two arrays of the shape of x; entry d must depend on x_1 .. x_(d-1) alone, which is not checked.

    Raises ValueError if x has not two axes, conditioner_fn does not keep its shape, or e^|log_scale| overflows.
    Source: Papamakarios et al. 2017, eq. 4 and 5.
    [B, D] -> [B, D], [B]
    """
    require_rank(2, x=x)
    mean, log_scale = _conditions(x, conditioner_fn)
    return (x - mean) * jnp.exp(-log_scale), -jnp.sum(log_scale, axis=1)


def inverse(z, conditioner_fn):
    r"""x_d = z_d e^log_scale_d + mean_d, one entry after the other, in D passes, and log |det dx/dz| = sum log_scale.

    Raises ValueError as forward does, of z in place of x.  Source: Papamakarios et al. 2017, eq. 3.
    [B, D] -> [B, D], [B]
    """
    require_rank(2, z=z)
    x, log_det = jnp.zeros_like(z), jnp.zeros_like(z[:, 0]) if z.shape[1] else jnp.zeros(z.shape[0])
    for _ in range(z.shape[1]):  # after pass d the first d entries are right
        mean, log_scale = _conditions(x, conditioner_fn)
        x, log_det = z * jnp.exp(log_scale) + mean, jnp.sum(log_scale, axis=1)
    return x, log_det


def _conditions(x, conditioner_fn):
    mean, log_scale = conditioner_fn(x)
    for name, part in (("mean", mean), ("log_scale", log_scale)):
        shape = list(jnp.shape(part))
        require(
            shape == list(x.shape), f"conditioner_fn gives a {name} of shape {shape}; it must keep that of x, {list(x.shape)}"
        )
    require_finite_exponential(conditioner_fn=log_scale)
    return mean, log_scale


class MAF(nnx.Module):
    """Masked networks, each in the reversed order of the one before: [B, D] -> z [B, D], log_det [B]."""

    def __init__(self, *, dim, layers, hidden, bound, rngs: nnx.Rngs):
        self.bound = bound
        self.networks = nnx.List(perceptron(dim, *hidden, 2 * dim, rngs=rngs) for _ in range(layers))

    def __call__(self, x):
        total = 0.0
        for network in self.networks:

            def conditions(y, network=network):
                order = degrees = 1 + jnp.arange(y.shape[1])
                for layer in network:
                    if not isinstance(layer, nnx.Linear):
                        y = layer(y)
                        continue
                    weight = layer.kernel[...].T
                    last = layer is network[-1]
                    above = jnp.tile(order, 2) if last else 1 + jnp.arange(len(weight)) % max(1, len(order) - 1)
                    y = masked_linear(y, weight, layer.bias[...], degrees_to_mask(degrees, above, strict=last))
                    degrees = above
                mean, raw = jnp.split(y, 2, axis=1)
                return mean, bounded_log_scale(raw, bound=self.bound)

            z, log_det = forward(x, conditions)
            x, total = z[:, ::-1], total + log_det
        return x, total
