"""The U-Net of diffusion models as a flax network: the twin of the practice wing's, parameter by parameter.

Everything inside is [B, H, W, C], flax's layout; images come and go as [B, C, H, W].
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import require, require_rank, widened
from theory_jax.networks.time_embedding import sinusoidal_time_embedding


class UNet2d(nnx.Module):
    """Images [B, C, H, W], times [B] (integer or real), and labels [B] -> [B, out_channels, H, W].

    A column of residual blocks down and one up, level by level, half as high and wide at each; what the way down had is handed
    across. compact: the lowest level is the middle, and no convolution's result is handed across, only a block's.
    num_classes: labels 0..num_classes-1, and the null class num_classes, which is also used if the label is omitted.
    zero_init: the last layer of every branch and of the network starts at zero.

    Raises ValueError if an image of this size cannot be halved at every level but the last.
    """

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
        head_width=64,
        groups=32,
        scale_shift=False,
        compact=False,
        zero_init=True,
        rngs: nnx.Rngs,
    ):
        lowest = len(multipliers) - 1
        require(size % 2**lowest == 0, f"size is {size}; with {lowest + 1} multipliers it must be a multiple of {2**lowest}")
        self.channels, self.base_channels, self.num_classes, self.compact = channels, base_channels, num_classes, compact
        self.factor = 2**lowest
        make = _Maker(4 * base_channels, head_width, groups, scale_shift, zero_init, rngs)
        self.time = nnx.List([make.linear(base_channels, make.embedding), make.linear(make.embedding, make.embedding)])
        self.label = None if num_classes is None else make.table(num_classes + 1)
        self.input = make.convolution(channels, base_channels)

        def attends(level):
            return size // 2**level in attention_at

        def width(level):
            return base_channels * multipliers[level]

        # Widths of the skips, and of the inputs of each level: both paths must agree on them.
        handed, now = ([] if compact else [base_channels]), base_channels
        down, up = [], []
        columns = range(lowest if compact else lowest + 1)
        for level in columns:
            stage = Stage()
            for _ in range(blocks):
                stage.blocks.append(Block(make, now, width(level), attends(level)))
                now = width(level)
                handed.append(now)
            if level < lowest:
                stage.resample = make.convolution(now, now)
                handed += [] if compact else [now]
            down.append(stage)
        bottom = [True] + ([attends(lowest)] * (blocks - 1) if compact else [False])
        middle = []
        for attention in bottom:
            middle.append(Block(make, now, width(lowest), attention))
            now = width(lowest)
        for level in reversed(columns):
            stage = Stage()
            if level < lowest:
                stage.resample = make.convolution(now, now)
            for _ in range(blocks + (not compact)):
                stage.blocks.append(Block(make, now + handed.pop(), width(level), attends(level)))
                now = width(level)
            up.append(stage)
        self.encoder, self.middle, self.decoder = nnx.List(down), nnx.List(middle), nnx.List(up)
        self.norm = make.norm(now)
        self.output = make.convolution(now, out_channels or channels, last=True)

    def __call__(self, x, t, label=None):
        """[B, C, H, W], [B], [B] -> [B, out_channels, H, W]."""
        require_rank(4, x=x)
        require(x.shape[1] == self.channels, f"x has {x.shape[1]} channels; this network was built for {self.channels}")
        halves = x.shape[2] % self.factor == 0 and x.shape[3] % self.factor == 0
        require(halves, f"x is {x.shape[2]} x {x.shape[3]}; this network takes multiples of {self.factor} only")
        embedding = self._embed(x, t, label)
        h = self.input(jnp.moveaxis(x, 1, -1))
        handed = [] if self.compact else [h]
        for stage in self.encoder:
            for block in stage.blocks:
                h = block(h, embedding)
                handed.append(h)
            if stage.resample is not None:
                h = stage.resample(nnx.avg_pool(h, (2, 2), strides=(2, 2)))
                if not self.compact:
                    handed.append(h)
        for block in self.middle:
            h = block(h, embedding)
        for stage in self.decoder:
            if stage.resample is not None:
                h = stage.resample(h.repeat(2, axis=1).repeat(2, axis=2))
            for block in stage.blocks:
                h = block(jnp.concatenate([h, handed.pop()], axis=-1), embedding)
        return jnp.moveaxis(self.output(jax.nn.silu(self.norm(h))), -1, 1)

    def _embed(self, x, t, label):
        """The embedding of time and class for every block: [B, E]."""
        first, second = self.time
        embedding = second(jax.nn.silu(first(sinusoidal_time_embedding(t.astype(x.dtype), dim=self.base_channels))))
        if self.label is not None:
            embedding += self.label(jnp.full(t.shape, self.num_classes) if label is None else widened(label))
        return jax.nn.silu(embedding)


class Stage(nnx.Module):
    """The blocks of one level, and the convolution after halving or doubling, if there is one."""

    def __init__(self):
        self.blocks, self.resample = nnx.List([]), nnx.data(None)


class Block(nnx.Module):
    """A residual block between any two widths, with attention behind it where the level attends."""

    def __init__(self, make, inputs, outputs, attends):
        self.norm1, self.conv1 = make.norm(inputs), make.convolution(inputs, outputs)
        self.embed = make.linear(make.embedding, 2 * outputs if make.scale_shift else outputs)
        self.norm2, self.conv2 = make.norm(outputs), make.convolution(outputs, outputs, last=True)
        self.shortcut = nnx.data(None) if inputs == outputs else make.convolution(inputs, outputs, window=1)
        self.attention = Attention(make, outputs) if attends else nnx.data(None)
        self.scale_shift = make.scale_shift

    def __call__(self, x, embedding):
        h = self.conv1(jax.nn.silu(self.norm1(x)))
        time = self.embed(embedding)[:, None, None, :]
        if self.scale_shift:
            scale, shift = jnp.split(time, 2, axis=-1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h = self.norm2(h + time)
        h = self.conv2(jax.nn.silu(h)) + (x if self.shortcut is None else self.shortcut(x))
        return h if self.attention is None else self.attention(h)


class Attention(nnx.Module):
    """x + W_O attention(norm(x)) over all pixels, without biases."""

    def __init__(self, make, width):
        narrowest = min(make.head_width, width)
        self.heads = max(count for count in range(1, width // narrowest + 1) if width % count == 0)
        self.norm, self.query_key_value = make.norm(width), make.linear(width, 3 * width, use_bias=False)
        self.output = make.linear(width, width, use_bias=False, last=True)

    def __call__(self, x):
        tokens = self.norm(x).reshape(x.shape[0], -1, x.shape[-1])
        query, key, value = jnp.moveaxis(self.query_key_value(tokens).reshape(*tokens.shape[:2], 3, self.heads, -1), 2, 0)
        # flax's own attention computes its softmax in float32
        shares = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", query, key) / math.sqrt(query.shape[-1]), axis=-1)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", shares, value)
        return x + self.output(mixed.reshape(tokens.shape)).reshape(x.shape)


class _Maker:
    """Layers in the working precision, with what all of them share."""

    def __init__(self, embedding, head_width, groups, scale_shift, zero_init, rngs):
        self.embedding, self.head_width, self.groups, self.scale_shift = embedding, head_width, groups, scale_shift
        self.zero_init, self.common = zero_init, dict(param_dtype=jnp.result_type(float), rngs=rngs)

    def _kernel(self, last):
        return nnx.initializers.zeros if last and self.zero_init else _glorot

    def linear(self, inputs, outputs, use_bias=True, last=False):
        return nnx.Linear(inputs, outputs, use_bias=use_bias, kernel_init=self._kernel(last), **self.common)

    def convolution(self, inputs, outputs, window=3, last=False):
        return nnx.Conv(inputs, outputs, (window, window), kernel_init=self._kernel(last), **self.common)

    def norm(self, width):
        groups = math.gcd(self.groups, width)
        return nnx.GroupNorm(width, groups, epsilon=1e-5, use_fast_variance=False, **self.common)

    def table(self, rows):
        return nnx.Embed(rows, self.embedding, embedding_init=_standard_normal, **self.common)


def _glorot(key, shape, dtype):
    """Uniform draws of variance 2 / (fan in + fan out), for unit gain."""
    window = math.prod(shape[:-2])
    limit = math.sqrt(6 / (window * (shape[-2] + shape[-1])))
    return jnp.asarray(_generator(key).uniform(-limit, limit, shape), dtype)


def _standard_normal(key, shape, dtype):
    return jnp.asarray(_generator(key).standard_normal(shape), dtype)


def _generator(key):
    """NumPy's: JAX would compile one program for each of the network's many shapes, which takes ten seconds."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))
