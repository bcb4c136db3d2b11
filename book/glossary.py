"""The terms that a topic introduces, from docs/glossary.md."""

import posixpath
import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parent.parent / "docs" / "glossary.md"
ENTRY = re.compile(r"(?m)^- \*\*(.+?)\*\*(?:, (\$.+?\$))?: (.+) \(\[`(\w+)`\]\(\S+\), \[(\w+/\w+)\]\(\S+\)\)$")


class Term(NamedTuple):
    """An entry of the glossary. function: of the topic that introduces the term."""

    name: str
    symbol: str
    meaning: str
    function: str
    topic: str


def terms():
    """The entries, in their order."""
    return [Term(*found) for found in ENTRY.findall(PAGE.read_text(encoding="utf-8"))]


def section(here, topic):
    """The Markdown that names a topic's terms, with a link to their meanings; "" if it introduces none."""
    names = [term.name for term in terms() if term.topic == topic]
    if not names:
        return ""
    page = posixpath.relpath("guides/glossary.md", posixpath.dirname(here))  # Sphinx leads it to the page
    return f"## Terms\n\nIntroduced here: {', '.join(names)}. The [glossary]({page}) says what they mean."
