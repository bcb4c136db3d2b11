"""Shared set-up: JAX computes in float64, and compiles as in a check, before any test imports a topic; one BLAS thread where
tests share the cores.
"""

import os

from shared_specs.backends.jax_settings import QUICK

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}"  # read once, when JAX begins, whichever test that is
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax  # noqa: E402
import torch  # noqa: E402

jax.config.update("jax_enable_x64", True)


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
