"""A tuned model as transformers reads it: with the same logits, adapters included."""

import pytest
import torch
from transformers import GPT2LMHeadModel, LlamaForCausalLM

from practice_torch.engine.batches.datasets import Described
from practice_torch.experiments.alignment.offline import AlignmentRecipe, build
from practice_torch.experiments.alignment.publishing import as_language_model

SIZES = dict(context=16, layers=2, width=16, heads=2, extra_rows=3)
KINDS = {"gpt2": (GPT2LMHeadModel, dict(biases="all")), "llama": (LlamaForCausalLM, dict(key_value_heads=1, tied=False))}
BYTES = Described({"vocabulary": 256, "sha256": "", "tokenizer": {"library": "bytes"}})


@pytest.mark.parametrize("adapters", [0, pytest.param(2, marks=pytest.mark.peers("peft"))])
@pytest.mark.parametrize("form", KINDS)
def test_transformers_computes_the_same_as_a_tuned_model(form, adapters):
    kind, fields = KINDS[form]
    recipe = AlignmentRecipe(form=form, adapters=adapters, **fields, **SIZES)
    experiment = build(recipe, BYTES).eval()
    for parameter in experiment.policy.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    entry, language, description, state = as_language_model(recipe, experiment, BYTES.description)
    config = kind.config_class(**entry.files(language, description, "float32")["config.json"])
    assert config.vocab_size == 259 and config.eos_token_id == 0
    theirs = kind(config).eval()
    missing, unknown = theirs.load_state_dict(entry.theirs(language, description, state), strict=False)
    assert not unknown and set(missing) <= {"lm_head.weight"}
    theirs.tie_weights()
    tokens = torch.randint(256, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits, experiment.policy(tokens), rtol=1e-4, atol=1e-4)


def test_a_reward_model_is_no_language_model():
    recipe = AlignmentRecipe(method="reward", **SIZES)
    assert as_language_model(recipe, build(recipe, BYTES), BYTES.description) is None
