"""One step of Glow: activation normalization, an invertible 1x1 convolution in its LU form, and an affine coupling."""

import torch
from torch import nn

from practice_torch.flows import actnorm, invertible_convolution
from practice_torch.flows._coupling import restored, stretched
from practice_torch.flows.affine_coupling import bounded_log_scale
from practice_torch.networks.linear import in_own_precision


class GlowStep(nn.Module):
    """[B, C, H, W] -> z [B, C, H, W], log_det [B]; C is even.

    The convolution begins at a random rotation; its permutation and signs are never trained. The network of the coupling has
    three layers: 3x3, 1x1 and 3x3, the last of which begins at zero. The normalization begins at the identity, and after
    `initialize` where the channels of a batch are standardized.

    Under autocast only that network is in half precision. Its result then jumps where an input crosses an edge of rounding, and
    where the log-scales are large an image may come back from its noise no closer than that.
    """

    def __init__(self, channels, width, bound):
        super().__init__()
        self.bound = bound
        self.shift, self.log_scale = (nn.Parameter(torch.zeros(channels)) for _ in range(2))
        rotation = nn.init.orthogonal_(torch.empty(channels, channels))
        permutation, lower, upper, log_diagonal, sign = invertible_convolution.decompose(rotation)
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", sign)
        self.lower, self.upper, self.log_diagonal = map(nn.Parameter, (lower, upper, log_diagonal))
        self.network = nn.Sequential(
            nn.Conv2d(channels // 2, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            zero_convolution(width, channels),
        )

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        normal, of_norm = actnorm.forward(x, self.shift, self.log_scale)
        with in_own_precision(x.device.type):  # half precision could not be undone
            mixed = (self._weight() @ normal.flatten(2)).view_as(normal)
        kept, moving = mixed.chunk(2, dim=1)
        moved, of_coupling = stretched(moving, *self._affine(kept))
        of_weight = self.log_diagonal.sum() * (x.shape[2] * x.shape[3])
        return torch.cat([kept, moved], 1), of_norm + of_weight + of_coupling

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        kept, moved = z.chunk(2, dim=1)
        moving, of_coupling = restored(moved, *self._affine(kept))
        with in_own_precision(z.device.type):
            normal, of_weight = invertible_convolution.inverse(torch.cat([kept, moving], 1), self._weight())
        x, of_norm = actnorm.inverse(normal, self.shift, self.log_scale)
        return x, of_norm + of_weight + of_coupling

    @torch.no_grad()
    def initialize(self, x):
        """Standardize every channel of this batch by the normalization; what forward then makes of it."""
        for parameter, value in zip((self.shift, self.log_scale), actnorm.initialize(x), strict=True):
            parameter.copy_(value)
        return self(x)

    def _weight(self):
        return invertible_convolution.assemble(self.permutation, self.lower, self.upper, self.log_diagonal, self.sign)

    def _affine(self, kept):
        raw, shift = self.network(kept).to(kept.dtype).chunk(2, dim=1)
        return bounded_log_scale(raw, bound=self.bound), shift


def zero_convolution(inputs, outputs):
    """A 3x3 convolution that begins at zero."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
