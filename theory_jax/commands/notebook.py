"""Lectures in a notebook: a derivation as its page, a part of it as what the page shows of that part, executed first.

A notebook of `make notebooks` writes a lecture cell by cell, and ends each cell with `show(derivation)`.
"""

import re
from dataclasses import replace
from weakref import WeakSet

from markupsafe import Markup

from theory_jax.derivation.loading import derivation_of
from theory_jax.pages.html import lecture, one_part, style
from theory_jax.pages.page import lecture_page

LECTURES = "theory_jax.lectures."
SEEN = WeakSet()  # the parts that were shown: those of a cell are new


class Shown:
    """Parts of a lecture that were executed: HTML in a notebook, and a line of text elsewhere."""

    def __init__(self, passed, text, html):
        self.passed = passed
        self.text = text
        self.html = html

    def __repr__(self):
        return f"{'✓' if self.passed else '✗'} {self.text}"

    def _repr_html_(self):
        return framed(self.html)


def show(derivation, *parts):
    """Execute parts, those that are new if none is named, and show their lines with their verdicts.

    A cell that is executed again has written its parts again: the earlier ones, of the same names, are taken out.
    """
    if not parts:
        parts = [part for part in derivation.parts if part not in SEEN] or derivation.parts[-1:]
        names = set(map(_name, parts))
        derivation.parts[:] = [part for part in derivation.parts if part in parts or _name(part) not in names]
        SEEN.update(parts)
    with _quick():
        page = lecture_page(derivation, [result for part in parts for result in derivation.results_of(part)])
    page = replace(page, opening=None)  # which its place on the page would leave out
    items = [item for item in page.items if item.part in parts]
    html = "".join(one_part(page, item) for item in items)
    return Shown(all(item.passed for item in items), "; ".join(map(_told, items)), html)


def _told(item):
    """A part and its verdict in words."""
    faults = item.errors or [row.error for row in item.rows if row.error]
    return f"{item.title or item.form}: {'; '.join(faults) or item.words or 'shown'}"


def whole(derivation):
    """The page of a derivation, executed."""
    with _quick():
        page = lecture_page(derivation, derivation.run())
    return Shown(page.passed, page.summary, lecture(page))


def framed(html):
    """HTML in a frame of its own style, which leaves the notebook's as it is."""
    return Markup('<div class="diptych"><style>{}</style>{}</div>').format(Markup(scoped(style())), Markup(html))


def scoped(css):
    """A page's style for what is inside of .diptych only."""
    inside = re.sub(r"(?m)^html \{[^}]*\}\n", "", css.replace(":root", ":scope"))
    of_the_frame = re.sub(r"(?m)^( *)body ", r"\1:scope ", inside)
    return f"@scope (.diptych) {{ {of_the_frame} }}"


def shown(thing):
    """A derivation whole; a chain by the setting of the lecture that it is from."""
    if hasattr(thing, "parts"):
        return whole(thing)
    return show(derivation_of(thing.module.removeprefix(LECTURES).replace(".", "/")), thing)


def _quick():
    """JAX's operations by NumPy: a lecture calls each for a few numbers, and compiling takes longer than they do."""
    from shared_specs.backends.jax_eager import by_numpy

    return by_numpy()


def _name(part):
    """What a reader knows a part by."""
    return type(part), next(words for field in ("name", "title", "caption", "text") if (words := str(getattr(part, field, ""))))
