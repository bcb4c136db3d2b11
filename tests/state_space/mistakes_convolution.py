"""Wrong forms of recurrences and convolutions that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.state_space import convolution as right
from tests.support.mistakes import Mistake


def _response(inputs, initial, a, b, c, d, *, early=False, direct=True, started=True, transposed=False):
    state, outputs = initial if started else torch.zeros_like(initial), []
    for now in inputs.T:
        before, state = state, state @ (a if transposed else a.T) + now[:, None] * b
        outputs.append((before if early else state) @ c + (d * now if direct else 0 * d))
    return torch.stack(outputs, 1), state


def _from_initial(inputs, initial, a, b, c, d):
    """The initial state taken for the state after the first input."""
    states = [initial + 0 * inputs[:, :1]]
    for now in inputs.T[1:]:
        states.append(states[-1] @ a.T + now[:, None] * b)
    return torch.stack(states, 1) @ c + d * inputs, states[-1]


def _kernel(a, b, c, *, length, first=0):
    states = [torch.linalg.matrix_power(a, power) @ b for power in range(first, first + length)]
    return torch.stack(states) @ c


def _spectral(inputs, kernel, size):
    return torch.fft.irfft(torch.fft.rfft(inputs, size) * torch.fft.rfft(kernel, size), size)


def _longest(inputs, kernel):
    return max(inputs.shape[1], len(kernel))


def _correlation(inputs, kernel):
    padded = functional.pad(inputs, (len(kernel) - 1, 0)).unsqueeze(1)
    return functional.conv1d(padded, kernel[None, None]).squeeze(1)


def _late(inputs, kernel):
    return right.causal_convolution_direct(functional.pad(inputs, (1, -1)), kernel)


def _generating(nodes, a, b, c, *, length, factor=True, turned=False):
    w = nodes.conj() if turned else nodes
    system = torch.eye(len(b)).to(a) - w[:, None, None] * a
    states = torch.linalg.solve(system, b.to(system.dtype).expand(len(w), -1)[..., None])[..., 0]
    power = torch.linalg.matrix_power(a, length).to(states.dtype)
    later = states @ power.T
    return (states - (w[:, None] ** length * later if factor else later)) @ c.to(states.dtype)


def _without_the_factor(nodes, a, b, c, *, length):
    system = torch.eye(len(b)).to(a) - nodes[:, None, None] * a
    return torch.linalg.solve(system, b.to(system.dtype).expand(len(nodes), -1)[..., None])[..., 0] @ c.to(system.dtype)


def _by_powers(nodes, a, b, c, *, length):
    powers = torch.stack([nodes**power for power in range(length)], 1)
    return powers @ right.convolution_kernel(a, b, c, length=length).to(powers.dtype)


def _blocks(inputs, initial, a, b, c, d):
    """All at once: the convolution, and what the initial state adds."""
    steps = inputs.shape[1]
    outputs = right.causal_convolution_direct(inputs, right.convolution_kernel(a, b, c, length=steps)) + d * inputs
    states = torch.stack([torch.linalg.matrix_power(a, power) for power in range(steps + 1)])
    outputs = outputs + torch.einsum("i,tij,bj->bt", c, states[1:], initial)
    last = torch.einsum("tij,j,bt->bi", states[:-1].flip(0), b, inputs) + initial @ states[-1].T
    return outputs, last


MISTAKES = (
    Mistake("recurrent_response", "the state before the input", lambda *, inputs, initial, a, b, c, d: (
        _response(inputs, initial, a, b, c, d, early=True))),
    Mistake("recurrent_response", "D forgotten", lambda *, inputs, initial, a, b, c, d: (
        _response(inputs, initial, a, b, c, d, direct=False))),
    Mistake("recurrent_response", "the initial state forgotten", lambda *, inputs, initial, a, b, c, d: (
        _response(inputs, initial, a, b, c, d, started=False))),
    Mistake("recurrent_response", "A transposed", lambda *, inputs, initial, a, b, c, d: (
        _response(inputs, initial, a, b, c, d, transposed=True))),
    Mistake("recurrent_response", "the initial state as x_0", _from_initial),
    Mistake("convolution_kernel", "one power too many", lambda a, b, c, *, length: _kernel(a, b, c, length=length, first=1)),
    Mistake("convolution_kernel", "reversed", lambda a, b, c, *, length: _kernel(a, b, c, length=length).flip(0)),
    Mistake("convolution_kernel", "A transposed", lambda a, b, c, *, length: _kernel(a.T, b, c, length=length)),
    Mistake("causal_convolution_direct", "correlation", _correlation),
    Mistake("causal_convolution_direct", "a step late", _late),
    Mistake("causal_convolution_direct", "centered", lambda inputs, kernel: functional.conv1d(
        functional.pad(inputs, (len(kernel) // 2, (len(kernel) - 1) // 2))[:, None], kernel.flip(0)[None, None])[:, 0]),
    Mistake("causal_convolution_fft", "circular", lambda inputs, kernel: (
        _spectral(inputs, kernel, inputs.shape[1]) if inputs.shape[1] > 1 else right.causal_convolution_fft(inputs, kernel))),
    Mistake("causal_convolution_fft", "padded to the longer of both", lambda inputs, kernel: (
        _spectral(inputs, kernel, 2 * ((_longest(inputs, kernel) + 1) // 2))[:, : inputs.shape[1]])),
    Mistake("causal_convolution_fft", "correlation", lambda inputs, kernel: right.causal_convolution_fft(inputs, kernel.flip(0))),
    Mistake("truncated_generating_function", "the factor left out", _without_the_factor),
    Mistake("truncated_generating_function", "A^L without w^L", lambda nodes, a, b, c, *, length: (
        _generating(nodes, a, b, c, length=length, factor=False))),
    Mistake("truncated_generating_function", "the conjugate node", lambda nodes, a, b, c, *, length: (
        _generating(nodes, a, b, c, length=length, turned=True))),
    Mistake("truncated_generating_function", "a power too few", lambda nodes, a, b, c, *, length: (
        _generating(nodes, a, b, c, length=length - 1))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("recurrent_response", "all at once", _blocks, core_alone=True),
    Mistake("convolution_kernel", "by powers", _kernel, core_alone=True),
    Mistake("truncated_generating_function", "by powers of the node", _by_powers, core_alone=True),
)
