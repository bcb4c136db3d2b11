"""The page of a project: question, findings, table, and its models' curves, samples, commands and times."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from practice_torch.projects.runner import SHOWN, TIMES
from practice_torch.reports.comparison import curves_of, read_runs
from practice_torch.reports.curves import short
from practice_torch.reports.records import read_json, read_stories
from practice_torch.reports.report import write_page

MOST_PREVIEWS = 4  # of one name: a judgment has one


def write_project_page(folder: Path, results: Mapping[str, Any], path: Path) -> Path:
    """Write the page of a project that is done, from its results and its folder, to `path`; returns it."""
    models = results["models"]
    runs, missing = read_runs([folder / model["folder"] for model in models.values()], list(models))
    shown = tables(folder, results, missing)
    # metrics of models on other data have the same names: their curves are in their own reports
    overlays = [] if len(shown) > 1 else curves_of(runs)[0] or curves_of(runs, fewest=1)[0]
    return write_page(
        path,
        "project.html.jinja",
        results=results,
        tables=shown,
        explained={column: about for table in shown for column, about in table.columns.items()},
        formatted=formatted,
        runs=runs,
        seconds=sum(run.environment.get("seconds", 0) for run in runs),
        overlays=overlays,
        stories=_as_judged(folder / SHOWN, missing),
        missing=missing,
    )


def _as_judged(folder, missing):
    """What a judgment shows, in the order in which it gives it: that of the captions."""
    order = {Path(name).stem: place for place, name in reversed(list(enumerate(read_json(folder / "captions.json", []))))}
    return sorted(read_stories(folder, missing, MOST_PREVIEWS), key=lambda story: order.get(story.name, len(order)))


class Table(NamedTuple):
    """Rows on the same data with the columns that one of them has; best: column -> the rows of its best models."""

    name: str
    columns: dict[str, dict]
    rows: dict[str, dict]
    best: dict[str, set[str]]


def tables(folder: Path, results: Mapping[str, Any], missing: list[str]) -> list[Table]:
    """The parts of the results' table, with times.json if it exists; if it cannot be read, it is added to `missing`."""
    times = read_json(folder / TIMES, missing) or {"columns": {}, "rows": {}}
    columns, rows = results["columns"] | times["columns"], {}
    for title, row in results["rows"].items():
        cells = row["cells"] | times["rows"].get(title, {})
        rows.setdefault(row["table"], {})[title] = {"role": row["role"], "cells": cells}
    found = []
    for name, part in rows.items():
        of_part = {column: about for column, about in columns.items() if any(column in row["cells"] for row in part.values())}
        found.append(Table(name, of_part, part, _best(of_part, part)))
    return found


def formatted(number: float) -> str:
    """A number of the table: a large count with all its digits."""
    return f"{number:,.0f}" if abs(number) >= 1000 and float(number).is_integer() else short(number)


def _best(columns, rows):
    """column -> the models with the best value; columns with equal values are left out."""
    best = {}
    for column, about in columns.items():
        of_models = {
            title: row["cells"][column]["value"]
            for title, row in rows.items()
            if row["role"] == "model" and column in row["cells"]
        }
        if about["better"] and len(of_models) > 1:
            choice = {"lower": min, "higher": max}[about["better"]](of_models.values())
            best[column] = {title for title, value in of_models.items() if value == choice}
    return best
