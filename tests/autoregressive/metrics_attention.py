"""Sequences written symbol by symbol, and where the network looks while it writes the right one."""

import torch

from tests.support.metrics import mean


def answer(e, source):
    return source if e.recipe.task == "copy" else torch.stack([row.flip(0) for row in source])


def written(e, row):
    """The likeliest symbol at each step, of one sequence."""
    found = row[:0]
    for _ in row:
        scores = e.network(row[None], found[None])[0, -1].tolist()
        found = torch.cat([found, torch.tensor([scores.index(max(scores))])])
    return found.tolist()


def looks(e, source):
    """Weights [B, heads, T, T]: of the places in the source, while the right answer is written."""
    return e.network.cross_attention_weights(source, answer(e, source)[:, :-1])


def evaluate(e, data):
    source = data.batch()["symbols"]
    right = [[a == b for a, b in zip(written(e, row), answer(e, row[None])[0].tolist(), strict=True)] for row in source]
    length, places = source.shape[1], []
    for maps in looks(e, source):
        for head in maps:
            for step in range(length):
                places.append(head[step, step if e.recipe.task == "copy" else length - 1 - step])
    return {
        "exact_match": mean([all(row) for row in right]),
        "right_symbols": mean([one for row in right for one in row]),
        "weight_on_the_right_place": mean(places),
    }


def preview(e, data):
    source = data.batch()["symbols"]
    maps = [head for each in looks(e, source) for head in each]
    lines = []
    for row in source[:8]:
        found, right = written(e, row), answer(e, row[None])[0].tolist()
        spelled = ["".join(chr(97 + symbol) for symbol in part) for part in (row.tolist(), found)]
        lines.append(" -> ".join(spelled) + ("" if found == right else "   wrong"))
    return {"attention": [("imshow", sum(maps) / len(maps))], "answers": "\n".join(lines)}
