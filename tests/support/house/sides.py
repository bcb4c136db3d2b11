"""The steps of a lecture compare two routes: no step writes both of its sides as the same expression."""

import ast
import copy
from collections import Counter

from tests.support.house.rules import LECTURES, files, nodes, parsed


def equal_sides(root):
    """`Sides(left=f(x), right=f(x))` compares nothing; names that are assigned once are read as what they stand for."""
    for path in files(root, LECTURES):
        tree = parsed(root / LECTURES / path)
        whole = _Meanings({}, tree.body)
        for function in (node for node in nodes(tree) if isinstance(node, ast.FunctionDef)):
            meanings = _Meanings(whole.of, function.body, _arguments(function))
            for call in (node for node in _own_nodes(function.body) if isinstance(node, ast.Call)):
                if ast.unparse(call.func).rpartition(".")[2] != "Sides":
                    continue
                place = f"{LECTURES}/{path}:{call.lineno}"
                sides = {keyword.arg: keyword.value for keyword in call.keywords}
                if call.args or not {"left", "right"} <= set(sides):
                    yield f"{place} does not name its sides: write Sides(left=..., right=...)"
                elif meanings.written(sides["left"]) == meanings.written(sides["right"]):
                    yield f"{place} compares {ast.unparse(sides['left'])} with itself: compute the sides by two routes"


class _Meanings:
    """Values of the names of a file or of a function that are assigned once, by one plain assignment."""

    def __init__(self, outer, body, hidden=()):
        own = list(_own_nodes(body))
        stores = Counter(node.id for node in own if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        self.of = {name: value for name, value in outer.items() if name not in stores and name not in hidden}
        for node in own:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if stores[name] == 1 and name not in hidden:
                    self.of[name] = node.value

    def written(self, expression):
        """The expression as text, its names replaced."""
        return ast.unparse(self._replaced(expression, frozenset()))

    def _replaced(self, expression, seen):
        meanings = self

        class Replace(ast.NodeTransformer):
            def visit_Name(self, node):
                if node.id in seen or node.id not in meanings.of:
                    return node
                return meanings._replaced(meanings.of[node.id], seen | {node.id})

        return Replace().visit(copy.deepcopy(expression))


def _arguments(function):
    return {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}


def _own_nodes(body):
    """The nodes of a body, those of functions and classes inside it left out."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
