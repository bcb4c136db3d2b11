"""Wasserstein GANs (lecture 9): how far mass must move, and why a critic of bounded slope measures it.

c is a cost matrix, f a potential (the critic's values at points), pi a coupling of two laws p and q.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_log_probs,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from theory_jax.mathematics.pairs import entropic_log_plan, squared_distances


def wasserstein_distance_1d(x, y, *, order=1):
    r"""(mean_i |x_(i) - y_(i)|^order)^(1/order) of the sorted values: the exact distance W_order of two samples on a line.

    Raises ValueError if x and y differ in shape or are empty, or order is not in [1, inf).
    Source: Peyre & Cuturi 2019, remark 2.28.
    [N], [N] -> []
    """
    require_rank(1, x=x)
    require_same_shape(x=x, y=y)
    require(len(x) > 0, "x has no entry; it must have at least one")
    require(1 <= order < math.inf, f"order is {order}; it must be in [1, inf)")
    gaps = jnp.abs(jnp.sort(x) - jnp.sort(y))
    if order == 1:
        return jnp.mean(gaps)
    largest = jax.lax.stop_gradient(jnp.max(gaps))  # any scale gives the same distance; this one neither over- nor underflows
    scale = jnp.where(largest > 0, largest, 1.0)
    power = jnp.mean((gaps / scale) ** order)
    return scale * jnp.where(power > 0, jnp.where(power > 0, power, 1.0) ** (1 / order), 0.0)


def cost_matrix(x, y, *, power=1.0):
    r"""c_ij = |x_i - y_j|^power, Euclidean; where two points coincide the cost is 0 and so is its gradient.

    Raises ValueError if the rows of x and y differ in length, or power is not positive.
    Source: Villani 2009, chapter 6.
    [N, D], [M, D] -> [N, M]
    """
    require_rank(2, x=x, y=y)
    require(x.shape[1] == y.shape[1], f"y has rows of {y.shape[1]}; they must have {x.shape[1]} entries, as those of x")
    require_positive(power=power)
    squared = squared_distances(x, y)
    return jnp.where(squared > 0, jnp.where(squared > 0, squared, 1.0) ** (power / 2), 0.0)


def c_transform(potential, cost):
    r"""f^c_i = min_j (c_ij - f_j): the largest potential that the other side allows.

    Raises ValueError unless cost has one column for each entry of potential, of which there is at least one.
    Source: Villani 2009, definition 5.2.
    [M], [N, M] -> [N]
    """
    require_rank(1, potential=potential)
    require(len(potential) > 0, "potential has no entry; it must have at least one")
    require_rank(2, cost=cost)
    require_shape((cost.shape[0], len(potential)), cost=cost)
    return jnp.min(cost - potential, axis=1)


def dual_objective(log_probs_p, log_probs_q, potential):
    r"""sum_k (p_k - q_k) f_k: what a critic f estimates, at most W_1(p, q) if it is 1-Lipschitz.

    Raises ValueError if the shapes differ, or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Arjovsky, Chintala & Bottou 2017, eq. 2.
    [B, K], [B, K], [B, K] -> [B]
    """
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q, potential=potential)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    return jnp.sum((jnp.exp(log_probs_p) - jnp.exp(log_probs_q)) * potential, axis=1)


def lipschitz_constant(potential, cost):
    r"""max_{i != j} |f_i - f_j| / c_ij: the steepest slope of f between two points.

    Raises ValueError unless potential has at least two entries and cost is square with as many rows, positive off its diagonal.
    Source: Villani 2009, particular case 5.4.
    [K], [K, K] -> []
    """
    require_rank(1, potential=potential)
    count = len(potential)
    require(count > 1, f"potential has {count} entries; it must have at least two")
    require_shape((count, count), cost=cost)
    itself = np.eye(count, dtype=bool)
    require_values("cost", cost, lambda c: itself | (c > 0), "positive between different points")
    slopes = jnp.abs(potential[:, None] - potential) / jnp.where(itself, 1.0, cost)
    return jnp.max(slopes)


def sinkhorn(log_weights_a, log_weights_b, cost, *, epsilon, iterations):
    r"""log pi and sum_ij pi_ij c_ij of the entropic plan log pi_ij = (f_i + g_j - c_ij) / epsilon, after `iterations` iterations.

    From g = 0, each iteration sets f so that the rows sum to a, then g so that the columns sum to b. All in the log domain.

    Raises ValueError if log_weights_a or log_weights_b does not sum to one, cost does not have their shape, epsilon is not
    positive or iterations < 1.  Source: Cuturi 2013, algorithm 1; Peyre & Cuturi 2019, section 4.4.
    [P], [Q], [P, Q] -> [P, Q], []
    """
    require_rank(1, log_weights_a=log_weights_a, log_weights_b=log_weights_b)
    require_shape((len(log_weights_a), len(log_weights_b)), cost=cost)
    require_log_probs(log_weights_a=log_weights_a, log_weights_b=log_weights_b)
    require_positive(epsilon=epsilon)
    require_at_least(1, iterations=iterations)
    log_plan = entropic_log_plan(log_weights_a, log_weights_b, -cost / epsilon, iterations)
    return log_plan, jnp.sum(jnp.exp(log_plan) * cost)


def critic_loss(scores_real, scores_fake):
    r"""f(fake) - f(real): minus the estimate of W_1, which the critic raises.

    Raises ValueError if the shapes differ.  Source: Arjovsky, Chintala & Bottou 2017, algorithm 1.
    [B], [B] -> [B]
    """
    require_rank(1, scores_real=scores_real)
    require_same_shape(scores_real=scores_real, scores_fake=scores_fake)
    return scores_fake - scores_real


def generator_loss(scores_fake):
    r"""-f(fake): the part of the estimate that the generator moves.

    Raises ValueError unless scores_fake has one axis.  Source: Arjovsky, Chintala & Bottou 2017, algorithm 1.
    [B] -> [B]
    """
    require_rank(1, scores_fake=scores_fake)
    return -scores_fake
