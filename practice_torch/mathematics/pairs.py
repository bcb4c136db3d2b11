"""Two sets of points: the distances of all pairs, and the plan that pairs them at a cost with entropy. Practice wing."""

import torch


def distances(x, y):
    """|x_i - y_j|, Euclidean: [N, D], [M, D] -> [N, M], without an array of N M D differences.

    By differences: from inner products, which cdist prefers for many points, a copy is not at distance 0.
    """
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def entropic_log_plan(log_rows, log_columns, scores, iterations):
    """log pi_ij = f_i + g_j + scores_ij of Sinkhorn's iteration: [N], [M], [N, M] -> [N, M].

    From g = 0, each iteration sets f so that the rows have their sums, then g so that the columns have theirs.
    """
    g = torch.zeros_like(scores[0])
    for _ in range(iterations):
        f = log_rows - (scores + g).logsumexp(dim=1)
        g = log_columns - (scores + f[:, None]).logsumexp(dim=0)
    return f[:, None] + g + scores
