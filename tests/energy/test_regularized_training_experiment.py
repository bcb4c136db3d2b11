"""Training with a buffer of chains: what a step changes, where it stops, and a likelihood by the grid that is known."""

import dataclasses
import math

import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.engine.errors import RunError
from practice_torch.experiments.energy import regularized_training as topic
from tests.support import tiny

TOPIC = "energy/regularized_training"


def built(name, **changes):
    return tiny.built(TOPIC, tiny.small(topic.RECIPES[name], **changes))


@pytest.mark.parametrize("name", ["two_moons", "digits"])
def test_a_step_moves_as_many_chains_as_it_has_examples(name):
    """All others stay what they are, also where all begin anew; the buffer is part of what is saved, and needs no gradient."""
    experiment, batch = built(name, reinitialize_probability=0.5)
    before = experiment.buffer.clone()
    loss, logs = experiment(batch, "train")
    moved = (experiment.buffer != before).flatten(1).any(1)
    assert int(moved.sum()) == (len(batch["point"]) if "point" in batch else experiment.recipe.chains)
    assert "buffer" in experiment.state_dict() and not experiment.buffer.requires_grad and set(logs) == {"energy_gap"}
    assert loss.requires_grad


@pytest.mark.parametrize("name", ["two_moons", "digits"])
def test_training_stops_where_the_energies_come_apart(name):
    """In one line, which names the gap and the limit; an evaluation stops, too, since steps on an accelerator do not check."""
    experiment, batch = built(name, gap_limit=1e-9)
    with pytest.raises(RunError, match=r"are -?[\d.e-]+ apart; gap_limit is 1e-09.* lower --learning-rate") as stopped:
        experiment(batch, "train")
    assert "\n" not in str(stopped.value)
    with pytest.raises(RunError, match="gap_limit"), torch.no_grad():
        experiment.evaluate(tiny.Random(experiment.recipe))
    with torch.no_grad():
        experiment.network.network[0].weight.fill_(torch.nan)
    with pytest.raises((RunError, ValueError), match="nan"):
        experiment(batch, "train")


def test_a_chain_that_diverges_stops_the_run_and_names_its_step_size():
    """As an error of the recipe, in one line."""
    experiment, batch = built("two_moons", step_size=1e4, chain_steps=40, confinement=1.0)
    with pytest.raises(RunError, match=r"^x after 40 steps is nan .* step_size is 10000.0, take a smaller one$"):
        experiment(batch, "train")


def test_the_grid_gives_the_likelihood_of_a_gaussian():
    """In place of the network the energy |x|^2 / 2 without its constant: nats as in closed form, to five digits."""
    experiment, batch = built("two_moons")
    experiment.network.forward = lambda x: x.square().sum(1) / 2
    found = experiment.evaluate(tiny.Random(experiment.recipe))["negative_log_likelihood"]
    wanted = float(batch["point"].square().sum(1).mean()) / 2 + math.log(2 * math.pi)
    assert abs(found - wanted) < 3e-3  # the grid ends 3 beyond the outermost points
    assert abs(found - wanted - math.log(math.pi)) > 0.1


def test_a_buffer_smaller_than_a_batch_is_refused():
    """So that no two chains of a step have one place."""
    with pytest.raises(ValueError, match=r"buffer_size is 100; it must be at least batch_size \(256\)"):
        dataclasses.replace(topic.RECIPES["two_moons"], buffer_size=100)
    with pytest.raises(ValueError, match=r"buffer_size is 8; it must be at least chains \(64\)"):
        dataclasses.replace(topic.RECIPES["digits"], buffer_size=8)


def test_a_batch_without_the_class_trains_nothing():
    """It has no images to lower; the class must be one of the data, and be held out."""
    experiment, batch = built("digits", normal=2)
    loss, _ = experiment({"image": batch["image"], "label": torch.zeros_like(batch["label"])}, "train")
    gradients = torch.autograd.grad(loss, list(experiment.network.parameters()))
    assert loss == 0 and all(not gradient.any() for gradient in gradients)
    with pytest.raises(DataError, match=r"normal is 3; digits has the classes 0..2"):
        built("digits", normal=3)
    data = tiny.Random(experiment.recipe)
    data.batch = lambda: {"image": batch["image"], "label": torch.ones_like(batch["label"])}
    with pytest.raises(DataError, match="nothing of the class 2 is held out"):
        experiment.evaluate(data)
