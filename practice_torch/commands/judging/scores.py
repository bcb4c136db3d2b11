"""What verdicts say: shares of wins with intervals, Bradley-Terry scores, and the agreement of judges."""

import itertools
import math
from collections import Counter
from dataclasses import dataclass

import torch

from practice_torch.evaluation.human_evaluation import Z_95, bradley_terry_negative_log_likelihood, fleiss_kappa, wilson_interval


@dataclass(frozen=True)
class Duel:
    """Two runs: wins of each, ties, and the share of the first among the wins with Wilson's interval (None without a win)."""

    first: int
    second: int
    wins: tuple[int, int]
    ties: int
    share: tuple[float, float, float] | None


@dataclass(frozen=True)
class Scores:
    """The results of a session: duels, scores with half-widths of their intervals, kappa (None if it is undefined)."""

    duels: tuple[Duel, ...]
    scores: tuple[float, ...]
    reaches: tuple[float, ...]
    kappa: float | None
    judged_by_all: int
    judges: tuple[str, ...]


def scores_of(session, verdicts):
    """The results of these verdicts."""
    outcomes = [_outcome(session.pairs[verdict.pair], verdict.choice) for verdict in verdicts]
    duels = tuple(_duel(a, b, outcomes) for a, b in itertools.combinations(range(len(session.runs)), 2))
    scores, reaches = bradley_terry(len(session.runs), duels)
    judges = tuple(sorted({verdict.judge for verdict in verdicts}))
    kappa, judged_by_all = agreement(session, verdicts, judges)
    return Scores(duels, scores, reaches, kappa, judged_by_all, judges)


def _outcome(pair, choice):
    """(first run, second run, winner or None), the runs in order."""
    winner = {"left": pair.left[0], "right": pair.right[0], "tie": None}[choice]
    return *sorted((pair.left[0], pair.right[0])), winner


def _duel(a, b, outcomes):
    counted = Counter(winner for first, second, winner in outcomes if (first, second) == (a, b))
    wins, share = (counted[a], counted[b]), None
    if sum(wins):
        low, high = wilson_interval(torch.tensor(wins[:1]), torch.tensor([sum(wins)]))
        share = wins[0] / sum(wins), float(low), float(high)
    return Duel(a, b, wins, counted[None], share)


def bradley_terry(runs, duels):
    """(scores with the mean 0, half-widths of their 95% intervals), in nats: the difference of two is the log-odds of winning.

    A tie is half a win for each. Half a win for each side of every pair that was compared is added: without it, a run that always
    wins has no finite score.
    """
    winners, losers, weights = [], [], []
    for duel in duels:
        if not sum(duel.wins) + duel.ties:
            continue
        for winner, loser, won in ((duel.first, duel.second, duel.wins[0]), (duel.second, duel.first, duel.wins[1])):
            winners.append(winner)
            losers.append(loser)
            weights.append(won + duel.ties / 2 + 0.5)
    if not weights:
        return (0.0,) * runs, (math.inf,) * runs
    winners, losers = torch.tensor(winners), torch.tensor(losers)
    weights = torch.tensor(weights, dtype=torch.float64)

    def loss(scores):
        return weights @ bradley_terry_negative_log_likelihood(winners, losers, scores)

    scores = torch.zeros(runs, dtype=torch.float64)
    for _ in range(100):  # Newton's method on a convex function; the Hessian has the constants in its kernel
        gradient, hessian = torch.func.grad(loss)(scores), torch.func.hessian(loss)(scores)
        step = torch.linalg.pinv(hessian, hermitian=True) @ gradient
        scores = scores - step / max(1.0, float(step.abs().max()))
        if float(step.abs().max()) < 1e-12:
            break
    scores = scores - scores.mean()
    variances = torch.linalg.pinv(hessian, hermitian=True).diagonal()
    return tuple(scores.tolist()), tuple((Z_95 * variances.clamp(min=0).sqrt()).tolist())


def agreement(session, verdicts, judges):
    """(Fleiss' kappa over the pairs that every judge has judged, or None where it is undefined; their number)."""
    of_pair = {}
    for verdict in verdicts:
        winner = _outcome(session.pairs[verdict.pair], verdict.choice)
        of_pair.setdefault(verdict.pair, []).append(2 if winner[2] is None else int(winner[2] == winner[1]))
    counts = [[chosen.count(k) for k in range(3)] for chosen in of_pair.values() if len(chosen) == len(judges)]
    if len(judges) < 2 or not counts or len({k for row in counts for k, n in enumerate(row) if n}) < 2:
        return None, len(counts)
    return float(fleiss_kappa(torch.tensor(counts))), len(counts)
