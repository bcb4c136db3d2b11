"""The example, its first steps, checks of the code and the figure of the lecture on diagonal state spaces."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.kinds import Sides
from theory_jax.state_space.diagonal import diagonal_kernel, diagonal_step, initial_eigenvalues, state_space_layer

EXAMPLE = jnp.array([[complex(-np.log(2), np.pi / 2)]])  # e^A = i/2, and C = A
UNIT = np.array([1.0])


def kernel_of_example(length, step=1.0):
    """The kernel of the example, at this step."""
    return diagonal_kernel(EXAMPLE, jnp.log(step * UNIT), jnp.log(-EXAMPLE.real), EXAMPLE.imag, length=length)[0]


def modes_of(real, imaginary, sigma, omega, step):
    """The parameters of one channel a row."""
    weights = jax.lax.complex(jnp.asarray(real), jnp.asarray(imaginary))
    return weights, jnp.log(step), jnp.log(sigma), jnp.asarray(omega)


def two_inputs():
    """The inputs 1, 1 to the example: all at once, and step by step."""
    one, rates = jnp.ones(1), initial_eigenvalues(order=4, kind="legs")
    yield r"\text{LegS with four states: } A_m", jnp.stack([rates.real, rates.imag]), "(-0.5, -0.5; 0.5565, 4.6033)"
    modes = EXAMPLE, jnp.zeros(1), jnp.log(-EXAMPLE.real), EXAMPLE.imag
    yield r"e^A = \tfrac i2, C = A, \Delta = 1: \quad K_0, K_1", diagonal_kernel(*modes, length=2)[0], "(-2, -1/2)"
    yield r"u = (1, 1), D = 0: \quad y", state_space_layer(jnp.ones((1, 1, 2)), *modes, 0 * one).ravel(), "(-2, -5/2)"
    state = jnp.zeros((1, 1, 1), complex)
    for number, stated in ((1, "-2"), (2, "-5/2")):
        output, state = diagonal_step(jnp.ones((1, 1)), state, *modes)
        yield rf"\text{{step {number}: }} y", output[0, 0], stated


def a_quarter_of_a_turn():
    """The kernel of the example at two steps, and what it sums to."""
    yield "K", kernel_of_example(5), "(-2, -1/2, 1/2, 1/8, -1/8)"
    yield r"K \text{ at half of the step}", kernel_of_example(4, 0.5), "(-1.0, -1.0, -0.5, 0.0)"
    yield r"\sum_l K_l = 2\,\mathrm{Re}(-C/A)", kernel_of_example(200).sum(), "-2"
    yield r"2\,\mathrm{Re}(C\Delta), \text{ Euler's } K_0", 2 * EXAMPLE.real[0, 0], "-1.386"


def cells_and_frequencies(left, right):
    """Draws the kernel as areas under the response, and the frequencies of three beginnings."""
    times_, entries = np.linspace(0, 5, 201), np.asarray(kernel_of_example(5))
    left.plot(times_, 2 * (EXAMPLE[0, 0] * np.exp(EXAMPLE[0, 0] * times_)).real, label=r"$h(\tau)$")
    left.bar(np.arange(5) + 0.5, entries, width=1.0, alpha=0.3, edgecolor="gray", label="$K_l$")
    left.set(xlabel=r"time $\tau$, in steps", ylabel="response")
    left.legend()
    for kind, words in (("legs", "LegS, normal part"), ("inverse", "S4D-Inv"), ("linear", "S4D-Lin")):
        frequencies = np.sort(np.asarray(initial_eigenvalues(order=64, kind=kind).imag))[::-1]
        right.semilogy(np.arange(1, 33), np.maximum(frequencies, 0.1), label=words)
    right.set(xlabel="mode, the fastest first", ylabel="frequency")
    right.legend()


def all_at_once_and_step_by_step():
    """Two channels by Fourier transforms, and step by step."""
    rng = np.random.default_rng(0)
    modes = modes_of(
        *rng.normal(size=(2, 2, 3)), rng.uniform(0.3, 2.0, (2, 3)), rng.normal(size=(2, 3)), rng.uniform(0.1, 0.5, 2)
    )
    signal, direct = jnp.array(rng.normal(size=(1, 2, 20))), jnp.array([0.5, -1.0])
    state, outputs = jnp.zeros((1, 2, 3), complex), []
    for t in range(20):
        output, state = diagonal_step(signal[:, :, t], state, *modes)
        outputs.append(output + direct * signal[:, :, t])
    kernels = diagonal_kernel(*modes, length=20)
    circular = jnp.fft.irfft(jnp.fft.rfft(signal) * jnp.fft.rfft(kernels), 20) + direct[:, None] * signal
    return Sides(
        left=jnp.stack(outputs, axis=-1), right=state_space_layer(signal, *modes, direct), wrong={"without padding": circular}
    )


def circle_and_half_steps(plane, entries):
    """Draws what a step multiplies modes by, for three lengths of it, and the kernel of the example at half of the step."""
    angle = np.linspace(0, 2 * np.pi, 121)
    plane.plot(np.cos(angle), np.sin(angle), color="gray", linewidth=0.8)
    rates = np.asarray(initial_eigenvalues(order=32, kind="linear"))
    for step, marker in ((0.06, "o"), (0.02, "s"), (0.005, "^")):
        factors = np.exp(step * np.concatenate([rates, rates.conj()]))
        plane.plot(factors.real, factors.imag, marker, markersize=3, linestyle="none", label=rf"$\Delta = {step:g}$")
    plane.set(xlabel="real part", ylabel="imaginary part", aspect="equal", xlim=(-1.1, 2.6))
    plane.legend(loc="upper right", fontsize="small")
    for step, style in ((1.0, {"color": "C0", "alpha": 0.35}), (0.5, {"fill": False, "edgecolor": "C1", "linewidth": 1.6})):
        heights = np.asarray(kernel_of_example(round(5 / step), step))
        places = step * (np.arange(len(heights)) + 0.5)
        entries.bar(places, heights, width=0.9 * step, label=f"step {step:g}", **style)
    entries.axhline(0, color="gray", linewidth=0.8)
    entries.set(xlabel=r"time $\tau$", ylabel="entries of the kernel")
    entries.legend()
