"""The invertible convolution compared with SciPy and another library of flows."""

import numpy as np
import pytest
import scipy.linalg
import torch

from practice_torch.flows import invertible_convolution as practice

WEIGHT = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
X = torch.randn(3, 5, 2, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_factors_are_those_of_scipy():
    """scipy.linalg.lu, which exchanges rows by size, too."""
    exchanges, lower, upper = scipy.linalg.lu(WEIGHT.numpy())
    permutation, ours_lower, ours_upper, log_diagonal, sign = practice.decompose(WEIGHT)
    np.testing.assert_array_equal(np.eye(5)[permutation], exchanges)
    np.testing.assert_allclose(ours_lower, lower, atol=1e-14)
    np.testing.assert_allclose(ours_upper + torch.diag(sign * log_diagonal.exp()), upper, atol=1e-14)


@pytest.mark.peers("normflows")
def test_normflows_mixes_channels_as_this_layer_does():
    """normflows.flows.Invertible1x1Conv, with its inverse as density direction."""
    import normflows

    peer = normflows.flows.Invertible1x1Conv(5).double()
    z, log_det = peer.inverse(X)
    ours, ours_log_det = practice.forward(X, peer.W)
    torch.testing.assert_close(z, ours)
    torch.testing.assert_close(log_det.expand(3), ours_log_det)
    torch.testing.assert_close(peer(z)[0], practice.inverse(z, peer.W)[0])
