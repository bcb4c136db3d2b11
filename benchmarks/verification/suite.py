"""What the project's own verification costs: CPU seconds of the check and of the test suite, by part and by topic.

    python -m benchmarks.verification.suite [--topic TOPIC]

The check: all contracts, one topic after another in this process, without JAX's cache of compiled programs. The suite: as `make
test-all` runs it, each test measured in the process that runs it, children included (benchmarks/measuring/cpu_of_tests.py).
A test about several topics is divided evenly among them; a test about none counts for its file alone, and so does the time of
a session fixture, in the test that comes first.

--topic measures one topic alone, and keeps nothing. Result: benchmarks/results/suite.json. Exit code: 1 if a test or a row
failed, or a topic is above its budget.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.measuring.turns import RESULTS
from practice_torch.engine.costs.environment import environment
from shared_specs.syllabus import load, resolve

ROOT = Path(__file__).resolve().parents[2]
BUDGETS = {"check": 4.0, "suite": 9.0}  # CPU seconds a topic
PARTS = {
    "tests/specs/test_contracts.py": "contracts",
    "tests/specs/test_grade_wings.py": "contracts, graded",
    "tests/specs/test_mistakes.py": "planted mistakes",
    "tests/theory/test_derivation.py": "derivations",
    "tests/training/test_compile.py": "whole graphs",
} | {
    f"tests/theory/test_{name}.py": "derivations" for name in ("chains", "parts", "lecture_pages", "theory_commands", "mutation")
}
OWN = "topics' own tests"
FAMILIES = {topic.split("/")[0] for topic in load().topics}


# ---------------------------------------------------------------------------------------------------- the check


def check(topics):
    """({topic: {part: seconds}}, how many comparisons failed) of all contracts.

    The reference is measured first, as far as Agree rows need it; the rest of its time is in the first wing's part.
    """
    from shared_specs.backends import jax_backend, torch_backend  # noqa: F401 - imported before the first topic's clock runs
    from shared_specs.checking.check import Checker, check_topic, forget, rows_to_compile, spec_of
    from shared_specs.checking.reference import wing
    from shared_specs.checking.wings import PRECISIONS
    from shared_specs.rows import Agree

    found, failed = {}, 0
    for topic in topics:
        by_xla = rows_to_compile(topic)
        traced = [row for row in spec_of(topic) if id(row) not in set(map(id, by_xla))]
        wings = {name: [wing(name, topic, precision) for precision in PRECISIONS] for name in ("torch", "jax")}
        parts, began = {}, time.process_time()

        def end(part, parts=parts):
            nonlocal began
            now = time.process_time()
            parts[part], began = now - began, now

        for each in wings["torch"]:
            checker = Checker(topic, each)
            for row in spec_of(topic):
                if isinstance(row, Agree):
                    checker.measure(row)
        end("reference")
        results = [r for each in wings["torch"] for r in check_topic(topic, each, widths=True)]
        end("torch")
        results += [r for each in wings["jax"] for r in check_topic(topic, each, by_xla, widths=True, compiled=by_xla)]
        end("jax, compiled rows")
        results += [r for each in wings["jax"] for r in check_topic(topic, each, traced, widths=True)]
        end("jax, other rows")
        found[topic], failed = parts, failed + sum(not result.passed for result in results)
        forget()
    return found, failed


# ---------------------------------------------------------------------------------------------------- the suite


def suite(topic=None):
    """(what the tests of the suite recorded, CPU seconds in all, pytest's exit code); of one topic in a single process."""
    chosen = [f"--topic={topic}"] if topic else ["-n", "auto", "--maxprocesses", "8", "--dist", "loadgroup"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.json"
        words = [sys.executable, "-m", "pytest", "-q", "-p", "benchmarks.measuring.cpu_of_tests", "--cpu-to", str(path), *chosen]
        before = _of_children()
        code = subprocess.run(words, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode
        return json.loads(path.read_text()), _of_children() - before, code


def _of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def summed(records, total):
    """CPU seconds by part, by file (its processes, too) and by topic; what no test spent is imports, collection and pytest."""
    parts, files, starts, topics = Counter(), Counter(), Counter(), {}
    for record in records:
        seconds, path = record["seconds"], record["file"]
        part = PARTS.get(path) or (OWN if Path(path).parent.name in FAMILIES else "other tests")
        parts[part] += seconds
        files[path] += seconds
        starts[path] += record["starts"]
        for topic in record["topics"]:
            of_topic = topics.setdefault(topic, Counter())
            of_topic[part] += (seconds - record["shared"]) / len(record["topics"])
    parts["imports, collection, pytest"] = total - sum(files.values())
    return {
        "seconds": total,
        "tests": sum(record["phase"] == "call" for record in records),
        "processes": sum(starts.values()),
        "parts": dict(parts.most_common()),
        "files": {path: {"seconds": seconds, "processes": starts[path]} for path, seconds in files.most_common()},
        "topics": {topic: dict(of_topic) for topic, of_topic in sorted(topics.items())},
    }


# ---------------------------------------------------------------------------------------------------- output


def tables(checked, tested):
    """By part; by file, of those that are no topic's; and by topic against the budgets."""
    by_part = Table("part", "CPU s", box=SIMPLE)
    for part in next(iter(checked.values())):
        by_part.add_row(f"check: {part}", f"{sum(parts[part] for parts in checked.values()):.1f}")
    for part, seconds in tested["parts"].items():
        by_part.add_row(f"suite: {part}", f"{seconds:.1f}")
    yield by_part
    by_file = Table("file", "CPU s", "processes", box=SIMPLE)
    others = [(path, of) for path, of in tested["files"].items() if path not in PARTS and Path(path).parent.name == "tests"]
    for path, of in others[:20]:
        by_file.add_row(path, f"{of['seconds']:.1f}", str(of["processes"]))
    yield by_file
    by_topic = Table("topic", *(f"{kind} (budget {budget:g})" for kind, budget in BUDGETS.items()), box=SIMPLE)
    for topic, spent in totals(checked, tested).items():
        above = {kind: "[bold red]" * (spent[kind] > budget) for kind, budget in BUDGETS.items()}
        by_topic.add_row(topic, *(f"{above[kind]}{spent[kind]:.1f}" for kind in BUDGETS))
    yield by_topic


def totals(checked, tested):
    """{topic: {"check": seconds, "suite": seconds}}."""
    return {
        topic: {"check": sum(parts.values()), "suite": sum(tested["topics"].get(topic, {}).values())}
        for topic, parts in checked.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topic", help="measure one topic alone, and keep nothing")
    topic = parser.parse_args().topic
    began = time.perf_counter()
    try:
        topics = [one.path for one in (resolve(topic) if topic else load().built)]
    except LookupError as error:
        parser.error(f"--topic: {error}")
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as make does: every process would compile every module again
    records, seconds, code = suite(topic)
    tested = summed(records, seconds)
    torch.set_num_threads(1)
    checked, failed = check(topics)
    for table in tables(checked, tested):
        Console().print(table)
    in_all = sum(sum(parts.values()) for parts in checked.values())
    spent = totals(checked, tested).items()
    above = {kind: [one for one, of in spent if of[kind] > budget] for kind, budget in BUDGETS.items()}
    print(f"check: {in_all:.0f} CPU s, {failed} comparisons failed")
    print(f"suite: {seconds:.0f} CPU s, {tested['tests']} tests, {tested['processes']} processes started; exit code {code}")
    for kind, found in above.items():
        print(f"{len(found)} of {len(topics)} topics are above the budget of {BUDGETS[kind]:g} CPU s in the {kind}")
    if topic is None:
        result = {
            "what": "CPU seconds of the check and of the suite, by part and topic",
            "budgets": BUDGETS,
            "above": above,
            "check": {"seconds": in_all, "failed": failed, "topics": checked},
            "suite": tested | {"exit_code": code},
            "environment": environment(torch.device("cpu"), time.perf_counter() - began),
        }
        (RESULTS / "suite.json").write_text(json.dumps(result, indent=1) + "\n")
    return int(bool(code or failed or any(above.values())))


if __name__ == "__main__":
    sys.exit(main())
