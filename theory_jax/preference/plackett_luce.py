"""The Plackett-Luce model (lecture 54): rankings as repeated choices of the best, their marginals, and how to draw and fit them.

A row of scores belongs to N items, numbered from 0. A ranking lists items, the best first: ranking[k] is the item in place k.
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_integers,
    require_rank,
    require_same_shape,
    require_unit_interval,
    require_values,
    widened,
)


def ranking_log_prob(ranking, scores):
    r"""log P(the K best of N items are pi_1, ..., pi_K, in this order), in nats.

    sum_{k <= K} [ s_{pi_k} - log sum_{j not in pi_1 .. pi_(k-1)} e^(s_j) ]: pi_k = ranking[k] is chosen among the items that are
    left. It is the item in place k, not the place of item k.

    Raises ValueError if ranking is not of integers, has no place or more than N, names an item twice or one outside 0..N-1, or if
    scores has another number of rows.  Source: Luce 1959; Plackett 1975.
    [B, K], [B, N] -> [B]
    """
    _require_ranking(ranking, scores)
    items = scores.shape[1]
    ranking = widened(ranking)[:, : items - 1]  # the last of all items is left over, not chosen
    after = jnp.cumsum(jax.nn.one_hot(ranking, items, dtype=int), axis=1) == 0
    rest = jax.nn.logsumexp(jnp.where(after, scores[:, None], -jnp.inf), axis=-1)
    return jnp.sum(jax.nn.log_sigmoid(jnp.take_along_axis(scores, ranking, axis=1) - rest), axis=-1)


def gumbel_ranking(uniforms, scores):
    r"""The items in descending order of s_i - log(-log u_i): a Plackett-Luce draw if the u are independent and uniform.

    Uniforms of exactly 0 and 1, which generators do produce, count as the nearest numbers between them. Of equal utilities the
    first item comes first.

    Raises ValueError if the shapes differ or a uniform is outside [0, 1].  Source: Yellott 1977.
    [B, N], [B, N] -> [B, N]
    """
    require_rank(2, uniforms=uniforms)
    require_same_shape(uniforms=uniforms, scores=scores)
    require_unit_interval(uniforms=uniforms)
    limits = jnp.finfo(uniforms.dtype)
    inside = jnp.clip(uniforms, limits.tiny, 1 - limits.epsneg)
    return jnp.argsort(jnp.log(-jnp.log(inside)) - scores, axis=-1, stable=True)


def pairwise_marginals(scores):
    r"""P(i before j) = e^(s_i) / (e^(s_i) + e^(s_j)) in entry [i, j]: the Bradley-Terry model; 1/2 on the diagonal.

    Raises ValueError if scores does not have two axes.  Source: Luce 1959.
    [B, N] -> [B, N, N]
    """
    require_rank(2, scores=scores)
    return jax.nn.sigmoid(scores[:, :, None] - scores[:, None, :])


def expected_ranks(scores):
    r"""E[rank of i] = 1/2 + sum_j P(j before i), the sum with the term j = i, 1/2; the best rank is 1.

    Raises ValueError if scores does not have two axes.  Source: linearity of the expectation.
    [B, N] -> [B, N]
    """
    return 0.5 + jnp.sum(pairwise_marginals(scores), axis=-2)


def top_one_cross_entropy(target_scores, scores):
    r"""- sum_i p_i log q_i, in nats, p = softmax(target_scores) and q = softmax(scores): the laws of the best item (ListNet).

    Raises ValueError if the shapes differ or target_scores has no item.  Source: Cao et al. 2007, section 4.
    [B, N], [B, N] -> [B]
    """
    require_rank(2, target_scores=target_scores)
    require_same_shape(target_scores=target_scores, scores=scores)
    require(target_scores.shape[1] > 0, f"target_scores has shape {list(target_scores.shape)}; there must be at least one item")
    return -jnp.sum(jax.nn.softmax(target_scores, axis=-1) * jax.nn.log_softmax(scores, axis=-1), axis=-1)


def _require_ranking(ranking, scores):
    """[B, K] different items of the N of scores, [B, N]."""
    require_integers(ranking=ranking)
    require_rank(2, ranking=ranking, scores=scores)
    (rows, places), (batch, items) = ranking.shape, scores.shape
    require(rows == batch, f"scores has {batch} rows; it must have as many as ranking, {rows}")
    require(1 <= places <= items, f"ranking has {places} places; it must have 1..{items}, as scores has {items} items")
    require_values("ranking", ranking, lambda a: (a >= 0) & (a < items), f"an item, 0..{items - 1}")
    require_values("ranking", ranking, _named_first, "an item that has no better place in the same row")


def _named_first(ranking):
    """Whether an entry of [B, K] is the first of its value in its row."""
    order = np.argsort(ranking, axis=1, kind="stable")
    fresh = np.diff(np.take_along_axis(ranking, order, axis=1), axis=1, prepend=-1) > 0
    return np.take_along_axis(fresh, np.argsort(order, axis=1), axis=1)
