"""Fields of the lecture on continuous flows, its example, the first steps of its algorithm and its figure."""

import functools
import math

import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE, VERMILION
from theory_jax.flows.change_of_variables import standard_normal_log_prob
from theory_jax.flows.continuous_flow import augmented_velocity, integrate, kinetic_energy, log_prob

GROWING = lambda x, time: 0.7 * x  # noqa: E731
SHEAR = np.array([[1.0, 1.0], [0.0, -1.0]])


def axis_probes(x):
    """The probes that make the estimated trace exact."""
    batch, size = x.shape
    return math.sqrt(size) * np.repeat(np.eye(size)[:, None], batch, axis=1)


def bent(x, time):
    """Pulled to the line where both coordinates are equal, turned, and later bent."""
    first, second = x[:, 0], x[:, 1]
    return jnp.stack([second - first + time * jnp.tanh(2 * second), -jnp.sin(first) - second / 2], axis=1)


def parting(x, time):
    """Pushed away from the line x = 0 and back from far away, and bent: the divergence changes its sign."""
    first, second = x[:, 0], x[:, 1]
    return jnp.stack([2.5 * jnp.tanh(2 * first) - 1.5 * first, -0.6 * second + time * jnp.sin(2 * first)], axis=1)


MOMENTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MARKED = ((8, 8), (11, 8), (4, 9))  # the nodes of which the log-density is shown


@functools.cache
def carried():
    """Nodes of a grid of noise at all moments, [moments, 17, 17, 2], and the log-densities that the code computes there."""
    axis = np.linspace(-2.4, 2.4, 17)
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    x, probes = jnp.asarray(places.reshape(-1, 2)), axis_probes(places.reshape(-1, 2))
    nodes, log_ps = [x], [standard_normal_log_prob(x)]
    for before, now in zip(MOMENTS, MOMENTS[1:], strict=False):
        x, delta = integrate(x, probes, np.linspace(before, now, 3), parting)
        nodes.append(x)
        log_ps.append(log_ps[-1] + delta)
    return np.stack(nodes).reshape(-1, *places.shape), np.stack(log_ps).reshape(-1, 17, 17)


def cells(plane, along, moment):
    """Draws cells of noise at a moment, shaded by their density, and the log-densities of three of their nodes so far."""
    nodes, log_ps = carried()
    grid = nodes[moment]
    plane.pcolormesh(
        *grid.transpose(2, 0, 1), np.exp(log_ps[moment]), cmap="Blues", shading="gouraud", vmin=0, vmax=0.5, rasterized=True
    )
    for lines in (grid[::2], grid.swapaxes(0, 1)[::2]):
        plane.plot(*lines.transpose(2, 1, 0), color="gray", linewidth=0.4)
    for (i, j), color, marker in zip(MARKED, (BLUE, VERMILION, "gray"), "osD", strict=True):
        plane.plot(*grid[i, j], marker, color=color, markersize=5)
        along.axhline(log_ps[0, i, j], color=color, linewidth=0.7, linestyle=":")
        along.plot(MOMENTS[: moment + 1], log_ps[: moment + 1, i, j], marker + "-", color=color, markersize=5)
    plane.set(xlabel="$x$", ylabel="$y$", aspect="equal", xlim=(-3, 3), ylim=(-2.6, 2.6))
    along.set(xlim=(-0.05, 1.05), ylim=(-5.2, 0), xlabel="$t$", ylabel=r"$\log p_t$")


def growing_and_shearing():
    """A field on the line, and one in the plane whose trace is zero."""
    one, back = jnp.ones((1, 1)), np.linspace(1.0, 0.0, 21)
    z, delta = integrate(one, one[None], back, GROWING)
    yield r"z = e^{-0.7}", z, "0.4966"
    yield r"\delta", delta, "0.7"
    yield r"\log p_1(1) = \log \mathcal{N}(z; 0, 1) - \delta", log_prob(one, one[None], back, GROWING), "-1.7422"
    yield r"\log \mathcal{N}(1; 0, e^{1.4})", -0.5 * (math.log(2 * math.pi) + 1.4 + math.exp(-1.4)), "-1.7422"
    yield r"K = 0.35\, (1 - e^{-1.4})", kinetic_energy(one, back, GROWING), "0.2637"
    noise = np.array([[0.0, 1.0]])
    end, change = integrate(jnp.asarray(noise), axis_probes(noise), back[::-1].copy(), lambda x, time: x @ SHEAR.T)
    yield r"e^A z = (\sinh 1, e^{-1})", end, "(1.1752, 0.3679)"
    yield r"\mathrm{tr} A = 0", change, "0"


def two_steps_back():
    """The code's steps from the data point 1 back to the noise, and what they make of it."""
    one, half = jnp.ones((1, 1)), np.array([1.0, 0.5, 0.0])
    moved, fallen = augmented_velocity(one, 1.0, one[None], GROWING)
    yield r"v = 0.7 x, \ x = 1, \ p = 1: \quad \text{slopes}", jnp.array([moved[0, 0], fallen[0]]), "(0.7, -0.7)"
    for steps, x, delta in ((2, "0.7047", "0.35"), (3, "0.4966", "0.7")):
        end, change = integrate(one, one[None], half[:steps], GROWING)
        yield r"(x, \delta)", jnp.array([end[0, 0], change[0]]), f"({x}, {delta})"
    yield r"\log p_1", log_prob(one, one[None], half, GROWING), "-1.7423"
    yield "K", kinetic_energy(one, half, GROWING), "0.2638"
