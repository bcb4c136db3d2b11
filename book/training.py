"""What was trained with a topic: its recipes with their goals, what their authors measured, and the runs on this machine."""

import inspect
import io
import json
import re
import tokenize
from importlib import import_module
from pathlib import Path

from markupsafe import Markup

from book import looks, sources
from book.text import code, link, raw, table
from theory_jax.pages.page import experiments_that_import

ROOT = Path(__file__).resolve().parent.parent


def section(here, topic):
    """The Markdown of a topic's section; empty if nothing is trained with it. here: the page's place in the book."""
    path = f"practice_torch/experiments/{topic}.py"
    users = [(name, names) for name, names in experiments_that_import(topic) if name != topic]
    if not (ROOT / path).is_file() and not users:
        return ""
    parts = ["## What was trained with it"]
    if (ROOT / path).is_file():
        module = import_module("practice_torch.experiments." + topic.replace("/", "."))
        parts.append(raw(Markup("<p>{} {}</p>").format(module.__doc__, sources.source_link(here, path))))
        if recipes := getattr(module, "RECIPES", None):  # without recipes it is a study, which trains nothing
            parts += [*_looks(here, topic, recipes), _recipes(topic, recipes, _explained(module), comments(ROOT / path))]
            parts += _published(getattr(module, "PUBLISHED", {}))
    if users:
        lines = Markup("").join(
            Markup("<li>{}: {}</li>\n").format(
                link(sources.source_address(here, f"practice_torch/experiments/{name}.py"), code(name)), names
            )
            for name, names in users
        )
        parts.append(raw(Markup("<p>Other experiments that call its functions:</p>\n<ul>\n{}</ul>").format(lines)))
    return "\n\n".join(parts)


def _looks(here, topic, recipes):
    """What the samples of recipes look like, as far as runs of them were kept."""
    if found := looks.shown(topic, recipes):
        figures = Markup("\n").join(_look(here, entry) for entry in found)
        commands = Markup(", ").join(code(entry["command"]) for entry in found)
        yield "### What it looks like"
        yield raw(Markup('<div class="looks">\n{}\n</div>\n<p class="files">Made by {}</p>').format(figures, commands))


def _look(here, entry):
    """A picture or a text with its caption. A grid of small images is shown with every pixel a square of its own."""
    file = looks.ROOT / looks.LOOKS / entry["file"]
    if file.suffix == ".txt":
        thing = Markup("<pre>{}</pre>").format(file.read_text(encoding="utf-8").rstrip("\n"))
    else:
        width, height = entry["size"]
        wide = 2 * width if entry["pixels"] else min(width, 480) if width < 1.4 * height else width
        thing = Markup('<img src="{}" alt="{}" width="{}" height="{}" class="{}">').format(
            sources.file_address(here, f"looks/{entry['file']}"),
            entry["caption"],
            wide,
            round(height * wide / width),
            "pixels" if entry["pixels"] else "figure",
        )
    bound = "" if entry["target"] is None else f" (target: {_bound(entry['direction'], entry['target'])})"
    unit = "" if entry["unit"] == entry["metric"].replace("_", " ") else f" {entry['unit']}"
    steps = f"{entry['steps']:,} step{'s' if entry['steps'] > 1 else ''}"
    about = Markup("<strong>{}</strong>, {}: {} {:.4g}{}{}. {}.").format(
        entry["recipe"], steps, code(entry["metric"]), entry["value"], unit, bound, entry["caption"].rstrip(".")
    )
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(thing, about)


def _bound(direction, target):
    return f"{'at most' if direction == 'lower' else 'at least'} {target:g}"


def _explained(module):
    """The metrics that an experiment explains, by name; not those that depend on the recipe."""
    tables = (getattr(thing, "explains", None) for _, thing in inspect.getmembers(module, inspect.isclass))
    return {name: metric for table in tables if isinstance(table, dict) for name, metric in table.items()}


def _recipes(topic, recipes, explained, remarks):
    rows, runs = [], measured(topic, recipes)
    for name, recipe in recipes.items():
        metric = explained.get(recipe.metric)
        words = f"{metric.meaning} ({metric.unit})" if metric else recipe.metric.replace("_", " ")
        bound = "" if recipe.target is None else _bound(recipe.direction, recipe.target)
        results = [f"{value:.4g} ({place})" for place, value in runs.get(name, ())]
        rows.append(
            (code(name), recipe.data or "", f"{recipe.steps:,}", words, bound, "; ".join([*results, *remarks.get(name, ())]))
        )
    return table(("recipe", "data", "steps", "metric", "target", "measured, and remarks"), rows, "recipes")


def _published(results):
    """The published results that recipes reproduce, and how each recipe differs from what reached it."""
    if results:
        yield "### Published results"
        rows = [(code(name), of.metric, of.there, of.source, of.here) for name, of in results.items()]
        yield table(("recipe", "metric", "published", "source", "ours"), rows, "published")
    for name, of in results.items():
        if of.differences:
            yield f"What differs between the recipe `{name}` and the published training:"
            yield table(("", "published", "here", "known cost"), of.differences, "differences")


def comments(path):
    """The comments directly above each entry of RECIPES: what its author measured."""
    found, waiting, inside = {}, [], False
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        inside = inside or (token.type == tokenize.NAME and token.string == "RECIPES" and token.start[1] == 0)
        if not inside:
            continue
        if token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip():
            waiting.append(token.string.lstrip("# "))
        elif token.type == tokenize.STRING and re.match(r'    "[^"]+": ', token.line) and token.start[1] == 4:
            if waiting:
                found[token.string.strip('"')] = [" ".join(waiting)]
            waiting = []
        elif token.type not in (tokenize.NL, tokenize.NEWLINE):
            waiting = []
    return found


def measured(topic, recipes):
    """recipe -> [(run, value)] of the evaluated runs in runs/ that took a recipe unchanged."""
    found = {}
    for file in sorted((ROOT / "runs").glob("**/evaluation.json")):
        try:
            asked, judged = (json.loads((file.parent / name).read_text(encoding="utf-8")) for name in ("recipe.json", file.name))
            name = asked["recipe"] if asked["topic"] == topic else None
            unchanged = name in recipes and asked["fields"] == json.loads(json.dumps(recipes[name].fields()))
            value = float(judged["value"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a run of another version
        if unchanged:
            found.setdefault(name, []).append((file.parent.relative_to(ROOT).as_posix(), value))
    return found
