"""The windows of a scan by round, the example, its first rounds and the figure of the lecture on parallel scans."""

import jax.numpy as jnp
import numpy as np

from theory_jax.state_space.parallel_scan import combine, recurrence_backward, recurrence_parallel

EXAMPLE = jnp.array([[[1.0], [2.0], [0.0]]]), jnp.array([[[0.5], [0.25], [0.5]]]), jnp.array([[4.0]])


def windows_by_round(steps):
    """How many steps each window has, round by round until all begin at the first: the joined inputs of maps (1, 1)."""
    rows, reach = [np.ones(steps)], 1
    while reach < steps:
        ones = np.ones(steps - reach)
        joined = combine(ones, rows[-1][:-reach], ones, rows[-1][reach:])[1]
        rows.append(np.append(rows[-1][:reach], joined))
        reach *= 2
    return rows


def two_rounds():
    """The windows of the example after each of its two rounds, and the states and slopes by the code's scan."""
    inputs, decay = (part[0, :, 0] for part in EXAMPLE[:2])
    for reach, decays, added in ((1, "(1/2, 1/8, 1/8)", "(1, 9/4, 1)"), (2, "(1/2, 1/8, 1/16)", "(1, 9/4, 9/8)")):
        joined = combine(decay[:-reach], inputs[:-reach], decay[reach:], inputs[reach:])
        decay, inputs = (jnp.append(old[:reach], new) for old, new in zip((decay, inputs), joined, strict=True))
        yield rf"w = {reach}: \quad A", decay, decays
        yield "B", inputs, added
    states = recurrence_parallel(*EXAMPLE)
    yield r"x_0 = 4: \quad x", states.ravel(), "(3, 11/4, 11/8)"
    yield r"\bar y_t = 1: \quad g", recurrence_backward(jnp.ones_like(states), states, *EXAMPLE[1:])[0].ravel(), "(11/8, 3/2, 1)"


def networks(left, right):
    """Draws the windows of eight steps in every round, from either end."""
    windows = windows_by_round(8)
    for axes, place, title in ((left, lambda t: t + 1, "states"), (right, lambda t: 8 - t, "gradients")):
        for level, row in enumerate(windows):
            for t, length in enumerate(row):
                axes.plot(place(t), level, "o", color="white", markeredgecolor="gray", markersize=13, zorder=2)
                axes.text(place(t), level, f"{length:.0f}", ha="center", va="center", fontsize=8)
                reach = 2**level
                if level + 1 < len(windows):
                    axes.plot([place(t)] * 2, [level, level + 1], color="gray", linewidth=0.8, zorder=1)
                if level + 1 < len(windows) and t >= reach:
                    axes.plot([place(t - reach), place(t)], [level, level + 1], color="C0", zorder=1)
        axes.set(xlabel="step $t$", ylabel="round", title=title, yticks=range(len(windows)), xticks=range(1, 9))
