"""Norms against torch's own."""

import pytest
import torch
from torch.nn import functional

from practice_torch.autoregressive.normalization import layer_norm, layer_norm_backward, rms_norm, rms_norm_backward


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, WEIGHT, BIAS, UPSTREAM = draw(3, 4, 6), draw(6, seed=1), draw(6, seed=2), draw(3, 4, 6, seed=3)


def test_layer_norm_is_torchs():
    wanted = functional.layer_norm(X, (6,), WEIGHT, BIAS, 1e-3)
    torch.testing.assert_close(layer_norm(X, WEIGHT, BIAS, epsilon=1e-3), wanted, rtol=1e-12, atol=1e-13)


def test_rms_norm_is_torchs():
    wanted = functional.rms_norm(X, (6,), WEIGHT, 1e-3)
    torch.testing.assert_close(rms_norm(X, WEIGHT, epsilon=1e-3), wanted, rtol=1e-12, atol=1e-13)


def test_the_backward_passes_are_those_of_torchs_kernels():
    leaves = [tensor.clone().requires_grad_() for tensor in (X, WEIGHT, BIAS)]
    wanted = torch.autograd.grad(functional.layer_norm(leaves[0], (6,), *leaves[1:], 1e-3), leaves, UPSTREAM)
    for ours, theirs in zip(layer_norm_backward(X, WEIGHT, UPSTREAM, epsilon=1e-3), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    wanted = torch.autograd.grad(functional.rms_norm(leaves[0], (6,), leaves[1], 1e-3), leaves[:2], UPSTREAM)
    for ours, theirs in zip(rms_norm_backward(X, WEIGHT, UPSTREAM, epsilon=1e-3), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mean", [1e3, 1e4])
def test_a_large_mean_costs_no_digits_but_its_own(mean):
    """The mean of squares less the square of the mean would be off by 6% at 1e3 in float32, and negative at 1e4."""
    x = (draw(50, 256) + mean).float()
    wanted = functional.layer_norm(x.double(), (256,), eps=1e-5)
    ours = layer_norm(x, torch.ones(256), torch.zeros(256), epsilon=1e-5)
    torch.testing.assert_close(ours.double(), wanted, rtol=0, atol=1e-6 * mean)
