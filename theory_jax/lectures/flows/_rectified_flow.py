"""Data that are 1 or -1: the figures of the lecture on rectified flow."""

import functools

import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE, VERMILION
from theory_jax.flows.flow_matching import marginal_velocity
from theory_jax.flows.rectified_flow import reflow_pairs

MOMENTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def first_field(x, time):
    """The mean velocity of independent pairs."""
    return marginal_velocity(x, jnp.array([[1.0], [-1.0]]), time)


def second_field(x, time):
    """That of the pairs which the exact first flow makes: it takes every noise to the data point of its sign."""
    return (jnp.sign(x) - x) / (1 - time[:, None])


@functools.cache
def walk(field, count, end=1.0):
    """Times [count + 1] and the positions of 18 noises then, [count + 1, 18], by Euler's method."""
    grid = np.linspace(0, end, count + 1)
    lines = [jnp.asarray(np.sort(np.random.default_rng(4).standard_normal(18)))[:, None]]
    for now, then in zip(grid, grid[1:], strict=False):
        lines.append(reflow_pairs(lines[-1], jnp.array([now, then]), field)[1])
    return grid, np.stack(lines)[..., 0]


def one_step_is_enough(first, second, moment):
    """Draws both flows, and a sampler of the first with two steps and of the second with one, up to a moment."""
    now = MOMENTS[moment]
    for panel, field, count, color in ((first, first_field, 2, VERMILION), (second, second_field, 1, BLUE)):
        panel.plot(*walk(field, 30 if count == 2 else 2, 0.98), color="gray", linewidth=0.6, alpha=0.7)
        times, nodes = walk(field, count)
        seen = np.append(times[times < now], now)
        path = np.stack([np.interp(seen, times, line) for line in nodes.T], axis=1)
        panel.plot(seen, path, color=color, linewidth=0.9)
        panel.plot(np.full(18, now), path[-1], "o", color=color, markersize=3.5)
        panel.plot([1, 1], [-1, 1], "D", color="gray", markersize=7, markerfacecolor="none")
        title = "first flow, two steps" if count == 2 else "second flow, one step"
        panel.set(xlim=(-0.03, 1.05), ylim=(-2.7, 2.7), xlabel="$t$", ylabel="$x$", title=title)


def two_rounds(pairs, flow, again):
    """Draws pairs, the flow of their mean velocity, and the pairs that it makes."""
    starts = np.linspace(-2, 2, 16)
    for start, sign in zip(starts, np.tile([1.0, -1.0], 8), strict=True):
        pairs.plot([0, 1], [start, sign], color=BLUE, linewidth=0.8)
    grid, points = np.linspace(0, 0.98, 26), jnp.array([[1.0], [-1.0]])
    lines = [jnp.asarray(starts)[:, None]]
    for now, then in zip(grid, grid[1:], strict=False):
        lines.append(reflow_pairs(lines[-1], jnp.array([now, then]), lambda x, time: marginal_velocity(x, points, time))[1])
    flow.plot(grid, np.stack(lines)[..., 0], color=BLUE, linewidth=0.8)
    for start, end in zip(starts, np.asarray(lines[-1])[:, 0], strict=True):
        again.plot([0, 1], [start, end], color=BLUE, linewidth=0.8)
    for axes in (pairs, flow, again):
        axes.set(xlabel="$t$", ylabel="$x$", ylim=(-2.1, 2.1))
