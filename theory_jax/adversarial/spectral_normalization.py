"""Spectral normalization (lecture 9): weights divided by an estimate of their largest singular value, for a Lipschitz critic.

A weight is a matrix [M, N] that takes h: [N] to weight @ h: [M]; a kernel of a convolution, [out, in, ...], is flattened to [out,
in * ...].
"""

import itertools
import math

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.adversarial._images import flat, halvings
from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values


def power_iteration(weight, u, *, iterations=1):
    r"""v <- W^T u / |W^T u|, then u <- W v / |W v|, repeated: (u, v), which converge to the first singular vectors.

    Raises ValueError if u does not have an entry for each row of weight, weight^T u is zero, or iterations < 1.
    Source: Miyato et al. 2018, algorithm 1.
    [M, N], [M] -> [M], [N]
    """
    _require_matrix(weight=weight)
    require_shape(weight.shape[:1], u=u)
    require_at_least(1, iterations=iterations)
    require_values("the largest entry of weight^T u", jnp.max(jnp.abs(u @ weight)), lambda a: a > 0, "positive: take another u")
    for _ in range(iterations):
        v = _unit(u @ weight)
        u = _unit(weight @ v)
    return u, v


def spectral_norm_estimate(weight, u, v):
    r"""u^T W v, an estimate of the largest singular value: from below, if |u| = |v| = 1.

    Raises ValueError if u does not have an entry for each row of weight, or v for each column.
    Source: Miyato et al. 2018, appendix A.
    [M, N], [M], [N] -> []
    """
    _require_pair(weight, u, v)
    return u @ weight @ v


def spectral_norm(weight):
    r"""max |W h| / |h| over h, the largest singular value.

    Raises ValueError if weight has no entry.  Source: Golub & Van Loan 2013, section 2.4.
    [M, N] -> []
    """
    _require_matrix(weight=weight)
    return jnp.linalg.svd(weight, compute_uv=False)[0]


def spectral_normalize(weight, u, v):
    r"""W / (u^T W v), with u and v constants: for the slope G of the result, that in W is G/s - <G, W> u v^T / s^2, s = u^T W v.

    Raises ValueError if u does not have an entry for each row of weight, or v for each column, or the estimate u^T weight v is
    not positive.
    Source: Miyato et al. 2018, sections 2.1 and 2.3.
    [M, N], [M], [N] -> [M, N]
    """
    estimate = spectral_norm_estimate(weight, jax.lax.stop_gradient(u), jax.lax.stop_gradient(v))
    require_values("the estimate u^T weight v", jax.lax.stop_gradient(estimate), lambda s: s > 0, "positive")
    return weight / estimate


def lipschitz_bound(weights):
    r"""The product of the largest singular values: a network of these layers, with 1-Lipschitz activations, stretches no more.

    The layers are given in the order in which they are applied.

    Raises ValueError if weights is empty, a weight has no entry, or a layer's columns are not as many as the rows before it.
    Source: Szegedy et al. 2014, section 4.3.
    ([...]) -> []
    """
    require(len(weights) > 0, "weights is empty; a network must have at least one layer")
    _require_matrix(**{f"weights[{layer}]": weight for layer, weight in enumerate(weights)})
    for layer, (below, above) in enumerate(itertools.pairwise(weights)):
        outputs, inputs = below.shape[0], above.shape[1]
        require(
            inputs == outputs, f"weights[{layer + 1}] has {inputs} columns; it must have {outputs}, the rows of the layer before"
        )
    return math.prod(map(spectral_norm, weights))


def _unit(x):
    return x / jnp.sqrt(jnp.sum(x**2))


def _require_matrix(**weights):
    require_rank(2, **weights)
    for name, weight in weights.items():
        require(weight.size > 0, f"{name} has shape {list(weight.shape)}; it must have at least one entry")


def _require_pair(weight, u, v):
    _require_matrix(weight=weight)
    rows, columns = weight.shape
    require_shape((rows,), u=u)
    require_shape((columns,), v=v)


# ---------------------------------------------------------------------------------------------------- the network


class NormalizedDiscriminator(nnx.Module):
    """Images [B, C, H, W] -> logits [B] of being real: convolutions and leaky rectifiers, every kernel spectrally normalized."""

    def __init__(self, *, shape, width, iterations=1, rngs: nnx.Rngs):
        channels, *sides = shape
        count, coarse = halvings(sides)
        widths = [width << level for level in range(count + 1)]
        kernels = [(3, 3, channels, width), *((4, 4, *pair) for pair in itertools.pairwise(widths))]
        kernels.append((widths[-1] * math.prod(coarse), 1))
        layers = [part for kernel in kernels for part in (_Normalized(kernel, iterations, rngs), leaky_rectifier)]
        self.layers = nnx.List([*layers[:-2], flat, layers[-2]])

    def __call__(self, images):
        x = images
        for layer in self.layers:
            x = layer(x)
        return x[:, 0]


class _Normalized(nnx.Module):
    """A linear layer, or a convolution of kernel 3 or of kernel 4 and stride 2, with power iteration in every training call."""

    def __init__(self, shape, iterations, rngs):
        self.kernel = nnx.Param(0.02 * jax.random.normal(rngs.params(), shape, dtype=float))
        self.bias = nnx.Param(jnp.zeros(shape[-1], dtype=float))
        self.u = nnx.BatchStat(jnp.full(shape[-1:], shape[-1] ** -0.5))
        self.iterations, self.use_running_average = iterations, False

    def __call__(self, x):
        kernel = self.kernel[...]
        matrix = jnp.moveaxis(kernel, (-1, -2), (0, 1)).reshape(kernel.shape[-1], -1)
        constant = jax.lax.stop_gradient(matrix)
        if not self.use_running_average:
            self.u[...] = power_iteration(constant, self.u[...], iterations=self.iterations)[0]
        matrix = spectral_normalize(matrix, self.u[...], _unit(self.u[...] @ constant))
        if kernel.ndim == 2:
            return x @ matrix.T + self.bias[...]
        kernel, stride = matrix.reshape(kernel.shape[-1], kernel.shape[-2], *kernel.shape[:2]), (kernel.shape[0] - 2,) * 2
        layout = ("NCHW", "OIHW", "NCHW")
        x = jax.lax.conv_general_dilated(x, kernel, stride, [(1, 1), (1, 1)], dimension_numbers=layout)
        return x + self.bias[...][:, None, None]
