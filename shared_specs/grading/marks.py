"""The output of `grade`: a line for each function, with its mark and the most informative failure.

Values (with gradients and laws) and checks of bad input are marked separately; values decide.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from shared_specs.checking.arguments import leaves
from shared_specs.checking.batch_sizes import Batch, batches_of
from shared_specs.checking.check import MISSING, Result, spec_of
from shared_specs.checking.comparing import DTYPE
from shared_specs.grading.lecture import where_it_goes_wrong
from shared_specs.rows import Agree, Anchor, Law
from shared_specs.terminal import print_table

TO_DO = "raised NotImplementedError"
SHOWN = 32  # numbers: an input of more is not printed
COLORS = {"holds": "green", "to do": "yellow", "fails": "red"}


@dataclass(frozen=True)
class Mark:
    """One function's comparisons that hold, and all of them, apart for values, for input checks and for rows at the edge.

    The laws have no name. lecture: where the lecture speaks of the fault, if it is a known mistake.
    """

    function: str
    values: tuple[int, int]
    checks: tuple[int, int]
    edges: tuple[int, int]
    mark: str
    fault: str
    hint: str
    lecture: str = ""


def marks_of(topic: str, functions: Sequence[str], results: Sequence[Result]) -> list[Mark]:
    """A Mark for each function that anything was compared of, the laws last."""
    spec = spec_of(topic)
    every = [each for row in spec for each in (row, *batches_of(row, spec))]
    rows = {(type(row).__name__, getattr(row, "function", ""), row.case): row for row in every}
    found = []
    for name in [*functions, ""]:
        mine = [r for r in results if r.function == name]
        values = [r for r in mine if r.word != "Rejects" and not r.edge]
        checks, edges = [r for r in mine if r.word == "Rejects"], [r for r in mine if r.edge]
        if not mine:
            continue
        wrong = next((wrong for part in (values, checks, edges) if (wrong := [r for r in part if not r.passed])), [])
        ordered = sorted(wrong, key=lambda r: _telling(topic, rows[r.word, r.function, r.case], r))
        unwritten = all(TO_DO in r.message or r.quantity == MISSING for r in wrong)
        mark = "holds" if all(r.passed for r in values) else "to do" if unwritten else "fails"
        fault = _fault(topic, rows, ordered[0]) if ordered and not unwritten else ""
        counts = ((sum(r.passed for r in part), len(part)) for part in (values, checks, edges))
        lecture = in_the_lecture(topic, rows[ordered[0].word, name, ordered[0].case], ordered[0]) if fault else ""
        found.append(Mark(name, *counts, mark, fault, _hint(rows.values(), name) if fault else "", lecture))
    return found


def in_the_lecture(topic: str, row: Any, result: Result) -> str:
    """Where the lecture speaks of what a result shows, if that is a known mistake of its row; empty otherwise."""
    mistake = _known(row, result)
    where = where_it_goes_wrong(topic, result.function, mistake) if mistake else ""
    return f"the lecture on it: {where}" if where else ""


def passes(results: Sequence[Result], strict: bool = False) -> bool:
    """Whether every value passes; strict: also edge cases of precision and the rejection of all bad input."""
    judged = [r for r in results if strict or r.word != "Rejects" and not r.edge]
    return bool(judged) and all(r.passed for r in judged)


def attempted(results: Sequence[Result], function: str) -> bool:
    """Whether any call of a function did something else than raise NotImplementedError."""
    mine = [r for r in results if r.function == function]
    return any(r.quantity != MISSING and TO_DO not in r.message for r in mine)


def print_marks(
    topic: str, functions: Sequence[str], results: Sequence[Result], strict: bool = False, hints: bool = False
) -> None:
    """The marks as a table, and the verdict."""
    marks = marks_of(topic, functions, results)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("function", "values", "input checks", "mark"):
        table.add_column(title, no_wrap=True)
    for m in marks:
        values, checks = (f"{held} of {count}" if count else "-" for held, count in (m.values, m.checks))
        table.add_row(m.function or "laws", values, checks, f"[{COLORS[m.mark]}]{m.mark}[/]")
    console = Console(highlight=False)
    print_table(table, console)
    for m in marks:
        if m.fault:  # a line each, which no width cuts
            console.print(f"{m.function or 'laws'}: {m.fault}", markup=False, soft_wrap=True)
        if m.lecture:
            console.print(f"    {m.lecture}", markup=False, soft_wrap=True)
    shown = [m for m in marks if m.hint]
    for m in shown if hints else ():
        console.print(f"{m.function or 'laws'}: {m.hint}", markup=False, soft_wrap=True)
    of_functions = [m for m in marks if m.function]
    held = sum(m.mark == "holds" and (not strict or _is_whole(m)) for m in of_functions)
    console.print(f"{topic}: {held} of {len(of_functions)} functions hold", markup=False, soft_wrap=True)
    begun = [m for m in marks if m.mark != "to do"]
    accepted, lost = (sum(count - held for held, count in part) for part in ([m.checks for m in begun], [m.edges for m in begun]))
    remarks = [f"{accepted} cases of bad input are not refused as asked"] if accepted else []
    remarks += [f"{lost} comparisons at the edge of a precision fail"] if lost else []
    if remarks and not strict:
        console.print(f"{'; '.join(remarks)}: not counted in the mark (--strict counts them)", soft_wrap=True)
    if shown and not hints:
        console.print("--hints lists frequent mistakes; --only FUNCTION marks one function", soft_wrap=True)


def as_data(topic: str, functions: Sequence[str], results: Sequence[Result], strict: bool = False) -> dict[str, Any]:
    """The marks and every comparison, for JSON."""
    return {
        "schema": 1,
        "topic": topic,
        "passed": passes(results, strict),
        "marks": [asdict(mark) for mark in marks_of(topic, functions, results)],
        "results": [result.as_dict() for result in results],
    }


def _is_whole(mark):
    return all(held == count for held, count in (mark.values, mark.checks, mark.edges))


def _telling(topic, row, result):
    """A known mistake first, then faults on small input: such a case can be followed by hand. A dtype comes last."""
    unwritten = TO_DO in result.message or result.quantity == MISSING
    return not _known(row, result), unwritten, result.quantity == DTYPE, _size(_drawn(topic, row)), result.precision != "float64"


def _known(row, result):
    """The known mistake that a result shows; empty if none."""
    mistakes = getattr(row, "near_misses", {})
    return next((mistake for mistake in mistakes if result.message.startswith(f"{mistake}: ")), "")


def _drawn(topic, row):
    row = row.of if isinstance(row, Batch) else row
    return row.given.draw(f"{topic}/{'law' if isinstance(row, Law) else row.function}/{row.case}")


def _size(arguments):
    return sum(leaf.size for _, leaf in leaves(arguments) if isinstance(leaf, np.ndarray))


def _fault(topic, rows, result):
    row = rows[result.word, result.function, result.case]
    arguments = _drawn(topic, row)
    message = _label(result) + (result.message or f"off by {result.ratio:.3g} tolerances")
    where = f"{result.case}, {result.quantity}" + (", float32" if result.precision == "float32" else "")
    if "TypeError" in message and not isinstance(row, Law):
        return f"{message} ({where}); the call is {result.function}({', '.join(f'{name}=...' for name in arguments)})"
    if isinstance(row, Law | Batch) or _size(arguments) > SHOWN or any(callable(leaf) for _, leaf in leaves(arguments)):
        return f"{message} ({where})"
    given = ", ".join(f"{name}={_plain(value)}" for name, value in arguments.items())
    return f"{message} ({where}: {result.function}({given}))"


def _label(result):
    """The category of a fault that does not count in the mark."""
    return "input check: " if result.word == "Rejects" else "at the edge of a precision: " if result.edge else ""


def _plain(value):
    """A value as Python writes it, floating-point numbers in six digits."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_plain(part)}' for key, part in value.items())}}}"
    if isinstance(value, list | tuple):
        parts = ", ".join(map(_plain, value))
        return f"[{parts}]" if isinstance(value, list) else f"({parts})"
    return repr(float(f"{value:.6g}")) if isinstance(value, float) else repr(value)


def _hint(rows, name):
    """The mistakes that the function's rows know, and where its anchors come from."""
    anchors = [row for row in rows if isinstance(row, Anchor) and row.function == name]
    mistakes = dict.fromkeys(mistake for row in anchors for mistake in row.near_misses)
    sources = dict.fromkeys(row.source for row in anchors)
    cases = dict.fromkeys(row.case for row in rows if isinstance(row, Agree) and row.function == name)
    parts = [("often goes wrong", mistakes), ("answers are from", sources), ("cases", cases)]
    return "; ".join(f"{title}: {', '.join(said)}" for title, said in parts if said)
