"""Judging in a notebook: the contracts against the functions of its cells."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from shared_specs.commands.errors import UsageError, nearest
from shared_specs.commands.topics import only_built, topics_named
from shared_specs.grading.against import check_module, functions_of
from shared_specs.grading.marks import Mark, marks_of
from shared_specs.palette import LIGHT

HERE = "this notebook"
SIGNS = {"holds": "✓", "fails": "✗", "to do": "○"}
COLORS = {"holds": LIGHT["good"], "fails": LIGHT["bad"], "to do": LIGHT["hinge"]}


@dataclass(frozen=True)
class Verdicts:
    """What the contracts say of functions: a table in a notebook, lines of text elsewhere."""

    topic: str
    marks: tuple[Mark, ...]
    not_judged: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every function holds."""
        return all(mark.mark == "holds" for mark in self.marks)

    def __repr__(self) -> str:
        lines = [f"{SIGNS[mark.mark]} {_name(mark)}: {_words(mark)}" for mark in self.marks]
        return "\n".join(lines + [f"not judged: {words}" for words in self.not_judged])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="color: {COLORS[mark.mark]}">{SIGNS[mark.mark]}</td><td style="text-align: left"><code>'
            f'{escape(_name(mark))}</code></td><td style="text-align: left">{escape(_words(mark))}</td></tr>'
            for mark in self.marks
        )
        rest = f"<p><small>not judged: {escape('; '.join(self.not_judged))}</small></p>" if self.not_judged else ""
        return f"<table>{rows}</table>{rest}"


def judge(topic: str, *functions: Callable | Mapping[str, Any], strict: bool = False) -> Verdicts:
    """Judge functions by the contracts of a topic, as `check --against` judges those of a file.

    functions: the functions, or globals() for all that the notebook defines. strict: also whether bad input is refused.

    Raises UsageError if the topic is unknown, or if none of them is one of its functions.
    """
    (path,) = [found.path for found in only_built(topics_named((topic,)))]
    module = ModuleType(HERE)
    for given in functions:
        vars(module).update(given if isinstance(given, Mapping) else {given.__name__: given})
    asked = [name for name in functions_of(path) if callable(getattr(module, name, None))]
    if not asked:
        given = ", ".join(name for name in vars(module) if not name.startswith("_"))
        first = next((name for name in vars(module) if not name.startswith("_")), "")
        raise UsageError(f"{given or 'nothing'}: no function of {path}; {nearest(first, list(functions_of(path)))}")
    with _quick():
        judged = check_module(module, HERE, [path], strict=strict)
    marks = marks_of(path, asked, judged.results)
    compared = {mark.function for mark in marks}
    marks += [Mark(name, *[(0, 0)] * 3, "to do", "", "") for name in asked if name not in compared]
    kept = [words for words in judged.not_judged if not words.startswith(("functions not in", "methods not in"))]
    return Verdicts(path, tuple(marks), tuple(kept if compared else ()))


def _quick() -> contextlib.AbstractContextManager:
    """JAX's operations by NumPy, where JAX is installed: for every row it would compile a program, which takes a minute."""
    if find_spec("jax") is None:
        return contextlib.nullcontext()
    from shared_specs.backends.jax_eager import by_numpy

    return by_numpy()


def _name(mark: Mark) -> str:
    return mark.function or "laws"


def _words(mark: Mark) -> str:
    held, count = mark.values
    if mark.mark == "holds":
        return f"holds: {held} of {count} comparisons of values, gradients and precision"
    return mark.fault or "not written yet"
