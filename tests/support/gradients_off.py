"""Results of functions with function arguments when gradients are off."""

from contextlib import nullcontext

import numpy as np
import torch

from shared_specs.checking.arguments import leaves, mapped, whole
from shared_specs.checking.check import spec_of
from shared_specs.checking.reference import wing_function
from shared_specs.rows import Agree

OFF = (torch.no_grad, torch.inference_mode)


def calls_of(topic):
    """Name and arguments of the first row of each function that is given a function."""
    calls = {}
    for row in spec_of(topic):
        if isinstance(row, Agree) and any(callable(value) for value in row.given.arguments.values()):
            calls.setdefault(row.function, row.given.draw(f"{topic}/{row.function}/{row.case}"))
    return calls


def differing(topic):
    """Which functions give something else, or nothing at all, where gradients are off."""
    return {
        (name, off.__name__)
        for name, arguments in calls_of(topic).items()
        for off in OFF
        if not _equal(_results(topic, name, arguments, off), _results(topic, name, arguments, nullcontext))
    }


def _results(topic, name, arguments, context):
    """The results of the function as arrays; None if it raises an error."""
    with context():
        tensors = mapped(arguments, lambda _, leaf: torch.tensor(leaf) if isinstance(leaf, np.ndarray) else leaf)
        try:
            found = wing_function("torch", topic, name)(**{word: whole(value) for word, value in tensors.items()})
        except RuntimeError:
            return None
        return [leaf.detach().numpy() for _, leaf in leaves(found)]


def _equal(these, those):
    close = {"rtol": 1e-10, "atol": 1e-10, "equal_nan": True}
    return these is not None and all(np.allclose(a, b, **close) for a, b in zip(these, those, strict=True))
