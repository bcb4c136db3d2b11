"""The network of DiffWave: a WaveNet with non-causal convolutions, conditioned on the noise level."""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require
from practice_torch.networks.time_embedding import sinusoidal_time_embedding


class DiffWave(nn.Module):
    """Sounds [B, 1, T], times [B] (integer or real), and labels [B] -> [B, 1, T], for any T.

    Residual blocks with convolutions of three taps, dilated by 1, 2, 4, ..., 2^(cycle - 1), 1, 2, ...; the output is the sum of
    their skips. num_classes: labels 0..num_classes-1, and the null class num_classes, which is also used if the label is omitted.
    Convolutions begin as He et al. 2015 propose, the last at zero: so does the output.  Source: Kong et al. 2021, section 3; for
    what begins how, the first author's https://github.com/philsyn/DiffWave-unconditional.
    """

    TIME, EMBEDDING = 128, 512  # sines and cosines of a time, and what two layers make of them; a class has the first, too
    SHORTEST = 1e-4  # period of the fastest sine, over 2 pi; that of the slowest is 1

    def __init__(self, *, width, layers, cycle, num_classes=None):
        super().__init__()
        for name, size in {"width": width, "layers": layers, "cycle": cycle}.items():
            require(size >= 1, f"{name} is {size}; it must be at least 1")
        self.num_classes = num_classes
        self.time = nn.ModuleList([nn.Linear(self.TIME, self.EMBEDDING), nn.Linear(self.EMBEDDING, self.EMBEDDING)])
        self.label = None if num_classes is None else nn.Embedding(num_classes + 1, self.TIME)
        self.input = nn.Conv1d(1, width, 1)
        sizes = self.EMBEDDING, self.TIME if self.label else 0
        self.blocks = nn.ModuleList(DilatedBlock(width, 2 ** (layer % cycle), *sizes) for layer in range(layers))
        self.mix = nn.Conv1d(width, width, 1)
        self.output = nn.Conv1d(width, 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x, t, label=None):
        """[B, 1, T], [B], [B] -> [B, 1, T]"""
        time, label = self._time(t), self._label(t, label)
        h, skips = functional.relu(self.input(x)), 0
        for block in self.blocks:
            h, skip = block(h, time, label)
            skips = skips + skip
        return self.output(functional.relu(self.mix(skips / math.sqrt(len(self.blocks)))))

    def _time(self, t):
        """Embedding of the time for all blocks: [B, E]."""
        first, second = self.time
        # frequencies from 1 to 10^4: of an angle of 2 * 10^6, float32 keeps no more than a tenth
        embedding = sinusoidal_time_embedding(t.double(), dim=self.TIME, max_period=self.SHORTEST).to(first.weight.dtype)
        return functional.silu(second(functional.silu(first(embedding))))

    def _label(self, t, label):
        """Embedding of the class for all blocks: [B, L], or None without classes."""
        if self.label is None:
            require(label is None, "label is given; the network has no classes")
            return None
        label = torch.full_like(t, self.num_classes, dtype=torch.int64) if label is None else label
        return self.label(as_int64(label))


class DilatedBlock(nn.Module):
    """z = tanh(W_f * (x + u) + v_f) sigma(W_g * (x + u) + v_g), u of time, v of class; (x + W_r z) / sqrt(2) and W_s z."""

    def __init__(self, width, dilation, time, label):
        super().__init__()
        self.time = nn.Linear(time, width)
        self.label = nn.Linear(label, 2 * width, bias=False) if label else None
        self.gates = nn.Conv1d(width, 2 * width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv1d(width, 2 * width, 1)

    def forward(self, x, time, label=None):
        """[B, C, T], [B, E], [B, L] -> [B, C, T], [B, C, T]"""
        gates = self.gates(x + self.time(time)[:, :, None])
        gates = gates if self.label is None else gates + self.label(label)[:, :, None]
        content, gate = gates.chunk(2, dim=1)
        residual, skip = self.out(content.tanh() * gate.sigmoid()).chunk(2, dim=1)
        return (x + residual) / math.sqrt(2), skip
