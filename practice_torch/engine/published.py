"""The published result that a recipe is written to reproduce.

A topic declares them next to its RECIPES: PUBLISHED = {recipe's name: Published(...)}. `list --sizes` and reports read them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Published(NamedTuple):
    """A published result to compare with a run of the recipe."""

    data: str  # the training data and their source
    prepare: str  # the command that prepares them for `--data`; "" if they are the recipe's own data
    metric: str  # with its unit and the data that it is measured on
    value: float | None  # None: none is published for this setting; the source describes the nearest
    source: str  # the paper or the page, and the table in it
    ours: float | None = None  # None: not run here
    facts: Mapping[str, Any] = MappingProxyType({})  # of the data's description, for `list --sizes`, which loads no data

    @property
    def there(self) -> str:
        """The published number, in words."""
        return "no number" if self.value is None else f"{self.value:g}"

    @property
    def here(self) -> str:
        """Our own number, in words."""
        return "not run here" if self.ours is None else f"{self.ours:g}"

    def line(self) -> str:
        """Both numbers, the source and the data."""
        prepared = f"; {self.prepare}" if self.prepare else ""
        return f"{self.metric}: published {self.there} ({self.source}), {self.here}; data: {self.data}{prepared}"
