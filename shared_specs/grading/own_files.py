"""The files of this package that the worker needs, found by its imports: copies of these alone lie next to a graded file."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from shared_specs.backends import NAMES

PACKAGE = Path(__file__).resolve().parents[1]
# A backend's module is imported by its name, which no import statement shows.
BEGINNINGS = ("shared_specs.grading.worker", *(f"shared_specs.backends.{name}_backend" for name in NAMES))


@cache
def own_files() -> tuple[str, ...]:
    """Their paths inside the package, those of the packages that they are in included."""
    todo, found = list(BEGINNINGS), set()
    while todo:
        module = todo.pop()
        path = _file(module)
        if path is not None and path not in found:
            found.add(path)
            todo += [module.rpartition(".")[0], *_imported(ast.parse(path.read_text(encoding="utf-8")))]
    return tuple(sorted(path.relative_to(PACKAGE).as_posix() for path in found))


def _file(module):
    """The file of a module of the package; None of anything else."""
    top, *below = module.split(".")
    places = (PACKAGE.joinpath(*below).with_suffix(".py") if below else None, PACKAGE.joinpath(*below, "__init__.py"))
    return next((place for place in places if place and place.is_file()), None) if top == PACKAGE.name else None


def _imported(node) -> Iterator[str]:
    """What is imported, in functions too, except for type checkers alone; of `from a import b` both a and a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    of_types = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    for part in node.orelse if of_types else ast.iter_child_nodes(node):
        yield from _imported(part)
