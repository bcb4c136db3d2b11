"""Equal pieces of the uniform numbers, mapped to the waiting times: the second figure of the lecture on change of variables."""

import numpy as np

from theory_jax.flows.change_of_variables import inverse_transform_sample


def draw_pieces(mapped, density):
    """Left: the map, with ten pieces of equal probability. Right: the probability of each piece over its length."""
    edges = np.linspace(0, 0.9, 10)
    at = np.asarray(inverse_transform_sample(edges, rate=1.0))
    grid = np.linspace(0, 0.985, 120)
    x = np.asarray(inverse_transform_sample(grid, rate=1.0))
    mapped.plot(grid, x, color="C0")
    for u, to in zip(edges, at, strict=True):
        mapped.plot([u, u, 0], [0, to, to], color="gray", linewidth=0.7)
    mapped.set(xlabel="$u$", ylabel="$x$", xlim=(0, 1), ylim=(0, 4.2))
    density.bar(at[:-1], 0.1 / np.diff(at), np.diff(at), align="edge", color="C1", alpha=0.35, edgecolor="white")
    density.plot(x, np.exp(-x), color="C0", label="$e^{-x}$")
    density.set(xlabel="$x$", ylabel="density", xlim=(0, 4.2), ylim=(0, 1.05))
    density.legend()
