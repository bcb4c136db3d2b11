"""Minibatch couplings: which noise goes to which data point, so that paths do not cross.

x0 is a batch of noise, x1 one of data, c their cost matrix.
"""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_batch,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from theory_jax.mathematics.pairs import entropic_log_plan, squared_distances


def squared_distance_matrix(x0, x1):
    r"""c_ij = |x0_i - x1_j|^2, summed over all entries of an example.

    Raises ValueError unless x0 and x1 have a batch axis and examples of one shape.  Source: Tong et al. 2024, section 3.2.
    [N, ...], [M, ...] -> [N, M]
    """
    require_batch(x0=x0, x1=x1)
    require_shape((len(x1), *x0.shape[1:]), x1=x1)
    return squared_distances(x0, x1)


def sinkhorn_log_plan(cost, *, regularization, iterations):
    r"""log pi of the plan between uniform marginals that minimizes sum_ij pi_ij (cost_ij + regularization log pi_ij), nearly.

    After `iterations` iterations of Sinkhorn, each of which sets the row sums to 1/N and then the column sums to 1/M: the columns
    are exact, the rows only once it has converged. That takes of the order of exp(range of cost/regularization) iterations.

    Raises ValueError unless cost is a matrix with a row and a column, regularization is positive and iterations >= 1.
    Source: Cuturi 2013, algorithm 1; Peyre & Cuturi 2019, section 4.4.
    [N, M] -> [N, M]
    """
    require_rank(2, cost=cost)
    rows, columns = cost.shape
    require(min(rows, columns) > 0, f"cost has shape {[rows, columns]}; it must have at least one row and one column")
    require_positive(regularization=regularization)
    require_at_least(1, iterations=iterations)
    log_rows, log_columns = (jnp.full(size, -math.log(size), cost.dtype) for size in (rows, columns))
    return entropic_log_plan(log_rows, log_columns, -cost / regularization, iterations)


def optimal_assignment(cost):
    r"""The permutation pi with the least sum_i cost_(i, pi(i)): row i is paired with column pi(i).

    Prices u_i of rows and v_j of columns with u_i + v_j <= cost_ij bound the cost of every permutation from below, by the sum of
    all prices. The method keeps such prices, with equality for all pairs made so far: when every row has its column, the bound
    is met. It runs in Python on the host, so neither under jit nor under vmap.

    Raises ValueError unless cost is square and finite.  Source: Kuhn 1955; Crouse 2016.
    [K, K] -> [K]
    """
    require_rank(2, cost=cost)
    require_shape((len(cost), len(cost)), cost=cost)
    require_values("cost", cost, np.isfinite, "finite")
    cost = np.asarray(cost, dtype=np.float64)
    row_of, u, v = np.full(len(cost), -1), np.zeros(len(cost)), np.zeros(len(cost))
    for row in range(len(cost)):
        row_of, u, v = _with_one_more_row(row, cost, row_of, u, v)
    return jnp.asarray(np.argsort(row_of))


def _with_one_more_row(row, cost, row_of, u, v):
    """The pairs and prices of the rows before, extended by a shortest path from the row to a column that is free.

    A step goes from a row to a column at the reduced cost cost_ij - u_i - v_j >= 0, and on to the row of that column at none.
    """
    row_of, u, v, size = row_of.copy(), u.copy(), v.copy(), len(cost)
    length_to, column_before, reached = np.full(size, np.inf), np.full(size, -1), np.zeros(size, bool)
    at, column, length = row, -1, 0.0
    while at >= 0:
        through_here = length + cost[at] - u[at] - v
        shorter = ~reached & (through_here < length_to)
        length_to[shorter], column_before[shorter] = through_here[shorter], column
        column = int(np.argmin(np.where(reached, np.inf, length_to)))
        reached[column], length, at = True, length_to[column], row_of[column]
    spare = np.where(reached, length - length_to, 0.0)
    passed = reached & (row_of >= 0)
    u[row_of[passed]] += spare[passed]
    u[row] += length
    while column >= 0:  # every column of the path takes the row of the column before it
        before = column_before[column]
        row_of[column] = row if before < 0 else row_of[before]
        column = before
    return row_of, u, v - spare


def sample_pairs(log_plan, gumbels):
    r"""j_i = argmax_j (log_plan_ij + gumbels_ij): a draw from row i of a plan, for any sum of the row.

    The gumbels are independent, -log(-log u) of a uniform number u. Where rows and columns of the plan have their sums, a column
    is drawn N/M times in the mean, not every time; where it has not converged, cheap columns are drawn too often.

    Raises ValueError if the shapes of log_plan and gumbels differ, gumbels is not finite, or a row of log_plan has no finite
    maximum.  Source: Maddison et al. 2014, section 2; Tong et al. 2024, algorithm 3.
    [N, M], [N, M] -> [N]
    """
    require_rank(2, log_plan=log_plan)
    require_same_shape(log_plan=log_plan, gumbels=gumbels)
    require(log_plan.shape[1] > 0, f"log_plan has shape {list(log_plan.shape)}; it must have a column to be drawn")
    require_values("gumbels", gumbels, np.isfinite, "finite")
    require_values("log_plan", log_plan, _has_a_partner, "a number, or -inf for no chance, with a number in every row")
    return jnp.argmax(log_plan + gumbels, axis=1)


def _has_a_partner(log_plan):
    return (log_plan < math.inf) & np.isfinite(log_plan).any(axis=1, keepdims=True)
