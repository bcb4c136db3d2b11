"""Reads a run folder for a page. Files that cannot be read are skipped and reported in the list `missing`."""

import base64
import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# pixels across: over twice the displayed size of an earlier preview, for screens that show two pixels a point; a grid of eight
# digits is no wider, and stays as it is: averaged, its few large pixels would have many colors and take five times the bytes
THUMBNAIL = 480
SAMPLE_KINDS = ("samples", "baseline", "real")  # what sample_metrics.json has estimates of
MIME = {".png": "image/png", ".wav": "audio/wav"}


@dataclass(frozen=True)
class Preview:
    """One artifact: `kind` is image, audio or text; content a data URI or the text itself; a sound may have a picture, too."""

    step: int | None
    kind: str
    content: str
    caption: str
    picture: str | None = None


@dataclass(frozen=True)
class Story:
    """Previews of one name, oldest first, and how many more there are that are not shown."""

    name: str
    previews: tuple[Preview, ...]
    left_out: int

    @property
    def one_sound(self) -> bool:
        """Whether it is a sound that does not change."""
        return len(self.previews) == 1 and self.previews[0].kind == "audio"


def read_json(path: Path, missing: list[str]) -> dict[str, Any]:
    """The dict in a JSON file; empty if there is none, or if it cannot be read, which is added to `missing`."""
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


def read_evaluation(path: Path, missing: list[str]) -> dict[str, Any]:
    """The content of evaluation.json; empty if there is none yet."""
    content = read_json(path, missing)
    whole = {"metric", "value", "target", "direction", "passed", "metrics"} <= content.keys()
    if content and not (whole and isinstance(content["metrics"], dict)):
        missing.append(f"{path.name} was not written by this engine, and is left out")
        return {}
    return content


def read_sample_metrics(path: Path, missing: list[str]) -> dict[str, Any]:
    """The content of sample_metrics.json; empty where no samples were judged."""
    content = read_json(path, missing)
    metrics = content.get("metrics")
    whole = {"step", "samples", "features"} <= content.keys() and isinstance(metrics, dict)
    if content and not (whole and all(_is_metric(metric) for metric in metrics.values())):
        missing.append(f"{path.name} was not written by this engine, and is left out")
        return {}
    return content


def read_published_metrics(path: Path, missing: list[str]) -> dict[str, Any]:
    """The content of published_metrics.json; empty where no samples were judged by Inception's features."""
    content = read_json(path, missing)
    metrics = content.get("metrics")
    whole = {"step", "samples", "folder", "against", "features"} <= content.keys() and isinstance(metrics, dict)
    if content and not (whole and all({"unit", "meaning", "value"} <= metric.keys() for metric in metrics.values())):
        missing.append(f"{path.name} was not written by this engine, and is left out")
        return {}
    return content


def _is_metric(metric):
    """Whether there is a description, and every estimate has a value and both ends of its interval."""
    if not isinstance(metric, dict) or not {"unit", "meaning"} <= metric.keys():
        return False
    estimates = [metric[kind] for kind in SAMPLE_KINDS if kind in metric]
    numbers = [part.get(end) for part in estimates if isinstance(part, dict) for end in ("value", "low", "high")]
    return len(numbers) == 3 * len(estimates) and all(isinstance(number, (int, float)) for number in numbers)


def read_metrics(path: Path, missing: list[str]) -> list[tuple[int, str, str, float]]:
    """[(step, phase, name, value)] in the order of the file. Incomplete lines are skipped and counted in `missing`."""
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


def read_stories(folder: Path, missing: list[str], most: int) -> list[Story]:
    """The previews by name, in the order of the training: at most this many of each, first and last included; what never changes
    once.
    """
    captions = read_json(folder / "captions.json", missing)
    paths = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in (*MIME, ".txt")} if folder.is_dir() else {}
    pictures = {name for name in paths if name.endswith(".png") and name.replace(".png", ".wav") in paths}
    stories = {}
    for name, path in paths.items():
        if name not in pictures:
            parts = re.fullmatch(r"(\d+)-(.+)", path.stem)
            step, title = (int(parts[1]), parts[2]) if parts else (None, path.stem)
            stories.setdefault(title, []).append((step, path))
    shown = []
    for title, found in stories.items():
        found.sort(key=lambda pair: -1 if pair[0] is None else pair[0])
        kept = _spread(found, most)
        last = kept[-1][1]
        read = (_preview(step, path, captions, missing, small=path != last) for step, path in kept)
        previews = tuple(filter(None, read))
        left_out = len(found) - len(kept)
        if len({preview.content for preview in previews}) == 1:  # always the same: a real sound to compare with, say
            previews, left_out = previews[-1:], 0
        if previews:
            shown.append(Story(title, previews, left_out))
    return shown


def _spread(things, most):
    """At most this many of the items, evenly spaced, first and last included."""
    if len(things) <= most:
        return things
    return [things[round(index * (len(things) - 1) / (most - 1))] for index in range(most)]


def _preview(step, path, captions, missing, small):
    caption = captions.get(path.name)
    caption = caption if isinstance(caption, str) else ""
    content = _content(path, missing, small)
    if content is None or path.suffix != ".wav":
        kind = {".txt": "text", ".png": "image", ".wav": "audio"}[path.suffix]
        return None if content is None else Preview(step, kind, content, caption)
    picture = path.with_suffix(".png")
    return Preview(step, "audio", content, caption, _content(picture, missing, small) if picture.exists() else None)


def _content(path, missing, small):
    """The file as a page holds it: text as it is, anything else as a data URI, of an earlier picture its thumbnail; None where
    there is nothing to read."""
    try:
        raw = path.read_bytes()
    except OSError:
        raw = b""
    if not raw:
        missing.append(f"{path.parent.name}/{path.name} cannot be read, and is left out")
        return None
    if path.suffix == ".txt":
        return raw.decode(errors="replace")
    if small and path.suffix == ".png":
        raw = _thumbnail(raw)
    return f"data:{MIME[path.suffix]};base64,{base64.b64encode(raw).decode('ascii')}"


def _thumbnail(png):
    """The picture no wider than a thumbnail is shown: averaged here, as browsers skip pixels when they shrink by much."""
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(png)).convert("RGB")
    except (UnidentifiedImageError, OSError):
        return png  # as the browser makes of it
    if picture.width <= THUMBNAIL:
        return png
    picture.thumbnail((THUMBNAIL, picture.height), Image.Resampling.LANCZOS)
    small = io.BytesIO()
    picture.quantize(256).save(small, format="PNG")
    return small.getvalue()
