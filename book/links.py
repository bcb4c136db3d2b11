"""Links of a built book: every local address leads to a file, and every section of it is there."""

import re
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit


def broken(folder):
    """A line for every local link that leads nowhere, and for everything that a reader's browser would load from elsewhere."""
    for page in sorted(Path(folder).rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        here = page.relative_to(folder)
        for name, address in re.findall(r'<(?:a|link|script|img|iframe)\b[^>]*?\b(href|src)="([^"]*)"', text):
            parts = urlsplit(unescape(address))
            if parts.scheme or parts.netloc:
                if name == "src" or re.search(rf'<link [^>]*href="{re.escape(address)}"', text) and parts.scheme != "data":
                    yield f"{here} loads {address}"
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.is_file():
                yield f"{here} links to {address}, which is not there"
            elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in _sections(target):
                yield f"{here} links to {address}, a section that is not there"


@cache
def _sections(page):
    return set(re.findall(r'\b(?:id|name)="([^"]+)"', page.read_text(encoding="utf-8")))
