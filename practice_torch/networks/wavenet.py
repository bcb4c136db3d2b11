"""A WaveNet over codes of sound: every conditional in one pass, or one code at a time from queues."""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64
from practice_torch.networks.linear import product_dtype


class WaveNet(nn.Module):
    """p(c_t | c_<t) over `num_levels` codes, as logits; with classes, given a class as well.

    Gated blocks of dilated causal convolutions; a small perceptron maps the sum of their skips to logits. Time precedes channels
    here, [B, T, C]: every tap is then a slice, and a convolution one matrix product. The sum of all skips is one product, too, of
    the blocks' gates side by side, [B, T, L C], and is written once, not L times. `parameters_by_name` has the weights of every
    block as autoregressive/wavenet's gated_residual_block takes them, which computes the same.
    """

    def __init__(self, *, num_levels, residual_channels, skip_channels, dilations, kernel_size=2, classes=0):
        super().__init__()
        sizes = {"num_levels": num_levels, "residual_channels": residual_channels, "skip_channels": skip_channels}
        for name, size in {**sizes, "kernel_size": kernel_size, "dilations": min(dilations, default=0)}.items():
            if size < 1:
                raise ValueError(f"{name} is {size}; it must be at least 1" + (" everywhere" if name == "dilations" else ""))
        self.levels, self.skip_channels = num_levels, skip_channels
        self.embedding = nn.Embedding(num_levels, residual_channels)
        self.embedding.weight = nn.Parameter(waves(num_levels, residual_channels))
        self.blocks = nn.ModuleList(
            ResidualBlock(residual_channels, skip_channels, kernel_size, dilation, classes) for dilation in dilations
        )
        self.head = nn.Sequential(
            nn.ReLU(), nn.Linear(skip_channels, skip_channels), nn.ReLU(), nn.Linear(skip_channels, num_levels)
        )

    @property
    def silence(self):
        """The code that precedes the first one."""
        return self.levels // 2

    def forward(self, codes, label=None):
        """[B, T], [B] -> [B, T, V]: logits[:, t] scores codes[:, t], given the codes before it and none from t on."""
        x, found = self.embedding(functional.pad(as_int64(codes), (1, 0), value=self.silence)[:, :-1]), []
        for block in self.blocks:
            x, *parts = block(x, label)
            found.append(parts)
        gates, weights, biases = zip(*found, strict=True)
        return self.head(functional.linear(torch.cat(gates, -1), torch.cat(weights, 1), torch.stack(biases).sum(0)))

    def generate(self, uniforms, label=None):
        """Codes [B, T] by inverse CDF of the uniforms [B, T], each given those before it, at the same small cost every one."""
        batch, length = uniforms.shape
        with torch.inference_mode():
            codes = torch.full((batch, length + 1), self.silence, device=uniforms.device)
            queues = [block.queue(batch) for block in self.blocks]
            conditions = [block.conditioned(label) for block in self.blocks]
            for t in range(length):
                x, skips = self.embedding(codes[:, t]), 0
                for block, queue, condition in zip(self.blocks, queues, conditions, strict=True):
                    x, skip = block.step(x, queue, t, condition)
                    skips = skips + skip
                codes[:, t + 1] = draw(self.head(skips), uniforms[:, t])
        return codes[:, 1:].clone()  # made outside: a tensor that gradients of others may be taken through

    def parameters_by_name(self, label=None):
        """The arguments of gated_residual_block by block; the condition of one class (a tensor [1]) is part of the biases."""
        return tuple(block.parameters_by_name(label) for block in self.blocks)


class ResidualBlock(nn.Module):
    """z = tanh(W_f * x + v_f) sigma(W_g * x + v_g), v of the class; x + W_r z and W_s z."""

    def __init__(self, channels, skip_channels, taps, dilation, classes):
        super().__init__()
        self.channels, self.skip_channels, self.taps, self.dilation = channels, skip_channels, taps, dilation
        self.gates = nn.Linear(taps * channels, 2 * channels)  # the oldest tap first
        self.out = nn.Linear(channels, channels + skip_channels)
        self.condition = nn.Embedding(classes, 2 * channels) if classes else None
        if classes:
            nn.init.zeros_(self.condition.weight)

    def conditioned(self, label):
        """Bias of the gates by class: [B] -> [B, 2 C]; None if there are no classes."""
        if label is None and self.condition is not None:
            raise ValueError(f"label is missing; it must be a class, 0..{self.condition.num_embeddings - 1}, for every sound")
        if label is not None and self.condition is None:
            raise ValueError("label is given; the network has no classes")
        return None if label is None else self.condition(as_int64(label))

    def forward(self, x, label=None):
        """x + W_r z, z, W_s and its bias, which the network multiplies: [B, T, C], [B] -> [B, T, C], [B, T, C], [S, C], [S]"""
        dtype = product_dtype(self.out.weight)
        z = self.gated(x, label).to(dtype)
        # copies: a sharded block frees its weights when it returns
        inward, outward = torch.split_with_sizes_copy(self.out.weight.to(dtype), [self.channels, self.skip_channels])
        inward_bias, outward_bias = torch.split_with_sizes_copy(self.out.bias.to(dtype), [self.channels, self.skip_channels])
        return x + functional.linear(z, inward, inward_bias), z, outward, outward_bias

    def gated(self, x, label=None):
        """z: [B, T, C], [B] -> [B, T, C]"""
        condition = self.conditioned(label)
        condition = condition if condition is None else condition[:, None]
        past, length = (self.taps - 1) * self.dilation, x.shape[1]
        padded = functional.pad(x, (0, 0, past, 0))
        delayed = [padded[:, j * self.dilation : j * self.dilation + length] for j in range(self.taps)]
        return self._gated(torch.cat(delayed, dim=-1), condition)

    def queue(self, batch):
        """The past before the beginning, a ring: input t is at t modulo its length, and nothing ever moves."""
        weight = self.gates.weight
        return weight.new_zeros(max(1, (self.taps - 1) * self.dilation), batch, self.channels)

    def step(self, x, queue, t, condition):
        """x + W_r z and W_s z at time t alone, from the queue, which x then joins: [B, C] -> [B, C], [B, S]"""
        ring = len(queue)
        # the oldest tap, one whole round ago, is where x goes next
        delayed = [queue[(t - (self.taps - 1 - j) * self.dilation) % ring] for j in range(self.taps - 1)]
        z = self._gated(torch.cat([*delayed, x], dim=-1), condition)
        residual, skip = self.out(z).split([self.channels, self.skip_channels], dim=-1)
        queue[t % ring] = x
        return x + residual, skip

    def _gated(self, taps, condition):
        gates = self.gates(taps)
        content, gate = (gates if condition is None else gates + condition.to(gates.dtype)).chunk(2, dim=-1)
        return content.tanh() * gate.sigmoid()

    def parameters_by_name(self, label=None):
        """The parameters by the names of gated_residual_block; a class's condition is part of its biases."""
        channels = self.channels
        # [2 C, k C], tap by tap, to [2 C, C, k]
        filter_weight, gate_weight = self.gates.weight.unflatten(1, (self.taps, channels)).transpose(1, 2).chunk(2)
        condition = self.conditioned(label)
        bias = self.gates.bias if condition is None else (self.gates.bias + condition).flatten()
        filter_bias, gate_bias = bias.chunk(2)
        residual_weight, skip_weight = self.out.weight.split([channels, self.skip_channels])
        residual_bias, skip_bias = self.out.bias.split([channels, self.skip_channels])
        return {
            "filter_weight": filter_weight,
            "filter_bias": filter_bias,
            "gate_weight": gate_weight,
            "gate_bias": gate_bias,
            "residual_weight": residual_weight,
            "residual_bias": residual_bias,
            "skip_weight": skip_weight,
            "skip_bias": skip_bias,
        }


def draw(logits, uniforms):
    """The first code at which the cumulative probability exceeds the uniform: [B, V], [B] -> [B]"""
    cumulative = logits.float().softmax(-1).cumsum(-1)
    return (cumulative <= uniforms.unsqueeze(-1)).sum(-1).clamp(max=logits.shape[-1] - 1)  # rounding may end below 1


def waves(num_levels, channels):
    """[V, C]: cosines of the code, slow ones first and largest. That neighbors sound alike has then not to be learned."""
    place = (torch.arange(num_levels) + 0.5)[:, None] * (math.pi / num_levels)
    order = torch.arange(channels)
    return torch.cos(place * order) * 2 / (1 + order).sqrt()
