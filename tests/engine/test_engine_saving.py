"""Checkpoints written in the background: training goes on, one is written at a time, and what was saved is what is read."""

import threading

import pytest
import torch

from practice_torch.engine.batches.order import seed_of, share_of
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.errors import RunError
from practice_torch.engine.storage import background_writes, checkpoint, snapshot
from tests.support.engine.toys import RECIPE, begin, remains


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path, monkeypatch):
    """That of step 12 is held back until step 14 is being computed, and holds the state of step 12 all the same."""
    save, start, reached = checkpoint.save, background_writes.Saver.begin, threading.Event()
    with monkeypatch.context() as at_once:  # waits for each checkpoint
        at_once.setattr(background_writes.Saver, "begin", lambda self, *words: (start(self, *words), self.finish()))
        begin(tmp_path / "straight").train()

    def held_back(folder, step, *words, **team):
        assert step != 12 or reached.wait(20), "the training waits for the checkpoint"
        return save(folder, step, *words, **team)

    def reach(_experiment, loss):
        reached.set()
        return loss

    monkeypatch.setattr(checkpoint, "save", held_back)
    begin(tmp_path / "run", {14: reach}).train()
    assert remains(tmp_path / "run") == remains(tmp_path / "straight")
    ours, theirs = ((tmp_path / run / "checkpoints/step-00000012/state.safetensors").read_bytes() for run in ("run", "straight"))
    assert ours == theirs


def test_one_checkpoint_is_written_at_a_time_and_a_failure_is_reported_once(monkeypatch):
    release, begun = threading.Event(), []

    def save(step, team):
        begun.append(step)
        assert release.wait(20)
        raise RunError(f"no room for step {step}")

    monkeypatch.setattr(checkpoint, "save", save)
    saver = background_writes.Saver(Processes(cpu=True), True)
    saver.begin(1)
    saver.require_success()  # not known yet
    threading.Timer(0.2, release.set).start()
    with pytest.raises(RunError, match="no room for step 1"):
        saver.begin(2)
    assert begun == [1]
    saver.finish()
    saver.begin(3)
    with pytest.raises(RunError, match="no room for step 3"):
        while True:
            saver.require_success()


def test_a_process_that_was_not_there_seeds_its_generators_by_rank_and_step(tmp_path):
    training = begin(tmp_path / "run")
    tensors, _ = snapshot.collect(training)
    training.processes.rank = 3
    snapshot.put_back(training, tensors, 8)
    assert training.generator.initial_seed() == seed_of(RECIPE.seed, "train", 3, "resumed", 8)
    assert torch.initial_seed() == seed_of(RECIPE.seed, "train", "torch", 3, "resumed", 8)
    training.processes.rank = 0
    snapshot.put_back(training, tensors, 8)
    assert torch.equal(training.generator.get_state(), tensors["generator/0/experiment"])


def test_a_batch_is_shared_evenly_or_not_at_all():
    assert share_of(24, 8) == 3
    with pytest.raises(RunError, match="a batch of 37 examples cannot be split evenly over 2 .* --batch-size to a multiple of 2"):
        share_of(37, 2)
