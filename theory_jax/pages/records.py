"""Running derivations, of topics and of lemmas: their JSON records, one after the other or several at a time."""

import contextlib
import math
import os
import sys
import time
from collections import Counter

from theory_jax.derivation.loading import derivation_of


def records_in_order(topics, *, arithmetic, show=None, debug=False):
    """Run one derivation after the other, and show each page as soon as its claims are executed.

    arithmetic() is the context in which they are executed: it decides what computes JAX's operations.
    show(topic, derivation, results) prints or writes a page.
    """
    records = []
    for number, topic in enumerate(topics, start=1):
        if len(topics) > 1 or not show:
            _progress(number, topics, topic)
        records.append(_record(topic, arithmetic, show, debug))
    return records


def records_in_processes(topics, *, arithmetic, jobs, debug=False):
    """The same records from several processes (jobs = 0: see process_count), without pages."""
    from concurrent.futures import as_completed

    from shared_specs.stopping import process_count, worker_processes

    workers = min(process_count(jobs), len(topics))
    with worker_processes(workers, _one_thread) as pool:
        running = {pool.submit(_record, topic, arithmetic, None, debug): topic for topic in topics}
        for number, done in enumerate(as_completed(running), start=1):
            _progress(number, topics, running[done])
        return [future.result() for future in running]


def _one_thread():
    """A process a core, each with one thread for NumPy: threads that wait for work would take the cores from the others."""
    os.environ["OMP_NUM_THREADS"] = "1"


def _progress(number, topics, topic):
    print(f"[{number}/{len(topics)}] {topic.path}", file=sys.stderr, flush=True)


def _record(topic, arithmetic, show, debug):
    """Run one derivation, show its page if `show`, and return its JSON record."""
    from shared_specs.backends.jax_settings import QUICK  # requires JAX; `list` does not

    began = time.perf_counter()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()  # the last topic's programs: JAX compiles the slower the more of them it holds
    if QUICK not in os.environ.get("XLA_FLAGS", ""):  # read once, when JAX starts; importing a topic alone gives fast code
        os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}"
    record = {"topic": topic.path, "title": topic.title, "lectures": list(topic.lectures), "sources": []}
    record |= {"question": "", "setting": [], "symbols": [], "answer": "", "result": "", "limits": [], "trained": ""}
    try:
        # what a step prints belongs to the reader, not into the JSON
        with contextlib.redirect_stdout(sys.stderr):
            derivation = derivation_of(topic.path)
            with arithmetic():
                results = derivation.run(debug=debug)
    except Exception as error:
        if debug or (isinstance(error, ModuleNotFoundError) and error.name == "jax"):  # without JAX no derivation runs
            raise
        words = f"{type(error).__name__}: {error}"
        print(f"error: {topic.path} does not run: {words}", file=sys.stderr)
        return record | {"passed": False, "seconds": time.perf_counter() - began, "error": words, "summary": words, "claims": []}
    record |= _summary(derivation, results) | {"seconds": time.perf_counter() - began, "error": ""}
    if show:
        show(topic, derivation, results)
    return record


def _summary(derivation, results):
    """Front matter and claims as JSON. Mathematics is LaTeX, in prose between dollar signs."""
    from theory_jax.pages.page import kind, lecture_page

    page = lecture_page(derivation, results)
    return {
        "title": page.title,
        "lectures": list(derivation.lectures),
        "sources": list(page.sources),
        "question": str(page.question),
        "setting": list(map(str, page.setting)),
        "symbols": [{"symbol": s.latex, "meaning": s.meaning, "assumed": s.assumed, "code": s.code} for s in page.symbols],
        "answer": str(page.answer),  # without its fields, which no process needs of another
        "result": page.central,
        "limits": list(map(str, page.limits)),
        "trained": page.trained,
        "summary": page.summary,
        "passed": page.passed,
        "claims": [_claim(result, *of, kind(result)) for result, of in zip(results, _lines(results, page), strict=True)],
    }


def _lines(results, page):
    """The part of the page for every result, and the line of the chain, counted from the one above the first line."""
    from theory_jax.derivation.prose import texts

    items = {id(item.part): item for item in page.items}
    items |= {id(text): item for item in page.items for text, *_ in texts(item.part)}
    seen = Counter()
    for result in results:
        item, seen[id(result.part)] = items.get(id(result.part)), seen[id(result.part)] + 1
        at = seen[id(result.part)]
        rows = item.rows if item and item.form == "chain" and item.part is result.part else ()
        yield item, rows[at - 1 if at == 1 else at : at + 1]


def _claim(result, item, rows, kind):
    """One claim. A reason is that of its line in a chain, else that of the part."""
    finite = result.residual is not None and math.isfinite(result.residual)
    return {
        "number": item.number if item else None,
        "part": item.form if item else "derivation",
        "title": item.title if item else "",
        "central": bool(item and item.central),
        "kind": kind,
        "claim": " ".join(f"{row.relation} {row.latex}".strip() for row in rows) or result.claim,
        "because": str(rows[-1].because if rows else item.after if item else ""),
        "words": result.words,
        "passed": result.passed,
        "error": result.error,
        "residual": result.residual if finite else None,
        "tolerance": getattr(result.part, "tolerance", None),
    }
