"""A project: models that recipes describe, trained one after the other, then judged together and put into one table.

project.json       what was asked: the project, its seed and data, and the recipe of each model
models/<name>/     the run folder of each model
results.json       the table, its findings and their assertions; the same bytes for an interrupted project
times.json         columns of the table that differ between two evaluations: seconds
shown/             samples and figures of the judgment
report.html        all of it on one page
"""

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple, TypeVar

import torch

from practice_torch.engine import evaluation
from practice_torch.engine.artifacts import Artifact
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.beginning import begin, resume
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.engine.estimate import Estimate
from practice_torch.engine.experiment import Experiment
from practice_torch.engine.loop import Training
from practice_torch.engine.stages import stages_of
from practice_torch.engine.storage.lock import Lock
from practice_torch.engine.storage.run import Run, difference, save_artifacts, write_json
from practice_torch.engine.storage.state import load_weights
from practice_torch.reports.report import write_report

T = TypeVar("T")
ASKED, RESULTS, TIMES, SHOWN, MODELS = "project.json", "results.json", "times.json", "shown", "models"


class Model(NamedTuple):
    """A recipe of an experiment: the experiment's module, and the name of the recipe.

    data: in place of the recipe's own; changes: values in place of the recipe's own, by the names of its fields. keeps_data:
    data that a user gives are for the other models of the project, which are of another modality.
    """

    module: ModuleType
    recipe: str
    data: str | None = None
    changes: Mapping[str, Any] = MappingProxyType({})
    keeps_data: bool = False

    @property
    def topic(self) -> str:
        return "/".join(self.module.__name__.split(".")[-2:])


class Column(NamedTuple):
    """A column of the table: unit, meaning, and whether "lower" or "higher" is better; "" where neither is."""

    unit: str
    meaning: str
    better: str = ""


class Annotated(NamedTuple):
    """A number with a short note."""

    value: float
    note: str


class Row(NamedTuple):
    """A row of the table, with the columns that apply to it; role: "floor" (a baseline), "model" or "ceiling" (real data).

    Rows on different data are not compared: those with the same `table` are shown together.
    """

    role: str
    cells: Mapping[str, float | Estimate | Annotated]
    table: str = ""


class Times(NamedTuple):
    """Further columns of the table, in seconds: row -> column -> seconds."""

    columns: Mapping[str, Column]
    rows: Mapping[str, Mapping[str, float]]


class Findings(NamedTuple):
    """The result of a judgment: the table, and the artifacts next to it."""

    columns: Mapping[str, Column]
    rows: Mapping[str, Row]
    artifacts: Mapping[str, Artifact]
    times: Times | None = None


class Expectation(NamedTuple):
    """An assertion about the table, for the project's own data, and whether it holds."""

    words: str
    holds: bool


class Reading(NamedTuple):
    """Findings from the table, in sentences, and assertions about it."""

    sentences: tuple[str, ...]
    expectations: tuple[Expectation, ...]


class Project(NamedTuple):
    """judge(trainings, say) measures the trained models, by their names; read(rows) depends on the numbers of the table alone."""

    title: str
    question: str
    models: Mapping[str, Model]
    judge: Callable[[Mapping[str, Training], Callable[[str], None]], Findings]
    read: Callable[[Mapping[str, Row]], Reading]


def call_isolated(training: Training, purpose: str, see: Callable[[Experiment], T]) -> T:
    """see(experiment) without gradients, with its own random numbers, which are those of every judgment."""
    return evaluation.call_isolated(training, f"project, {purpose}", lambda: see(training.experiment))


def run_project(
    name: str,
    project: Project,
    folder: Path,
    *,
    seed: int = 0,
    data: str | None = None,
    cpu: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train the untrained models, judge all models, write shown/ and results.json; return the content of the latter.

    Raises Interrupted if a signal stopped a training, after saving: the same call resumes. RunError if the folder is another
    project's, or this one's with another seed or other data.
    """
    recipes = {title: _recipe(model, seed, data) for title, model in project.models.items()}
    kinds = sorted({recipes[title].modality for title, model in project.models.items() if not model.keeps_data})
    if data and len(kinds) > 1:
        raise OptionError(f"data is {data}; {name} has models of {', '.join(kinds)}: leave it out")
    lock = Lock(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.take()
        _begin(
            folder, {"project": name, "seed": seed, "data": sorted({recipe.data for recipe in recipes.values() if recipe.data})}
        )
        threads, trainings = torch.get_num_threads(), {}
        for number, (title, model) in enumerate(project.models.items(), start=1):
            torch.set_num_threads(threads)  # a training lowers it: the next one would otherwise have fewer than if resumed
            say(f"{name}, model {number} of {len(recipes)}: {title} ({model.topic} {model.recipe})")
            trainings[title] = _trained(folder / MODELS / title, model, recipes[title], cpu, say)
        torch.set_num_threads(threads)
        say(f"{name}: all models are trained, and are being judged")
        findings = project.judge(trainings, say)
        results = _results(name, project, trainings, findings, seed)
        _show(folder, findings.artifacts)
        if findings.times:
            write_json(folder / TIMES, _times(findings.times))
        write_json(folder / RESULTS, results)
    except OSError as error:
        raise RunError(f"cannot write into {folder}: {error.strerror}") from error
    finally:
        lock.release()
    return results


def _recipe(model, seed, data):
    """The recipe with the project's seed, data and changes; its target was measured with its own."""
    recipe = dataclasses.replace(model.module.RECIPES[model.recipe], seed=seed)
    data = model.data if model.keeps_data else data or model.data
    changes = dict(model.changes) if data in (None, recipe.data) else {**model.changes, "data": data}
    return dataclasses.replace(recipe, **changes, target=None) if changes else recipe


def _begin(folder, asked):
    path = folder / ASKED
    if not path.exists():
        if others := sorted({file.name for file in folder.iterdir()} - {".lock", f".{ASKED}"}):
            raise RunError(f"{folder} is not empty ({others[0]}) and no project's folder; give another --out")
        write_json(path, asked)
    try:
        then = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise RunError(f"{path} cannot be read: the file is corrupt") from None
    if not isinstance(then, dict) or (other := difference(then, asked)):
        raise RunError(f"{folder} holds another project: {other if isinstance(then, dict) else then}; give another --out")


def _trained(folder, model, recipe, cpu, say):
    """The model of a finished run, which is begun, resumed or taken as it is."""
    data = load_data(recipe)
    asked = {"topic": model.topic, "recipe": model.recipe, "fields": recipe.fields(), "data": data[0].description}
    if not _is_finished(folder, asked, recipe):
        arguments = model.module, recipe, data, cpu, lambda line: say(f"warning: {line}")
        begun = (folder / "recipe.json").exists() and Run.open(folder).has_begun()
        training = resume(Run.open(folder), *arguments) if begun else begin(folder, model.topic, model.recipe, *arguments)
        training.train()
        write_report(folder, defaults=model.module.RECIPES[model.recipe].fields(), stages=stages_of(recipe))
    run, experiment = Run.open(folder), model.module.build(recipe, data[0])
    load_weights(run, recipe, experiment, say)  # read back: the same numbers, whether it was trained now or earlier
    return Training(run, recipe, experiment, *data, cpu=cpu)


def _is_finished(folder, asked, recipe):
    """Whether there is a run at its last step. RunError if it is a run of something else."""
    if not (folder / "recipe.json").exists():
        return False
    if other := difference(Run.open(folder).asked, json.loads(json.dumps(asked))):
        raise RunError(f"{folder} was trained as something else: {other}; give another --out")
    return (folder / "environment.json").exists()  # the last file of a training


def _results(name, project, trainings, findings, seed):
    reading = project.read(findings.rows)
    data = {title: training.recipe.data for title, training in trainings.items()}
    return {
        "project": name,
        "title": project.title,
        "question": project.question,
        "seed": seed,
        "own_data": all(data[title] == _recipe(model, seed, None).data for title, model in project.models.items()),
        "columns": {column: about._asdict() for column, about in findings.columns.items()},
        "rows": {
            title: {"role": row.role, "table": row.table, "cells": {column: _cell(value) for column, value in row.cells.items()}}
            for title, row in findings.rows.items()
        },
        "reading": list(reading.sentences),
        "expectations": [expectation._asdict() for expectation in reading.expectations],
        "models": {
            title: {"topic": model.topic, "recipe": model.recipe, "data": data[title], "folder": f"{MODELS}/{title}"}
            for title, model in project.models.items()
        },
    }


def _times(times):
    columns = {column: about._asdict() for column, about in times.columns.items()}
    rows = {title: {column: _cell(value) for column, value in cells.items()} for title, cells in times.rows.items()}
    return {"columns": columns, "rows": rows}


def _cell(value):
    """A cell as JSON: with the ends of its interval, or its note, where it has one."""
    return value._asdict() if isinstance(value, (Estimate, Annotated)) else {"value": float(value)}


def _show(folder, artifacts):
    """Replace shown/, so that nothing of an earlier judgment is left."""
    aside = folder / f".{SHOWN}"
    shutil.rmtree(aside, ignore_errors=True)
    save_artifacts(artifacts, aside)
    shutil.rmtree(folder / SHOWN, ignore_errors=True)
    aside.rename(folder / SHOWN)
