"""Additive coupling (NICE): layers around networks that are never inverted, with the determinant 1.

Forward is the way from data x to noise z.
"""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require_at_least, require_batch, require_rank, require_shape
from practice_torch.flows._coupling import checkerboard_halves, conditioned, require_finite_exponential, require_mask
from practice_torch.networks.perceptron import perceptron


def alternating_mask(*, dim, flip=False):
    r"""True at the even indices of 0..dim-1, at the odd ones if flip: what passes unchanged.

    Raises ValueError if dim < 2: such a mask leaves nothing to pass, or nothing to change.
    Source: Dinh et al. 2014, section 3.2.
    -> [D]
    """
    require_at_least(2, dim=dim)
    return torch.arange(dim) % 2 == int(flip)


def forward(x, mask, shift_fn):
    r"""z = x + (1 - m) shift_fn(m x), from data to noise; the log-determinant is 0. m is 1 where mask is True.

    shift_fn maps a batch to one of its shape. Axes of mask that have size 1 stand for all sizes.

    Raises ValueError if mask does not fit an example of x or holds no truth values, or shift_fn does not keep the shape.
    Source: Dinh et al. 2014, eq. 4.
    [B, ...], [...] -> [B, ...]
    """
    require_mask(x, mask)
    return torch.where(mask, x, x + conditioned(x, mask, shift_fn, "shift_fn"))


def inverse(z, mask, shift_fn):
    r"""x = z - (1 - m) shift_fn(m z), from noise to data: forward with the sign changed, as m z = m x.

    Raises ValueError as forward does, of z in place of x.  Source: Dinh et al. 2014, section 3.2.
    [B, ...], [...] -> [B, ...]
    """
    require_mask(z, mask)
    return torch.where(mask, z, z - conditioned(z, mask, shift_fn, "shift_fn"))


def diagonal_scaling(x, log_scale):
    r"""z = e^log_scale x, and log |det dz/dx| = sum_d log_scale_d for every example, in nats.

    Raises ValueError if log_scale has not one entry for each of x, or e^|log_scale| overflows.
    Source: Dinh et al. 2014, section 3.3.
    [B, D], [D] -> [B, D], [B]
    """
    require_rank(2, x=x)
    require_shape(x.shape[1:], log_scale=log_scale)
    require_finite_exponential(log_scale=log_scale)
    return x * log_scale.exp(), log_scale.sum().expand(len(x))


def logistic_log_prob(z):
    r"""-sum_d [softplus(z_d) + softplus(-z_d)], in nats: the log-density of independent standard logistic variables.

    Raises ValueError if z has no axis for the batch.  Source: Dinh et al. 2014, section 3.4.
    [B, ...] -> [B]
    """
    require_batch(z=z)
    # torch's softplus is the identity beyond 20, its logsigmoid is accurate everywhere
    terms = functional.logsigmoid(z) + functional.logsigmoid(-z)
    return terms if z.ndim == 1 else terms.sum(tuple(range(1, z.ndim)))


class NICE(nn.Module):
    """Coupling layers with alternating masks, then a diagonal scaling: [B, D] -> z [B, D], log_det [B].

    Both halves are kept apart, so a layer's network sees what passes alone, and has no output for it.
    """

    def __init__(self, *, dim, layers, hidden):
        super().__init__()
        *halves, back = checkerboard_halves((dim,))
        for name, places in zip(("even", "odd", "back"), (*halves, back), strict=True):
            self.register_buffer(name, places, persistent=False)
        sizes = [(len(halves[number % 2]), *hidden, len(halves[1 - number % 2])) for number in range(layers)]
        self.shifts = nn.ModuleList(perceptron(*of_layer, activation=nn.ReLU) for of_layer in sizes)
        self.log_scale = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        halves = [x[:, self.even], x[:, self.odd]]
        for number, shift in enumerate(self.shifts):
            passing, moving = number % 2, 1 - number % 2
            halves[moving] = halves[moving] + shift(halves[passing])
        return diagonal_scaling(torch.cat(halves, 1)[:, self.back], self.log_scale)

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        x, log_det = diagonal_scaling(z, -self.log_scale)
        halves = [x[:, self.even], x[:, self.odd]]
        for number in reversed(range(len(self.shifts))):
            passing, moving = number % 2, 1 - number % 2
            halves[moving] = halves[moving] - self.shifts[number](halves[passing])
        return torch.cat(halves, 1)[:, self.back], log_det
