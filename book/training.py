"""What was trained with a topic: its recipes with their goals, what their authors measured, and the runs on this machine."""

import inspect
import io
import json
import re
import tokenize
from importlib import import_module
from pathlib import Path

from markupsafe import Markup

from book import sources
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
            parts.append(_recipes(topic, recipes, _explained(module), comments(ROOT / path)))
    if users:
        lines = Markup("").join(
            Markup("<li>{}: {}</li>\n").format(
                link(sources.source_address(here, f"practice_torch/experiments/{name}.py"), code(name)), names
            )
            for name, names in users
        )
        parts.append(raw(Markup("<p>Other experiments that call its functions:</p>\n<ul>\n{}</ul>").format(lines)))
    return "\n\n".join(parts)


def _explained(module):
    """The metrics that an experiment explains, by name; not those that depend on the recipe."""
    tables = (getattr(thing, "explains", None) for _, thing in inspect.getmembers(module, inspect.isclass))
    return {name: metric for table in tables if isinstance(table, dict) for name, metric in table.items()}


def _recipes(topic, recipes, explained, remarks):
    rows, runs = [], measured(topic, recipes)
    for name, recipe in recipes.items():
        metric = explained.get(recipe.metric)
        words = f"{metric.meaning} ({metric.unit})" if metric else recipe.metric.replace("_", " ")
        bound = "" if recipe.target is None else f"{'at most' if recipe.direction == 'lower' else 'at least'} {recipe.target:g}"
        results = [f"{value:.4g} ({place})" for place, value in runs.get(name, ())]
        rows.append((code(name), recipe.data, f"{recipe.steps:,}", words, bound, "; ".join([*results, *remarks.get(name, ())])))
    return table(("recipe", "data", "steps", "metric", "target", "measured, and remarks"), rows, "recipes")


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
