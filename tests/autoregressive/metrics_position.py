"""Schemes of positions: the same bytes in windows of three lengths, one window after another."""

import math

import torch

from tests.support.metrics import mean

TOLERANCE = 1e-5  # logits are cast to float32


def ways(e, multiple):
    """(name, scheme, by what positions are divided)."""
    for scheme in e.recipe.schemes:
        if scheme == "learned" and multiple > 1:
            continue
        yield scheme, scheme, 4.0 if scheme == "adapted" else 1.0
        if scheme == "rotary":
            yield "rotary, interpolated", scheme, float(multiple)


def measured(e, data):
    """{(name, multiple): bits of every place, averaged over windows}."""
    found = {}
    for multiple in (1, 2, 4):
        length = multiple * e.recipe.context
        for name, scheme, scale in ways(e, multiple):
            network, rows = getattr(e, scheme), []
            network.positions.scale = scale
            for tokens in data.batch()["tokens"]:
                for begin in range(0, len(tokens) - 1, length):
                    law = torch.distributions.Categorical(logits=network(tokens[None, begin : begin + length])[0])
                    rows.append((-law.log_prob(tokens[begin + 1 : begin + length + 1]) / math.log(2)).tolist())
            found[name, multiple] = [mean(column) for column in zip(*rows, strict=True)]
    return found


def evaluate(e, data):
    return {f"{name.replace(', ', '_')}_{k}x": mean(bits) for (name, k), bits in measured(e, data).items()}


def preview(e, data):
    found, curves = measured(e, data), []
    lengths = [k * e.recipe.context for k in (1, 2, 4)]
    rows = [("window, bytes", *map(str, lengths)), ("past, bytes (mean)", *(f"{sum(range(n)) / n:g}" for n in lengths))]
    for name in dict.fromkeys(name for name, _ in found):
        cells = [f"{mean(found[name, k]):.3f}" if (name, k) in found else "cannot" for k in (1, 2, 4)]
        rows.append((name, *cells))
        bits, size = found.get((name, 4), found[name, 1]), max(1, lengths[-1] // 16)
        pieces = [range(begin, min(begin + size, len(bits))) for begin in range(0, len(bits), size)]
        curve = [[mean(piece) for piece in pieces], [mean([bits[k] for k in piece]) for piece in pieces]]
        curves.append(("plot", *curve, {"label": name}))
    table = "\n".join(row[0].ljust(22) + "".join(cell.rjust(9) for cell in row[1:]) for row in rows)
    return {"lengths": table, "places": curves}
