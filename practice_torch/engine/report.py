"""The report of a run: one HTML file, made of what lies in the run folder, that needs no other file and no network."""

import base64
import csv
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from practice_torch.engine import curves
from practice_torch.engine.curves import Mark, Series, panel, short
from practice_torch.engine.run import Run

HERE = Path(__file__).parent
HELD_OUT = "evaluate"  # the phase under which the loop logs what it measured on held-out data
MOST_PREVIEWS = 7  # of one kind, spread over the training, first and last included: a page, not an archive
ABBREVIATIONS = {"auroc", "elbo", "fid", "gan", "kl", "mse", "nll", "psnr", "vae"}
MIME = {".png": "image/png", ".wav": "audio/wav"}


@dataclass(frozen=True)
class Preview:
    """One artifact: `kind` is image, audio or text; content a data URI or the text itself."""

    step: int | None
    kind: str
    content: str
    caption: str


@dataclass(frozen=True)
class Story:
    """All previews of one name, oldest first, and how many of them are not shown."""

    name: str
    previews: tuple[Preview, ...]
    left_out: int


@dataclass(frozen=True)
class Panel:
    """One logged name: its curves and the last value of each."""

    title: str
    svg: Markup
    ends: tuple[tuple[str, str, float], ...]


def write_report(run_dir, *, defaults=None):
    """Write report.html into the run folder, from whatever of it is there yet; its path.

    defaults: the fields of the recipe as its topic publishes it, to show what this run changed.
    """
    run = Run.open(run_dir)
    folder, missing = run.folder, []
    evaluation, environment = _evaluation(folder / "evaluation.json", missing), _json(folder / "environment.json", missing)
    gauge, panels, last_step = figures(folder, evaluation, missing)
    html = _template().render(
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        asked=run.asked,
        changed=_changed(run.asked["fields"], defaults),
        evaluation=evaluation,
        gauge=gauge,
        environment=environment,
        panels=panels,
        last_step=last_step,
        stories=_stories(folder / "previews", missing),
        missing=missing,
    )
    aside, path = folder / ".report.html", folder / "report.html"
    try:
        aside.write_text(html, encoding="utf-8")
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)  # a full disk: the earlier report stays as it was
        raise
    return path


def figures(folder, evaluation, missing):
    """What of a run can be drawn: the gauge of its metric, a panel for every logged name, and the last step logged."""
    rows = _metrics(folder / "metrics.csv", missing)
    marks, last_step = _marks(evaluation), max((step for step, *_ in rows), default=None)
    return _gauge(evaluation, marks), _panels(rows, evaluation.get("metric"), last_step, marks), last_step


def _template():
    page = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page.filters |= {"words": words, "short": short, "duration": duration, "size": size, "value": value}
    return page.get_template("report.html.jinja")


# How things are written


def words(name):
    """An identifier as words, with abbreviations as one says them."""
    return " ".join(word.upper() if word in ABBREVIATIONS else word for word in name.split("_"))


def value(thing):
    """A field's value as a person would write it."""
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


def duration(seconds):
    """Seconds as 8.3 s, 2 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count):
    """Bytes as 512 MiB, 1.3 GiB."""
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"


# What lies in the folder


def _json(path, missing):
    """The dict in a JSON file; empty where there is none, with a remark where there is one that cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        content = None
    if isinstance(content, dict):
        return content
    missing.append(f"{path.name} cannot be read, and is left out")
    return {}


def _evaluation(path, missing):
    content = _json(path, missing)
    whole = {"metric", "value", "target", "direction", "passed", "metrics"} <= content.keys()
    if content and not (whole and isinstance(content["metrics"], dict)):
        missing.append(f"{path.name} was not written by this engine, and is left out")
        return {}
    return content


def _metrics(path, missing):
    """[(step, phase, name, value)] in the order of the file. A line cut short, as by a killed run, is left out and told."""
    rows, broken = [], 0
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    for row in csv.DictReader(text.splitlines()):
        try:
            rows.append((int(row["step"]), row["phase"], row["name"], float(row["value"])))
        except (KeyError, TypeError, ValueError):
            broken += 1
    if broken:
        missing.append(f"{broken} of {broken + len(rows)} lines of {path.name} cannot be read, and are left out")
    return rows


def _marks(evaluation):
    """What the metric is compared with: its target, and every floor that was measured with it."""
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
    return curves.gauge(evaluation["value"], marks, evaluation.get("direction"))


def _is_number(thing):
    return isinstance(thing, (int, float)) and not isinstance(thing, bool) and math.isfinite(thing)


def _changed(fields, defaults):
    return {name: defaults[name] for name in fields if defaults and name in defaults and defaults[name] != fields[name]}


def _panels(rows, metric, last_step, marks):
    """A panel per logged name: the metric first, then in the order in which they were first logged. One step has no curve."""
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
        svg = panel(words(name), series, last_step, marks if name == metric else ())
        panels.append(Panel(words(name), svg, tuple((line.name, line.style, line.points[-1][1]) for line in series)))
    return panels


def _series(phase, phases, points):
    if phase == HELD_OUT:
        return Series("held-out", "held-out", points)
    return Series(words(phase), f"phase{phases.index(phase) % 4}", points)


def _stories(folder, missing):
    """The previews by name, in the order of the training."""
    captions = _json(folder / "captions.json", missing)
    stories = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix not in (*MIME, ".txt"):
            continue
        parts = re.fullmatch(r"(\d+)-(.+)", path.stem)
        step, name = (int(parts[1]), parts[2]) if parts else (None, path.stem)
        stories.setdefault(name, []).append((step, path))
    shown = []
    for name, found in stories.items():
        found.sort(key=lambda pair: -1 if pair[0] is None else pair[0])
        kept = _spread(found, MOST_PREVIEWS)
        previews = tuple(filter(None, (_preview(step, path, captions, missing) for step, path in kept)))
        if previews:
            shown.append(Story(name, previews, len(found) - len(kept)))
    return shown


def _spread(things, most):
    """At most so many of the things, evenly spread, first and last included."""
    if len(things) <= most:
        return things
    return [things[round(index * (len(things) - 1) / (most - 1))] for index in range(most)]


def _preview(step, path, captions, missing):
    caption = captions.get(path.name)
    caption = caption if isinstance(caption, str) else ""
    try:
        raw = path.read_bytes()
    except OSError:
        raw = b""
    if not raw:
        missing.append(f"previews/{path.name} cannot be read, and is left out")
        return None
    if path.suffix == ".txt":
        return Preview(step, "text", raw.decode(errors="replace"), caption)
    content = f"data:{MIME[path.suffix]};base64,{base64.b64encode(raw).decode('ascii')}"
    return Preview(step, "image" if path.suffix == ".png" else "audio", content, caption)
