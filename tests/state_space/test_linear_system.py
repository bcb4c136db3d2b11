"""Linear systems compared with SciPy's matrix exponential, its linear systems and an integrator of differential equations."""

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.signal
import torch

from practice_torch.state_space import linear_system as practice

rng = np.random.default_rng(0)
A = np.array([[-1.0, 1.0, 0.25], [0.5, -2.0, 0.0], [-0.5, 0.75, -0.6]])
B, C, D, INITIAL = rng.normal(size=3), rng.normal(size=3), 0.75, rng.normal(size=3)
TIMES = np.linspace(0.0, 6.0, 25)
SYSTEM = tuple(map(torch.tensor, (A, B, C)))
LTI = scipy.signal.lti(A, B[:, None], C[None], [[D]])


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_the_transition_is_scipys_exponential(scale):
    got = practice.state_transition(torch.tensor(TIMES), torch.tensor(scale * A))
    wanted = np.stack([scipy.linalg.expm(time * scale * A) for time in TIMES])
    np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("norm", np.logspace(-5, 1, 25))
def test_a_matrix_of_any_norm_alone_keeps_its_digits(norm, precision):
    """torch.linalg.matrix_exp of one small matrix is off by up to 4e-12 in float64."""
    given = torch.tensor(norm / np.abs(A).sum(1).max() * A, dtype=getattr(torch, precision))
    got = practice.state_transition(torch.ones(1, dtype=given.dtype), given)[0]
    np.testing.assert_allclose(got, scipy.linalg.expm(given.double().numpy()), rtol=0, atol=64 * torch.finfo(given.dtype).eps)


def test_the_responses_are_scipys():
    """scipy.signal adds no D to an impulse, and has no initial state in its step."""
    impulse = scipy.signal.impulse(LTI, T=TIMES)[1]
    step = scipy.signal.step(LTI, T=TIMES)[1]
    np.testing.assert_allclose(practice.impulse_response(torch.tensor(TIMES), *SYSTEM), impulse, rtol=1e-9, atol=1e-12)
    got = practice.step_response(torch.tensor(TIMES), *SYSTEM, torch.tensor(D), torch.zeros(3, dtype=torch.float64))
    np.testing.assert_allclose(got, step, rtol=1e-9, atol=1e-12)


def test_the_gains_are_scipys():
    omega, wanted = scipy.signal.freqresp(LTI, w=np.linspace(0.0, 20.0, 40))
    got = practice.transfer_function(1j * torch.tensor(omega), *SYSTEM, torch.tensor(D))
    np.testing.assert_allclose(got, wanted, rtol=1e-11)


def test_the_step_response_solves_the_differential_equation():
    """From an initial state, with an A of which one eigenvalue is 0."""
    singular = np.array(A)
    singular[2] = singular[0] + singular[1]
    solved = scipy.integrate.solve_ivp(
        lambda t, x: singular @ x + B, (0.0, 6.0), INITIAL, t_eval=TIMES, method="DOP853", rtol=1e-11, atol=1e-12
    )
    given = (torch.tensor(singular), *SYSTEM[1:], torch.tensor(D), torch.tensor(INITIAL))
    np.testing.assert_allclose(practice.step_response(torch.tensor(TIMES), *given), C @ solved.y + D, rtol=1e-8)


def test_single_precision_keeps_four_digits():
    """||At|| up to 10."""
    times = torch.linspace(0, 10 / np.abs(A).sum(1).max(), 20)
    got = practice.state_transition(times, torch.tensor(A).float())
    wanted = practice.state_transition(times.double(), torch.tensor(A))
    assert got.dtype == torch.float32
    assert ((got - wanted).abs().amax((1, 2)) <= 1e-4 * wanted.abs().amax((1, 2))).all()
