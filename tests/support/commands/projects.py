"""Projects in small: their models, what they end in, and how one is stopped."""

import math
import shutil
from importlib import import_module
from types import SimpleNamespace

import pytest

from practice_torch.engine import loop
from practice_torch.engine.storage.run import Run
from practice_torch.engine.storage.state import weights_of
from practice_torch.projects import runner
from practice_torch.projects.runner import run_project
from practice_torch.reports.project_page import write_project_page
from tests.commands.test_report import Page
from tests.support import small_recipes

quiet = dict(say=lambda line: None)


def of(name):
    return import_module(f"practice_torch.projects.{name}").PROJECT


def small(whole):
    """The project with small recipes, on a little of their data."""

    def cut(model):
        recipe, _ = small_recipes.small(model.topic, model.recipe)
        module = SimpleNamespace(__name__=model.module.__name__, RECIPES={model.recipe: recipe}, build=model.module.build)
        changes = {name: value for name, value in model.changes.items() if name not in ("steps", "evaluate_every")}
        return model._replace(module=module, changes=changes)

    return whole._replace(models={title: cut(model) for title, model in whole.models.items()})


def table(results):
    """row -> column -> value."""
    return {title: {column: cell["value"] for column, cell in row["cells"].items()} for title, row in results["rows"].items()}


def trained(whole, folder, name):
    """(recipe, experiment, training data, held-out data) of a model of a project, with the weights of its last checkpoint."""
    model = whole.models[name]
    recipe = runner._recipe(model, 0, None)
    train, held_out = runner.load_data(recipe)
    experiment = model.module.build(recipe, train)
    experiment.load_state_dict(weights_of(Run.open(folder / "models" / name), experiment, print)[0])
    return recipe, experiment, train, held_out


class Stopped(BaseException):
    """An exception that nothing catches."""


def require_same_after_stops(name, finished, tmp_path, monkeypatch):
    """A project that is stopped by a signal in its first training, and before its judgment, ends in the same bytes.

    Every row of it is a number on its page.
    """
    whole, (results, folder) = small(of(name)), finished(name)
    with monkeypatch.context() as patched:
        patched.setattr(loop.Training, "_asked_to_stop", lambda training, row_due: 15)
        with pytest.raises(loop.Interrupted):
            run_project(name, whole, tmp_path / "stopped", **quiet)
    there = tmp_path / "stopped" / runner.MODELS
    for title in whole.models:  # those after it are not trained again: that a recipe ends in the same bytes has tests of its own
        if not (there / title).exists():
            shutil.copytree(folder / runner.MODELS / title, there / title)
    with pytest.raises(Stopped):
        run_project(name, whole, tmp_path / "stopped", say=stop_at("judged"))
    assert not (tmp_path / "stopped" / "results.json").exists()
    run_project(name, whole, tmp_path / "stopped", **quiet)
    for file in ("results.json", "project.json", *(f"shown/{path.name}" for path in (folder / "shown").iterdir())):
        assert (tmp_path / "stopped" / file).read_bytes() == (folder / file).read_bytes(), file

    roles = {row["role"] for row in results["rows"].values()}
    assert roles == {"floor", "model", "ceiling"}
    assert all(math.isfinite(value) for row in table(results).values() for value in row.values())
    assert {column for row in table(results).values() for column in row} == set(results["columns"])
    page = Page(write_project_page(folder, results, tmp_path / "report.html"))
    assert all(address.startswith("data:") for address in page.addresses)
    for said in (whole.question, *results["reading"], *results["rows"], *(part["words"] for part in results["expectations"])):
        assert " ".join(said.split()) in " ".join(page.words.split())


def stop_at(moment):
    def say(line):
        if moment in line:
            raise Stopped

    return say
