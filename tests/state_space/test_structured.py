"""The kernel of S4 against dense linear algebra, at the sizes at which it is used."""

import numpy as np
import pytest
import scipy.signal
import torch

from practice_torch.state_space import hippo, structured
from practice_torch.state_space.convolution import convolution_kernel
from practice_torch.state_space.discretization import bilinear

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def in_float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def _in_eigenvectors(order, c):
    """LegS's Lambda, p, B and c in the coordinates of its normal part's eigenvectors."""
    a = structured.normal_part(order=order)
    frequencies, vectors = torch.linalg.eigh(-0.5j * (a - a.mT))
    turn = vectors.mH
    _, b = hippo.legs_matrices(order=order)
    low_rank = structured.low_rank_vector(order=order)
    return torch.complex(torch.full_like(frequencies, -0.5), frequencies), *(turn @ v.to(turn) for v in (low_rank, b, c))


@pytest.mark.parametrize(("order", "length"), [(1, 4), (4, 5), (16, 32), (64, 256)])
def test_the_kernel_is_that_of_the_dense_system(order, length):
    c = torch.tensor(rng.normal(size=order))
    a, b = hippo.legs_matrices(order=order)
    moving, driving = bilinear(a, b[:, None], step_size=1 / length)
    wanted = convolution_kernel(moving, driving[:, 0], c, length=length)
    found = structured.structured_kernel(*_in_eigenvectors(order, c), step_size=1 / length, length=length)
    assert (found - wanted).abs().max() < 1e-11 * wanted.abs().max()


def test_the_kernel_is_scipys_impulse_response():
    """SciPy discretizes and unrolls; its outputs are a step late."""
    c = rng.normal(size=6)
    a, b = (part.numpy() for part in hippo.legs_matrices(order=6))
    system = scipy.signal.cont2discrete((a, b[:, None], c[None], np.zeros((1, 1))), 0.05, method="bilinear")
    moving, driving = system[0], system[1]
    outputs = scipy.signal.dimpulse((moving, driving, c[None], np.zeros((1, 1)), 0.05), n=21)[1][0][1:, 0]
    found = structured.structured_kernel(*_in_eigenvectors(6, torch.tensor(c)), step_size=0.05, length=20)
    np.testing.assert_allclose(found, outputs, rtol=0, atol=1e-12)


def test_the_eigenvectors_of_legs_are_useless_and_those_of_its_normal_part_are_not():
    a = hippo.legs_matrices(order=16)[0].numpy()
    assert np.linalg.cond(np.linalg.eig(a)[1]) > 1e9
    normal = structured.normal_part(order=16).numpy()
    rates, vectors = np.linalg.eig(normal)
    assert np.linalg.cond(vectors) < 1 + 1e-6
    np.testing.assert_allclose(rates.real, -0.5, atol=1e-12)


def test_the_resolvent_needs_no_inverse_at_256_nodes():
    system = _in_eigenvectors(32, torch.tensor(rng.normal(size=32)))
    eigenvalues, low_rank, b, c = system
    nodes = torch.complex(torch.tensor(rng.uniform(0.1, 2, 256)), torch.tensor(30 * rng.normal(size=256)))
    dense = eigenvalues.diag() - torch.outer(low_rank, low_rank.conj())
    states = torch.linalg.solve(nodes[:, None, None] * torch.eye(32) - dense, b.expand(256, -1)[..., None])[..., 0]
    torch.testing.assert_close(structured.low_rank_resolvent(nodes, *system), states @ c.conj(), rtol=1e-10, atol=1e-12)


def test_single_precision_keeps_four_digits():
    system = _in_eigenvectors(16, torch.tensor(rng.normal(size=16)))
    wanted = structured.structured_kernel(*system, step_size=0.02, length=128)
    found = structured.structured_kernel(*(part.to(torch.complex64) for part in system), step_size=0.02, length=128)
    assert found.dtype == torch.float32
    assert (found - wanted).abs().max() < 1e-4 * wanted.abs().max()


def test_the_step_is_learned():
    system = _in_eigenvectors(4, torch.tensor(rng.normal(size=4)))
    step = torch.tensor(0.1, requires_grad=True)
    (slope,) = torch.autograd.grad(structured.structured_kernel(*system, step_size=step, length=8).sum(), step)
    ahead, behind = (structured.structured_kernel(*system, step_size=0.1 + h, length=8).sum() for h in (1e-6, -1e-6))
    assert slope.item() == pytest.approx((ahead - behind).item() / 2e-6, rel=1e-6)
