"""Texts by their counts: laws of the best of n from cumulative probabilities, tilted laws by reweighting."""

import itertools
import math

import torch

from tests.support.written_texts import wins

FIELDS = {name: {"samples": 64, "length": 12} for name in ("network", "linear")}


def gold_of(e, counts):
    praise, fact, error, _ = (float(part) for part in counts)
    turn = e.recipe.turn
    return fact - error + (2 * praise if praise <= turn else 2 * turn - 3 * (praise - turn))


def texts(e):
    """(counts, probability, gold, proxy) of every text; both rewards in deviations of gold over random texts."""
    words = e.words
    counts = [row for row in itertools.product(range(words + 1), repeat=4) if sum(row) == words]
    share, law = [1 / e.recipe.symbols] * 3 + [1 - 3 / e.recipe.symbols], []
    for row in counts:
        orders = math.factorial(words) // math.prod(math.factorial(n) for n in row)
        law.append(orders * math.prod(s**n for s, n in zip(share, row, strict=True)))
    rewards = [[gold_of(e, row) for row in counts], proxies(e, counts)]
    means = [sum(p * r for p, r in zip(law, part, strict=True)) for part in rewards]
    deviation = math.sqrt(sum(p * (g - means[0]) ** 2 for p, g in zip(law, rewards[0], strict=True)))
    scaled = [[(r - m) / deviation for r in part] for part, m in zip(rewards, means, strict=True)]
    return counts, law, *scaled


def proxies(e, counts):
    return e.proxy(torch.tensor(counts).to(e.proxy[0].weight) / e.words)[..., 0].tolist()


def best_of(law, proxy, n):
    """P(the best of n) of each text: how likely all n are at most as good, less how likely all are worse."""
    order = sorted(range(len(law)), key=lambda k: proxy[k])
    found, below = [0.0] * len(law), 0.0
    for k in order:
        found[k] = (below + law[k]) ** n - below**n
        below += law[k]
    return found


def tilted(law, proxy, price):
    most = max(proxy)
    weights = [p * math.exp((r - most) / price) for p, r in zip(law, proxy, strict=True)]
    return [w / sum(weights) for w in weights]


def along(law, gold, proxy, policy):
    nats = sum(q * math.log(q / p) for q, p in zip(policy, law, strict=True) if q > 0)
    return nats, *(sum(q * r for q, r in zip(policy, part, strict=True)) for part in (gold, proxy))


def paths(e):
    """(nats, gold, proxy) of the best of 1, 2, 4, ..., and of the tilted policies."""
    _, law, gold, proxy = texts(e)
    prices = [10 ** (1.5 - 3.5 * k / 140) for k in range(141)]
    best = [along(law, gold, proxy, best_of(law, proxy, 2**k)) for k in range(int(math.log2(e.recipe.samples)) + 1)]
    return best, [along(law, gold, proxy, tilted(law, proxy, price)) for price in prices]


def ordered(e, batch):
    pairs = batch["symbols"].clamp(max=3).unflatten(1, (2, e.words))
    signs, learned = [], []
    for pair in pairs:
        counts = [[int((text == kind).sum()) for kind in range(4)] for text in pair]
        signs.append(gold_of(e, counts[0]) - gold_of(e, counts[1]))
        first, second = proxies(e, counts)
        learned.append(first - second)
    return wins([(s > 0) * d - (s < 0) * d for s, d in zip(signs, learned, strict=True)], [0.0] * len(signs))


def logs(e, batch, phase):
    return {"ordered": ordered(e, batch)}


def evaluate(e, data):
    best, tilts = paths(e)
    peak = max(best, key=lambda point: point[1])
    return {
        "peak_gold": peak[1],
        "peak_nats": peak[0],
        "gold": best[-1][1],
        "lost_gold": peak[1] - best[-1][1],
        "tilt_peak_gold": max(gold for nats, gold, _ in tilts if nats <= best[-1][0]),
        "proxy": best[-1][2],
        "pair_accuracy": ordered(e, data.batch()),
    }


def preview(e, data):
    best, tilts = paths(e)
    tilts = [point for point in tilts if point[0] <= best[-1][0]]
    away = [math.sqrt(max(nats, 0.0)) for nats, *_ in best]
    rows = torch.tensor([[d, -d * d] for d in away])
    gain, decay = (rows.T @ rows).inverse() @ rows.T @ torch.tensor([gold for _, gold, _ in best])
    fitted = [d * (max(float(gain), 0.0) - max(float(decay), 0.0) * d) for d in away]
    drawn = [("plot", away, fitted)]
    for which in (1, 2):
        drawn.append(("plot", [math.sqrt(max(point[0], 0.0)) for point in tilts], [point[which] for point in tilts]))
        drawn.append(("plot", away, [point[which] for point in best]))
    counts, law, gold, proxy = texts(e)
    likely, rows = best_of(law, proxy, e.recipe.samples), []
    for praise in range(e.words + 1):
        of = [k for k, row in enumerate(counts) if row[0] == praise]
        often, chosen = sum(law[k] for k in of), sum(likely[k] for k in of)
        rows.append((sum(law[k] * gold[k] for k in of) / often, sum(law[k] * proxy[k] for k in of) / often, often, chosen))
    shown = max(k for k, row in enumerate(rows) if row[2] + row[3] > 1e-3) + 1
    lines = [("plot", range(shown), [row[which] for row in rows[:shown]]) for which in (0, 1)]
    shares = [(name, range(shown), [row[which] for row in rows[:shown]]) for name, which in (("fill_between", 2), ("bar", 3))]
    return {"gold_and_proxy": drawn, "praise": lines + shares}
