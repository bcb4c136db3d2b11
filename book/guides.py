"""The home page with the course map, and the guides: the sections of the README and the pages of docs/."""

import posixpath
import re
from pathlib import Path

from markupsafe import Markup

from book import sources
from book.text import escaped, link, table
from shared_specs.commands.syllabus_page import PAGE, anchor, modules

ROOT = Path(__file__).resolve().parent.parent
MAP = "The syllabus"  # the README's section that the course map takes the place of


def guides(in_book):
    """place -> Markdown of every guide, from the README's sections, the pages of docs/ and CONTRIBUTING.md.

    in_book: the topics that have pages; a link to the lecture of one leads to its page.
    """
    sections = {title: text for title, text in readme_sections().items() if title != MAP}
    texts = {f"guides/{anchor(title)}": ("README.md", f"# {title}\n{text}") for title, text in sections.items()}
    for path in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]:
        name = path.relative_to(ROOT).as_posix()
        if name != PAGE:
            texts[f"guides/{path.stem.lower()}"] = (name, path.read_text(encoding="utf-8"))
    places = {file: place for place, (file, _) in texts.items() if file != "README.md"} | {PAGE: "index", "README.md": "index"}
    places |= {f"theory_jax/lectures/{topic}.py": f"topics/{topic}" for topic in in_book}
    return {place: localized(text, file, place, places) for place, (file, text) in texts.items()}


def readme_sections():
    """title -> text of the README's sections; a line in a fence is no heading."""
    _, *parts = re.split(r"(?m)^## (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"))
    return {title: _without_comments(text) for title, text in zip(*[iter(parts)] * 2, strict=True)}


def localized(text, file, here, places):
    """The text of a file with its links to the repository's files leading to pages of the book, or dissolved where none is.

    Pictures are left out: they show pages that the book has, or that a command writes.
    """

    def led(found):
        words, target, section = found.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
        if path in places:
            section = "" if places[path] == "index" else section or ""
            words = "" if words == target else words  # Sphinx then writes the page's title
            return f"[{words}]({posixpath.relpath(places[path], posixpath.dirname(here) or '.')}.md{section})"
        return words

    pieces = re.split(r"(?ms)(^```.*?^```$)", re.sub(r"!\[[^\]]*\]\([^)]*\)\n?", "", _without_comments(text)))
    to_a_file = r"\[([^\]]+)\]\((?!https?:)([^)#]+)(#[^)]*)?\)"
    return "".join(piece if piece.startswith("```") else re.sub(to_a_file, led, piece) for piece in pieces)


def _without_comments(text):
    return re.sub(r"(?s)<!--.*?-->\n?", "", text)


# ---------------------------------------------------------------------------------------------------- the home page


def home(syllabus, in_book, places):
    """The Markdown of the home page: the beginning of the README, the course map, and the table of contents."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = re.search(r"(?s)^# .*?\n\n(.*?)(?=\n!\[|\n## )", readme)[1]
    parts = ["# Diptych", localized(first, "README.md", "index", {PAGE: "index"}), "## The course"]
    for title, lectures, topics in modules(syllabus):
        rows = [row for lecture in lectures for row in _lecture_rows(lecture, syllabus, in_book)]
        rows += [] if lectures else [("", _topic(topic, in_book)) for topic in topics]
        parts += [f"### {escaped(title)}", table(("lecture", "topics"), rows, "map")]
    return "\n\n".join([*parts, *_contents(syllabus, in_book, places)]) + "\n"


def _lecture_rows(lecture, syllabus, in_book):
    cells = Markup("").join(Markup("<div>{}</div>").format(_topic(syllabus.topics[path], in_book)) for path in lecture.topics)
    yield Markup('<span class="lecture-number">{}</span> {}').format(lecture.number, lecture.title), cells


def _topic(topic, in_book):
    if topic.path in in_book:
        return link(sources.address("index", f"topics/{topic.path}"), topic.title)
    return Markup('<span class="planned">{}</span>').format(topic.title)


def _contents(syllabus, in_book, places):
    """The tables of contents: the topics by module, each once, the lemmas, the guides, the reference."""
    left = set(in_book)
    for title, _, topics in modules(syllabus):
        entries = [f"{topic.title} <topics/{topic.path}>" for topic in topics if topic.path in left]
        left -= {topic.path for topic in topics}
        if entries:
            yield toctree(title, entries)
    yield toctree("Lemmas", [place for place in places if place.startswith("topics/lemmas/")])
    yield toctree("Guides", [place for place in places if place.startswith("guides/")])
    yield toctree("Reference", [place for place in places if place.startswith("reference/")])


def toctree(caption, entries):
    listed = "\n".join(entries)
    return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```"
