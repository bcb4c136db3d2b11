"""`python -m theory_jax exam`: questions drawn with a seed from the exercises of lectures, and their answers on another sheet."""

import random
import sys
from collections import Counter
from dataclasses import replace

from shared_specs.commands.errors import UsageError, nearest
from shared_specs.commands.topics import only_built, topics_named
from shared_specs.syllabus import load
from theory_jax.derivation.loading import derivation_of

FORMATS = (".html", ".md")  # of the answers; the questions are HTML, or Markdown on stdout


def exam(command):
    """Draw, execute the answers, and write both sheets. Returns the exit code; 1 if an answer does not hold."""
    _check(command)
    from shared_specs.backends.jax_eager import by_numpy
    from theory_jax.derivation.parts import LEVELS, Example, Exercise
    from theory_jax.pages.exam import Sheets
    from theory_jax.pages.page import lecture_page

    levels = _levels(command.level, LEVELS)
    topics = _in_course_order(only_built(topics_named(command.topics)))
    derivations = {topic: derivation_of(topic.path) for topic in topics}
    there = [
        (topic, part)
        for topic, derivation in derivations.items()
        for part in derivation.parts
        if isinstance(part, Exercise) and part.level in levels
    ]
    if command.count > len(there):
        paths = ", ".join(topic.path for topic in topics)
        have = f"{'has' if len(topics) == 1 else 'have'} {len(there)} exercise{'s' * (len(there) != 1)}"
        raise UsageError(f"--count {command.count}: {paths} {have} of level {', '.join(levels)}")
    chosen = drawn(there, command.count, command.seed, levels)
    items, pages = {}, []
    for topic in topics:
        parts = [part for of, part in chosen if of is topic]
        if not parts:
            continue
        derivation = derivations[topic]
        with by_numpy():
            executed = [part for part in derivation.parts if isinstance(part, Example) or part in parts]
            page = lecture_page(derivation, [result for part in executed for result in derivation.results_of(part)])
        pages.append(replace(page, topic=topic.path))  # the page of a topic would also search for who uses its functions
        items |= {item.part: item for item in page.exercises}
    questions = tuple((items[part], topic.path) for topic, part in chosen)
    if failed := [f"{topic}: {item.before} {' '.join(item.errors)}" for item, topic in questions if not item.passed]:
        print(f"an answer does not hold: {failed[0]}", file=sys.stderr)
        return 1
    paths = ", ".join(page.topic for page in pages)
    _write(command, Sheets(f"{paths} · seed {command.seed}", questions, tuple(pages)))
    return 0


def drawn(there, count, seed, levels):
    """`count` of these (topic, exercise), the easiest first: from each level in turn, and there from the topic drawn from least.

    The same arguments draw the same exercises, in every version of Python.
    """
    numbers = random.Random(seed)
    waiting = {level: sorted((one for one in there if one[1].level == level), key=lambda _: numbers.random()) for level in levels}
    chosen, of_topic = [], Counter()
    while len(chosen) < count:
        for those in waiting.values():
            if those and len(chosen) < count:
                one = min(those, key=lambda one: of_topic[one[0]])  # the first of them, in the drawn order
                those.remove(one)
                of_topic[one[0]] += 1
                chosen.append(one)
    return sorted(chosen, key=lambda one: levels.index(one[1].level))


def _check(command):
    if not command.topics:
        raise UsageError("no topic given: name topics (family/topic, a part of it) or lecture numbers")
    if command.seed < 0:
        raise UsageError(f"--seed is {command.seed}; it must be 0 or more")
    if command.count < 1:
        raise UsageError(f"--count is {command.count}; it must be 1 or more")
    if command.answers and command.answers.suffix not in FORMATS:
        raise UsageError(f"--answers {command.answers} must end in {' or '.join(FORMATS)}")
    if command.html and command.html == command.answers:
        raise UsageError(f"--html and --answers are both {command.html}: the answers need a file of their own")
    for name in ("html", "answers"):
        path = getattr(command, name)
        if path is not None and path.exists():
            raise UsageError(f"--{name} {path} exists already and is not overwritten; give another name")
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"--{name} {path}: there is no folder {path.parent}")


def _levels(text, known):
    levels = [word.strip() for word in text.split(",") if word.strip()]
    if not levels:
        raise UsageError(f"--level is empty; give {', '.join(known)}, or some of them")
    if unknown := [level for level in levels if level not in known]:
        raise UsageError(f"--level {unknown[0]!r}: {nearest(unknown[0], known)}")
    return [level for level in known if level in levels]


def _in_course_order(topics):
    """So that the order in which they are named does not change the exam."""
    return [topic for topic in load().topics.values() if topic in topics]


def _write(command, sheets):
    """Both sheets, or none: what was written of them is removed if one cannot be."""
    texts = {}
    if command.html:
        texts[command.html] = sheets.html(answers=False)
    if command.answers:
        write = sheets.html if command.answers.suffix == ".html" else sheets.markdown
        texts[command.answers] = write(answers=True)
    written = []
    for path, text in texts.items():
        try:
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
        except OSError as error:
            for other in written:
                other.unlink()
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    if not command.html:
        print(sheets.markdown(answers=False), end="")
    for path in written:
        print(f"{path}: {len(sheets.questions)} {'answers' if path == command.answers else 'questions'}")
