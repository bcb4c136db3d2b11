"""Running the derivations of topics: what the JSON says of each, one after the other or several at a time."""

import contextlib
import importlib
import math
import os
import sys
import time


def records_in_order(topics, *, arithmetic, pages, debug=False):
    """Run one derivation after the other, and print each page as soon as its steps are done.

    arithmetic() is the context in which the steps are executed: it decides what computes JAX's operations.
    """
    records = []
    for number, topic in enumerate(topics, start=1):
        if len(topics) > 1 or not pages:
            _progress(number, topics, topic)
        records.append(_record(topic, arithmetic, pages, debug))
    return records


def records_in_processes(topics, *, arithmetic, jobs, debug=False):
    """The same records from several processes (jobs = 0: one for each core), without pages."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from joblib import cpu_count

    workers = min(jobs or cpu_count(), len(topics))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        running = {pool.submit(_record, topic, arithmetic, False, debug): topic for topic in topics}
        for number, done in enumerate(as_completed(running), start=1):
            _progress(number, topics, running[done])
        return [future.result() for future in running]


def _one_thread():
    """A process a core, each with one thread for NumPy: threads that wait for work would take the cores from the others."""
    os.environ["OMP_NUM_THREADS"] = "1"


def _progress(number, topics, topic):
    print(f"[{number}/{len(topics)}] {topic.path}", file=sys.stderr, flush=True)


def _record(topic, arithmetic, pages, debug):
    """Run one derivation, print its page if asked to, and return what the JSON says of it."""
    from shared_specs.backends.jax_settings import QUICK  # asks for JAX's version; `list` needs no JAX

    began = time.perf_counter()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()  # the last topic's programs: JAX compiles the slower the more of them it holds
    if QUICK not in os.environ.get("XLA_FLAGS", ""):  # read once, when JAX begins; whoever only imports a topic gets fast code
        os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}"
    record = {"topic": topic.path, "title": topic.title, "lectures": list(topic.lectures), "sources": []}
    try:
        # what a step prints belongs to the reader, not into the JSON
        with contextlib.redirect_stdout(sys.stderr):
            derivation = importlib.import_module("theory_jax." + topic.path.replace("/", ".")).derivation
            with arithmetic():
                results = derivation.run(debug=debug)
    except Exception as error:
        if debug or (isinstance(error, ModuleNotFoundError) and error.name == "jax"):  # without JAX no derivation runs
            raise
        words = f"{type(error).__name__}: {error}"
        print(f"error: {topic.path} does not run: {words}", file=sys.stderr)
        return record | {"passed": False, "seconds": time.perf_counter() - began, "error": words, "steps": []}
    record |= {"title": derivation.title, "lectures": list(derivation.lectures), "sources": list(derivation.sources)}
    record |= {
        "passed": all(result.passed for result in results),
        "seconds": time.perf_counter() - began,
        "error": "",
        "steps": [_step(result) for result in results],
    }
    if pages:
        from theory_jax.page import print_page

        print_page(derivation, results, topic=topic.path)
    return record


def _step(result):
    step = result.step
    residual = result.residual
    return {
        "name": step.name,
        "kind": step.kind,
        "claim": step.claim,
        "because": step.because,
        "residual": residual if residual is not None and math.isfinite(residual) else None,
        "tolerance": step.tolerance,
        "since": step.since,
        "passed": result.passed,
        "error": result.error,
    }
