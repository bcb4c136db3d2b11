"""A chat template goes with a model: into its run, from run to run, and out into a folder that transformers reads."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from practice_torch.__main__ import main
from practice_torch.data.reading.chat_templates import ChatTemplate, read_chat_template
from practice_torch.experiments.alignment.rewards import OfModel

TINY = ("--layers", "1", "--width", "16", "--heads", "2", "--context", "64", "--steps", "2", "--batch-size", "2", "--cpu")
TUNE = ("train", "preference/dpo", "aligned", "--warmup-steps", "0", "--evaluate-every", "2", "--checkpoint-every", "1")
PLAIN = (
    "{% for m in messages %}{{ '<' + m['role'] + '>' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
ASKED = [{"role": "user", "content": "hi"}]
TALK = [*ASKED, {"role": "assistant", "content": "yes"}]
PAIR = {"prompt": ASKED, "chosen": TALK[1:], "rejected": [{"role": "assistant", "content": "no"}]}


def written(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The run of a small model that was tuned to conversations, by a template from a file that is gone."""
    folder = tmp_path_factory.mktemp("chat")
    (folder / "plain.jinja").write_text(PLAIN)
    data = written(folder / "talks.jsonl", [{"messages": TALK}] * 6)
    options = ("--method", "supervised", "--chat-template", str(folder / "plain.jinja"), "--data", data, "--target", "None")
    assert main([*TUNE, *TINY, *options, "--packing", "--run", str(folder / "tuned")]) == 0
    (folder / "plain.jinja").unlink()
    return folder / "tuned"


def weights(run, step):
    (file,) = (run / "checkpoints" / f"step-{step:08d}").glob("*.safetensors")
    return load_file(file)


def test_the_next_tuning_takes_the_template_of_the_run(tuned, tmp_path):
    """And is resumed without either: it ends in the weights of an uninterrupted run, also with what a reference gave, kept."""
    data = written(tmp_path / "pairs.jsonl", [PAIR] * 6)
    source = shutil.copytree(tuned, tmp_path / "source")
    options = ("--from", str(source), "--data", data, "--keep-reference", "--schedule", "constant", "--batch-size", "2", "--cpu")
    for name, steps in (("short", "2"), ("whole", "4")):
        assert main([*TUNE, *options, "--steps", steps, "--run", str(tmp_path / name)]) == 0
    assert read_chat_template(tmp_path / "short") == ChatTemplate(PLAIN)
    shutil.rmtree(source)
    assert main(["train", "--resume", str(tmp_path / "short"), "--steps", "4", "--cpu"]) == 0
    ours, wanted = (weights(tmp_path / name, 4) for name in ("short", "whole"))
    assert ours.keys() == wanted.keys() and all(torch.equal(ours[name], wanted[name]) for name in wanted)
    kept = wanted["experiment/reference_log_probs"]
    assert kept.shape == (6, 2) and bool((kept < 0).all())
    prompts = written(tmp_path / "prompts.jsonl", [{"messages": ASKED}])
    out = tmp_path / "answers.jsonl"
    assert main(["sample", str(tmp_path / "short"), "--prompts", prompts, "--out", str(out), "--cpu"]) == 0
    assert json.loads(out.read_text())["messages"] == ASKED


def test_without_a_template_messages_are_refused_before_a_run_is_there(tmp_path, capsys):
    data = written(tmp_path / "pairs.jsonl", [PAIR] * 6)
    assert main([*TUNE, *TINY, "--data", data, "--run", str(tmp_path / "run")]) == 3
    said = capsys.readouterr().err
    assert "line 1: it has messages, and the model has no chat template: name one with --chat-template FILE" in said
    assert not (tmp_path / "run").exists()


REWARDS = """
def messages(prompts, completions, answer):
    assert all(prompt[-1]["role"] == "user" for prompt in prompts) and answer[0] == "yes"
    assert all([one["role"] for one in completion] == ["assistant"] for completion in completions)
    return [float(len(completion[0]["content"])) for completion in completions]
"""


def test_a_policy_is_rewarded_for_replies_to_messages(tuned, tmp_path):
    """The user's function gets messages, as TRL gives them; a reward model reads them by its own template."""
    (tmp_path / "rewards.py").write_text(REWARDS)
    pairs, prompts = written(tmp_path / "pairs.jsonl", [PAIR] * 6), tmp_path / "prompts.jsonl"
    written(prompts, [{"messages": ASKED, "answer": "yes"}] * 4)
    judge, policy = tmp_path / "judge", tmp_path / "policy"
    options = ("--from", str(tuned), "--steps", "1", "--batch-size", "2", "--checkpoint-every", "1", "--cpu")
    assert main([*TUNE, "--method", "reward", "--data", pairs, *options, "--run", str(judge)]) == 0
    model = OfModel(judge)
    row, text = {"prompt": ASKED}, "yes"
    tokens = torch.tensor(list(b"<user>hi\n<assistant>yes\n\0"))
    wanted = model.model.rewards(tokens[None], torch.tensor([len(tokens)]))
    assert model([row, row], [text, text + "\ue0fe"]) == pytest.approx([wanted.item()] * 2)
    rewards = f"{tmp_path / 'rewards.py'}:messages"
    tune = ("train", "reinforcement/group_policy", "rewards", "--warmup-steps", "0", "--evaluate-every", "1", "--judged", "2")
    words = ("--data", str(prompts), "--reward", rewards, str(judge), "--prompt", "24", "--completion", "8", "--answers", "2")
    assert main([*tune, *words, *options, "--run", str(policy)]) == 0
    found = json.loads((policy / "evaluation.json").read_text())["metrics"]
    assert found["length"] <= 8 and "reward_error" not in found, "of the one held-out prompt no interval is known"
    assert read_chat_template(policy) == ChatTemplate(PLAIN)
