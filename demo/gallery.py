"""python -m demo.gallery DIR : draw from the trained models that come with the package; and the tiles of the page's gallery.

A family shows what these models draw, where one of them is its own, and otherwise a kept picture of a recipe (docs/looks).
"""

import base64
import io
import json
import sys
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from book import looks
from practice_torch.reports.records import read_stories
from shared_specs.syllabus import load

# counts and options that take a second each, and which of the artifacts is shown
DRAWN = {
    "digits": (100, {"steps": 20}, "samples"),
    "pydoc": (1, {"prompt": "The ", "length": 360, "temperature": 0.7}, "text"),
    "notes": (13, {}, "sounds"),
}
MADE = "made.json"  # of each file the example that drew it
LONGEST = 330  # characters of a text
WIDEST = 600  # pixels of a spectrogram


@dataclass(frozen=True)
class Tile:
    """One picture, sound or text of a family: kind and content are those of a preview, alone where nothing was drawn just now."""

    family: str
    title: str
    kind: str
    content: str
    words: str
    command: str
    picture: str | None = None
    pixels: bool = False
    drawn: bool = False


def draw(folder):
    """Draw from every example into the folder."""
    import practice_torch

    made = {}
    for name, (count, options, shown) in DRAWN.items():
        run = practice_torch.open_run(name)
        run.load().sample(count, **options).save(folder, f"{name}-")
        judged = run.evaluation
        entry = {"name": name, "topic": run.run.asked["topic"], "metric": judged["metric"], "value": judged["value"]}
        made[f"{name}-{shown}"] = entry
    (Path(folder) / MADE).write_text(json.dumps(made), encoding="utf-8")


def tiles(folder, missing):
    """What the gallery shows: of each family one tile, in course order, and what was drawn in `folder` in place of kept pictures.

    missing: gets a line for what cannot be read.
    """
    titles = {path: topic.title for path, topic in load().topics.items()}
    drawn, kept = list(_drawn(Path(folder), titles, missing)), _kept(titles)
    for family in dict.fromkeys(topic.family for topic in load().topics.values()):
        own = [tile for tile in drawn if tile.family == family]
        yield from own or ([kept[family]] if family in kept else ())


def _drawn(folder, titles, missing):
    try:
        made = json.loads((folder / MADE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        missing.append("The models that come with the package drew nothing")
        return
    for story in read_stories(folder, missing, 1):
        entry, preview = made.get(story.name), story.previews[-1]
        if entry:
            words = f"{entry['metric'].replace('_', ' ')} {entry['value']:.3g}"
            content = _shortened(preview.content) if preview.kind == "text" else preview.content
            command = f"python -m practice_torch sample {entry['name']}"
            family = entry["topic"].split("/")[0]
            title = f"{titles[entry['topic']]}: {entry['name']}"
            picture = preview.picture and _small(folder / f"{story.name}.png")
            yield Tile(family, title, preview.kind, content, words, command, picture, preview.kind == "image", True)


def _kept(titles):
    """The kept look of each family: of the first topic that draws images; of a family without one, its first picture or text."""
    order, found = list(titles), {}
    for entry in sorted(looks.entries().values(), key=lambda entry: order.index(entry["topic"])):
        family, former = entry["topic"].split("/")[0], found.get(entry["topic"].split("/")[0])
        if former is None or _rank(entry) > _rank(former):
            found[family] = entry
    return {family: _tile(family, entry, titles[entry["topic"]]) for family, entry in found.items()}


def _rank(entry):
    """Large for what shows most as a tile: a grid of several rows of images, then a picture."""
    grid = bool(entry.get("pixels")) and entry["size"][1] > entry["size"][0] / 2
    return entry["file"].endswith(".png") + grid


def _tile(family, entry, title):
    file = looks.ROOT / looks.LOOKS / entry["file"]
    words = f"{entry['metric'].replace('_', ' ')} {entry['value']:.3g}"
    kind, content = ("text", file.read_text(encoding="utf-8")) if file.suffix == ".txt" else ("image", _uri(file))
    return Tile(family, title, kind, content, words, entry["command"], pixels=bool(entry.get("pixels")))


def _uri(file):
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"


def _small(path):
    """A spectrogram no wider than a tile on a screen with two pixels a point."""
    from PIL import Image

    picture, file = Image.open(path).convert("RGB"), io.BytesIO()
    picture.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    picture.quantize(128).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _shortened(text):
    text = unescape(text).strip()
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " ..."


def main(arguments):
    """Returns the exit code."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    draw(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
