"""Where a topic's lecture speaks of a mistake, found in its source: a wrong form that it refutes, or the function's bridge."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from shared_specs.grading.declared import ROOT
from shared_specs.syllabus import BOOK

# what a part of a lecture is made with; its first argument is its title
PARTS = ("chain", "bridge", "exact", "numeric", "autodiff", "symbolic", "bound", "monte_carlo", "algorithm")
EMPTY_WORDS = {"a", "an", "the", "of", "in", "on", "to", "by", "for", "with", "its", "it", "is", "not", "no", "and", "or", "as"}


@dataclass(frozen=True)
class Part:
    """A part of a lecture: its title, its line, the names that it uses, and the lines of its wrong forms and of their names."""

    title: str
    line: int
    names: frozenset[str]
    wrong: tuple[tuple[str, int], ...]
    is_bridge: bool

    @property
    def named(self) -> str:
        """The title as the end of a phrase, if it is no formula."""
        return "" if "\\" in self.title else f", “{self.title}”"


def where_it_goes_wrong(topic: str, function: str, mistake: str) -> str:
    """File, line and title of the lecture's part about a mistake in a function; empty where the lecture does not name it.

    First a wrong form in nearly the mistake's own words, in a part that uses the function if there is one; else the part that
    compares the function with what was derived.
    """
    parts = parts_of(topic)
    about = [part for part in parts if function in part.names]
    forms = [(_likeness(mistake, form), part in about, -line, part, form) for part in parts for form, line in part.wrong]
    likely = [found for found in forms if found[0] >= 0.5 and (found[1] or found[0] >= 0.75 and len(_words(mistake)) > 1)]
    if likely:
        _, _, line, part, form = max(likely, key=lambda found: found[:3])
        return f"{_place(topic, -line)}{part.named}, which refutes “{form}”"
    bridges = [part for part in about if part.is_bridge]
    if about:
        part = (bridges or about)[0]
        return f"{_place(topic, part.line)}{part.named}"
    return ""


def _place(topic, line):
    page = BOOK.parent / "topics" / f"{topic}.html"
    link = f" (page {page})" if page.is_file() else ""
    return f"theory_jax/lectures/{topic}.py, line {line}{link}"


@cache
def parts_of(topic: str) -> tuple[Part, ...]:
    """The parts of a topic's lecture, in the order of its source."""
    path = ROOT / "theory_jax" / "lectures" / f"{topic}.py"
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    return tuple(sorted(_parts(tree), key=lambda part: part.line))


def _parts(tree) -> Iterator[Part]:
    for node in ast.walk(tree):
        decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
        calls = [node] if isinstance(node, ast.Call) else decorators
        for call in calls:
            made = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
            if made in PARTS and call.args and (title := _text(call.args[0])):
                names = frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
                yield Part(title, call.lineno, names, tuple(_wrong(node)), made == "bridge")


def _text(node):
    """A literal text; of an f-string its literal parts."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _wrong(node):
    for keyword in (part for part in ast.walk(node) if isinstance(part, ast.keyword) and part.arg == "wrong"):
        if isinstance(keyword.value, ast.Dict):
            for key in keyword.value.keys:
                if text := _text(key):
                    yield text, key.lineno


def _likeness(one, other):
    """The share of words that two texts have in common, of the words of both."""
    these, those = _words(one), _words(other)
    return len(these & those) / len(these | those) if these and those else float(one == other)


def _words(text):
    return {word for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in EMPTY_WORDS}
