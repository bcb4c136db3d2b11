"""DDPM++, the U-Net of Song et al. 2021 in the form that Karras et al. 2022 train on 32x32 photographs: 55.7 million parameters.

It differs from `UNet2d` in four ways: residual blocks halve and double images; the sum of a block and its shortcut is divided by
sqrt(2), so that its variance does not grow; on the way up, only the last block of a level attends; augmentations of the image are
a condition.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require, require_at_least, require_rank, require_shape
from practice_torch.networks.time_embedding import sinusoidal_time_embedding
from practice_torch.networks.unet import Attention

_HALF = math.sqrt(0.5)  # of a sum of two branches


class DdpmPlusPlus(nn.Module):
    """Images [B, C, H, W], noise levels [B], and augmentations [B, augmentations] -> [B, C, H, W].

    Level i has base_channels * multipliers[i] channels on images halved i times; `blocks` residual blocks down, blocks + 1 up.
    attention_at: the heights at which blocks attend to the whole image; the first of the two in the middle always does.
    augmentations: how many numbers describe what was done to an image; left out, or zeros, they describe an image as it is.

    Source: Karras et al. 2022, appendix F, and their code; Song et al. 2021, appendix H.
    Raises ValueError if an image of this size cannot be halved at every level but the last, or if norms do not fit the channels.
    """

    def __init__(self, *, channels, size, base_channels, multipliers, blocks=4, attention_at=(), dropout=0.0, augmentations=0):
        super().__init__()
        self._require_sizes(size, base_channels, multipliers, blocks, attention_at)
        self.channels, self.base_channels, self.factor = channels, base_channels, 2 ** (len(multipliers) - 1)
        embedding = 4 * base_channels
        self.augmentation = nn.Linear(augmentations, base_channels, bias=False) if augmentations else None
        self.level = nn.ModuleList([nn.Linear(base_channels, embedding), nn.Linear(embedding, embedding)])
        widths = [base_channels * multiplier for multiplier in multipliers]
        attends = [size[0] >> level in attention_at for level in range(len(widths))]

        def block(inputs, outputs, attends=False, scale=1.0):
            return ScaledBlock(inputs, outputs, embedding, attends, dropout, scale)

        self.input = nn.Conv2d(channels, base_channels, 3, padding=1)
        self.encoder, self.middle, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        width, skips = base_channels, [base_channels]
        for level, wide in enumerate(widths):
            stage = nn.ModuleList([block(width, width, scale=0.5)] if level else [])
            skips += [width] if level else []
            for _ in range(blocks):
                stage.append(block(width, wide, attends[level]))
                width = wide
                skips.append(width)
            self.encoder.append(stage)
        self.middle.extend([block(width, width, attends=True), block(width, width)])
        for level, wide in reversed(list(enumerate(widths))):
            stage = nn.ModuleList([block(width, width, scale=2.0)] if level < len(widths) - 1 else [])
            for number in range(blocks + 1):
                stage.append(block(width + skips.pop(), wide, attends[level] and number == blocks))
                width = wide
            self.decoder.append(stage)
        self.norm, self.output = _norm(width), nn.Conv2d(width, channels, 3, padding=1)
        self._initialize()

    @property
    def blocks(self):
        """The residual blocks, in the order in which they are called."""
        return nn.ModuleList(module for module in self.modules() if isinstance(module, ScaledBlock))

    @torch.no_grad()
    def _initialize(self):
        """Weights of unit gain (Glorot), those of queries, keys and values sqrt(0.2) times, the last of a branch 1e-5 times."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.output.weight *= 1e-5
        for block in self.blocks:
            block.conv2.weight *= 1e-5
            if block.attention is not None:
                block.attention.query_key_value.weight *= math.sqrt(0.2)
                block.attention.output.weight *= 1e-5

    def forward(self, x, level, augmentation=None):
        """[B, C, H, W], [B], [B, A] -> [B, C, H, W]."""
        self._require_inputs(x, level, augmentation)
        embedding = self._embedded(x, level, augmentation)
        h = self.input(x)
        skips = [h]
        for stage in self.encoder:
            for block in stage:
                h = block(h, embedding)
                skips.append(h)
        for block in self.middle:
            h = block(h, embedding)
        for stage in self.decoder:
            for block in stage:
                h = block(h if block.scale > 1 else torch.cat([h, skips.pop()], dim=1), embedding)
        return self.output(functional.silu(self.norm(h)))

    def _embedded(self, x, level, augmentation):
        """The condition of every block, [B, E]."""
        first, second = self.level
        # as in UNet2d, angles are taken in float32 at least
        wide = level.to(torch.promote_types(x.dtype, torch.float32))
        embedding = sinusoidal_time_embedding(wide, dim=self.base_channels).to(first.weight.dtype)
        if augmentation is not None:
            embedding = embedding + self.augmentation(augmentation)
        return functional.silu(second(functional.silu(first(embedding))))

    def _require_sizes(self, size, base_channels, multipliers, blocks, attention_at):
        require(len(size) == 2, f"size is {size}; it must be a height and a width")
        require(len(multipliers) > 0, f"multipliers is {multipliers}; it must have a level")
        factor = 2 ** (len(multipliers) - 1)
        fits = all(length >= factor and length % factor == 0 for length in size)
        require(fits, f"size is {size}; with {len(multipliers)} multipliers it must be a multiple of {factor}")
        # groups of a norm have four channels or more
        require(base_channels > 0 and base_channels % 4 == 0, f"base_channels is {base_channels}; it must be a multiple of 4")
        require_at_least(1, blocks=blocks)
        heights = [size[0] >> level for level in range(len(multipliers))]
        for height in attention_at:
            require(height in heights, f"attention_at has {height}; the levels have heights {', '.join(map(str, heights))}")

    def _require_inputs(self, x, level, augmentation):
        require_rank(4, x=x)
        require(x.shape[1] == self.channels, f"x has {x.shape[1]} channels; this network was built for {self.channels}")
        halves = all(length % self.factor == 0 for length in x.shape[2:])
        require(halves, f"x is {x.shape[2]} x {x.shape[3]}; this network takes multiples of {self.factor} only")
        require_shape(x.shape[:1], level=level)
        if augmentation is not None:
            require(self.augmentation is not None, "augmentation is given; this network was built without augmentations")
            require_shape((len(x), self.augmentation.in_features), augmentation=augmentation)


class ScaledBlock(nn.Module):
    """A residual block on images of `scale` times the size, with attention behind it; both sums are divided by sqrt(2)."""

    def __init__(self, inputs, outputs, embedding, attends, dropout, scale=1.0):
        super().__init__()
        self.scale, self.dropout = scale, nn.Dropout(dropout)
        self.norm1, self.conv1 = _norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.embed = nn.Linear(embedding, outputs)
        self.norm2, self.conv2 = _norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        # a change of size has a 1x1 convolution, too, where the widths are equal
        self.shortcut = None if inputs == outputs and scale == 1 else nn.Conv2d(inputs, outputs, 1)
        self.attention = Attention(outputs, 1, _norm, bias=True) if attends else None

    def forward(self, x, embedding):
        """[B, C, H, W], [B, E] -> [B, C', scale H, scale W]."""
        h = self.conv1(self._resampled(functional.silu(self.norm1(x))))
        h = self.norm2(h + self.embed(embedding)[:, :, None, None])
        h = self.conv2(self.dropout(functional.silu(h)))
        h = _HALF * (h + (x if self.shortcut is None else self.shortcut(self._resampled(x))))
        return h if self.attention is None else _HALF * self.attention(h)

    def _resampled(self, x):
        if self.scale < 1:
            return functional.avg_pool2d(x, 2)
        return functional.interpolate(x, scale_factor=2, mode="nearest") if self.scale > 1 else x


def _norm(channels):
    """At most 32 groups, of four channels or more."""
    return nn.GroupNorm(min(32, channels // 4), channels, eps=1e-6)
