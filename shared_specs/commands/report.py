"""The output of `check`: a table with a line for each topic, then the failures; and the same as data."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from shared_specs.checking.check import Result
from shared_specs.checking.comparing import CALL, DTYPE
from shared_specs.checking.laws import FALSE_ALARM
from shared_specs.grading.marks import in_the_lecture
from shared_specs.rows import Anchor, Law, Row

SCHEMA = 1


def as_data(
    topics: Mapping[str, Sequence[Row]], results: Sequence[Result], seconds: float, excuse_edges: bool = False
) -> dict[str, Any]:
    """The report as JSON-ready data. topics: {path: rows}. excuse_edges: rows marked `edge` are counted, and fail nothing."""
    decisive = [r for r in results if not (excuse_edges and r.edge)]
    edges = [r for r in results if r.edge]
    return {
        "schema": SCHEMA,
        "passed": bool(decisive) and all(result.passed for result in decisive),
        "seconds": seconds,
        "edge": {"comparisons": len(edges), "failed": sum(not r.passed for r in edges), "excused": excuse_edges},
        "topics": [summary(topic, rows, [r for r in decisive if r.topic == topic]) for topic, rows in topics.items()],
        "notes": list(notes(topics, results)),
        "results": [result.as_dict() for result in results],
    }


def summary(topic: str, rows: Sequence[Row], results: Sequence[Result]) -> dict[str, Any]:
    """One line of the table: rows of the spec, distinct cases compared, the worst ratio in each precision, the verdict."""
    worst = {
        precision: max((r.ratio for r in results if r.precision == precision), default=0.0)
        for precision in ("float64", "float32")
    }
    return {
        "topic": topic,
        "rows": len(rows),
        "cases": len({(r.word, r.function, r.case, r.quantity) for r in results}),
        **{f"worst_{precision}": value if value < float("inf") else None for precision, value in worst.items()},
        "passed": bool(results) and all(r.passed for r in results),
    }


def table(summaries: Sequence[dict[str, Any]]) -> Table:
    """The summaries as a table: worst error as a share of the tolerance, in both precisions."""
    grid = Table(box=None, padding=(0, 2, 0, 0), caption="error / tolerance: the worst of all cases; above 1 fails")
    grid.add_column("topic", no_wrap=True)
    for title in ("rows", "cases", "float64", "float32"):
        grid.add_column(title, justify="right", no_wrap=True)
    grid.add_column("", no_wrap=True)
    for line in summaries:
        verdict = "[green]holds[/]" if line["passed"] else "[red]FAILS[/]"
        ratios = (_ratio(line[key]) for key in ("worst_float64", "worst_float32"))
        grid.add_row(line["topic"], str(line["rows"]), str(line["cases"]), *ratios, verdict)
    return grid


def verdict(results: Sequence[Result], data: dict[str, Any]) -> str:
    """The last line: numbers of comparisons and of failures in the core and at the edge, and the unjudged parts."""
    edge, excused = data["edge"], data["edge"]["failed"] if data["edge"]["excused"] else 0
    failed = sum(not r.passed for r in results) - excused
    said = [f"{failed} FAILED" if failed else "all hold in the core" if excused else "all hold"]
    if not results:
        said = ["NOTHING WAS COMPARED"]
    if compiled := sum(r.compiled for r in results):
        said.append(f"{compiled} of them compiled by XLA, the other rows of that wing run by NumPy from JAX's trace")
    if edge["comparisons"]:
        failing = f", where {excused} fail" if excused else ""
        said.append(f"{edge['comparisons']} of them at the edge (float32, empty batches){failing}")
    if data["not_judged"]:
        said.append(f"not judged: {'; '.join(data['not_judged'])}")
    return f"{len(results)} comparisons in {data['seconds']:.1f} s: {'; '.join(said)}"


def _ratio(worst):
    return "inf" if worst is None else f"{worst:.3f}" if worst < 1e4 else f"{worst:.1e}"


def failures(results: Sequence[Result]) -> Iterator[str]:
    """An entry for every comparison that failed, once for all precisions and backends it failed in.

    Calls that failed for one reason are one entry, however many cases they are.
    """
    groups = {}
    for r in results:
        if not r.passed:
            alike = r.message if r.quantity in (CALL, DTYPE) else r.case
            groups.setdefault((r.topic, r.function, alike, r.quantity), []).append(r)
    for (topic, function, _, quantity), group in groups.items():
        where = ", ".join(dict.fromkeys(f"{r.backend} {r.precision}" for r in group))
        cases = list(dict.fromkeys(r.case for r in group))
        case = f"{cases[0]}, and {len(cases) - 1} more" if len(cases) > 1 else cases[0]
        message = group[0].message or f"the error is {group[0].ratio:.3g} tolerances"
        edge = f" [edge: {group[0].edge}]" if group[0].edge else ""
        yield f"{topic}  {function or 'law'} ({case}){edge}\n    {quantity} ({where}): {message}"


def lecture_lines(topics: Mapping[str, Sequence[Row]], results: Sequence[Result]) -> Iterator[str]:
    """Where the lectures speak of the known mistakes among the failures, a line each."""
    rows = {(topic, row.function, row.case): row for topic, spec in topics.items() for row in spec if isinstance(row, Anchor)}
    failed = (r for r in results if not r.passed and r.word == "Anchor")
    yield from dict.fromkeys(
        f"{r.function}: {where}" for r in failed if (where := in_the_lecture(r.topic, rows[r.topic, r.function, r.case], r))
    )


def notes(topics: Mapping[str, Sequence[Row]], results: Sequence[Result]) -> Iterator[str]:
    """Remarks on passing rows: wider tolerances and their reasons, and tolerances much wider than needed."""
    for topic, rows in topics.items():
        for row in rows:
            if cancels := getattr(row, "cancels", None):
                where = f"{topic}  {getattr(row, 'function', 'law')} ({row.case})"
                yield f"{where}: tolerance + 16 u {cancels.magnitude:g}, as {cancels.because}"
            if isinstance(row, Law) and row.relation == "unbiased":
                rates = f"false alarm {FALSE_ALARM:.1g}, a bias of {row.detects:g} missed with 1e-3"
                yield f"{topic}  law ({row.case}): {row.draws} draws; {rates}"
    for topic, function, case, quantity in unused(results):
        yield f"{topic}  {function or 'law'} ({case}), {quantity}: no run used 1% of the tolerance"


def unused(results: Sequence[Result]) -> list[tuple[str, str, str, str]]:
    """(topic, function, case, quantity) of every tolerance that no backend and precision used 1% of."""
    groups = {}
    for r in results:
        groups.setdefault((r.topic, r.function, r.case, r.quantity), []).append(r)
    return [key for key, group in groups.items() if all(r.loose for r in group)]
