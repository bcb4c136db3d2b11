"""The rule that no modules import each other in a circle, also not lazily or for annotations only."""

from graphlib import CycleError, TopologicalSorter

from tests.support.house.rules import THREE, imported_names, parsed


def import_circles(root):
    """Modules that import each other: inside a function and under TYPE_CHECKING counts, too."""
    paths = [
        path
        for top in (*THREE, "book", "demo", "notebooks", "benchmarks", "tests")
        for path in sorted((root / top).rglob("*.py"))
    ]
    modules = {_name(path.relative_to(root)): path for path in paths}
    imports = {
        name: {other for other, _ in imported_names(parsed(path)) if other in modules} - {name} for name, path in modules.items()
    }
    while True:
        try:
            TopologicalSorter(imports).prepare()
            return
        except CycleError as error:
            circle = error.args[1][::-1]  # each module imports the next
            yield f"{' imports '.join(circle)}: move what both need into a separate file"
            imports[circle[0]].discard(circle[1])


def _name(path):
    """The module in a file; of an __init__.py, its package."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
