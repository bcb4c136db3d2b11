"""Checkpoints that are kept next to the newest two: of the best evaluation, and of every so many steps."""

import dataclasses
import json
import os
import shutil
import signal

import pytest
import torch

from practice_torch.engine.costs import disk
from practice_torch.engine.errors import RunError
from practice_torch.engine.loop import Interrupted
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage import checkpoint
from practice_torch.engine.storage.checkpoint import STATE
from practice_torch.engine.storage.state import load_weights
from tests.commands.test_practice_commands import call, refused
from tests.engine.test_engine_checkpoint import flip
from tests.engine.test_engine_updates import changed
from tests.support.engine.toys import Noisy, Players, Staged, StagedRecipe, begin, remains, resume

FIELDS = {"evaluate_every": 4, "checkpoint_every": 3, "keep_every": 6, "keep_best": True, "average_decay": 0.5}
SCRIPT = {4: 5.0, 8: 3.0, 12: 2.0, 16: 4.0, 20: float("nan"), 22: 2.0}  # 22 is equal to the best, 20 no number


class Scripted(Noisy):
    """Its metric is a function of the batches it has seen."""

    def evaluate(self, data):
        return {"loss": SCRIPT[int(self.seen) // 8], "mark": float(self.network[0].weight.detach().sum())}


def recipe(**fields):
    return changed(**{"steps": 22} | FIELDS | fields)


def stop_at(step):
    """An event of the experiment: a signal in this step."""
    return {step: lambda experiment, loss: (os.kill(os.getpid(), signal.SIGTERM), loss)[1]}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The training of a finished run; its metrics of each evaluation are in `marks`, by step."""
    training = begin(tmp_path_factory.mktemp("kept") / "run", make=Scripted, recipe=recipe())
    training.train()
    return training


def test_best_and_milestones_are_kept_next_to_the_newest_two(straight):
    assert checkpoint.steps_of(straight.run.checkpoints) == [6, 12, 18, 21, 22]  # 0 holds no training
    assert checkpoint.steps_of(straight.run.best) == [8, 12]
    assert not [path for path in straight.run.checkpoints.iterdir() if path.name.startswith(".")]


def test_without_patience_the_result_of_a_run_is_that_of_its_last_step(straight):
    found = json.loads((straight.run.folder / "evaluation.json").read_text())
    assert (found["step"], found["value"]) == (22, 2.0)
    assert load_weights(straight.run, recipe(), Scripted(), pytest.fail) == 22


def test_each_kept_state_holds_the_weights_of_its_step(straight):
    """The best ones, averaged, give the evaluation that was written; a milestone has the batches seen until then."""
    rows = (straight.run.folder / "metrics.csv").read_text().splitlines()
    marks = {int(step): float(value) for step, _, name, value in (row.split(",") for row in rows[1:]) if name == "mark"}
    for which, step in (("best", 12), (6, 6), (12, 12), (18, 18), (None, 22)):
        fresh = Scripted()
        assert load_weights(straight.run, recipe(), fresh, pytest.fail, which) == step == int(fresh.seen) / 8
        if step in marks:
            assert fresh.network[0].weight.sum().item() == marks[step]


def test_patience_keeps_the_same_best_and_ends_in_it(tmp_path, straight):
    """One mechanism: with and without --keep-best the same files, which are the default then."""
    for name, fields in {"with": {}, "without": {"keep_best": False}}.items():
        patient = recipe(patience=2, **fields)
        run = begin(tmp_path / name, make=Scripted, recipe=patient)
        run.train()
        assert run.step == 20 and json.loads((tmp_path / name / "evaluation.json").read_text())["step"] == 12
        assert remains(tmp_path / name)[3]["best/step-00000012"] == remains(straight.run.folder)[3]["best/step-00000012"]
        assert [load_weights(run.run, patient, Scripted(), pytest.fail, which) for which in (None, "best", 18)] == [12, 12, 18]


@pytest.mark.parametrize("step", [5, 6, 8, 12, 13, 21])
def test_an_interrupted_run_keeps_the_same_bytes(tmp_path, straight, step):
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", stop_at(step), make=Scripted, recipe=recipe()).train()
    resume(tmp_path / "run", make=Scripted, recipe=recipe()).train()
    assert remains(tmp_path / "run") == remains(straight.run.folder)
    kept = {"checkpoints": (6, 12, 18), "best": (8, 12)}
    assert set(remains(tmp_path / "run")[3]) == {f"{folder}/step-{step:08d}" for folder in kept for step in kept[folder]}


def test_a_damaged_milestone_that_is_the_newest_is_made_again(tmp_path, straight):
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", stop_at(12), make=Scripted, recipe=recipe()).train()
    flip(tmp_path / "run/checkpoints/step-00000012" / STATE, 999)
    said = []
    resume(tmp_path / "run", make=Scripted, recipe=recipe(), say=said.append).train()
    assert "going back to step-00000009" in said[0]
    assert remains(tmp_path / "run") == remains(straight.run.folder)


def test_damaged_milestones_ahead_of_a_run_that_went_back_are_removed(tmp_path):
    """They would be the newest; the run has not come to them again."""
    for step in (3, 6, 9, 12, 9):
        checkpoint.save(tmp_path, step, {"experiment/weight": torch.ones(3)}, {}, None, 6)
    assert checkpoint.steps_of(tmp_path) == [6, 9]


def test_a_part_of_a_sharded_model_is_the_same_bytes_in_any_order_of_its_tensors(tmp_path):
    """A resumed run has read what was logged in any order, and a checkpoint that is kept shows it."""
    files = []
    for names in ("ab", "ba"):
        tensors = {name: torch.full((3,), float(ord(name))) for name in names}
        path = checkpoint.save(tmp_path / names, 4, tensors, {}, {name: [0] for name in names})
        files.append((path / "state-00000.safetensors").read_bytes())
    assert files[0] == files[1]


def test_of_a_training_in_stages_the_last_stage_counts(tmp_path):
    """Also in an evaluation that a resumed run repeats, and at the step on which the last stage begins."""

    class Improving(Staged):
        def evaluate(self, data):
            return {"loss": 1.0 if self.place.stage == "second" and self.place.taken else 0.0}

    staged = StagedRecipe(**changed(**FIELDS | {"evaluate_every": 1, "keep_every": 0}, steps=9).fields())
    begin(tmp_path / "straight", make=Improving, recipe=staged).train()
    assert checkpoint.steps_of(tmp_path / "straight" / "best") == [7]
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", stop_at(7), make=Improving, recipe=staged).train()
    resume(tmp_path / "run", make=Improving, recipe=staged).train()
    assert remains(tmp_path / "run") == remains(tmp_path / "straight")


# ---------------------------------------------------------------------------------------------------- what is not there


def test_a_step_that_is_not_there_is_refused_with_those_that_are(straight):
    with pytest.raises(RunError, match="checkpoints has no checkpoint of step 7: it has those of steps 6, 12, 18, 21, 22$"):
        load_weights(straight.run, recipe(), Scripted(), pytest.fail, 7)
    with pytest.raises(RunError, match="no checkpoint of step 0: it has none yet"):
        checkpoint.of_step(straight.run.folder / "nowhere", 0)


def test_a_damaged_milestone_is_an_error_and_no_other_takes_its_place(tmp_path, straight):
    copy = shutil.copytree(straight.run.folder, tmp_path / "copy")
    flip(copy / "checkpoints/step-00000006" / STATE, 999)
    run = dataclasses.replace(straight.run, folder=copy)
    with pytest.raises(RunError, match="step-00000006.*does not match its SHA-256"):
        load_weights(run, recipe(), Scripted(), pytest.fail, 6)
    with pytest.raises(RunError, match="step-00000012 is of another model"):
        load_weights(run, recipe(), Players(), pytest.fail, 12)


def test_best_weights_that_are_not_there_are_refused_with_the_reason(tmp_path):
    plain = begin(tmp_path / "plain", recipe=changed(steps=1))
    plain.train()
    with pytest.raises(RunError, match="plain has no best weights: it was trained without --keep-best; leave --best out"):
        load_weights(plain.run, plain.recipe, Noisy(), pytest.fail, "best")
    assert not plain.run.best.exists() and checkpoint.steps_of(plain.run.checkpoints) == [0, 1]
    early = begin(tmp_path / "early", recipe=recipe())
    with pytest.raises(RunError, match="has no best weights: there has been no evaluation yet with a finite metric"):
        load_weights(early.run, early.recipe, Noisy(), pytest.fail, "best")


def test_milestones_fall_on_checkpoints():
    with pytest.raises(ValueError, match=r"keep_every is 1500; it must be a multiple of checkpoint_every \(1000\), or 0"):
        Recipe(keep_every=1500)
    with pytest.raises(ValueError, match="keep_every is -1000; it must be at least 0"):
        Recipe(keep_every=-1000)
    assert Recipe(keep_every=3000).keep_every == 3000


# ---------------------------------------------------------------------------------------------------- disk


@pytest.mark.parametrize("make", [Noisy, Players])
def test_the_bytes_that_are_planned_are_those_that_are_written(tmp_path, make):
    training = begin(tmp_path / "run", make=make, recipe=recipe(keep_every=0) if make is Noisy else changed(keep_best=True))
    whole, weights = disk.checkpoint_bytes(training)
    training.train()
    for folder, planned in ((training.run.checkpoints, whole), (training.run.best, weights)):
        tensors, _ = checkpoint.newest(folder, pytest.fail)
        counted = {name: tensor for name, tensor in tensors.items() if not name.startswith(("generator/", "pending/"))}
        assert sum(tensor.nbytes for tensor in counted.values()) == planned


def test_the_plan_says_what_is_kept_and_warns_of_a_small_disk(tmp_path, monkeypatch):
    training = begin(tmp_path / "run", recipe=recipe())
    whole, weights = disk.checkpoint_bytes(training)
    total = 5 * whole + 2 * weights  # 6, 12, 18 and the newest two
    words = f"checkpoints take at most {total / 1000:.3g} kB of disk: the newest two and 3 more, one every 6 steps, "
    words += f"{whole} bytes each; "
    words += f"the weights of the best two evaluations, {weights} bytes each"
    assert disk.disk_plan(training) == f"note: {words}"
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(0, 0, total - 1))
    assert disk.disk_plan(training) == f"warning: {words}; only {(total - 1) / 1000:.3g} kB is free"


# ---------------------------------------------------------------------------------------------------- the commands

TINY = ["latent/vae", "digits", "--samples", "2", "--batch-size", "16"]
KEPT = ["--steps", "8", "--evaluate-every", "4", "--checkpoint-every", "2", "--keep-every", "2", "--keep-best"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A short run on digits, and what its command printed."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    code, _, said = call("train", *TINY, *KEPT, "--run", folder, "--cpu")
    assert code == 0, said
    return folder, said


def test_train_begins_with_the_plan_of_the_disk(digits):
    notes = [line for line in digits[1].splitlines() if line.startswith("note: checkpoints take at most")]
    assert len(notes) == 1 and "the newest two and 4 more, one every 2 steps, " in notes[0]
    assert digits[1].index(notes[0]) < digits[1].index("step 4: ")


def test_commands_take_the_weights_of_a_step_and_the_best(digits, tmp_path):
    """Each evaluation gives what the training wrote at that step; samples differ between steps."""
    copy, drawn = shutil.copytree(digits[0], tmp_path / "run"), set()
    rows = (line.split(",") for line in (copy / "metrics.csv").read_text().splitlines())
    written = {int(step): float(value) for step, phase, name, value in rows if (phase, name) == ("evaluate", "negative_elbo")}
    assert written[8] < written[4]
    shutil.rmtree(copy / "best" / "step-00000008")  # the best, and the newest: without it --best differs from the default
    for step, words in ((4, ["--step", "4"]), (8, ["--step", "8"]), (4, ["--best"]), (8, [])):
        code, out, _ = call("evaluate", copy, *words, "--cpu")
        found = json.loads((copy / "evaluation.json").read_text())
        assert code == 1 and f"step {step}" in out  # the target of the recipe is missed
        assert (found["step"], found["value"]) == (step, written[step])
    for step in (2, 8):
        assert call("sample", copy, "--step", step, "--count", 8, "--out", tmp_path / str(step), "--cpu")[0] == 0
        drawn.add(b"".join(path.read_bytes() for path in sorted((tmp_path / str(step)).glob("*.png"))))
    assert len(drawn) == 2


@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_commands_refuse_what_is_not_there(digits, command):
    line = refused(3, command, digits[0], "--step", "3", "--cpu")
    assert line.endswith("no checkpoint of step 3: it has those of steps 2, 4, 6, 8")
    assert "--best and --step name two checkpoints" in refused(2, command, digits[0], "--best", "--step", "4")
    assert "step is -1; it must be between 0 and" in refused(2, command, digits[0], "--step", "-1")


def test_help_says_what_is_kept_and_what_it_takes():
    text = " ".join(call("train", *TINY[:2], "--help")[1].replace("\u2502", " ").split())
    assert "--keep-every" in text and "about three times the weights on disk" in text
    assert "--keep-best" in text and "twice the weights on disk" in text
    line = refused(2, "train", *TINY, "--checkpoint-every", "4", "--keep-every", "6")
    assert "keep_every is 6; it must be a multiple of checkpoint_every (4)" in line
