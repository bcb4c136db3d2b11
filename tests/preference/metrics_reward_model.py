"""Votes: scores byte by byte, agreements pair by pair, calibration bin by bin with SciPy's intervals."""

import math

import torch
from scipy.stats import binomtest

from tests.support.metrics import mean
from tests.support.written_texts import held_out_windows, scores, wins

COUNT = 12


def pairs(e, windows, equal=False):
    """(texts, lengths, gold, whether the first wins): texts in two lists, each window's own end and that of the window before."""
    recipe, size = e.recipe, len(windows)
    shortest = recipe.prompt + math.ceil(recipe.completion / 2)
    lengths = torch.randint(shortest, windows.shape[1] + 1, (2, size), generator=e.generator).tolist()
    lengths = [lengths[0], lengths[0]] if equal else lengths
    texts = [[row[:n] for row, n in zip(windows, lengths[0], strict=True)], []]
    for k, n in enumerate(lengths[1]):
        texts[1].append(torch.cat([windows[k, : recipe.prompt], windows[k - 1, recipe.prompt :]])[:n])
    gold = [[recipe.sharpness * scores(row[None], recipe.prompt)[0] for row in part] for part in texts]
    draws = torch.rand(size, generator=e.generator).tolist()
    won = [u < 1 / (1 + math.exp(b - a)) for u, a, b in zip(draws, *gold, strict=True)]
    return texts, gold, won


def rewards(e, texts):
    """Each text by itself, without padding."""
    return [float(e.reward(row[None], torch.ones_like(row[None], dtype=torch.bool))) for row in texts]


def measured(e, data, equal=False):
    """(true differences, learned differences, votes)."""
    texts, gold, won = pairs(e, held_out_windows(data, e.recipe.judged), equal)
    learned = [a - b for a, b in zip(*map(lambda part: rewards(e, part), texts), strict=True)]
    return [a - b for a, b in zip(*gold, strict=True)], learned, won


def agreement(signs, differences):
    return wins([(s > 0) * d - (s < 0) * d for s, d in zip(signs, differences, strict=True)], [0.0] * len(signs))


def logs(e, batch, phase):
    texts, _, won = pairs(e, batch["tokens"])
    first, second = (rewards(e, part) for part in texts)
    return {"accuracy": agreement([2 * w - 1 for w in won], [a - b for a, b in zip(first, second, strict=True)])}


def bins(learned, won):
    """[(mean prediction, share of votes, number)] of the tenths that hold a pair."""
    found = {}
    for difference, vote in zip(learned, won, strict=True):
        chance = 1 / (1 + math.exp(-difference))
        found.setdefault(min(int(10 * chance), 9), []).append((chance, vote))
    return [(mean([c for c, _ in part]), mean([v for _, v in part]), len(part)) for _, part in sorted(found.items())]


def evaluate(e, data):
    gold, learned, won = measured(e, data)
    matched_gold, matched, _ = measured(e, data, equal=True)
    votes = [2 * w - 1 for w in won]
    return {
        "pair_accuracy": agreement(gold, learned),
        "matched_accuracy": agreement(matched_gold, matched),
        "vote_accuracy": agreement(votes, learned),
        "best_vote_accuracy": agreement(votes, gold),
        "calibration_error": sum(n * abs(p - o) for p, o, n in bins(learned, won)) / len(won),
    }


def preview(e, data):
    gold, learned, won = measured(e, data)
    predicted, observed, counts = zip(*bins(learned, won), strict=True)
    ends = [binomtest(round(o * n), n).proportion_ci(0.95, "wilson") for o, n in zip(observed, counts, strict=True)]
    bars = [[abs(o - end[side]) for o, end in zip(observed, ends, strict=True)] for side in (0, 1)]
    return {
        "calibration": [("plot", [0, 1], [0, 1]), ("errorbar", predicted, observed, {"yerr": torch.tensor(bars)})],
        "differences": [("axline", (0, 0), {"slope": 1}), ("plot", gold, learned)],
    }
