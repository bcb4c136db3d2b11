"""Convolutions and changes of size compared with SciPy and the layers of torch."""

import numpy as np
import pytest
import scipy.signal
import torch
from torch import nn

from practice_torch.experiments.latent.convolutional_vae import checkerboard
from practice_torch.latent import convolutional_vae as practice

GEOMETRIES = [(1, 0), (1, 2), (2, 1), (3, 0), (5, 1)]


def _drawn(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize(("stride", "padding"), GEOMETRIES)
def test_a_convolution_is_scipys_correlation(stride, padding):
    """scipy.signal.correlate2d of the padded image, summed over channels, at every `stride`-th place."""
    x, weight, bias = _drawn(0, (2, 3, 7, 6), (4, 3, 4, 3), (4,))
    found = practice.convolution2d(x, weight, bias, stride=stride, padding=padding)
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    for b, o in np.ndindex(2, 4):
        whole = sum(scipy.signal.correlate2d(padded[b, c], weight[o, c].numpy(), mode="valid") for c in range(3))
        np.testing.assert_allclose(found[b, o], whole[::stride, ::stride] + float(bias[o]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("stride", "padding"), GEOMETRIES)
def test_a_transposed_convolution_is_scipys_convolution_of_a_spread_image(stride, padding):
    """scipy.signal.convolve2d of the image with zeros between its pixels, its border cropped."""
    x, weight, bias = _drawn(1, (2, 3, 4, 5), (3, 2, 5, 5), (2,))
    found = practice.transposed_convolution2d(x, weight, bias, stride=stride, padding=padding)
    spread = np.zeros((2, 3, 3 * stride + 1, 4 * stride + 1))
    spread[:, :, ::stride, ::stride] = x.numpy()
    for b, o in np.ndindex(2, 2):
        whole = sum(scipy.signal.convolve2d(spread[b, c], weight[c, o].numpy()) for c in range(3))
        cropped = whole[padding : whole.shape[0] - padding, padding : whole.shape[1] - padding]
        np.testing.assert_allclose(found[b, o], cropped + float(bias[o]), rtol=1e-12, atol=1e-12)


def test_layers_of_torch_have_these_weights():
    """nn.Conv2d and nn.ConvTranspose2d, with weights [O, C, h, w] and [C, O, h, w]."""
    (x,) = _drawn(2, (2, 3, 8, 8))
    for layer, function in (
        (nn.Conv2d(3, 4, 4, stride=2, padding=1), practice.convolution2d),
        (nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1), practice.transposed_convolution2d),
    ):
        layer = layer.double()
        torch.testing.assert_close(layer(x), function(x, layer.weight, layer.bias, stride=2, padding=1))


def test_sizes_change_as_in_numpy():
    """NumPy: a Kronecker product with a block of ones, and the means of blocks."""
    (x,) = _drawn(3, (2, 3, 4, 6))
    repeated = practice.nearest_upsample(x, factor=3)
    np.testing.assert_array_equal(repeated, np.kron(x.numpy(), np.ones((3, 3))))
    np.testing.assert_allclose(practice.average_pool(x, window=2), x.numpy().reshape(2, 3, 2, 2, 3, 2).mean((3, 5)), rtol=1e-12)


def test_a_checkerboard_is_found_and_a_shade_is_none():
    """1 for patterns of two pixels, whatever their brightness; nothing for halves, gradients and noise of many pixels."""
    row = torch.arange(16.0)
    board = 0.5 + 0.1 * (-1) ** (row[:, None] + row)
    stripes = ((row % 2) * torch.ones(16, 1)).mT
    for pattern in (board, stripes, 2 * board):
        assert checkerboard(pattern.expand(3, 2, 16, 16)) == pytest.approx(1, rel=1e-5)
    assert checkerboard((row > 7).float().expand(3, 1, 16, 16)) == 0
    assert checkerboard((row[:, None] + row).expand(3, 1, 16, 16)) < 0.02
    assert checkerboard(torch.rand(50, 1, 64, 64, generator=torch.Generator().manual_seed(0))) < 0.01
