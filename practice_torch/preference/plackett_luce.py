"""The Plackett-Luce model: log-probabilities of full and top-K rankings, draws, pairs, expected ranks, ListNet's loss.

A row of scores belongs to N items, numbered from 0. A ranking lists items, the best first: ranking[k] is the item in place k.
"""

import torch
import torch.nn.functional as F

from practice_torch.arguments import (
    as_int64,
    require,
    require_integers,
    require_rank,
    require_same_shape,
    require_unit_interval,
    require_values,
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
    ranking = as_int64(ranking)
    chosen = scores.gather(-1, ranking)
    # All items in no place stand together behind the last one, so that nothing has K N entries.
    behind = chosen[:, 1:]
    if ranking.shape[1] < scores.shape[1]:
        unplaced = scores.scatter(-1, ranking, -torch.inf).logsumexp(-1, keepdim=True)
        behind = torch.cat([behind, unplaced], dim=-1)
    choices = behind.shape[1]  # the last of all items is left over, not chosen
    passed = torch.ones(choices, choices, dtype=torch.bool, device=scores.device).tril(-1)
    rest = behind.unsqueeze(1).masked_fill(passed, -torch.inf).logsumexp(-1)
    # log(e^a / (e^a + e^r)) = log sigma(a - r) keeps its digits where it is near 0.
    return F.logsigmoid(chosen[:, :choices] - rest).sum(-1)


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
    numbers = torch.finfo(uniforms.dtype)
    exponential = -uniforms.clamp(numbers.tiny, 1 - numbers.eps / 2).log()
    return (scores - exponential.log()).argsort(dim=-1, descending=True, stable=True)


def pairwise_marginals(scores):
    r"""P(i before j) = e^(s_i) / (e^(s_i) + e^(s_j)) in entry [i, j]: the Bradley-Terry model; 1/2 on the diagonal.

    Raises ValueError if scores does not have two axes.  Source: Luce 1959.
    [B, N] -> [B, N, N]
    """
    require_rank(2, scores=scores)
    return (scores.unsqueeze(-1) - scores.unsqueeze(-2)).sigmoid()


def expected_ranks(scores):
    r"""E[rank of i] = 1/2 + sum_j P(j before i), the sum with the term j = i, 1/2; the best rank is 1.

    Raises ValueError if scores does not have two axes.  Source: linearity of the expectation.
    [B, N] -> [B, N]
    """
    return pairwise_marginals(scores).sum(-2) + 0.5


def top_one_cross_entropy(target_scores, scores):
    r"""- sum_i p_i log q_i, in nats, p = softmax(target_scores) and q = softmax(scores): the laws of the best item (ListNet).

    Raises ValueError if the shapes differ or target_scores has no item.  Source: Cao et al. 2007, section 4.
    [B, N], [B, N] -> [B]
    """
    require_rank(2, target_scores=target_scores)
    require_same_shape(target_scores=target_scores, scores=scores)
    require(target_scores.shape[1] > 0, f"target_scores has shape {list(target_scores.shape)}; there must be at least one item")
    return -torch.linalg.vecdot(target_scores.softmax(-1), scores.log_softmax(-1))


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
    ordered, order = ranking.sort(dim=-1, stable=True)
    fresh = ordered.diff(dim=-1, prepend=ordered[:, :1] - 1) > 0
    return torch.empty_like(fresh).scatter_(-1, order, fresh)
