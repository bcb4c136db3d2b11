"""Additive coupling compared with SciPy and other libraries of flows, and the purpose of the network."""

import numpy as np
import pytest
import scipy.stats
import torch

from practice_torch.flows import additive_coupling as practice

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_logistic_density_agrees_with_scipy():
    """scipy.stats.logistic."""
    wanted = scipy.stats.logistic.logpdf(X.numpy()).sum(1)
    np.testing.assert_allclose(practice.logistic_log_prob(X), wanted, rtol=1e-13)


def test_the_network_is_inverted_and_its_log_determinant_is_that_of_its_jacobian():
    """With a scaling that is not 0, as after training."""
    torch.manual_seed(0)
    network = practice.NICE(dim=4, layers=4, hidden=(8,)).double()
    torch.nn.init.normal_(network.log_scale)
    z, log_det = network(X)
    x, back = network.inverse(z)
    torch.testing.assert_close(x, X)
    torch.testing.assert_close(back, -log_det)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: network(row[None])[0][0]))(X)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_det)


@pytest.mark.peers("zuko")
def test_zuko_shifts_as_this_layer_does():
    """zuko.transforms.CouplingTransform with an AdditiveTransform."""
    import zuko

    mask = practice.alternating_mask(dim=4)
    weight = torch.linspace(-1, 1, 4, dtype=torch.float64).view(2, 2)
    peer = zuko.transforms.CouplingTransform(
        lambda kept: zuko.transforms.DependentTransform(zuko.transforms.AdditiveTransform((kept @ weight).tanh()), 1), mask
    )

    def shift_fn(kept):
        full = torch.zeros_like(kept)
        full[:, ~mask] = (kept[:, mask] @ weight).tanh()
        return full

    ours = practice.forward(X, mask, shift_fn)
    torch.testing.assert_close(peer(X), ours)
    torch.testing.assert_close(peer.inv(ours), practice.inverse(ours, mask, shift_fn))


@pytest.mark.peers("normflows")
def test_normflows_shifts_as_this_layer_does():
    """normflows.flows.AffineCoupling without a scale, which changes the second half by the first."""
    import normflows

    halves = torch.tensor([True, True, False, False])
    network = torch.nn.Linear(2, 2).double()
    peer = normflows.flows.AffineCouplingBlock(network, scale=False)

    def shift_fn(kept):
        return torch.cat([torch.zeros_like(kept[:, 2:]), network(kept[:, :2])], 1)

    torch.testing.assert_close(peer(X)[0], practice.forward(X, halves, shift_fn))
