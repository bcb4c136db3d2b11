"""Projects in small, each run whole once for a file of tests."""

import functools

import pytest

from practice_torch.engine import estimate, evaluation
from practice_torch.projects import _style_sounds, augmentation, comparison, representation, runner
from practice_torch.projects.runner import run_project
from tests.support import small_recipes
from tests.support.commands.projects import of, quiet, small


@pytest.fixture(scope="module")
def few():
    """A little data for every recipe, as much as sample metrics need; few points, few half-samples, and no previews of runs."""

    def load(recipe):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(small_recipes, "EXAMPLES", 40)
            return small_recipes.few(recipe)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "load_data", load)
        patched.setattr(estimate, "_SPLITS", 5)
        patched.setattr(comparison, "COUNT_OF_POINTS", 64)
        for project in (augmentation, representation):  # whose classifiers learn in the judgment
            patched.setattr(project, "UPDATES", 3)
        for name, value in (("LENGTH", 2048), ("FILTERS", 8), ("STEPS", 3), ("ROUNDS", 2)):
            patched.setattr(_style_sounds, name, value)
        patched.setattr(evaluation, "preview", lambda training, say: None)
        yield


@pytest.fixture(scope="module")
def finished(few, tmp_path_factory):
    """name -> (results, folder) of the project in small, which nothing has stopped; each once."""

    def finish(name):
        folder = tmp_path_factory.mktemp(name) / "whole"
        return run_project(name, small(of(name)), folder, **quiet), folder

    return functools.cache(finish)
