"""Wrong forms of the Plackett-Luce model that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.preference import plackett_luce as right
from tests.support.mistakes import Mistake


def _over_all(ranking, scores):
    return scores.log_softmax(-1).gather(-1, ranking.long()).sum(-1)


def _among_the_chosen(ranking, scores):
    chosen = scores.gather(-1, ranking.long())
    return (chosen - chosen.flip(-1).logcumsumexp(-1).flip(-1)).sum(-1)


def _of_ranks(ranking, scores):
    whole = ranking.shape[1] == scores.shape[1]
    return right.ranking_log_prob(ranking.argsort(-1) if whole else ranking, scores)


def _worst_first(ranking, scores):
    return right.ranking_log_prob(ranking.flip(-1), scores)


def _reversed_law(ranking, scores):
    whole = ranking.shape[1] == scores.shape[1]
    return right.ranking_log_prob(ranking.flip(-1), -scores) if whole else right.ranking_log_prob(ranking, scores)


def _by_weights(ranking, scores):
    right.ranking_log_prob(ranking, scores)  # its checks
    weights, total = scores.exp().gather(-1, ranking.long()), scores.exp().sum(-1, keepdim=True)
    left = total - weights.cumsum(-1) + weights
    return (weights / left).log().sum(-1)


def _unchecked(ranking, scores):
    ranking = ranking.clamp(0, scores.shape[1] - 1).long()
    chosen = scores.gather(-1, ranking)
    unplaced = scores.scatter(-1, ranking, -torch.inf).exp().sum(-1, keepdim=True).log()
    return (chosen - torch.logaddexp(chosen.flip(-1).logcumsumexp(-1).flip(-1), unplaced)).sum(-1)


def _flat_index(ranking, scores):
    """The scores are looked up by flat indices, computed in the width of the ranking."""
    right.ranking_log_prob(ranking, scores)  # its checks
    rows = torch.arange(len(ranking), dtype=torch.int64)[:, None] * scores.shape[1]
    items = ranking + rows.to(ranking.dtype) - rows
    return right.ranking_log_prob(items % scores.shape[1], scores)


def _stage_by_stage(ranking, scores):
    right.ranking_log_prob(ranking, scores)  # its checks
    left, total = scores, scores.new_zeros(scores.shape[:1])
    for item in ranking.long().unbind(-1):
        total = total + left.log_softmax(-1).gather(-1, item[:, None])[:, 0]
        left = left.scatter(-1, item[:, None], -torch.inf)
    return total


def _utilities(uniforms, scores):
    right.gumbel_ranking(uniforms, scores)  # its checks
    numbers = torch.finfo(uniforms.dtype)
    return scores - (-uniforms.clamp(numbers.tiny, 1 - numbers.eps / 2).log()).log()


MISTAKES = (
    Mistake("ranking_log_prob", "denominator over all items each time", _over_all),
    Mistake("ranking_log_prob", "denominator over the chosen alone", _among_the_chosen),
    Mistake("ranking_log_prob", "ranks read as an order", _of_ranks),
    Mistake("ranking_log_prob", "the worst first", _worst_first),
    Mistake("ranking_log_prob", "chosen from the worst with inverse weights", _reversed_law),
    Mistake("ranking_log_prob", "overflows", _by_weights),
    Mistake("ranking_log_prob", "accepts an item twice", _unchecked, only_checks=True),
    Mistake("ranking_log_prob", "flat indices in the width of the items", _flat_index, narrow=True),
    Mistake("gumbel_ranking", "ascending", lambda uniforms, scores: _utilities(uniforms, scores).argsort(-1)),
    Mistake("gumbel_ranking", "the rank of each item", lambda uniforms, scores: (
        right.gumbel_ranking(uniforms, scores).argsort(-1))),
    Mistake("gumbel_ranking", "one logarithm short", lambda uniforms, scores: (
        right.gumbel_ranking(uniforms, scores) * 0 + (scores + uniforms.log()).argsort(-1, descending=True))),
    Mistake("gumbel_ranking", "the noise of the smallest", lambda uniforms, scores: (
        right.gumbel_ranking(uniforms, scores) * 0 + (scores + (-uniforms.log()).log()).argsort(-1, descending=True))),
    Mistake("gumbel_ranking", "accepts any uniforms", lambda uniforms, scores: right.gumbel_ranking(uniforms.clamp(0, 1), scores),
            only_checks=True),
    Mistake("pairwise_marginals", "turned over", lambda scores: right.pairwise_marginals(-scores)),
    Mistake("pairwise_marginals", "zero on the diagonal", lambda scores: (
        right.pairwise_marginals(scores) * (1 - torch.eye(scores.shape[1], dtype=scores.dtype)))),
    Mistake("pairwise_marginals", "overflows", lambda scores: (
        scores.exp()[:, :, None] / (scores.exp()[:, :, None] + scores.exp()[:, None]))),
    Mistake("expected_ranks", "the own term forgotten", lambda scores: right.expected_ranks(scores) - 0.5),
    Mistake("expected_ranks", "the worst has rank 1", lambda scores: right.expected_ranks(-scores)),
    Mistake("top_one_cross_entropy", "arguments exchanged", lambda target_scores, scores: (
        right.top_one_cross_entropy(scores, target_scores))),
    Mistake("top_one_cross_entropy", "the divergence", lambda target_scores, scores: (
        right.top_one_cross_entropy(target_scores, scores) - right.top_one_cross_entropy(target_scores, target_scores))),
    Mistake("top_one_cross_entropy", "the logarithm of a probability that underflows", lambda target_scores, scores: (
        -(target_scores.softmax(-1) * scores.softmax(-1).log()).sum(-1))),
    Mistake("top_one_cross_entropy", "targets are not differentiated", lambda target_scores, scores: (
        right.top_one_cross_entropy(target_scores.detach(), scores))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("ranking_log_prob", "stage by stage", _stage_by_stage, core_alone=True),
    Mistake("gumbel_ranking", "sorted twice, by places", lambda uniforms, scores: (
        (_utilities(uniforms, scores)[:, :, None] < _utilities(uniforms, scores)[:, None]).sum(-1).argsort(-1))),
    Mistake("top_one_cross_entropy", "torch's cross-entropy with probabilities", lambda target_scores, scores: (
        torch.nn.functional.cross_entropy(scores, target_scores.softmax(-1), reduction="none")), core_alone=True),
)  # fmt: skip
