"""Waveforms in an adversarial game: phase shuffle, magnitudes of spectra with two distances, upsampling, and both networks.

x is a batch of waveforms, [B, C, T] with channels, [B, T] without; a frame is as many samples as the window.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
    widened,
)


def phase_shuffle(x, shifts):
    r"""y_t = x_(t - n), n the shift of the example: where t - n is outside of 0..T-1, x is mirrored at its first or last sample.

    The sample at the border itself is not repeated. All channels of an example have the same shift.

    Raises ValueError unless x has 3 axes and shifts is one integer for each example, with |n| < T.
    Source: Donahue, McAuley & Puckette 2019, section 3.3.
    [B, C, T], [B] -> [B, C, T]
    """
    require_rank(3, x=x)
    require_one_each(x, shifts=shifts)
    require_integers(shifts=shifts)
    last = x.shape[2] - 1
    require_values("shifts", shifts, lambda n: abs(n) <= last, f"in {-last}..{last} (x has {last + 1} samples)")
    place = jnp.abs(jnp.arange(last + 1) - widened(shifts)[:, None])  # mirrored at the first sample
    place = last - jnp.abs(last - place)  # ... and at the last
    return jnp.take_along_axis(x, place[:, None], axis=2)


def short_time_fourier_magnitude(x, window, *, hop):
    r"""A_k = |sum_t v_t x_t e^(-2 pi i k t / W)|, k = 0..W // 2, of frames of W samples that begin hop samples apart, window v.

    The first frame begins at the first sample, nothing is padded, and the last samples may be in no frame.

    Raises ValueError if hop < 1, window is empty, or x is shorter than window.  Source: Griffin & Lim 1984.
    [B, T], [W] -> [B, F, N]
    """
    require_rank(2, x=x)
    require_rank(1, window=window)
    require_at_least(1, hop=hop)
    samples, length = x.shape[1], len(window)
    require(length > 0, "window has 0 samples; it must have at least 1")
    require(samples >= length, f"x has {samples} samples; it must have at least those of window, {length}")
    begins = jnp.arange(0, samples - length + 1, hop)
    frames = x[:, begins[:, None] + jnp.arange(length)]
    return jnp.swapaxes(jnp.abs(jnp.fft.rfft(window * frames)), 1, 2)


def spectral_convergence(magnitude, magnitude_generated):
    r"""|A - A'| / |A|, the magnitude A and the generated one A', with the root of the sum of squares over bins and frames.

    1 for a silent A', whatever A is. Its slope is 0 where A' = A.

    Raises ValueError if the shapes differ, magnitude has no bin or no frame or a silent example, or an entry of magnitude or
    magnitude_generated is negative.  Source: Arik, Jun & Diamos 2019.
    [B, F, N], [B, F, N] -> [B]
    """
    _require_magnitudes(magnitude, magnitude_generated)
    sounds = lambda a: a.any(axis=(1, 2), keepdims=True)  # noqa: E731
    require_values("magnitude", magnitude, sounds, "positive somewhere in each example")
    return _norm(magnitude - magnitude_generated) / _norm(magnitude)


def log_magnitude_distance(magnitude, magnitude_generated, *, epsilon=1e-5):
    r"""mean |log(A + epsilon) - log(A' + epsilon)| over bins and frames, the magnitude A and the generated one A'.

    Raises ValueError if the shapes differ, magnitude has no bin or no frame, an entry of magnitude or magnitude_generated is
    negative, or epsilon is not positive.  Source: Arik, Jun & Diamos 2019.
    [B, F, N], [B, F, N] -> [B]
    """
    _require_magnitudes(magnitude, magnitude_generated)
    require_positive(epsilon=epsilon)
    return jnp.mean(jnp.abs(jnp.log(magnitude + epsilon) - jnp.log(magnitude_generated + epsilon)), axis=(1, 2))


def transposed_convolution1d(x, weight, bias, *, stride=1, padding=0):
    r"""y_on = bias_o + sum of weight_cok x_ct over all c, t, k with s t + k - p = n: stride s, padding p.

    Every sample of x adds a kernel to the output, s samples apart; padding cuts p samples off at either end.
    L = (T - 1) s + K - 2 p.

    Raises ValueError if x or weight has not 3 axes, weight has not a first axis of x's channels, bias is not [O], stride is
    below 1, padding below 0, or so large that nothing is left.  Source: Dumoulin & Visin 2016, relationship 14.
    [B, C, T], [C, O, K], [O] -> [B, O, L]
    """
    require_rank(3, x=x, weight=weight)
    require_shape((x.shape[1], *weight.shape[1:]), weight=weight)
    require_shape(weight.shape[1:2], bias=bias)
    require_at_least(1, stride=stride)
    require_at_least(0, padding=padding)
    length = weight.shape[2]
    whole = (x.shape[2] - 1) * stride + length
    require(whole > 2 * padding, f"padding is {padding}; it must leave one of the {whole} samples that are made")
    outputs = jnp.einsum("cok,bct->kbot", weight, x)
    spread = 0.0
    for k in range(length):  # products are `stride` apart, shifted by the place in the kernel
        holes = [(0, 0, 0), (0, 0, 0), (k, length - 1 - k, stride - 1)]
        spread = spread + lax.pad(outputs[k], jnp.zeros((), outputs.dtype), holes)
    return spread[:, :, padding : whole - padding] + bias[:, None]


def _norm(magnitudes):
    """The root of the sum of squares, [B, F, N] -> [B]; where all are zero, with the slope 0."""
    squares = jnp.sum(magnitudes**2, axis=(1, 2))
    silent = squares == 0
    return jnp.where(silent, 0.0, jnp.sqrt(jnp.where(silent, 1.0, squares)))


def _require_magnitudes(magnitude, magnitude_generated):
    require_rank(3, magnitude=magnitude)
    require_same_shape(magnitude=magnitude, magnitude_generated=magnitude_generated)
    bins, frames = magnitude.shape[1:]
    require(bins > 0 and frames > 0, f"magnitude has {bins} bins and {frames} frames; it must have at least one of each")
    for name, array in (("magnitude", magnitude), ("magnitude_generated", magnitude_generated)):
        require_values(name, array, lambda a: a >= 0, "0 or more")


# ---------------------------------------------------------------------------------------------------- the networks


class WaveGenerator(nnx.Module):
    """Noise [B, latent] -> sounds in (-1, 1), [B, 1, T]: coarse features, made four times as long by every layer."""

    def __init__(self, *, latent, length, width, kernel, rngs: nnx.Rngs):
        widths, self.coarse = _channels(length, width)
        widths = widths[::-1]
        self.project = _Weights((latent, widths[0] * self.coarse), 1 / latent, rngs)
        self.layers = nnx.List(
            [_Longer((kernel, outputs, inputs), rngs) for inputs, outputs in zip(widths[:-1], widths[1:], strict=True)]
        )

    def __call__(self, z):
        x = (z @ self.project.kernel[...] + self.project.bias[...]).reshape(len(z), -1, self.coarse)
        for layer in self.layers:
            x = layer(jax.nn.relu(x))
        return jnp.tanh(x)


class WaveCritic(nnx.Module):
    """Sounds [B, 1, T] and shifts [B, S] -> scores [B]: features a quarter as long after every layer, shuffled between them."""

    def __init__(self, *, length, width, kernel, rngs: nnx.Rngs):
        widths, coarse = _channels(length, width)
        pairs = zip(widths[:-1], widths[1:], strict=True)
        self.layers = nnx.List([_Shorter((kernel, inputs, outputs), rngs) for inputs, outputs in pairs])
        self.score = _Weights((widths[-1] * coarse, 1), _variance(widths[-1] * coarse), rngs)

    def __call__(self, x, shifts):
        for level, layer in enumerate(self.layers):
            x = leaky_rectifier(layer(phase_shuffle(x, shifts[:, level - 1]) if level else x))
        return (x.reshape(len(x), -1) @ self.score.kernel[...] + self.score.bias[...])[:, 0]


class _Weights(nnx.Module):
    """A kernel of normal entries with this variance, and a bias of 0."""

    def __init__(self, shape, variance, rngs, outputs=-1):
        self.kernel = nnx.Param(math.sqrt(variance) * jax.random.normal(rngs.params(), shape, dtype=float))
        self.bias = nnx.Param(jnp.zeros(shape[outputs], dtype=float))


class _Longer(_Weights):
    """A transposed convolution of stride 4 that gives 4 T of T samples; its kernel is [size, outputs, inputs]."""

    def __init__(self, shape, rngs):
        size, _, inputs = shape
        super().__init__(shape, 8 / (inputs * size), rngs, outputs=1)

    def __call__(self, x):
        kernel = self.kernel[...]
        extra = len(kernel) - 4
        made = transposed_convolution1d(x, kernel.transpose(2, 1, 0), self.bias[...], stride=4, padding=extra // 2)
        return made[:, :, extra % 2 :]


class _Shorter(_Weights):
    """A convolution of stride 4 that leaves a quarter of the samples; its kernel is [size, inputs, outputs]."""

    def __init__(self, shape, rngs):
        size, inputs, _ = shape
        super().__init__(shape, _variance(size * inputs), rngs)

    def __call__(self, x):
        kernel, padding = self.kernel[...], (self.kernel.shape[0] - 3) // 2
        x = lax.conv_general_dilated(x, kernel, (4,), [(padding, padding)], dimension_numbers=("NCH", "HIO", "NCH"))
        return x + self.bias[...][:, None]


def _variance(inputs):
    """What keeps the second moment through leaky rectifiers of slope 0.2 (He et al. 2015)."""
    return 2 / (inputs * (1 + 0.2**2))


def _channels(length, width):
    """(the channels from the sound's one to the coarsest, the coarsest length)."""
    widths = [1]
    while length % 4 == 0 and length > 16:
        widths.append(width * 2 ** (len(widths) - 1))
        length //= 4
    return widths, length
