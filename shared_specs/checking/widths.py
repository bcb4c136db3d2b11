"""Integers of any width: what a row's integer arrays give in int64 they give in uint8, int16 and int32.

Narrow integers fail in silence: in uint8 255 + 1 is 0, 0 - 1 is 255, and a comparison with 256 is one with 0. So a function
computes in int64 whatever it computes from integers, and a result that is an integer is int64, whatever the width it came from.
"""

from collections.abc import Iterator

import numpy as np

from shared_specs.checking.arguments import Arguments, Arrays, leaves, with_arrays
from shared_specs.checking.implementation import Fault, Implementation, require_form

WIDTHS = ("uint8", "int16", "int32")


def narrowed(arguments: Arguments) -> Iterator[tuple[str, Arguments]]:
    """(width, arguments) for each width that holds an integer array of the arguments; an array that it cannot hold stays."""
    integers = {path: leaf for path, leaf in leaves(arguments) if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "iu"}
    for width in WIDTHS:
        held = {path: array.astype(width) for path, array in integers.items() if np.array_equal(array, array.astype(width))}
        if held:
            yield width, with_arrays(arguments, held)


def reruns(implementation: Implementation, function: str, arguments: Arguments, got: Arrays) -> Iterator[tuple[str, Arrays]]:
    """(width, results) of the call in each width; `got` are its results in int64, of the same shapes and dtypes."""
    for width, narrow in narrowed(arguments):
        try:
            results = implementation.plain_call(function, narrow)
            require_form([r.shape for r in results], [g.shape for g in got])
        except Exception as error:
            raise Fault(f"in {width}: {type(error).__name__}: {error}".splitlines()[0]) from error
        for r, g in zip(results, got, strict=True):
            if r.dtype != g.dtype:
                raise Fault(f"in {width}: returned {r.dtype}; for int64 it returns {g.dtype}")
        yield width, results
