"""Early stopping: when it stops, which weights it keeps, and that an interrupted run ends as an uninterrupted one."""

import dataclasses
import json
import os
import signal

import pytest

from practice_torch.engine.errors import RunError
from practice_torch.engine.loop import Interrupted
from practice_torch.engine.patience import Patience
from practice_torch.engine.storage.state import load_weights
from tests.support.engine.toys import RECIPE, Noisy, Staged, StagedRecipe, begin, remains, resume

RECIPE = dataclasses.replace(RECIPE, steps=40, evaluate_every=4, checkpoint_every=3, patience=2, average_decay=0.5)
SCRIPT = {4: 5.0, 8: 3.0, 12: 4.0, 16: 2.0, 20: 2.0, 24: float("nan"), 28: 1.0}  # stops at 24: 20 is equal, 24 no number


class Scripted(Noisy):
    """Its metric is a function of the batches it has seen."""

    def evaluate(self, data):
        return {"loss": SCRIPT.get(int(self.seen) // 8, 9.0), "mark": float(self.network[0].weight.detach().sum())}


def stop_at(step):
    """An event of the experiment: a signal in this step."""
    return {step: lambda experiment, loss: (os.kill(os.getpid(), signal.SIGTERM), loss)[1]}


def outcome(folder):
    best = max((folder / "best").glob("step-*"))
    return remains(folder), best.name, (best / "state.safetensors").read_bytes(), (folder / "evaluation.json").read_bytes()


def test_it_stops_after_the_evaluations_without_a_better_one(tmp_path):
    begin(tmp_path / "run", make=Scripted, recipe=RECIPE).train()
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert (found["step"], found["value"]) == (16, 2.0)
    assert remains(tmp_path / "run")[0] == "step-00000024"


def test_evaluations_and_samples_use_the_best_weights(tmp_path):
    training = begin(tmp_path / "run", make=Scripted, recipe=RECIPE)
    metrics = training.train()
    fresh = Scripted()
    assert load_weights(training.run, RECIPE, fresh, say=print) == 16
    assert fresh.evaluate(None)["mark"] == metrics["mark"]  # of the averaged weights, in which evaluations are made
    later = training.average["network.0.weight"].sum().item()
    assert later != pytest.approx(metrics["mark"], rel=1e-6)


@pytest.mark.parametrize("step", [1, 7, 8, 17, 21, 24])
def test_an_interrupted_run_ends_in_the_same_bytes(tmp_path, step):
    begin(tmp_path / "straight", make=Scripted, recipe=RECIPE).train()
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", stop_at(step), make=Scripted, recipe=RECIPE).train()
    resume(tmp_path / "run", make=Scripted, recipe=RECIPE).train()
    assert outcome(tmp_path / "run") == outcome(tmp_path / "straight")


def test_a_finished_run_stays_as_it_is(tmp_path):
    begin(tmp_path / "run", make=Scripted, recipe=RECIPE).train()
    before = outcome(tmp_path / "run")
    resume(tmp_path / "run", make=Scripted, recipe=RECIPE).train()
    assert outcome(tmp_path / "run") == before


def test_without_patience_nothing_is_kept_and_the_last_step_is_reached(tmp_path):
    begin(tmp_path / "run", make=Scripted, recipe=dataclasses.replace(RECIPE, patience=0)).train()
    assert not (tmp_path / "run" / "best").exists()
    assert remains(tmp_path / "run")[0] == "step-00000040"


def test_higher_is_better_where_the_recipe_says_so():
    for direction, best in (("lower", 12), ("higher", 8)):
        patience = Patience(dataclasses.replace(RECIPE, direction=direction))
        for step, value in {4: 2.0, 8: 3.0, 12: 1.0}.items():
            patience.see(step, {"loss": value})
        assert patience.step == best


def test_a_metric_that_is_never_finite_stops_the_run_with_its_last_weights(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "SCRIPT", dict.fromkeys(range(4, 41, 4), float("nan")))
    training = begin(tmp_path / "run", make=Scripted, recipe=RECIPE)
    training.train()
    assert training.step == 8 and not training.run.best.exists()
    assert load_weights(training.run, RECIPE, Scripted(), say=print) == 8


def test_a_training_in_stages_has_no_patience(tmp_path):
    recipe = StagedRecipe(**(RECIPE.fields() | {"steps": 16}))
    with pytest.raises(RunError, match="trains in stages, .* set --patience 0"):
        begin(tmp_path / "run", make=Staged, recipe=recipe)
