"""Discretization of diagonal systems with a held input, for any number of axes, in real arithmetic.

Compilers generate no code for complex numbers: here they are pairs of a real and an imaginary part.
"""

import torch


def held(real, imaginary, step):
    """z = step eigenvalue and (e^z - 1)/eigenvalue, the step where z = 0: e^z multiplies the state, the quotient the input."""
    z = x, y = step * real, step * imaginary
    half = x / 2, y / 2
    size = torch.addcmul(x.square(), y, y)
    near = size.detach() < 0.25
    root = (magnitude := half[0].exp()) * half[1].cos(), magnitude * half[1].sin()
    # Neither the quotient nor its derivative keeps its digits as z -> 0. There (e^z - 1)/z is e^(z/2) sinh(z/2)/(z/2), the series
    # of which is 1 + q/6 (1 + q/20 (1 + ...)) with q = (z/2)^2: inside out.
    q = tuple(torch.where(near, part, 0) for part in product(half, half))
    one = x.new_ones(())
    series = torch.add(one, q[0], alpha=1 / 110), q[1] / 110
    for term in (72, 42, 20, 6):
        more = product(q, series)
        series = torch.add(one, more[0], alpha=1 / term), more[1] / term
    power = product(root, root)
    less, size = (power[0] - 1, power[1]), torch.where(near, 1, size)
    quotient = torch.addcmul(less[0] * x, less[1], y) / size, torch.addcmul(less[1] * x, less[0], y, value=-1) / size
    parts = zip(product(root, series), quotient, strict=True)
    return z, tuple(step * torch.where(near, *part) for part in parts)


def product(left, right):
    """Real and imaginary part of the product of two pairs."""
    real = torch.addcmul(left[0] * right[0], left[1], right[1], value=-1)
    return real, torch.addcmul(left[0] * right[1], left[1], right[0])


def exponentials(z, times):
    """Real and imaginary part of e^(z t), [...] twice, [L] -> [..., L] twice."""
    magnitude, angle = (z[0].unsqueeze(-1) * times).exp(), z[1].unsqueeze(-1) * times
    return magnitude * angle.cos(), magnitude * angle.sin()
