r"""A discretized linear system as a recurrence and as a convolution: step by step, by conv1d, or by FFT; kernels by doubling.

x_t = A x_(t-1) + B u_t, y_t = C x_t + D u_t with one input and one output: a [S, S], b [S], c [S], d [].
"""

import torch
from torch.nn import functional

from practice_torch.arguments import require, require_at_least, require_rank, require_shape, require_values
from practice_torch.state_space._fourier import causal_product
from practice_torch.state_space._system import require_system


def recurrent_response(inputs, initial, a, b, c, d):
    r"""x_t = A x_(t-1) + B u_t,  y_t = C x_t + D u_t for t = 0, 1, ...: the outputs, and the last state, with which to go on.

    `initial` is the state x_(-1) before the first input.

    Raises ValueError if a is not square, the shapes do not fit, or inputs has no step.  Source: Gu et al. 2022, eq. 3.
    [B, T], [B, S], [S, S], [S], [S], [] -> [B, T], [B, S]
    """
    require_system(a, b=b, c=c)
    _require_steps(inputs)
    require_shape((len(inputs), len(b)), initial=initial)
    require_rank(0, d=d)
    driven, states = inputs.unsqueeze(2) * b, [initial]
    for now in driven.unbind(1):
        states.append(torch.addmm(now, states[-1], a.mT))
    return torch.stack(states[1:], 1) @ c + d * inputs, states[-1]


def convolution_kernel(a, b, c, *, length):
    r"""K_l = C A^l B for l = 0..length-1: the outputs after an input of 1 at time 0, without the part D.

    Raises ValueError if a is not square, the shapes do not fit, or length < 1.  Source: Gu et al. 2022, eq. 4.
    [S, S], [S], [S] -> [L]
    """
    require_system(a, b=b, c=c)
    require_at_least(1, length=length)
    states, power = b.unsqueeze(1), a  # A^l B for l < 2^k, and A^(2^k): log2 L products in place of L
    while states.shape[1] < length:
        missing = length - states.shape[1]
        states = torch.cat((states, power @ states[:, :missing]), 1)
        if states.shape[1] < length:
            power = power @ power
    return c @ states


def causal_convolution_direct(inputs, kernel):
    r"""y_t = sum_(j <= t) K_(t-j) u_j, with K_l = 0 from l = L on: the kernel as a lower-triangular Toeplitz matrix, T x T.

    Raises ValueError if inputs or kernel has another number of axes, or no entry.  Source: Gu et al. 2022, eq. 5.
    [B, T], [L] -> [B, T]
    """
    kernel = _seen(inputs, kernel)
    padded = functional.pad(inputs, (len(kernel) - 1, 0)).unsqueeze(1)
    return functional.conv1d(padded, kernel.flip(0).expand(1, 1, -1)).squeeze(1)


def causal_convolution_fft(inputs, kernel):
    r"""y_t = sum_(j <= t) K_(t-j) u_j, with K_l = 0 from l = L on, in O((T + L) log (T + L)).

    Both are padded with zeros to T + L, so that the circular convolution, which products of Fourier transforms are, does not wrap
    around. Rounding errors are relative to the whole of inputs and kernel, not to each output.

    Raises ValueError if inputs or kernel has another number of axes, or no entry.  Source: Cooley & Tukey 1965; Gu et al. 2022.
    [B, T], [L] -> [B, T]
    """
    return causal_product(inputs, _seen(inputs, kernel))


def truncated_generating_function(nodes, a, b, c, *, length):
    r"""C (I - A^L w^L) (I - A w)^-1 B = sum_(l < L) K_l w^l, L = length: the transform of the kernel, one solve for each node w.

    At the L-th roots of unity it is the discrete Fourier transform of convolution_kernel.

    Raises ValueError if a is not square, the shapes do not fit, length < 1, or 1 / w is an eigenvalue of a for one of the nodes.
    Source: Gu et al. 2022, section 3.2 and appendix C.
    complex [B], [S, S], [S], [S] -> complex [B]
    """
    require_rank(1, nodes=nodes)
    require_system(a, b=b, c=c)
    require_at_least(1, length=length)
    systems = torch.eye(len(b), dtype=a.dtype, device=a.device) - nodes[:, None, None] * a
    require_values("I - nodes a", systems, _invertible, "invertible: no eigenvalue of a is the inverse of a node")
    states = torch.linalg.solve(systems, b.to(systems.dtype).expand(len(nodes), -1).unsqueeze(2)).squeeze(2)
    ends = torch.stack((c, c @ torch.linalg.matrix_power(a, length)), 1)  # what C sees of the state now, and L steps later
    now, later = (states @ ends.to(states.dtype)).unbind(1)
    return now - nodes**length * later


def _seen(inputs, kernel):
    """The part of the kernel that inputs of T steps meet."""
    _require_steps(inputs)
    require_rank(1, kernel=kernel)
    require(len(kernel) > 0, "kernel has shape [0]; it must have at least one entry")
    return kernel[: inputs.shape[1]]


def _invertible(systems):
    return (torch.linalg.slogdet(systems.detach()).sign != 0)[:, None, None]


def _require_steps(inputs):
    require_rank(2, inputs=inputs)
    require(inputs.shape[1] > 0, f"inputs has shape {list(inputs.shape)}; it must be [B, T] with at least one step")
