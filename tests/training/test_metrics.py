"""Every number that an experiment logs or evaluates, and the data of its figures, are what a second computation finds."""

import pytest
import torch

from tests.support import metrics
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
    """Of every recipe in small: after a step of every phase, whose logs are compared, everything that the module computes."""
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
        for phase in getattr(module, "ROUNDS", 2) * experiment.phases:
            pair = metrics.logged(experiment, batch, phase.name, second, getattr(module, "ANEW", False))
            metrics.same(*pair, f"log of {phase.name} of {type(recipe).__name__}", tolerance)
            metrics.move(experiment, steps, step)
        for what in LOOKS:
            if hasattr(module, what):
                found, wanted = metrics.looked(experiment, what, 6 if what == "sample" else data, getattr(module, what))
                if what != "evaluate":  # what is drawn at random is left to the tests of samplers
                    found = {name: found[name] for name in wanted}
                metrics.same(found, wanted, f"{what} of {type(recipe).__name__}", tolerance)
