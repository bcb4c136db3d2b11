"""A language model is tuned on a user's own pairs: from the weights of another run, which it then needs no more."""

import dataclasses
import json
import math
import shutil
from types import SimpleNamespace

import pytest
import torch

from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.data.pairs import load
from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.errors import OptionError
from practice_torch.engine.stages import enter
from practice_torch.engine.storage.run import Run
from practice_torch.engine.storage.state import weights_of
from practice_torch.experiments.autoregressive import transformer
from practice_torch.experiments.preference.dpo import RECIPES, PreferredCompletions, build
from tests.commands.test_practice_commands import call, refused
from tests.support import tiny

SIZES = {"context": 24, "layers": 1, "width": 16, "heads": 2}
FLAGS = [word for name, size in SIZES.items() for word in (f"--{name}", str(size))]
SHORT = ["--batch-size", "2", "--warmup-steps", "0", "--evaluate-every", "1", "--steps", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A text with a run of a language model of it, and a file of pairs."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "text.txt").write_text("how are you? well, thank you. " * 20)
    rows = [{"prompt": f"how is {name}?", "chosen": " well.", "rejected": " who asks?"} for name in "abcdef"]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    named = ("--data", folder / "text.txt", "--run", folder / "text")
    code, _, err = call("train", "autoregressive/transformer", "pydoc", *named, *FLAGS, *SHORT)
    assert code == 0, err
    return folder


def started(folder, **changes):
    """The experiment, begun from the run of the text."""
    recipe = dataclasses.replace(RECIPES["pydoc"], **SIZES | {"start": str(folder / "text")} | changes)
    experiment = build(recipe, load(folder / "pairs.jsonl", context=recipe.context)[0])
    experiment.start({})
    return experiment


def test_it_begins_from_the_weights_of_a_language_model(folder):
    policy, run = started(folder).policy.state_dict(), Run.open(folder / "text")
    recipe = dataclasses.replace(transformer.RECIPES["pydoc"], **SIZES)
    model = transformer.build(recipe, Described(run.asked["data"]))
    weights, _ = weights_of(run, model, say=print)
    assert policy and all(torch.equal(value, weights[f"network.{name}"]) for name, value in policy.items())


def test_a_model_of_other_sizes_or_tokens_is_refused(folder):
    with pytest.raises(OptionError, match="layers is 2, and 1 in"):
        started(folder, layers=2)
    content = BytePairTokenizer.train("well, well", merges=0, special_tokens=("<|endoftext|>",)).content().encode()
    about = {"vocabulary": 257, "tokenizer": {"library": "diptych", "bytes": len(content)}}
    data = SimpleNamespace(description=about, vocabulary=SimpleNamespace(content=content))
    other = build(dataclasses.replace(RECIPES["pydoc"], start=str(folder / "text"), **SIZES), data)
    with pytest.raises(OptionError, match="and .* has others: name the folder of its text"):
        other.start({})


def test_a_run_of_pairs_is_trained_and_then_needs_the_other_run_no_more(folder, tmp_path):
    shutil.copytree(folder / "text", tmp_path / "text")
    words = ["--data", folder / "pairs.jsonl", "--start", tmp_path / "text", *FLAGS]
    run = ("train", "preference/dpo", "pydoc", *words, *SHORT, "--supervised", "0", "--run", tmp_path / "run")
    code, _, err = call(*run)
    assert code == 0, err
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())["metrics"]
    assert found["supervised_loss"] < math.log(256) - 0.01, "the text taught it something"
    shutil.rmtree(tmp_path / "text")
    code, out, err = call("sample", tmp_path / "run", "--prompt", "how", "--length", "4", "--count", "2")
    assert code == 0 and out.count("how") == 2, err
    refused(3, "train", "preference/dpo", "pydoc", *words, *SHORT, "--run", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_preferences_begin_at_the_model_of_the_chosen_completions():
    """The loss is log 2 at first, and falls; the reference stays."""
    experiment, batch = tiny.built("preference/dpo", tiny.small(RECIPES["pydoc"], steps=4, supervised=0.25, kl_coefficient=1.0))
    optimizer, losses = torch.optim.Adam(experiment.policy.parameters(), lr=0.01), []
    for step in range(6):
        enter(experiment, experiment.recipe.stages(), step)
        optimizer.zero_grad()
        loss, logs = experiment(batch, "train")
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] == pytest.approx(math.log(2), abs=1e-5) and losses[-1] < losses[1] - 0.1 and logs["accuracy"] > 0.5


def test_the_reference_accuracy_is_the_share_of_pairs_that_the_reference_orders_rightly():
    """Of four pairs two are right, one is wrong, and a tie counts half."""
    chosen, rejected = torch.tensor([-1.0, -2.0, -3.0, -4.0]), torch.tensor([-2.0, -3.0, -2.0, -4.0])
    held_out = (chosen, rejected, chosen, rejected), torch.zeros(4)
    experiment = SimpleNamespace(_held_out=lambda data: held_out, _rewards=lambda *four: (*four[:2], torch.ones(4)))
    assert PreferredCompletions.evaluate(experiment, None)["reference_accuracy"] == pytest.approx((1 + 1 + 0 + 0.5) / 4)
