"""The cells of a lecture: its own source, a part of the derivation in each cell, with what the part needs before it.

A lecture's file may name in a part what stands below it, since nothing is executed before the whole file is read: a function, a
number, a symbol of a claim. A notebook is executed from the top, so that such a part comes after what it needs.
"""

import ast
import builtins
import symtable
from dataclasses import dataclass, field

from theory_jax.derivation.setting import letters

STEPS = {"symbolic", "numeric", "exact", "autodiff", "bound", "monte_carlo"}  # words with a claim in LaTeX
PARTS = {"chain", "valley", "assume", "bridge", "example", "algorithm", "figure"} | STEPS  # words that add a part
SETTING = {"index", "count", "number", "law", "numbers", "function", "define", "symbol"}  # words that introduce a symbol
SAID_ELSEWHERE = {"question", "setting", "answer", "limits", "sources", "trained", "lectures"}  # in cells of text


@dataclass
class Cell:
    """A cell: code, or text."""

    source: str
    code: bool = True


@dataclass
class Piece:
    """One statement of the lecture's file. defines: the names it binds; needs: those it reads; calls: those that it
    reads when it is called."""

    source: str
    kind: str  # "import", "part", "said" or "other"
    defines: frozenset = frozenset()
    needs: frozenset = frozenset()
    calls: frozenset = field(default_factory=frozenset)


def cells_of(source, module):
    """The cells of a lecture from the text of its file. module: its name, by which other lectures know its lemmas."""
    pieces = list(_pieces(source, module))
    own = {name for piece in pieces for name in piece.defines}
    imports = [piece.source for piece in pieces if piece.kind == "import"]
    yield Cell("\n".join([*imports, "from theory_jax.commands.notebook import show"]))
    known, found, waiting = set(), [], []
    for piece in pieces:
        if piece.kind == "import":
            continue
        waiting.append(piece)
        while ready := next((one for one in waiting if _needed(one, pieces) & own <= known | one.defines), None):
            waiting.remove(ready)
            known |= ready.defines
            found.append(ready)
    if waiting:
        raise ValueError(f"{module}: {waiting[0].source.splitlines()[0]!r} needs a name that nothing defines before it")
    yield from _cells(found)


def _cells(pieces):
    """Parts and words in cells of their own; what is between them together in one."""
    between = []
    for piece in pieces:
        if piece.kind == "other":
            between.append(piece.source)
            continue
        if between:
            yield Cell("\n\n".join(between) if any("\n" in text for text in between) else "\n".join(between))
            between = []
        yield Cell(piece.source, code=False) if piece.kind == "said" else Cell(f"{piece.source}\n\nshow(derivation)")
    if between:
        yield Cell("\n".join(between))


def _needed(piece, pieces):
    """The names that a statement needs, with those that the functions it may call need."""
    by_name = {name: other for other in pieces for name in other.defines}
    needed, open_names = set(), list(piece.needs)
    while open_names:
        name = open_names.pop()
        if name not in needed:
            needed.add(name)
            open_names += by_name[name].calls if name in by_name else ()
    return needed


def _pieces(source, module):
    tree, lines = ast.parse(source), source.splitlines()
    end, introduced = tree.body[0].end_lineno, frozenset()
    for node in tree.body[1:]:  # after the docstring
        text = "\n".join(lines[end : node.end_lineno]).strip("\n")
        end = node.end_lineno
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield Piece(text.strip(), "import")
        elif _is_named(node, "derivation"):
            short = f"derivation = {ast.unparse(_short(node.value, module))}"
            yield Piece(short, "other", frozenset({"derivation"}), _read(short))
        elif _sets_the_answer(node):
            continue
        elif (word := _word(node)) == "say" and isinstance(node.value.args[0], ast.Constant):
            yield Piece(node.value.args[0].value, "said")
        else:
            function = isinstance(node, ast.FunctionDef) and word is None
            read = _read(text) | _spelled(node, STEPS)
            new = _spelled(node, SETTING) - introduced
            introduced |= new
            now, later = (frozenset(), read) if function else (read, frozenset())
            yield Piece(text, "part" if word in {*PARTS, "say"} else "other", _bound(node) | new, now, later)


def _is_named(node, name):
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name


def _sets_the_answer(node):
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "derivation.answer"


def _short(call, module):
    """The derivation with its title alone: the rest of its front matter is text in a notebook."""
    kept = [word for word in call.keywords if word.arg not in SAID_ELSEWHERE]
    for word in kept:
        if word.arg == "module":
            word.value = ast.Constant(module)
    return ast.Call(call.func, call.args, kept)


def _spelled(node, words):
    """The letters of what a word of the derivation is said of: of a claim, or of a symbol, also in a loop over symbols."""
    calls = (call for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute))
    of_words = [call for call in calls if call.func.attr in words and ast.unparse(call.func.value) == "derivation"]
    said = [call.args[0].value for call in of_words if call.args and isinstance(call.args[0], ast.Constant)]
    if len(said) < len(of_words) and isinstance(node, ast.For):
        said += [part.value for part in ast.walk(node.iter) if isinstance(part, ast.Constant) and " " not in str(part.value)]
    return frozenset(f"the letter {letter}" for text in map(str, said) for letter in letters(text))


def _word(node):
    """The word of the derivation that a statement says: chain, figure, ...; None if it says none that adds a part."""
    words = (part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute) and ast.unparse(part.value) == "derivation")
    return next((word for word in words if word in {*PARTS, "say"}), None)


def _bound(node):
    """The names that a statement defines at the top of the file."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return frozenset({node.name})
    return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))


def _read(text):
    """The names of the file that a statement reads, also those that its functions read when they are called."""
    top = symtable.symtable(text, "a lecture", "exec")
    names = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    return frozenset(names.union(*map(_globals, top.get_children())) - set(dir(builtins)))


def _globals(table):
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return names.union(*map(_globals, table.get_children()))
