"""python -m theory_jax list | run TOPIC... | mutate TOPIC... | exam TOPIC... | train TOPIC RECIPE : run lectures, draw exams.

Exit codes: 0 every claim holds (or the target is reached), 1 a claim failed (or the target is missed), 2 usage, 3 a file cannot
be read or written.
"""

import contextlib
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from shared_specs.commands.errors import UsageError
from shared_specs.commands.output import print_course, print_json
from shared_specs.commands.parsing import parse
from shared_specs.commands.program import exit_code
from shared_specs.commands.topics import only_built, topics_named
from shared_specs.syllabus import BOOK, load
from theory_jax.derivation.loading import LECTURES, derivation_of, lemmas
from theory_jax.pages.records import records_in_order, records_in_processes


@dataclass(frozen=True)
class List:
    """Show the course: lectures, topics, and which derivations are built."""

    json: bool = False
    """Print JSON instead of a table."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Run:
    """Execute derivations and print them as pages."""

    topics: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[TOPIC ...]")] = ()
    """Each: family/topic, a unique part of it, a lecture number, or lemmas/NAME."""
    all: bool = False
    """Run every derivation, those of the lemmas included."""
    json: bool = False
    """Print JSON instead of pages (progress goes to stderr): front matter and claims, mathematics in LaTeX."""
    html: Path | None = None
    """Write an HTML page to this file, or with several topics to this folder, instead of printing."""
    tex: Path | None = None
    """Write a TeX page to this file, with its figures next to it, or with several topics to this folder, instead of printing."""
    slides: Path | None = None
    """Write slides with speaker's notes to this HTML file, or with several topics to this folder, instead of printing."""
    counts: bool = False
    """Do not run: count the relations in the texts, by place, and how many are executed."""
    jobs: int = 1
    """With --json: number of processes; 0: one for each core, at most 8."""
    compiled: bool = False
    """Compile every operation with XLA (slower) instead of evaluating JAX's traces with NumPy."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Mutate:
    """Change every expression and every step of derivations at one place, and list the changes that go unnoticed."""

    topics: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[TOPIC ...]")] = ()
    """Each: family/topic, a unique part of it, a lecture number, or lemmas/NAME."""
    all: bool = False
    """Mutate every derivation (minutes)."""
    json: bool = False
    """Print JSON: for each topic how many mutants there were, and those that survived."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Exam:
    """Draw exam questions from the exercises of lectures, the answers executed and on another sheet. A seed is an exam."""

    topics: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[TOPIC ...]")] = ()
    """Each: family/topic, a unique part of it, or a lecture number."""
    seed: int = 0
    """The same seed draws the same questions from the same topics."""
    count: int = 6
    """Number of questions, spread evenly over the levels and topics."""
    level: str = "easy,medium,hard"
    """Levels to draw from, with commas between them."""
    html: Path | None = None
    """Write the questions to this new HTML file, instead of printing Markdown."""
    answers: Path | None = None
    """Write the answers to this new file: HTML, or Markdown if it ends in .md."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Train:
    """Train a small model in JAX (lecture 20) and compare its metric with the target. Nothing is kept if it is interrupted."""

    topic: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TOPIC")] = ""
    """A topic with a training in JAX: latent/vae, adversarial/gan or diffusion/training."""
    recipe: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RECIPE")] = ""
    """One of its recipes."""
    seed: int = 0
    """Seed of the first weights, of the order of the batches, and of the noise."""
    epochs: int | None = None
    """Number of epochs (default: the recipe's)."""
    learning_rate: float | None = None
    """Learning rate (default: the recipe's)."""
    out: Path | None = None
    """Write the weights to this file (.safetensors), with names and layouts of the practice wing's."""
    json: bool = False
    """Print JSON (progress goes to stderr)."""
    debug: bool = False
    """Show the traceback of an error."""


COMMANDS = {"list": List, "run": Run, "mutate": Mutate, "exam": Exam, "train": Train}


def main(arguments=None):
    """Returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    return exit_code(lambda: _do(parse(COMMANDS, words, __doc__, "python -m theory_jax")), words)


def _do(command):
    return DOES[type(command)](command)


# ---------------------------------------------------------------------------------------------------- list


def _list(command):
    from theory_jax.pages.console import console_of_the_page

    console = console_of_the_page()
    print_course(command.json, console)
    if not command.json:
        book = f"The course as a book: {os.path.relpath(BOOK)}" if BOOK.is_file() else "`make book` writes the course as a book."
        console.print(book, soft_wrap=True)
    return 0


# ---------------------------------------------------------------------------------------------------- run


def _run(command):
    if command.jobs < 0:
        raise UsageError(f"--jobs is {command.jobs}; it must be 0 (one for each core) or more")
    asked = _asked(command)
    there = only_built(asked, _is_there)
    planned = [topic.path for topic in asked if topic not in there]
    if command.counts:
        return _count(command, there)
    files = _files(command, there)
    how = {"arithmetic": _arithmetic(command.compiled), "debug": command.debug}
    if command.json and command.jobs != 1:
        records = records_in_processes(there, jobs=command.jobs, **how)
    else:
        records = records_in_order(there, show=None if command.json else lambda *page: _show(files, *page), **how)
    computed_by = "XLA" if command.compiled else "NumPy"
    if command.json:
        print_json({"derivations": records, "planned": planned, "computed_by": computed_by})
    else:
        from theory_jax.pages.terminal import print_summary

        print_summary(records, computed_by)
    return 0 if all(record["passed"] for record in records) else 1


def _count(command, topics):
    """Print a table of the relations in the texts of these lectures: executed, conditions, definitions, stated, unmarked."""
    from theory_jax.pages.counts import HELD, relations_by_place

    if command.html or command.tex or command.slides:
        raise UsageError("--counts prints a table: give no --html, --tex or --slides with it")
    counts = {topic.path: relations_by_place(derivation_of(topic.path)) for topic in topics}
    if command.json:
        print_json({"counts": counts})
        return 0
    total = {}
    for places in counts.values():
        for place, count in places.items():
            total[place] = total.get(place, Counter()) + count
    total["all"] = sum(total.values(), Counter())
    print(f"{'relations in':14}" + "".join(f"{kind:>13}" for kind in HELD))
    for place, count in total.items():
        print(f"{place:14}" + "".join(f"{count[kind]:13}" for kind in HELD))
    return 0


def _files(command, topics):
    """The paths of pages, by ending and topic; empty if they are printed."""
    asked = {name: path for name in ENDINGS if (path := getattr(command, name)) is not None}
    if asked and command.json:
        raise UsageError(f"--{next(iter(asked))} writes pages and --json prints records: give one of them")
    return {name: _file_of_each(name, path, topics) for name, path in asked.items()}


def _file_of_each(name, path, topics):
    if len(topics) == 1 and not path.is_dir():
        return {topics[0].path: path}
    if path.suffix or path.is_file():
        raise UsageError(f"--{name} {path} is one file, but {len(topics)} topics were requested: name a folder")
    return {topic.path: path / f"{topic.path.replace('/', '-')}{ENDINGS[name]}" for topic in topics}


def _show(files, topic, derivation, results):
    """Print the page of a derivation, or write it to its files."""
    from theory_jax.pages.page import lecture_page

    page = lecture_page(derivation, results, topic=topic, course=load())
    if not files:
        from theory_jax.pages.terminal import print_page

        return print_page(page)
    for name, places in files.items():
        path = places[topic.path]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            WRITES[name](page, path, places)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        print(f"{path}: {page.summary}")


def _write_html(page, path, places):
    from theory_jax.pages.html import html

    links = {other: file.name for other, file in places.items() if other != page.topic}
    path.write_text(html(page, links), encoding="utf-8")


def _write_tex(page, path, places):
    from theory_jax.pages.tex import draw, tex

    figures = [item.part for item in page.items if item.form == "figure"]
    pictures = [path.with_name(f"{path.stem}-figure-{number}.pdf") for number, _ in enumerate(figures, start=1)]
    for figure, picture in zip(figures, pictures, strict=True):
        draw(figure, picture)
    path.write_text(tex(page, [picture.name for picture in pictures]), encoding="utf-8")


def _write_slides(page, path, places):
    from theory_jax.pages.slides import html_slides

    path.write_text(html_slides(page), encoding="utf-8")


ENDINGS = {"html": ".html", "tex": ".tex", "slides": "-slides.html"}  # of the files in a folder
WRITES = {"html": _write_html, "tex": _write_tex, "slides": _write_slides}


# ---------------------------------------------------------------------------------------------------- mutate


def _mutate(command):
    topics = only_built(_asked(command), _is_there)
    from theory_jax.derivation.mutation import ENOUGH, ENOUGH_OF_TEXTS, mutants

    found = {}
    for number, topic in enumerate(topics, start=1):
        if len(topics) > 1:
            print(f"[{number}/{len(topics)}] {topic.path}", file=sys.stderr, flush=True)
        derivation = derivation_of(topic.path)
        with _arithmetic(compiled=False)():
            found[topic.path] = list(mutants(derivation))
    total = sum(map(len, found.values()))
    survivors = {path: [m for m in those if not m.refused] for path, those in found.items()}
    refused = total - sum(map(len, survivors.values()))
    of_texts = [mutant for those in found.values() for mutant in those if mutant.of_text]
    in_texts = {"mutants": len(of_texts), "refused": sum(mutant.refused for mutant in of_texts)}
    if command.json:
        topics = {
            path: {"mutants": len(those), "survivors": [{"part": m.name, "change": m.change} for m in survivors[path]]}
            for path, those in found.items()
        }
        print_json({"topics": topics, "mutants": total, "refused": refused, "texts": in_texts})
    else:
        for path, those in found.items():
            refusals = f"{len(those) - len(survivors[path])} of {len(those)} mutants refused"
            print(f"{path}: {refusals if those else 'nothing to mutate'}")
            for mutant in survivors[path]:
                print(f"  survived in {mutant.name!r}: {mutant.change}")
        if total:
            print(f"{refused} of {total} refused ({refused / total:.1%})")
        if of_texts:
            print(f"in texts: {in_texts['refused']} of {len(of_texts)} ({in_texts['refused'] / len(of_texts):.1%})")
    shares = [(those, ENOUGH) for those in found.values()]
    shares += [([mutant for mutant in those if mutant.of_text], ENOUGH_OF_TEXTS) for those in found.values()]
    return 0 if all(sum(not m.refused for m in those) <= (1 - share) * len(those) for those, share in shares) else 1


def _arithmetic(compiled):
    """The context in which steps are executed."""
    if compiled:
        return contextlib.nullcontext
    import jax  # which `list` does not need

    try:
        from shared_specs.backends.jax_eager import by_numpy
    except (ImportError, AttributeError) as error:  # it uses more of JAX than is documented
        raise UsageError(
            f"NumPy cannot run the steps with JAX {jax.__version__} ({error}): use --compiled, or the JAX of constraints.txt"
        ) from None
    return by_numpy


def _asked(command):
    if command.all and command.topics:
        raise UsageError("--all runs every topic: give no topics with it")
    if not (command.all or command.topics):
        raise UsageError("no topic given: name topics (family/topic, a part of it, a lecture number) or use --all")
    of_lemmas = {lemma.path: lemma for lemma in lemmas()}
    if command.all:
        return [*of_lemmas.values(), *load().built]
    named = (topic for text in command.topics for topic in ([of_lemmas[text]] if text in of_lemmas else topics_named([text])))
    return list({topic.path: topic for topic in named}.values())


def _is_there(topic):
    """The lecture on a topic that is being written may exist before its spec."""
    return topic.built or (LECTURES / f"{topic.path}.py").is_file()


def _exam(command):
    from theory_jax.commands.exam import exam

    return exam(command)


def _train(command):
    from theory_jax.commands.training import train

    return train(command)


DOES = {List: _list, Run: _run, Mutate: _mutate, Exam: _exam, Train: _train}


if __name__ == "__main__":
    sys.exit(main())
