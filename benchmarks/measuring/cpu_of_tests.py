"""A pytest plugin: the CPU seconds of every test, and the processes that it starts.

    python -m pytest -p benchmarks.measuring.cpu_of_tests --cpu-to FILE ...

Seconds are those of the test's process and of its children, user and system time, with set-up and tear-down; a child's children
count once it has waited for them. (Where there is no /proc, a child itself counts only once it has ended and was waited for.)
Processes are those that the test's own process starts or forks. Under pytest-xdist each worker measures its tests, and the
controller writes the file: JSON, a record for each phase of each test.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.topics import topics_of

STARTS = {"subprocess.Popen", "os.fork", "os.posix_spawn"}  # as sys.audit names them
_last = {"seconds": 0.0, "starts": 0, "shared": 0.0}
_records = []


def pytest_addoption(parser):
    parser.addoption("--cpu-to", metavar="FILE", type=Path, required=True)


def pytest_configure():
    sys.addaudithook(_count)


def _count(event, arguments):
    # from Python 3.13 on, subprocess.Popen starts its process by os.posix_spawn: one start, two events
    again = event == "os.posix_spawn" and sys._getframe(1).f_globals.get("__name__") == "subprocess"
    _last["starts"] += event in STARTS and not again


def _seconds():
    return sum(os.times()[:4]) + sum(map(_of_child, _children()))


def _children():
    """The processes that this one has started and not yet waited for; unknown while a test has given up its rights."""
    try:
        return [number for task in Path("/proc/self/task").glob("*/children") for number in task.read_text().split()]
    except PermissionError:
        return []


def _of_child(number):
    """User and system time of a process and of the children that it has waited for: fields 14 to 17 of its stat, in ticks."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # gone just now
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart():
    _last.update(seconds=_seconds(), starts=0, shared=0.0)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef):
    """What is made once for all tests is `shared`: it is no cost of the test that comes first."""
    if fixturedef.scope != "session":
        return (yield)
    before = _seconds()
    made = yield
    _last["shared"] += _seconds() - before
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    now = _seconds()
    report.cost = {
        "file": item.location[0],
        "phase": report.when,
        "outcome": report.outcome,
        "topics": sorted(topics_of(item)),
        "seconds": now - _last["seconds"],
        "starts": _last["starts"],
        "shared": _last["shared"],
    }
    _last.update(seconds=now, starts=0, shared=0.0)
    return report


def pytest_runtest_logreport(report):
    _records.append(report.cost)


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        session.config.getoption("--cpu-to").write_text(json.dumps(_records))
