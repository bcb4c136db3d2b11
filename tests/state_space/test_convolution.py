"""Recurrences and causal convolutions compared with SciPy."""

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import torch

from practice_torch.state_space import convolution as practice

rng = np.random.default_rng(0)
A, B, C = torch.tensor(0.5 * rng.normal(size=(4, 4))), torch.tensor(rng.normal(size=4)), torch.tensor(rng.normal(size=4))
INPUTS = torch.tensor(rng.normal(size=(3, 50)))
D = torch.tensor(0.5, dtype=torch.float64)


def test_dlsim_of_scipy_is_ours_one_step_late():
    """SciPy's y_t = C x_t + D u_t has x_(t+1) = A x_t + B u_t: its kernel is ours shifted by one."""
    system = A.numpy(), B.numpy()[:, None], C.numpy()[None], np.array([[0.0]]), 1.0
    outputs, _ = practice.recurrent_response(INPUTS, torch.zeros(3, 4).double(), A, B, C, 0 * D)
    for ours, inputs in zip(outputs, INPUTS.numpy(), strict=True):
        _, theirs, _ = scipy.signal.dlsim(system, np.append(inputs, 0.0))
        np.testing.assert_allclose(ours, theirs[1:, 0], rtol=1e-10, atol=1e-12)
        assert theirs[0, 0] == 0


@pytest.mark.parametrize("length", [1, 7, 50, 80])
@pytest.mark.parametrize("convolve", [practice.causal_convolution_direct, practice.causal_convolution_fft])
def test_fftconvolve_of_scipy_has_the_same_first_outputs(convolve, length):
    kernel = torch.tensor(rng.normal(size=length))
    wanted = scipy.signal.fftconvolve(INPUTS.numpy(), kernel.numpy()[None], axes=1)[:, :50]
    np.testing.assert_allclose(convolve(INPUTS, kernel), wanted, atol=1e-12)


def test_the_convolution_is_a_lower_triangular_toeplitz_matrix():
    kernel = torch.tensor(rng.normal(size=20))
    column = np.append(kernel, np.zeros(30))
    matrix = scipy.linalg.toeplitz(column, np.append(column[:1], np.zeros(49)))
    np.testing.assert_allclose(practice.causal_convolution_direct(INPUTS, kernel), INPUTS.numpy() @ matrix.T, atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 7, 49])
def test_training_by_convolution_is_sampling_by_recurrence(chunk):
    """The whole sequence at once, and in chunks that hand over their state."""
    kernel = practice.convolution_kernel(A, B, C, length=50)
    whole = practice.causal_convolution_fft(INPUTS, kernel) + D * INPUTS
    state, parts = torch.zeros(3, 4).double(), []
    for part in INPUTS.split(chunk, dim=1):
        outputs, state = practice.recurrent_response(part, state, A, B, C, D)
        parts.append(outputs)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 31, 32, 33])
def test_doubling_computes_every_power_once(length):
    powers = [C @ torch.linalg.matrix_power(A, power) @ B for power in range(length)]
    torch.testing.assert_close(practice.convolution_kernel(A, B, C, length=length), torch.stack(powers), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("length", [1, 15, 16])
def test_the_inverse_fourier_transform_of_the_generating_function_is_the_kernel(length):
    """Without the factor I - A^L the tail beyond L comes back at the beginning of the kernel."""
    roots = torch.polar(torch.ones(length).double(), -2 * torch.pi * torch.arange(length).double() / length)
    transform = practice.truncated_generating_function(roots, A, B, C, length=length)
    kernel = practice.convolution_kernel(A, B, C, length=length)
    torch.testing.assert_close(torch.fft.ifft(transform).real, kernel, rtol=0, atol=1e-12)
    identity = torch.eye(4).double()
    folded = C @ torch.linalg.solve(identity - torch.linalg.matrix_power(A, length), B)
    endless = torch.fft.ifft(practice.truncated_generating_function(roots, A, B, C, length=400)).real
    assert torch.linalg.matrix_norm(torch.linalg.matrix_power(A, 400)) < 1e-12
    assert endless[0] == pytest.approx(folded.item(), rel=1e-9)
    assert abs(folded - kernel[0]) > 1e-12


def test_float32_is_exact_to_the_size_of_the_whole():
    kernel = torch.tensor(rng.normal(size=50))
    error = practice.causal_convolution_fft(INPUTS.float(), kernel.float()) - practice.causal_convolution_direct(INPUTS, kernel)
    assert error.abs().max() < 1e-6 * INPUTS.norm(dim=1).max() * kernel.norm()
