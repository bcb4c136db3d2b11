"""Gradient penalties (lecture 9): why a critic's slope is 1 between real and fake points, and what makes the game converge.

f is the critic, g = grad f its gradient at a point, lambda and gamma the weights of penalties.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.adversarial._images import flat, halvings
from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.arguments import (
    require,
    require_at_least,
    require_one_each,
    require_rank,
    require_same_shape,
    require_unit_interval,
)
from theory_jax.mathematics.levels import per_example


def interpolate(real, fake, uniforms):
    r"""u real + (1 - u) fake, one u for each example: points on the segments between real and fake examples.

    Raises ValueError if the shapes of real and fake differ, or uniforms has not one entry in [0, 1] for each example.
    Source: Gulrajani et al. 2017, algorithm 1.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(real=real, fake=fake)
    require_one_each(real, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    u = per_example(uniforms, real)
    return u * real + (1 - u) * fake


def gradient_penalty(x, critic_fn, *, target=1.0):
    r"""(|grad f(x)| - target)^2 for each example, f = critic_fn, the Euclidean norm; differentiable once more, in f and in x.

    critic_fn(x) -> [B]: each score must depend on its own example only. A slope of zero has no direction, and gets no gradient.

    Raises ValueError if x does not have two axes, target is negative, or critic_fn does not return one score for each example.
    Source: Gulrajani et al. 2017, eq. 3.
    [B, D] -> [B]
    """
    require_at_least(0, target=target)
    return (_norm(_gradient(x, critic_fn)) - target) ** 2


def one_sided_gradient_penalty(x, critic_fn, *, target=1.0):
    r"""max(0, |grad f(x)| - target)^2 for each example: a critic may be flatter than the target, but not steeper.

    critic_fn(x) -> [B]: each score must depend on its own example only.

    Raises ValueError if x does not have two axes, target is negative, or critic_fn does not return one score for each example.
    Source: Petzka, Fischer & Lukovnikov 2018, eq. 8.
    [B, D] -> [B]
    """
    require_at_least(0, target=target)
    return jnp.maximum(_norm(_gradient(x, critic_fn)) - target, 0.0) ** 2


def zero_centered_gradient_penalty(x, critic_fn, *, gamma):
    r"""gamma/2 |grad f(x)|^2 for each example: R1 on real examples, R2 on fakes.

    critic_fn(x) -> [B]: each score must depend on its own example only.

    Raises ValueError if x does not have two axes, gamma is negative, or critic_fn does not return one score for each example.
    Source: Mescheder, Geiger & Nowozin 2018, eq. 9.
    [B, D] -> [B]
    """
    require_at_least(0, gamma=gamma)
    return gamma / 2 * jnp.sum(_gradient(x, critic_fn) ** 2, axis=1)


def clip_weights(weight, *, bound):
    r"""Every entry moved into [-bound, bound]: a layer of bounded slope, the constraint of the first Wasserstein GANs.

    Raises ValueError if weight does not have two axes, or bound is not positive and finite.
    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1.
    [M, N] -> [M, N]
    """
    require_rank(2, weight=weight)
    require(0 < bound < math.inf, f"bound is {bound}; it must be positive and finite")
    return jnp.clip(weight, -bound, bound)


def _gradient(x, critic_fn):
    require_rank(2, x=x)
    scores, pull = jax.vjp(critic_fn, x)
    found, count = list(jnp.shape(scores)), len(x)
    require(found == [count], f"critic_fn returned shape {found}; it must return one score for each of {count} examples")
    return pull(jnp.ones_like(scores))[0]


def _norm(gradient):
    squared = jnp.sum(gradient**2, axis=1)
    some = squared > 0  # the root has an infinite slope at zero
    return jnp.where(some, jnp.sqrt(jnp.where(some, squared, 1.0)), 0.0)


# ---------------------------------------------------------------------------------------------------- the critic


class Critic(nnx.Module):
    """Images [B, C, H, W] -> scores [B]: halved by convolutions of stride 2, leaky rectifiers, and no batch normalization."""

    def __init__(self, *, shape, width, rngs: nnx.Rngs):
        channels, *sides = shape
        count, coarse = halvings(sides)
        layers = [_Convolution(channels, width, 3, rngs), leaky_rectifier]
        for level in range(count):
            layers += [_Convolution(width << level, width << (level + 1), 4, rngs), leaky_rectifier]
        inputs = (width << count) * math.prod(coarse)
        self.layers = nnx.List([*layers, flat, _Weights((inputs, 1), inputs, rngs)])

    def __call__(self, images):
        *layers, last = self.layers
        x = images
        for layer in layers:
            x = layer(x)
        return (x @ last.kernel[...] + last.bias[...])[:, 0]


class _Weights(nnx.Module):
    """A kernel that keeps the second moment through leaky rectifiers (He et al. 2015, eq. 15), and a bias of 0."""

    def __init__(self, shape, inputs, rngs):
        scale = math.sqrt(2 / (inputs * (1 + 0.2**2)))
        self.kernel = nnx.Param(scale * jax.random.normal(rngs.params(), shape, dtype=float))
        self.bias = nnx.Param(jnp.zeros(shape[-1], dtype=float))


class _Convolution(_Weights):
    """Kernel 3, or kernel 4 with stride 2, which halves the sides; padding 1."""

    def __init__(self, inputs, outputs, size, rngs):
        self.stride = 2 if size == 4 else 1
        super().__init__((size, size, inputs, outputs), size * size * inputs, rngs)

    def __call__(self, x):
        stride, layout = (self.stride, self.stride), ("NCHW", "HWIO", "NCHW")
        x = jax.lax.conv_general_dilated(x, self.kernel[...], stride, [(1, 1), (1, 1)], dimension_numbers=layout)
        return x + self.bias[...][:, None, None]
