"""Batch normalization, leaky rectifiers and the overlap of kernels (lecture 8): what made convolutional GANs trainable.

Local names: h is the normalized input, r = 1/sqrt(var + epsilon), g the slope that arrives at the output, N = B H W the number of
values that share a channel's statistics.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import require, require_at_least, require_rank, require_share, require_values
from theory_jax.derivation import Derivation

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
    r"""scale (x - running_mean) / sqrt(running_variance + epsilon) + shift: the same map for every example, whoever is beside it.

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
    r"""How many of `length` inputs reach each of the n = (length - 1) stride + kernel outputs of a transposed convolution.

    Input i reaches the outputs i stride, ..., i stride + kernel - 1.

    Raises ValueError if length, kernel or stride is less than 1.  Source: Odena, Dumoulin & Olah 2016.
    -> [n]
    """
    require_at_least(1, length=length, kernel=kernel, stride=stride)
    reached = stride * np.arange(length)[:, None] + np.arange(kernel)
    return jnp.asarray(np.bincount(reached.ravel()))  # counted by NumPy: it is a constant, whatever is being traced


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
        halvings, self.coarse = _halvings(sides)
        widths = [width << level for level in range(halvings, -1, -1)]
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
        halvings, coarse = _halvings(sides)
        widths = [width << level for level in range(halvings + 1)]
        layers = [_Convolution(channels, width, rngs), leaky_rectifier]
        for pair in itertools.pairwise(widths):
            layers += [_Convolution(*pair, rngs, halving=True), _BatchNorm(pair[1], rngs), leaky_rectifier]
        self.layers = nnx.List([*layers, _flat, _Weights((widths[-1] * math.prod(coarse), 1), rngs, use_bias=True)])

    def __call__(self, images):
        *layers, last = self.layers
        x = images
        for layer in layers:
            x = layer(x)
        return (x @ last.kernel[...] + last.bias[...])[:, 0]


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


def _halvings(sides):
    """How often the sides can be halved, none of them being odd or at most 4 before, and the coarsest sides."""
    count, coarse = 0, tuple(sides)
    while all(side % 2 == 0 and side > 4 for side in coarse):
        count, coarse = count + 1, tuple(side // 2 for side in coarse)
    return count, coarse


def _flat(x):
    return x.reshape(len(x), -1)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="What made convolutional GANs trainable: batch normalization, even kernels, and a variance that survives depth",
    lectures=(8,),
    sources=(
        "Radford, Metz & Chintala 2016, Unsupervised Representation Learning with Deep Convolutional GANs",
        "Ioffe & Szegedy 2015, Batch Normalization",
        "Odena, Dumoulin & Olah 2016, Deconvolution and Checkerboard Artifacts",
        "He et al. 2015, Delving Deep into Rectifiers, section 2.2",
    ),
)

_random = np.random.default_rng(8)
_x = jnp.array(2.0 + 3.0 * _random.normal(size=(5, 3, 4, 2)))
_ONE, _ZERO = jnp.ones(3), jnp.zeros(3)
_COUNT = _x.size // 3


def _plain(x):
    return batch_normalize(x, _ONE, _ZERO, epsilon=0.0)


@derivation.numeric(
    r"\frac1N \sum h = 0, \qquad \frac1N \sum h^2 = 1 \qquad\text{in every channel}",
    because="Subtracting the mean and dividing by the deviation is exactly this, whatever came in. Every layer behind it sees "
    "inputs of one scale, however the layers before it have moved.",
)
def every_channel_has_mean_0_and_variance_1():
    h = _plain(_x)
    return jnp.concatenate([h.mean(_SHARED), (h**2).mean(_SHARED)]), jnp.concatenate([jnp.zeros(3), jnp.ones(3)])


@derivation.numeric(
    r"\mathrm{BN}(a_c x + b_c) = \mathrm{BN}(x) \quad (a_c > 0)",
    because="Mean and deviation move with the input and cancel. A bias before a batch norm is therefore dead weight, and the "
    "size of the weights before it changes no output.",
)
def an_affine_change_of_the_input_is_forgotten():
    a, b = jnp.array([0.01, 2.0, 300.0]), jnp.array([5.0, -1.0, 40.0])
    return _plain(_affine(_x, a, b)), _plain(_x)


@derivation.autodiff(
    r"\nabla_x = r \left( g - \overline{g} - h\, \overline{g h} \right), \qquad \sum \nabla_x = 0, \quad \sum \nabla_x\, h = 0",
    because="The output does not react to a shift or a stretch of the input, so the gradient has no part along the constant and "
    "none along the output: two means per channel are taken out of g. They are means over the batch, and so every example's "
    "gradient depends on its company.",
)
def the_gradient_is_orthogonal_to_the_constant_and_to_the_output():
    upstream = jnp.array(_random.normal(size=_x.shape))
    h, pull_back = jax.vjp(_plain, _x)
    (gradient,) = pull_back(upstream)
    root = 1 / jnp.std(_x, axis=_SHARED)
    formula = _column(root) * (upstream - _column(upstream.mean(_SHARED)) - h * _column((upstream * h).mean(_SHARED)))
    left = jnp.concatenate([gradient.ravel(), gradient.sum(_SHARED), (gradient * h).sum(_SHARED)])
    return left, jnp.concatenate([formula.ravel(), jnp.zeros(6)])


@derivation.numeric(
    r"s_k = (1 - m)^k s_0 + (1 - (1 - m)^k)\, s \;\to\;"
    r" s = \left( \overline{x},\; \tfrac{1}{N-1} \textstyle\sum (x - \overline{x})^2 \right)",
    because="Each update keeps a fraction 1 - m of the old statistics; after k updates on the same batch (1 - m)^k of the start "
    "is left, after 200 with m = 0.1 a billionth. The variance that is stored has 1/(N-1).",
)
def running_statistics_converge():
    mean, variance = jnp.array([4.0, -1.0, 0.0]), jnp.array([0.5, 1.0, 7.0])
    start = np.concatenate([mean, variance])
    mean, variance = jax.lax.fori_loop(
        0, 200, lambda _, statistics: update_running_statistics(_x, *statistics, momentum=0.1), (mean, variance)
    )
    moments = np.concatenate([np.mean(_x, _SHARED), np.var(_x, _SHARED, ddof=1)])
    return jnp.concatenate([mean, variance]), 0.9**200 * start + (1 - 0.9**200) * moments


@derivation.monte_carlo(
    r"\mathbb{E}\, \frac{1}{N-1} \sum (x - \overline{x})^2 = \sigma^2",
    because="Deviations from the batch's own mean are too small: that mean lies where the batch is. A batch of N values loses "
    "one of them to it, and N - 1 in the denominator repairs the average over batches. Here N = 4 and sigma = 3.",
)
def the_stored_variance_is_unbiased():
    batches = 3.0 * jnp.array(_random.normal(size=(20_000, 2, 3, 1, 2)))
    return jax.vmap(lambda x: update_running_statistics(x, _ZERO, _ONE, momentum=1.0)[1])(batches), 9.0


@derivation.numeric(
    r"\mathrm{BN}_{\mathrm{train}} = \sqrt{\tfrac{N}{N-1}}\; \mathrm{BN}_{\mathrm{inference}}",
    because="Training divides by the deviation with 1/N, inference by the stored one with 1/(N-1). With 64 images of 4 x 4 the "
    "two differ by half a part in a thousand; with small batches the difference is one to know about.",
)
def training_and_inference_differ_by_a_known_factor():
    mean, variance = update_running_statistics(_x, _ZERO, _ONE, momentum=1.0)
    inference = batch_normalize_inference(_x, mean, variance, _ONE, _ZERO, epsilon=0.0)
    return _plain(_x), np.sqrt(_COUNT / (_COUNT - 1)) * inference


_GEOMETRIES = ((2, 2), (3, 2), (4, 2), (5, 2), (6, 3), (5, 3), (3, 1))  # kernel, stride


@derivation.exact(
    r"\mathrm{overlap}(o) = [\mathrm{conv}^\top_{k, s}\, \mathbf{1}](o), \qquad \sum_o \mathrm{overlap}(o) = k\, L",
    because="Send ones through a transposed convolution with a kernel of ones: every output counts the inputs that reach it. "
    "Every input reaches k outputs, so the counts add up to k L.",
)
def overlap_is_the_image_of_ones():
    left, right = [], []
    for kernel, stride in _GEOMETRIES:
        overlap = kernel_overlap(length=6, kernel=kernel, stride=stride).astype(float)
        ones = jax.lax.conv_transpose(jnp.ones((1, 6, 1)), jnp.ones((kernel, 1, 1)), (stride,), "VALID")
        left.append(jnp.append(overlap, overlap.sum()))
        right.append(jnp.append(ones, 6.0 * kernel))
    return jnp.concatenate(left), jnp.concatenate(right)


@derivation.exact(
    r"\mathrm{overlap} \text{ is the same at all inner outputs} \iff s \mid k",
    because="Away from the borders output o is reached by the inputs i with o - k < i s <= o: the multiples of s among k "
    "consecutive integers. Their number is k/s for every o if s divides k, and otherwise it alternates between two values: a "
    "checkerboard that the network must unlearn. Hence kernel 4 with stride 2, not 5 or 3.",
)
def overlap_is_even_iff_the_stride_divides_the_kernel():
    uneven = []
    for kernel, stride in _GEOMETRIES:
        overlap = kernel_overlap(length=6, kernel=kernel, stride=stride)
        inner = overlap[kernel - 1 : 5 * stride + 1]
        uneven.append(inner.max() - inner.min())
    return jnp.array(uneven, dtype=float), jnp.array([float(kernel % stride > 0) for kernel, stride in _GEOMETRIES])


@derivation.monte_carlo(
    r"\mathrm{Var}(w) = \frac{2}{\mathrm{fan\,in}\,(1 + a^2)} \;\Rightarrow\; \mathbb{E}\, y^2 = \mathbb{E}\, x^2 = 1",
    because="A leaky rectifier of slope a keeps half of the squares of a symmetric input and a^2 of the other half: (1 + a^2)/2 "
    "of the second moment. Summing over fan-in inputs with weights of this variance makes up for it, layer after layer. Two "
    "layers of 50 units, weights and inputs drawn 2000 times.",
)
def the_second_moment_survives_leaky_rectifiers():
    fan_in, slope = 50, 0.2
    deviation = np.sqrt(2 / (fan_in * (1 + slope**2)))

    def through(key):
        start, *keys = jax.random.split(key, 3)
        y = jax.random.normal(start, (fan_in,), dtype=float)
        for key in keys:
            y = deviation * jax.random.normal(key, (fan_in, fan_in), dtype=float) @ leaky_rectifier(y, slope=slope)
        return jnp.mean(y * y)

    return jax.jit(jax.vmap(through))(jax.random.split(jax.random.key(8), 2000)), 1.0


if __name__ == "__main__":
    derivation.main()
