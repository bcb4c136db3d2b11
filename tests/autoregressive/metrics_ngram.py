"""Windows counted in dictionaries, and interpolated from short contexts to long ones."""

import math
from collections import Counter

from tests.support.metrics import mean

COUNT = 40


def windows(e, batch):
    return [tuple(row[-e.recipe.order :]) for row in batch["tokens"].tolist()]


def logs(e, batch, phase):
    return {"distinct_windows": len(set(windows(e, batch)))}


def log_prob(e, counted, window):
    """log p of the last byte given those before it, by the counts of all windows."""
    probs, deepest, often = [1 / 256], 0, 0
    for k in range(1, e.recipe.order + 1):
        tails = counted[k]
        context, end = window[-k:-1] if k > 1 else (), window[-k:]
        followers = {tail: count for tail, count in tails.items() if tail[:-1] == context}
        total, kinds = sum(followers.values()), len(followers)
        if not total:
            probs.append(probs[-1])
        elif e.recipe.smoothing == "witten_bell":
            probs.append((followers.get(end, 0) + kinds * probs[-1]) / (total + kinds))
        else:
            probs.append(followers.get(end, 0) / total)
            deepest, often = k, total
    if e.recipe.smoothing == "witten_bell":
        return math.log(probs[-1])
    row = 16 * deepest + min(15, int(math.log2(max(1, often))))
    return math.log(sum(weight * p for weight, p in zip(e.weights[row].tolist(), probs, strict=True)))


def evaluate(e, data):
    tokens, order = data.batch()["tokens"].tolist(), e.recipe.order
    all_windows = windows(e, data.batch())  # held-out data are those of the training here
    counted = {k: Counter(window[-k:] for window in all_windows) for k in range(1, order + 1)}
    stream = [tokens[0][0], *(byte for row in tokens for byte in row[1:])]
    places = range(order - 1, len(stream))
    bits = mean([-log_prob(e, counted, tuple(stream[k - order + 1 : k + 1])) / math.log(2) for k in places])
    return {"bits_per_byte": bits, "perplexity": 2**bits}
