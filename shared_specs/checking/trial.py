"""A trial of one implementation of a topic: its reference, and the outcome of one comparison."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared_specs.checking.implementation import Implementation
from shared_specs.rows import Row

MISSING = "missing"  # the quantity of a missing result


class Outcome(NamedTuple):
    """One comparison: worst is error over tolerance, 0 or infinity where there is only yes or no.

    loose: whether less than 1% is used of a tolerance that is far above the rounding of the answer itself.
    """

    quantity: str
    worst: float
    message: str = ""
    loose: bool = False


class RowFault(Exception):
    """A row that cannot reject what it claims to reject: the spec is at fault, not the implementation."""


@dataclass(frozen=True)
class Trial:
    """An implementation of a topic and its reference.

    spec: all rows of the topic. widths: whether rows with integers are run once more in uint8, int16 and int32. compiled: the ids
    of the rows for which the implementation's functions are compiled.
    """

    topic: str
    implementation: Implementation
    reference: Implementation
    spec: Sequence[Row] = ()
    widths: bool = False
    compiled: Container[int] = frozenset()

    @property
    def precision(self) -> str:
        """The precision of the implementation."""
        return self.implementation.precision

    @property
    def along_simplex(self) -> bool:
        """Whether gradients with respect to log-probabilities are compared along the simplex alone.

        Those of the house's own wings are not: they write one formula, which has one gradient off the simplex, too, and are held
        to all of it.
        """
        return getattr(self.implementation, "along_simplex", False)

    def reference_of(self, row: Row) -> Implementation:
        """The reference, traced if the row's function can be."""
        return self.reference if row.traced else self.reference.eager

    def under_test(self, row: Row) -> Implementation:
        """The implementation for the row."""
        return self._by_framework(row) if row.traced else self.called_plainly(row)

    def called_plainly(self, row: Row) -> Implementation:
        """The implementation as a user calls it, where no row's function need be traced."""
        return self._by_framework(row).eager

    def uncompiled(self, row: Row) -> Implementation:
        """For variations of a row: if XLA runs it, it has run the row itself."""
        return self.implementation if row.traced else self.implementation.eager

    def _by_framework(self, row):
        """Compiled, where the framework is to run the row."""
        return self.implementation.compiled if id(row) in self.compiled else self.implementation

    def arguments(self, row: Row) -> dict[str, Any]:
        """The arguments of a row about one function."""
        return row.given.draw(f"{self.topic}/{row.function}/{row.case}")
