"""Wrong forms of the Bradley-Terry model that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus

from practice_torch.preference import bradley_terry as right
from tests.support.mistakes import Mistake


def _likelihood(wins, scores, *, diagonal=0.0, per_game=False):
    wins = wins.to(scores.dtype)
    off = wins * (1 - (1 - diagonal) * torch.eye(len(scores), dtype=scores.dtype))
    total = (off * logsigmoid(scores[:, None] - scores)).sum()
    return total / off.sum() if per_game else total


def _counted_in_their_own_width(wins, scores):
    right.minorize_maximize_step(wins, scores)  # its checks
    apart = 1 - torch.eye(len(scores), dtype=scores.dtype)
    games = (wins + wins.T).to(scores.dtype) * apart
    won = (wins.to(scores.dtype) * apart).sum(1).detach()
    moved = scores + won.log() - (games.detach().log() + logsigmoid(scores[:, None] - scores)).logsumexp(1)
    return moved - moved.mean()


def _step(wins, scores, *, center=True, averaged=False, stable=True):
    wins = wins.detach().to(scores.dtype) * (1 - torch.eye(len(scores), dtype=scores.dtype))
    games, won = wins + wins.T, wins.sum(1)
    if averaged:
        won = won / (games > 0).sum(1)
    if stable:
        log_expected = (games.log() + logsigmoid(scores[:, None] - scores)).logsumexp(1) - scores
    else:
        log_expected = (games / (scores[:, None].exp() + scores.exp())).sum(1).log()
    moved = won.log() - log_expected
    return moved - moved.mean() if center else moved


def _diagonal_counted(wins, scores):
    wins = wins.detach().to(scores.dtype)
    moved = scores + wins.sum(1).log() - ((wins + wins.T).log() + logsigmoid(scores[:, None] - scores)).logsumexp(1)
    return moved - moved.mean()


def _information(comparisons, scores, *, other=True, sign=-1.0, diagonal=False):
    comparisons = comparisons.to(scores.dtype)
    n = comparisons if diagonal else comparisons * (1 - torch.eye(len(scores), dtype=scores.dtype))
    p = (scores[:, None] - scores).sigmoid()
    weights = n * p * (p.T if other else 1.0)
    return torch.diag(weights.sum(1)) + sign * weights * (1 - torch.eye(len(scores), dtype=scores.dtype))


def _elo(outcome, rating_first, rating_second, *, step_size, scale=400.0, base=10.0, kept=True):
    expected = 1 / (1 + base ** ((rating_second - rating_first) / scale))
    gain = step_size * (outcome - expected)
    return rating_first + gain, (rating_second - gain if kept else rating_second + 0 * gain)


def _elo_one_after_the_other(outcome, rating_first, rating_second, *, step_size, scale=400.0):
    first, _ = _elo(outcome, rating_first, rating_second, step_size=step_size, scale=scale)
    return first, _elo(outcome, first, rating_second, step_size=step_size, scale=scale)[1]


MISTAKES = (
    Mistake("preference_log_prob", "arguments swapped", lambda reward_chosen, reward_rejected, *, margin=0.0: (
        right.preference_log_prob(reward_rejected, reward_chosen, margin=margin))),
    Mistake("preference_log_prob", "margin added", lambda reward_chosen, reward_rejected, *, margin=0.0: (
        right.preference_log_prob(reward_chosen, reward_rejected, margin=-margin))),
    Mistake("preference_log_prob", "margin forgotten", lambda reward_chosen, reward_rejected, *, margin=0.0: (
        right.preference_log_prob(reward_chosen, reward_rejected))),
    Mistake("preference_log_prob", "the logarithm of a probability that underflowed",
            lambda reward_chosen, reward_rejected, *, margin=0.0: (reward_chosen - reward_rejected - margin).sigmoid().log()),
    Mistake("preference_log_prob", "softplus with its threshold", lambda reward_chosen, reward_rejected, *, margin=0.0: (
        -softplus(reward_rejected - reward_chosen + margin, threshold=5))),
    Mistake("soft_preference_loss", "label turned over", lambda label, reward_first, reward_second: (
        right.soft_preference_loss(1 - label, reward_first, reward_second))),
    Mistake("soft_preference_loss", "only the part of the first", lambda label, reward_first, reward_second: (
        -label * logsigmoid(reward_first - reward_second))),
    Mistake("soft_preference_loss", "accepts any label", lambda label, reward_first, reward_second: (
        right.soft_preference_loss(label.nan_to_num(0.0).clamp(0, 1), reward_first, reward_second)), only_checks=True),
    Mistake("tournament_log_likelihood", "transposed", lambda wins, scores: right.tournament_log_likelihood(wins.T, scores)),
    Mistake("tournament_log_likelihood", "diagonal counted", lambda wins, scores: _likelihood(wins, scores, diagonal=1.0)),
    Mistake("tournament_log_likelihood", "mean over the games", lambda wins, scores: _likelihood(wins, scores, per_game=True)),
    Mistake("tournament_log_likelihood", "pairs once, by their first half", lambda wins, scores: (
        right.tournament_log_likelihood(wins.triu(1), scores))),
    Mistake("tournament_log_likelihood", "accepts negative counts", _likelihood, only_checks=True),
    Mistake("minorize_maximize_step", "not centered", lambda wins, scores: _step(wins, scores, center=False)),
    Mistake("minorize_maximize_step", "wins averaged over opponents", lambda wins, scores: _step(wins, scores, averaged=True)),
    Mistake("minorize_maximize_step", "losses for wins", lambda wins, scores: right.minorize_maximize_step(wins.T, scores)),
    Mistake("minorize_maximize_step", "strengths that overflow", lambda wins, scores: _step(wins, scores, stable=False)),
    Mistake("minorize_maximize_step", "diagonal counted", _diagonal_counted),
    Mistake("minorize_maximize_step", "counted in bytes", _counted_in_their_own_width, narrow=True),
    Mistake("minorize_maximize_step", "accepts a player without a win", _step, only_checks=True),
    Mistake("fisher_information", "without 1 - p", lambda comparisons, scores: _information(comparisons, scores, other=False)),
    Mistake("fisher_information", "signless", lambda comparisons, scores: _information(comparisons, scores, sign=1.0)),
    Mistake("fisher_information", "diagonal counted", lambda comparisons, scores: _information(
        comparisons, scores, diagonal=True)),
    Mistake("fisher_information", "the Hessian", lambda comparisons, scores: -right.fisher_information(comparisons, scores)),
    Mistake("fisher_information", "accepts one direction", _information, only_checks=True),
    Mistake("elo_update", "natural odds", lambda **given: _elo(**given, base=2.718281828459045)),
    Mistake("elo_update", "the second player keeps the rating", lambda **given: _elo(**given, kept=False)),
    Mistake("elo_update", "scale forgotten", lambda **given: _elo(**given | {"scale": 400.0})),
    Mistake("elo_update", "the second sees the first's new rating", _elo_one_after_the_other),
    Mistake("elo_update", "accepts any outcome", _elo, only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("soft_preference_loss", "torch's binary cross-entropy", lambda label, reward_first, reward_second: (
        binary_cross_entropy_with_logits(reward_first - reward_second, label, reduction="none")), core_alone=True),
    Mistake("elo_update", "in powers of ten", lambda outcome, rating_first, rating_second, *, step_size, scale=400.0: (
        right.elo_update(outcome, rating_first, rating_second, step_size=step_size, scale=scale)
        and _elo(outcome, rating_first, rating_second, step_size=step_size, scale=scale))),
)  # fmt: skip
