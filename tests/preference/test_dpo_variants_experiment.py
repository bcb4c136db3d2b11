"""Several objectives tune copies of one model side by side: none disturbs another, and all begin at the same loss."""

import math

import pytest
import torch

from practice_torch.engine.stages import enter
from practice_torch.experiments.preference.dpo_variants import OBJECTIVES, RECIPES
from tests.support import tiny


def small(**changes):
    """The experiment, tiny, and a batch."""
    return tiny.built("preference/dpo_variants", tiny.small(RECIPES["pydoc"], **changes))


def trained(objective):
    """The weights of its DPO policy after two steps on the text and three on pairs; and those of the model of the text."""
    experiment, batch = small(objective=objective, steps=5, supervised=0.4)
    optimizer = torch.optim.AdamW([*experiment.text.parameters(), *experiment.policies.parameters()], lr=0.01)
    for step in range(5):
        enter(experiment, experiment.recipe.stages(), step)
        optimizer.zero_grad()
        experiment(batch, "train")[0].backward()
        optimizer.step()
        if step == 1:
            kept = [weight.clone() for weight in experiment.text.parameters()]
    assert all(map(torch.equal, kept, experiment.reference.parameters())), "the reference is the model of the text, and stays"
    return list(experiment.policies["dpo"].parameters()), kept


def test_a_policy_learns_the_same_alone_and_among_all_others():
    (alone, text), (among, same_text) = trained("dpo"), trained("all")
    assert all(map(torch.equal, text, same_text))
    for one, other in zip(alone, among, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert not torch.equal(alone[0], text[0])


def test_all_policies_begin_at_the_model_of_the_text():
    """At h = 0, of two equally long completions."""
    experiment, batch = small(supervised=0.0, regularization=0.1, flip_probability=0.1, kl_coefficient=1.0)
    _, losses = experiment(batch, "train")
    at_zero = {"dpo": math.log(2), "robust": math.log(2), "ipo": 25.0, "hinge": 1.0, "kto": 0.5}
    assert {name: losses[f"{name}_loss"].item() for name in at_zero} == pytest.approx(at_zero)
    assert losses.keys() == {f"{name}_loss" for name in OBJECTIVES}


def test_the_reference_point_is_the_log_ratio_of_completions_of_other_prompts():
    """Of a policy that likes its own completions; a completion after its own prompt would score too high."""
    experiment, batch = small(objective="kto")
    policy, tokens = experiment.policies["kto"], batch["tokens"]
    policy.load_state_dict(experiment.reference.state_dict())
    assert experiment._reference_point(policy, tokens) == 0
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)
    for _ in range(10):
        optimizer.zero_grad()
        (-experiment._log_probs(policy, tokens).mean()).backward()
        optimizer.step()

    def ratio(texts):
        return (experiment._log_probs(policy, texts) - experiment._log_probs(experiment.reference, texts)).mean().item()

    prompt = experiment.recipe.prompt
    others = torch.stack([torch.cat([row[:prompt], tokens[k - 1, prompt:]]) for k, row in enumerate(tokens)])
    point = experiment._reference_point(policy, tokens).item()
    assert point == pytest.approx(ratio(others), rel=1e-4) and 0 < point != pytest.approx(ratio(tokens), rel=1e-2)
