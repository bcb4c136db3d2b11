"""Progressive growing: fading in a resolution, normalizing pixels, scaling weights where they are used, and the schedule."""

import itertools
import math

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu, linear

from practice_torch.adversarial.minibatch_discrimination import minibatch_standard_deviation
from practice_torch.arguments import (
    as_int64,
    require,
    require_integers,
    require_positive,
    require_rank,
    require_shape,
    require_share,
    require_values,
)


def fade_in(low, high, *, alpha):
    r"""(1 - alpha) U l + alpha h, where U repeats each pixel of low in a block of 2 x 2: at alpha = 0 the old output, enlarged.

    Raises ValueError unless high is low with both sides doubled and alpha is in [0, 1].
    Source: Karras et al. 2018, section 2 and figure 2.
    [B, C, H, W], [B, C, 2*H, 2*W] -> [B, C, 2*H, 2*W]
    """
    require_rank(4, low=low)
    batch, channels, height, width = low.shape
    require_shape((batch, channels, 2 * height, 2 * width), high=high)
    require_share(alpha=alpha)
    repeated = low[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).reshape(high.shape)
    return alpha * high + (1 - alpha) * repeated


def pixel_normalize(x, *, epsilon=1e-8):
    r"""x / sqrt(mean of x^2 over the channels + epsilon), at every pixel: features of length sqrt(C), or a little less.

    Raises ValueError if x does not have four axes or no channel, or epsilon <= 0.  Source: Karras et al. 2018, section 4.2.
    [B, C, H, W] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require(x.shape[1] > 0, f"x has shape {list(x.shape)}; it must have at least one channel")
    require_positive(epsilon=epsilon)
    return x * (x.square().mean(dim=1, keepdim=True) + epsilon).rsqrt()


def equalized_weight(weight, *, gain=2.0**0.5):
    r"""weight gain / sqrt(fan-in), with fan-in = the number of entries of each weight[o]: the weight that a layer applies.

    The optimizer moves `weight`, which begins as N(0, 1) in every layer.

    Raises ValueError if weight has fewer than two axes or no inputs, or gain <= 0.
    Source: Karras et al. 2018, section 4.1; gain: He et al. 2015, eq. 10.
    [O, I, ...] -> [O, I, ...]
    """
    require(weight.ndim >= 2, f"weight has shape {list(weight.shape)}; its axes must be outputs, inputs and places")
    fan_in = weight.shape[1:].numel()
    require(fan_in > 0, f"weight has shape {list(weight.shape)}; it must have at least one input")
    require_positive(gain=gain)
    return weight * (gain * fan_in**-0.5)


def growth_schedule(step, *, stage_steps, fade_steps):
    r"""The stage of every step, 0, 1, ..., and alpha = min((step mod stage_steps) / fade_steps, 1); in stage 0 alpha is 1.

    Raises ValueError if step does not hold integers from 0 on, in one axis, or unless 1 <= fade_steps <= stage_steps.
    Source: Karras et al. 2018, section 2 and appendix A, counted in steps.
    [N] -> [N], [N]
    """
    require_integers(step=step)
    require_rank(1, step=step)
    require_values("step", step, lambda n: n >= 0, "at least 0")
    require(1 <= fade_steps <= stage_steps, f"fade_steps is {fade_steps}; it must be in 1..{stage_steps}, the steps of a stage")
    step = as_int64(step)
    stage = step.div(stage_steps, rounding_mode="floor")
    begun = (step - stage * stage_steps).clamp(max=fade_steps) / fade_steps
    return stage, begun.masked_fill(stage == 0, 1.0)


# ---------------------------------------------------------------------------------------------------- the networks


class GrowingGenerator(nn.Module):
    """Latents to images whose sides are those of `shape`, halved `doublings - level` times: the coarsest ones have level 0.

    [B, latent] -> [B, C, H, W]
    """

    def __init__(self, *, latent, shape, doublings, width, most_channels):
        super().__init__()
        channels, *sides = shape
        widths, coarse = _levels(sides, doublings, width, most_channels)
        self.start = (widths[0], *coarse)
        self.project, self.refine = _Equalized(latent, math.prod(self.start)), _Equalized(widths[0], widths[0], 3)
        pairs = itertools.pairwise(widths)
        self.blocks = nn.ModuleList(nn.ModuleList([_Equalized(a, b, 3), _Equalized(b, b, 3)]) for a, b in pairs)
        self.to_images = nn.ModuleList(_Equalized(width, channels, 1, gain=1.0) for width in widths)

    def forward(self, z, level, alpha):
        """The images of this level; below alpha = 1 those of the level before, enlarged, are still a part of them."""
        x = self.project(pixel_normalize(z[:, :, None, None]).flatten(1)).unflatten(1, self.start)
        x = before = _normalized(self.refine(_normalized(x)))
        for block in self.blocks[:level]:
            before, x = x, interpolate(x, scale_factor=2, mode="nearest")
            for layer in block:
                x = _normalized(layer(x))
        images = self.to_images[level](x)
        if level == 0 or alpha == 1:
            return images
        return fade_in(self.to_images[level - 1](before), images, alpha=alpha)


class GrowingCritic(nn.Module):
    """Images of a level to scores: the generator mirrored, without normalization. Groups of four images, or of two where four do
    not divide the batch, share the standard deviation of their features.

    [B, C, H, W] -> [B]
    """

    def __init__(self, *, shape, doublings, width, most_channels):
        super().__init__()
        channels, *sides = shape
        widths, coarse = _levels(sides, doublings, width, most_channels)
        self.from_images = nn.ModuleList(_Equalized(channels, width, 1) for width in widths)
        pairs = itertools.pairwise(widths)
        self.blocks = nn.ModuleList(nn.ModuleList([_Equalized(b, b, 3), _Equalized(b, a, 3)]) for a, b in pairs)
        self.last, self.hidden = _Equalized(widths[0] + 1, widths[0], 3), _Equalized(widths[0] * math.prod(coarse), widths[0])
        self.score = _Equalized(widths[0], 1, gain=1.0)

    def forward(self, images, level, alpha):
        """One score an image; below alpha = 1 the features are still in part those of the halved images."""
        x = _activated(self.from_images[level](images))
        for number in reversed(range(level)):
            for layer in self.blocks[number]:
                x = _activated(layer(x))
            x = avg_pool2d(x, 2)
            if number == level - 1 and alpha < 1:
                x = torch.lerp(_activated(self.from_images[number](avg_pool2d(images, 2))), x, alpha)
        x = _activated(self.last(minibatch_standard_deviation(x, group_size=math.gcd(len(x), 4))))
        return self.score(_activated(self.hidden(x.flatten(1))))[:, 0]


class _Equalized(nn.Module):
    """A dense layer, or a convolution with a kernel of this many pixels in each direction, whose weights begin as N(0, 1)."""

    def __init__(self, inputs, outputs, size=None, *, gain=2**0.5):
        super().__init__()
        kernel = () if size is None else (size, size)
        self.gain, self.padding = gain, (size or 0) // 2
        self.weight, self.bias = nn.Parameter(torch.randn(outputs, inputs, *kernel)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        weight = equalized_weight(self.weight, gain=self.gain)
        return linear(x, weight, self.bias) if x.ndim == 2 else conv2d(x, weight, self.bias, padding=self.padding)


def _levels(sides, doublings, width, most_channels):
    """Channels from coarse to fine, and the coarsest sides."""
    widths = [min(width << finer, most_channels) for finer in reversed(range(doublings + 1))]
    return widths, [side >> doublings for side in sides]


def _activated(x):
    return leaky_relu(x, 0.2)


def _normalized(x):
    return pixel_normalize(_activated(x))
