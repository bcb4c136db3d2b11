"""Slides of a lecture: one HTML file that needs no other and no network, made from the parts and templates of its page.

A slide has one step: a part, the symbols that it introduces, or an exercise. What the page says around the mathematics are the
speaker's notes: the reason of each line, the conclusion, the near misses, an exercise's hint and answer.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from markupsafe import Markup

from theory_jax.pages.html import HERE, embedded_font, style, templates

MOST_LINES = 4  # of a chain on one slide; the next one begins with the last of them
MOST_SYMBOLS = 8
FEW_SYMBOLS = 2  # share the slide of the part that introduces them


@dataclass(frozen=True)
class Slide:
    """kind: a part's form, or what the template shows instead. listed: paragraphs or symbols. The rest are the notes."""

    kind: str
    title: str = ""
    item: object = None
    listed: tuple = ()
    told: tuple = ()
    reasons: tuple = ()
    mistakes: tuple = ()


def html_slides(page):
    """The slides of a page, as text."""
    template = templates().get_template("slides.html.jinja")
    css = style() + (HERE / "slides.css").read_text(encoding="utf-8")
    return template.render(page=page, slides=list(slides(page)), links={}, wrong={}, style=Markup(embedded_font() + css))


def slides(page):
    """The Slides of a page: title, figure, setting, a step each, result, limits, exercises, sources."""
    yield Slide("title")
    if page.opening:
        yield Slide("opening")
    if page.setting:
        yield Slide("setting", "Setting", listed=page.setting)
    yield from _symbols(page.introduced, "Symbols")
    said = ()
    for item in page.body:
        alone = len(item.introduces) > FEW_SYMBOLS or item.form == "say" or item is page.opening
        yield from _symbols(item.introduces if alone else (), f"Symbols: {item.title}" if item.title else "Symbols")
        if item.form == "say":
            said += (item.before,)
        elif item is not page.opening:
            first, *rest = _of_part(replace(item, introduces=() if alone else item.introduces))
            yield replace(first, told=said + first.told)
            yield from rest
            said = ()
    yield Slide("result", "The result", told=said)
    if page.limits:
        yield Slide("limits", "What this does not show", listed=page.limits)
    for number, item in enumerate(page.exercises, start=1):
        told = [f"{name}: {text}" for name, text in (("Hint", item.hint), ("Answer", item.after)) if text]
        yield Slide("exercise", f"Exercise {number}", item, told=tuple(told))
    if page.sources:
        yield Slide("sources", "Sources", listed=page.sources)


def _symbols(symbols, title):
    for first in range(0, len(symbols), MOST_SYMBOLS):
        yield Slide("symbols", title, listed=symbols[first : first + MOST_SYMBOLS])


def _of_part(item):
    """The slides of one part: several where a chain is long."""
    bare = replace(item, mistakes=(), rows=tuple(replace(row, mistakes=()) for row in item.rows))
    if item.passed:
        bare = replace(bare, words="", since="")
    if item.form != "chain":
        yield Slide(item.form, item=bare, told=tuple(filter(None, (item.words,))), mistakes=item.mistakes)
        return
    count = max(1, math.ceil((len(item.rows) - 1) / MOST_LINES))
    ends = [round((len(item.rows) - 1) * number / count) for number in range(count + 1)]
    for first, last in pairwise(ends):
        rows, new = bare.rows[first : last + 1], item.rows[first + 1 : last + 1]
        part = replace(bare, rows=rows, after="")
        if first:  # its number on the page and its premises are those of the first
            begun = replace(rows[0], because="", error="")
            again = {"number": None, "before": "", "rests_on": "", "role": "", "central": False, "introduces": ()}
            part = replace(part, rows=(begun, *rows[1:]), title=f"{item.title} (continued)", **again)
        at_end = last == ends[-1]
        yield Slide(
            "chain",
            item=part,
            told=tuple(filter(None, (item.after, item.words))) if at_end else (),
            reasons=tuple(row.because for row in new if row.because),
            mistakes=sum((row.mistakes for row in new), ()) + (item.mistakes if at_end else ()),
        )
