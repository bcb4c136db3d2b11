"""Signals, the example and the figure of the lecture on HiPPO."""

import jax.numpy as jnp
import numpy as np

from theory_jax.state_space.discretization import bilinear
from theory_jax.state_space.hippo import legendre_basis, legs_matrices, legs_step, legt_matrices, reconstruct

VALUES = 60
TIMES = np.arange(1, VALUES + 1) / VALUES


def chirp(times):
    """A signal on [0, 1] that gets faster."""
    return np.sin(2 * np.pi * times * (1 + 2 * times)) + 0.3 * np.cos(5 * times)


def online_memory(values, order):
    """The memory [1, order] of the values, each by one legs_step."""
    memory = jnp.zeros((1, order))
    for index, value in enumerate(values, 1):
        memory = legs_step(jnp.array([value]), memory, index=index)
    return memory


def a_ramp():
    """A ramp in two numbers: in continuous time, after one value, and after sixty."""
    A2, B2 = legs_matrices(order=2)
    coefficients = np.array([0.5, 0.5 / np.sqrt(3)])
    yield "A", A2, "(-1, 0; -1.7321, -2)"
    yield "B", B2, "(1, 1.7321)"
    yield "c", coefficients, "(0.5, 0.2887)"
    yield "Ac + Bf", A2 @ coefficients + B2, "(0.5, 0.2887)"
    yield "r(0), r(1)", reconstruct(jnp.array([0.0, 1.0]), jnp.array(coefficients)[None]), "(0, 1)"
    yield r"c_{n,1} \text{ from } 0", legs_step(jnp.ones(1), jnp.zeros((1, 2)), index=1), "(0.6667, 0.5774)"
    yield r"c_{n,60}", online_memory(TIMES, 2), "(0.5041, 0.2911)"


def remembered_signal(left, right):
    """Draws a signal and what memories of several sizes, and a window, remember of it."""
    places = np.linspace(0, 1, 121)
    matrices = legt_matrices(order=8, window=0.25)
    moving, driving = map(np.asarray, bilinear(matrices[0], matrices[1][:, None], step_size=1 / VALUES))
    window = np.zeros(8)
    for arriving in chirp(TIMES):
        window = moving @ window + driving[:, 0] * arriving
    memory = np.asarray(online_memory(chirp(TIMES), 16)[0])
    memories = [*(memory * (np.arange(16) < size) for size in (4, 8, 16)), np.pad(window, (0, 8))]
    *of_all, of_window = reconstruct(jnp.array(places), jnp.array(memories))
    for axes in (left, right):
        axes.plot(TIMES, chirp(TIMES), color="gray", linewidth=3, alpha=0.5)
        axes.set(xlabel="time", ylabel="signal", ylim=(-1.6, 1.6))
    for size, past in zip((4, 8, 16), of_all, strict=True):
        left.plot(places, past, label=f"{size} numbers")
    left.legend(loc="lower left")
    right.plot(0.75 + 0.25 * places, of_window, label="8 numbers")
    right.axvspan(0.75, 1.0, alpha=0.1)
    right.legend(loc="lower left")


def two_values():
    """Two values in two numbers, what is remembered of them, and the matrix of a window."""
    memory = jnp.zeros((1, 2))
    for index, (arriving, stated) in enumerate(((1.0, "(0.6667, 0.5774)"), (2.0, "(1.2, 0.8083)")), 1):
        memory = legs_step(jnp.array([arriving]), memory, index=index)
        yield rf"f_{index} = {arriving:g}: \quad c", memory, stated
    yield "r(0), r(1)", reconstruct(jnp.array([0.0, 1.0]), memory), "(-0.2, 2.6)"
    yield r"\text{LegT's } A \text{ for } \theta = 1", legt_matrices(order=2, window=1.0)[0], "(-1, 1.7321; -1.7321, -3)"


def left_eigenvectors():
    """The coefficients of the first power, and what LegS makes of them."""
    places = jnp.array((np.polynomial.legendre.leggauss(4)[0] + 1) / 2)
    w = (places * np.polynomial.legendre.leggauss(4)[1] / 2) @ legendre_basis(places, order=3)
    yield w, "(0.5, 0.2887, 0)"
    yield w @ legs_matrices(order=3)[0], "(-1, -0.5774, 0)"


def a_running_mean():
    """Three values in one number."""
    memory = jnp.zeros((1, 1))
    for index in (1, 2, 3):
        memory = legs_step(jnp.full(1, float(index)), memory, index=index)
    yield memory, "12/7"
