"""Checks of a network in train mode, with dropout: exact, because both sides use the same seed."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from shared_specs.checking.trial import Outcome
from shared_specs.rows import Model

SEED = 5


def training_outcomes(
    torch: ModuleType,
    constructor: Callable,
    row: Model,
    start: dict[str, np.ndarray],
    arrays: dict[str, np.ndarray],
    constants: dict[str, Any],
) -> Iterator[Outcome]:
    """Outcomes (quantity, ratio, message) of the laws of a Model row: ratio 0 where one holds, infinite where not.

    torch: the module that builds and runs torch networks; start: the parameters, by name.
    """
    for sizes in (row.sizes, row.sizes | row.training) if row.training else (row.sizes,):
        network = torch.build(constructor, sizes)
        torch.load(network, start)

        def outputs(changed=arrays, seed=SEED, training=True, network=network):
            return torch.outputs(network, tuple(changed.values()), constants, seed, training)

        suffix = "".join(f", {name} {value}" for name, value in row.training.items() if sizes is not row.sizes)
        for name, lag in row.sees.items():
            yield Outcome(f"the future of {name}{suffix}", *_future(outputs, arrays, name, lag))
        if row.apart:
            yield Outcome(f"the rest of the batch{suffix}", *_rest(outputs, arrays))
        if sizes is not row.sizes:
            plain = torch.build(constructor, row.sizes)
            torch.load(plain, start)
            differ = not _same(outputs(seed=1), outputs(seed=2))
            yield Outcome("dropout in training", *_verdict(differ, "two seeds give one output"))
            wanted = torch.outputs(plain, tuple(arrays.values()), constants, SEED, False)
            same = _same(outputs(training=False), wanted)
            yield Outcome("dropout in evaluation", *_verdict(same, "the output is not that of the network without dropout"))


def _future(outputs, arrays, name, lag):
    """Output t is independent of the input after t + lag, and depends on the input at t + lag."""
    before = outputs()
    for t in range(before[0].shape[1]):
        last = t + lag
        later = outputs(_changed(arrays, name, np.s_[:, last + 1 :]))
        if not _same([o[:, : t + 1] for o in later], [o[:, : t + 1] for o in before]):
            return _verdict(False, f"step {t} changes with {name} after step {last}")
        if 0 <= last < arrays[name].shape[1]:
            other = outputs(_changed(arrays, name, np.s_[:, last]))
            if _same([o[:, t] for o in other], [o[:, t] for o in before]):
                return _verdict(False, f"step {t} does not change with {name} at step {last}")
    return _verdict(True, "")


def _rest(outputs, arrays):
    """An example's output is independent of the other examples, and depends on its own input."""
    before = outputs()
    for row, others in ((0, np.s_[1:]), (-1, np.s_[:-1])):
        after = outputs(_changed(arrays, None, np.s_[row : row + 1 or None]))
        if not _same([o[others] for o in after], [o[others] for o in before]):
            return _verdict(False, "an example changes with another one of its batch")
        if _same([o[row] for o in after], [o[row] for o in before]):
            return _verdict(False, "an example does not change with its own input")
    return _verdict(True, "")


def _changed(arrays, name, where):
    """The inputs, in which one of them (None: each) has other entries at a place: integers the next of those that there are."""
    changed = dict(arrays)
    for key, array in arrays.items() if name is None else [(name, arrays[name])]:
        array = array.copy()
        is_float = np.issubdtype(array.dtype, np.floating)
        array[where] = array[where] + 0.5 if is_float else (array[where] + 1) % (arrays[key].max() + 1)
        changed[key] = array
    return changed


def _same(these, those):
    return all(np.array_equal(a, b) for a, b in zip(these, those, strict=True))


def _verdict(holds, complaint):
    return (0.0, "") if holds else (np.inf, complaint)
