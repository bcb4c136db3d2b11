"""python -m book.looks RUN : keep in docs/looks what the samples of a finished run of a recipe look like.

Topics' pages in the book show them. They are kept because training takes longer than building the book. An entry of
docs/looks/index.json has the fields of its recipe: once the recipe has others, the page shows the picture no more.
"""

import argparse
import dataclasses
import io
import json
import re
import sys
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOOKS = "docs/looks"
MOST_BYTES = 25_000  # of a picture
MOST_CHARACTERS = 400  # of a text
WIDTHS, COLORS = (960, 720, 560), (64, 32)  # of a figure at most, in turn, until it is small enough
GAP, LINE = 2, 96  # width and gray of the lines between the images of a grid, as engine/artifacts.py draws them


def entries():
    """The entries of docs/looks/index.json, by "topic recipe"."""
    file = ROOT / LOOKS / "index.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def changes(entry, recipe):
    """A line for each field in which a recipe is no longer that of an entry; its seed may be any."""
    now = _plain(recipe.fields())
    # a field that was added later has changed nothing as long as it has its default
    added = {field.name: _default(field) for field in dataclasses.fields(recipe) if field.name not in entry["fields"]}
    then = _plain(added | entry["fields"])
    for name in sorted((then.keys() | now.keys()) - {"seed"}):
        if name not in now or then[name] != now[name]:
            yield f"{name} is {now[name]!r}, not {then[name]!r}" if name in now else f"{name} is no field any more"


def shown(topic, recipes):
    """The entries of a topic whose recipes are unchanged, in the order of its recipes."""
    kept = entries()
    found = [(recipe, kept.get(f"{topic} {name}")) for name, recipe in recipes.items()]
    return [entry for recipe, entry in found if entry and not any(changes(entry, recipe))]


def stale(recipes_of):
    """A line for every entry whose recipe has changed or is gone, and for every file without an entry or the reverse.

    recipes_of(topic): its recipes by name.
    """
    kept = entries()
    for key, entry in kept.items():
        again = f"repeat `{entry['command']}` and `python -m book.looks RUN`, or delete the entry and its file"
        recipe = recipes_of(entry["topic"]).get(entry["recipe"])
        wrong = ["there is no such recipe"] if recipe is None else list(changes(entry, recipe))
        if wrong:
            yield f"{LOOKS}/index.json, {key}: {'; '.join(wrong)}: {again}"
    files = {path.relative_to(ROOT / LOOKS).as_posix() for path in (ROOT / LOOKS).glob("*/*")}
    for name in sorted(files ^ {entry["file"] for entry in kept.values()}):
        yield f"{LOOKS}/{name} has no entry in index.json" if name in files else f"{LOOKS}/{name} is missing"


def keep(folder, name=None):
    """Write the look of a run and its entry; returns the path. name: of the preview; None: of the first that shows samples.

    Raises RunError if the folder is no finished run of a recipe as it is, or if the picture is too large.
    """
    from practice_torch.commands.run_folder import restored
    from practice_torch.engine.errors import RunError
    from practice_torch.engine.storage.run import Run

    run = Run.open(folder)
    module, recipe = restored(run)
    topic, recipe_name, fields = (run.asked[key] for key in ("topic", "recipe", "fields"))
    if wrong := list(changes({"fields": fields}, module.RECIPES[recipe_name])):
        raise RunError(f"{run.folder} is a run of a changed recipe, not of {topic} {recipe_name} as it stands: {wrong[0]}")
    judged = _evaluation(run, recipe)
    preview, caption = _preview(run, judged["step"], name)
    if preview.suffix == ".png":
        content, facts = _picture(preview)
    else:
        content, facts = _excerpt(preview.read_text(encoding="utf-8")).encode(), {}
    path = ROOT / LOOKS / f"{topic}-{recipe_name}{preview.suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in {".png", ".txt"} - {path.suffix}:
        path.with_suffix(old).unlink(missing_ok=True)
    path.write_bytes(content)
    entry = {
        "topic": topic,
        "recipe": recipe_name,
        "file": path.relative_to(ROOT / LOOKS).as_posix(),
        "caption": caption,
        **facts,
        "seed": recipe.seed,
        "steps": judged["step"],
        **{key: judged[key] for key in ("metric", "value", "target", "direction")},
        "unit": judged["explains"].get(judged["metric"], {}).get("unit", ""),
        "command": f"python -m practice_torch train {topic} {recipe_name} --seed {recipe.seed}",
        "fields": fields,
    }
    _write(entries() | {f"{topic} {recipe_name}": entry})
    return path


def _plain(fields):
    return json.loads(json.dumps(fields))  # JSON has no tuples


def _default(field):
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _evaluation(run, recipe):
    """The evaluation of a finished run."""
    from practice_torch.commands.run_folder import finished
    from practice_torch.engine.errors import RunError

    try:
        judged = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
        step = judged["step"]
    except FileNotFoundError:
        step = 0
    except ValueError as error:
        raise RunError(f"{run.folder / 'evaluation.json'} is not JSON: {error}") from None
    except (KeyError, TypeError):
        raise RunError(f"{run.folder / 'evaluation.json'} is no evaluation: it has no 'step'") from None
    if not step or not finished(run, recipe, step):
        mend = "finish it with `python -m practice_torch train --resume RUN`"
        raise RunError(f"{run.folder} is unfinished: evaluated at step {step} of {recipe.steps}; {mend}")
    return judged


def _preview(run, step, name):
    """(path, caption) of a preview of the last evaluation: a picture if there is one of the name, else a text."""
    from practice_torch.engine.errors import RunError

    folder = run.folder / "previews"
    files = sorted(folder.glob(f"{step:08d}-*"), key=lambda path: path.suffix == ".txt")
    found = {path.stem.partition("-")[2]: path for path in reversed(files) if path.suffix in (".png", ".txt")}
    if not found:
        raise RunError(f"{folder} has no picture and no text of step {step}")
    names = sorted(found, key=lambda one: ("samples" not in one, found[one].suffix == ".txt", one))
    if (name or names[0]) not in found:
        raise RunError(f"{folder} has no {name!r} at step {step}; it has {', '.join(names)}")
    path = found[name or names[0]]
    return path, json.loads((folder / "captions.json").read_text(encoding="utf-8")).get(path.name, "")


def _picture(path):
    """The bytes of a picture in few colors, and its facts."""
    import numpy as np
    from PIL import Image

    from practice_torch.engine.errors import RunError

    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    own = _of_own_size(pixels)
    whole = Image.fromarray(_without_margins(pixels) if own is None else own)
    # an octree keeps colors that few pixels have, and the median cut keeps those of a grid of gray images unchanged
    method = Image.Quantize.FASTOCTREE if own is None else Image.Quantize.MEDIANCUT
    for width, colors in product(WIDTHS if own is None else (whole.width,), COLORS):
        small = whole
        if width < whole.width:
            small = whole.resize((width, round(whole.height * width / whole.width)), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        small.quantize(colors, method, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)
        if file.tell() <= MOST_BYTES:
            return file.getvalue(), {"size": list(small.size), "pixels": own is not None}
    size = f"{file.tell():,} bytes at {small.width} x {small.height} in {colors} colors"
    raise RunError(f"{path} is too large: {size}, and {MOST_BYTES:,} are the most; --picture takes another")


def _of_own_size(pixels):
    """A grid of images that was enlarged to be seen, in twice their own size with lines of one pixel; of other pictures None."""
    import numpy as np

    from practice_torch.engine.artifacts import SHORTEST_SIDE

    factors = {-(-SHORTEST_SIDE // side) for side in range(1, SHORTEST_SIDE // 2)}
    for factor in sorted(factors - {1, 2}):
        possible = (
            [side for side in range(1, length // factor + 1) if (length - GAP) % (side * factor + GAP) == 0]
            for length in pixels.shape[:2]
        )
        for sides in product(*possible):
            own = pixels[np.ix_(*map(_places, pixels.shape, sides, (factor,) * 2))]
            if np.array_equal(_enlarged(own, sides, factor, GAP), pixels):
                return _enlarged(own, sides, 2, 1)
    return None


def _without_margins(pixels):
    """A figure without the white around it, up to a few pixels."""
    import numpy as np

    ink = [np.flatnonzero((pixels < 255).any(axis=(1 - axis, 2))) for axis in (0, 1)]
    (top, bottom), (left, right) = ((max(0, places.min() - 6), places.max() + 7) if places.size else (0, None) for places in ink)
    return pixels[top:bottom, left:right]


def _places(length, side, factor):
    """Where the pixels of the images of a grid are along an axis: the first of each enlarged one."""
    tile = side * factor + GAP
    return [start + factor * one for start in range(GAP, length - GAP, tile) for one in range(side)]


def _enlarged(own, sides, factor, gap):
    """A grid of images without lines, enlarged, with lines of this width."""
    import numpy as np

    for axis, side in enumerate(sides):
        parts = np.split(own.repeat(factor, axis), own.shape[axis] // side, axis)
        line = np.full_like(parts[0].take(range(1), axis).repeat(gap, axis), LINE)
        own = np.concatenate([line, *(piece for part in parts for piece in (part, line))], axis)
    return own


def _excerpt(text):
    """The beginning of a text, of characters that a page can show; it ends with a line or a word where it is cut."""
    text = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text.expandtabs(4)).strip("\n")
    if len(text) > MOST_CHARACTERS - 2:
        text = re.split(r"\s+\S*$", text[: MOST_CHARACTERS - 3])[0] + " \N{HORIZONTAL ELLIPSIS}"
    return text + "\n"


def _write(kept):
    """The index: a line for each fact, one of them for all fields."""
    texts = []
    for key, entry in sorted(kept.items()):
        facts = ",\n".join(f"  {json.dumps(fact)}: {json.dumps(value)}" for fact, value in entry.items())
        texts.append(f" {json.dumps(key)}: {{\n{facts}\n }}")
    file = ROOT / LOOKS / "index.json"
    aside = file.with_name(".index.json")
    aside.write_text("{\n" + ",\n".join(texts) + "\n}\n", encoding="utf-8")
    aside.replace(file)


def main(arguments=None):
    """Returns the exit code."""
    from practice_torch.engine.errors import RunError

    keep_lines = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m book.looks", description=__doc__, formatter_class=keep_lines)
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run")
    parser.add_argument("--picture", help="the name of its preview; default: the first that shows samples")
    command = parser.parse_args(arguments)
    try:
        print(keep(command.run, command.picture))
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
