"""Real NVP of two scales as its authors' code has it: residual networks with batch and weight normalization, behind skips.

Source: github.com/tensorflow/models, research/real_nvp, of which the paper's sizes for CIFAR-10 are n_scale=2, base_dim=64 and
residual_blocks=8.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require
from practice_torch.flows import actnorm
from practice_torch.flows._batch_normalization import RunningMoments
from practice_torch.flows._coupling import total
from practice_torch.flows.affine_coupling import checkerboard_mask

MOMENTS = {"decay": 0.9, "eps": 1e-4}


class PublishedRealNVP(nn.Module):
    """Real NVP of two scales as published: [B, D] -> z [B, D], log_det [B].

    shape: C, H, W of an example before it was flattened. Three couplings with checkerboards, a squeeze, three of halves of the
    channels, with twice the width; then the places of a diagonal of every 2 x 2 pixels take four with checkerboards, and the
    others leave. z begins with what left. Behind every coupling is batch normalization of what it moved.
    """

    def __init__(self, *, shape, width, residual_blocks):
        super().__init__()
        self.shape = channels, height, side = tuple(shape)
        require(height % 2 == 0 and side % 2 == 0, f"shape is {list(shape)}; height and width must be even")
        of_network = {"width": 2 * width, "residual_blocks": residual_blocks}
        fine = [checkerboard_mask(height=height, width=side, flip=flip) for flip in (False, True)]
        coarse = [checkerboard_mask(height=height // 2, width=side // 2, flip=flip) for flip in (False, True)]
        self.fine = nn.ModuleList(CheckerboardCoupling(channels, fine[number % 2], width, residual_blocks) for number in range(3))
        self.across = nn.ModuleList(ChannelCoupling(4 * channels, number % 2, **of_network) for number in range(3))
        self.coarse = nn.ModuleList(CheckerboardCoupling(2 * channels, coarse[number % 2], **of_network) for number in range(4))
        # of each channel the places (0, 0) and (1, 1) of 2 x 2 pixels stay, and (0, 1) and (1, 0) leave
        order = [4 * channel + place for place in (0, 3, 1, 2) for channel in range(channels)]
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.register_buffer("back", torch.tensor(order).argsort(), persistent=False)

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        h, of_fine = through(x.unflatten(1, self.shape), self.fine)
        h, of_across = through(functional.pixel_unshuffle(h, 2), self.across)
        kept, left = h[:, self.order].chunk(2, dim=1)
        kept, of_coarse = through(kept, self.coarse)
        return torch.cat([left.flatten(1), kept.flatten(1)], 1), of_fine + of_across + of_coarse

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        channels, height, side = self.shape
        left, kept = (half.unflatten(1, (2 * channels, height // 2, side // 2)) for half in z.chunk(2, dim=1))
        kept, of_coarse = back_through(kept, self.coarse)
        h, of_across = back_through(torch.cat([kept, left], 1)[:, self.back], self.across)
        h, of_fine = back_through(functional.pixel_shuffle(h, 2), self.fine)
        return h.flatten(1), of_fine + of_across + of_coarse

    def penalized(self):
        """What an L2 penalty is of: the lengths of weights, and the factors of log-scales of couplings with checkerboards."""
        of_checkerboards = [step.factor for step in (*self.fine, *self.coarse)]
        return [*of_checkerboards, *(part for name, part in self.named_parameters() if name.endswith(".length"))]


def through(h, steps):
    """h behind all steps, and the sum of their log-determinants."""
    of_all = 0.0
    for step in steps:
        h, log_det = step(h)
        of_all = of_all + log_det
    return h, of_all


def back_through(h, steps):
    """The same from the last step to the first, by their inverses."""
    of_all = 0.0
    for step in reversed(steps):
        h, log_det = step.inverse(h)
        of_all = of_all + log_det
    return h, of_all


class CheckerboardCoupling(nn.Module):
    """[B, C, H, W] -> z [B, C, H, W], log_det [B]; what the mask is True for passes unchanged, also the batch normalization."""

    def __init__(self, channels, mask, width, residual_blocks):
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)
        self.entry, self.moments = Centered(channels), RunningMoments(channels, **MOMENTS)
        self.network = ResidualNetwork(2 * channels + 1, 2 * channels, width, residual_blocks)
        self.factor = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        log_scale, shift = self._affine(x)
        moved = (x + shift) * log_scale.exp()
        mean, log_deviation = self._statistics(self.moments(moved.masked_fill(self.mask, 0.0)))
        return (moved - mean) * log_deviation.neg().exp(), total(log_scale - log_deviation)

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        mean, log_deviation = self._statistics(self.moments.kept())
        moved = z * log_deviation.exp() + mean
        log_scale, shift = self._affine(moved)
        return moved * log_scale.neg().exp() - shift, total(log_deviation - log_scale)

    def _statistics(self, moments):
        mean, variance = (part[:, None, None] for part in moments)
        return mean.masked_fill(self.mask, 0.0), (variance.log() / 2).masked_fill(self.mask, 0.0)

    def _affine(self, x):
        seen = 2 * self.entry(x.masked_fill(~self.mask, 0.0))
        mask = self.mask.to(seen.dtype).expand(len(x), -1, -1, -1)
        log_scale, shift = log_scale_and_shift(self.network, torch.cat([seen, -seen, mask], 1), self.factor, x.dtype)
        return log_scale.masked_fill(self.mask, 0.0), shift.masked_fill(self.mask, 0.0)


class ChannelCoupling(nn.Module):
    """[B, C, H, W] -> z [B, C, H, W], log_det [B]; the first half of the channels passes, or the second if flip."""

    def __init__(self, channels, flip, width, residual_blocks):
        super().__init__()
        self.flip, half = flip, channels // 2
        self.entry, self.moments = Centered(half), RunningMoments(half, **MOMENTS)
        self.network = ResidualNetwork(channels, channels, width, residual_blocks)
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        kept, moving = self._halves(x)
        log_scale, shift = self._affine(kept)
        moved = (moving + shift) * log_scale.exp()
        mean, variance = self.moments(moved)
        z, of_norm = actnorm.forward(moved, -mean, variance.log() / -2)
        return torch.cat(self._halves(torch.cat([kept, z], 1)), 1), total(log_scale) + of_norm

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        kept, moved = self._halves(z)
        mean, variance = self.moments.kept()
        moved, of_norm = actnorm.inverse(moved, -mean, variance.log() / -2)
        log_scale, shift = self._affine(kept)
        moving = moved * log_scale.neg().exp() - shift
        return torch.cat(self._halves(torch.cat([kept, moving], 1)), 1), of_norm - total(log_scale)

    def _halves(self, x):
        """What passes and what moves; of both together, the halves in their own order."""
        halves = x.chunk(2, dim=1)
        return halves[::-1] if self.flip else halves

    def _affine(self, kept):
        seen = self.entry(kept)
        return log_scale_and_shift(self.network, torch.cat([seen, -seen], 1), self.factor, kept.dtype)


def log_scale_and_shift(network, seen, factor, dtype):
    """factor tanh(raw) and the shift that a network gives for the positive parts of what it sees."""
    shift, raw = network(seen.relu()).to(dtype).chunk(2, dim=1)
    return factor * torch.tanh(raw), shift


class ResidualNetwork(nn.Module):
    """[B, C, H, W] -> [B, O, H, W]: residual blocks of two 3x3 convolutions; a 1x1 one of each block's result goes to the end."""

    def __init__(self, inputs, outputs, width, residual_blocks):
        super().__init__()
        self.first = Convolution(inputs, width, 3, length=False)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(residual_blocks))
        self.skips = nn.ModuleList(Convolution(width, width, 1) for _ in range(residual_blocks + 1))
        self.norm, self.last = Centered(width), Convolution(width, outputs, 1)

    def forward(self, x):
        """The sum of all skips, normalized, rectified and convolved."""
        h = self.first(x)
        found = self.skips[0](h)
        for block, skip in zip(self.blocks, self.skips[1:], strict=True):
            h = block(h)
            found = found + skip(h)
        return self.last(self.norm(found).relu())


class ResidualBlock(nn.Module):
    """[B, C, H, W] -> [B, C, H, W]"""

    def __init__(self, width):
        super().__init__()
        self.norms = nn.ModuleList(Centered(width) for _ in range(2))
        self.one, self.two = Convolution(width, width, 3, length=False, bias=False), Convolution(width, width, 3)

    def forward(self, x):
        """x and what two convolutions make of it, each behind a normalization and a rectifier."""
        h = self.one(self.norms[0](x).relu())
        return x + self.two(self.norms[1](h).relu())


class Centered(nn.Module):
    """[B, C, ...] -> [B, C, ...]: batch normalization with a trained offset and no scale."""

    def __init__(self, channels):
        super().__init__()
        self.moments, self.offset = RunningMoments(channels, **MOMENTS), nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        """x by the moments of the batch in training, of all batches in evaluation."""
        mean, variance, offset = (part[:, None, None] for part in (*self.moments(x), self.offset))
        return (x - mean) * variance.rsqrt() + offset


class Convolution(nn.Module):
    """[B, C, H, W] -> [B, O, H, W] with kernels of length 1, or of a trained length, and in the direction of the weight."""

    def __init__(self, inputs, outputs, side, *, length=True, bias=True):
        super().__init__()
        end = math.sqrt(2 / inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, side, side).uniform_(-end, end))
        self.length = nn.Parameter(torch.full((outputs,), side / math.sqrt(6))) if length else None
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x):
        """The convolution."""
        lengths = 1.0 if self.length is None else self.length[:, None, None, None]
        kernel = lengths * self.weight / self.weight.square().sum((1, 2, 3), keepdim=True).sqrt()
        return functional.conv2d(x, kernel, self.bias, padding=self.weight.shape[-1] // 2)
