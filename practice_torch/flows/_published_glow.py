"""Glow as its authors' code has it: normalized convolutions, scales by a sigmoid, and a trained law of what stays to the end.

Source: github.com/openai/glow, model.py and tfops.py. Logarithms of scales are trained as a third of what they are there, too.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require
from practice_torch.flows import actnorm, invertible_convolution
from practice_torch.flows._coupling import restored, stretched, total
from practice_torch.networks.linear import in_own_precision

FACTOR = 3.0  # of the trained logarithms of scales


class PublishedGlow(nn.Module):
    """Glow as published, with affine couplings: [B, D] -> z [B, D], log_det [B].

    shape: C, H, W of an example before it was flattened. Levels, steps and the order of z are those of Glow. What stays to the
    end has a mean and a scale, too, trained for every channel and place relative to the border.
    """

    def __init__(self, *, shape, num_levels, depth, width):
        super().__init__()
        self.shape, self.depth = tuple(shape), depth
        channels, height, side = self.shape
        sides = f"height and width must be multiples of 2^num_levels = {2**num_levels}"
        require(height % 2**num_levels == 0 and side % 2**num_levels == 0, f"shape is {list(shape)}; {sides}")
        self.blocks, self.priors, self.sizes = nn.ModuleList(), nn.ModuleList(), []
        for level in range(num_levels):
            channels *= 4
            self.blocks.extend(PublishedGlowStep(channels, width) for _ in range(depth))
            if level < num_levels - 1:
                channels //= 2
                self.priors.append(ZeroConvolution(channels, 2 * channels))
                self.sizes.append(math.prod(self.shape) >> level + 1)
        self.top = ZeroConvolution(0, 2 * channels)
        self.coarse = channels, height >> num_levels, side >> num_levels  # the shape of what stays to the end
        self.sizes.append(math.prod(self.coarse))

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        return self._to_noise(x, lambda step, h: step(h))

    def initialize(self, x):
        """Let every normalization begin where the channels that it gets of this batch are standardized."""
        self._to_noise(x, PublishedGlowStep.initialize)

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        *left, last = z.split(self.sizes, dim=1)
        h, of_all = stretched(last.unflatten(1, self.coarse), *self._law(self.top, z.new_zeros(len(z), 0, *self.coarse[1:])))
        for level, steps in reversed(list(enumerate(self._levels()))):
            if level < len(left):
                drawn, log_det = stretched(left[level].view_as(h), *self._law(self.priors[level], h))
                h, of_all = torch.cat([h, drawn], 1), of_all + log_det
            for step in reversed(steps):
                h, log_det = step.inverse(h)
                of_all = of_all + log_det
            h = functional.pixel_shuffle(h, 2)
        return h.flatten(1), of_all

    def _to_noise(self, x, through):
        h, left, of_all = x.unflatten(1, self.shape), [], 0.0
        for level, steps in enumerate(self._levels()):
            h = functional.pixel_unshuffle(h, 2)
            for step in steps:
                h, log_det = through(step, h)
                of_all = of_all + log_det
            if level < len(self.priors):
                h, leaving = h.chunk(2, dim=1)
                noise, log_det = restored(leaving, *self._law(self.priors[level], h))
                left.append(noise.flatten(1))
                of_all = of_all + log_det
        noise, log_det = restored(h, *self._law(self.top, h[:, :0]))
        return torch.cat([*left, noise.flatten(1)], 1), of_all + log_det

    def _levels(self):
        return [list(self.blocks)[first : first + self.depth] for first in range(0, len(self.blocks), self.depth)]

    @staticmethod
    def _law(convolution, kept):
        """Log of the standard deviation, and mean, of channels given others, or given none."""
        mean, log_deviation = convolution(kept).to(kept.dtype).chunk(2, dim=1)
        return log_deviation, mean


class PublishedGlowStep(nn.Module):
    """[B, C, H, W] -> z [B, C, H, W], log_det [B]; C is even.

    Normalization, a 1x1 convolution by a matrix that begins at a random rotation, and a coupling that begins at a scale of
    sigmoid(2), behind which it shifts: z = (x + shift) sigmoid(raw + 2).
    """

    def __init__(self, channels, width):
        super().__init__()
        self.shift, self.log_scale = (nn.Parameter(torch.zeros(channels)) for _ in range(2))
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(channels, channels)))
        self.first = NormalizedConvolution(channels // 2, width, 3)
        self.second = NormalizedConvolution(width, width, 1)
        self.last = ZeroConvolution(width, channels)

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        return self._through(x, lambda convolution, h: convolution(h))

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        kept, moved = z.chunk(2, dim=1)
        log_scale, shift = self._affine(kept, lambda convolution, h: convolution(h))
        mixed = torch.cat([kept, moved * log_scale.neg().exp() - shift], 1)
        with in_own_precision(z.device.type):  # half precision could not be undone
            normal, of_weight = invertible_convolution.inverse(mixed, self.weight)
        x, of_norm = actnorm.inverse(normal, self.shift, FACTOR * self.log_scale)
        return x, of_norm + of_weight - total(log_scale)

    @torch.no_grad()
    def initialize(self, x):
        """Standardize the channels of this batch, and those of the hidden layers; what forward then makes of it."""
        standardize(self, x)
        return self._through(x, NormalizedConvolution.initialize)

    def _through(self, x, convolved):
        normal, of_norm = actnorm.forward(x, self.shift, FACTOR * self.log_scale)
        with in_own_precision(x.device.type):
            mixed, of_weight = invertible_convolution.forward(normal, self.weight)
        kept, moving = mixed.chunk(2, dim=1)
        log_scale, shift = self._affine(kept, convolved)
        return torch.cat([kept, (moving + shift) * log_scale.exp()], 1), of_norm + of_weight + total(log_scale)

    def _affine(self, kept, convolved):
        hidden = convolved(self.second, convolved(self.first, kept).relu()).relu()
        shift, raw = self.last(hidden).to(kept.dtype).chunk(2, dim=1)
        return functional.logsigmoid(raw + 2), shift


class NormalizedConvolution(nn.Module):
    """[B, C, H, W] -> [B, O, H, W]: a convolution without a bias, whose results are normalized; 3x3 ones see the border."""

    def __init__(self, inputs, outputs, side):
        super().__init__()
        self.weight = nn.Parameter(0.05 * torch.randn(outputs, inputs + (side > 1), side, side))
        self.shift, self.log_scale = (nn.Parameter(torch.zeros(outputs)) for _ in range(2))

    def forward(self, x):
        """The normalized results."""
        return actnorm.forward(self._convolved(x), self.shift, FACTOR * self.log_scale)[0]

    def initialize(self, x):
        """Standardize the results for this batch."""
        standardize(self, self._convolved(x))
        return self(x)

    def _convolved(self, x):
        return functional.conv2d(x, self.weight) if self.weight.shape[-1] == 1 else convolved_with_border(x, self.weight)


class ZeroConvolution(nn.Module):
    """[B, C, H, W] -> [B, O, H, W]: a 3x3 convolution that begins at zero and sees the border, with a trained scale a channel."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs + 1, 3, 3))
        self.bias, self.log_scale = (nn.Parameter(torch.zeros(outputs)) for _ in range(2))

    def forward(self, x):
        """The results; those of no channels, C = 0, are what the border alone gives."""
        bias, log_scale = (part[:, None, None] for part in (self.bias, self.log_scale))
        return (convolved_with_border(x, self.weight) + bias) * (FACTOR * log_scale).exp()


def convolved_with_border(x, weight):
    """A 3x3 convolution of x with a channel that is 1 around the image and 0 inside of it: [B, C, H, W], [O, C+1, 3, 3]."""
    border = functional.pad(x.new_zeros(1, 1, *x.shape[2:]), (1, 1, 1, 1), value=1.0)
    seen = functional.conv2d(border, weight[:, -1:])
    if x.shape[1] == 0:
        return seen.expand(len(x), -1, -1, -1)
    return functional.conv2d(x, weight[:, :-1], padding=1) + seen


@torch.no_grad()
def standardize(module, x):
    """Set a module's shift and log-scale to those that standardize every channel of x."""
    shift, log_scale = actnorm.initialize(x)
    module.shift.copy_(shift)
    module.log_scale.copy_(log_scale / FACTOR)
