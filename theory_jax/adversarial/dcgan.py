"""Batch normalization, leaky rectifiers and the overlap of kernels (lecture 8): what made convolutional GANs trainable."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.adversarial._images import flat, halvings
from theory_jax.arguments import require, require_at_least, require_rank, require_share, require_values

_SHARED = (0, 2, 3)  # the axes over which a channel has one mean and one variance


def batch_normalize(x, scale, shift, *, epsilon=1e-5):
    r"""scale (x - mean) / sqrt(var + epsilon) + shift per channel, mean and var (1/N) over the N = B H W values of the batch.

    Raises ValueError if x does not have four axes, scale or shift does not have its channels, or a channel has one value.
    Source: Ioffe & Szegedy 2015, algorithm 1.
    [B, C, H, W], [C], [C] -> [B, C, H, W]
    """
    _require_channels(x, scale=scale, shift=shift)
    _require_shared(x)
    mean, variance = _moments(x)
    return _affine((x - _column(mean)) / jnp.sqrt(_column(variance) + epsilon), scale, shift)


def batch_normalize_inference(x, running_mean, running_variance, scale, shift, *, epsilon=1e-5):
    r"""scale (x - running_mean) / sqrt(running_variance + epsilon) + shift: the same map for every example of a batch.

    Raises ValueError if x does not have four axes, another argument does not have its channels, or an entry of running_variance
    is negative.  Source: Ioffe & Szegedy 2015, algorithm 2.
    [B, C, H, W], [C], [C], [C], [C] -> [B, C, H, W]
    """
    _require_channels(x, running_mean=running_mean, running_variance=running_variance, scale=scale, shift=shift)
    _require_not_negative(running_variance)
    return _affine((x - _column(running_mean)) / jnp.sqrt(_column(running_variance) + epsilon), scale, shift)


def update_running_statistics(x, running_mean, running_variance, *, momentum=0.1):
    r"""(1 - momentum) old + momentum new, of the mean and of the variance with 1/(N - 1), over the N = B H W values of a channel.

    Raises ValueError if x does not have four axes, a statistic does not have its channels, a channel has one value, an entry of
    running_variance is negative, or momentum is outside [0, 1].  Source: Ioffe & Szegedy 2015, algorithm 2.
    [B, C, H, W], [C], [C] -> [C], [C]
    """
    _require_channels(x, running_mean=running_mean, running_variance=running_variance)
    _require_shared(x)
    _require_not_negative(running_variance)
    require_share(momentum=momentum)
    mean, biased = _moments(x)
    count = x.size // x.shape[1]
    unbiased = biased * (count / (count - 1))
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_variance + momentum * unbiased


def leaky_rectifier(x, *, slope=0.2):
    r"""x where x > 0, slope x elsewhere.

    Raises ValueError if x has no axis.  Source: Maas, Hannun & Ng 2013.
    [B, ...] -> [B, ...]
    """
    require(jnp.ndim(x) >= 1, "x has no axis; it must have at least that of the batch")
    return x * jnp.where(x > 0, 1.0, slope).astype(x.dtype)


def kernel_overlap(*, length, kernel, stride):
    r"""Number of the `length` inputs that reach each of the n = (length - 1) stride + kernel outputs of a transposed convolution.

    Input i reaches the outputs i stride, ..., i stride + kernel - 1.

    Raises ValueError if length, kernel or stride is less than 1.  Source: Odena, Dumoulin & Olah 2016.
    -> [n]
    """
    require_at_least(1, length=length, kernel=kernel, stride=stride)
    reached = stride * np.arange(length)[:, None] + np.arange(kernel)
    return jnp.asarray(np.bincount(reached.ravel()))  # counted by NumPy: it is a constant under any trace


def _moments(x):
    """Mean and biased variance per channel, in two passes: E[x^2] - E[x]^2 would cancel."""
    mean = jnp.mean(x, axis=_SHARED)
    return mean, jnp.mean((x - _column(mean)) ** 2, axis=_SHARED)


def _affine(normed, scale, shift):
    return normed * _column(scale) + _column(shift)


def _column(vector):
    return jnp.reshape(vector, (1, -1, 1, 1))


def _require_channels(x, **vectors):
    require_rank(4, x=x)
    wanted = (x.shape[1],)
    for name, vector in vectors.items():
        given = jnp.shape(vector)
        require(given == wanted, f"{name} has shape {list(given)}; it must have one value for each channel of x, {list(wanted)}")


def _require_shared(x):
    count = x.size // x.shape[1]
    require(count > 1, f"x has shape {list(x.shape)}, {count} value per channel; it must have at least 2 for a variance")


def _require_not_negative(variance):
    require_values("running_variance", variance, lambda v: v >= 0, "at least 0")


# ---------------------------------------------------------------------------------------------------- the networks


class Generator(nnx.Module):
    """Noise [B, latent] -> images in (-1, 1), [B, C, H, W]: a coarse grid, doubled until it has the images' size."""

    def __init__(self, *, latent, shape, width, rngs: nnx.Rngs):
        channels, *sides = shape
        count, self.coarse = halvings(sides)
        widths = [width << level for level in range(count, -1, -1)]
        self.project = _Weights((latent, widths[0] * math.prod(self.coarse)), rngs)
        layers = [_BatchNorm(widths[0], rngs), jax.nn.relu]
        for pair in itertools.pairwise(widths):
            layers += [_Doubling(*pair, rngs), _BatchNorm(pair[1], rngs), jax.nn.relu]
        self.layers = nnx.List([*layers, _Convolution(width, channels, rngs)])

    def __call__(self, z):
        x = (z @ self.project.kernel[...]).reshape(len(z), -1, *self.coarse)
        for layer in self.layers:
            x = layer(x)
        return jnp.tanh(x)


class Discriminator(nnx.Module):
    """Images [B, C, H, W] -> logits [B] of being real: the generator mirrored, with leaky rectifiers."""

    def __init__(self, *, shape, width, rngs: nnx.Rngs):
        channels, *sides = shape
        count, coarse = halvings(sides)
        widths = [width << level for level in range(count + 1)]
        layers = [_Convolution(channels, width, rngs), leaky_rectifier]
        for pair in itertools.pairwise(widths):
            layers += [_Convolution(*pair, rngs, halving=True), _BatchNorm(pair[1], rngs), leaky_rectifier]
        self.layers = nnx.List([*layers, flat, _Weights((widths[-1] * math.prod(coarse), 1), rngs, use_bias=True)])

    def __call__(self, images):
        last = self.layers[-1]
        return (self.features(images) @ last.kernel[...] + last.bias[...])[:, 0]

    def features(self, images):
        """[B, D], of which the last layer takes the logit."""
        x = images
        for layer in itertools.islice(self.layers, len(self.layers) - 1):
            x = layer(x)
        return x


class _Weights(nnx.Module):
    """A kernel from N(0, 0.02^2), and a bias of 0 if one is used (Radford et al. 2016)."""

    def __init__(self, shape, rngs, use_bias=False):
        self.kernel = nnx.Param(0.02 * jax.random.normal(rngs.params(), shape, dtype=float))
        self.bias = nnx.Param(jnp.zeros(shape[-1], dtype=float)) if use_bias else nnx.data(None)


class _Convolution(_Weights):
    """Kernel 3 with a bias; halving: kernel 4, stride 2 and no bias, which the normalization behind it would subtract."""

    def __init__(self, inputs, outputs, rngs, halving=False):
        self.stride = 2 if halving else 1
        super().__init__((4, 4, inputs, outputs) if halving else (3, 3, inputs, outputs), rngs, use_bias=not halving)

    def __call__(self, x):
        stride, padding = (self.stride, self.stride), [(1, 1), (1, 1)]
        x = jax.lax.conv_general_dilated(x, self.kernel[...], stride, padding, dimension_numbers=_LAYOUT)
        return x if self.bias is None else x + _column(self.bias[...])


class _Doubling(_Weights):
    """The adjoint of a halving convolution of the same kernel, [4, 4, outputs, inputs]."""

    def __init__(self, inputs, outputs, rngs):
        super().__init__((4, 4, outputs, inputs), rngs)

    def __call__(self, x):
        kernel, stride, padding = self.kernel[...], (2, 2), [(2, 2), (2, 2)]
        return jax.lax.conv_transpose(x, kernel, stride, padding, dimension_numbers=_LAYOUT, transpose_kernel=True)


class _BatchNorm(nnx.Module):
    """batch_normalize, which updates the running statistics; in evaluation batch_normalize_inference, which reads them."""

    def __init__(self, channels, rngs):
        self.scale = nnx.Param(1 + 0.02 * jax.random.normal(rngs.params(), (channels,), dtype=float))
        self.bias = nnx.Param(jnp.zeros(channels, dtype=float))
        self.running_mean, self.running_var = (nnx.BatchStat(jnp.full(channels, value)) for value in (0.0, 1.0))
        self.use_running_average = False

    def __call__(self, x):
        statistics = self.running_mean[...], self.running_var[...]
        if self.use_running_average:
            return batch_normalize_inference(x, *statistics, self.scale[...], self.bias[...])
        self.running_mean[...], self.running_var[...] = update_running_statistics(x, *statistics)
        return batch_normalize(x, self.scale[...], self.bias[...])


_LAYOUT = ("NCHW", "HWIO", "NCHW")
