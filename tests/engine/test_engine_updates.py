"""One update: large batches in parts, step sizes over time, decay, and norms that are no numbers."""

import io
import math

import pytest
import soundfile
import torch
from torch import nn

from practice_torch.engine import gpu
from practice_torch.engine.artifacts import Audio, ImageGrid, Text
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Phase
from practice_torch.engine.optimizers import displayed_player, make_player, weights_of_batches
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.schedule import learning_rate_factor
from practice_torch.engine.storage.run import Records
from tests.support.engine.compiled import limits_restored
from tests.support.engine.toys import RECIPE, Noisy, Points, begin


class Miscounted(nn.Module):
    """A mean over the valid coordinates of the batch, as a text's loss is one over its valid tokens, that does not count them;
    all in float64.
    """

    explains = {}
    phases = (Phase("train", moves=("linear",)),)

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3, dtype=torch.float64)
        self.generator, self.gradients = None, []
        self.linear.weight.register_post_accumulate_grad_hook(lambda p: self.gradients.append(p.grad.clone()))

    def valid(self, batch):
        return batch["point"] > 0.3  # many in one batch, few in another

    def forward(self, batch, phase):
        error = (self.linear(batch["point"].double()) - 1).square()
        return (error * self.valid(batch)).sum() / self.valid(batch).sum().clamp(min=1), {}

    def evaluate(self, data):
        return {"loss": float(self(data.batch(), "train")[0])}

    def preview(self, data):
        return {}

    def sample(self, count):
        return {}


class Weighted(Miscounted):
    """Counts them: batches are of different weight."""

    def count(self, batch, phase):
        return self.valid(batch).sum()


def changed(**fields):
    return Recipe(**(RECIPE.fields() | fields))


def trained(folder, make=Weighted, **fields):
    training = begin(folder, make=make, recipe=changed(**fields))
    training.train()
    return training.experiment


def test_accumulated_batches_are_one_large_batch(tmp_path):
    whole = trained(tmp_path / "whole", batch_size=24)
    parts = trained(tmp_path / "parts", batch_size=6, accumulate=4)
    for large, small in zip(whole.gradients, parts.gradients[3::4], strict=True):  # the fourth completes the sum
        torch.testing.assert_close(large, small, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(whole.linear.weight, parts.linear.weight, rtol=1e-10, atol=0)


def test_a_plain_mean_of_unequal_batches_is_another_gradient(tmp_path):
    """Without `count` the engine weighs by examples: the test above can fail."""
    whole = trained(tmp_path / "whole", batch_size=24)
    parts = trained(tmp_path / "parts", make=Miscounted, batch_size=6, accumulate=4)
    assert (whole.gradients[0] - parts.gradients[3]).abs().max() > 1e-3


@pytest.mark.parametrize("of_device", [False, True])
def test_batches_are_weighted_on_their_device(of_device):
    """On a device without memory that could be read: a weight that came from the host's side of a copy could not be made."""

    class Counted(nn.Module):
        def count(self, batch, phase):
            return torch.empty((), dtype=torch.int64, device="meta") if of_device else 3

    class Two:
        count, device = 2, torch.device("meta")

        def total(self, tensor):
            assert tensor.device.type == "meta"
            return tensor

    weights = weights_of_batches(Counted(), [{}, {}, {}], "train", Two())
    assert weights.device.type == "meta" and weights.shape == (3,)


def test_logged_losses_of_accumulated_batches_are_those_of_the_large_batch(tmp_path):
    rows = {}
    for name, fields in {"whole": {"batch_size": 24}, "parts": {"batch_size": 6, "accumulate": 4}}.items():
        trained(tmp_path / name, **fields)
        lines = (tmp_path / name / "metrics.csv").read_text().splitlines()
        rows[name] = [float(line.rsplit(",", 1)[1]) for line in lines if ",train,loss," in line]
    assert len(rows["whole"]) == 3
    assert rows["whole"] == pytest.approx(rows["parts"], rel=1e-10)


def test_the_loss_that_is_shown_is_of_a_phase_that_learns():
    network = nn.ModuleDict({"policy": nn.Linear(2, 2)})
    collect, update = (make_player(network, phase, RECIPE) for phase in (Phase("collect"), Phase("update", ("policy",))))
    assert displayed_player([collect, update]) is update
    assert displayed_player([collect]) is collect


def test_the_schedule_warms_up_and_falls_along_half_a_cosine():
    recipe = changed(steps=110, warmup_steps=10, schedule="cosine", final_learning_rate=0.1)
    assert [learning_rate_factor(step, recipe) for step in (1, 5, 10)] == [0.1, 0.5, 1.0]
    assert learning_rate_factor(60, recipe) == pytest.approx(0.55, abs=1e-15)  # half-way between 1 and 0.1
    assert learning_rate_factor(35, recipe) == pytest.approx(0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2, abs=1e-15)
    assert learning_rate_factor(110, recipe) == pytest.approx(0.1, abs=1e-15)
    constant = changed(steps=110, warmup_steps=10)
    assert [learning_rate_factor(step, constant) for step in (2, 10, 110)] == [0.2, 1.0, 1.0]


def test_the_optimizer_follows_the_schedule(tmp_path):
    """A bias with a constant gradient moves by the step size: Adam divides the gradient by itself. One has half the rate."""
    seen = []

    class Constant(Noisy):
        def forward(self, batch, phase):
            last, first = self.network[3].bias, self.network[0].bias
            if self.training:
                seen.append(torch.stack([last[0], first[0]]).detach())
            return last.sum() + first.sum(), {}

    begin(tmp_path / "run", make=Constant, recipe=changed(steps=6, warmup_steps=3, schedule="cosine", learning_rate=0.25)).train()
    moved = -torch.stack(seen).diff(dim=0)
    factors = torch.tensor([1 / 3, 2 / 3, 1.0, 0.75, 0.25])
    torch.testing.assert_close(moved, torch.stack([0.25 * factors, 0.125 * factors], 1), rtol=1e-5, atol=0)


def test_only_matrices_without_a_rate_of_their_own_are_decayed(tmp_path):
    """With no gradient at all, what still moves is what is decayed: theta (1 - lr decay) a step."""

    class Still(Noisy):
        def forward(self, batch, phase):
            return sum((p * 0).sum() for p in self.parameters()), {}

    training = begin(tmp_path / "run", make=Still, recipe=changed(steps=3, weight_decay=0.5, learning_rate=0.1))
    before = {name: p.detach().clone() for name, p in training.experiment.named_parameters()}
    training.train()
    for name, after in training.experiment.named_parameters():
        kept = 0.95**3 if name == "network.0.weight" else 1.0
        torch.testing.assert_close(after, before[name] * kept, rtol=1e-6, atol=0)


def test_a_gradient_that_is_no_number_stops_the_run_before_the_step_where_it_is_clipped(tmp_path):
    def poisoned(experiment, loss):
        return loss + (experiment.network[0].bias * 0).sum().square().sqrt()

    training = begin(tmp_path / "run", {10: poisoned}, recipe=changed(clip_norm=1.0))
    with pytest.raises(RunError, match=r"gradient's norm is nan at step 10 .*gradient of network\.0\.bias is not finite"):
        training.train()
    assert all(bool(p.isfinite().all()) for p in training.experiment.parameters())


def test_the_norm_of_the_gradient_is_logged_as_it_was_before_it_was_clipped(tmp_path):
    training = begin(tmp_path / "run", make=Weighted, recipe=changed(clip_norm=1e-3, log_every=2, steps=4))
    linear, biases = training.experiment.linear, []
    linear.bias.register_post_accumulate_grad_hook(lambda p: biases.append(p.grad.clone()))
    training.train()
    pairs = zip(training.experiment.gradients, biases, strict=True)
    norms = [math.sqrt(float(weight.square().sum() + bias.square().sum())) for weight, bias in pairs]
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    logged = [float(line.rsplit(",", 1)[1]) for line in lines if ",train,gradient_norm," in line]
    assert min(norms) > 1e-3  # all of them are clipped
    assert logged == pytest.approx([(norms[0] + norms[1]) / 2, (norms[2] + norms[3]) / 2], rel=1e-12)
    begin(tmp_path / "free", make=Weighted).train()
    assert "gradient_norm" not in (tmp_path / "free" / "metrics.csv").read_text()  # no one has computed it


def test_tensorboard_gets_the_same_numbers(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    begin(tmp_path / "run", recipe=changed(tensorboard=True)).train()
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    rows = [line.split(",") for line in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1:]]
    written = [(int(step), float(value)) for step, phase, name, value in rows if (phase, name) == ("train", "loss")]
    shown = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert [step for step, _ in shown] == [step for step, _ in written] == [5, 10, 14]
    assert [value for _, value in shown] == pytest.approx([value for _, value in written], rel=1e-6)


def test_tensorboard_gets_pictures_sounds_and_texts(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    sounds = Audio(torch.tensor([[0.5, -0.5], [0.25, 2.0]]), 8)
    artifacts = {"images": ImageGrid(torch.zeros(2, 1, 60, 60), 2), "sounds": sounds, "text": Text("a *b*\n")}
    records = Records(tmp_path, tensorboard=0)
    for name, artifact in artifacts.items():
        records.show(7, name, artifact)
    records.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (image,), (audio,) = events.Images("preview/images"), events.Audio("preview/sounds")
    assert (image.step, image.width, image.height) == (7, 126, 64) and events.Images("preview/sounds")
    heard, rate = soundfile.read(io.BytesIO(audio.encoded_audio_string))
    assert rate == 8 and heard == pytest.approx(sounds._played()[0].tolist(), abs=1e-4)
    (text,) = events.Tensors("preview/text/text_summary")
    assert text.tensor_proto.string_val == [b"```\na *b*\n\n```"]


@pytest.mark.parametrize(
    ("field", "value"), [("accumulate", 0), ("warmup_steps", -1), ("warmup_steps", 14), ("final_learning_rate", 1.5)]
)
def test_what_a_schedule_cannot_be(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        changed(**{field: value})


def test_points_make_batches_of_different_weight():
    """The toy has batches of different weight: otherwise the tests of weighting would prove nothing."""
    points = Points.drawn().points
    counts = {int((part > 0.3).sum()) for part in points[:36].split(6)}
    assert len(counts) > 2


def test_compiled_networks_take_the_same_steps(tmp_path):
    """Traced by torch.compile, but run as they are ("eager"): generating code takes minutes, and is torch's to test."""
    weights = []
    for name in ("plain", "compiled"):
        training = begin(tmp_path / name, make=Weighted, recipe=changed(steps=3))
        assert training.recipe.compile and not training.compiled, "a CPU compiles nothing"
        if name == "compiled":
            with limits_restored():
                gpu.compile_networks(training.experiment, backend="eager")
            training.compiled = True
            assert training.experiment.linear._compiled_call_impl is not None
        training.train()
        weights.append(training.experiment.linear.weight.detach().clone())
    assert torch.equal(*weights)
