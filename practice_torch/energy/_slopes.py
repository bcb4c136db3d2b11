"""Slopes of energies in the state, which samplers follow."""

import torch

from practice_torch.arguments import require_one_each


def slope(energy_fn, x):
    """grad E at every example of x, also under no_grad and inference_mode, where samplers run: [B, ...] -> [B, ...]."""
    return energy_and_slope(energy_fn, x)[1]


def energy_and_slope(energy_fn, x):
    """E and grad E at every example of x: [B, ...] -> [B], [B, ...]."""

    def total(x):
        energies = energy_fn(x)
        require_one_each(x, **{"the result of energy_fn": energies})
        return energies.sum(), energies

    if differentiated():
        gradient, energies = torch.func.grad(total, has_aux=True)(x)
        return energies, gradient
    with torch.enable_grad():  # no one differentiates the result: plain autograd takes half of the time, in a small network
        leaf = x.detach().requires_grad_()
        energy, energies = total(leaf)
        gradient = torch.autograd.grad(energy, leaf, materialize_grads=True)[0] if energy.requires_grad else torch.zeros_like(x)
    return energies.detach(), gradient


def differentiated():
    """Whether the gradient may itself be differentiated, transformed or compiled, or autograd is unavailable."""
    if torch.is_grad_enabled() or torch.is_inference_mode_enabled() or torch.compiler.is_compiling():
        return True
    return torch._C._functorch.peek_interpreter_stack() is not None  # torch.func does not tell whether it is at work
