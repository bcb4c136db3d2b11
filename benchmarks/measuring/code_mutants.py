"""Mutants of Python source: one function changed at one place, as a slip would change it, in the function that is running.

An operator is exchanged, a factor or a constant changed, a sign, a term or a root left out, a mean turned into a sum, a sine
into a cosine, a comparison or an order of arguments turned over. What no number depends on stays as it is: messages, captions,
axis labels and colors, tolerances below 1e-4, and checks that only raise.
"""

import ast
import gc
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import NamedTuple

SLIP = 1.1
TINY = 1e-4  # constants below it keep a division from zero
# A function or method -> what a slip would call in its place.
INSTEAD = {
    "mean": "sum", "sum": "mean", "amax": "amin", "amin": "amax", "max": "min", "min": "max", "argmax": "argmin",
    "argmin": "argmax", "sin": "cos", "cos": "sin", "log": "log10", "log2": "log", "log10": "log2", "any": "all", "all": "any",
    "std": "var", "var": "std", "sigmoid": "tanh", "logsumexp": "sum", "cumsum": "cumprod", "ceil": "floor", "floor": "ceil",
    "softmax": "log_softmax", "log_softmax": "softmax", "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like",
    "ones_like": "zeros_like", "randn": "rand", "rand": "randn",
}  # fmt: skip
LEFT_OUT = {"sqrt", "square", "abs", "exp", "log1p", "expm1", "clamp", "flip", "cumsum", "T", "mT", "relu", "softplus"}
# Keywords of plots with values that only affect appearance.
LOOKS = {
    "alpha", "caption", "cmap", "color", "columns", "fontsize", "frameon", "label", "linewidth", "linewidths", "linestyle", "loc",
    "marker", "markersize", "ms", "lw", "s", "size", "suffix", "title", "xlabel", "ylabel", "xlim", "ylim", "zorder", "origin",
    "aspect", "interpolation", "ha", "va", "rasterized", "shading", "colors", "linscale", "linthresh",
}  # fmt: skip
MODULES = {"torch", "math", "np", "functional"}
# A swap of their arguments changes nothing, or is an error at once.
ORDERLESS = {
    "min", "max", "isinstance", "getattr", "hasattr", "view", "reshape", "expand", "repeat", "flatten", "unflatten", "permute",
    "transpose", "movedim", "gather", "squeeze",
}  # fmt: skip
CHECKS = ("__post_init__", "_require", "require_")


class Change(NamedTuple):
    """One change: the function (its qualified name and first line), the line, what was changed to what, whether it is in the
    dictionary of numbers to log, and the whole mutated source, compiled.
    """

    function: str
    first: int
    line: int
    words: str
    logged: bool
    mutated: ast.Module

    def code(self, path: str) -> CodeType:
        """The code of the mutated function."""
        whole = compile(ast.fix_missing_locations(self.mutated), path, "exec")
        return functions(whole)[self.function, self.first]


def functions(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """(qualified name, first line) -> code of the functions of a module and of its classes, without those inside functions."""
    found = {}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            is_class = not inner.co_flags & 0x2  # CO_NEWLOCALS, which class bodies lack
            found |= functions(inner) if is_class else {(inner.co_qualname, inner.co_firstlineno): inner}
    return found


def known(paths: set[str]) -> dict[tuple[str, str, int], list[FunctionType]]:
    """(path, qualified name, first line) -> the functions of these files, also those that a decorator wraps."""
    found = {}
    for function in gc.get_objects():
        if type(function) is FunctionType and function.__code__.co_filename in paths:
            code = function.__code__
            found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(function)
    return found


def changes(source: str) -> Iterator[Change]:
    """Every change of every function of a module and its classes."""
    tree = ast.parse(source)
    yield from _in_body(tree, tree, "")


def _in_body(tree, owner, prefix):
    for node in owner.body:
        if isinstance(node, ast.ClassDef):
            yield from _in_body(tree, node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith(CHECKS):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            logged = {id(part) for returned in _logs(node) for part in ast.walk(returned)}
            for statement in node.body:
                for part in _numbers(statement):
                    for words, new in changed(part):
                        described = f"{ast.unparse(part)}  ->  {words}"
                        mutated = _with(tree, part, new)
                        yield Change(f"{prefix}{node.name}", first, part.lineno, described, id(part) in logged, mutated)


def _logs(function):
    """The dictionaries that the function returns as the last of several results."""
    for node in ast.walk(function):
        match node:
            case ast.Return(value=ast.Tuple(elts=[*_, ast.Dict() as logs])):
                yield logs


def _numbers(node):
    """The nodes of a statement that numbers depend on."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom) or _only_raises(node):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
        return
    if isinstance(node, ast.expr | ast.AugAssign):
        yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "defaults", "kw_defaults"):
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.keyword) and part.arg in LOOKS:
                continue
            if isinstance(part, ast.AST):
                yield from _numbers(part)


def _only_raises(node):
    return isinstance(node, ast.If) and not node.orelse and all(isinstance(each, ast.Raise) for each in node.body)


def changed(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """(words, new node) of every slip at this node."""
    match node:
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow() | ast.FloorDiv()) if _of_text(node):
            return
        case ast.BinOp(op=ast.Add()):
            yield "-", ast.BinOp(node.left, ast.Sub(), node.right)
            yield "first term alone", node.left
        case ast.BinOp(op=ast.Sub()):
            yield "+", ast.BinOp(node.left, ast.Add(), node.right)
            yield "first term alone", node.left
        case ast.BinOp(op=ast.Mult()):
            yield "first factor alone", node.left
            yield "second factor alone", node.right
            yield "/", ast.BinOp(node.left, ast.Div(), node.right)
        case ast.BinOp(op=ast.Div()):
            yield "*", ast.BinOp(node.left, ast.Mult(), node.right)
            yield "not divided", node.left
        case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=int() as power)):
            yield f"power {power + 1}", ast.BinOp(node.left, ast.Pow(), ast.Constant(power + 1))
        case ast.UnaryOp(op=ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
            yield "without its sign", operand
        case ast.AugAssign(op=ast.Add()):
            yield "-=", ast.AugAssign(node.target, ast.Sub(), node.value)
        case ast.AugAssign(op=ast.Sub()):
            yield "+=", ast.AugAssign(node.target, ast.Add(), node.value)
        case ast.AugAssign(op=ast.Mult()):
            yield "/=", ast.AugAssign(node.target, ast.Div(), node.value)
        case ast.Compare(ops=[op], comparators=[right]) if type(op) in TURNED:
            yield "turned over", ast.Compare(node.left, [TURNED[type(op)]()], [right])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "without not", operand
        case ast.Constant(value=float() as number) if abs(number) > TINY:
            yield f"{number * SLIP:g}", ast.Constant(number * SLIP)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield "the other branch", ast.IfExp(test, orelse, body)
        case ast.Call():
            yield from _changed_call(node)


TURNED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}


def _changed_call(node):
    method = node.func.attr if isinstance(node.func, ast.Attribute) else None
    of_module = method and isinstance(node.func.value, ast.Name) and node.func.value.id in MODULES
    if method in INSTEAD:
        other = ast.Attribute(node.func.value, INSTEAD[method], node.func.ctx)
        yield INSTEAD[method], ast.Call(other, node.args, node.keywords)
    if method in LEFT_OUT:
        inner = node.args[0] if of_module and node.args else node.func.value
        yield f"without {method}", inner
    builtin = node.func.id if isinstance(node.func, ast.Name) else None
    if builtin in ("min", "max"):
        yield "the other extreme", ast.Call(ast.Name(INSTEAD[builtin], ast.Load()), node.args, node.keywords)
    if len(node.args) >= 2 and not of_module and not {builtin, method} & ORDERLESS:
        first, second, *rest = node.args
        kinds = {type(first), type(second)}
        if not kinds & {ast.Constant, ast.JoinedStr, ast.Lambda, ast.Starred} and ast.dump(first) != ast.dump(second):
            yield "arguments swapped", ast.Call(node.func, [second, first, *rest], node.keywords)


def _of_text(node):
    return any(
        isinstance(part, ast.JoinedStr) or isinstance(part, ast.Constant) and isinstance(part.value, str)
        for part in (node.left, node.right)
    )


def _with(tree, node, new):
    """A copy of the tree with one node replaced; nodes that are not its ancestors are shared."""

    def copied(part):
        if part is node:
            return ast.copy_location(new, node) if new is not node else new
        if isinstance(part, list):
            parts = [copied(item) for item in part]
            return part if all(a is b for a, b in zip(parts, part, strict=True)) else parts
        if not isinstance(part, ast.AST):
            return part
        fields = {name: copied(value) for name, value in ast.iter_fields(part)}
        if all(value is getattr(part, name) for name, value in fields.items()):
            return part
        return ast.copy_location(type(part)(**fields), part)

    return copied(tree)
