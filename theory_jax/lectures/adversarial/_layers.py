"""Layers of the DCGAN networks: a halving and a doubling one with the same kernel, and the figure of overlaps and signals."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.adversarial.dcgan import Discriminator, Generator, batch_normalize, kernel_overlap, leaky_rectifier


def halving_and_doubling():
    """The discriminator's gradient of a halving layer, the generator's doubling layer, and this with its kernel turned over."""
    draw = np.random.default_rng(5)
    shape = (1, 8, 8)  # one halving, from 2 channels to 4
    halving = Discriminator(shape=shape, width=2, rngs=nnx.Rngs(0)).layers[2]
    doubling = Generator(latent=1, shape=shape, width=2, rngs=nnx.Rngs(1)).layers[2]
    kernel, images = draw.normal(size=(4, 4, 2, 4)), jnp.array(draw.normal(size=(2, 2, 6, 4)))
    halving.kernel[...] = doubling.kernel[...] = jnp.array(kernel)
    z = jnp.array(draw.normal(size=(2, 4, 3, 2)))
    gradient = jax.vjp(halving, images)[1](z)[0]
    wanted = doubling(z)
    doubling.kernel[...] = jnp.array(kernel[::-1, ::-1])
    return gradient, wanted, doubling(z)


def pulled_back(x, g, epsilon):
    """The gradient of one channel [N] through batch normalization, to which g arrives."""
    return jax.vjp(lambda x: batch_normalize(x, jnp.ones(1), jnp.zeros(1), epsilon=epsilon), x)[1](g)[0]


def overlaps():
    """Overlaps of all kernels up to 8 and strides up to 5 with their range: by the code, by the formula, and by two mistakes."""
    found, formula, shifted, covering = [], [], [], []
    for k, s in itertools.product(range(1, 9), range(1, 6)):
        p = np.arange(k - 1, 15 * s + 1)  # the inner outputs
        counts, multiples = np.asarray(kernel_overlap(length=16, kernel=k, stride=s))[p], p // s - (p - k) // s
        found += [*counts, counts.max() - counts.min()]
        formula += [*multiples, float(k % s > 0)]
        shifted += [*(p // s - (p - k + 1) // s), float(k % s > 0)]
        covering += [*multiples, float(k < s)]
    return tuple(np.array(side, float) for side in (found, formula, shifted, covering))


def draw_overlaps_and_signals(left, right):
    """Left: how many inputs reach each output. Right: the mean square of a signal through layers."""
    for kernel in (3, 4, 5):
        overlap = kernel_overlap(length=8, kernel=kernel, stride=2)
        left.step(np.arange(len(overlap)), np.asarray(overlap) + 0.06 * (kernel - 4), where="mid", label=f"kernel {kernel}")
    left.set(xlabel="output", ylabel="overlap", ylim=(0, 4.2), yticks=[0, 1, 2, 3])
    left.legend(ncols=3, loc="upper center")
    draw, width = np.random.default_rng(8), 256
    one, zero = jnp.ones(width), jnp.zeros(width)
    for deviation, normalize, label in (
        (math.sqrt(2 / (width * 1.04)), False, "He et al."),
        (0.02, False, "$0.02^2$"),
        (0.02, True, "$0.02^2$, normalized"),
    ):
        signal, sizes = draw.normal(size=(16, width)), []
        for _ in range(8):
            sizes.append(np.mean(np.square(signal)))
            signal = np.asarray(leaky_rectifier(signal)) @ (deviation * draw.normal(size=(width, width)))
            signal = batch_normalize(signal[..., None, None], one, zero)[..., 0, 0] if normalize else signal
        right.semilogy(range(8), sizes, "o-", label=label)
    right.set(xlabel="layer", ylabel="mean square")
    right.legend()
