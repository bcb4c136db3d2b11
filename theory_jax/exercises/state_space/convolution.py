"""Exercises of the lecture: Recurrence as convolution: train on whole sequences, sample step by step."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.state_space.convolution import HALVING, SIGNAL, derivation, l, length, mode
from theory_jax.state_space.convolution import convolution_kernel, truncated_generating_function


@derivation.exercise(
    "What is the kernel if $A$ has the rows $(0, 0)$ and $(1, 0)$, $B$ the entries 1 and 0, and $C$ the entries 0 and 1?",
    r"$(0, 1, 0, \dots)$: a delay by one step. The first state stores the input, the second puts it out; the square of $A$ is 0.",
    level="easy",
    hint="Put a single 1 in, and follow the two states by hand.",
)
def a_delay():
    yield (
        convolution_kernel(jnp.array([[0.0, 0.0], [1.0, 0.0]]), jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]), length=3),
        "(0, 1, 0",
    )


@derivation.exercise(
    "100 inputs meet a kernel of 29 entries. What is the shortest Fourier transform that is long enough for all outputs of the "
    "full convolution, and is it a power of two?",
    "The convolution has $T + L - 1$ steps, here 128, which is $2^7$. At 127 the last product, $K_{28} u_{99}$, would come back "
    "to $y_0$.",
    level="easy",
    hint="What is the last step at which an input still has an effect?",
)
def long_enough():
    rng = np.random.default_rng(0)
    signal, kernel = rng.normal(size=100), rng.normal(size=29)
    full = np.convolve(signal, kernel)
    yield len(full), "128"
    shorter = np.fft.irfft(np.fft.rfft(signal, 127) * np.fft.rfft(kernel, 127), 127)
    yield 28 * round((shorter[0] - full[0]) / (kernel[28] * signal[99])), "28"


@derivation.exercise(
    "Without the factor $I - A^L w^L$, what does the inverse transform return for $K_0$ of the example with two nodes? And "
    "$K_1$?",
    prose(
        "All lags that are equal modulo 2 fall together. At {half} that is {first} and {second}, or 1.3333 and 0.6667, in place "
        r"of 1 and $\frac12$. In general the error of an entry is {error}.",
        half=where(mode, Rational(1, 2)),
        first=holds(1 / (1 - mode**2), "=", Rational(4, 3)),
        second=holds(mode / (1 - mode**2), "=", Rational(2, 3)),
        error=holds(plus(mode**l / (1 - mode**length), -(mode**l)), "=", mode ** (length + l) / (1 - mode**length), named=True),
    ),
    level="medium",
    hint="Without the factor the transform is that of a kernel that never ends; what do two nodes make of it?",
)
def a_folded_kernel():
    roots = jnp.array([1.0 + 0j, -1.0])
    folded = jnp.fft.ifft(truncated_generating_function(roots, *HALVING, length=100)).real
    yield folded[0], "1.3333"
    yield folded[1], "0.6667"


@derivation.exercise(
    r"The matrix $A$ with the rows $(\rho, 1)$ and $(0, \rho)$ has one eigenvector only, so its state is no sum of modes. What "
    r"is the kernel if $B$ has the entries 0 and 1, and $C$ the entries 1 and 0? When is it largest, for $\rho$ just below 1?",
    r"The powers have $\rho^l$ on the diagonal and $l \rho^{l-1}$ above it, so the kernel is $l \rho^{l-1}$: for a $\rho$ of "
    r"$\frac12$ it begins with (0, 1, 1, 0.75). It rises before it falls, with the maximum near the lag $1/(1 - \rho)$: for 0.9 "
    "it is as large at the lag 9 as at the lag 10, 3.8742. No single mode does that. The result in matrices holds all the same.",
    level="medium",
    hint="Multiply the matrix by itself two or three times, and guess the power.",
)
def without_modes():
    for rho, printed in ((0.5, "(0, 1, 1, 0.75)"), (0.9, "3.8742")):
        matrix = jnp.array([[rho, 1.0], [0.0, rho]])
        kernel = convolution_kernel(matrix, jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0]), length=20)
        yield kernel[:4] if rho == 0.5 else kernel[9], printed
    yield kernel[10], "3.8742"
    yield kernel.max(), "3.8742"


@derivation.exercise(
    r"The transform of three numbers may be taken at other nodes than the roots of unity: at $\frac12$ times each of them. "
    "What does the inverse return for the first output of the example, in place of the 3/2 that three roots of unity return "
    "and the 1 that is right? What is the price of still smaller nodes?",
    "The third power of every node is 1/8, and that is the share of what comes back: 1.0625. With small nodes a short "
    "transform is nearly a padded one. But then the last outputs are divided by high powers of a small number, which enlarges "
    "their rounding errors.",
    level="hard",
    hint="Look at the chain about what comes back: which power of a node does its last term have?",
)
def damped_nodes():
    radius = 0.5 ** np.arange(3)
    signal, kernel = np.asarray(SIGNAL[0]), np.asarray(convolution_kernel(*HALVING, length=3))
    found = np.fft.ifft(np.fft.fft(signal * radius) * np.fft.fft(kernel * radius)).real / radius
    yield found[0], "1.0625"
    yield radius[1] ** 3, "1/8"
