"""python -m book [--topics "TOPIC ..."] : write the course as a book to build/book/html.

Every derivation is executed; one that fails stops the book, as does a warning of Sphinx or a broken link.
"""

import argparse
import os
import shutil
import sys
import time
from concurrent.futures import as_completed
from importlib import import_module
from pathlib import Path

from book import guides, links, looks, reading, sources
from book.in_the_page import build as in_the_page
from book.lectures import Failed, lemma_page, topic_page
from shared_specs.commands.extras import MODULES, remedy
from shared_specs.stopping import Stopped, process_count, unwinding, worker_processes
from shared_specs.syllabus import BOOK, load, resolve

HERE = Path(__file__).resolve().parent


def pages(topics, jobs, *, reference=True):
    """place -> text of every page. jobs: the number of processes that execute derivations; 1: this one."""
    from theory_jax.derivation.loading import lemmas

    made = {lemma: lemma_page for lemma in lemmas()} | {topic: topic_page for topic in topics}
    in_book = [topic.path for topic in made]
    written = dict(zip([f"topics/{path}" for path in in_book], _executed(made, in_book, jobs), strict=True))
    written |= guides.guides(in_book) | {reading.PLACE: reading.page(topics)}
    for package, files in sources.reference_files().items() if reference else ():
        place = f"reference/{package.replace('/', '_')}"
        written[place] = sources.reference_page(place, package, files)
    return written | {"index": guides.home(load(), in_book, list(written))}


def _executed(made, in_book, jobs):
    """The pages of topics and lemmas, each by its function."""
    if jobs == 1:
        return [_told(page(topic, in_book)) for topic, page in made.items()]
    os.environ["OMP_NUM_THREADS"] = "1"  # a process a core, each with one thread
    with worker_processes(jobs) as pool:
        running = {pool.submit(page, topic, in_book): topic for topic, page in made.items()}
        try:
            for done in as_completed(running):
                _told(done.result())
        except Exception as error:
            error.add_note(f"at the page of {running[done].path}")
            raise
        return [done.result()[0] for done in running]


def _told(made):
    page, words = made
    print(words, flush=True)
    return page


def build(topics, folder, jobs, *, reference=True, static=False):
    """Write the book of these topics to folder/html. Return its errors; empty if there are none.

    static: nothing runs in the page.
    """
    from sphinx.cmd.build import main as sphinx

    for name in ("source", "html"):
        shutil.rmtree(folder / name, ignore_errors=True)
    written = pages(topics, jobs, reference=reference)
    for place, text in written.items():
        _write(folder / "source" / f"{place}.md", text)
    print("writing the pages", flush=True)
    words = ["-b", "html", "-q", "-W", "--keep-going", "-j", str(jobs), "-c", str(HERE), "-d", str(folder / "doctrees")]
    if sphinx([*words, str(folder / "source"), str(folder / "html")]):
        return ["Sphinx warns of the lines above"]
    for path in sources.linked_sources(written.values()):
        _write(folder / "html" / "source" / Path(path).with_suffix(".html"), sources.source_page(path))
    shutil.copytree(looks.ROOT / looks.LOOKS, folder / "html" / "looks", ignore=shutil.ignore_patterns("*.json", "*.txt"))
    if not static:
        try:
            print(in_the_page.added(folder / "html"), flush=True)
        except in_the_page.Absent as absent:
            print(f"the derivations do not run in the page: {absent}", flush=True)
    return list(links.broken(folder / "html"))


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main(arguments=None):
    """Returns the exit code."""
    keep_lines = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m book", description=__doc__, formatter_class=keep_lines)
    parser.add_argument("--topics", default="", help="only these topics, separated by spaces, and no reference")
    parser.add_argument("--to", type=Path, default=BOOK.parent.parent, help="the folder to write to")
    parser.add_argument("--static", action="store_true", help="without derivations that run in the page, which need node and npm")
    parser.add_argument("--jobs", type=int, default=process_count(), help="number of processes")
    command = parser.parse_args(arguments)
    began = time.perf_counter()
    try:
        asked = [topic for text in command.topics.split() for topic in resolve(text)] or load().built
    except LookupError as error:
        parser.error(error.args[0])
    if planned := [topic.path for topic in asked if not topic.built]:
        parser.error(f"{', '.join(planned)}: planned, not built yet")
    try:
        for name in MODULES["book"]:  # before derivations are executed, which takes minutes
            import_module(name)
    except ModuleNotFoundError as error:
        print(f"error: {remedy(error) or error}", file=sys.stderr)
        return 2
    try:
        topics = list({topic.path: topic for topic in asked}.values())
        with unwinding():
            wrong = build(topics, command.to, command.jobs, reference=not command.topics, static=command.static)
    except Failed as error:
        wrong = [str(error)]
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.exit_code
    if wrong:
        print(*(f"error: {line}" for line in wrong), sep="\n", file=sys.stderr)
        return 1
    print(f"{command.to / 'html' / 'index.html'}: {len(asked)} topics, {time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
