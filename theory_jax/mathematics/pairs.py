"""Two sets of points: the squared distances of all pairs, and the plan that pairs them at a cost with entropy. Theory wing."""

import jax
import jax.numpy as jnp
from jax.nn import logsumexp


def squared_distances(x, y):
    """|x_i - y_j|^2: [N, ...], [M, ...] -> [N, M].

    By differences: far from the origin, |x|^2 - 2 x.y + |y|^2 has no digit left.
    """
    differences = x[:, None] - y[None]
    return jnp.sum(differences**2, axis=tuple(range(2, differences.ndim)))


def entropic_log_plan(log_rows, log_columns, scores, iterations):
    """log pi_ij = f_i + g_j + scores_ij of Sinkhorn's iteration: [N], [M], [N, M] -> [N, M].

    From g = 0, each iteration sets f so that the rows have their sums, then g so that the columns have theirs.
    """

    def iteration(potentials, _):
        _, g = potentials
        f = log_rows - logsumexp(scores + g, axis=1)
        return (f, log_columns - logsumexp(scores + f[:, None], axis=0)), None

    start = jnp.zeros_like(scores[:, 0]), jnp.zeros_like(scores[0])
    (f, g), _ = jax.lax.scan(iteration, start, length=iterations)
    return f[:, None] + g + scores
