"""A byte model that learns a text and then preferences: the stages, their metrics, and the effect of training."""

import dataclasses
import math

import pytest
import torch

from practice_torch.engine.stages import enter
from practice_torch.experiments.preference.pipeline import RECIPES
from tests.support import tiny


def small(**changes):
    """The experiment, tiny, and a batch."""
    return tiny.built("preference/pipeline", tiny.small(RECIPES["pydoc"], **changes))


def test_the_judge_likes_vowels_and_avoids_digits_and_punctuation():
    values = small()[0].values
    assert {chr(byte) for byte in (values == 1).nonzero().flatten()} == set("aeiou")
    assert {chr(byte) for byte in (values == -1).nonzero().flatten()} == {
        chr(byte) for byte in range(33, 127) if not chr(byte).isalpha()
    }
    assert values.abs().sum() == 5 + 10 + 32


def test_preferences_begin_at_the_model_of_the_text():
    """Until then the reference waits; then it is the policy, so that every pair has the loss log 2; then it stays."""
    experiment, batch = small(steps=4, supervised=0.5)
    waiting = {name: value.clone() for name, value in experiment.reference.state_dict().items()}
    optimizer = torch.optim.Adam(experiment.policy.parameters())
    for step in range(4):
        enter(experiment, experiment.recipe.stages(), step)
        loss, logs = experiment(batch, "train")
        optimizer.zero_grad()
        loss.backward()
        if step < 2:
            assert logs == {} and all(
                torch.equal(value, waiting[name]) for name, value in experiment.reference.state_dict().items()
            )
        if step == 2:
            assert loss.item() == pytest.approx(math.log(2)) and logs["accuracy"] == 0.5
            kept = {name: value.clone() for name, value in experiment.policy.state_dict().items()}
        if step > 1:
            assert all(torch.equal(value, kept[name]) for name, value in experiment.reference.state_dict().items())
        optimizer.step()
    assert loss.item() != pytest.approx(math.log(2), abs=1e-6)
    assert all(parameter.grad is None for parameter in experiment.reference.parameters())


def test_it_learns_what_the_judge_prefers():
    """From noise, in fifteen steps: the win rate and the score rise, and so does what they cost in nats."""
    experiment, _ = small(steps=100, supervised=0.0, kl_coefficient=0.2)
    stages = experiment.recipe.stages()
    data = tiny.Random(dataclasses.replace(experiment.recipe, prompt=5))
    optimizer = torch.optim.Adam(experiment.policy.parameters(), lr=0.02)
    prompts = torch.randint(256, (64, 11), generator=torch.Generator().manual_seed(0))
    for step in range(15):
        enter(experiment, stages, step)
        optimizer.zero_grad()
        experiment({"tokens": prompts}, "train")[0].backward()
        optimizer.step()
    enter(experiment, stages, 15)
    data.batch = lambda indices: {"tokens": prompts[indices % 64]}
    with torch.no_grad():
        found = experiment.evaluate(data)
    assert found["dpo_win_rate"] > 0.8 and found["dpo_score"] > found["reference_score"] + 0.2 and found["dpo_divergence"] > 0.5
    assert found["ppo_divergence"] == pytest.approx(0, abs=1e-5) and found["least_win_rate"] == found["ppo_win_rate"]


def test_the_reward_model_learns_after_the_text_and_ppo_follows_it():
    """Who has a gradient in each of four steps; all copies are of the model of the text, and PPO is paid what is learned."""
    experiment, batch = small(steps=4, supervised=0.25, rewarded=0.67)
    moved = []
    for step in range(4):
        moved.append([])
        for phase in enter(experiment, experiment.recipe.stages(), step):
            experiment.zero_grad()
            loss, logs = experiment(batch, phase.name)
            if phase.moves:
                loss.backward()
                if any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in experiment.parameters()):
                    moved[step].append(phase.name)
            if step == 1 and phase.name == "train":
                for copy in (experiment.reference, experiment.tuned, experiment.reward.trunk):
                    for name, value in copy.state_dict().items():
                        assert torch.equal(value, experiment.policy.state_dict()[name]), name
            if step == 3 and phase.name == "collect":
                rewards, others = experiment._rewards(experiment.rollout.tokens), experiment.reference_rewards
                deviation = others.std(correction=0).item()
                score = ((rewards.mean() - others.mean()) / deviation).item()
                assert logs["score"].item() == pytest.approx(score, rel=1e-3, abs=1e-3) and deviation > 0
                assert logs["price"].item() == pytest.approx(experiment.recipe.kl_coefficient / deviation, rel=1e-3)
    assert moved == [["train"], ["train", "reward"], ["train", "reward"], ["train", "update"]]
