"""What people get wrong: the near misses of a topic's contracts with their values, and the mistakes that its tests plant."""

import ast
from collections import defaultdict
from pathlib import Path

import numpy as np
from markupsafe import Markup

from book.text import code, raw, table
from shared_specs.checking.check import spec_of
from shared_specs.rows import Anchor, Law

ROOT = Path(__file__).resolve().parent.parent
MOST = 6  # entries of an array that are shown whole


def section(topic):
    """The Markdown of a topic's section."""
    rows = spec_of(topic)
    parts = [
        "## What people get wrong here",
        "Each line is an answer that a typical mistake gives. The contracts know the right value, and refuse the wrong one:",
        table(("function", "case", "the mistake", "right", "wrong"), _near_misses(rows), "near-misses"),
    ]
    if others := planted(topic):
        listed = Markup("").join(
            Markup("<dt>{}</dt><dd>{}</dd>\n").format(code(function), "; ".join(names)) for function, names in others.items()
        )
        parts += [
            _folded(
                f"{sum(map(len, others.values()))} planted implementations that the contracts must refuse",
                Markup('<dl class="planted">\n{}</dl>').format(listed),
            )
        ]
    if laws := [row.case for row in rows if isinstance(row, Law)]:
        listed = Markup("").join(Markup("<li>{}</li>\n").format(law) for law in laws)
        parts += [_folded(f"{len(laws)} laws that hold for every input", Markup("<ul>\n{}</ul>").format(listed))]
    return "\n\n".join(parts)


def _folded(summary, content):
    return raw(Markup('<details class="fold"><summary>{}</summary>\n{}\n</details>').format(summary, content))


def planted(topic):
    """The mistakes of tests/<family>/mistakes_<topic>.py: function -> a description of each wrong implementation."""
    family, name = topic.split("/")
    tree = ast.parse((ROOT / "tests" / family / f"mistakes_{name}.py").read_text(encoding="utf-8"))
    mistakes = defaultdict(list)
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "MISTAKES":
            for call in ast.walk(statement.value):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "Mistake":
                    texts = [argument.value for argument in call.args[:2] if isinstance(argument, ast.Constant)]
                    if len(texts) == 2:
                        mistakes[texts[0]].append(texts[1])
    return mistakes


# ---------------------------------------------------------------------------------------------------- near misses


def misconceptions(topic):
    """{function: the place in this section, on the same page, where its mistakes begin}."""
    rows = spec_of(topic)
    return {row.function: f"#{_place(row.function)}" for row in rows if isinstance(row, Anchor) and row.near_misses}


def _place(function):
    return f"wrong-{function}"


def _near_misses(rows):
    """A function and a case are named in their first line only; the first line of a function is a place to link to."""
    before, placed = None, set()
    for row in rows:
        for mistake, wrong in row.near_misses.items() if isinstance(row, Anchor) else ():
            name = code(row.function)
            if row.function not in placed:
                placed.add(row.function)
                name = Markup('<span id="{}">{}</span>').format(_place(row.function), name)
            head = (name, row.case) if before is not row else ("", "")
            before = row
            yield (*head, mistake, *map(_number, shown(row.gives, wrong)))


def _number(text):
    return Markup('<span class="value">{}</span>').format(text)


def shown(right, wrong):
    """Both answers as short texts that differ: of long arrays the entry that differs most, with its place."""
    if isinstance(right, tuple):
        pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(right, wrong, strict=True)]
        number, pair = next((n, pair) for n, pair in enumerate(pairs, start=1) if not np.array_equal(*pair, equal_nan=True))
        return tuple(f"result {number}: {text}" for text in shown(*pair))
    right, wrong = np.asarray(right), np.asarray(wrong)
    if right.shape != wrong.shape:
        return f"shape {list(right.shape)}", f"shape {list(wrong.shape)}"
    place = ""
    if right.size > MOST:
        with np.errstate(invalid="ignore"):
            apart = np.abs(right.astype(float) - wrong.astype(float))
        apart[(right != wrong) & ~np.isfinite(apart)] = np.inf
        at = np.unravel_index(np.nanargmax(apart), apart.shape)
        place = f"at {[int(i) for i in at]}: "
        right, wrong = right[at], wrong[at]
    for digits in (4, 6, 9, 17):
        texts = tuple(_text(value.tolist(), digits) for value in (right, wrong))
        if texts[0] != texts[1]:
            break
    return place + texts[0], place + texts[1]


def _text(value, digits):
    if isinstance(value, list):
        return f"[{', '.join(_text(part, digits) for part in value)}]"
    return f"{value:.{digits}g}".replace("-", "−") if isinstance(value, float) else str(value)
