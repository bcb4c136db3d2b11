"""Complex arrays in a spec, apart from the rows: a process that grades a file has this module, and no spec."""

from typing import Any, NamedTuple


class Complex(NamedTuple):
    """A complex array as two real ones, in which gradients are compared. The function is called with real + i imaginary."""

    real: Any
    imaginary: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of either part."""
        return self.real.shape
