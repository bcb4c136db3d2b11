"""Discretization rules compared with SciPy and mpmath, and the rules over many steps."""

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.signal
import torch

from practice_torch.state_space import discretization as practice

rng = np.random.default_rng(0)
A, B = torch.tensor(rng.normal(size=(4, 4)) - 2 * np.eye(4)), torch.tensor(rng.normal(size=(4, 2)))
SCIPY = {"forward_euler": "euler", "backward_euler": "backward_diff", "bilinear": "bilinear", "zero_order_hold": "zoh"}


@pytest.mark.parametrize("rule", SCIPY)
@pytest.mark.parametrize("step", [1e-4, 0.3, 2.0])
def test_cont2discrete_of_scipy_has_the_same_matrices(rule, step):
    system = A.numpy(), B.numpy(), np.ones((1, 4)), np.zeros((1, 2))
    wanted = scipy.signal.cont2discrete(system, step, method=SCIPY[rule])
    for ours, theirs in zip(getattr(practice, rule)(A, B, step_size=step), wanted[:2], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


def test_the_hold_is_exact_for_an_input_that_is_constant_in_every_step():
    """Ten steps of different inputs, against SciPy's integrator, which starts anew at every jump."""
    moving, driving = (part.numpy() for part in practice.zero_order_hold(A, B, step_size=0.3))
    state = exact = rng.normal(size=4)
    for held in rng.normal(size=(10, 2)):
        state = moving @ state + driving @ held
        slope = lambda _, x, held=held: A.numpy() @ x + B.numpy() @ held  # noqa: E731
        exact = scipy.integrate.solve_ivp(slope, (0, 0.3), exact, rtol=1e-11, atol=1e-13).y[:, -1]
    np.testing.assert_allclose(state, exact, rtol=1e-9)


@pytest.mark.parametrize("eigenvalue", [-1e-9, -1e-5 + 1e-6j, 1e-12j, -0.2499, -0.2501, 0.25j, -1 + 10j, -3 + 0.001j], ids=str)
def test_the_integral_has_all_its_digits_near_eigenvalue_zero(eigenvalue):
    """Against mpmath with 50 digits: the plain quotient loses eight of sixteen at -1e-9."""
    with mpmath.workdps(50):
        wanted = complex((mpmath.exp(2 * mpmath.mpc(eigenvalue)) - 1) / mpmath.mpc(eigenvalue))
    for dtype, limit in ((torch.complex128, 1e-15), (torch.complex64, 5e-7)):
        rates = torch.tensor([eigenvalue], dtype=dtype)
        (found,) = practice.zero_order_hold_diagonal(rates, torch.ones(1, dtype=rates.real.dtype), step_size=2.0)[1].tolist()
        assert abs(found - wanted) <= limit * abs(wanted)
    if eigenvalue == -1e-9:
        assert abs((np.exp(2 * eigenvalue) - 1) / eigenvalue - wanted) > 1e-9 * abs(wanted)


@pytest.mark.parametrize(("rule", "order"), [("forward_euler", 1), ("backward_euler", 1), ("bilinear", 2)])
def test_the_error_at_a_fixed_time_falls_with_the_order_of_the_rule(rule, order):
    """x' = A x + B u until time 1, u constant: 40 and 80 steps."""
    errors = []
    for count in (40, 80):
        exact = _run(practice.zero_order_hold, count)
        errors.append((_run(getattr(practice, rule), count) - exact).norm())
    assert torch.log2(errors[0] / errors[1]).item() == pytest.approx(order, abs=0.1)


def _run(rule, count):
    moving, driving = rule(A, B, step_size=1 / count)
    state = torch.ones(4, dtype=torch.float64)
    for _ in range(count):
        state = moving @ state + driving.sum(1)
    return state


def test_a_stable_system_stays_stable_but_with_forward_euler():
    """Eigenvalues -1 and -100 at a step of 0.1: the spectral radius is 9 with forward Euler, below 1 otherwise."""
    stiff = torch.tensor([[-1.0, 3.0], [0.0, -100.0]], dtype=torch.float64)
    radii = {
        rule: torch.linalg.eigvals(getattr(practice, rule)(stiff, torch.ones(2, 1).double(), step_size=0.1)[0]).abs().max().item()
        for rule in SCIPY
    }
    assert radii.pop("forward_euler") == pytest.approx(9.0)
    assert all(radius < 1 for radius in radii.values())


def test_the_step_can_be_learned():
    """The slope in a step that is a parameter; a plain number gives the same matrices."""
    step = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    for rule in SCIPY:
        moving, driving = getattr(practice, rule)(A, B, step_size=step)
        torch.testing.assert_close(moving, getattr(practice, rule)(A, B, step_size=0.3)[0], rtol=0, atol=0)
        (slope,) = torch.autograd.grad(moving.sum() + driving.sum(), step)
        ahead, behind = (sum(p.sum() for p in getattr(practice, rule)(A, B, step_size=0.3 + h)) for h in (1e-6, -1e-6))
        assert slope.item() == pytest.approx((ahead - behind).item() / 2e-6, rel=1e-7)
