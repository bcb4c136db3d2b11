"""Solvers against SciPy's, and against torchdiffeq and diffrax where they are installed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.integrate import RK45, solve_ivp

from practice_torch.flows import ode_solvers as practice
from theory_jax.flows import ode_solvers as theory

START = np.array([[2.0, 0.0], [0.5, -1.0]])


def oscillating(x, time):
    """Van der Pol's oscillator, pushed: a sharp turn in every period."""
    place, speed = x[..., 0], x[..., 1]
    both = [speed, 3 * (1 - place * place) * speed - place + 0.3 * time]
    return torch.stack(both, -1) if isinstance(x, torch.Tensor) else jnp.stack(both, -1)


def reference(tolerance=1e-12, method="DOP853"):
    def flat(time, x):
        return np.asarray(oscillating(x.reshape(2, 2), time)).ravel()

    return solve_ivp(flat, (0.0, 3.0), START.ravel(), method=method, rtol=tolerance, atol=tolerance)


def test_both_wings_follow_scipys_solution_within_the_tolerance():
    """A hundredfold smaller tolerance gives an error at most a tenth as large, and never one above a hundred tolerances."""
    wanted, solve, errors = (
        reference().y[:, -1].reshape(2, 2),
        jax.jit(lambda x, tolerance: theory.solve_adaptive(x, 0.0, 3.0, oscillating, rtol=1e-8, atol=1e-8, max_steps=300)),
        [],
    )
    for tolerance in (1e-4, 1e-6, 1e-8):
        found = practice.solve_adaptive(torch.tensor(START), 0.0, 3.0, oscillating, rtol=tolerance, atol=tolerance)
        errors.append(abs(found.numpy() - wanted).max() / tolerance)
        assert errors[-1] < 100
    assert errors[2] * 1e-4 < errors[0] / 100
    np.testing.assert_allclose(solve(START, 1e-8), found, rtol=1e-9)


def test_the_step_is_that_of_scipys_rk45():
    """The same tableau: value and error of one step, which SciPy gives the opposite sign."""
    step, stages = 0.1, np.empty((7, 4))
    begin = START.ravel()

    def flat(time, x):
        return oscillating(torch.tensor(x).reshape(2, 2), time).numpy().ravel()

    stages[0] = flat(0.0, begin)
    for row, (coefficients, node) in enumerate(zip(RK45.A[1:], RK45.C[1:], strict=True), start=1):
        stages[row] = flat(node * step, begin + step * stages[:row].T @ coefficients[:row])
    value = begin + step * stages[:-1].T @ RK45.B
    stages[-1] = flat(step, value)
    found, error = practice.dormand_prince_step(torch.tensor(START), 0.0, step, oscillating)
    np.testing.assert_allclose(found.ravel(), value, rtol=1e-14)
    np.testing.assert_allclose(error.ravel(), -step * stages.T @ RK45.E, rtol=1e-9)


def test_the_number_of_evaluations_is_near_scipys():
    """Six for each step, since the last velocity of a step is the first of the next; at most a fifth more than RK45 takes."""
    calls = []

    def counted(x, time):
        calls.append(time)
        return oscillating(x, time)

    practice.solve_adaptive(torch.tensor(START), 0.0, 3.0, counted)
    assert len(calls) % 6 == 1
    assert len(calls) < 1.2 * reference(1e-6, "RK45").nfev


def test_a_compiled_run_that_does_not_reach_the_end_is_nan():
    """Under jit values are not read, so that no error can be raised; the plain call names the steps and the time."""
    stopped = jax.jit(lambda x: theory.solve_adaptive(x, 0.0, 3.0, oscillating, max_steps=3))
    assert np.isnan(stopped(START)).all()
    for wing, x in ((theory, jnp.asarray(START)), (practice, torch.tensor(START))):
        with pytest.raises(ValueError, match=r"max_steps is 3, the steps do not reach the end time: the last time is 0\.\d+"):
            wing.solve_adaptive(x, 0.0, 3.0, oscillating, max_steps=3)


def test_a_velocity_that_overflows_is_tried_again_with_a_smaller_step():
    """x' = x^9 from a first step with stages beyond the largest float."""
    x = torch.tensor([1.0], dtype=torch.float64)
    found = practice.solve_adaptive(x, 0.0, 0.1, lambda x, time: x**9, initial_step=1e30)
    exact = (1 - 8 * 0.1) ** (-1 / 8)
    found_jax = theory.solve_adaptive(jnp.ones(1), 0.0, 0.1, lambda x, time: x**9, initial_step=1e30, max_steps=100)
    assert abs(found.item() - exact) < 1e-5
    assert abs(float(found_jax[0]) - exact) < 1e-5


def test_gradients_are_those_of_the_solution():
    """x' = -2 t x^2 from x at time 0 is x/(1 + x) at time 1, where the velocity is -2 of its square; sizes are held constant."""
    x, end = torch.tensor([1.0, 3.0], dtype=torch.float64, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    practice.solve_adaptive(x, 0.0, end, lambda x, time: -2 * time * x * x, rtol=1e-7, atol=1e-7).sum().backward()
    found = jax.jit(
        jax.grad(
            lambda x, end: theory.solve_adaptive(
                x, 0.0, end, lambda x, time: -2 * time * x * x, rtol=1e-7, atol=1e-7, max_steps=60
            ).sum(),
            argnums=(0, 1),
        )
    )
    for by_start, by_end in ((x.grad, end.grad), found(jnp.array([1.0, 3.0]), 1.0)):
        np.testing.assert_allclose(by_start, [1 / 4, 1 / 16], rtol=1e-5)
        np.testing.assert_allclose(by_end, -2 * (1 / 4 + 9 / 16), rtol=1e-5)


@pytest.mark.parametrize("method", ["euler", "midpoint", "dopri5"])
@pytest.mark.peers("torchdiffeq")
def test_torchdiffeq_gives_the_same(method):
    """Fixed steps to rounding; the adaptive solver to the tolerance."""
    from torchdiffeq import odeint

    x, times = torch.tensor(START), torch.linspace(0.0, 3.0, 31, dtype=torch.float64)
    if method == "dopri5":
        found, rtol = practice.solve_adaptive(x, 0.0, 3.0, oscillating, rtol=1e-9, atol=1e-9), 1e-6
        wanted = odeint(lambda t, x: oscillating(x, t), x, times[[0, -1]], method=method, rtol=1e-9, atol=1e-9)[-1]
    else:
        found, rtol = practice.solve_fixed(x, times, oscillating, method=method), 1e-11
        wanted = odeint(lambda t, x: oscillating(x, t), x, times, method=method)[-1]
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=1e-11)


@pytest.mark.peers("diffrax")
def test_diffrax_gives_the_same_gradient():
    """Through its Dopri5 with a checkpointed loop, at a tolerance of 1e-9."""
    import diffrax

    def theirs(x):
        term = diffrax.ODETerm(lambda time, x, _: oscillating(x, time))
        control = diffrax.PIDController(rtol=1e-9, atol=1e-9)
        return diffrax.diffeqsolve(term, diffrax.Dopri5(), 0.0, 1.0, 0.05, x, stepsize_controller=control).ys[-1].sum()

    def ours(x):
        return theory.solve_adaptive(x, 0.0, 1.0, oscillating, rtol=1e-9, atol=1e-9, max_steps=200).sum()

    np.testing.assert_allclose(jax.grad(ours)(jnp.asarray(START)), jax.grad(theirs)(jnp.asarray(START)), rtol=1e-6)
