"""Rewards from the run of a reward model: those that it gives to the examples that it was trained on."""

import json

import pytest
import torch

from practice_torch.__main__ import main
from practice_torch.data.alignment import load
from practice_torch.engine.errors import RunError
from practice_torch.experiments.alignment.rewards import Rewards, require_rewards

ROWS = [{"prompt": f"{n} plus one is", "chosen": f" {n + 1}", "rejected": " a secret" + "!" * (n % 3)} for n in range(12)]
SIZES = ["--layers=1", "--width=16", "--heads=2", "--context=32", "--batch-size=4", "--steps=2", "--learning-rate=0.01", "--cpu"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The run of a reward model of bytes."""
    folder = tmp_path_factory.mktemp("rewards")
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    words = ["train", "preference/dpo", "aligned", "--method=reward", "--data", str(folder / "pairs.jsonl")]
    assert main([*words, *SIZES, "--run", str(folder / "run")]) == 0
    return folder / "run"


def test_texts_get_the_rewards_of_the_examples_of_the_training(run):
    """With the end of a text behind the completion, from where the reward is read."""
    rewards = Rewards((str(run),), (), 1.0)
    found = rewards(ROWS, [row["chosen"] for row in ROWS])
    model = rewards._sources[str(run)].model
    parts = load(run.parent / "pairs.jsonl", columns="pairs", context=32)
    tokens, lengths = (torch.cat([part.batch()[name][:, 0] for part in parts]) for name in ("tokens", "length"))
    with torch.no_grad():
        wanted = model.rewards(tokens, lengths)
    torch.testing.assert_close(found.sort().values, wanted.sort().values)
    assert len(found.unique()) == len(ROWS)


def test_a_run_without_a_reward_model_is_refused_before_the_training(run):
    require_rewards([str(run)])
    path = run / "recipe.json"
    content = path.read_text()
    path.write_text(content.replace('"method": "reward"', '"method": "orpo"'))
    try:
        with pytest.raises(RunError, match="is the run of a model without rewards: train one with --method reward"):
            require_rewards([str(run)])
    finally:
        path.write_text(content)
