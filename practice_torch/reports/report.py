"""The report of a run: one HTML file, made from the run folder, that needs no other file and no network."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from practice_torch.engine.published import Published
from practice_torch.engine.storage.run import Run
from practice_torch.reports import curves
from practice_torch.reports.curves import Beginning, Mark, Series, panel, short
from practice_torch.reports.records import (
    read_evaluation,
    read_json,
    read_metrics,
    read_published_metrics,
    read_sample_metrics,
    read_stories,
)
from shared_specs.palette import STYLE

if TYPE_CHECKING:  # torch, which a report does not need
    from practice_torch.engine.stages import Stage

HERE = Path(__file__).parent
HELD_OUT = "evaluate"  # the phase under which the loop logs held-out metrics
MOST_PREVIEWS = 7  # of one kind, spread over the training, first and last included: a page, not an archive
ABBREVIATIONS = {"auroc", "elbo", "fid", "gan", "kl", "mse", "nll", "psnr", "vae"}


@dataclass(frozen=True)
class Panel:
    """One logged name: its curves and the last value of each. No drawing where nothing changed, or nothing is finite."""

    title: str
    svg: Markup
    ends: tuple[tuple[str, str, float], ...]
    constant: bool = False


def write_report(
    run_dir: str | Path,
    *,
    defaults: Mapping[str, Any] | None = None,
    published: Published | None = None,
    stages: Sequence["Stage"] = (),
    path: str | Path | None = None,
) -> Path:
    """Write the report of a run from the files that are there, to report.html in its folder or to `path`; returns the path.

    defaults: the fields of the recipe as its topic publishes it, to show changes. published: the result that it reproduces.
    stages: those of its recipe.
    """
    run = Run.open(run_dir)
    folder, missing = run.folder, []
    evaluation = read_evaluation(folder / "evaluation.json", missing)
    environment = read_json(folder / "environment.json", missing)
    gauge, panels, last_step = figures(folder, evaluation, missing, stages)
    return write_page(
        path or folder / "report.html",
        "report.html.jinja",
        asked=run.asked,
        changed=changes(run.asked["fields"], defaults),
        evaluation=evaluation,
        gauge=gauge,
        judged=read_sample_metrics(folder / "sample_metrics.json", missing),
        inception=read_published_metrics(folder / "published_metrics.json", missing),
        published=published,
        stages=[stage for stage in stages if stage.steps],
        environment=environment,
        panels=panels,
        last_step=last_step,
        stories=read_stories(folder / ("samples" if "imported" in run.asked else "previews"), missing, MOST_PREVIEWS),
        studies=read_stories(folder / "study", missing, MOST_PREVIEWS),
        missing=missing,
    )


def write_page(path: str | Path, template: str, **content: Any) -> Path:
    """Render a template of this folder and replace the file at path atomically; returns the path."""
    html = pages().get_template(template).render(style=style(), **content)
    path = Path(path)
    aside = path.with_name(f".{path.name}")
    try:
        aside.write_text(html, encoding="utf-8")
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)  # a full disk: the earlier page stays as it was
        raise
    return path


@cache
def pages(*folders: Path) -> Environment:
    """An environment for templates of these folders, and of this one."""
    loader = FileSystemLoader([*folders, HERE])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"words": words, "short": short, "duration": duration, "size": size, "value": value}
    return environment


def style(*files: Path) -> Markup:
    """The colors, the style sheets of this folder, and then these."""
    sheets = (path.read_text(encoding="utf-8") for path in (HERE / "page.css", HERE / "report.css", *files))
    return Markup("".join((STYLE, *sheets)))


def changes(fields: Mapping[str, Any], defaults: Mapping[str, Any] | None) -> dict[str, Any]:
    """The recipe's values of the fields in which a run differs from it; empty without a recipe."""
    defaults = json.loads(json.dumps(defaults or {}))
    return {name: defaults[name] for name in fields if name in defaults and defaults[name] != fields[name]}


def figures(
    folder: Path, evaluation: Mapping[str, Any], missing: list[str], stages: Sequence["Stage"] = ()
) -> tuple[Markup | None, list[Panel], int | None]:
    """The gauge of a run's metric, a panel for every logged name, with the beginnings of stages, and the last logged step."""
    rows = read_metrics(folder / "metrics.csv", missing)
    marks, last_step = _marks(evaluation), max((step for step, *_ in rows), default=None)
    return (
        _gauge(evaluation, marks),
        _panels(rows, evaluation.get("metric"), last_step, marks, _beginnings(stages, last_step)),
        last_step,
    )


# How things are written


def words(name: str) -> str:
    """An identifier as words, with abbreviations in capitals."""
    return " ".join(word.upper() if word in ABBREVIATIONS else word for word in name.split("_"))


def value(thing: Any) -> str:
    """A readable form of a field's value."""
    if thing is None:
        return "none"
    if isinstance(thing, bool):
        return "yes" if thing else "no"
    if isinstance(thing, float):
        return f"{thing:.6g}"
    if isinstance(thing, (list, tuple)):
        return ", ".join(map(value, thing))
    if isinstance(thing, dict):
        return ", ".join(f"{key} {value(part)}" for key, part in thing.items())
    return str(thing)


def duration(seconds: float) -> str:
    """Seconds as 8.3 s, 2 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Bytes as 512 MiB, 1.3 GiB."""
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"


# What is drawn


def _marks(evaluation):
    """References of the metric: its target, and every floor that was measured with it."""
    marks = []
    if _is_number(evaluation.get("target")):
        marks.append(Mark("target", evaluation["target"]))
    for name, number in evaluation.get("metrics", {}).items():
        if "floor" in name.split("_") and _is_number(number):
            marks.append(Mark(words(name), number))
    return marks


def _gauge(evaluation, marks):
    if not marks or not _is_number(evaluation.get("value")):
        return None
    unit = evaluation.get("explains", {}).get(evaluation["metric"], {}).get("unit", "")
    return curves.gauge(evaluation["value"], marks, evaluation.get("direction"), unit)


def _is_number(thing):
    return isinstance(thing, (int, float)) and not isinstance(thing, bool) and math.isfinite(thing)


def _beginnings(stages, last_step):
    """Where the stages that a run has reached begin, except the first one."""
    ends = itertools.accumulate(stage.steps for stage in stages)
    begun = [Beginning(words(stage.name), step) for stage, step in zip(stages[1:], ends, strict=False) if stage.steps]
    return [stage for stage in begun if 0 < stage.step < (last_step or 0)]


def _panels(rows, metric, last_step, marks, beginnings):
    """A panel per logged name: the metric first, then in the order in which they were first logged. One step has no curve.

    What never changed is a line of words, not a drawing.
    """
    if len({step for step, *_ in rows}) < 2:
        return []
    lines, phases = {}, []
    for step, phase, name, number in rows:
        lines.setdefault(name, {}).setdefault(phase, []).append((step, number))
        if phase != HELD_OUT and phase not in phases:
            phases.append(phase)
    panels = []
    for name in sorted(lines, key=lambda name: name != metric):
        series = [_series(phase, phases, tuple(points)) for phase, points in lines[name].items()]
        ends = tuple((line.name, line.style, line.points[-1][1]) for line in series)
        constant = all(len({number for _, number in line.points}) == 1 for line in series)
        svg = Markup("") if constant else panel(words(name), series, last_step, marks if name == metric else (), beginnings)
        panels.append(Panel(words(name), svg, ends, constant))
    return panels


def _series(phase, phases, points):
    if phase == HELD_OUT:
        return Series("held-out", "held-out", points)
    return Series(words(phase), f"phase{phases.index(phase) % 4}", points)
