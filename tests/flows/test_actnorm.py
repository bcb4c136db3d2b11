"""Activation normalization compared with torch's batch normalization and another library of flows."""

import pytest
import torch
from torch.nn import functional

from practice_torch.flows import actnorm as practice

X = 3 + 2 * torch.randn(6, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_start_is_batch_normalization_of_the_first_batch():
    """torch's batch_norm in training, with the smallest epsilon that it takes."""
    z, _ = practice.forward(X, *practice.initialize(X))
    torch.testing.assert_close(z, functional.batch_norm(X, None, None, training=True, eps=1e-300))


@pytest.mark.peers("normflows")
def test_normflows_starts_at_the_same_place():
    """normflows.flows.ActNorm, with its inverse as density direction; it divides the variance by one less, and adds 1e-6."""
    import normflows

    peer = normflows.flows.ActNorm((3, 1, 1)).double()
    peer.inverse(X)
    shift, log_scale = practice.initialize(X)
    torch.testing.assert_close(peer.t.flatten(), -shift)
    n = X.numel() // 3
    deviation = (-log_scale).exp() * (n / (n - 1)) ** 0.5 + 1e-6
    torch.testing.assert_close(peer.s.flatten(), deviation.log())
    z, log_det = peer.inverse(X)
    ours, ours_log_det = practice.forward(X, -peer.t.flatten(), -peer.s.flatten())
    torch.testing.assert_close(z, ours)
    torch.testing.assert_close(log_det.expand(6), ours_log_det)
