"""Diffusion of waveforms for vocoders: levels drawn between those of a schedule, and DiffWave's network next to a spectrogram.

A level is sqrt(a), the weight of the data: 1 for the data themselves. The log-mel spectrogram is that of
practice_torch/evaluation/frechet_audio_distance.py.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_one_each,
    require_rank,
    require_same_shape,
    require_shape,
    require_timesteps,
    require_unit_interval,
)
from practice_torch.mathematics.levels import level_at, per_example
from practice_torch.networks.time_embedding import sinusoidal_time_embedding


def sample_noise_level(u, t, alpha_bar):
    r"""sqrt(a_t) + u (sqrt(a_(t-1)) - sqrt(a_t)): uniform between the levels t and t-1 if u is uniform on [0, 1].

    Raises ValueError if u is outside [0, 1] or not one for each t, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Chen et al. 2021 (WaveGrad), algorithm 1.
    [B], [B], [T+1] -> [B]
    """
    require_rank(1, u=u)
    require_timesteps(alpha_bar, u, t=t)
    require_unit_interval(u=u)
    t = as_int64(t)
    return torch.lerp(level_at(t, alpha_bar).sqrt().to(u.dtype), level_at(t - 1, alpha_bar).sqrt().to(u.dtype), u)


def noise_at_level(x0, noise, level):
    r"""x_l = l x_0 + sqrt(1 - l^2) noise.

    Raises ValueError if the shapes of x0 and noise differ, or level is not one number in [0, 1] for each example.
    Source: Chen et al. 2021 (WaveGrad), section 2.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_one_each(x0, level=level)
    require_unit_interval(level=level)
    return torch.addcmul(per_example(level, x0) * x0, per_example((1 - level.square()).sqrt(), x0), noise)


def dilated_convolution(x, weight, bias, *, dilation):
    r"""y_t = b + sum_j w_j x_(t + (j - (K-1)/2) d), x = 0 outside: K taps around t, as many before it as after it.

    Raises ValueError if the shapes do not fit, weight has an even number of taps, or dilation is less than 1.
    Source: Kong et al. 2021 (DiffWave), section 3.1.
    [B, I, T], [O, I, K], [O] -> [B, O, T]
    """
    require_rank(3, x=x, weight=weight)
    require_at_least(1, dilation=dilation)
    outputs, inputs, taps = weight.shape
    require(inputs == x.shape[1], f"weight has {inputs} inputs (its second axis); it must have {x.shape[1]}, the channels of x")
    require(taps % 2 == 1, f"weight has {taps} taps; their number must be odd, so that one of them is in the middle")
    require_shape((outputs,), bias=bias)
    return functional.conv1d(x, weight, bias, padding=taps // 2 * dilation, dilation=dilation)


def conditioned_residual_block(x, embedding, condition, weight, bias, condition_weight, output_weight, output_bias, *, dilation):
    r"""(x + o_1)/sqrt(2), and the skip o_2, with (o_1, o_2) = W_o tanh(g_1) sigmoid(g_2) + b_o.

    (g_1, g_2) = W * (x + embedding) + b + W_c condition, with a dilated convolution. Index 1 is the first half of the channels.

    Raises ValueError if the shapes do not fit, weight has an even number of taps, or dilation is less than 1.
    Source: Kong et al. 2021 (DiffWave), figure 2a and section 3.
    [B, C, T], [B, C], [B, M, T], [C+C, C, K], [C+C], [C+C, M], [C+C, C], [C+C] -> [B, C, T], [B, C, T]
    """
    require_rank(3, x=x, condition=condition, weight=weight)
    (batch, channels, length), bands, both = x.shape, condition.shape[1], 2 * x.shape[1]
    require_shape((batch, channels), embedding=embedding)
    require_shape((batch, bands, length), condition=condition)
    require_shape((both, channels, weight.shape[2]), weight=weight)
    require_shape((both,), bias=bias, output_bias=output_bias)
    require_shape((both, bands), condition_weight=condition_weight)
    require_shape((both, channels), output_weight=output_weight)
    # pointwise maps as convolutions: a matrix times a batch of matrices is computed from copies
    gates = dilated_convolution(x + embedding.unsqueeze(2), weight, bias, dilation=dilation)
    gates = gates + functional.conv1d(condition, condition_weight.unsqueeze(2))
    content, gate = gates.chunk(2, dim=1)
    out = functional.conv1d(content.tanh() * gate.sigmoid(), output_weight.unsqueeze(2), output_bias)
    residual, skip = out.chunk(2, dim=1)
    return (x + residual) * math.sqrt(0.5), skip


class Vocoder(nn.Module):
    """Noise in waveforms [B, 1, T] at levels [B], given T / (product of strides) frames of a spectrogram [B, M, F]: [B, 1, T].

    Residual blocks with dilations 1, 2, 4, ..., 2^(cycle - 1), 1, 2, ...; the output is the sum of their skips. One transposed
    convolution for each stride, over time and bands, brings frames to samples; it begins as linear interpolation. The last layer
    begins at zero: so does the output.

    Raises ValueError if a size is less than 1 or a stride is odd.  Source: Kong et al. 2021 (DiffWave), section 3, with a level
    for the step as in Chen et al. 2021 (WaveGrad), section 3.
    """

    SINES, EMBEDDING = 128, 512  # sines and cosines of a level, and what two layers make of them
    STEPS = 1000.0  # levels are told apart as well as so many steps

    def __init__(self, *, width, layers, cycle, bands, strides):
        super().__init__()
        require_at_least(1, width=width, layers=layers, cycle=cycle, bands=bands)
        for stride in strides:
            require(stride >= 2 and stride % 2 == 0, f"strides holds {stride}; each must be even and at least 2")
        self.level = nn.ModuleList([nn.Linear(self.SINES, self.EMBEDDING), nn.Linear(self.EMBEDDING, self.EMBEDDING)])
        self.frames = nn.ModuleList(
            nn.ConvTranspose2d(1, 1, (3, 2 * stride), stride=(1, stride), padding=(1, stride // 2)) for stride in strides
        )
        self.input = nn.Conv1d(1, width, 1)
        self.blocks = nn.ModuleList(
            ConditionedBlock(width, bands, 2 ** (layer % cycle), self.EMBEDDING) for layer in range(layers)
        )
        self.mix = nn.Conv1d(width, width, 1)
        self.output = nn.Conv1d(width, 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.output.weight)
        for layer, stride in zip(self.frames, strides, strict=True):
            nn.init.zeros_(layer.weight)
            distance = (torch.arange(2 * stride) - stride + 0.5).abs()
            layer.weight.data[0, 0, 1] = 1 - distance / stride

    def forward(self, x, level, spectrogram):
        """[B, 1, T], [B], [B, M, F] -> [B, 1, T]"""
        first, second = self.level
        angles = sinusoidal_time_embedding(self.STEPS * level, dim=self.SINES).to(first.weight.dtype)
        embedding = functional.silu(second(functional.silu(first(angles))))
        condition = spectrogram[:, None]
        for layer in self.frames:
            condition = functional.leaky_relu(layer(condition), 0.4)
        h, skips = functional.relu(self.input(x)), 0
        for block in self.blocks:
            h, skip = block(h, embedding, condition[:, 0])
            skips = skips + skip
        return self.output(functional.relu(self.mix(skips / math.sqrt(len(self.blocks)))))


class ConditionedBlock(nn.Module):
    """conditioned_residual_block with its parameters; the embedding comes from that of the level."""

    def __init__(self, width, bands, dilation, embedding):
        super().__init__()
        self.dilation = dilation
        self.level = nn.Linear(embedding, width)
        self.gates = nn.Conv1d(width, 2 * width, 3)
        self.condition = nn.Linear(bands, 2 * width, bias=False)
        self.out = nn.Linear(width, 2 * width)

    def forward(self, x, embedding, condition):
        """[B, C, T], [B, E], [B, M, T] -> [B, C, T], [B, C, T]"""
        parameters = self.gates.weight, self.gates.bias, self.condition.weight, self.out.weight, self.out.bias
        return conditioned_residual_block(x, self.level(embedding), condition, *parameters, dilation=self.dilation)
