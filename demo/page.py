"""The demo's page: what the commands answered, in one file that needs no other and no network."""

import platform
import re
from collections import defaultdict
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from markupsafe import Markup, escape

from demo.gallery import tiles
from practice_torch.reports import report
from practice_torch.reports.records import Story, read_evaluation, read_json, read_stories
from shared_specs.syllabus import BOOK, load
from theory_jax.pages.mathml import prose, to_mathml

HERE = Path(__file__).parent
FIRST = ("reconstructions", "prior_samples", "latent_map")
MOST_PREVIEWS = 4  # of one kind: the page of one model shows more
VERSIONS = ("jax", "flax", "torch", "numpy")


@dataclass(frozen=True)
class Command:
    """A command that was run: peak is its largest resident memory, in bytes."""

    title: str
    words: str
    seconds: float
    processor_seconds: float
    peak: int
    exit_code: int


@dataclass(frozen=True)
class Verdict:
    """One line of the outcome, and whether it is good."""

    words: str
    passed: bool


@dataclass(frozen=True)
class Made:
    path: Path
    verdicts: list[Verdict]


def write(folder, derivations, contracts, models, commands, seconds, gallery=None):
    """Write folder/index.html. derivations and contracts: the commands' JSON, None where a command gave none.

    models: what each makes ("images", say) and where its run is. gallery: the folder in which demo.gallery has drawn.
    """
    undrawn = []
    models = [read_model(kind, Path(place)) for kind, place in models.items()]
    verdicts = {
        "derivations": _derivations_verdict(derivations),
        "contracts": _contracts_verdict(contracts),
        **{model["kind"]: _model_verdict(model) for model in models},
    }
    for command in commands:
        # a failure that its own verdict reports is not repeated
        if command.exit_code != 0 and (command.title not in verdicts or verdicts[command.title].passed):
            verdicts[command.words] = Verdict(f"{command.words} ended with exit code {command.exit_code}", False)
    verdicts = list(verdicts.values())
    environment = report.pages(HERE)
    environment.filters |= {"math": to_mathml, "prose": prose, "ratio": ratio, "breakable": breakable}
    text = environment.get_template("demo.jinja").render(
        style=report.style(HERE / "demo.css"),
        verdicts=verdicts,
        derivations=derivations["derivations"] if derivations else None,
        contracts=contracts,
        built=len(load().built),
        book=BOOK.as_uri() if BOOK.is_file() else None,
        titles={topic.path: topic.title for topic in load().topics.values()},
        tables=_tables(contracts["results"]) if contracts else {},
        models=models,
        gallery=list(tiles(gallery or folder, undrawn)),
        undrawn=undrawn,
        commands=commands,
        seconds=seconds,
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        versions={name: version(name) for name in VERSIONS},
    )
    path = Path(folder) / "index.html"
    path.write_text(text, encoding="utf-8")
    return Made(path, verdicts)


# ---------------------------------------------------------------------------------------------------- verdicts


def _derivations_verdict(derivations):
    if not derivations or not derivations["derivations"]:
        return Verdict("no derivation was run", False)
    records = derivations["derivations"]
    claims = [claim for record in records for claim in record["claims"]]
    failed = sum(not claim["passed"] for claim in claims)
    topics = [record for record in records if not record["topic"].startswith("lemmas/")]
    words = f"{_of_the_built(topics)} derivations, {len(claims)} claims executed: "
    words += f"{failed} FAILED" if failed else "all hold"
    if broken := [record["topic"] for record in records if not record["passed"] and not record["claims"]]:
        words += f"; {', '.join(broken)} did not run"
    return Verdict(words, all(record["passed"] for record in records))


def _contracts_verdict(contracts):
    if not contracts or not contracts["results"]:
        return Verdict("no contract was checked", False)
    results = contracts["results"]
    failed = sum(not result["passed"] for result in results)
    backends = " and ".join(dict.fromkeys(result["backend"] for result in results))
    precisions = " and ".join(dict.fromkeys(result["precision"] for result in results))
    rows = sum(topic["rows"] for topic in contracts["topics"])
    words = f"contracts of {_of_the_built(contracts['topics'])} topics: {rows} rows, {len(results)} comparisons "
    words += f"({backends}; {precisions}), " + (f"{failed} FAILED" if failed else "all within tolerance")
    if len(contracts["topics"]) < len(load().built):
        words += "; for every topic: python -m shared_specs check"
    return Verdict(words, bool(contracts["passed"]))


def _of_the_built(some):
    return f"{len(some)} of {len(load().built)}"


def _model_verdict(model):
    if "asked" not in model:
        return Verdict(f"{model['kind']}: no model was trained", False)
    name, judged = f"{model['kind']}: {model['asked']['topic']}", model["evaluation"]
    if not judged:
        return Verdict(f"{name} was not evaluated", False)
    relation = "at most" if judged["direction"] == "lower" else "at least"
    words = f"{name}, {report.words(judged['metric'])} {judged['value']:.4g} on held-out data"
    if judged["target"] is not None:
        words += f" (target: {relation} {judged['target']:g})"
    return Verdict(words, judged["passed"] is not False)


# ---------------------------------------------------------------------------------------------------- contracts


def _tables(results):
    """topic -> (columns, lines): one line per row and quantity, with a cell for every backend and precision."""
    columns = list(dict.fromkeys((result["backend"], result["precision"]) for result in results))
    columns.sort(key=lambda column: (column[1] != "float64", column[0]))
    lines = defaultdict(dict)
    for result in results:
        key = result["word"], result["function"], result["case"], result["quantity"]
        lines[result["topic"]].setdefault(key, {})[result["backend"], result["precision"]] = result
    return {
        topic: (columns, [(*key, [cells.get(column) for column in columns]) for key, cells in table.items()])
        for topic, table in lines.items()
    }


def ratio(value):
    """Error over tolerance, for a cell."""
    if value is None:
        return "∞"
    if value == 0:
        return "0"
    return f"{value:.2g}" if 0.01 <= value < 100 else "<0.01" if value < 0.01 else ">100"


def breakable(name):
    """A long identifier may break behind an underscore."""
    return Markup(str(escape(name)).replace("_", "_<wbr>"))


# ---------------------------------------------------------------------------------------------------- the models


def read_model(kind, folder):
    """What the page shows of a run folder; only its kind and place if there is no run."""
    model = {"kind": kind, "folder": folder.name}
    missing = []
    asked = read_json(folder / "recipe.json", missing)
    if not asked:
        return model
    evaluation = read_evaluation(folder / "evaluation.json", missing)
    gauge, panels, _ = report.figures(folder, evaluation, missing)
    stories = read_stories(folder / "previews", missing, MOST_PREVIEWS)
    stories += [
        Story(re.sub(r"^seed\d+-", "more_", story.name), story.previews, story.left_out)
        for story in read_stories(folder / "samples", missing, MOST_PREVIEWS)
    ]
    stories.sort(key=lambda story: FIRST.index(story.name) if story.name in FIRST else len(FIRST))
    recipe = import_module("practice_torch.experiments." + asked["topic"].replace("/", ".")).RECIPES[asked["recipe"]]
    return model | {
        "asked": asked,
        "changes": report.changes(asked["fields"], recipe.fields()),
        "evaluation": evaluation,
        "environment": read_json(folder / "environment.json", missing),
        "gauge": gauge,
        "panels": panels,
        "stories": stories,
        "missing": missing,
    }
