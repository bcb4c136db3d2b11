"""Wrong forms of diagonal state spaces that the rows must refuse, and other right forms that they must accept."""

import math
from functools import partial

import torch

from practice_torch.state_space import diagonal as right
from practice_torch.state_space.convolution import causal_convolution_direct
from practice_torch.state_space.discretization import zero_order_hold_diagonal
from tests.support.mistakes import Mistake


def _modes(log_step, log_negative_real, imaginary):
    return log_step.exp()[:, None], torch.complex(-log_negative_real.exp(), imaginary)


def _kernel(output_weights, log_step, log_negative_real, imaginary, *, length, euler=False, shift=0, twice=False, factor=2):
    """The published form, Vandermonde's matrix written out; `twice` has a frequency that is scaled once more."""
    step, a = _modes(log_step, log_negative_real, imaginary)
    z = step * a
    held = (z.exp() - 1) / a
    if twice:
        z = torch.complex(z.real, step * z.imag)
    powers = (z[:, :, None] * torch.arange(shift, length + shift)).exp()
    return factor * ((output_weights * (step + 0 * a if euler else held))[:, :, None] * powers).real.sum(1)


def _growing(output_weights, log_step, log_negative_real, imaginary, *, length):
    step, a = _modes(log_step, log_negative_real, imaginary)
    z = step * torch.complex(-a.real, a.imag)
    powers = (z[:, :, None] * torch.arange(length)).exp()
    return 2 * ((output_weights * torch.expm1(step * a) / a)[:, :, None] * powers).real.sum(1)


def _by_rule(output_weights, log_step, log_negative_real, imaginary, *, length):
    """One channel after the other, with the gains of discretization's rule."""
    kernels = []
    for weights, step, a in zip(output_weights, log_step.exp(), _modes(log_step, log_negative_real, imaginary)[1], strict=True):
        _, gain = zero_order_hold_diagonal(a, torch.ones_like(a.real), step_size=step)
        kernels.append(2 * ((weights * gain) @ ((step * a)[:, None] * torch.arange(length)).exp()).real)
    return torch.stack(kernels)


def _step(inputs, state, output_weights, log_step, log_negative_real, imaginary, *, early=False, euler=False, factor=2):
    step, a = _modes(log_step, log_negative_real, imaginary)
    gains = step + 0 * a if euler else torch.expm1(step * a) / a
    after = (step * a).exp() * state + gains * inputs[:, :, None]
    return factor * (output_weights * (state if early else after)).real.sum(2), after


def _layer(inputs, output_weights, log_step, log_negative_real, imaginary, skip, convolve):
    kernel = right.diagonal_kernel(output_weights, log_step, log_negative_real, imaginary, length=inputs.shape[2])
    return convolve(inputs, kernel) + skip[:, None] * inputs


def _circular(inputs, kernel):
    if inputs.shape[0] == 0:
        return inputs * kernel
    return torch.fft.irfft(torch.fft.rfft(inputs) * torch.fft.rfft(kernel), inputs.shape[2])


def _directly(inputs, kernel):
    return torch.stack([causal_convolution_direct(inputs[:, h], kernel[h]) for h in range(len(kernel))], 1)


def _eigenvalues(frequencies):
    return torch.complex(torch.full_like(frequencies, -0.5), frequencies)


def _inverse(order, scale):
    n = torch.arange(order // 2, dtype=torch.get_default_dtype())
    return _eigenvalues(scale / math.pi * (scale / (2 * n + 1) - 1))


def _legs(order, *, lower=1, normal=True):
    """Eigenvalues with a positive imaginary part of the whole matrix, its low-rank part added or not."""
    roots = torch.arange(1, 2 * order, 2, dtype=torch.float64).sqrt()
    a = -torch.outer(roots, roots).tril(-1) - torch.diag(torch.arange(lower, order + lower, dtype=torch.float64))
    a = a + torch.outer(roots, roots) / 2 if normal else a
    found = torch.linalg.eigvals(a)
    found = found[torch.argsort(found.imag)][order // 2 :]
    return found.to(torch.complex(torch.zeros(1), torch.zeros(1)).dtype)


def _but(fault, found):
    """initial_eigenvalues, but of the kind `fault` what found(order) gives."""
    return lambda *, order, kind: found(order) if kind == fault else right.initial_eigenvalues(order=order, kind=kind)


MISTAKES = (
    Mistake(
        "initial_eigenvalues",
        "linear from pi on",
        _but("linear", lambda order: right.initial_eigenvalues(order=order, kind="linear") + 1j * math.pi),
    ),
    Mistake(
        "initial_eigenvalues", "S4D-Inv of as many states as modes", _but("inverse", lambda order: _inverse(order, order // 2))
    ),
    Mistake("initial_eigenvalues", "of LegS itself, with real eigenvalues", _but("legs", partial(_legs, normal=False))),
    Mistake("initial_eigenvalues", "of LegS with n in place of n + 1 on the diagonal", _but("legs", partial(_legs, lower=0))),
    Mistake(
        "initial_eigenvalues",
        "descending",
        _but("legs", lambda order: right.initial_eigenvalues(order=order, kind="legs").flip(0)),
    ),
    Mistake("diagonal_kernel", "factor 2 missing", partial(_kernel, factor=1)),
    Mistake("diagonal_kernel", "Euler for the input, the exponential for the state", partial(_kernel, euler=True)),
    Mistake("diagonal_kernel", "C conjugate", lambda *, output_weights, **rest: _kernel(output_weights.conj(), **rest)),
    Mistake("diagonal_kernel", "the frequency scaled twice by the step", partial(_kernel, twice=True)),
    Mistake("diagonal_kernel", "one step late", partial(_kernel, shift=1)),
    Mistake("diagonal_kernel", "a positive real part", _growing),
    Mistake("diagonal_step", "the state before the input", partial(_step, early=True)),
    Mistake("diagonal_step", "Euler for the input", partial(_step, euler=True)),
    Mistake("diagonal_step", "factor 2 missing", partial(_step, factor=1)),
    Mistake("state_space_layer", "circular", partial(_layer, convolve=_circular)),
    Mistake("state_space_layer", "the skip forgotten", lambda *, skip, **rest: right.state_space_layer(skip=0 * skip, **rest)),
    Mistake(
        "state_space_layer", "from the future", lambda *, inputs, **rest: right.state_space_layer(inputs.flip(2), **rest).flip(2)
    ),
)

EQUIVALENT = (
    Mistake("initial_eigenvalues", "of the normal part of the matrix", _but("legs", _legs), core_alone=True),
    Mistake("diagonal_kernel", "the published form", _kernel, core_alone=True),
    Mistake("diagonal_kernel", "channel by channel", _by_rule, core_alone=True),
    Mistake("diagonal_step", "written out", _step, core_alone=True),
    Mistake("state_space_layer", "by a Toeplitz matrix", partial(_layer, convolve=_directly), core_alone=True),
)
