"""Which files of the wings a topic and a test use, read from their imports."""

import ast
from functools import cache
from pathlib import Path

import shared_specs
from shared_specs.syllabus import load
from tests.support.house.rules import WINGS, nodes, parsed

ROOT = Path(shared_specs.__file__).resolve().parent.parent
SHARED = {"networks", "experiments", "pictures"}  # folders of a wing, besides its families, of what several topics share


def own(topic):
    """The files of a topic that hold code."""
    places = (f"theory_jax/{topic}.py", f"practice_torch/{topic}.py", f"practice_torch/experiments/{topic}.py")
    return {path for place in places if (path := ROOT / place).is_file()}


@cache
def parts(topic):
    """The shared files that a topic imports, directly or through other shared files."""
    found, new = set(), own(topic)
    while new:
        new = {used for path in new for used in of_file(path) if _is_shared(used)} - found
        found |= new
    return found


@cache
def of_file(path):
    """The files that a file imports."""
    return set().union(*_imported(parsed(path)).values())


@cache
def of_test(path, name):
    """The files that a test names: in its own code, or in what it uses of its file."""
    tree = parsed(path)
    defined, imported = _defined(tree), _imported(tree)
    found, new = set(), {name}
    while new:
        found |= new
        new = {word for each in new for node in defined.get(each, ()) for word in _words(node)} - found
    return set().union(*(imported.get(word, ()) for word in found))


def _is_shared(path):
    """Whether a file is a private module of a family, a network, a part of experiments or a picture, and not a topic's."""
    _, *below = path.relative_to(ROOT).with_suffix("").parts
    syllabus = load()
    return below[0] in SHARED.union(*syllabus.floors) and "/".join(below[-2:]) not in syllabus.topics


def _imported(tree):
    """{name in a file: the files of the wings that it may come from}, imports inside functions included."""
    found = {}
    for node in nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                modules = (alias.name,) if isinstance(node, ast.Import) else (node.module, f"{node.module}.{alias.name}")
                found.setdefault(alias.asname or alias.name.split(".")[0], set()).update(_files(modules))
    return found


def _files(modules):
    paths = (ROOT.joinpath(*module.split(".")).with_suffix(".py") for module in modules if module.split(".")[0] in WINGS)
    return {path for path in paths if path.is_file()}


def _defined(tree):
    """{name: the statements of a file that define it}."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for word in _words(node):
                found.setdefault(word, []).append(node)
    return found


def _words(node):
    """The names in a statement, and those of arguments, which may be fixtures."""
    found = (each for each in ast.walk(node) if isinstance(each, ast.Name | ast.arg))
    return {each.id if isinstance(each, ast.Name) else each.arg for each in found}
