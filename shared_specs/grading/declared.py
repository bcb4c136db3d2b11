"""A topic's functions as their sources declare them: signature, docstring and code, without importing a framework."""

import ast
import inspect
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared_specs.checking.implementation import Fault

ROOT = Path(__file__).resolve().parents[2]
WINGS = ("theory_jax", "practice_torch")


@dataclass(frozen=True)
class Declared:
    """A function's definition in the file of a module, which need not be the topic's own: it may import a function."""

    node: ast.FunctionDef
    module: str

    @property
    def file(self) -> Path:
        return _file(self.module)

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.node)

    def with_helpers(self) -> list[ast.FunctionDef]:
        """The function and those of its module that it calls, directly or not."""
        helpers = {node.name: node for node in _tree(self.module).body if isinstance(node, ast.FunctionDef)}
        todo, seen = [self.node], {}
        while todo:
            node = todo.pop()
            seen[node.name] = node
            named = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            todo += [helpers[name] for name in named if name in helpers and name not in seen]
        return list(seen.values())

    def source(self) -> str:
        """The code of the function, before it that of the private helpers of its module that it calls."""
        lines = self.file.read_text(encoding="utf-8").splitlines()
        nodes = [node for node in self.with_helpers() if node is self.node or node.name.startswith("_")]
        starts = {node: min(part.lineno for part in (node, *node.decorator_list)) for node in nodes}
        ordered = sorted(nodes, key=lambda node: (node is self.node, starts[node]))
        return "\n\n\n".join("\n".join(lines[starts[node] - 1 : node.end_lineno]) for node in ordered)


@cache
def declared(topic: str, name: str, wing: str = WINGS[0]) -> Declared:
    """The definition of a topic's function in a wing.  Raises LookupError."""
    return _declared(f"{wing}.{topic.replace('/', '.')}", name)


def _declared(module, name):
    for node in _tree(module).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return Declared(node, module)
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _declared(node.module, alias.name)
    raise LookupError(f"{_file(module).relative_to(ROOT)} has no function {name}")


def _file(module):
    return ROOT / f"{module.replace('.', '/')}.py"


@cache
def _tree(module):
    """The syntax tree of a module, cached because each of its functions needs it."""
    try:
        return ast.parse(_file(module).read_text(encoding="utf-8"))
    except OSError as error:
        raise Fault(f"{_file(module)} cannot be read: {error.strerror}; reinstall Diptych") from None


@cache
def signature(topic: str, name: str) -> inspect.Signature:
    """A function's signature in the contracts."""
    found = declared(topic, name)
    given, kind = found.node.args, inspect.Parameter
    named = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(named) - len(given.defaults)) + given.defaults
    parameters = [
        _parameter(found, a.arg, kind.POSITIONAL_OR_KEYWORD, default) for a, default in zip(named, defaults, strict=True)
    ]
    keywords = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return inspect.Signature(parameters + [_parameter(found, a.arg, kind.KEYWORD_ONLY, default) for a, default in keywords])


def _parameter(found, name, kind, default):
    value = inspect.Parameter.empty if default is None else _value(default, found.module)
    return inspect.Parameter(name, kind, default=value)


def _value(expression, module):
    """A default: an expression of numbers, of `math`, and of constants of its module."""
    constants = {"math": math}
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = node.value
    names = {part.id for part in ast.walk(expression) if isinstance(part, ast.Name)}
    known = {name: math if name == "math" else _value(constants[name], module) for name in names}
    return eval(compile(ast.Expression(expression), module, "eval"), {"__builtins__": {}}, known)


def docstring(topic: str, name: str) -> str:
    """A function's docstring in the theory wing."""
    return declared(topic, name).docstring


def wanted(topic: str, name: str) -> str:
    """A function as the contracts have it: its arguments, and their shapes."""
    return f"{name}{signature(topic, name)}, shapes {docstring(topic, name).strip().splitlines()[-1]}"
