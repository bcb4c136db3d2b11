"""python -m shared_specs.readme : renew the README's table of lectures from the syllabus and the sources. Imports no backend."""

import ast
import re
import sys
from html import escape
from pathlib import Path

from shared_specs.syllabus import load

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- syllabus: written by `make readme` -->", "<!-- end of the syllabus -->"
COUNT_BEGIN, COUNT_END = "<!-- built -->", "<!-- end of built -->"


def renewed(text, root=ROOT, syllabus=None):
    """The README's text with the table between the markers written anew. ValueError if a marker is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md must hold the lines {BEGIN} and {END}")
    syllabus = syllabus or load()
    count = f"{COUNT_BEGIN}{len(syllabus.built)} of {len(syllabus.topics)}{COUNT_END}"
    before, found = re.subn(f"{COUNT_BEGIN}[^<]*{COUNT_END}", count, before)
    if found != 1:
        raise ValueError(f"README.md must say once how many topics are built, between {COUNT_BEGIN} and {COUNT_END}")
    return f"{before}{begin}\n\n{tables(root, syllabus)}\n\n{end}{after}"


def tables(root, syllabus):
    """Markdown: a table a module, and one of what lies beyond the lectures."""
    built, steps = len(syllabus.built), sum(_proof(root, topic)[1] for topic in syllabus.built)
    parts = [f"{built} of {len(syllabus.topics)} topics are built, in {steps} executed steps; the others are planned."]
    for module in dict.fromkeys(lecture.module for lecture in syllabus.lectures):
        lectures = [lecture for lecture in syllabus.lectures if lecture.module == module]
        rows = [row for lecture in lectures for row in _lecture_rows(root, lecture, syllabus)]
        parts.append(_folded(module, f"lectures {lectures[0].number} to {lectures[-1].number}", rows))
    beyond = [topic for topic in syllabus.topics.values() if not topic.lectures]
    rows = [f"| | {_name(topic)} | {_proven(root, topic) if topic.built else f'{topic.title}: *planned*'} |" for topic in beyond]
    parts.append(_folded("Beyond the lectures", f"{len(beyond)} topics", rows))
    return "\n\n".join(parts)


def _folded(title, extent, rows):
    """A table under a line that unfolds it; modules in which something is built stand open."""
    state = " open" if any("theory_jax/" in row for row in rows) else ""
    head = "| lecture | topic | what is proven |\n|---|---|---|"
    table = "\n".join([head, *rows])
    return f"<details{state}>\n<summary><b>{escape(title)}</b> ({extent})</summary>\n\n{table}\n\n</details>"


def _lecture_rows(root, lecture, syllabus):
    """A row for every built topic of a lecture, and one for all that are planned."""
    topics = [syllabus.topics[path] for path in lecture.topics]
    rows = [(_name(topic), _proven(root, topic)) for topic in topics if topic.built]
    if planned := [_name(topic) for topic in topics if not topic.built]:
        rows.append((", ".join(planned), "*planned*"))
    heads = [f"{lecture.number} {lecture.title}"] + [""] * (len(rows) - 1)
    return [f"| {head} | {name} | {what} |" for head, (name, what) in zip(heads, rows, strict=True)]


def _name(topic):
    if not topic.built:
        return f"`{topic.path}`"
    wings = (("theory_jax", "why"), ("shared_specs", "what"), ("practice_torch", "at scale"))
    return f"`{topic.path}`<br>" + " · ".join(f"[{word}]({wing}/{topic.path}.py)" for wing, word in wings)


def _proven(root, topic):
    title, steps = _proof(root, topic)
    return f"{title} ({steps} steps)"


def _proof(root, topic):
    """The title of a topic's derivation and the number of its steps, read from the source."""
    tree = ast.parse((root / "theory_jax" / f"{topic.path}.py").read_text(encoding="utf-8"))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Derivation":
            title = next(word.value.value for word in call.keywords if word.arg == "title")
            return title, sum(is_step(node) for node in tree.body)
    raise ValueError(f"theory_jax/{topic.path}.py has no derivation = Derivation(title=...)")


def is_step(node):
    """Whether a node is a step of a derivation: a function under a decorator of `derivation`."""
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "derivation"
        for call in node.decorator_list
    )


def main():
    """Returns the exit code."""
    readme = ROOT / "README.md"
    old = readme.read_text(encoding="utf-8")
    new = renewed(old)
    if new != old:
        readme.write_text(new, encoding="utf-8")
    print(f"{readme.name}: {'renewed' if new != old else 'is current'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
