"""Pieces of the book's pages: MyST Markdown, with raw HTML where Markdown has no form for it."""

import re

from markupsafe import Markup, escape

FENCE = "~" * 10  # longer than any fence in the enclosed text


def escaped(words):
    """Words in which Markdown finds nothing to mark up."""
    return re.sub(r"([\\`*_{}\[\]<>$#|~])", r"\\\1", words)


def raw(html):
    """HTML that is put into the page unchanged."""
    return f"{FENCE}{{raw}} html\n{html}\n{FENCE}\n"


def verbatim(text, language="text"):
    """Text as it is, in the font of code."""
    return f"{FENCE}{language}\n{text}\n{FENCE}\n"


def table(head, rows, name=""):
    """A table as raw HTML; cells that are no Markup are escaped."""
    heading = Markup("").join(Markup("<th>{}</th>").format(cell) for cell in head)
    lines = [Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row)) for row in rows]
    body = Markup("\n").join(lines)
    return raw(
        f'<div class="wide"><table class="book {name}"><thead><tr>{heading}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
    )


def code(words):
    """An identifier, which may break behind an underscore."""
    return Markup("<code>{}</code>").format(Markup(str(escape(words)).replace("_", "_<wbr>")))


def link(address, words):
    return Markup('<a href="{}">{}</a>').format(address, words)
