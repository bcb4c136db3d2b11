"""Glow on images: initialized by the first batch, once a run; sampled at a temperature; inverted to the level of a pixel."""

import dataclasses
import shutil

import pytest
import torch

from practice_torch.data.images import load
from practice_torch.engine.batches.order import Batches, first_batch
from practice_torch.engine.storage import checkpoint
from practice_torch.experiments.flows.multiscale import RECIPES
from practice_torch.experiments.training.multiscale_flow import Cooling, MultiscaleFlow
from tests.commands.test_practice_commands import call, refused
from tests.support import tiny

SIZES = {"depth": 1, "width": 4, "batch_size": 64, "warmup_steps": 0}
SHORT = [word for name, size in SIZES.items() for word in (f"--{name.replace('_', '-')}", str(size))]
SHORT += ["--steps", "1", "--noises", "1"]


def small(**changes):
    return dataclasses.replace(RECIPES["digits"], **SIZES | changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A step of the command, with checkpoints before and after it."""
    folder = tmp_path_factory.mktemp("glow") / "run"
    code, _, err = call("train", "flows/multiscale", "digits", *SHORT, "--run", folder)
    assert code == 0, err
    return folder


def stopped(run, folder, *steps):
    """A copy of the run that has the checkpoints of these steps alone; without any, nothing is recorded either."""
    copy = shutil.copytree(run, folder / "run")
    if not steps:
        for name in ("metrics.csv", "times.csv"):
            (copy / name).unlink(missing_ok=True)
    for path in (copy / "checkpoints").glob("step-*"):
        if int(path.name.removeprefix("step-")) not in steps:
            shutil.rmtree(path)
    return copy


def tensors(run):
    return checkpoint.newest(run / "checkpoints", print)[0]


def test_the_first_checkpoint_holds_the_initialization_from_the_first_batch(run, tmp_path):
    """Its channels have mean 0 and variance 1 behind the first normalization, but for the noise on the pixels."""
    found, recipe = tensors(stopped(run, tmp_path, 0)), small()
    experiment, (train, _) = tiny.built("flows/multiscale", recipe)[0], load("digits", held_out=0.2, seed=0)
    x, _ = experiment.dequantized(first_batch(train, recipe)["image"], torch.Generator().manual_seed(5))
    shift, log_scale = (found[f"experiment/network.blocks.0.{name}"][:, None] for name in ("shift", "log_scale"))
    squeezed = torch.nn.functional.pixel_unshuffle(x.view(-1, 1, 8, 8), 2).transpose(0, 1).flatten(1)
    channels = (squeezed + shift) * log_scale.exp()
    torch.testing.assert_close(channels.mean(1), torch.zeros(4), atol=0.05, rtol=0)
    torch.testing.assert_close(channels.std(1), torch.ones(4), atol=0.05, rtol=0)


def test_a_run_that_is_stopped_before_its_first_checkpoint_is_initialized_to_the_same_bytes(run, tmp_path):
    copy = stopped(run, tmp_path)
    assert_same_end(run, copy)


def test_a_run_that_is_stopped_later_is_not_initialized_again(run, tmp_path, monkeypatch):
    monkeypatch.setattr(MultiscaleFlow, "start", lambda self, batch: pytest.fail("it was initialized again"))
    assert_same_end(run, stopped(run, tmp_path, 0))


def assert_same_end(run, copy):
    code, _, err = call("train", "--resume", copy)
    assert code == 0, err
    whole, resumed = tensors(run), tensors(copy)
    assert whole.keys() == resumed.keys() and all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_every_process_is_initialized_by_the_whole_first_batch():
    recipe, (train, _) = small(), load("digits", held_out=0.2, seed=0)
    shares = [Batches(train, recipe.batch_size // 2, recipe.seed, rank, 2)[0]["image"] for rank in (0, 1)]
    assert torch.equal(first_batch(train, recipe)["image"], torch.cat(shares))


def test_images_come_back_from_their_noise_and_temperature_scales_it():
    experiment, batch = tiny.built("flows/multiscale", small())
    image = (16 * batch["image"]).round() / 16
    experiment.start({"image": image})
    x, _ = experiment.dequantized(image, experiment.generator)
    assert torch.equal(experiment.images(experiment.network(x)[0]), image)
    experiment.sampling = Cooling(temperature=0.0)
    cold = experiment.sample(3)["samples"].images
    assert torch.equal(cold[0], cold[1])
    experiment.sampling = Cooling(temperature=1.0)
    warm = experiment.sample(3)["samples"].images
    assert not torch.equal(warm[0], warm[1])


def test_images_that_cannot_be_halved_so_often_are_refused(tmp_path):
    said = refused(3, "train", "flows/multiscale", "digits", *SHORT, "--levels", "4", "--run", tmp_path / "run")
    assert "digits has images of 8 x 8; levels is 4, for sides that are multiples of 16: lower --levels" in said
