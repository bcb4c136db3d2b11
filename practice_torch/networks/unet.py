"""The U-Net of diffusion models, from a fifth of a million parameters for 8x8 digits to 35 million for 32x32 photographs.

The formulas of its parts are those of diffusion/unet, which the tests hold against the modules here; the modules run on torch's
own kernels, keep channels_last tensors in that layout (on a GPU only compiled), and compile as one graph.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least, require_rank, require_values
from practice_torch.networks.time_embedding import sinusoidal_time_embedding

# The layers of Ho et al. 2020 as their code and diffusers' `ddpm-*` checkpoints have them; times come as 1..T and are embedded as
# 0..T-1.
DDPM_LAYERS = {"head_width": None, "attention_bias": True, "strided": True, "epsilon": 1e-6, "first_time": 1}


class UNet2d(nn.Module):
    """Images [B, C, H, W], times [B] (integer or real), and labels [B] -> [B, out_channels, H, W].

    Level i has base_channels * multipliers[i] channels on images halved i times. Going down, every level has `blocks` residual
    blocks; two blocks in the middle; going up, blocks + 1, each of which is handed what the way down had at its place. `compact`
    has the lowest level for its middle, and going up as many blocks as going down: two fifths of the parameters for digits.
    attention_at: the heights at which every block attends to the whole image (the middle always does), in heads of head_width
    (None: one head of all channels), whose projections have biases with attention_bias.
    num_classes: labels 0..num_classes-1, and the null class num_classes, which is also used if the label is omitted.
    scale_shift: time scales and shifts what the second norm gives, instead of being added before it.
    zero_init: the last layer of every branch and of the network starts at zero: blocks start as the identity, the output as 0.
    groups: of a norm; as many as divide both this number and the channels. epsilon: of every norm, added to the variance.
    strided: going down, a convolution of stride 2 over an image padded below and on the right, in place of one over averages.
    first_time: the time that is embedded as 0.

    Raises ValueError if an image of this size cannot be halved at every level but the last.
    """

    axes = 2

    def __init__(
        self,
        *,
        channels,
        size,
        base_channels,
        multipliers,
        blocks=2,
        attention_at=(),
        num_classes=None,
        out_channels=None,
        dropout=0.0,
        head_width=64,
        groups=32,
        scale_shift=False,
        compact=False,
        zero_init=True,
        attention_bias=False,
        strided=False,
        epsilon=1e-5,
        first_time=0,
    ):
        super().__init__()
        size = (size,) * self.axes if isinstance(size, int) else tuple(size)
        self._require_sizes(size, base_channels, multipliers, blocks, attention_at, compact)
        self.channels, self.halvings, self.compact = channels, len(multipliers) - 1, compact
        self.base_channels, self.num_classes = base_channels, num_classes
        self.strided, self.first_time = strided, first_time
        embedding = 4 * base_channels
        self.time = nn.ModuleList([nn.Linear(base_channels, embedding), nn.Linear(embedding, embedding)])
        self.label = None if num_classes is None else nn.Embedding(num_classes + 1, embedding)

        def convolution(inputs, outputs, stride=1):
            return _CONVOLUTION[self.axes](inputs, outputs, 3, stride, padding=1 if stride == 1 else 0)

        def norm(width):
            return nn.GroupNorm(math.gcd(groups, width), width, eps=epsilon)

        def block(inputs, outputs, attends):
            attention = Attention(outputs, _heads(outputs, head_width), norm, attention_bias) if attends else None
            return Block(inputs, outputs, embedding, convolution, norm, attention, dropout, scale_shift)

        widths = [base_channels * multiplier for multiplier in multipliers]
        attends = [size[0] >> level in attention_at for level in range(len(widths))]
        # What follows walks as `forward` does, with widths in place of images.
        width, skips = base_channels, [] if compact else [base_channels]
        self.input = convolution(channels, width)
        self.encoder, self.middle, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        levels = range(len(widths) - compact)
        for level in levels:
            stage = Stage()
            for _ in range(blocks):
                stage.blocks.append(block(width, widths[level], attends[level]))
                width = widths[level]
                skips.append(width)
            if level < self.halvings:
                stage.resample = convolution(width, width, 2 if strided else 1)
                skips += [] if compact else [width]
            self.encoder.append(stage)
        for i in range(blocks if compact else 2):
            self.middle.append(block(width, widths[-1], i == 0 or (compact and attends[-1])))
            width = widths[-1]
        for level in reversed(levels):
            stage = Stage()
            if level < self.halvings:
                stage.resample = convolution(width, width)
            for _ in range(blocks if compact else blocks + 1):
                stage.blocks.append(block(width + skips.pop(), widths[level], attends[level]))
                width = widths[level]
            self.decoder.append(stage)
        self.norm = norm(width)
        self.output = convolution(width, out_channels or channels)
        self._initialize(zero_init)

    @property
    def blocks(self):
        """The residual blocks, in the order in which they are called."""
        return nn.ModuleList(module for module in self.modules() if isinstance(module, Block))

    def _initialize(self, zero_init):
        """Weights of unit gain (Glorot), biases of zero; and zero for what ends a branch."""
        attentions = [module for module in self.modules() if isinstance(module, Attention)]
        three = {attention.query_key_value for attention in attentions if attention.query_key_value.bias is not None}
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
                # DDPM's queries, keys and values are three layers, each with its own fan-out
                for weight in module.weight.chunk(3) if module in three else (module.weight,):
                    nn.init.xavier_uniform_(weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if zero_init:
            ends = [m.conv2 if isinstance(m, Block) else m.output for m in self.modules() if isinstance(m, Block | Attention)]
            for module in (*ends, self.output):
                nn.init.zeros_(module.weight)

    def forward(self, x, t, label=None):
        """[B, C, H, W], [B], [B] -> [B, out_channels, H, W]."""
        self._require_inputs(x, t, label)
        conditions = self._conditions(x, t, label)
        h = self.input(x)
        skips = [] if self.compact else [h]
        for stage in self.encoder:
            for block in stage.blocks:
                h = block(h, *conditions)
                skips.append(h)
            if stage.resample is not None:
                h = stage.resample(functional.pad(h, (0, 1) * self.axes) if self.strided else _AVERAGE[self.axes](h, 2))
                skips += [] if self.compact else [h]
        for block in self.middle:
            h = block(h, *conditions)
        for stage in self.decoder:
            if stage.resample is not None:
                h = stage.resample(functional.interpolate(h, scale_factor=2, mode="nearest"))
            for block in stage.blocks:
                h = block(torch.cat([h, skips.pop()], dim=1), *conditions)
        return self.output(functional.silu(self.norm(h)))

    def _conditions(self, x, t, label):
        """The condition of every block: the SiLU of the embedding of time and class, [B, E]."""
        # Half precision cannot tell time 999 from 1000: at least float32 until the angles are taken.
        time = t.to(torch.promote_types(x.dtype, torch.float32)) - self.first_time
        first, second = self.time
        embedding = sinusoidal_time_embedding(time, dim=self.base_channels).to(first.weight.dtype)
        embedding = second(functional.silu(first(embedding)))
        if self.label is not None:
            label = torch.full_like(t, self.num_classes, dtype=torch.int64) if label is None else label
            embedding = embedding + self.label(as_int64(label))
        return (functional.silu(embedding),)

    def _require_sizes(self, size, base_channels, multipliers, blocks, attention_at, compact):
        require(len(size) == self.axes, f"size is {size}; it must have {self.axes} axes")
        require(len(multipliers) > compact, f"multipliers is {multipliers}; it must have a level, and two in a compact network")
        factor = 2 ** (len(multipliers) - 1)
        for length in size:
            fits = length >= factor and length % factor == 0
            require(fits, f"size is {_times(size)}; with {len(multipliers)} multipliers it must be a multiple of {factor}")
        require(base_channels >= 2 and base_channels % 2 == 0, f"base_channels is {base_channels}; it must be even")
        require_at_least(1, blocks=blocks)
        heights = [size[0] >> level for level in range(len(multipliers))]
        for height in attention_at:
            require(height in heights, f"attention_at has {height}; the levels have heights {', '.join(map(str, heights))}")

    def _require_inputs(self, x, t, label):
        require_rank(self.axes + 2, x=x)
        require(x.shape[1] == self.channels, f"x has {x.shape[1]} channels; this network was built for {self.channels}")
        factor = 2**self.halvings
        for length in x.shape[2:]:
            fits = length % factor == 0
            require(fits, f"x is {_times(x.shape[2:])}; this network halves it {self.halvings} times: multiples of {factor} only")
        for name, given in ({"t": t} if label is None else {"t": t, "label": label}).items():
            require(given.shape == x.shape[:1], f"{name} has shape {list(given.shape)}; it must have shape {list(x.shape[:1])}")
        if label is not None:
            require(self.num_classes is not None, "label is given; this network was built without classes")
            require_values("label", label, lambda a: (a >= 0) & (a <= self.num_classes), f"in 0..{self.num_classes}")


class UNet1d(UNet2d):
    """The same for sequences, [B, C, T]: kernels of 3, and lengths that are halved; attention_at holds lengths."""

    axes = 1


class Stage(nn.Module):
    """The blocks of one level, and the convolution after halving (going down) or doubling (going up), if there is one."""

    def __init__(self):
        super().__init__()
        self.blocks, self.resample = nn.ModuleList(), None


class Block(nn.Module):
    """residual_block of diffusion/unet, between widths that may differ, with spatial_self_attention behind it if it has some.

    cross: a further layer, cross(x, *others), set by networks with conditions beyond the embedding.
    """

    def __init__(self, inputs, outputs, embedding, convolution, norm, attention, dropout, scale_shift):
        super().__init__()
        self.norm1, self.conv1 = norm(inputs), convolution(inputs, outputs)
        self.embed = nn.Linear(embedding, 2 * outputs if scale_shift else outputs)
        self.norm2, self.conv2 = norm(outputs), convolution(outputs, outputs)
        self.dropout, self.scale_shift = nn.Dropout(dropout), scale_shift
        self.shortcut = None if inputs == outputs else type(self.conv1)(inputs, outputs, 1)
        self.attention, self.cross = attention, None

    def forward(self, x, embedding, *others):
        """[B, C, ...], [B, E] after its SiLU -> [B, C', ...]"""
        h = self.conv1(functional.silu(self.norm1(x)))
        time = self.embed(embedding).unflatten(1, (-1,) + (1,) * (x.ndim - 2))
        if self.scale_shift:
            scale, shift = time.chunk(2, dim=1)
            h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        else:
            h = self.norm2(h + time)
        h = self.conv2(self.dropout(functional.silu(h)))
        h = h + (x if self.shortcut is None else self.shortcut(x))
        h = h if self.attention is None else self.attention(h)
        return h if self.cross is None else self.cross(h, *others)


class Attention(nn.Module):
    """x + spatial_self_attention's branch at norm(x), on fused kernels. Biases are an option: softmax does not see the keys'."""

    def __init__(self, channels, heads, norm, bias=False):
        super().__init__()
        self.heads, self.norm = heads, norm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels, bias=bias)  # one product instead of three
        self.output = nn.Linear(channels, channels, bias=bias)

    def forward(self, x):
        """[B, C, ...] -> [B, C, ...]"""
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # of a channels_last image, a view
        query, key, value = self.query_key_value(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return x + self.output(mixed).transpose(1, 2).unflatten(2, x.shape[2:])


_CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d}
_AVERAGE = {1: functional.avg_pool1d, 2: functional.avg_pool2d}


def _heads(channels, head_width):
    """The largest number of heads that divides the channels, with heads no narrower than head_width unless single; None: one."""
    if head_width is None:
        return 1
    return next(count for count in range(max(1, channels // head_width), 0, -1) if channels % count == 0)


def _times(size):
    return " x ".join(map(str, size))
