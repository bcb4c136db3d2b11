"""Trainings in stages: who plays when, exact resume in every stage, what is shown, and what each stage costs."""

import itertools
import json
import os
import re
import signal

import pytest
import torch

from practice_torch.engine.batches.order import Batches
from practice_torch.engine.costs.flops import flops_of_step
from practice_torch.engine.costs.throughput import Throughput
from practice_torch.engine.experiment import Phase
from practice_torch.engine.loop import Interrupted
from practice_torch.engine.optimizers import Player, initialize_moments
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import Place, Stage, batch_numbers, enter, place_at, stages_of
from tests.support.engine.toys import RECIPE, Points, Staged, StagedRecipe, begin, remains, resume

STAGED = StagedRecipe(**(RECIPE.fields() | {"average_decay": 0.7, "clip_norm": 0.5}))


def terminate(_experiment, loss):
    os.kill(os.getpid(), signal.SIGTERM)
    return loss


def test_the_number_of_steps_alone_decides_the_place():
    stages = (Stage("none", 0, ("a",)), Stage("one", 2, ("a",)), Stage("two", 1, ("b",)))
    places = [place_at(stages, step) for step in range(4)]
    assert places == [Place("one", 0), Place("one", 1), Place("two", 0), Place("two", 1)]


class Short(Recipe):
    """Stages of five steps, whatever the number of steps is."""

    def stages(self):
        return Stage("first", 3, ("one",)), Stage("second", 2, ("other",))


def test_stages_of_another_number_of_steps_are_refused():
    with pytest.raises(ValueError, match="the stages of Short have first 3, second 2 steps; together they must have 14"):
        stages_of(Short(steps=14))
    assert len(stages_of(Short(steps=5))) == 2 and stages_of(RECIPE) == ()


def test_only_the_phases_of_a_stage_play_each_with_its_own_batches(tmp_path):
    """The other's parameters stay as they are, and have no moments; batches are numbered as if all phases played."""
    seen = []

    class Watching(Staged):
        def forward(self, batch, phase):
            if self.training:
                seen.append(batch["point"].clone())
            return super().forward(batch, phase)

    training = begin(tmp_path / "run", make=Watching, recipe=STAGED)
    before = training.experiment.other.weight.detach().clone()
    for _ in range(5):
        training._advance()
    assert torch.equal(training.experiment.other.weight, before) and training.experiment.place == Place("both", 0)
    _, other = training.players
    assert not any(other.optimizer.state[parameter] for parameter in other.parameters.values())
    training._advance()
    kept = training.experiment.one.weight.detach().clone()
    training._advance()
    assert torch.equal(training.experiment.one.weight, kept) and not torch.equal(training.experiment.other.weight, kept)
    assert {int(other.optimizer.state[parameter]["step"]) for parameter in other.parameters.values()} == {2 * 7}
    first, both, second = (("one", "first"), ("other", "both"), ("other", "second"))
    played = [*((*first, taken) for taken in range(5)), ("one", "both", 0), *[(*both, 0)] * 2, *[(*second, 0)] * 2]
    assert training.experiment.played == played
    expected = Batches(Points.drawn(), 8, STAGED.seed)
    numbers = [*range(0, 15, 3), 15, 16, 17, 19, 20]
    assert all(torch.equal(points, expected[number]["point"]) for number, points in zip(numbers, seen, strict=True))
    for first in (0, 3, 16, 19):  # what workers read ahead
        wanted = batch_numbers(Staged.phases, STAGED.stages(), STAGED.accumulate, first)
        rest = numbers[numbers.index(first) :]
        assert list(itertools.islice(wanted, len(rest))) == rest
    assert list(itertools.islice(batch_numbers(Staged.phases, STAGED.stages(), 2), 6)) == [0, 1, 6, 7, 12, 13]
    assert list(itertools.islice(batch_numbers(Staged.phases, (), 2, 5), 3)) == [5, 6, 7]
    training.run.lock.release()


@pytest.mark.parametrize("step", [2, 5, 6, 7, 13])
def test_a_run_interrupted_in_any_stage_goes_on_to_the_same_bytes(tmp_path, step):
    """Steps 5 and 6 are the last ones of their stages."""
    begin(tmp_path / "straight", make=Staged, recipe=STAGED).train()
    with pytest.raises(Interrupted) as stop:
        begin(tmp_path / "run", {step: terminate}, make=Staged, recipe=STAGED).train()
    assert stop.value.step == step
    resume(tmp_path / "run", make=Staged, recipe=STAGED).train()
    assert remains(tmp_path / "run") == remains(tmp_path / "straight")


def test_a_parameter_that_moves_later_has_the_steps_that_zero_gradients_would_give_it():
    """To the byte: the same network with zeros for its gradient in the first stage."""
    weights, moved = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)], []
    zero, late = (torch.optim.AdamW([weight], lr=0.1, weight_decay=0.0, fused=True) for weight in weights)
    weights[0].grad = torch.zeros(3)
    for _ in range(600):
        zero.step()
    player = Player(Phase("late", times=2), {"weight": weights[1]}, late)
    initialize_moments(player, 600)
    assert late.state[weights[1]] == {}
    for weight, optimizer in zip(weights, (zero, late), strict=True):
        weight.grad = torch.tensor([1.0, -2.0, 3.0])
        if optimizer is late:
            initialize_moments(player, 600)
        optimizer.step()
        moved.append(weight.detach().clone())
    assert torch.equal(*moved) and (moved[0] - 1).abs().min() > 0.11  # a new optimizer's first step is its rate, 0.1


def test_an_evaluation_knows_the_place(tmp_path):
    metrics = begin(tmp_path / "run", make=Staged, recipe=STAGED).train()
    assert metrics["taken"] == 8
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert "7,evaluate,taken,1.0" in rows and not any(re.match(r"5,other,", row) for row in rows)


def test_a_line_of_progress_names_the_stage(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("practice_torch.engine.progress.IN_LOG", 0.0)
    begin(tmp_path / "run", make=Staged, recipe=STAGED).train()
    lines = [line for line in capsys.readouterr().err.splitlines() if "steps/s" in line]
    assert [re.search("stage ([a-z]+)", line)[1] for line in lines] == ["first"] * 5 + ["both"] + ["second"] * 8
    begin(tmp_path / "plain", recipe=Recipe(**RECIPE.fields())).train()
    assert "stage" not in capsys.readouterr().err


def test_operations_are_counted_stage_by_stage():
    """One product forward and one for the gradient of `one`; both forward and one for the gradient of `other`, twice a step."""
    experiment, batch = Staged(), {"point": torch.zeros(8, 3)}
    product = 2 * 8 * 3 * 3
    counted = [flops_of_step(experiment, batch, STAGED, stage) for stage in STAGED.stages()]
    assert counted == [2 * product, 8 * product, 6 * product]
    assert experiment.place == Place("first", 0)


def test_utilization_counts_the_operations_of_the_stage(monkeypatch):
    processes = type("Processes", (), {"count": 1, "first": True})
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100 PCIe")
    speed = Throughput(Staged(), STAGED, torch.device("cuda"), processes)
    batch = {"point": torch.zeros(8, 3)}
    for stage, turns in (("first", 5), ("second", 2)):
        for _ in range(turns):
            speed.see(batch, stage)
    assert speed._operations == 5 * 2 * 144 + 6 * 144
    speed.lap()
    facts = speed.facts()["throughput"]
    assert facts["flops_of_a_step"] == {"first": 2 * 144, "second": 6 * 144} and facts["utilization"] > 0
    json.dumps(facts)


def test_without_stages_all_phases_play():
    experiment = Staged()
    assert enter(experiment, (), 9) == experiment.phases and experiment.place == Place("first", 0)
