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

    gradient, energies = torch.func.grad(total, has_aux=True)(x)
    return energies, gradient
