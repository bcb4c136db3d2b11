"""Policies from runs: sizes and weights are those of the run, adapters begin as no change, and fields are complete."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.engine.errors import OptionError
from practice_torch.experiments.alignment.methods import mismatched
from practice_torch.experiments.alignment.offline import AlignmentRecipe
from practice_torch.experiments.alignment.policy import (
    FIELDS,
    as_reference,
    load_plain,
    plain_weights,
    policy_network,
    reference_network,
)

SIZES = dict(context=16, layers=2, width=64, heads=4)
TOKENS = torch.arange(24).view(2, 12) % 20


def test_the_recipe_has_every_field_of_a_policy():
    """Also those that a language model gets later: begin() would leave them out."""
    assert set(FIELDS) <= {field.name for field in dataclasses.fields(AlignmentRecipe)}


@pytest.mark.parametrize("form", ["gpt2", "llama"])
def test_weights_of_another_form_are_refused(form):
    other = {"gpt2": "llama", "llama": "gpt2"}[form]
    network = policy_network(AlignmentRecipe(form=form, **SIZES), 20)
    weights = plain_weights(policy_network(AlignmentRecipe(form=other, **SIZES), 20))
    with pytest.raises((KeyError, OptionError)):
        load_plain(network, weights)


def test_prompts_get_the_completions_of_the_examples_before_them():
    tokens = torch.tensor([[1, 2, 3, 4, 5, 0], [6, 7, 8, 0, 0, 0], [9, 10, 11, 12, 13, 14]])
    found, lengths = mismatched(tokens, torch.tensor([2, 1, 5]), torch.tensor([5, 3, 6]), WholeBatch(), 6)
    assert found.tolist() == [[1, 2, 14, 0, 0, 0], [6, 3, 4, 5, 0, 0], [9, 10, 11, 12, 13, 7]]
    assert lengths.tolist() == [3, 4, 6]


def test_two_processes_mismatch_as_one_does():
    tokens, prompts, lengths = torch.arange(24).view(4, 6), torch.tensor([2, 1, 5, 3]), torch.tensor([5, 3, 6, 4])
    wanted = mismatched(tokens, prompts, lengths, WholeBatch(), 9)
    for half, last in ((slice(0, 2), 3), (slice(2, 4), 1)):
        row = torch.cat([torch.nn.functional.pad(tokens[last], (0, 3)), prompts[last, None], lengths[last, None]])
        team = SimpleNamespace(count=2, of_previous=lambda mine, row=row: row)
        found = mismatched(tokens[half], prompts[half], lengths[half], team, 9)
        assert all(torch.equal(mine, whole[half]) for mine, whole in zip(found, wanted, strict=True))


@pytest.mark.peers("peft")
@pytest.mark.parametrize("form", ["gpt2", "llama"])
def test_adapters_begin_as_no_change_and_are_switched_off_for_the_reference(form):
    recipe = AlignmentRecipe(form=form, adapters=4, **SIZES)
    plain, adapted = policy_network(dataclasses.replace(recipe, adapters=0), 20), policy_network(recipe, 20)
    assert reference_network(recipe, 20) is None
    load_plain(adapted, plain_weights(plain))
    assert torch.equal(adapted(TOKENS), plain(TOKENS))
    moved = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    layers = 5 if form == "llama" else 4
    assert len(moved) == 2 * 2 * layers and all(".lora_" in name for name in moved)
    for name, parameter in adapted.named_parameters():
        if name in moved:
            torch.nn.init.normal_(parameter, std=0.3)
    assert (adapted(TOKENS) - plain(TOKENS)).abs().max() > 0.1
    with as_reference(adapted, None) as network:
        assert torch.equal(network(TOKENS), plain(TOKENS))
    assert all(parameter.requires_grad == (name in moved) for name, parameter in adapted.named_parameters())
    load_plain(plain, plain_weights(adapted))
    torch.testing.assert_close(plain(TOKENS), adapted(TOKENS), atol=2e-5, rtol=0)
