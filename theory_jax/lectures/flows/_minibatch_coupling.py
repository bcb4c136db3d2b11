"""The batches, the example, the first steps of the algorithm and the figure of the lecture on minibatch couplings."""

import itertools
import math

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.flows.minibatch_coupling import optimal_assignment, sample_pairs, sinkhorn_log_plan, squared_distance_matrix


def batch_of(count, size, seed):
    """Noise and data of a seeded batch, the data in two clusters."""
    drawn = np.random.default_rng(seed)
    data = drawn.normal(size=(count, size)) / 2 + 2 * drawn.choice((-1.0, 1.0), (count, 1))
    return jnp.array(drawn.normal(size=(count, size))), jnp.array(data)


TABLE = jnp.array([[9.0, 1.0], [1.0, 1.0]])


def of_table(regularization, iterations):
    """The entropic plan of the example."""
    return jnp.exp(sinkhorn_log_plan(TABLE, regularization=regularization, iterations=iterations))


def two_pairs():
    """Two pairs on a line: the assignment, and the entropic plan with its errors on the way."""
    table = squared_distance_matrix(jnp.array([0.0, 2.0]), jnp.array([3.0, 1.0]))
    yield "C", table, "9, 1, 1, 1"
    yield r"\pi", optimal_assignment(table), "(1, 0)"
    for regularization, plan_text, cost_text in ((1.0, "0.0090", "1.0719"), (4.0, "0.1345", "2.0758"), (8.0, "0.1888", "2.5102")):
        found = of_table(regularization, 300)
        yield rf"p^\star, \ \varepsilon = {regularization:g}", found[0, 0], plan_text
        yield r"\langle P, C \rangle", (found * TABLE).sum(), cost_text
    yield r"\text{sums of its rows and columns}", [of_table(4.0, 300).sum(axis=axis) for axis in (1, 0)], "(0.5, 0.5, 0.5, 0.5)"
    errors = [of_table(4.0, count)[0].sum() - 0.5 for count in (1, 2, 9, 10)]
    yield r"\text{errors of a row after one iteration and after two}", errors[:2], "(-0.0848, -0.0179)"
    yield r"\text{... the tenth by the ninth}", errors[3] / errors[2], "0.2136"


def two_plans():
    """The assignment of the example, and the first two plans of Sinkhorn's iteration with a pair from each."""
    table = squared_distance_matrix(jnp.array([0.0, 2.0]), jnp.array([3.0, 1.0]))
    yield r"a = (0, 2), \ b = (3, 1): \quad C", table, "9, 1, 1, 1"
    yield r"\pi", optimal_assignment(table), "(1, 0)"
    for count, entry, drawn in ((1, "0.0963", "(1, 0)"), (2, "0.1257", "(1, 0)")):
        log_plan = sinkhorn_log_plan(table, regularization=4.0, iterations=count)
        yield rf"\varepsilon = 4, \text{{ iteration {count}: }} P_{{1,1}}", jnp.exp(log_plan)[0, 0], entry
        yield r"E = 1: \quad \text{partners}", sample_pairs(log_plan, jnp.zeros((2, 2))), drawn


def three_couplings(random, assigned, entropic):
    """Draws three ways to pair twelve noise points with twelve data points."""
    noise, data = map(np.asarray, batch_of(12, 2, seed=5))
    table = squared_distance_matrix(noise, data)
    plan_of_pairs = np.exp(np.asarray(sinkhorn_log_plan(table, regularization=1.0, iterations=50)))
    couplings = np.eye(12), np.eye(12)[np.asarray(optimal_assignment(table))], 12 * plan_of_pairs
    for axes, weights, name in zip((random, assigned, entropic), couplings, ("random", "assignment", "entropic"), strict=True):
        for row, column in np.argwhere(weights > 0.05):
            ends = np.stack([noise[row], data[column]], axis=1)
            axes.plot(*ends, color="gray", linewidth=1, alpha=float(min(1.0, weights[row, column])))
        axes.plot(*noise.T, "o", fillstyle="none", markersize=4)
        axes.plot(*data.T, "o", markersize=4)
        axes.set(title=name, xlabel="first coordinate", aspect="equal")
    random.set(ylabel="second coordinate")


def the_assignment_is_optimal():
    """The code's assignment against all permutations, and on the line against sorting."""
    every = np.array(list(itertools.permutations(range(6))))
    found, least, inverted = [], [], []
    for size in (2, 1):
        noise, data = batch_of(6, size, seed=size)
        cost = np.asarray(squared_distance_matrix(noise, data))
        order = optimal_assignment(cost)
        found.append(cost[np.arange(6), order].mean())
        least.append(cost[np.arange(6), every].mean(axis=1).min())
        inverted.append(cost[order, np.arange(6)].mean())
    by_sorting = jnp.mean((jnp.sort(noise[:, 0]) - jnp.sort(data[:, 0])) ** 2)
    wrong = {"the permutation inverted": np.array([*inverted, by_sorting])}
    return Sides(left=np.array([*found, by_sorting]), right=np.array([*least, least[-1]]), wrong=wrong)


def a_hexagon():
    """The corners of a hexagon, paired with their neighbors: all pairs in order, and not optimal."""
    corners = np.array([(math.cos(turn * math.pi / 3), math.sin(turn * math.pi / 3)) for turn in range(6)])
    turned = np.roll(corners, -1, axis=0)
    cost = np.asarray(squared_distance_matrix(corners, turned))
    products = [(corners[i] - corners[j]) @ (turned[i] - turned[j]) for i, j in itertools.combinations(range(6), 2)]
    found = np.array([min(products), np.trace(cost) / 6, cost[np.arange(6), optimal_assignment(cost)].mean()])
    return Sides(left=found, right=np.array([0.5, 1.0, 0.0]), wrong={"the order is enough": np.array([0.5, 1.0, 1.0])})


def both_laws_stay():
    """The code's assignment of 64 pairs uses every data point once."""
    cost = squared_distance_matrix(*batch_of(64, 2, seed=3))
    wrong = {"the nearest data point of each": jnp.sort(jnp.argmin(cost, axis=1))}
    return Sides(left=jnp.sort(optimal_assignment(cost)), right=np.arange(64), wrong=wrong)


def pairs_have_the_shares_of_their_row():
    """Forty thousand partners that the code samples from one row."""
    row = np.array([0.1, 0.3, 0.1])
    gumbels = jnp.array(np.random.default_rng(4).gumbel(size=(40_000, 3)))
    drawn = np.asarray(sample_pairs(jnp.log(jnp.tile(row, (40_000, 1))), gumbels))
    return SampleSides(samples=np.eye(3)[drawn], expected=row / row.sum(), wrong={"the row taken for probabilities": row})
