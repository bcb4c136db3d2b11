"""Shared set-up: JAX computes in float64, and compiles as in a check, before any test imports a topic; one BLAS thread where
tests share the cores. Options: --topic for the tests of one topic, --compiled for every row by XLA (`make topic` gives both).
"""

import gc
import os

from shared_specs.backends.jax_settings import QUICK

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}"  # read once, when JAX begins, whichever test that is
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from tests.topics import asked_for, kept, topics_of_file  # noqa: E402

jax.config.update("jax_enable_x64", True)


def pytest_addoption(parser):
    group = parser.getgroup("diptych")
    group.addoption("--topic", metavar="TOPIC", help="run only the tests of this topic, and the rules that all topics keep")
    group.addoption("--compiled", action="store_true", help="compile every row of the contracts, and every step of a derivation")


def pytest_configure(config):
    config.addinivalue_line("markers", "rule: holds for all topics at once; --topic runs it, too")
    config.topics = asked_for(config.getoption("--topic"))


def pytest_ignore_collect(collection_path, config):
    """The files of other topics are not even imported."""
    own = topics_of_file(collection_path) if collection_path.suffix == ".py" else set()
    return True if config.topics and own and not own & config.topics else None


def pytest_collection_modifyitems(config, items):
    if config.topics:
        found = dict.fromkeys(kept(items, config.topics))
        config.hook.pytest_deselected(items=[item for item in items if item not in found])
        items[:] = found


def pytest_collection_finish(session):
    """Garbage collection takes a seventh of a topic's tests: it skips what was imported, and runs once in 100,000 objects."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope="session")
def compiled(pytestconfig):
    """Whether everything is to be compiled (--compiled), and not only what the whole suite compiles."""
    return pytestconfig.getoption("--compiled")


def pytest_runtest_setup(item):
    """Tests of one topic, or file, run in a row; with the next, what was compiled for the last one goes: it fills the memory."""
    marker = item.get_closest_marker("xdist_group")
    place = marker.args[0] if marker else item.path
    if place != _last.get("place"):
        if _last:
            from shared_specs.check import forget

            forget()
            torch._dynamo.reset()
        _last["place"] = place


_last = {}
