"""How many mistakes in experiments the tests refuse: mutants of their code, counted by what the mutated function is for.

    python -m benchmarks.verification.experiment_mutants [TOPIC ...] [--most N] [--seed S]

TOPIC is an experiment (latent/vae), a part that several share (judging/points) or a picture (pictures/guidance); without one all
are mutated. All mutants would take days: --most draws a sample with a seed.

The tests are those about the topics that use the mutated file, and those that import it. They run once without a mutant, to
record what each of them executes and takes. Then each mutant is planted in its own process, forked when everything has been
imported, which runs the tests of that function until one fails. A mutant is refused if a test fails, or takes longer than the
limit. Tests that start other processes see no mutant there: what only they would notice counts as survived. So does a mutant
that is no mistake, such as swapped arguments of a symmetric function; the list is to be read.

Exit code: 1 if fewer than 90% were refused.
"""

import argparse
import gc
import importlib
import json
import os
import random
import resource
import sys
import threading
import time
import traceback
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from jax.extend.backend import clear_backends
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import code_mutants, code_users
from benchmarks.measuring.code_users import importers, sources
from tests.support.topics import topics_of

ENOUGH = 0.9  # of the mutants must be refused
# A method of an experiment -> what its numbers are for. A function that several call belongs to the first of them in this order.
KINDS = {"forward": "training", "sample": "sampling", "evaluate": "evaluation", "study": "evaluation", "preview": "previews"}
SURVIVED = "survived in "
UNREACHED, LOGGED = "in no test", "logged numbers"


class Mutants:
    """A pytest plugin: in place of running the tests once, it runs them on mutants.

    verdicts: (file, change, kind, the test that refuses it or nothing) of each.
    """

    def __init__(self, files, most, seed, seconds, kinds, again=None):
        self.files, self.most, self.seed, self.seconds, self.kinds = files, most, seed, seconds, kinds
        self.again, self.verdicts = again, []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items):
        """Keep the tests of the topics that use a mutated file, and of test files that import one."""
        topics = {topic for file in self.files for topic in importers(file)}
        importing = {path for path in {item.path for item in items} if code_users.imports(path, self.files)}
        items[:] = [item for item in items if topics_of(item) & topics or item.path in importing]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        paths = {str(sources()[file]): file for file in self.files}
        print(f"{len(session.items)} tests run once without a mutant", flush=True)
        records = _in_a_fork(lambda: _profiled(session, set(paths)))
        if records is None:
            raise pytest.UsageError("the process that runs the tests without a mutant has ended")
        failing = [name for name, record in records.items() if not record["passed"]]
        for name in failing:
            print(f"fails without a mutant, and is left out: {name}")
        for path in paths.values():
            importlib.import_module(code_users.module_of(path))
        gc.unfreeze()  # what pytest has set aside must be found, too
        functions = code_mutants.known(set(paths))
        drawn = self._drawn(paths, records)
        for number, (path, change, kind) in enumerate(drawn, 1):
            chosen = _chosen(session.items, records, path, change, self.seconds)
            planted = functions[path, change.function, change.first]
            why = _in_a_fork(lambda: _refusal(chosen, planted, change.code(path), self.seconds)) if chosen else ""  # noqa: B023
            why = "the process has ended" if why is None else why
            self.verdicts.append((paths[path], change, kind, why))
            line = f"{paths[path]}:{change.line} {kind}: {change.words[:100]!r}: {why or 'SURVIVED'}"
            print(f"{number}/{len(drawn)} {line}", flush=True)
        return True

    def _drawn(self, paths, records):
        """(path, change, kind) of the mutants that are run."""
        entries = defaultdict(set)
        for record in records.values():
            for path, function, entered in record["functions"]:
                entries[path, function] |= set(entered)
        found = []
        for path in paths:
            for change in code_mutants.changes(Path(path).read_text()):
                kind = _kind(paths[path], change, entries[path, change.function])
                if self.kinds is None or kind in self.kinds:
                    found.append((path, change, kind))
        if self.again is not None:
            return [(path, change, kind) for path, change, kind in found if _told(paths[path], change) in self.again]
        random.Random(self.seed).shuffle(found)
        print(f"{len(found)} mutants" + (f", of which {self.most} are drawn" if self.most < len(found) else ""))
        return found[: self.most]


def _told(file, change):
    return f"{file}, {change.function}, line {change.line}: {change.words}"


def _kind(file, change, entries):
    if file.startswith("pictures/"):
        return "pictures"
    own = change.function.rpartition(".")[2]
    entries = entries | ({own} & set(KINDS))
    kind = next((KINDS[entry] for entry in KINDS if entry in entries), "other functions" if entries else UNREACHED)
    return LOGGED if change.logged and kind == "training" else kind


def _chosen(items, records, path, change, seconds):
    """The tests that execute the function, the quickest first, then the others of their files, within the seconds."""
    function = [path, change.function]
    executing = {name for name, record in records.items() if any(place == function for *place, _ in record["functions"])}
    own = {item.path for item in items if item.nodeid in executing and code_users.is_whole(item.path)}
    passing = [item for item in items if records[item.nodeid]["passed"]]
    found = [item for item in passing if item.nodeid in executing or item.path in own]
    found.sort(key=lambda item: (item.nodeid not in executing, records[item.nodeid]["seconds"]))
    kept, spent = [], 0.0
    for item in found:
        spent += records[item.nodeid]["seconds"]
        if kept and spent > seconds:
            break
        kept.append(item)
    return kept


# ---------------------------------------------------------------------------------------------------- in a forked process


def _in_a_fork(work):
    """work() of a forked process, which JSON can write; None where the process ends before."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading) as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        return json.loads(answer) if answer else None
    os.close(reading)
    try:
        clear_backends()  # the threads of XLA are not in the child: it starts its own
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        answer = json.dumps(work())
        with os.fdopen(writing, "w") as pipe:
            pipe.write(answer)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _run(items, after):
    """Run the tests, as far as after(item, passed) is true."""
    outcome = {}

    class Outcomes:
        def pytest_runtest_logreport(self, report):
            outcome[report.nodeid] = outcome.get(report.nodeid, True) and report.passed

    session = items[0].session
    session.config.pluginmanager.register(Outcomes())
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if not after(item, outcome.get(item.nodeid, False)):
            break


def _profiled(session, paths):
    """{test: whether it passes, its CPU seconds, and (path, function, the experiment's methods that call it) of what it runs}."""
    seen, records, began = set(), {}, time.process_time()

    def note(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename in paths and code not in known:
            known.add(code)
            entered = set()
            function = code.co_qualname.partition(".<locals>")[0]
            while frame:
                if "practice_torch" in frame.f_code.co_filename:
                    entered.add(frame.f_code.co_name)
                frame = frame.f_back
            seen.add((code.co_filename, function, tuple(sorted(entered & set(KINDS)) or ["other"])))

    def after(item, passed):
        nonlocal began
        records[item.nodeid] = {"passed": passed, "seconds": time.process_time() - began, "functions": sorted(seen)}
        seen.clear()
        known.clear()
        began = time.process_time()
        return True

    known = set()
    threading.setprofile(note)
    sys.setprofile(note)
    _run(session.items, after)
    sys.setprofile(None)
    return records


def _refusal(items, functions, mutated, seconds):
    """The test that refuses the mutant, or nothing."""
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    limit = int(spent + 3 * seconds + 60)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    for function in functions:
        function.__code__ = mutated
    refused = []
    _run(items, lambda item, passed: passed or refused.append(item.nodeid))
    return refused[0] if refused else ""


# ---------------------------------------------------------------------------------------------------- the command


def table(verdicts):
    """Refused of all, by kind."""
    counted, refused = Counter(kind for *_, kind, _ in verdicts), Counter(kind for *_, kind, why in verdicts if why)
    made = Table("mutants of", "refused", "of", "share", box=SIMPLE)
    for kind in sorted(counted):
        made.add_row(kind, str(refused[kind]), str(counted[kind]), f"{refused[kind] / counted[kind]:.0%}")
    made.add_row("all", str(refused.total()), str(counted.total()), f"{refused.total() / max(1, counted.total()):.0%}")
    return made


def survivors_of(output):
    """The report lines of a run of this command, one per survivor."""
    return {line.removeprefix(SURVIVED).replace("\\n", "\n") for line in output.splitlines() if line.startswith(SURVIVED)}


def main(words=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.verification.experiment_mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="such as latent/vae, judging/points; all without one")
    parser.add_argument("--most", type=int, default=300, metavar="N", help="run at most so many mutants, drawn at random (300)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (0)")
    parser.add_argument("--seconds", type=float, default=60, help="CPU seconds that the tests of one mutant may take (60)")
    kinds = [*dict.fromkeys(KINDS.values()), LOGGED, "pictures", "other functions", UNREACHED]
    parser.add_argument("--kinds", nargs="+", choices=kinds, metavar="KIND", help=f"only these: {', '.join(kinds)}")
    parser.add_argument("--tests", nargs="+", metavar="FILE", help="only these files of tests (all that run experiments)")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run only what survived when this was the output")
    arguments = parser.parse_args(words)
    if unknown := set(arguments.topics) - set(sources()):
        parser.error(f"{', '.join(sorted(unknown))}: give family/topic of an experiment, or folder/name of a part or picture")
    again = survivors_of(arguments.again.read_text()) if arguments.again else None
    files = arguments.topics or [file for file in sources() if not again or any(line.startswith(f"{file},") for line in again)]
    plugin = Mutants(files, arguments.most, arguments.seed, arguments.seconds, arguments.kinds, again)
    tests = arguments.tests or map(str, code_users.tests())
    options = ["-q", "-n0", "-p", "no:cacheprovider", "-p", "no:terminalreporter", "--capture=no"]
    code = pytest.main([*options, *tests], plugins=[plugin])
    verdicts = plugin.verdicts
    survivors = [(file, change) for file, change, _, why in verdicts if not why]
    for file, change in sorted(survivors, key=lambda each: (each[0], each[1].line)):
        print(SURVIVED + _told(file, change).replace("\n", "\\n"))
    Console().print(table(verdicts))
    return int(code not in (0, 5) or len(survivors) > (1 - ENOUGH) * len(verdicts))


if __name__ == "__main__":
    sys.exit(main())
