"""The basis and the equations compared with SciPy, and the reconstruction of a long signal."""

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import torch

from practice_torch.state_space import hippo as practice
from practice_torch.state_space.discretization import zero_order_hold


def _signal(times):
    return np.sin(7 * times) + 0.5 * np.cos(17 * times + 1)


def _projection(signal, order):
    """The coefficients of a signal on [0, 1], by SciPy's polynomials and a fine quadrature."""
    nodes, weights = scipy.special.roots_legendre(80)
    basis = np.sqrt(2 * np.arange(order) + 1)[:, None] * scipy.special.eval_legendre(np.arange(order)[:, None], nodes)
    return basis @ (weights / 2 * signal((nodes + 1) / 2))


@pytest.fixture(autouse=True)
def in_float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def test_the_basis_is_scipys_up_to_order_64():
    points = np.linspace(0, 1, 101)
    wanted = np.sqrt(2 * np.arange(64) + 1) * scipy.special.eval_legendre(np.arange(64), 2 * points[:, None] - 1)
    np.testing.assert_allclose(practice.legendre_basis(torch.tensor(points), order=64), wanted, rtol=0, atol=1e-11)


def test_legs_is_the_slope_of_the_projections():
    """The memory at t = 1, by central differences of quadratures; the signal is no polynomial."""
    a, b = (part.numpy() for part in practice.legs_matrices(order=9))
    later, earlier = (_projection(lambda x, t=t: _signal(t * x), 9) for t in (1 + 1e-5, 1 - 1e-5))
    np.testing.assert_allclose((later - earlier) / 2e-5, a @ _projection(_signal, 9) + b * _signal(1.0), rtol=0, atol=1e-7)


def test_legt_carries_polynomials_through_its_window_exactly():
    """From the projection of a cubic at t = 1, by SciPy's integrator, to that at t = 4: the window is 1 long."""
    a, b = (part.numpy() for part in practice.legt_matrices(order=4, window=1.0))
    cubic = np.polynomial.Polynomial([0.3, -1.0, 0.5, 0.25])
    ends = [_projection(lambda x, t=t: cubic(t - 1 + x), 4) for t in (1.0, 4.0)]
    solved = scipy.integrate.solve_ivp(lambda t, c: a @ c + b * cubic(t), (1.0, 4.0), ends[0], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(solved.y[:, -1], ends[1], rtol=0, atol=1e-8)


def test_legt_is_stable_at_every_order():
    for order in (1, 2, 7, 32):
        rates = torch.linalg.eigvals(practice.legt_matrices(order=order, window=2.0)[0])
        assert rates.real.max() < 0


def test_a_window_forgets_what_was_before_it():
    """Two signals that differ until the window begins; LegT is an approximation, so a hundredth remains."""
    a, b = practice.legt_matrices(order=16, window=0.25)
    moving, driving = zero_order_hold(a, b[:, None], step_size=1 / 1000)
    times = np.arange(1, 1001) / 1000
    past = np.where(times < 0.5, 1.0, 0.0)
    memories = torch.zeros(2, 16)
    for values in np.stack([_signal(times), _signal(times) + past], 1):
        memories = memories @ moving.mT + torch.tensor(values)[:, None] * driving[:, 0]
    points = torch.linspace(0.05, 0.95, 50)
    both = practice.reconstruct(points, memories)
    np.testing.assert_allclose(both[0], both[1], rtol=0, atol=0.01)
    np.testing.assert_allclose(both[0], _signal(0.75 + 0.25 * points.numpy()), rtol=0, atol=0.02)


def test_a_longer_memory_remembers_more():
    """1000 values, online, by a memory of 16 numbers and by the shorter ones that it contains."""
    times = np.arange(1, 1001) / 1000
    memory = torch.zeros(1, 16)
    for index, value in enumerate(_signal(times), start=1):
        memory = practice.legs_step(torch.tensor([value]), memory, index=index)
    errors = {}
    for order in (4, 8, 12, 16):
        remembered = practice.reconstruct(torch.tensor(times), memory[:, :order])[0].numpy()
        errors[order] = np.sqrt(np.mean((remembered - _signal(times)) ** 2))
    assert errors[4] > 0.2
    assert list(errors.values()) == sorted(errors.values(), reverse=True)
    assert errors[16] < 0.005  # what is left is of the sampling, half a step


def test_the_memory_is_a_hundred_thousand_values_long_without_drift():
    """A constant is a fixed point: nothing accumulates, in float32 either."""
    memory = torch.zeros(1, 8, dtype=torch.float32)
    memory[:, 0] = 3.0
    for index in (1, 10, 1000, 100_000, 10_000_000):
        for _ in range(5):
            memory = practice.legs_step(torch.full((1,), 3.0, dtype=torch.float32), memory, index=index)
    assert memory.dtype == torch.float32
    np.testing.assert_allclose(memory, [[3.0, 0, 0, 0, 0, 0, 0, 0]], rtol=0, atol=1e-5)
