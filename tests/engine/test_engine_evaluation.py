"""Evaluations and previews that fail: the state is saved first, the failure is reported, and resuming gives the same bytes."""

import numpy as np
import pytest
import torch

from practice_torch.engine.artifacts import Figure, Text
from practice_torch.engine.errors import RunError
from practice_torch.engine.evaluation import means
from practice_torch.engine.storage import checkpoint
from tests.engine.test_engine import poisoned_gradient
from tests.support.engine.toys import Noisy, begin, remains, resume


class Mended(Exception):
    """Would not happen again."""


class Blind(Noisy):
    """Its previews fail as a whole."""

    def preview(self, data):
        raise Mended("the figure has\nno axes")


class HalfBlind(Noisy):
    """One of its previews fails when it is drawn, which is when it is written."""

    def preview(self, data):
        return {"curve": Figure(lambda axes: axes.plot(self.nowhere)), "words": Text("seen", "what was seen")}


class Failing(Noisy):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def evaluate(self, data):
        raise self.error


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    begin(folder).train()
    return remains(folder)


def test_failed_previews_are_reported_and_the_training_continues(tmp_path, straight, capsys):
    begin(tmp_path / "run", make=Blind).train()
    assert remains(tmp_path / "run") == straight
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert warnings == [f"warning: no previews at step {step}: Mended: the figure has no axes" for step in (7, 14)]


def test_one_preview_that_fails_is_named_and_the_others_are_written(tmp_path, straight, capsys):
    begin(tmp_path / "run", make=HalfBlind).train()
    assert remains(tmp_path / "run") == straight
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 2 and warnings[0].startswith("warning: no preview 'curve' at step 7: AttributeError: 'HalfBlind'")
    previews = sorted(path.name for path in (tmp_path / "run" / "previews").iterdir())
    assert previews == ["00000007-words.txt", "00000014-words.txt", "captions.json"]


def test_the_state_is_saved_before_an_evaluation_that_fails(tmp_path, straight):
    """No checkpoint is due at step 7. Going on evaluates step 7 again: its rows are there, and only once."""
    with pytest.raises(Mended):
        begin(tmp_path / "run", make=lambda: Failing(Mended())).train()
    assert checkpoint.newest(tmp_path / "run" / "checkpoints", pytest.fail)[1]["step"] == 7
    with pytest.raises(Mended):  # it would fail in the same place, before a step is taken
        resume(tmp_path / "run", make=lambda: Failing(Mended())).train()
    assert checkpoint.newest(tmp_path / "run" / "checkpoints", pytest.fail)[1]["step"] == 7
    resume(tmp_path / "run").train()
    assert remains(tmp_path / "run") == straight
    assert (tmp_path / "run" / "previews" / "00000007-words.txt").is_file()


@pytest.mark.parametrize("library", [torch, np], ids=["torch", "numpy"])
def test_a_matrix_that_is_not_finite_names_the_largest_weight(tmp_path, library):
    begin(tmp_path / "run").train()
    training = resume(tmp_path / "run", make=lambda: Failing(library.linalg.LinAlgError("svd did not converge")))
    training.experiment.network[3].bias.data[1] = -3e30
    message = r"step 14 computes with a matrix .* weight is 3e\+30, in network\.3\.bias; lower --learning-rate \(now 0.1\)"
    with pytest.raises(RunError, match=message):
        training.train()


def test_weights_that_are_not_finite_are_named_before_they_are_evaluated(tmp_path):
    def evaluate(self, data):
        pytest.fail("evaluated all the same")

    training = begin(tmp_path / "run", {7: poisoned_gradient}, make=type("Watched", (Noisy,), {"evaluate": evaluate}))
    message = r"network\.0\.bias is not finite after step 7, and this state is not saved; lower --learning-rate \(now 0.1\)"
    with pytest.raises(RunError, match=message):
        training.train()
    assert checkpoint.newest(training.run.checkpoints, pytest.fail)[1]["step"] == 4


def test_metrics_of_parts_are_averaged_with_the_weights_of_each():
    parts = [(1, {"loss": 3.0}), (2, {"loss": 6.0})]
    assert means(parts) == {"loss": 5.0}
    parts = [({"per_byte": 1, "per_token": 3}, found) for found in [{"per_byte": 1.0, "per_token": 1.0}]]
    parts += [({"per_byte": 3, "per_token": 1}, {"per_byte": 5.0, "per_token": 5.0})]
    assert means(parts) == {"per_byte": 4.0, "per_token": 2.0}
