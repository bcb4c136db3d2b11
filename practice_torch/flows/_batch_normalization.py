"""Batch normalization as a layer of a flow: activation normalization by the moments of a batch, or by their averages."""

import torch
from torch import nn

from practice_torch.arguments import require
from practice_torch.flows import actnorm


class RunningMoments(nn.Module):
    """[B, C, ...] -> mean [C], variance + eps [C]: of the batch in training, of all batches in evaluation.

    Of all batches are averages that keep the share `decay` in every training batch; that of the variance is without bias. Several
    processes take the moments of their own part of a batch each, and keep those of rank 0.
    """

    def __init__(self, channels, *, decay, eps):
        super().__init__()
        self.decay, self.eps = decay, eps
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x):
        """The moments by which x is normalized. Raises ValueError in training if a channel has a single value."""
        if not self.training:
            return self.kept()
        values = x.transpose(0, 1).flatten(1)
        count = values.shape[1]
        require(count > 1, f"x has shape {list(x.shape)}; batch normalization needs at least 2 values in a channel in training")
        mean, variance = values.mean(1), values.var(1, correction=0)
        with torch.no_grad():
            self.mean.lerp_(mean, 1 - self.decay)
            self.variance.lerp_(variance * (count / (count - 1)), 1 - self.decay)
        return mean, variance + self.eps

    def kept(self):
        """The moments of all batches."""
        return self.mean, self.variance + self.eps


class BatchNormalization(nn.Module):
    """[B, C, ...] -> z [B, C, ...], log_det [B], with a trained scale and offset a channel.

    In training z depends on the whole batch, and log_det is that of a map with the batch's moments for constants. The inverse
    is that of evaluation, always.
    """

    def __init__(self, channels, *, decay, eps):
        super().__init__()
        self.moments = RunningMoments(channels, decay=decay, eps=eps)
        self.log_scale, self.offset = (nn.Parameter(torch.zeros(channels)) for _ in range(2))

    def forward(self, x):
        """z and the log-determinant of the way from x to z."""
        mean, variance = self.moments(x)
        z, log_det = actnorm.forward(x, -mean, self.log_scale - variance.log() / 2)
        return z + self._offset(z), log_det

    def inverse(self, z):
        """x and the log-determinant of the way from z to x."""
        mean, variance = self.moments.kept()
        return actnorm.inverse(z - self._offset(z), -mean, self.log_scale - variance.log() / 2)

    def _offset(self, z):
        return self.offset.reshape(-1, *[1] * (z.ndim - 2))
