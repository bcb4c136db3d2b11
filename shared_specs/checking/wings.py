"""Checks the two wings: one process for each topic, with progress."""

import gc
import os
import sys
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared_specs.backends import backend
from shared_specs.checking.implementation import Fault
from shared_specs.stopping import process_count, worker_processes

if TYPE_CHECKING:
    from shared_specs.checking.check import Result

PRECISIONS = ("float64", "float32")


def check_in_processes(topics: Sequence[str], backends: Sequence[str], jobs: int = 0, compiled: bool = False) -> "list[Result]":
    """Every row of the topics on the named backends, in both precisions, in this many processes (0: see process_count).

    compiled: every row of the JAX wing is compiled by XLA, not only the first of every function.
    """
    workers = min(process_count(jobs), len(topics))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results = []
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("checking", total=len(topics))
        if workers == 1:
            for topic in topics:
                progress.update(bar, description=topic)
                results += check_wings(topic, backends, compiled)
                progress.advance(bar)
            return results
        check = partial(check_wings, backends=backends, compiled=compiled)
        try:
            with worker_processes(workers, _alone_on_a_core, (backends,)) as pool:
                for topic, found in zip(topics, pool.map(check, topics), strict=True):
                    results += found
                    progress.update(bar, advance=1, description=topic)
        except BrokenProcessPool:
            said = f"a process of the check was killed, after {len(results)} comparisons (out of memory?)"
            raise Fault(f"{said}; try fewer at a time: --jobs 1") from None
    return results


def check_wings(topic: str, backends: Sequence[str], compiled: bool = False) -> "list[Result]":
    """The work of one process: all rows of one topic."""
    from shared_specs.checking.check import check_topic, forget, rows_to_compile
    from shared_specs.checking.reference import wing

    by_xla = rows_to_compile(topic, everything=compiled)
    wings = [wing(name, topic, precision) for name in backends for precision in PRECISIONS]
    results = [result for each in wings for result in check_topic(topic, each, widths=True, compiled=by_xla)]
    forget()  # programs compiled for one topic serve no other, and would fill the memory
    return results


def _alone_on_a_core(backends):
    """A process a core, each on one thread: more would compete for it.

    Garbage collection takes a tenth of a check: it skips what the frameworks have loaded, and runs once in 100,000 objects.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in {"jax", *backends}:  # the reference is the JAX wing
        backend(name)
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
