"""Shared set-up: JAX computes in float64 before any test imports a topic; one BLAS thread where tests share the cores."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax  # noqa: E402

jax.config.update("jax_enable_x64", True)


def pytest_runtest_setup(item):
    """Tests of one topic run in a row; with the next topic, what JAX compiled for the last one goes: it would fill the memory."""
    marker = item.get_closest_marker("xdist_group")
    topic = marker.args[0] if marker else None
    if topic is not None and topic != _last.get("topic"):
        if _last:
            from shared_specs.check import forget

            forget()
        _last["topic"] = topic


_last = {}
