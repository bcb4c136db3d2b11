r"""Recurrence as convolution (lecture 56): x_t = A x_(t-1) + B u_t, y_t = C x_t + D u_t, one step after the other or all at once.

a, b, c are the matrices of a discretized system with one input and one output: a [S, S], b [S], c [S], d [].
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values
from theory_jax.state_space._system import require_system


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

    def step(states, now):
        states = states @ a.T + now[:, None] * b
        return states, states @ c + d * now

    last, outputs = jax.lax.scan(step, initial, inputs.T)
    return outputs.T, last


def convolution_kernel(a, b, c, *, length):
    r"""K_l = C A^l B for l = 0..length-1: the outputs after an input of 1 at time 0, without the part D.

    Raises ValueError if a is not square, the shapes do not fit, or length < 1.  Source: Gu et al. 2022, eq. 4.
    [S, S], [S], [S] -> [L]
    """
    require_system(a, b=b, c=c)
    require_at_least(1, length=length)
    return jax.lax.scan(lambda state, _: (a @ state, c @ state), b, length=length)[1]


def causal_convolution_direct(inputs, kernel):
    r"""y_t = sum_(j <= t) K_(t-j) u_j, with K_l = 0 from l = L on: the kernel as a lower-triangular Toeplitz matrix, T x T.

    Raises ValueError if inputs or kernel has another number of axes, or no entry.  Source: Gu et al. 2022, eq. 5.
    [B, T], [L] -> [B, T]
    """
    _require_steps(inputs)
    _require_kernel(kernel)
    steps = jnp.arange(inputs.shape[1])
    lags = steps[:, None] - steps
    known = (lags >= 0) & (lags < len(kernel))
    return inputs @ jnp.where(known, kernel[jnp.where(known, lags, 0)], 0).T


def causal_convolution_fft(inputs, kernel):
    r"""y_t = sum_(j <= t) K_(t-j) u_j, with K_l = 0 from l = L on, in O((T + L) log (T + L)).

    Both are padded with zeros to T + L, so that the circular convolution, which products of Fourier transforms are, does not wrap
    around. Rounding errors are relative to the whole of inputs and kernel, not to each output.

    Raises ValueError if inputs or kernel has another number of axes, or no entry.  Source: Cooley & Tukey 1965; Gu et al. 2022.
    [B, T], [L] -> [B, T]
    """
    _require_steps(inputs)
    _require_kernel(kernel)
    steps = inputs.shape[1]
    size = steps + len(kernel)
    return jnp.fft.irfft(jnp.fft.rfft(inputs, size) * jnp.fft.rfft(kernel, size), size)[:, :steps]


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
    systems = jnp.eye(len(b), dtype=a.dtype) - nodes[:, None, None] * a
    require_values("I - nodes a", systems, _invertible, "invertible: no eigenvalue of a is the inverse of a node")
    states = jnp.linalg.solve(systems, jnp.broadcast_to(b.astype(systems.dtype)[:, None], (*systems.shape[:2], 1)))[..., 0]
    later = c @ jnp.linalg.matrix_power(a, length)
    return states @ c - nodes**length * (states @ later)


def _invertible(systems):
    return (np.linalg.slogdet(systems)[0] != 0)[:, None, None]


def _require_steps(inputs):
    require_rank(2, inputs=inputs)
    require(inputs.shape[1] > 0, f"inputs has shape {list(inputs.shape)}; it must be [B, T] with at least one step")


def _require_kernel(kernel):
    require_rank(1, kernel=kernel)
    require(len(kernel) > 0, "kernel has shape [0]; it must have at least one entry")
