"""Wrong forms of gradient penalties that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.adversarial import gradient_penalty as right
from practice_torch.mathematics.levels import per_example
from tests.support.mistakes import Mistake


def _gradient(x, critic_fn, create_graph=True):
    right.zero_centered_gradient_penalty(x, critic_fn, gamma=1.0)  # for its checks
    x = x if x.requires_grad else x.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(critic_fn(x).sum(), x, create_graph=create_graph)
    return gradient


def _penalty(change, **how):
    """change(norms, target), of the norms of the critic's gradients."""

    def wrong(x, critic_fn, *, target=1.0):
        right.gradient_penalty(x, critic_fn, target=target)  # for its checks
        return change(torch.linalg.vector_norm(_gradient(x, critic_fn, **how), dim=1), target)

    return wrong


def _root_of_the_mean(x, critic_fn, *, target=1.0):
    return (_gradient(x, critic_fn).square().mean(1).sqrt() - target).square()


def _over_the_batch(x, critic_fn, *, target=1.0):
    return (torch.linalg.vector_norm(_gradient(x, critic_fn)) - target).square().expand(len(x))


def _unsafe_root(x, critic_fn, *, target=1.0):
    right.gradient_penalty(x, critic_fn, target=target)  # for its checks
    return (_gradient(x, critic_fn).square().sum(1).sqrt() - target).square()


def _zero_centered(change):
    def wrong(x, critic_fn, *, gamma):
        right.zero_centered_gradient_penalty(x, critic_fn, gamma=gamma)  # for its checks
        return change(_gradient(x, critic_fn), gamma)

    return wrong


MISTAKES = (
    Mistake("interpolate", "real and fake exchanged", lambda real, fake, uniforms: right.interpolate(fake, real, uniforms)),
    Mistake("interpolate", "one u for the batch", lambda real, fake, uniforms: torch.lerp(fake, real, uniforms[:1].mean())),
    Mistake("interpolate", "one u for each pixel", lambda real, fake, uniforms: torch.lerp(
        fake, real, torch.rand(real.shape, generator=torch.Generator().manual_seed(0), dtype=real.dtype))),
    Mistake("interpolate", "a constant u", lambda real, fake, uniforms: (real + fake) / 2),
    Mistake("interpolate", "any u", lambda real, fake, uniforms: torch.lerp(fake, real, per_example(uniforms.clamp(0, 1), real)),
            only_checks=True),
    Mistake("gradient_penalty", "norm over the batch", _over_the_batch),
    Mistake("gradient_penalty", "the norm squared, less the target", _penalty(lambda norm, target: (norm**2 - target).square())),
    Mistake("gradient_penalty", "not squared", _penalty(lambda norm, target: (norm - target).abs())),
    Mistake("gradient_penalty", "the target ignored", _penalty(lambda norm, target: (norm - 1).square())),
    Mistake("gradient_penalty", "one-sided", _penalty(lambda norm, target: (norm - target).relu().square())),
    Mistake("gradient_penalty", "mean over the coordinates", _root_of_the_mean),
    Mistake("gradient_penalty", "averaged over the batch", _penalty(lambda norm, target: (norm - target).square().mean())),
    Mistake("gradient_penalty", "no second backward pass", _penalty(
        lambda norm, target: (norm - target).square(), create_graph=False)),
    Mistake("gradient_penalty", "an infinite slope at zero", _unsafe_root),
    Mistake("one_sided_gradient_penalty", "two-sided", lambda x, critic_fn, *, target=1.0: right.gradient_penalty(
        x, critic_fn, target=target)),
    Mistake("one_sided_gradient_penalty", "the other side", _penalty(lambda norm, target: (target - norm).relu().square())),
    Mistake("one_sided_gradient_penalty", "not squared", _penalty(lambda norm, target: (norm - target).relu())),
    Mistake("one_sided_gradient_penalty", "no second backward pass", _penalty(
        lambda norm, target: (norm - target).relu().square(), create_graph=False)),
    Mistake("zero_centered_gradient_penalty", "gamma without the half", _zero_centered(
        lambda gradient, gamma: gamma * gradient.square().sum(1))),
    Mistake("zero_centered_gradient_penalty", "mean over the coordinates", _zero_centered(
        lambda gradient, gamma: gamma / 2 * gradient.square().mean(1))),
    Mistake("zero_centered_gradient_penalty", "the norm, not its square", _zero_centered(
        lambda gradient, gamma: gamma / 2 * gradient.norm(dim=1))),
    Mistake("zero_centered_gradient_penalty", "no second backward pass", _zero_centered(
        lambda gradient, gamma: gamma / 2 * gradient.detach().square().sum(1))),
    Mistake("clip_weights", "only from above", lambda weight, *, bound: weight.clamp(max=bound)),
    Mistake("clip_weights", "the norm of the matrix", lambda weight, *, bound: weight * (bound / weight.norm()).clamp(max=1)),
    Mistake("clip_weights", "squashed", lambda weight, *, bound: bound * torch.tanh(weight / bound)),
)  # fmt: skip


def _two_products(real, fake, uniforms):
    right.interpolate(real, fake, uniforms)  # for its checks
    u = uniforms.view(-1, *[1] * (real.ndim - 1))
    return u * real + (1 - u) * fake


EQUIVALENT = (
    Mistake("interpolate", "two products", _two_products),
    Mistake("gradient_penalty", "by autograd.grad", _penalty(lambda norm, target: (norm - target).square())),
    Mistake(
        "zero_centered_gradient_penalty",
        "by autograd.grad",
        _zero_centered(lambda gradient, gamma: gamma / 2 * gradient.square().sum(1)),
    ),
)
