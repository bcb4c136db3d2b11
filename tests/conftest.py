"""Shared set-up: JAX computes in float64, and compiles as in a check, before any test imports a topic; one BLAS thread where
tests share the cores. Options: --topic for the tests of one topic, --compiled for every row by XLA (`make topic` gives both),
--day for one day's of the tests that are marked weekly (`make test` gives today).
"""

import gc
import importlib.util
import logging
import os
import sys

import pytest
import xdist

from shared_specs.backends.jax_settings import QUICK
from tests.support.commands.planned import planned_topics  # noqa: F401 - a fixture of all commands' tests
from tests.support.engine.forks import forked  # noqa: F401 - a fixture: one program for all files that ask for it
from tests.support.topics import DAYS, day_of, kept, may_hold, selected_topics, topics_of_file

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}"  # read once, when JAX begins, whichever test that is
# On busy cores, threads that wait for each other spin, and nearly double the CPU seconds of a test.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Containers often set it; some seventy processes of the suite would then compile every module again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_addoption(parser):
    group = parser.getgroup("diptych")
    group.addoption(
        "--topic", metavar="TOPIC", help="run only the tests of this topic, of the parts that it uses, and of all topics"
    )
    group.addoption("--peers", action="store_true", help="run only comparisons with other libraries; a missing one is an error")
    group.addoption("--compiled", action="store_true", help="compile every row of the contracts, and every step of a derivation")
    group.addoption("--day", type=int, choices=range(DAYS), help="of the tests that are marked weekly, run this day's alone")


def pytest_configure(config):
    config.addinivalue_line("markers", "rule: holds for all topics at once; --topic runs it, too")
    config.addinivalue_line("markers", "weekly: costs much, and is one of many alike; `make test` runs it on one day of the week")
    config.addinivalue_line("markers", "peers(*modules): compares with other libraries; skipped where one is not installed")
    config.topics = selected_topics(config.getoption("--topic"))


def pytest_report_header(config):
    day = config.getoption("--day")
    return None if day is None else f"weekly tests: those of day {day} of 0 to {DAYS - 1}; `make test-all` runs all of them"


def pytest_sessionstart(session):
    """The process that only hands tests out to others needs neither backend."""
    if not xdist.is_xdist_controller(session):
        import jax

        jax.config.update("jax_enable_x64", True)


def pytest_ignore_collect(collection_path, config):
    """The files of other topics are not even imported, unless they hold tests of a part that these topics use."""
    is_test = collection_path.suffix == ".py"
    return True if config.topics and is_test and not may_hold(collection_path, config.topics) else None


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config, items):
    config.collected = tuple(items)
    if config.topics:
        found = dict.fromkeys(kept(items, config.topics))
        config.hook.pytest_deselected(items=[item for item in items if item not in found])
        items[:] = found
    if config.getoption("--peers"):
        config.hook.pytest_deselected(items=[item for item in items if not item.get_closest_marker("peers")])
        items[:] = [item for item in items if item.get_closest_marker("peers")]
    day = config.getoption("--day")
    if day is not None and not config.topics:
        left_out = dict.fromkeys(item for item in items if item.get_closest_marker("weekly") and day_of(item) != day)
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(min(topics_of_file(item.path), default=item.path.stem)))


def pytest_collection_finish(session):
    """Turn off small costs in each of thousands of tests: garbage collection, and log handlers."""
    # A seventh of a topic's tests: what was imported is skipped, and there is a collection in 100,000 objects.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    # pytest adds its handlers, in each phase of each test, to every logger that does not propagate. torch has 44 of them, and one
    # formats the trace of every compilation if it has a handler.
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.propagate = True


@pytest.fixture(scope="session")
def compiled(pytestconfig):
    """Whether everything is to be compiled (--compiled), and not only what the whole suite compiles."""
    return pytestconfig.getoption("--compiled")


@pytest.fixture
def in_full(request):
    """Whether a test is to do all of its work: where it is its topic's day, and without --day."""
    day = request.config.getoption("--day")
    return day is None or bool(request.config.topics) or day_of(request.node) == day


def pytest_runtest_setup(item):
    _require_peers(item)
    _forget_the_last_topic(item)


def _require_peers(item):
    """Skips a comparison with a library that is not installed; with --peers its absence is an error."""
    marker = item.get_closest_marker("peers")
    if missing := [name for name in (marker.args if marker else ()) if importlib.util.find_spec(name) is None]:
        refuse = pytest.fail if item.config.getoption("--peers") else pytest.skip
        refuse(f"{', '.join(missing)} is not installed; `make test-peers` installs it")


def _forget_the_last_topic(item):
    """Tests of one topic, or file, run in a row; with the next, what was compiled for the last one goes: it fills the memory."""
    place = item.get_closest_marker("xdist_group").args[0]
    if place != _last.get("place"):
        if _last:
            import torch

            from shared_specs.checking.check import forget

            forget()
            torch._dynamo.reset()
        _last["place"] = place


_last = {}
