"""Tuning by two processes, with a sharded model: the training of one process on the same batches."""

import csv
import json

import pytest

from practice_torch.__main__ import main

pytestmark = pytest.mark.xdist_group("processes")
SIZES = ["--layers", "1", "--width", "16", "--heads", "2", "--context", "24", "--prompt", "12", "--completion", "12"]
ROUNDS = ["--batch-size", "8", "--answers", "4", "--judged", "2", "--steps", "2", "--log-every", "1", "--temperature", "1.3"]
METHOD = ["--estimator", "leave_one_out", "--aggregation", "token_mean", "--entropy-coefficient", "0.1", "--cpu"]


def rows(folder):
    """(step, phase, name) -> value of metrics.csv."""
    with (folder / "metrics.csv").open() as file:
        return {(row["step"], row["phase"], row["name"]): float(row["value"]) for row in csv.DictReader(file)}


def test_two_processes_with_a_sharded_model_reward_and_learn_as_one(tmp_path, forked):
    """Completions of different lengths, advantages whitened over the whole batch, means over the tokens of both."""
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": f"{n} and {n * n}"}) + "\n" for n in range(24)))
    words = ["train", "reinforcement/group_policy", "rewards", "--data", str(prompts), *SIZES, *ROUNDS, *METHOD]
    assert main([*words, "--run", str(tmp_path / "one")]) == 0
    done = forked("practice_torch.__main__:main", [*words, "--run", str(tmp_path / "two"), "--shard"], ranks=2)
    assert [each.value for each in done] == [0, 0], done
    one = rows(tmp_path / "one")
    assert {one[step, "update", "length"] for step in "12"} - {12.0}  # some rows end before others
    assert rows(tmp_path / "two") == pytest.approx(one, rel=1e-4, abs=1e-6)
