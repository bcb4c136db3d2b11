"""python -m shared_specs.commands.syllabus_page: write docs/syllabus.md and its summary in README.md from the syllabus.

Imports no backend.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from shared_specs.syllabus import Lecture, Syllabus, Topic, load

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/syllabus.md"
BEGIN, END = "<!-- syllabus: written by `make syllabus` -->", "<!-- end of the syllabus -->"
COUNT_BEGIN, COUNT_END = "<!-- built -->", "<!-- end of built -->"
FILES = (
    ("lecture", "theory_jax/lectures"),
    ("JAX", "theory_jax"),
    ("contracts", "shared_specs"),
    ("PyTorch", "practice_torch"),
    ("experiment", "practice_torch/experiments"),
)


def renewed(text: str, root: Path = ROOT, syllabus: Syllabus | None = None) -> str:
    """The README's text with the summary between the markers written anew. ValueError if a marker is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md must contain the lines {BEGIN} and {END}")
    syllabus = syllabus or load()
    count = f"{COUNT_BEGIN}{len(syllabus.built)}{COUNT_END}"
    before, found = re.subn(f"{COUNT_BEGIN}[^<]*{COUNT_END}", count, before)
    if found != 1:
        raise ValueError(f"README.md must say once how many topics are built, between {COUNT_BEGIN} and {COUNT_END}")
    return f"{before}{begin}\n\n{summary(root, syllabus)}\n\n{end}{after}"


def summary(root: Path, syllabus: Syllabus) -> str:
    """Markdown: how much is built, and a row for each module, linked to its table on the page."""
    rows = ["| module | lectures | topics built |", "|---|---|---|"]
    for title, lectures, topics in modules(syllabus):
        link = f"[{title}]({PAGE}#{anchor(title)})"
        extent = f"{lectures[0].number} to {lectures[-1].number}" if lectures else ""
        rows.append(f"| {link} | {extent} | {sum(topic.built for topic in topics)} of {len(topics)} |")
    return f"{_count(syllabus)}\n\n" + "\n".join(rows)


def page(root: Path = ROOT, syllabus: Syllabus | None = None) -> str:
    """The text of docs/syllabus.md: a table for each module, and one of the topics beyond the lectures."""
    syllabus = syllabus or load()
    parts = [
        "# The syllabus",
        "<!-- written by `make syllabus` from shared_specs/syllabus.toml and the lectures; edits are lost -->",
        f"{_count(syllabus)} [shared_specs/syllabus.toml](../shared_specs/syllabus.toml) lists the prerequisites of every "
        "topic, and where the topics beyond the lectures come from.",
    ]
    for title, lectures, topics in modules(syllabus):
        parts.append(f"## {title}")
        rows = ["| lecture | topic | title |", "|---|---|---|"] if lectures else ["| topic | title |", "|---|---|"]
        rows += [row for lecture in lectures for row in _lecture_rows(root, lecture, syllabus)]
        rows += [] if lectures else [f"| {_entry(root, topic)} |" for topic in topics]
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def modules(syllabus: Syllabus) -> Iterator[tuple[str, list[Lecture], list[Topic]]]:
    """(title, lectures, topics) of each module, and of the topics that no lecture covers."""
    for title in dict.fromkeys(lecture.module for lecture in syllabus.lectures):
        lectures = [lecture for lecture in syllabus.lectures if lecture.module == title]
        paths = dict.fromkeys(path for lecture in lectures for path in lecture.topics)
        yield title, lectures, [syllabus.topics[path] for path in paths]
    yield "Beyond the lectures", [], [topic for topic in syllabus.topics.values() if not topic.lectures]


def anchor(title: str) -> str:
    """The name that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _count(syllabus):
    built, count = len(syllabus.built), len(syllabus.topics)
    return f"All {count} topics are built." if built == count else f"{built} of {count} topics are built; the others are planned."


def _lecture_rows(root, lecture, syllabus):
    heads = [f"{lecture.number} {lecture.title}"] + [""] * (len(lecture.topics) - 1)
    return [f"| {head} | {_entry(root, syllabus.topics[path])} |" for head, path in zip(heads, lecture.topics, strict=True)]


def _entry(root, topic):
    """The cells of a topic: its path with links to its files, and its title."""
    if not topic.built:
        return f"`{topic.path}` | {topic.title} (*planned*)"
    there = [(word, f"{folder}/{topic.path}.py") for word, folder in FILES if (root / folder / f"{topic.path}.py").is_file()]
    links = " · ".join(f"[{word}](../{file})" for word, file in there)
    return f"`{topic.path}`<br>{links} | {_title(root, topic)}"


def _title(root, topic):
    """The title of the lecture on a topic, read from the source."""
    tree = ast.parse((root / "theory_jax" / "lectures" / f"{topic.path}.py").read_text(encoding="utf-8"))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Derivation":
            return next(word.value.value for word in call.keywords if word.arg == "title")
    raise ValueError(f"theory_jax/lectures/{topic.path}.py has no derivation = Derivation(title=...)")


def main() -> int:
    """Returns the exit code."""
    readme, table = ROOT / "README.md", ROOT / PAGE
    for file, new in ((readme, renewed(readme.read_text(encoding="utf-8"))), (table, page())):
        is_new = not file.is_file() or file.read_text(encoding="utf-8") != new
        if is_new:
            file.write_text(new, encoding="utf-8")
        print(f"{file.relative_to(ROOT)}: {'renewed' if is_new else 'is current'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
