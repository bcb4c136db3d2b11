"""A classifier conditional on the noise level of its input."""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.networks.time_embedding import sinusoidal_time_embedding


class LevelClassifier(nn.Module):
    """Logits [B, K] of noisy examples [B, ...] at the levels t [B]: a residual perceptron; t scales and shifts its inputs."""

    def __init__(self, size, classes, *, width, layers):
        super().__init__()
        self.width = width
        self.input, self.output = nn.Linear(size, width), nn.Linear(width, classes)
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(layers))
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * layers * width))

    def forward(self, x, t):
        """[B, ...], [B] -> [B, K]"""
        h = self.input(x.flatten(1))
        time = self.time(sinusoidal_time_embedding(t, dim=self.width))
        scales, shifts = time.unflatten(1, (2, -1, self.width)).unbind(1)
        for number, (norm, hidden) in enumerate(zip(self.norms, self.hidden, strict=True)):
            read = torch.addcmul(shifts[:, number], norm(h), 1 + scales[:, number])
            h = h + hidden(functional.silu(read))
        return self.output(functional.silu(h))
