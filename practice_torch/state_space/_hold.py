"""Discretization of diagonal systems with a held input, for any number of axes."""

import torch


def held(eigenvalues, step):
    """z = step eigenvalue and (e^z - 1)/eigenvalue, the step where z = 0: e^z multiplies the state, the quotient the input."""
    z = step * eigenvalues
    near = z.detach().abs() < 0.5
    small = torch.where(near, z, 0)
    # Neither the quotient nor its derivative keeps its digits as z -> 0. Terms 1 + z/2 (1 + z/3 (1 + ...)), inside out.
    series = torch.ones_like(z)
    for term in range(15, 1, -1):
        series = torch.addcmul(torch.ones_like(z), series, small, value=1 / term)
    return z, torch.where(near, step * series, (z.exp() - 1) / torch.where(near, 1, eigenvalues))
