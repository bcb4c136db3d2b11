"""The output of `show`: the functions of a topic with formulas, rows and near misses, its laws and networks."""

from collections.abc import Iterator

from shared_specs.checking.check import spec_of
from shared_specs.grading.against import functions_of
from shared_specs.grading.declared import docstring, signature
from shared_specs.rows import Agree, Anchor, Law, Model, Rejects


def lines(topic: str, title: str, only: str | None = None) -> Iterator[str]:
    """The lines for one topic; only: of this function alone."""
    rows = spec_of(topic)
    yield f"{topic}: {title} ({len(rows)} rows)"
    for name in [only] if only else functions_of(topic):
        yield ""
        yield f"{name}{signature(topic, name)}"
        yield from (f"    {line}".rstrip() for line in docstring(topic, name).splitlines())
        yield from _rows_of([row for row in rows if getattr(row, "function", None) == name])
    if only:
        return
    for heading, kind in (("laws", Law), ("networks", Model)):
        chosen = [row for row in rows if isinstance(row, kind)]
        if chosen:
            yield ""
            yield heading
            yield from (f"    {f'{row.network}, ' if kind is Model else ''}{row.case}{_edge(row)}" for row in chosen)


def _rows_of(rows):
    yield "  rows"
    for row in rows:
        if isinstance(row, Agree):
            kind = "values" if row.no_gradient else "values and gradients"
            yield f"    {kind}: {row.case}{_edge(row)}"
        elif isinstance(row, Anchor):
            yield f"    answer known: {row.case} ({row.source}){_edge(row)}"
            yield from (f"        near miss: {mistake}" for mistake in row.near_misses)
        elif isinstance(row, Rejects):
            yield f"    refuses, naming {row.blames}: {row.case}"


def _edge(row):
    return f" [edge: {row.edge}]" if getattr(row, "edge", "") else ""
