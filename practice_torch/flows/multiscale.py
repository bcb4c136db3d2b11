"""Multi-scale flows (Real NVP, Glow): squeeze space into channels, and let half of the variables leave early.

Forward is the way from data to noise.
"""

import math

import torch
from torch import nn

from practice_torch.arguments import require, require_rank, require_same_shape
from practice_torch.flows._coupling import restored, stretched
from practice_torch.flows._glow import GlowStep, zero_convolution
from practice_torch.flows._masked_step import MaskedStep
from practice_torch.flows._published_glow import PublishedGlow as PublishedGlow
from practice_torch.flows._published_real_nvp import PublishedRealNVP as PublishedRealNVP
from practice_torch.flows.affine_coupling import channel_mask, checkerboard_mask


def squeeze(x):
    r"""z[4c + 2i + j, h, w] = x[c, 2h + i, 2w + j] with i, j in {0, 1}: blocks of 2 x 2 pixels as channels; log-determinant 0.

    Raises ValueError if x has not four axes, or its height or width is odd.  Source: Dinh et al. 2017, section 3.6.
    [B, C, 2*H, 2*W] -> [B, 4*C, H, W]
    """
    require_rank(4, x=x)
    batch, channels, height, width = x.shape
    require(height % 2 == 0 and width % 2 == 0, f"x has shape {list(x.shape)}; height and width must be even")
    # torch's pixel_unshuffle and pixel_shuffle fail on a batch of none
    blocks = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return blocks.permute(0, 1, 3, 5, 2, 4).reshape(batch, 4 * channels, height // 2, width // 2)


def unsqueeze(x):
    r"""z[c, 2h + i, 2w + j] = x[4c + 2i + j, h, w]: squeeze undone, to the last bit.

    Raises ValueError if x has not four axes, or its channels are not a multiple of 4.  Source: Dinh et al. 2017, section 3.6.
    [B, 4*C, H, W] -> [B, C, 2*H, 2*W]
    """
    require_rank(4, x=x)
    batch, channels, height, width = x.shape
    require(channels % 4 == 0, f"x has shape {list(x.shape)}; its channels must be a multiple of 4")
    blocks = x.reshape(batch, channels // 4, 2, 2, height, width)
    return blocks.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels // 4, 2 * height, 2 * width)


def split_prior_log_prob(x, mean_fn, log_var_fn):
    r"""The first half a of the channels, which continues, and log p(b | a) = log N(b; mean_fn(a), e^log_var_fn(a)) of the second.

    In nats. mean_fn and log_var_fn map a batch to one of its shape.

    Raises ValueError if x has an odd number of channels or none, or mean_fn or log_var_fn does not keep the shape.
    Source: Dinh et al. 2017, section 3.6; Kingma & Dhariwal 2018, section 3.
    [B, 2*C, ...] -> [B, C, ...], [B]
    """
    shape = list(x.shape)
    require(len(shape) >= 2 and shape[1] % 2 == 0, f"x has shape {shape}; its second axis must be an even number of channels")
    kept, left = x.tensor_split(2, dim=1)
    mean, log_var = _of_kept(kept, mean_fn, log_var_fn)
    squares = (left - mean).square() * log_var.neg().exp()
    return kept, (squares + log_var + math.log(2 * math.pi)).flatten(1).sum(1) / -2


def split_prior_sample(kept, noise, mean_fn, log_var_fn):
    r"""x = (a, b) with b = mean_fn(a) + e^(log_var_fn(a) / 2) noise: the half that left is drawn, given the half a that was kept.

    Raises ValueError if kept has no axis for the channels, noise has another shape, or mean_fn or log_var_fn does not keep it.
    Source: Dinh et al. 2017, section 3.6; Kingma & Dhariwal 2018, section 3.
    [B, C, ...], [B, C, ...] -> [B, 2*C, ...]
    """
    require(kept.ndim >= 2, f"kept has shape {list(kept.shape)}; its first two axes must be the batch and the channels")
    require_same_shape(kept=kept, noise=noise)
    mean, log_var = _of_kept(kept, mean_fn, log_var_fn)
    return torch.cat([kept, torch.addcmul(mean, (log_var / 2).exp(), noise)], dim=1)


def _of_kept(kept, mean_fn, log_var_fn):
    found = []
    for name, function in (("mean_fn", mean_fn), ("log_var_fn", log_var_fn)):
        found.append(function(kept))
        shape = list(found[-1].shape)
        require(shape == list(kept.shape), f"{name} gives shape {shape}; it must keep that of the half, {list(kept.shape)}")
    return found


class Glow(nn.Module):
    """Levels of steps, between which half of the channels leave: [B, D] -> z [B, D], log_det [B].

    shape: C, H, W of an example before it was flattened. Each level squeezes and takes `depth` steps; each but the last then
    standardizes half of its channels given the others, by a convolution that begins at zero. z begins with what left first.
    """

    def __init__(self, *, shape, num_levels, depth, width, bound):
        super().__init__()
        self.shape, self.depth = tuple(shape), depth
        channels, height, side = self.shape
        sides = f"height and width must be multiples of 2^num_levels = {2**num_levels}"
        require(height % 2**num_levels == 0 and side % 2**num_levels == 0, f"shape is {list(shape)}; {sides}")
        self.blocks, self.priors, self.sizes = nn.ModuleList(), nn.ModuleList(), []
        for level in range(num_levels):
            channels *= 4
            self.blocks.extend(GlowStep(channels, width, bound) for _ in range(depth))
            if level < num_levels - 1:
                channels //= 2
                self.priors.append(zero_convolution(channels, 2 * channels))
                self.sizes.append(math.prod(self.shape) >> level + 1)
        self.coarse = channels, height >> num_levels, side >> num_levels  # the shape of what stays to the end
        self.sizes.append(math.prod(self.coarse))

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        return self._to_noise(x, lambda step, h: step(h))

    def initialize(self, x):
        """Let every step begin where the channels that it gets of this batch are standardized."""
        self._to_noise(x, GlowStep.initialize)

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        *left, last = z.split(self.sizes, dim=1)
        h, total = last.unflatten(1, self.coarse), 0.0
        for level, steps in reversed(list(enumerate(self._levels()))):
            if level < len(left):
                drawn, log_det = stretched(left[level].view_as(h), *self._prior(level, h))
                h, total = torch.cat([h, drawn], 1), total + log_det
            for step in reversed(steps):
                h, log_det = step.inverse(h)
                total = total + log_det
            h = unsqueeze(h)
        return h.flatten(1), total

    def _to_noise(self, x, through):
        h, left, total = x.unflatten(1, self.shape), [], 0.0
        for level, steps in enumerate(self._levels()):
            h = squeeze(h)
            for step in steps:
                h, log_det = through(step, h)
                total = total + log_det
            if level < len(self.priors):
                h, leaving = h.chunk(2, dim=1)
                noise, log_det = restored(leaving, *self._prior(level, h))
                left.append(noise.flatten(1))
                total = total + log_det
        return torch.cat([*left, h.flatten(1)], 1), total

    def _levels(self):
        return [list(self.blocks)[first : first + self.depth] for first in range(0, len(self.blocks), self.depth)]

    def _prior(self, level, kept):
        """Log of the standard deviation, and mean, of the channels that leave, given those that stay."""
        mean, log_var = self.priors[level](kept).to(kept.dtype).chunk(2, dim=1)
        return log_var / 2, mean


class MultiscaleRealNVP(nn.Module):
    """Real NVP on images, of two scales: [B, D] -> z [B, D], log_det [B].

    shape: C, H, W of an example before it was flattened. Three steps with checkerboards as masks, a squeeze, three steps with
    halves of the channels; then half of the channels leave, and the others take four steps with checkerboards. Where the paper
    has batch normalization, every step has activation normalization. z begins with what left.
    """

    def __init__(self, *, shape, width, residual_blocks, bound):
        super().__init__()
        self.shape = channels, height, side = tuple(shape)
        require(height % 2 == 0 and side % 2 == 0, f"shape is {list(shape)}; height and width must be even")
        fine = [checkerboard_mask(height=height, width=side, flip=flip) for flip in (False, True)]
        across = [channel_mask(channels=4 * channels, flip=flip) for flip in (False, True)]
        coarse = [checkerboard_mask(height=height // 2, width=side // 2, flip=flip) for flip in (False, True)]
        of_scale = ((channels, fine, 3), (4 * channels, across, 3), (2 * channels, coarse, 4))
        self.blocks = nn.ModuleList(
            MaskedStep(width_of, masks[number % 2], width, residual_blocks, bound)
            for width_of, masks, count in of_scale
            for number in range(count)
        )

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        return self._to_noise(x, lambda step, h: step(h))

    def initialize(self, x):
        """Let every step begin where the channels that it gets of this batch are standardized."""
        self._to_noise(x, MaskedStep.initialize)

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        channels, height, side = self.shape
        left, kept = (half.unflatten(1, (2 * channels, height // 2, side // 2)) for half in z.chunk(2, dim=1))
        kept, of_last = self._through(kept, reversed(self.blocks[6:]), MaskedStep.inverse)
        h, of_middle = self._through(torch.cat([kept, left], 1), reversed(self.blocks[3:6]), MaskedStep.inverse)
        h, of_first = self._through(unsqueeze(h), reversed(self.blocks[:3]), MaskedStep.inverse)
        return h.flatten(1), of_first + of_middle + of_last

    def _to_noise(self, x, through):
        h, of_first = self._through(x.unflatten(1, self.shape), self.blocks[:3], through)
        h, of_middle = self._through(squeeze(h), self.blocks[3:6], through)
        kept, left = h.chunk(2, dim=1)
        kept, of_last = self._through(kept, self.blocks[6:], through)
        return torch.cat([left.flatten(1), kept.flatten(1)], 1), of_first + of_middle + of_last

    @staticmethod
    def _through(h, steps, through):
        total = 0.0
        for step in steps:
            h, log_det = through(step, h)
            total = total + log_det
        return h, total
