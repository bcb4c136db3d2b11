"""Affine coupling (Real NVP): layers that stretch by an amount that depends on the point, with a determinant in O(D).

Forward is the way from data x to noise z.
"""

import torch
from torch import nn

from practice_torch.arguments import require, require_at_least, require_positive
from practice_torch.flows._coupling import (
    checkerboard_halves,
    conditioned,
    require_finite_exponential,
    require_mask,
    restored,
    stretched,
)
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.networks.perceptron import perceptron


def checkerboard_mask(*, height, width, flip=False):
    r"""True where row + column is even, odd if flip: these entries are kept. The axis of size 1 is broadcast to all channels.

    Raises ValueError if height or width < 1, or both are 1: such a mask leaves nothing to pass, or nothing to change.
    Source: Dinh et al. 2017, section 3.4.
    -> [1, H, W]
    """
    require_at_least(1, height=height, width=width)
    require(height * width > 1, "height and width are 1; a mask needs at least 2 places")
    rows, columns = torch.arange(height), torch.arange(width)
    return torch.add(rows[None, :, None], columns).remainder(2) == int(flip)


def channel_mask(*, channels, flip=False):
    r"""True for the first half of the channels (rounded down), for the others if flip.

    Raises ValueError if channels < 2: such a mask leaves nothing to pass, or nothing to change.
    Source: Dinh et al. 2017, section 3.4.
    -> [C, 1, 1]
    """
    require_at_least(2, channels=channels)
    first = torch.arange(channels) < channels // 2
    return (~first if flip else first)[:, None, None]


def forward(x, mask, log_scale_fn, shift_fn):
    r"""z = m x + (1 - m) (x e^s + t) and log |det dz/dx| = sum (1 - m) s, with s and t the two functions of m x.

    From data to noise; m is 1 where mask is True. log_scale_fn and shift_fn map a batch to one of its shape. Axes of mask that
    have size 1 stand for all sizes.

    Raises ValueError if mask does not fit an example of x or holds no truth values, log_scale_fn or shift_fn does not keep the
    shape, or e^|s| overflows.  Source: Dinh et al. 2017, eq. 4 to 6 and 9.
    [B, ...], [...] -> [B, ...], [B]
    """
    log_scale, shift = _scale_and_shift(x, mask, log_scale_fn, shift_fn)
    return stretched(x, log_scale, shift)


def inverse(z, mask, log_scale_fn, shift_fn):
    r"""x = m z + (1 - m) (z - t) e^-s and log |det dx/dz| = -sum (1 - m) s, with s and t the two functions of m z = m x.

    Raises ValueError as forward does, of z in place of x.  Source: Dinh et al. 2017, eq. 8.
    [B, ...], [...] -> [B, ...], [B]
    """
    log_scale, shift = _scale_and_shift(z, mask, log_scale_fn, shift_fn)
    return restored(z, log_scale, shift)


def bounded_log_scale(raw, *, bound=2.0):
    r"""bound tanh(raw / bound): the identity to first order at 0, and never beyond the bound.

    Raises ValueError if bound is not positive.  Source: Dinh et al. 2017, section 4.1 (tanh with a learned bound).
    [...] -> [...]
    """
    require_positive(bound=bound)
    return torch.tanh(raw / bound) * bound


def log_prob(x, masks, log_scale_fns, shift_fns):
    r"""log p(x) = log N(z; 0, I) + the log-determinants of all layers, in nats; the first layer is applied to x.

    Raises ValueError if masks, log_scale_fns and shift_fns differ in number, or as forward does.
    Source: Dinh et al. 2017, eq. 2 and 3.
    [B, ...], ([...]) -> [B]
    """
    for name, functions in (("log_scale_fns", log_scale_fns), ("shift_fns", shift_fns)):
        require(len(functions) == len(masks), f"{name} has {len(functions)} layers; it must have as many as masks, {len(masks)}")
    total = 0.0
    for layer in zip(masks, log_scale_fns, shift_fns, strict=True):
        x, log_det = forward(x, *layer)
        total = total + log_det
    return standard_normal_log_prob(x) + total


def _scale_and_shift(x, mask, log_scale_fn, shift_fn):
    """Both functions of what passes, 0 where an entry passes."""
    require_mask(x, mask)
    log_scale = conditioned(x, mask, log_scale_fn, "log_scale_fn").masked_fill(mask, 0.0)
    require_finite_exponential(log_scale_fn=log_scale)
    return log_scale, conditioned(x, mask, shift_fn, "shift_fn").masked_fill(mask, 0.0)


class RealNVP(nn.Module):
    """Affine layers, of perceptrons with bounded log-scales: [B, D] -> z [B, D], log_det [B].

    shape: of an example before it was flattened; images have checkerboard masks, vectors alternating ones. Both halves are kept
    apart, so a layer's network sees what passes alone, and has no output for it. The last layers of the perceptrons begin at
    zero, and the flow at the identity.
    """

    def __init__(self, *, shape, layers, hidden, bound):
        super().__init__()
        self.bound = bound
        *halves, back = checkerboard_halves(tuple(shape))
        for name, places in zip(("even", "odd", "back"), (*halves, back), strict=True):
            self.register_buffer(name, places, persistent=False)
        sizes = [(len(halves[number % 2]), *hidden, 2 * len(halves[1 - number % 2])) for number in range(layers)]
        self.networks = nn.ModuleList(perceptron(*of_layer, activation=nn.ReLU) for of_layer in sizes)
        for network in self.networks:
            nn.init.zeros_(network[-1].weight)
            nn.init.zeros_(network[-1].bias)

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        return self._through(x, enumerate(self.networks), stretched)

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        return self._through(z, reversed(list(enumerate(self.networks))), restored)

    def _through(self, x, networks, moved):
        halves, total = [x[:, self.even], x[:, self.odd]], 0.0
        for number, network in networks:
            passing, moving = number % 2, 1 - number % 2
            raw, shift = network(halves[passing]).chunk(2, dim=1)  # one pass of the network gives both
            halves[moving], log_det = moved(halves[moving], bounded_log_scale(raw, bound=self.bound), shift)
            total = total + log_det
        return torch.cat(halves, 1)[:, self.back], total
