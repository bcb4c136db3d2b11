"""One step of Real NVP on images: activation normalization, and an affine coupling of what a mask leaves to change."""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.flows import actnorm
from practice_torch.flows._coupling import restored, stretched
from practice_torch.flows._glow import GlowStep, zero_convolution
from practice_torch.flows.affine_coupling import bounded_log_scale


class MaskedStep(nn.Module):
    """[B, C, H, W] -> z [B, C, H, W], log_det [B]; what the mask is True for passes the coupling unchanged.

    The coupling begins at the identity, as its network ends in zeros; the normalization begins there too, and after `initialize`
    where the channels of a batch are standardized.
    """

    def __init__(self, channels, mask, width, residual_blocks, bound):
        super().__init__()
        self.bound = bound
        self.shift, self.log_scale = (nn.Parameter(torch.zeros(channels)) for _ in range(2))
        self.register_buffer("mask", mask, persistent=False)
        self.network = ResidualNetwork(channels, 2 * channels, width, residual_blocks)

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        normal, of_norm = actnorm.forward(x, self.shift, self.log_scale)
        z, of_coupling = stretched(normal, *self._affine(normal))
        return z, of_norm + of_coupling

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        normal, of_coupling = restored(z, *self._affine(z))
        x, of_norm = actnorm.inverse(normal, self.shift, self.log_scale)
        return x, of_norm + of_coupling

    initialize = GlowStep.initialize  # of its own shift and log-scale

    def _affine(self, x):
        raw, shift = self.network(x.masked_fill(~self.mask, 0.0)).to(x.dtype).chunk(2, dim=1)
        log_scale = bounded_log_scale(raw, bound=self.bound)
        return log_scale.masked_fill(self.mask, 0.0), shift.masked_fill(self.mask, 0.0)


class ResidualNetwork(nn.Module):
    """A convolution, residual blocks of two each, and a last one initialized to zero; all 3x3."""

    def __init__(self, inputs, outputs, width, residual_blocks):
        super().__init__()
        self.first, self.last = nn.Conv2d(inputs, width, 3, padding=1), zero_convolution(width, outputs)
        pairs = ((nn.Conv2d(width, width, 3, padding=1) for _ in range(2)) for _ in range(residual_blocks))
        self.pairs = nn.ModuleList(nn.ModuleList(pair) for pair in pairs)

    def forward(self, x):
        """[B, C, H, W] -> [B, C', H, W]"""
        h = self.first(x)
        for one, two in self.pairs:
            h = h + two(functional.relu(one(functional.relu(h))))
        return self.last(functional.relu(h))
