"""Exercises of the lecture: Recurrence as convolution: train on whole sequences, sample step by step."""

import jax.numpy as jnp
import numpy as np

from theory_jax.lectures.state_space.convolution import HALVING, derivation
from theory_jax.state_space.convolution import convolution_kernel, truncated_generating_function


@derivation.exercise(
    r"What is the kernel of $A = \begin{pmatrix} 0 & 0 \\ 1 & 0 \end{pmatrix}$, $B = (1, 0)^\top$, $C = (0, 1)$?",
    r"$(0, 1, 0, \dots)$: a delay by one step. The first state stores the input, the second puts it out; $A^2 = 0$.",
)
def a_delay():
    yield (
        convolution_kernel(jnp.array([[0.0, 0.0], [1.0, 0.0]]), jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]), length=3),
        "(0, 1, 0",
    )


@derivation.exercise(
    "100 inputs meet a kernel of 29 entries. What is the shortest Fourier transform that is long enough for all outputs of the "
    "full convolution, and is it a power of two?",
    r"$T + L - 1 = 128 = 2^7$. At 127 the last product, $K_{28} u_{99}$, would come back to $y_0$.",
)
def long_enough():
    rng = np.random.default_rng(0)
    signal, kernel = rng.normal(size=100), rng.normal(size=29)
    full = np.convolve(signal, kernel)
    yield len(full), "128"
    shorter = np.fft.irfft(np.fft.rfft(signal, 127) * np.fft.rfft(kernel, 127), 127)
    yield 28 * round((shorter[0] - full[0]) / (kernel[28] * signal[99])), "28"


@derivation.exercise(
    r"Without the factor $I - A^L w^L$, what does the inverse transform return for $K_0$ of the example with $L = 2$? And $K_1$?",
    r"All lags that are equal modulo 2 fall together: $1 + \frac14 + \frac1{16} + \dots = 4/3$ and $2/3$, in place of 1 and "
    r"$\frac12$. The error is $\rho^{L+l} / (1 - \rho^L)$ where the kernel is $\rho^l$.",
)
def a_folded_kernel():
    roots = jnp.array([1.0 + 0j, -1.0])
    folded = jnp.fft.ifft(truncated_generating_function(roots, *HALVING, length=100)).real
    yield folded[0], "4/3"
    yield folded[1], "2/3"
