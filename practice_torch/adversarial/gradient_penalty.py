"""Gradient penalties on a critic: towards a slope of 1 between real and fake examples, or towards 0; and clipped weights."""

import math

import torch

from practice_torch.arguments import (
    require,
    require_at_least,
    require_one_each,
    require_rank,
    require_same_shape,
    require_unit_interval,
)
from practice_torch.mathematics.levels import per_example
from practice_torch.networks.dcgan import Critic as Critic


def interpolate(real, fake, uniforms):
    r"""u real + (1 - u) fake, one u for each example: points on the segments between real and fake examples.

    Raises ValueError if the shapes of real and fake differ, or uniforms has not one entry in [0, 1] for each example.
    Source: Gulrajani et al. 2017, algorithm 1.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(real=real, fake=fake)
    require_one_each(real, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    return torch.lerp(fake, real, per_example(uniforms, real))


def gradient_penalty(x, critic_fn, *, target=1.0):
    r"""(|grad f(x)| - target)^2 for each example, f = critic_fn, the Euclidean norm; differentiable once more, in f and in x.

    critic_fn(x) -> [B]: each score must depend on its own example only. A slope of zero has no direction, and gets no gradient.

    Raises ValueError if x does not have two axes, target is negative, or critic_fn does not return one score for each example.
    Source: Gulrajani et al. 2017, eq. 3.
    [B, D] -> [B]
    """
    require_at_least(0, target=target)
    return (_steepness(x, critic_fn) - target).square()


def one_sided_gradient_penalty(x, critic_fn, *, target=1.0):
    r"""max(0, |grad f(x)| - target)^2 for each example: a critic may be flatter than the target, but not steeper.

    critic_fn(x) -> [B]: each score must depend on its own example only.

    Raises ValueError if x does not have two axes, target is negative, or critic_fn does not return one score for each example.
    Source: Petzka, Fischer & Lukovnikov 2018, eq. 8.
    [B, D] -> [B]
    """
    require_at_least(0, target=target)
    return (_steepness(x, critic_fn) - target).relu().square()


def zero_centered_gradient_penalty(x, critic_fn, *, gamma):
    r"""gamma/2 |grad f(x)|^2 for each example: R1 on real examples, R2 on fakes.

    critic_fn(x) -> [B]: each score must depend on its own example only.

    Raises ValueError if x does not have two axes, gamma is negative, or critic_fn does not return one score for each example.
    Source: Mescheder, Geiger & Nowozin 2018, eq. 9.
    [B, D] -> [B]
    """
    require_at_least(0, gamma=gamma)
    return gamma / 2 * _gradient(x, critic_fn).square().sum(dim=1)


def clip_weights(weight, *, bound):
    r"""Every entry moved into [-bound, bound]: a layer of bounded slope, the constraint of the first Wasserstein GANs.

    Raises ValueError if weight does not have two axes, or bound is not positive and finite.
    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1.
    [M, N] -> [M, N]
    """
    require_rank(2, weight=weight)
    require(0 < bound < math.inf, f"bound is {bound}; it must be positive and finite")
    return weight.clamp(-bound, bound)


def _gradient(x, critic_fn):
    require_rank(2, x=x)

    def total(x):
        scores = critic_fn(x)
        found = list(scores.shape)
        require(found == [len(x)], f"critic_fn returned shape {found}; it must return one score for each of {len(x)} examples")
        return scores.sum()

    return torch.func.grad(total)(x)  # itself differentiable, in x and in what critic_fn closes over


def _steepness(x, critic_fn):
    return torch.linalg.vector_norm(_gradient(x, critic_fn), dim=1)  # torch gives the norm of a zero vector the slope zero
