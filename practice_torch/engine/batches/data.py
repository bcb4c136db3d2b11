"""The interface of a data set for the engine and the experiments."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # the help of a recipe does not need torch
    from torch import Tensor, device


class Data(Protocol):
    """The interface of a data set for the engine and the experiments."""

    description: Mapping[str, Any]  # can be written as JSON

    def __len__(self) -> int:
        """The number of examples."""

    def batch(self, indices: "Tensor") -> "dict[str, Tensor]":
        """The examples with these indices."""

    def to(self, device: "device") -> "Data":
        """The same data set with its tensors on the device."""
