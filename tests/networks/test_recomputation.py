"""Gradient checkpointing: the same gradients, dropout included, from less memory."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from practice_torch.engine.costs.flops import flops_of_step
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Phase
from practice_torch.engine.recomputation import blocks_of, recompute_blocks
from practice_torch.experiments.autoregressive import transformer
from practice_torch.experiments.diffusion import training
from practice_torch.experiments.flows import multiscale
from tests.support.engine.toys import RECIPE, Noisy, begin


def language(layers=2):
    recipe = dataclasses.replace(transformer.RECIPES["pydoc"], context=32, layers=layers, width=24, heads=3, dropout=0.3)
    experiment = transformer.build(recipe, SimpleNamespace(description={"vocabulary": 256}))
    return experiment, {"tokens": torch.randint(256, (4, 33))}, recipe


def diffusion():
    recipe = dataclasses.replace(
        training.RECIPES["digits"], base_channels=8, dropout=0.3, blocks=2, attention_at=(8,), compact=False
    )
    experiment = training.build(recipe, SimpleNamespace(description={"shape": [1, 8, 8], "classes": list("ab"), "name": "x"}))
    return experiment, {"image": torch.rand(4, 1, 8, 8), "label": torch.tensor([0, 1, 1, 0])}, recipe


def flow():
    recipe = dataclasses.replace(multiscale.RECIPES["digits"], depth=3, width=8)
    experiment = multiscale.build(recipe, SimpleNamespace(description={"shape": [1, 8, 8], "name": "x"}))
    return experiment, {"image": torch.randint(17, (4, 1, 8, 8)) / 16}, recipe


def gradients(experiment, batch):
    """Loss and gradients of one pass, and the bytes that it keeps for the backward pass next to the parameters."""
    experiment.generator = torch.Generator().manual_seed(1)
    experiment.zero_grad()
    torch.manual_seed(2)
    own, kept = {parameter.untyped_storage().data_ptr() for parameter in experiment.parameters()}, {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss, _ = experiment(batch, "train")
    loss.backward()
    return [loss, *(parameter.grad for parameter in experiment.parameters())], sum(kept.values())


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("make", "count"), [(language, 2), (diffusion, 2 * 2 + 2 + 2 * 3), (flow, 2 * 3)])
def test_gradients_are_the_same_to_rounding(make, count, double):
    torch.manual_seed(0)
    experiment, batch, recipe = make()
    with torch.no_grad():
        for parameter in experiment.parameters():  # what begins at zero would hide the blocks
            parameter += 0.1 * torch.randn_like(parameter)
    assert len(blocks_of(experiment)) == count
    wanted, all_kept = gradients(experiment, batch)
    operations = flops_of_step(experiment, batch, recipe)
    recompute_blocks(experiment)
    got, kept = gradients(experiment, batch)
    for ours, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-13)
    assert kept < all_kept
    assert flops_of_step(experiment, batch, recipe) > operations, "blocks are computed again"
    with torch.no_grad():
        torch.manual_seed(2)
        experiment.generator = torch.Generator().manual_seed(1)
        torch.testing.assert_close(experiment(batch, "train")[0], wanted[0])


def test_a_block_keeps_its_input_alone():
    """Each block more costs 4 x 32 x 24 floats; without recomputation it costs more than ten times that."""
    each = []
    for recomputing in (False, True):
        kept = []
        for layers in (2, 4):
            experiment, batch, _ = language(layers)
            if recomputing:
                recompute_blocks(experiment)
            kept.append(gradients(experiment, batch)[1])
        each.append((kept[1] - kept[0]) / 2)
    of_input = 4 * 32 * 24 * 4
    assert of_input <= each[1] <= 1.1 * of_input and each[0] > 10 * each[1], each


def test_blocks_that_are_computed_again_compile_as_one_graph():
    experiment, batch, _ = language()
    recompute_blocks(experiment)
    network, tokens = experiment.network.eval(), batch["tokens"][:, :-1]
    torch._dynamo.reset()
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    results = []
    for run in (compiled, network):
        network.zero_grad()
        run(tokens).square().mean().backward()
        results.append([parameter.grad.clone() for parameter in network.parameters()])
    torch.testing.assert_close(*results)


def test_an_experiment_without_blocks_is_refused_with_the_reason(tmp_path):
    with pytest.raises(RunError, match="recompute_blocks is for networks with `blocks`"):
        begin(tmp_path / "run", recipe=dataclasses.replace(RECIPE, recompute_blocks=True))
    without = Noisy()
    without.phases = (Phase("train"),)
    assert blocks_of(without) == []
