"""What a class is marked by: a topic, the functions that count, and their points."""

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared_specs.checking.check import spec_of
from shared_specs.checking.implementation import Fault
from shared_specs.commands.errors import nearest
from shared_specs.grading.against import functions_of
from shared_specs.rows import Rejects

KEYS = ("topic", "functions", "input_checks")
LARGEST_RUBRIC, MOST_POINTS = 2**20, 1e6  # bytes; points of a function


@dataclass(frozen=True)
class Rubric:
    """values: points of each function if all its values hold. checks: points for refused bad input, in proportion."""

    topic: str
    values: Mapping[str, float]
    checks: Mapping[str, float] = field(default_factory=dict)

    def out_of(self, function: str) -> float:
        """All points of a function."""
        return self.values[function] + self.checks.get(function, 0)


def equal_points(topic: str, functions: Collection[str]) -> Rubric:
    """One point for each function, none for input checks."""
    return Rubric(topic, dict.fromkeys(functions, 1))


def read_toml(path: Path) -> dict:
    """The content of a rubric's file, which has a topic.  Raises Fault, in one line."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_RUBRIC + 1)
        if len(content) > LARGEST_RUBRIC:
            raise Fault(f"{path} is larger than {LARGEST_RUBRIC} bytes")
        said = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise Fault(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Fault(f"{path} is not text in UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Fault(f"{path} is not TOML: {error}") from None
    if unknown := next((key for key in said if key not in KEYS), None):
        raise Fault(f"{path}: unknown key {unknown!r}; {nearest(unknown, KEYS)}")
    if not isinstance(said.get("topic"), str):
        raise Fault(f'{path} has no line topic = "family/topic"')
    return said


def rubric_of(path: Path, said: Mapping, topic: str) -> Rubric:
    """The rubric that a file's content states for its topic.  Raises Fault for what no student could earn, in one line."""
    values = _points(path, said, "functions", topic, list(functions_of(topic)))
    checked = {row.function for row in spec_of(topic) if isinstance(row, Rejects)}
    if not values:
        raise Fault(f"{path}: [functions] gives no function points; write, for example, {next(iter(functions_of(topic)))} = 2")
    checks = _points(path, said, "input_checks", topic, list(values))
    if bare := next((name for name in checks if name not in checked), None):
        raise Fault(f"{path}, [input_checks]: the contracts of {bare} have no bad input; leave it out")
    return Rubric(topic, values, checks)


def _points(path, said, table, topic, allowed):
    found = said.get(table, {})
    if not isinstance(found, dict):
        raise Fault(f"{path}: {table} = {found!r} is not a table; write [{table}] and a line FUNCTION = POINTS for each")
    for name, points in found.items():
        if name not in allowed:
            of = topic if table == "functions" else "[functions]"
            raise Fault(f"{path}, [{table}]: {of} has no function {name}; {nearest(name, allowed)}")
        number = type(points) in (int, float) and math.isfinite(points)
        if not (number and 0 < points <= MOST_POINTS):
            raise Fault(f"{path}, [{table}]: {name} = {points!r}; points are a positive number, at most {MOST_POINTS:g}")
    return dict(found)
