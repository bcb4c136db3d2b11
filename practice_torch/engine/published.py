"""The published result that a recipe is written to reproduce, and how the recipe differs from what reached it.

A topic declares them next to its RECIPES: PUBLISHED = {recipe's name: Published(...)}. `list --sizes`, reports and the topic's
page in the book print them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """A difference between the published training and a recipe: a row of the table on the topic's page."""

    what: str  # architecture, initialization, data, augmentation, optimizer, schedule, evaluation, ...
    there: str  # as published
    here: str  # in the recipe
    cost: str  # its known effect on the number, with the source; "not known" otherwise


class Published(NamedTuple):
    """A published result to compare with a run of the recipe."""

    data: str  # the training data and their source
    prepare: str  # the command that prepares them for `--data`; "" if they are the recipe's own data
    metric: str  # with its unit and the data that it is measured on
    value: float | None  # None: none is published for this setting; the source describes the nearest
    source: str  # the paper or the page, and the table in it
    ours: float | None = None  # None: not run here
    facts: Mapping[str, Any] = MappingProxyType({})  # of the data's description, for `list --sizes`, which loads no data
    quoted: str = ""  # the line or the table's row of the source as it was looked up; the suite finds the value in it
    parameters: int | None = None  # of the published model, if the recipe's is the same; the suite counts the recipe's
    differences: tuple[Difference, ...] = ()

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

    def lines(self) -> list[str]:
        """That line, and one for each difference."""
        differences = [f"  {of.what}: published {of.there}; here {of.here}; costs: {of.cost}" for of in self.differences]
        return [self.line(), *differences]
