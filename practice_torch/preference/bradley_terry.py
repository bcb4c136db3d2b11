"""The Bradley-Terry model: preferences from differences of scores, tournaments and their best scores, and Elo's ratings."""

import math

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import (
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_unit_interval,
    require_values,
)


def preference_log_prob(reward_chosen, reward_rejected, *, margin=0.0):
    r"""log sigma(r_c - r_r - m): the log-probability, in nats, that the chosen one wins by more than the margin m.

    sigma(d) = 1 / (1 + e^-d), r_c = reward_chosen, r_r = reward_rejected.

    Raises ValueError if the shapes differ.  Source: Bradley & Terry 1952; Touvron et al. 2023, eq. 2 (the margin).
    [B], [B] -> [B]
    """
    require_rank(1, reward_chosen=reward_chosen)
    require_same_shape(reward_chosen=reward_chosen, reward_rejected=reward_rejected)
    return logsigmoid(reward_chosen - reward_rejected - margin)


def soft_preference_loss(label, reward_first, reward_second):
    r"""-y log sigma(d) - (1 - y) log sigma(-d), d = reward_first - reward_second: a cross-entropy, in nats.

    The label y is the probability, or the share of votes, that prefers the first; its entropy is the least possible loss.

    Raises ValueError if the shapes differ or a label is outside [0, 1].  Source: Bradley & Terry 1952.
    [B], [B], [B] -> [B]
    """
    require_rank(1, label=label)
    require_same_shape(label=label, reward_first=reward_first, reward_second=reward_second)
    require_unit_interval(label=label)
    difference = reward_first - reward_second
    # not binary_cross_entropy_with_logits: its d - softplus(d) loses the digits below those of d
    return (label - 1) * logsigmoid(-difference) - label * logsigmoid(difference)


def tournament_log_likelihood(wins, scores):
    r"""sum_{i != j} w_ij log sigma(s_i - s_j), in nats: w_ij = wins of i over j, counts or shares of a draw.

    The diagonal of wins is ignored: no one plays against itself.

    Raises ValueError if wins is not square with one row for each of scores, or an entry of wins is negative.
    Source: Bradley & Terry 1952; Hunter 2004, section 1.
    [K, K], [K] -> []
    """
    wins = _games(scores, wins=wins)
    return wins.flatten() @ logsigmoid(scores[:, None] - scores).flatten()


def minorize_maximize_step(wins, scores):
    r"""s_i <- log w_i - log sum_{j != i} n_ij / (e^s_i + e^s_j), then centered to mean zero; the likelihood never falls.

    w_i = sum_j w_ij are the wins of i, n_ij = w_ij + w_ji its games with j. The diagonal of wins is ignored; wins are data, and
    have no gradient. The steps converge if everybody is reached from everybody by wins; else no finite scores are the best.

    Raises ValueError if wins is not square with one row for each of scores, an entry of wins is negative, or a row of wins has
    no win, for which the score is -inf.  Source: Hunter 2004, section 2.
    [K, K], [K] -> [K]
    """
    wins = _games(scores, wins=wins).detach()
    won = wins.sum(1)
    require_values("wins", won, lambda w: w > 0, "positive in sum: a player without a win has no finite score")
    scores = scores - scores.mean()  # first: scores far from 0 have no digits left for a step
    log_expected = (wins + wins.T).log() + logsigmoid(scores[:, None] - scores)
    moved = scores + won.log() - log_expected.logsumexp(1)
    return moved - moved.mean()


def fisher_information(comparisons, scores):
    r"""sum_{i < j} n_ij p_ij p_ji (e_i - e_j)(e_i - e_j)': the information about the scores in n_ij = comparisons of i and j.

    p_ij = sigma(s_i - s_j), e_i a unit vector: a weighted graph Laplacian, minus the Hessian of tournament_log_likelihood. Its
    null space holds the shifts of each connected component. The diagonal of comparisons is ignored.

    Raises ValueError if comparisons is not square with one row for each of scores, not symmetric, or has a negative entry.
    Source: Hunter 2004, section 4.
    [K, K], [K] -> [K, K]
    """
    comparisons = _games(scores, comparisons=comparisons)
    require_values("comparisons", comparisons, _symmetric, "symmetric: i meets j as often as j meets i")
    p = (scores[:, None] - scores).sigmoid()
    weights = comparisons * p * p.T
    return weights.sum(1).diag() - weights


def elo_update(outcome, rating_first, rating_second, *, step_size, scale=400.0):
    r"""The ratings of both players after one game: R_1 + K (y - p) and R_2 - K (y - p), K = step_size, y = outcome of the first.

    p = sigma((R_1 - R_2) log(10) / scale) is the expected outcome; y is 1 for a win, 1/2 for a draw, 0 for a loss. All games of
    a batch use the ratings from before it.

    Raises ValueError if the shapes differ, an outcome is outside [0, 1], or step_size or scale is not positive.
    Source: Elo 1978, The rating of chessplayers, past and present.
    [B], [B], [B] -> [B], [B]
    """
    require_positive(step_size=step_size, scale=scale)
    require_rank(1, outcome=outcome)
    require_same_shape(outcome=outcome, rating_first=rating_first, rating_second=rating_second)
    require_unit_interval(outcome=outcome)
    surprise = outcome - torch.sigmoid((rating_first - rating_second) * (math.log(10) / scale))
    return torch.add(rating_first, surprise, alpha=step_size), torch.sub(rating_second, surprise, alpha=step_size)


def _games(scores, **table):
    """The [K, K] table of nonnegative counts, in the dtype of the scores, with nothing on its diagonal."""
    ((name, counts),) = table.items()
    require_rank(1, scores=scores)
    require_shape((len(scores), len(scores)), **table)
    require_values(name, counts, lambda a: a >= 0, "at least 0")
    return counts.to(scores.dtype).masked_fill(torch.eye(len(scores), dtype=torch.bool, device=counts.device), 0.0)


def _symmetric(table):
    return (table - table.T).abs() <= 1e-5 * (table + table.T)
