"""Several runs on one page: their metrics side by side, their curves in one panel, their samples over the same training."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from practice_torch.engine.errors import RunError
from practice_torch.engine.storage.run import Run
from practice_torch.reports.curves import Mark, Series, panel
from practice_torch.reports.records import Story, read_evaluation, read_json, read_metrics, read_stories
from practice_torch.reports.report import HELD_OUT, words, write_page

COLORS = 8  # of the style sheet: the ninth run begins again with the first
MOST_PREVIEWS = 4  # of one run and one name: as many as fit in a row
ABSENT = "–"


@dataclass(frozen=True)
class Compared:
    """A run for the page: its displayed name, its CSS class, and the content of its folder."""

    name: str
    style: str
    asked: dict
    evaluation: dict
    environment: dict
    rows: list
    stories: dict[str, Story]


@dataclass(frozen=True)
class Overlay:
    """One logged name of one phase: every run's curve, and the last value of each."""

    title: str
    phase: str
    svg: Markup
    ends: tuple[tuple[str, str, float], ...]


class Spread(NamedTuple):
    """The mean of a number over several runs, its standard deviation, and its ends."""

    mean: float
    deviation: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Repeated:
    """Runs whose recipes differ in the seed alone: their seeds, and the spread of every metric that all of them have."""

    title: str
    seeds: tuple[int, ...]
    metrics: dict[str, Spread]


def write_comparison(folders: Sequence[str | Path], path: str | Path) -> Path:
    """Write one page that compares the runs in these folders; returns its path. RunError if one is no run or given twice."""
    runs, missing = read_runs(folders)
    metrics = _names(run.evaluation.get("metrics", {}) for run in runs)
    overlays, alone = curves_of(runs)
    return write_page(
        path,
        "comparison.html.jinja",
        runs=runs,
        best=_best(runs),
        metrics={name: [run.evaluation.get("metrics", {}).get(name) for run in runs] for name in metrics},
        repeated=over_seeds(runs),
        overlays=overlays,
        alone=alone,
        fields=_differences([run.asked["fields"] for run in runs]),
        data=_differences([run.asked["data"] for run in runs]),
        same_data=len({run.asked["data"].get("sha256") for run in runs}) == 1,
        environments=_differences([run.environment for run in runs], skip=("command",)),
        equal=_equal([run.environment for run in runs]),
        stories={name: [run for run in runs if name in run.stories] for name in _names(run.stories for run in runs)},
        missing=missing,
    )


def read_runs(folders: Sequence[str | Path], names: Sequence[str] | None = None) -> tuple[list[Compared], list[str]]:
    """Data of the runs in these folders for a page, and a list of unreadable files; names: default: those of the folders."""
    runs, missing = [], []
    opened = [Run.open(folder) for folder in folders]
    for index, run in enumerate(opened):
        if any(os.path.samefile(run.folder, other.folder) for other in opened[:index]):
            raise RunError(f"{run.folder} is given twice; give different runs to compare")
    names = names or [Path(os.path.abspath(run.folder)).name for run in opened]
    names = names if len(set(names)) == len(names) else [str(run.folder) for run in opened]
    for index, (name, run) in enumerate(zip(names, opened, strict=True)):
        said = []
        runs.append(
            Compared(
                name=name,
                style=f"run{index % COLORS}",
                asked=run.asked,
                evaluation=read_evaluation(run.folder / "evaluation.json", said),
                environment=read_json(run.folder / "environment.json", said),
                rows=read_metrics(run.folder / "metrics.csv", said),
                stories={story.name: story for story in read_stories(run.folder / "previews", said, MOST_PREVIEWS)},
            )
        )
        missing += [f"{name}: {line}" for line in said]
    return runs, missing


def _names(dicts):
    """The keys of all, each once, in the order of their first appearance."""
    return list(dict.fromkeys(key for one in dicts for key in one))


def _best(runs):
    """Indices of the runs with the best headline metric; none if the headline metrics differ."""
    judged = [(run.evaluation.get("metric"), run.evaluation.get("direction")) for run in runs]
    if None in judged[0] or len(set(judged)) > 1:
        return ()
    values = [run.evaluation["value"] for run in runs]
    best = min(values) if judged[0][1] == "lower" else max(values)
    return tuple(index for index, value in enumerate(values) if value == best)


def over_seeds(runs: Sequence[Compared]) -> list[Repeated]:
    """Runs that are evaluated and whose recipes differ in the seed alone, of each seed the first; at least two of them."""
    groups = {}
    for run in runs:
        if run.evaluation.get("metrics"):
            fields = {name: value for name, value in run.asked["fields"].items() if name != "seed"}
            group = groups.setdefault((run.asked["topic"], json.dumps(fields, sort_keys=True)), {})
            group.setdefault(run.asked["fields"]["seed"], run)
    return [_repeated(group) for group in groups.values() if len(group) > 1]


def _repeated(group):
    asked, found = next(iter(group.values())).asked, [run.evaluation["metrics"] for run in group.values()]
    shared = [name for name in found[0] if all(metrics.get(name) is not None for metrics in found)]
    title = f"{asked['topic']} {asked['recipe']}"
    return Repeated(title, tuple(group), {name: _spread([metrics[name] for metrics in found]) for name in shared})


def _spread(values):
    mean = sum(values) / len(values)
    squares = sum((value - mean) ** 2 for value in values)
    return Spread(mean, math.sqrt(squares / (len(values) - 1)), min(values), max(values))


def curves_of(runs: Sequence[Compared], fewest: int = 2) -> tuple[list[Overlay], list[str]]:
    """Panels for metrics logged by at least `fewest` runs (headline metric first), and the names of the others."""
    lines = _lines(runs)
    judged = {(HELD_OUT, run.evaluation.get("metric")) for run in runs}
    shared = sorted((line for line in lines if len(lines[line]) >= fewest), key=lambda line: line[:2] not in judged)
    overlays = [overlay for phase, name, topic in shared if (overlay := _overlay(lines[phase, name, topic], phase, name))]
    return overlays, [f"{words(name)} ({_phase(phase)})" for phase, name, topic in lines if (phase, name, topic) not in shared]


def _lines(runs):
    """(phase, name, topic) -> [(run, its points)]: losses of different topics are different things, held-out metrics are not."""
    lines = {}
    for run in runs:
        points = {}
        for step, phase, name, value in run.rows:
            points.setdefault((phase, name, None if phase == HELD_OUT else run.asked["topic"]), []).append((step, value))
        for line, its_points in points.items():
            lines.setdefault(line, []).append((run, tuple(its_points)))
    return lines


def _overlay(found, phase, name):
    """The panel of one metric of several runs; None if no run has a second point: the table then suffices."""
    if all(len(points) < 2 for _, points in found):
        return None
    series = [Series(run.name, run.style, points) for run, points in found]
    targets = {run.evaluation.get("target") for run, _ in found if (HELD_OUT, run.evaluation.get("metric")) == (phase, name)}
    marks = tuple(Mark("target", target) for target in sorted(targets - {None}))
    svg = panel(words(name), series, max(step for _, points in found for step, _ in points), marks)
    ends = tuple((line.name, line.style, line.points[-1][1]) for line in series)
    return Overlay(words(name), _phase(phase), svg, ends) if svg else None


def _phase(phase):
    return "held-out" if phase == HELD_OUT else words(phase)


def _differences(dicts, skip=()):
    """name -> the value in every dict, where they are not all the same; ABSENT where one has none."""
    names = [name for name in _names(dicts) if name not in skip]
    table = {name: [one.get(name, ABSENT) for one in dicts] for name in names}
    return {name: values for name, values in table.items() if any(value != values[0] for value in values)}


def _equal(dicts):
    """Items common to all dicts."""
    return {name: value for name, value in dicts[0].items() if all(one.get(name, ABSENT) == value for one in dicts)}
