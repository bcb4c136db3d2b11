"""Affine coupling compared with other libraries of flows, and the purpose of the network."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.points import load
from practice_torch.experiments.flows.affine_coupling import RECIPES, build
from practice_torch.experiments.training.flows import known_log_density
from practice_torch.flows import affine_coupling as practice

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(4,), (1, 2, 2)])
def test_the_network_is_inverted_and_its_log_determinant_is_that_of_its_jacobian(shape):
    """With weights that are not 0, as after training; it begins at the identity."""
    torch.manual_seed(0)
    network = practice.RealNVP(shape=shape, layers=4, hidden=(8,), bound=2.0).double()
    assert torch.equal(network(X)[0], X)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    z, log_det = network(X)
    x, back = network.inverse(z)
    torch.testing.assert_close(x, X)
    torch.testing.assert_close(back, -log_det)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: network(row[None])[0][0]))(X)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_det)


@pytest.mark.peers("normflows")
def test_normflows_stretches_as_this_layer_does():
    """normflows.flows.AffineCouplingBlock, which changes the second half by the first; its density direction is its inverse."""
    import normflows

    halves = torch.tensor([True, True, False, False])
    network = torch.nn.Linear(2, 4).double()  # shift and log-scale in turn
    peer = normflows.flows.AffineCouplingBlock(network)

    def part(which):
        return lambda kept: torch.cat([torch.zeros_like(kept[:, 2:]), network(kept[:, :2])[:, which::2]], 1)

    z, log_det = practice.forward(X, halves, part(1), part(0))
    theirs, their_log_det = peer(X)
    torch.testing.assert_close(theirs, z)
    torch.testing.assert_close(their_log_det, log_det)
    torch.testing.assert_close(peer.inverse(z)[0], practice.inverse(z, halves, part(1), part(0))[0])


@pytest.mark.peers("zuko")
def test_zuko_is_undone_and_counts_volume_as_this_layer_does():
    """zuko bends its log-scales, so the layer is given zuko's own: the same z and the same log-determinant."""
    import zuko

    mask = torch.tensor([True, False, True, False])
    weight = torch.linspace(-1, 1, 8, dtype=torch.float64).view(2, 2, 2)

    def affine(kept):
        shift, raw = torch.einsum("bi,oij->obj", kept, weight)
        return zuko.transforms.DependentTransform(zuko.transforms.MonotonicAffineTransform(shift, raw), 1)

    def part(which):
        def of(kept):
            full, transform = torch.zeros_like(kept), affine(kept[:, mask]).base
            full[:, ~mask] = transform.log_scale if which else transform.shift
            return full

        return of

    peer = zuko.transforms.CouplingTransform(affine, mask)
    z, log_det = practice.forward(X, mask, part(1), part(0))
    theirs, their_log_det = peer.call_and_ladj(X)
    torch.testing.assert_close(theirs, z)
    torch.testing.assert_close(their_log_det, log_det)


def test_the_density_of_the_moons_is_an_integral_over_their_arcs():
    """By scipy.integrate.quad at points on an arc, next to it and between both; the data are standardized."""
    mean, deviation, noise = np.array([0.5, 0.25]), np.array([0.75 + 0.0025, 9 / 16 - 1 / math.pi + 0.0025]) ** 0.5, 0.05
    points = np.array([[-1.0, 1.2], [0.3, 0.1], [1.7, 0.0]])
    found = known_log_density(torch.tensor(points), {"name": "two_moons"})

    def along(angle, x):
        upper = np.array([math.cos(angle), math.sin(angle)])
        lower = np.array([1 - math.cos(angle), 0.5 - math.sin(angle)])
        return sum(scipy.stats.norm.pdf(x - arc, scale=noise).prod() for arc in (upper, lower)) / (2 * math.pi)

    for x, log_density in zip(points * deviation + mean, found, strict=True):
        breaks = np.linspace(0, math.pi, 65)
        parts = [scipy.integrate.quad(along, *ends, args=(x,))[0] for ends in zip(breaks, breaks[1:], strict=False)]
        assert float(log_density) == pytest.approx(math.log(sum(parts) * deviation.prod()), abs=1e-6)


def test_points_on_a_line_have_no_half_that_could_pass():
    train, _ = load("bimodal", count=64)
    with pytest.raises(DataError, match="bimodal has points with 1 entry"):
        build(RECIPES["two_moons"], train)


def test_images_with_an_odd_side_have_no_second_scale():
    data = SimpleNamespace(description={"name": "mine", "shape": [3, 33, 32]})
    with pytest.raises(DataError, match="mine has images of 33 x 32; two scales need even sides"):
        build(RECIPES["cifar10"], data)
