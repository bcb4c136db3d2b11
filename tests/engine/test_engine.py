"""The training loop: exact resume, phases, the guard, signals, the order of examples."""

import csv
import json
import os
import shutil
import signal

import pytest
import torch
from accelerate import PartialState

from practice_torch.engine.batches.order import Batches, Order, seed_of
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Phase, phase_parameters
from practice_torch.engine.loop import Interrupted
from practice_torch.engine.optimizers import freeze_others, make_player
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage import checkpoint
from practice_torch.engine.storage.run import Run
from practice_torch.engine.storage.state import weights_of
from tests.support.engine.toys import RECIPE, Noisy, Players, Points, begin, remains, resume

AVERAGED = Recipe(**(RECIPE.fields() | {"average_decay": 0.7}))
CLIPPED = Recipe(**(AVERAGED.fields() | {"clip_norm": 0.5}))  # every kind of state at once


def terminate(_experiment, loss):
    os.kill(os.getpid(), signal.SIGTERM)
    return loss


class Crash(Exception):
    pass


def crash(_experiment, loss):
    raise Crash


@pytest.fixture
def straight(tmp_path):
    """The files of an uninterrupted run."""
    begin(tmp_path / "straight").train()
    return remains(tmp_path / "straight")


# ---------------------------------------------------------------------------------------------------- exact resume


@pytest.mark.parametrize("step", [1, 4, 7, 11, 13])
def test_a_terminated_run_goes_on_to_the_same_bytes(tmp_path, straight, step):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as stop:
        begin(tmp_path / "run", {step: terminate}).train()
    assert (stop.value.step, stop.value.signal_number) == (step, signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    resume(tmp_path / "run").train()
    assert remains(tmp_path / "run") == straight


@pytest.mark.parametrize("step", [1, 6, 10, 14])
def test_a_crashed_run_goes_on_from_its_last_checkpoint_to_the_same_bytes(tmp_path, straight, step):
    with pytest.raises(Crash):
        begin(tmp_path / "run", {step: crash}).train()
    training = resume(tmp_path / "run")
    assert training.step == (step - 1) // 4 * 4
    training.train()
    assert remains(tmp_path / "run") == straight


def test_resume_on_another_processor_warns_that_bytes_will_differ(tmp_path, monkeypatch):
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", {4: terminate}).train()
    said = []
    resume(tmp_path / "run", say=said.append).run.lock.release()
    assert not said
    kernels, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
    for name, value, reported in (
        ("torch.backends.cpu.get_cpu_capability", "VMX", f"kernels is {kernels}, here VMX: sums are rounded in another way"),
        ("torch.get_num_threads", threads + 1, f"threads is {threads}, here {threads + 1}: sums are rounded in another way"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(name, lambda value=value: value)
            resume(tmp_path / "run", say=said.append).run.lock.release()
        assert reported in said.pop()


def test_resume_without_checkpoints_begins_or_is_refused(tmp_path):
    """It begins, with a message, if nothing was trained yet; trained state is not overwritten."""
    begin(tmp_path / "begun").run.lock.release()
    said = []
    assert resume(tmp_path / "begun", say=said.append).step == 0
    assert said == [f"{tmp_path / 'begun'} has no checkpoint yet; training begins with the first step"]
    begin(tmp_path / "run").train()
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    records = (tmp_path / "run" / "metrics.csv").read_bytes()
    with pytest.raises(RunError, match=r"has no checkpoint any more, though it was trained to step 14: put .*checkpoints back"):
        resume(tmp_path / "run")
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == records


def test_a_run_with_averages_and_clipping_goes_on_to_the_same_bytes(tmp_path):
    """The norms since the last row are state as well: step 7 is between two rows."""
    begin(tmp_path / "straight", recipe=CLIPPED).train()
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", {7: terminate}, recipe=CLIPPED).train()
    resume(tmp_path / "run", recipe=CLIPPED).train()
    assert remains(tmp_path / "run") == remains(tmp_path / "straight")
    assert "gradient_norm" in (tmp_path / "run" / "metrics.csv").read_text()


def test_a_run_may_be_interrupted_again_and_again(tmp_path, straight):
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", {2: terminate}).train()
    for again in ({6: terminate}, {9: crash}, {13: terminate}):
        with pytest.raises((Interrupted, Crash)):
            resume(tmp_path / "run", again).train()
    resume(tmp_path / "run").train()
    assert remains(tmp_path / "run") == straight


@pytest.mark.parametrize(
    "dropped",
    [
        "experiment/network.0.weight",
        "experiment/seen",
        "average/network.3.weight",
        "generator/0/experiment",
        "generator/0/torch",
        "pending/train/loss",
        "pending/train/largest",
        "pending/train/gradient_norm",
        "optimizer/train/network.0.weight/exp_avg",
        "optimizer/train/network.3.bias/exp_avg_sq",
        "optimizer/train/network.0.bias/step",
    ],
)
def test_no_item_of_the_state_is_there_for_nothing(tmp_path, monkeypatch, dropped):
    """The exactness test would notice if any one item were not saved."""
    begin(tmp_path / "straight", recipe=CLIPPED).train()
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", {7: terminate}, recipe=CLIPPED).train()
    fresh = begin(tmp_path / "fresh", recipe=CLIPPED).experiment.state_dict()
    newest = checkpoint.newest

    def forgetful(*arguments):
        tensors, facts = newest(*arguments)
        group, name = dropped.split("/", 1)
        if group == "pending":
            del tensors[dropped]
        elif group == "generator":
            tensors[dropped] = torch.Generator().manual_seed(0).get_state()
        elif group == "optimizer":
            tensors[dropped] = torch.zeros_like(tensors[dropped])
        else:  # weights and buffers as a new run would have them
            assert not torch.equal(tensors[dropped], fresh[name])
            tensors[dropped] = fresh[name]
        return tensors, facts

    monkeypatch.setattr(checkpoint, "newest", forgetful)
    training = resume(tmp_path / "run", recipe=CLIPPED)
    monkeypatch.undo()
    training.train()
    assert remains(tmp_path / "run") != remains(tmp_path / "straight")


def test_looking_at_the_model_does_not_change_its_training(tmp_path, straight):
    rare = Recipe(**(RECIPE.fields() | {"evaluate_every": 14}))
    begin(tmp_path / "rare", recipe=rare).train()
    state, _ = checkpoint.load(tmp_path / "rare" / "checkpoints" / "step-00000014")
    often = begin(tmp_path / "often", recipe=Recipe(**(RECIPE.fields() | {"evaluate_every": 1})))
    often.train()
    looked, _ = checkpoint.load(often.run.checkpoints / "step-00000014")
    assert state.keys() == looked.keys() and all(torch.equal(state[name], looked[name]) for name in state)


def test_another_seed_gives_another_run(tmp_path, straight):
    begin(tmp_path / "other", recipe=Recipe(**(RECIPE.fields() | {"seed": 4}))).train()
    assert remains(tmp_path / "other") != straight


def test_other_fields_and_other_data_are_refused_with_the_difference(tmp_path):
    begin(tmp_path / "run").train()
    asked = json.loads((tmp_path / "run" / "recipe.json").read_text())
    asked["fields"]["learning_rate"] = 0.2
    (tmp_path / "run" / "recipe.json").write_text(json.dumps(asked))
    with pytest.raises(RunError, match="learning_rate is 0.1, here 0.2"):
        resume(tmp_path / "run")


def test_truncated_metrics_are_detected(tmp_path):
    begin(tmp_path / "run").train()
    (tmp_path / "run" / "metrics.csv").write_text("step,phase,name,value\n")
    with pytest.raises(RunError, match="metrics.csv, which has 22: the file was cut"):
        resume(tmp_path / "run")


# ---------------------------------------------------------------------------------------------------- phases


def test_a_phase_moves_only_its_own_parameters(tmp_path):
    experiment = Players()
    training = begin(tmp_path / "run", make=lambda: experiment)
    before = {name: parameter.detach().clone() for name, parameter in experiment.named_parameters()}

    def moved():
        return {name for name, parameter in experiment.named_parameters() if not torch.equal(parameter, before[name])}

    first, second = training.players
    freeze_others(first, training.players)
    training._turn(first, [training.batches[0]])
    assert moved() == {"left.weight", "left.bias"}
    before |= {name: parameter.detach().clone() for name, parameter in experiment.named_parameters()}
    freeze_others(second, training.players)
    training._turn(second, [training.batches[1]])
    assert moved() == {"right.weight", "right.bias", "scale"}
    assert [group["lr"] for player in training.players for group in player.optimizer.param_groups] == [0.1, 0.1, 0.5, 0.5]


def test_every_turn_has_its_own_batch_and_freezes_the_others(tmp_path):
    experiment = Players()
    begin(tmp_path / "run", make=lambda: experiment, recipe=Recipe(**(RECIPE.fields() | {"steps": 2}))).train()
    assert experiment.played == ["first", "second", "second"] * 2
    expected = Batches(Points.drawn(), 8, RECIPE.seed)
    for number, points in enumerate(experiment.batches):
        assert torch.equal(points, expected[number]["point"])
    assert experiment.frozen[:2] == [["scale", "right.weight", "right.bias"], ["left.weight", "left.bias"]]


def test_players_resume_exactly(tmp_path):
    begin(tmp_path / "straight", make=Players).train()

    class Stopped(Players):
        def forward(self, batch, phase):
            if len(self.played) == 3 * 6 + 1:
                os.kill(os.getpid(), signal.SIGINT)
            return super().forward(batch, phase)

    with pytest.raises(Interrupted):
        begin(tmp_path / "run", make=Stopped).train()
    resume(tmp_path / "run", make=Players).train()
    assert remains(tmp_path / "run") == remains(tmp_path / "straight")


def test_a_phase_rejects_what_it_cannot_move():
    with pytest.raises(ValueError, match="'nowhere', which the experiment does not have"):
        phase_parameters(Players(), Phase("first", moves=("nowhere",)))
    with pytest.raises(ValueError, match="no parameter is there"):
        phase_parameters(Players(), Phase("first", moves=("played",)))
    with pytest.raises(ValueError, match="tuple of attribute names"):
        Phase("first", moves="left")
    with pytest.raises(ValueError, match="times of phase first is 0"):
        Phase("first", times=0)
    with pytest.raises(ValueError, match=r"rates of phase first are {'left.bias': 0}; they must be positive"):
        Phase("first", moves=("left",), rates={"left.weight": 1, "left.bias": 0})


@pytest.mark.parametrize(
    ("rates", "complaint"),
    [
        ({"weight": 0.1, "eft.bias": 0.1}, "^phase first has rates of eft.bias, with which no parameter's name ends$"),
        ({"right.weight": 0.1}, "^phase first has rates of right.weight, "),
        ({"weight": 0.1, "left.weight": 0.2}, "^phase first has several rates of left.weight: weight, left.weight$"),
    ],
)
def test_rates_that_no_parameter_or_two_could_mean_are_refused(rates, complaint):
    with pytest.raises(ValueError, match=complaint):
        make_player(Players(), Phase("first", moves=("left",), rates=rates), RECIPE)


def test_the_optimizer_is_adamw_with_the_recipes_numbers(tmp_path):
    """Against torch's own single-tensor AdamW, stepped by hand on the same batches and draws, with the rates of the phase."""
    training = begin(tmp_path / "run", recipe=Recipe(**(RECIPE.fields() | {"steps": 5, "clip_norm": 0.7, "beta1": 0.6})))
    torch.manual_seed(RECIPE.seed)
    twin = Noisy()
    twin.generator = torch.Generator().manual_seed(seed_of(RECIPE.seed, "train"))
    kinds = {"0.weight": (0.1, 0.01), "0.bias": (0.05, 0.0), "3.weight": (0.2, 0.0), "3.bias": (0.1, 0.0)}
    found = [(p, *kinds[name]) for name, p in twin.network.named_parameters()]
    groups = [{"params": [p], "lr": rate, "weight_decay": decay} for p, rate, decay in found]
    optimizer = torch.optim.AdamW(groups, betas=(0.6, 0.999), eps=1e-8, foreach=False)
    torch.manual_seed(seed_of(RECIPE.seed, "train", "torch"))
    for number in range(5):
        twin(Batches(Points.drawn(), 8, RECIPE.seed)[number], "train")[0].backward()
        norm = torch.cat([p.grad.flatten() for p in twin.parameters()]).norm()
        for parameter in twin.parameters():
            parameter.grad *= min(1.0, 0.7 / (norm + 1e-6))
        optimizer.step()
        optimizer.zero_grad()
    torch.manual_seed(seed_of(RECIPE.seed, "train", "torch"))
    training.train()
    for ours, theirs in zip(training.experiment.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_the_average_of_the_weights_is_their_moving_average(tmp_path):
    training = begin(tmp_path / "run", recipe=AVERAGED)
    expected = {name: parameter.detach().clone() for name, parameter in training.experiment.named_parameters()}
    assert training.average.keys() == expected.keys()
    for step in range(1, 31):
        training._advance()
        decay = min(0.7, step / (step + 9))
        for name, parameter in training.experiment.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach()
    for name, average in training.average.items():
        torch.testing.assert_close(average, expected[name])


def test_evaluation_and_samples_use_the_average_and_training_does_not(tmp_path):
    seen = []

    class Watched(Noisy):
        def evaluate(self, data):
            seen.append(self.network[0].weight.clone())
            return super().evaluate(data)

    training = begin(tmp_path / "run", make=Watched, recipe=AVERAGED)
    training.train()
    weight, average = training.experiment.network[0].weight, training.average["network.0.weight"]
    assert torch.equal(seen[-1], average) and not torch.equal(seen[-1], weight)
    assert torch.equal(weights_of(training.run, training.experiment, print)[0]["network.0.weight"], average)
    begin(tmp_path / "plain").train()
    plain, _ = weights_of(Run.open(tmp_path / "plain"), Noisy(), print)
    assert torch.equal(plain["network.0.weight"], weight.detach())  # the averaging left the training alone


def test_the_average_resumes_exactly(tmp_path):
    begin(tmp_path / "straight", recipe=AVERAGED).train()
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", {9: terminate}, recipe=AVERAGED).train()
    resume(tmp_path / "run", recipe=AVERAGED).train()
    assert remains(tmp_path / "run") == remains(tmp_path / "straight")


# ---------------------------------------------------------------------------------------------------- the guard


def not_a_number(_experiment, loss):
    return loss * float("nan")


def poisoned_gradient(experiment, loss):
    """A finite loss with an infinite gradient: sqrt at 0."""
    return loss + (experiment.network[0].bias * 0).sum().square().sqrt()


def test_a_loss_that_is_no_number_stops_the_run_and_leaves_a_good_checkpoint(tmp_path):
    with pytest.raises(RunError, match="loss is nan at step 10 in phase train .all weights and gradients are still finite"):
        begin(tmp_path / "run", {10: not_a_number}).train()
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["step-00000007", "step-00000008"]
    training = resume(tmp_path / "run")
    assert training.step == 8 and all(bool(p.isfinite().all()) for p in training.experiment.parameters())


def test_a_gradient_that_is_no_number_is_named_and_never_saved(tmp_path):
    with pytest.raises(RunError, match=r"gradient of network\.0\.bias is not finite"):
        begin(tmp_path / "run", {10: poisoned_gradient}).train()
    tensors, facts = checkpoint.newest(tmp_path / "run" / "checkpoints", print)
    assert facts["step"] == 8 and all(t.isfinite().all() for t in tensors.values() if t.is_floating_point())


def test_a_poisoned_state_is_not_saved_even_if_the_checkpoint_is_due_at_once(tmp_path):
    with pytest.raises(RunError, match=r"network\.0\.bias is not finite after step 8"):
        begin(tmp_path / "run", {8: poisoned_gradient}).train()
    assert checkpoint.newest(tmp_path / "run" / "checkpoints", print)[1]["step"] == 7  # before the evaluation of step 7


def test_on_an_accelerator_the_guard_waits_for_the_next_row_of_metrics(tmp_path):
    training = begin(tmp_path / "run", {9: not_a_number})
    training.look_always = False
    with pytest.raises(RunError, match="not finite"):
        training.train()
    assert checkpoint.newest(training.run.checkpoints, print)[1]["step"] == 8


# ---------------------------------------------------------------------------------------------------- the folder


def test_what_a_run_leaves(tmp_path):
    metrics = begin(tmp_path / "run").train()
    folder = tmp_path / "run"
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows if row["name"] == "largest"] == [5, 10, 14]
    assert [int(row["step"]) for row in rows if row["phase"] == "evaluate"] == [7, 14]
    assert float(rows[-1]["value"]) == metrics["loss"]
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["value"] == metrics["loss"] and evaluation["passed"] is None and evaluation["step"] == 14
    environment = json.loads((folder / "environment.json").read_text())
    assert {"versions", "device", "command", "commit", "seconds", "peak_memory_bytes"} <= environment.keys()
    assert (folder / "previews" / "00000007-words.txt").read_text() == "seen\n"
    assert json.loads((folder / "previews" / "captions.json").read_text())["00000014-words.txt"] == "what was seen"
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["step-00000012", "step-00000014"]


def test_metrics_rows_are_means_of_the_steps_between_them(tmp_path):
    rows = {}
    for every in (1, 7):
        begin(tmp_path / f"{every}", recipe=Recipe(**(RECIPE.fields() | {"log_every": every}))).train()
        table = csv.DictReader((tmp_path / f"{every}" / "metrics.csv").open())
        rows[every] = [float(row["value"]) for row in table if (row["phase"], row["name"]) == ("train", "loss")]
    assert rows[7] == pytest.approx([sum(rows[1][:7]) / 7, sum(rows[1][7:]) / 7], rel=1e-12)


def test_a_second_writer_is_refused(tmp_path):
    training = begin(tmp_path / "run")
    other = Run.open(tmp_path / "run")
    with pytest.raises(RunError, match="being written by another process"):
        other.lock.take()
    training.train()
    other.lock.take()


def test_runs_of_one_process_may_differ_in_precision(tmp_path):
    """As in a notebook. bfloat16 computes in bfloat16, and keeps float32 weights and logs."""
    seen = []

    def look(experiment, loss):
        seen.append(experiment.network[0](torch.zeros(1, 3)).dtype)
        return loss

    for precision in ("float32", "bfloat16", "float32"):
        recipe = Recipe(**(RECIPE.fields() | {"precision": precision}))
        training = begin(tmp_path / f"{len(seen)}", {1: look}, recipe=recipe)
        training.train()
        assert {parameter.dtype for parameter in training.experiment.parameters()} == {torch.float32}
    assert seen == [torch.float32, torch.bfloat16, torch.float32]


@pytest.mark.parametrize("cpu_first", [True, False])
def test_runs_of_one_process_may_differ_in_device(monkeypatch, cpu_first):
    """accelerate remembers the device of the first."""
    monkeypatch.setattr(PartialState, "_shared_state", {})
    monkeypatch.setattr(PartialState, "default_device", torch.device("cuda"))
    for cpu in (cpu_first, not cpu_first):
        assert Processes(cpu).device.type == ("cpu" if cpu else "cuda")


# ---------------------------------------------------------------------------------------------------- the order of examples


class Numbers:
    def __init__(self, count, width=1):
        self.rows = torch.arange(count)[:, None].expand(count, width)

    def __len__(self):
        return len(self.rows)

    def batch(self, indices):
        return {"row": self.rows[indices]}


@pytest.mark.parametrize(("count", "size"), [(37, 8), (8, 8), (5, 8), (64, 8), (3, 2)])
def test_every_example_comes_once_an_epoch(count, size):
    batches = Batches(Numbers(count), size, seed=1)
    together = min(size, count)
    stream = torch.cat([batches[number]["row"][:, 0] for number in range(3 * count)])
    assert {len(batches[number]["row"]) for number in range(7)} == {together}
    epochs = stream[: len(stream) // count * count].view(-1, count)
    assert all(torch.equal(epoch.sort().values, torch.arange(count)) for epoch in epochs)
    if count > 5:
        assert not torch.equal(epochs[0], epochs[1])


def test_a_batch_depends_on_seed_and_number_alone():
    ahead, small = Batches(Numbers(37), 8, seed=1), Batches(Numbers(37, width=2**17), 8, seed=1)
    in_order = [ahead[number]["row"][:, 0] for number in range(200)]
    for number in (150, 3, 4, 199, 0):
        assert torch.equal(Batches(Numbers(37), 8, seed=1)[number]["row"][:, 0], in_order[number])
        assert torch.equal(small[number]["row"][:, 0], in_order[number])  # gathered one at a time: the rows are too large
    assert small._together == 1 < ahead._together
    assert not torch.equal(Batches(Numbers(37), 8, seed=2)[0]["row"][:, 0], in_order[0])


def test_an_order_takes_no_memory_and_begins_anywhere():
    """10^12 examples, with an order that would take 8 TB as a list; three processes together take what one would."""
    one = Order(10**12, 6, seed=3)
    indices = one.indices(one.draws(10**11, together=2))
    assert len(indices.unique()) == 12 and int(indices.max()) < 10**12
    shares = [Order(10**12, 2, seed=3, rank=rank, count=3) for rank in range(3)]
    assert torch.equal(torch.cat([share.draws(10**11) for share in shares]), one.draws(10**11))
    assert torch.equal(shares[1].draws(7, together=2), torch.tensor([44, 45, 50, 51]))


def test_seeds_of_different_uses_differ():
    assert len({seed_of(seed, *words) for seed in (0, 1) for words in (("a",), ("a", 1), ("a", 11), ("b",))}) == 8
    assert 0 <= seed_of(0, "a") < 2**63
