"""Rooted trees and their conditions on a method, and the figure of the lecture on solvers."""

import math
from itertools import combinations_with_replacement

import jax.numpy as jnp
import numpy as np

from theory_jax.flows.ode_solvers import TABLEAUS, solve_fixed


def rooted_trees(most):
    """Rooted trees by the number of their nodes, 1 to most; a tree is the tuple of its branches."""
    found = {1: [()]}
    for nodes in range(2, most + 1):
        smaller = [(size, tree) for size in range(1, nodes) for tree in found[size]]
        found[nodes] = [
            tuple(tree for _, tree in chosen)
            for count in range(1, nodes)
            for chosen in combinations_with_replacement(smaller, count)
            if sum(size for size, _ in chosen) == nodes - 1
        ]
    return found


def density(tree):
    """The number of nodes, and gamma."""
    below = [density(branch) for branch in tree]
    nodes = 1 + sum(size for size, _ in below)
    return nodes, nodes * math.prod(gamma for _, gamma in below)


def stage_values(tree, rows):
    """Phi_i of every stage."""
    below = [stage_values(branch, rows) for branch in tree]
    return [math.prod(sum(a * phi for a, phi in zip(row, each, strict=False)) for each in below) for row in rows]


def conditions_that_hold(rows, weights, trees):
    """How many of the trees' equations hold, in rational numbers."""
    sums = [sum(b * phi for b, phi in zip(weights, stage_values(tree, rows), strict=True)) for tree in trees]
    return sum(found * density(tree)[1] == 1 for found, tree in zip(sums, trees, strict=True))


def turning(x, time):
    """The velocity x cos t, which leads from 1 to e^(sin t)."""
    return x * jnp.cos(time)


def errors_and_regions(errors, regions):
    """Draws errors against the number of steps, and where a step on a linear equation shrinks."""
    counts, exact = (4, 16, 64), math.exp(math.sin(2.0))
    real, imaginary = np.meshgrid(np.linspace(-4, 0.6, 80), np.linspace(-4, 4, 80))
    plane = real + 1j * imaginary
    for place, (method, tableau) in enumerate(TABLEAUS.items()):
        ends = [solve_fixed(jnp.ones(1), jnp.linspace(0.0, 2.0, n + 1), turning, method=method)[0] for n in counts]
        errors.loglog(counts, np.abs(np.array(ends) - exact), "o-", color=f"C{place}", label=method.replace("_", " "))
        stages = []
        for row in tableau.coefficients:
            stages.append(1 + plane * sum(float(a) * k for a, k in zip(row, stages, strict=True)))
        size = np.abs(1 + plane * sum(float(b) * k for b, k in zip(tableau.weights, stages, strict=True)))
        regions.contour(real, imaginary, size, levels=[1.0], colors=f"C{place}")
    errors.set(xlabel="steps", ylabel="error")
    errors.legend()
    regions.set(xlabel=r"Re $z$", ylabel=r"Im $z$", aspect="equal")
