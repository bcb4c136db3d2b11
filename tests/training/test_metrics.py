"""Every number that an experiment logs or evaluates, and the data of its figures, are what a second computation finds.

Mistakes that passed every other test are planted and refused; `python -m benchmarks.verification.experiment_mutants` plants many
more.
"""

import importlib
import inspect
from contextlib import contextmanager
from operator import attrgetter

import pytest
import torch

from benchmarks.measuring import code_mutants, code_users
from practice_torch.engine.artifacts import Audio, Figure, ImageGrid, Text
from practice_torch.engine.stages import enter, stages_of
from tests.support import metrics
from tests.support.recipes import names
from tests.support.topic_files import module_with, topics_with

LOOKS = ("evaluate", "preview", "study", "sample")


@pytest.fixture(autouse=True)
def double():
    """Experiments are built, and draw, in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("topic", topics_with("metrics"))
def test_what_is_reported_is_what_a_second_computation_finds(topic, monkeypatch):
    """For every recipe in small: logs of some steps of every phase, then everything that the module computes."""
    compare(topic, monkeypatch)


def compare(topic, monkeypatch):
    module = module_with("metrics", topic)
    monkeypatch.setattr(metrics.tiny, "COUNT", getattr(module, "COUNT", metrics.tiny.COUNT))
    single = getattr(module, "FLOAT32", False)
    torch.set_default_dtype(torch.float32 if single else torch.float64)
    tolerance = getattr(module, "TOLERANCE", 1e-4 if single else 1e-6)
    for recipe in metrics.recipes(topic, module):
        step = getattr(module, "STEP", 0.1)
        experiment, batch, data = metrics.built(topic, recipe, step)
        second = getattr(module, "logs", lambda *_: {})
        steps = torch.Generator().manual_seed(3)
        stages, rounds = stages_of(recipe), getattr(module, "ROUNDS", 2)
        for number in range(rounds):
            for phase in enter(experiment, stages, number):
                pair = metrics.logged(experiment, batch, phase.name, second, getattr(module, "ANEW", False))
                metrics.same(*pair, f"log of {phase.name} of {type(recipe).__name__}", tolerance)
                metrics.move(experiment, steps, step)
        enter(experiment, stages, rounds)
        for what in LOOKS:
            if hasattr(module, what):
                found, wanted = metrics.results_of(experiment, what, 6 if what == "sample" else data, getattr(module, what))
                if what != "evaluate":  # what is drawn at random is left to the tests of samplers
                    found = {name: found[name] for name in wanted}
                metrics.same(found, wanted, f"{what} of {type(recipe).__name__}", tolerance)


@pytest.mark.rule
def test_every_experiment_has_its_numbers_computed_a_second_way():
    assert {topic for topic, _ in names()} == set(topics_with("metrics"))
    assert [topic for topic in topics_with("metrics") if not hasattr(module_with("metrics", topic), "evaluate")] == []


# ---------------------------------------------------------------------------------------------------- what is refused

SLIPS = [(topic, name) for topic in topics_with("metrics") for name in getattr(module_with("metrics", topic), "SLIPS", {})]


@pytest.mark.parametrize(("topic", "name"), SLIPS)
def test_a_slip_in_what_is_reported_is_refused(topic, name, monkeypatch):
    with planted(*module_with("metrics", topic).SLIPS[name]), pytest.raises(AssertionError):
        compare(topic, monkeypatch)


@contextmanager
def planted(file, function, words):
    """The function with this change."""
    path = code_users.sources()[file]
    (change,) = [each for each in code_mutants.changes(path.read_text()) if (each.function, each.words) == (function, words)]
    known = inspect.unwrap(attrgetter(function)(importlib.import_module(code_users.module_of(file))))
    original, known.__code__ = known.__code__, change.code(str(path))
    try:
        yield
    finally:
        known.__code__ = original


def drawing(*calls):
    """A figure that makes these calls."""
    return Figure(lambda axes: [getattr(axes, name)(*data, **options) for name, *data, options in calls])


LINE = ("plot", [1, 2], [3, 4], {"label": "a"})
IMAGES = torch.rand(2, 1, 3, 3)
# found, an equal value, a different value
EQUAL = {
    "numbers": ({"a": 1.0}, {"a": 1 + 1e-9}, {"a": 1.001}),
    "names": ({"a": 1.0}, {"a": 1.0}, {"b": 1.0}),
    "not a number": ({"a": float("nan")}, {"a": float("nan")}, {"a": 0.0}),
    "what is near 0": ({"a": torch.tensor([0.0, 5.0])}, {"a": [1e-9, 5.0]}, {"a": [1e-3, 5.0]}),
    "images": ({"a": ImageGrid(IMAGES, 2)}, {"a": IMAGES}, {"a": 1 - IMAGES}),
    "how many": ({"a": ImageGrid(IMAGES, 2)}, {"a": IMAGES}, {"a": IMAGES[:1]}),
    "sounds": ({"a": Audio(torch.tensor([0.5, 0.1]), 8)}, {"a": torch.tensor([0.5, 0.1])}, {"a": torch.tensor([0.1, 0.5])}),
    "texts": ({"a": Text("one")}, {"a": "one"}, {"a": "two"}),
    "what is drawn": ({"a": drawing(LINE)}, {"a": [LINE[:-1]]}, {"a": [("plot", [1, 2], [4, 3])]}),
    "how it is called": ({"a": drawing(LINE)}, {"a": [LINE]}, {"a": [(*LINE[:-1], {"label": "b"})]}),
    "how often": ({"a": drawing(LINE)}, {"a": [LINE]}, {"a": [LINE, LINE]}),
    "by what it is drawn": ({"a": drawing(LINE)}, {"a": [LINE]}, {"a": [("scatter", *LINE[1:])]}),
    "an axis": (
        {"a": torch.tensor([1.0, -2.0])},
        {"a": metrics.UpToSign(torch.tensor([-1.0, 2.0]))},
        {"a": metrics.UpToSign(torch.tensor([1.0, 2.0]))},
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_what_is_equal_is_accepted_and_what_is_not_is_refused(name):
    found, equal, other = EQUAL[name]
    metrics.same(found, equal, "found")
    with pytest.raises(AssertionError, match="found"):
        metrics.same(found, other, "found")
