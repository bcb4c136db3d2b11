"""Depth: both decoders are those of their formulas, gradients are weighed block by block, and it trains."""

import dataclasses
import json

import pytest
import torch
from torch.nn import functional

from practice_torch.__main__ import main
from practice_torch.autoregressive.attention import causal_mask
from practice_torch.autoregressive.normalization import layer_norm
from practice_torch.autoregressive.transformer import decoder_block
from practice_torch.data import text
from practice_torch.experiments.autoregressive.normalization import RECIPES, build

TINY = dict(context=8, width=16, heads=2, layers=3)


def untrained(own_text, **changes):
    recipe = dataclasses.replace(RECIPES["depth"], **TINY | dict(data=str(own_text)) | changes)
    train, held_out = text.load(own_text, **recipe.loading())
    torch.manual_seed(0)
    experiment = build(recipe, train)
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment, train, held_out


@pytest.mark.parametrize("place", ["pre", "post"])
def test_each_is_a_chain_of_its_topics_blocks(own_text, place):
    network = getattr(untrained(own_text)[0], place).double()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    tokens = torch.randint(256, (2, 7), generator=torch.Generator().manual_seed(0))
    x = network.token_embedding.weight[tokens] + network.positions.table[:7]
    for block in network.blocks:
        mask = causal_mask(query_length=7, key_length=7)
        x = decoder_block(x, block.parameters_by_name(), mask, heads=2, epsilon=1e-5, norm_position=place)
    if place == "pre":
        x = layer_norm(x, network.final_norm.weight, network.final_norm.bias, epsilon=1e-5)
    torch.testing.assert_close(network(tokens), functional.linear(x, network.token_embedding.weight), rtol=1e-10, atol=1e-11)


def test_both_begin_at_the_same_weights(own_text):
    experiment = untrained(own_text)[0]
    pre, post = experiment.pre.state_dict(), experiment.post.state_dict()
    assert pre.keys() - post.keys() == {"final_norm.weight", "final_norm.bias"} and not post.keys() - pre.keys()
    assert all(torch.equal(pre[name], value) for name, value in post.items())


@pytest.mark.parametrize("place", ["pre", "post"])
def test_gradients_are_weighed_block_by_block(own_text, place):
    """The gradients after backward have the norms of the study, also for a frozen player."""
    experiment, train, _ = untrained(own_text)
    batch = train.batch(torch.arange(4))
    experiment(batch, place)[0].backward()
    blocks = getattr(experiment, place).blocks
    wanted = [torch.cat([p.grad.flatten() for p in block.parameters()]).norm() for block in blocks]
    first = getattr(experiment, f"{place}_first")
    torch.testing.assert_close(first, torch.stack(wanted))
    experiment.requires_grad_(False)
    with torch.no_grad():
        torch.testing.assert_close(experiment._gradient_norms(place, batch["tokens"]), first)
    assert not any(parameter.requires_grad for parameter in experiment.parameters())


def test_only_the_first_batch_is_remembered(own_text):
    experiment, train, _ = untrained(own_text)
    experiment(train.batch(torch.arange(4)), "post")
    first = experiment.post_first.clone()
    experiment(train.batch(torch.arange(4, 8)), "post")
    assert torch.equal(experiment.post_first, first) and first.all()
    assert experiment.post_steps == 2 and experiment.pre_steps == 0


def test_before_training_pre_norm_falls_and_post_norm_rises(own_text):
    """With depth, as Xiong et al. derive: post-norm's gradients are largest at the output, pre-norm's at the input."""
    experiment, train, _ = untrained(own_text, layers=12, width=32)
    batch = train.batch(torch.arange(64))
    pre, post = (experiment._gradient_norms(place, batch["tokens"]) for place in ("pre", "post"))
    assert pre[0] > 1.5 * pre[-1]
    assert post[-1] > 1.3 * post[0]


def test_it_trains_and_shows(own_text, tmp_path, capsys):
    run = tmp_path / "run"
    sizes = ["--context", "8", "--width", "16", "--heads", "2", "--layers", "2", "--steps", "80", "--evaluate-every", "80"]
    words = ["--data", str(own_text), *sizes, "--warmup-steps", "10", "--learning-rate", "1e-2", "--target", "4"]
    assert main(["train", "autoregressive/normalization", "depth", "--run", str(run), "--cpu", *words]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found["passed"] and found["metrics"]["pre_bits_per_byte"] < 4, found
    lines = (run / "previews/00000080-norms.txt").read_text().splitlines()
    assert len(lines) == 3 and all(float(norm) > 0 for line in lines[1:] for norm in line.split()[1:])
    assert (run / "previews/00000080-gradients.png").stat().st_size > 5000
    assert main(["sample", str(run), "--count", "2"]) == 0
    assert (run / "samples/seed0-text.txt").read_text().count("[post-norm]") == 2


@pytest.mark.parametrize("words", [["--heads", "5"]])
def test_invalid_data_are_refused_in_one_line(words, capsys):
    assert main(["train", "autoregressive/normalization", "depth", *words]) == 2
    error = capsys.readouterr().err.strip()
    assert f"{words[0][2:]} is {words[1]}; it must be" in error and "\n" not in error
