"""Values compared by relations between the methods of a torch network, such as inverse(forward(x)) and x."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch


class MissingMethod(Exception):
    """A relation needs a method that the network does not have."""


def sides(
    network: torch.nn.Module, relation: Callable, inputs: Sequence[np.ndarray], rng: np.random.Generator | None = None
) -> list[list[np.ndarray]]:
    """Both sides of the relation in evaluation and float64. rng: what every call returns moves to neighboring floats.

    Raises MissingMethod if the network lacks a method that the relation calls.
    """
    called = _Called(copy.deepcopy(network).eval(), rng)
    with torch.no_grad():
        found = relation(called, *(torch.tensor(array) for array in inputs))
    return [[part.numpy() for part in (side if isinstance(side, tuple | list) else (side,))] for side in found]


class _Called:
    """A network of which the forward pass and the methods are called."""

    def __init__(self, network, rng):
        self._network, self._rng = network, rng

    def __call__(self, *given, **named):
        return self._moved(self._network(*given, **named))

    def __getattr__(self, name):
        method = getattr(self._network, name, None)
        if not callable(method):
            raise MissingMethod(name)
        return lambda *given, **named: self._moved(method(*given, **named))

    def _moved(self, found: Any) -> Any:
        if isinstance(found, tuple | list):
            return type(found)(self._moved(part) for part in found)
        if self._rng is None or not isinstance(found, torch.Tensor) or not (found.is_floating_point() or found.is_complex()):
            return found
        numbers = torch.view_as_real(found) if found.is_complex() else found
        direction = torch.from_numpy(self._rng.choice([-np.inf, np.inf], numbers.shape))
        moved = torch.nextafter(numbers.double(), direction).to(numbers.dtype)
        return torch.view_as_complex(moved) if found.is_complex() else moved
