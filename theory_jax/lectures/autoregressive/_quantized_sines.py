"""Quantized sines, and the figure of the lecture on WaveNet."""

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.wavenet import (
    causal_convolution,
    convolution_step,
    mu_law_compress,
    mu_law_decode,
    mu_law_encode,
    receptive_field,
)


def quantized(x):
    """Samples, encoded and decoded with 256 codes of the page."""
    return mu_law_decode(mu_law_encode(x, num_levels=256), num_levels=256)


def equal_cells(x):
    """Samples, rounded to 256 even levels."""
    return jnp.round((x + 1) / 2 * 255) / 255 * 2 - 1


def decibels(quantize, amplitudes=(1.0, 0.1, 0.01), samples=20_000):
    """The measured signal-to-noise ratio of sines."""
    sine = jnp.sin(2 * np.pi * (jnp.arange(samples) + 0.5) / samples)
    x = jnp.asarray(amplitudes)[:, None] * sine
    return 10 * jnp.log10(jnp.mean(x * x, axis=1) / jnp.mean((x - quantize(x)) ** 2, axis=1))


def draw(left, middle, right, predicted):
    """The codes of 16 levels, signal-to-noise ratios, and the paths of a stack. predicted: of an amplitude, in decibels."""
    grid = np.linspace(-1, 1, 201)
    left.plot(grid, mu_law_compress(jnp.array(grid), num_levels=16))
    points = 2 * np.arange(16) / 15 - 1
    decoded = np.asarray(mu_law_decode(jnp.arange(16), num_levels=16))
    left.plot(decoded, points, "o", markersize=3)
    left.plot(decoded, np.full(16, -1.08), "|", color="gray")
    left.plot(np.full(16, -1.08), points, "_", color="gray")
    left.set(xlabel="$x$", ylabel="$f(x)$")
    amplitudes = np.geomspace(0.003, 1, 12)
    middle.semilogx(amplitudes, [predicted(a) for a in amplitudes], label="mu-law")
    middle.semilogx(amplitudes, 10 * np.log10(1.5 * 255**2 * amplitudes**2), label="equal cells")
    for quantize in (quantized, equal_cells):
        middle.plot(amplitudes, decibels(quantize, amplitudes, 2000), "o", markersize=3, color="gray")
    middle.set(xlabel="amplitude $A$", ylabel="signal to noise (dB)", ylim=(0, 52))
    middle.legend()
    reached = {15}
    for level, dilation in zip((4, 3, 2, 1), (8, 4, 2, 1), strict=True):
        for place in reached:
            for before in (place, place - dilation):
                right.plot([place, before], [level, level - 1], color="gray", linewidth=1)
        reached |= {place - dilation for place in reached}
    for level in range(5):
        right.plot(range(16), [level] * 16, "o", markersize=3, color="gray")
    right.set(xlabel="time", ylabel="layer", xticks=range(0, 16, 5), yticks=range(5))


def three_samples():
    """The box: two layers without nonlinearities, sample by sample."""
    queues, ones = [jnp.zeros((1, 1, 1)), jnp.zeros((1, 1, 2))], jnp.ones((1, 1, 2))
    for sample, stated in ((1.0, "(1, 1)"), (2.0, "(3, 3)"), (3.0, "(5, 6)")):
        outputs, y = [], jnp.full((1, 1), sample)
        for n in range(2):
            y, queues[n] = convolution_step(y, queues[n], ones, jnp.zeros(1), dilation=n + 1)
            outputs.append(y[0, 0])
        yield rf"\text{{input }} {sample:g}: \text{{ layers of dilation 1 and 2, weights 1}}", jnp.array(outputs), stated
    yield r"\text{code 2 of four levels, decoded}", mu_law_decode(jnp.array([2]), num_levels=4)[0], "0.1958"


def impulse_responses():
    """Of five stacks of ones, with their receptive fields; the products of their polynomials, with their lengths."""
    responses, products, reaches, degrees = [], [], [], []
    for taps, dilations in ((2, (1, 2, 4, 8)), (2, (1, 4)), (2, (1, 1, 2)), (3, (1, 3, 9)), (2, (3, 5))):
        y, product = jnp.zeros((1, 1, 32)).at[0, 0, 0].set(1.0), np.ones(1)
        for dilation in dilations:
            y = causal_convolution(y, jnp.ones((1, 1, taps)), jnp.zeros(1), dilation=dilation)
            factor = np.zeros((taps - 1) * dilation + 1)
            factor[::dilation] = 1
            product = np.convolve(product, factor)
        responses.append(y[0, 0])
        products.append(np.pad(product, (0, 32 - len(product))))
        reaches.append(receptive_field(kernel_size=taps, dilations=dilations))
        degrees.append(len(product))
    return responses, reaches, products, degrees
