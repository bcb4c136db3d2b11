"""Copying and reversing through cross-attention: what is drawn is what is computed, what is counted is right, and it trains."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from practice_torch.__main__ import main
from practice_torch.data import symbols
from practice_torch.data.errors import DataError
from practice_torch.experiments.autoregressive.attention import RECIPES, build


def untrained(**changes):
    recipe = dataclasses.replace(RECIPES["reverse"], **dict(length=5, symbols=7, width=12, heads=2) | changes)
    train, held_out = symbols.load("random", count=40, **recipe.loading())
    torch.manual_seed(0)
    experiment = build(recipe, train)
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment.eval(), held_out


def test_what_is_drawn_is_what_the_fused_kernel_mixes():
    experiment, held_out = untrained()
    network, source = experiment.network.double(), held_out.batch()["symbols"]
    answer = source.flip(-1)[:, :-1]
    x, context = network._before_cross(source, answer)
    module = network.cross_attention
    values = module.value(context).unflatten(-1, (2, -1)).transpose(1, 2)
    mixed = module.output((network.cross_attention_weights(source, answer) @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(mixed, module(network.norms[1](x), context), rtol=1e-12, atol=1e-13)


def test_no_step_sees_the_symbols_that_it_is_to_write():
    experiment, held_out = untrained()
    source = held_out.batch()["symbols"]
    answer = torch.randint(7, (len(source), 4), generator=torch.Generator().manual_seed(1))
    other = answer.clone()
    other[:, 2:] = (other[:, 2:] + 1) % 7
    before, after = experiment.network(source, answer), experiment.network(source, other)
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])


@pytest.mark.parametrize("task", ["copy", "reverse"])
def test_answers_are_counted_symbol_by_symbol_and_as_a_whole(task):
    """A writer that errs in the last symbol of every other sequence."""
    experiment, held_out = untrained(task=task)

    def network(source, answer):
        step, right = answer.shape[1], source if task == "copy" else source.flip(-1)
        wrong = (torch.arange(len(source)) % 2) * (step == 4)
        return torch.nn.functional.one_hot((right[:, step] + wrong) % 7, 7)[:, None].float()

    looking = torch.eye(5) / 2 + 0.1
    looking = looking if task == "copy" else looking.flip(-1)
    experiment.network.forward = network
    experiment.network.cross_attention_weights = lambda source, answer: looking.expand(len(source), 2, 5, 5)
    assert len(held_out) == 8
    assert experiment.evaluate(held_out) == pytest.approx(
        {"exact_match": 0.5, "right_symbols": 0.9, "weight_on_the_right_place": 0.6}
    )


@pytest.mark.parametrize("task", ["copy", "reverse"])
def test_it_learns_and_attends_along_its_diagonal(task, tmp_path, capsys):
    run = tmp_path / "run"
    words = [
        "--steps",
        "120",
        "--length",
        "6",
        "--width",
        "32",
        "--batch-size",
        "128",
        "--learning-rate",
        "5e-3",
        "--target",
        "0.99",
    ]
    assert main(["train", "autoregressive/attention", task, "--run", str(run), "--cpu", *words]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found["passed"], found
    assert found["metrics"]["weight_on_the_right_place"] > 0.8
    assert (run / "previews/00000120-attention.png").stat().st_size > 5000
    assert main(["sample", str(run), "--count", "5"]) == 0
    lines = (run / "samples/seed0-answers.txt").read_text().splitlines()
    pairs = [line.split(" -> ") for line in lines]
    assert len(pairs) == 5
    assert sum(answer == (source if task == "copy" else source[::-1]) for source, answer in pairs) >= 4


# ---------------------------------------------------------------------------------------------------- the data


def test_random_sequences_are_the_seeds_and_parted():
    train, held_out = symbols.load("random", count=50, length=7, symbols=3, seed=4)
    again = symbols.load("random", count=50, length=7, symbols=3, seed=4)
    assert torch.equal(train.batch()["symbols"], again[0].batch()["symbols"])
    assert (len(train), len(held_out)) == (40, 10)
    both = torch.cat([part.batch()["symbols"] for part in (train, held_out)])
    assert both.dtype == torch.int64 and both.shape == (50, 7) and both.unique().tolist() == [0, 1, 2]
    assert torch.equal(train.batch(torch.tensor([3, 1]))["symbols"], train.batch()["symbols"][[3, 1]])
    assert train.description["symbols"] == 3 and train.description["shape"] == [7]
    other = symbols.load("random", count=50, length=7, symbols=3, seed=5)[0]
    assert not torch.equal(train.batch()["symbols"], other.batch()["symbols"])


def test_sequences_of_ones_own(tmp_path):
    own = np.arange(24, dtype=np.uint8).reshape(6, 4) % 5
    np.savez(tmp_path / "own.npz", symbols=own)
    train, held_out = symbols.load(tmp_path / "own.npz", held_out=1 / 3)
    assert (len(train), len(held_out), train.description["symbols"]) == (4, 2, 5)
    rows = sorted(torch.cat([train.batch()["symbols"], held_out.batch()["symbols"]]).tolist())
    assert rows == sorted(own.tolist())


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.ones((4, 3)), "it must hold integers"),
        (np.ones(4, dtype=int), r"it must be \[N, T\]"),
        (np.ones((4, 0), dtype=int), r"it must be \[N, T\]"),
        (np.array([[1, -1], [2, 3]]), "from -1 to 3"),
        (np.array([[1, 2]]), "at least 2 are needed"),
    ],
)
def test_invalid_sequences_are_refused_in_one_line(tmp_path, array, complaint):
    np.savez(tmp_path / "own.npz", symbols=array)
    with pytest.raises(DataError, match=complaint):
        symbols.load(tmp_path / "own.npz")


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["--heads", "3"], 2, "heads is 3; it must be a divisor of the width, 64"),
        (["--data", "nowhere.npz"], 3, "does not exist"),
        (["--data", "."], 3, "must be an .npz file with an array 'symbols'"),
    ],
)
def test_invalid_data_are_refused_in_one_line(words, code, complaint, capsys):
    assert main(["train", "autoregressive/attention", "copy", *words]) == code
    error = capsys.readouterr().err.strip()
    assert complaint in error and "\n" not in error
