"""A modality is a module of practice_torch/data, found by its name; a recipe without one has no fields about data."""

import dataclasses
import json
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Annotated, ClassVar

import pytest
import torch

from practice_torch.data import points
from practice_torch.data.blank import blank_set
from practice_torch.engine import loop
from practice_torch.engine.batches.datasets import NoData, blank_data, data_help, load_data
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.errors import RunError
from practice_torch.engine.modality import modality_of
from practice_torch.engine.recipe import OF_DATA, Recipe
from tests.commands.test_practice_commands import call
from tests.support.recipes import module_of, names

FIELDS = {field.name for field in dataclasses.fields(Recipe)}


@dataclass(frozen=True)
class Melodic(Recipe):
    modality: ClassVar[str] = "melodies"
    data: str = "scales"
    voices: Annotated[int, AtLeast(1)] = 2


@pytest.fixture
def melodies(monkeypatch):
    """A modality unknown to the engine, made of two files."""

    def load(source, *, held_out, seed, voices):
        train, rest = points.load("bimodal", held_out=held_out, seed=seed, count=10 * voices)
        return (
            dataclasses.replace(train, description=train.description | {"name": source}),
            dataclasses.replace(rest, description=rest.description | {"name": source}),
        )

    def blank(name, facts, *, voices):
        return blank_set(name, {"count": 10 * voices}, facts, lambda count: {"point": torch.zeros(count, 1)})

    module = ModuleType("practice_torch.data.melodies")
    module.FORMS, module.load, module.blank = "scales, and nothing else.", load, blank
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_new_modality_is_a_module_of_data(melodies):
    recipe = Melodic(held_out=0.25)
    train, held_out = load_data(recipe)
    assert (len(train), len(held_out), train.description["name"]) == (15, 5, "scales")
    assert len(blank_data(recipe, {})) == 20 and blank_data(recipe, {"count": 7}).description["count"] == 7
    assert data_help(recipe).startswith("--data takes scales, and nothing else.")


def test_an_option_that_a_modality_does_not_load_with_is_refused(melodies):
    with pytest.raises(ValueError, match="image_size is 8; it must be none: the data are melodies"):
        Melodic(image_size=8)
    melodies.load = lambda source, *, held_out, seed, voices, image_size=None: image_size
    assert load_data(Melodic(image_size=8)) == 8


def test_a_modality_without_a_module_or_with_half_of_one_is_refused(melodies):
    with pytest.raises(ValueError, match="modality is 'tunes'; practice_torch/data has no tunes.py"):
        modality_of("tunes")
    with pytest.raises(ValueError, match="modality is 'splits'; practice_torch/data/splits.py has no FORMS"):
        modality_of("splits")
    del melodies.blank
    with pytest.raises(ValueError, match="practice_torch/data/melodies.py has no blank"):
        load_data(Melodic())


@dataclass(frozen=True)
class Undriven(Recipe):
    modality: ClassVar[None] = None
    batch_size: Annotated[int, AtLeast(1)] = 16


def test_a_recipe_without_data_has_none_of_its_fields():
    assert set(OF_DATA) < FIELDS and set(Undriven().fields()) == FIELDS - set(OF_DATA)
    for name in OF_DATA:
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            Undriven(**{name: getattr(Recipe, name)})
    train, held_out = load_data(Undriven())
    assert isinstance(train, NoData) and isinstance(held_out, NoData) and isinstance(blank_data(Undriven(), {}), NoData)
    assert data_help(Undriven()) == "It reads no data."
    with pytest.raises(TypeError, match="Derived redeclares data, and its modality is None: leave one of them out"):
        type("Derived", (Recipe,), {"__annotations__": {"data": str}, "data": "x", "modality": None})


@pytest.fixture(scope="module")
def without_data():
    """(topic, recipe) of a recipe without data of every class."""
    found = {}
    for topic, name in names():
        if (recipe := module_of(topic).RECIPES[name]).modality is None:
            found.setdefault(type(recipe), (topic, name))
    return list(found.values())


def test_an_option_about_data_is_a_usage_error_of_one_line(without_data):
    assert len(without_data) > 1
    for topic, name in without_data:
        for flag in ("--data", "--held-out", "--workers=2"):
            code, _, err = call("train", topic, name, flag, "two_moons")
            assert (code, err) == (2, f"error: {topic} {name} reads no data: leave {flag.split('=')[0]} out\n")
        code, out, _ = call("train", topic, name, "--help")
        assert code == 0 and "It reads no data." in out and "--data" not in out and "--steps" in out


def test_a_run_without_data_is_resumed_evaluated_sampled_and_reported(without_data, tmp_path):
    """To the bytes of a run that was not interrupted."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    words = ("--evaluate-every", "2", "--checkpoint-every", "2", "--log-every", "1", "--target", "1000")
    for run in (whole, cut):
        code, out, err = call("train", *without_data[0], "--cpu", "--run", run, "--steps", "4", *words)
        assert code == 0 and "held-out" not in out, err
    metrics = (whole / "metrics.csv").read_bytes()
    assert json.loads((whole / "recipe.json").read_bytes())["data"] == {}
    for file in (cut / "checkpoints" / "step-00000004").iterdir():
        file.unlink()
    (cut / "checkpoints" / "step-00000004").rmdir()
    assert call("train", "--resume", cut, "--cpu")[0] == 0 and (cut / "metrics.csv").read_bytes() == metrics
    assert call("evaluate", whole, "--cpu")[0] == 0 and call("sample", whole, "--cpu", "--count", "5")[0] == 0
    assert call("report", whole)[0] == 0 and call("report", whole, cut)[0] == 0
    page = (whole / "report.html").read_text(encoding="utf-8")
    assert "data <b>none</b>" in page and "on held-out data" not in page
    assert call("evaluate", whole, "--cpu", "--samples", "20")[0] == 3


def test_several_processes_do_not_train_a_recipe_without_data(without_data, monkeypatch):
    """Each would draw a whole batch."""
    topic, name = without_data[0]
    module, asked = module_of(topic), {"topic": topic}
    recipe = module.RECIPES[name]
    data = load_data(recipe)
    two = SimpleNamespace(device=torch.device("cpu"), count=2, rank=0, first=True)
    monkeypatch.setattr(loop, "Processes", lambda cpu: two)
    with pytest.raises(RunError, match=f"{topic} draws its own examples, which processes do not share; train it in one process"):
        loop.Training(SimpleNamespace(asked=asked, checkpoints=""), recipe, module.build(recipe, data[0]), *data)
