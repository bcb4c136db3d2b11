"""What `check` prints: a table with a line a topic, what failed below it; and the same as data."""

from rich.table import Table

from shared_specs.check import FALSE_ALARM
from shared_specs.rows import Law

SCHEMA = 1


def as_data(topics, results, seconds):
    """The report as JSON-ready data. topics: {path: rows}."""
    return {
        "schema": SCHEMA,
        "passed": all(result.passed for result in results),
        "seconds": seconds,
        "topics": [summary(topic, rows, [r for r in results if r.topic == topic]) for topic, rows in topics.items()],
        "results": [result.as_dict() for result in results],
    }


def summary(topic, rows, results):
    """One line of the table: rows of the spec, distinct cases compared, the worst ratio in each precision, the verdict."""
    worst = {
        precision: max((r.ratio for r in results if r.precision == precision), default=0.0) for precision in ("float64", "float32")
    }
    return {
        "topic": topic,
        "rows": len(rows),
        "cases": len({(r.word, r.function, r.case, r.quantity) for r in results}),
        **{f"worst_{precision}": value if value < float("inf") else None for precision, value in worst.items()},
        "passed": bool(results) and all(r.passed for r in results),
    }


def table(summaries):
    """The summaries as a table: worst error as a share of the tolerance, in both precisions."""
    grid = Table(box=None, padding=(0, 2, 0, 0), caption="error / tolerance: the worst of all cases; above 1 fails")
    for title, justify in (("topic", "left"), ("rows", "right"), ("cases", "right"), ("float64", "right"), ("float32", "right"), ("", "left")):
        grid.add_column(title, justify=justify, no_wrap=True)
    for line in summaries:
        verdict = "[green]holds[/]" if line["passed"] else "[red]FAILS[/]"
        ratios = ("inf" if line[key] is None else f"{line[key]:.3f}" for key in ("worst_float64", "worst_float32"))
        grid.add_row(line["topic"], str(line["rows"]), str(line["cases"]), *ratios, verdict)
    return grid


def failures(results):
    """A line for everything that failed."""
    for r in results:
        if not r.passed:
            where = f"{r.topic}  {r.function or 'law'}  ({r.case})"
            yield f"{where}\n    {r.backend} {r.precision}, {r.quantity}: {r.message or f'error is {r.ratio:.3g} tolerances'}"


def notes(topics, results):
    """What a reader should know though it failed nothing: rows that asked for more room, and tolerances nobody uses."""
    for topic, rows in topics.items():
        for row in rows:
            if getattr(row, "cancels", None):
                yield f"{topic}  {getattr(row, 'function', 'law')} ({row.case}): tolerance + 16 u {row.cancels.magnitude:g}, as {row.cancels.because}"
            if isinstance(row, Law) and row.relation == "unbiased":
                yield f"{topic}  law ({row.case}): {row.draws} draws; false alarm {FALSE_ALARM:.1g}, a bias of {row.detects:g} missed with 1e-3"
    groups = {}
    for r in results:
        groups.setdefault((r.topic, r.word, r.function, r.case, r.quantity), []).append(r)
    loose = [key for key, group in groups.items() if all(r.loose for r in group)]
    for topic, _, function, case, quantity in loose:
        yield f"{topic}  {function or 'law'} ({case}), {quantity}: no run used 1% of the tolerance"
