"""The published result that a recipe is written to reproduce.

A topic says it next to its RECIPES: PUBLISHED = {recipe's name: Published(...)}. `list --sizes` and reports read it there.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Published(NamedTuple):
    """What a reader looks up and compares with a run of the recipe."""

    data: str  # what it is trained on, and where it comes from
    prepare: str  # the command that makes `--data` of it; "" where the recipe's own data is it
    metric: str  # with its unit and what it is measured on
    value: float | None  # None: no one published one for this setting; the source says what comes nearest
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
