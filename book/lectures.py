"""The page of a topic: its lecture, executed, with what its contracts, its code and its experiment add."""

import re
from dataclasses import replace

from book import contracts, glossary, sources, training
from book.text import escaped, raw

BEFORE = ("sources", "builds-on", "next")  # sections of the lecture that stand behind what the book adds


class Failed(Exception):
    """A derivation that does not hold: the book is not built."""


def topic_page(topic, in_book):
    """The Markdown of a topic's page, and a one-line summary. in_book: the topics and lemmas that have pages.

    Runs in its own process, so that a page costs what its derivation costs.
    """
    page = _executed(topic)
    here = f"topics/{topic.path}"
    # the book lists functions and experiments of both wings itself
    wrong = contracts.misconceptions(topic.path)
    first, *sections = _of_lecture(replace(page, functions=(), used_by=()), here, in_book, wrong)
    last = next((number for number, (name, _, _) in enumerate(sections) if name in BEFORE), len(sections))
    parts = [
        f"# {_title(page)}",
        raw(first),
        *map(_section, sections[:last]),
        glossary.section(here, topic.path),
        contracts.section(topic.path),
        sources.functions_section(here, topic.path),
        training.section(here, topic.path),
        *map(_section, sections[last:]),
    ]
    return "\n\n".join(filter(None, parts)) + "\n", f"{topic.path}: {page.summary}"


def lemma_page(lemma, in_book):
    """The same of a lemma, which has no functions and no contracts."""
    page = _executed(lemma)
    first, *sections = _of_lecture(page, f"topics/{lemma.path}", in_book)
    return "\n\n".join([f"# {_title(page)}", raw(first), *map(_section, sections)]) + "\n", f"{lemma.path}: {page.summary}"


def _executed(topic):
    """The page of a derivation. Raises Failed if it does not hold."""
    from shared_specs.backends.jax_eager import by_numpy
    from shared_specs.syllabus import load
    from theory_jax.pages.page import lecture_page
    from theory_jax.pages.records import records_in_order

    pages = []

    def keep(topic, derivation, results):
        pages.append(lecture_page(derivation, results, topic=topic, course=load()))

    (record,) = records_in_order([topic], arithmetic=by_numpy, show=keep)
    if not record["passed"]:
        raise Failed(f"the derivation of {topic.path} fails: {record['summary']}; see python -m theory_jax run {topic.path}")
    return pages[0]


def _title(page):
    from theory_jax.pages.html import plain

    return escaped(plain(page.title))


def _of_lecture(page, here, in_book, wrong=()):
    """The pieces of the lecture's HTML, with links to the pages of other topics and lemmas, and to mistakes of functions."""
    from theory_jax.pages.html import lecture

    links = {path: sources.address(here, f"topics/{path}") for path in in_book if path != page.topic}
    return _sections(lecture(page, links, wrong))


def _sections(html):
    """The text before the first heading, without the title, and (name, heading, content) of every section."""
    html = re.sub(r"</?(?:header|main)>|<h1>.*?</h1>", "", html, flags=re.DOTALL)
    first, *rest = re.split(r'<h2 id="([\w-]+)">(.*?)</h2>', html)
    return [_inside(first), *((name, words, _inside(content)) for name, words, content in zip(*[iter(rest)] * 3, strict=True))]


def _inside(html):
    return f'<div class="lecture">\n{html.strip()}\n</div>'


def _section(section):
    _, heading, content = section
    return f"## {heading}\n\n{raw(content)}"
