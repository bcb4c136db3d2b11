"""Relations between the methods of a torch network: a Model row's conditions on methods that its theory network lacks."""

from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np

from shared_specs.checking.tolerance import DRAWS, neighbors, ratio, tolerances
from shared_specs.checking.trial import MISSING, Outcome
from shared_specs.rows import Model


def relation_outcomes(
    constructor: Callable, row: Model, start: dict[str, np.ndarray], arrays: dict[str, np.ndarray]
) -> Iterator[Outcome]:
    """Outcomes of the row's relations at these parameters and inputs, each with its worst part.

    The tolerance is the rule of shared_specs.checking.tolerance, with the network itself in place of the reference: inputs,
    parameters and what the methods return move to neighboring floats.
    """
    torch_network, torch_relations = (import_module(f"shared_specs.backends.torch_{name}") for name in ("network", "relations"))
    network = torch_network.build(constructor, row.sizes)
    near = neighbors({"inputs": tuple(arrays.values()), "parameters": start}, "float64")
    for words, relation in row.relations.items():
        torch_network.load(network, start)
        try:
            left, right = torch_relations.sides(network, relation, arrays.values())
        except torch_relations.MissingMethod as missing:
            yield Outcome(MISSING, np.inf, f"{row.network}.{missing}")
            continue
        moved = []
        for draw in range(DRAWS):
            given, _ = near.at(draw)
            torch_network.load(network, given["parameters"])
            moved.append(torch_relations.sides(network, relation, given["inputs"], np.random.default_rng((draw, 2))))
        limits = [
            tolerances([np.stack(parts) for parts in zip(*side, strict=True)], wanted, "float64")
            for side, wanted in zip(zip(*moved, strict=True), (left, right), strict=True)
        ]
        yield _worst(words, left, right, [sum(both) for both in zip(*limits, strict=True)])


def _worst(words, left, right, limits):
    shapes = [[list(part.shape) for part in side] for side in (left, right)]
    if shapes[0] != shapes[1]:
        return Outcome(words, np.inf, f"the sides have shapes {shapes[0]} and {shapes[1]}")
    parts = zip(left, right, limits, strict=True)
    worst, apart = max((ratio(a, b, limit, "float64"), float(np.abs(a - b).max(initial=0.0))) for a, b, limit in parts)
    return Outcome(words, worst, "" if worst <= 1 else f"the sides differ by {apart:.3g}, {worst:.3g} tolerances")
