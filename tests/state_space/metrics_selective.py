"""Bytes and sounds as state_space/diagonal; what networks recall of sequences that are posed one by one."""

import torch

from tests.autoregressive import metrics_transformer
from tests.state_space import metrics_diagonal
from tests.state_space.metrics_diagonal import TOLERANCE  # noqa: F401
from tests.support.metrics import mean


def logs(e, batch, phase):
    return {} if "symbols" in batch else metrics_diagonal.logs(e, batch, phase)


def posed(e, symbols):
    """Sequences of places and questions, and where the symbols are."""
    scores, size, rows, kept = torch.rand(len(symbols), e.recipe.places, generator=e.generator), e.symbols, [], []
    for items, score in zip(symbols.tolist(), scores.tolist(), strict=True):
        if e.recipe.task == "copying":
            places = sorted(sorted(range(len(score)), key=lambda k: -score[k])[: len(items)])
            row = [size] * len(score)
        else:
            places = list(range(1, 1 + len(items)))
            row = [size, *(min(int(size * value), size - 1) for value in score[1:])]
        for place, item in zip(places, items, strict=True):
            row[place] = item
        rows.append(row + [size + 1] * len(items))
        kept.append(places)
    return torch.tensor(rows), kept


def recalled(e, model, tokens):
    return getattr(e, model)(tokens)[:, e.recipe.places :, : e.symbols].max(2).indices.tolist()


def evaluate(e, data):
    if hasattr(e, "tokenizer"):
        return metrics_transformer.evaluate(e, data)
    if "symbols" not in data.batch():
        return metrics_diagonal.evaluate(e, data)
    symbols, found = data.batch()["symbols"], {}
    tokens, _ = posed(e, symbols)
    for model in e.recipe.models:
        pairs = zip(recalled(e, model, tokens), symbols.tolist(), strict=True)
        right = [[a == b for a, b in zip(*pair, strict=True)] for pair in pairs]
        found[f"{model}_right"] = mean([one for row in right for one in row])
        found[f"{model}_exact_match"] = mean([all(row) for row in right])
        found[f"{model}_parameters"] = sum(len(parameter.flatten()) for parameter in getattr(e, model).parameters())
    return found


def preview(e, data):
    if "symbols" not in data.batch():
        return metrics_diagonal.preview(e, data)
    found, titles = evaluate(e, data), ("parameters", "symbols right", "sequences right")
    rows = [" " * 14 + "".join(title.rjust(17) for title in titles)]
    for model in e.recipe.models:
        size, right, exact = (float(found[f"{model}_{name}"]) for name in ("parameters", "right", "exact_match"))
        rows.append(model.ljust(14) + f"{size:17,.0f}{right:17.1%}{exact:17.1%}")
    posed(e, data.batch(torch.arange(min(len(data), 8)))["symbols"])  # the answers
    shown = {"networks": "\n".join(rows)}
    if "mamba" in e.recipe.models:
        tokens, places = posed(e, data.batch(torch.arange(1))["symbols"])
        left = e.mamba.left(tokens[:, : e.recipe.places])
        lines = [("plot", [mean(place.flatten()) for place in block[0]]) for block in left]
        shown["kept"] = [*(("axvline", place) for place in places[0]), *lines]
    return shown
