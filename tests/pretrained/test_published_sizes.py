"""The published configurations of GPT-2, Llama, SmolLM2, TinyLlama and Qwen2.5: parameters and shapes against transformers.

The values are those of each model's config.json. Tensors are meta tensors, which have a shape and no content.
"""

import json

import pytest

from practice_torch.experiments.autoregressive.transformer import LanguageRecipe, LlamaRecipe
from practice_torch.pretrained import gpt2, llama
from tests.pretrained.test_language_models import network_of
from tests.support.pretrained.published import require_published

transformers = pytest.importorskip("transformers")

GPT2 = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "bos_token_id": 50256,
    "embd_pdrop": 0.1,
    "eos_token_id": 50256,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 1024,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "resid_pdrop": 0.1,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    "vocab_size": 50257,
}
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 11008,
    "max_position_embeddings": 4096,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 32,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "transformers_version": "4.31.0.dev0",
    "use_cache": True,
    "vocab_size": 32000,
}
TINY_LLAMA = LLAMA | {
    "attention_bias": False,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "max_position_embeddings": 2048,
    "num_hidden_layers": 22,
    "num_key_value_heads": 4,
    "rope_theta": 10000.0,
    "torch_dtype": "bfloat16",
}
STORIES = LLAMA | {
    "hidden_size": 288,
    "intermediate_size": 768,
    "max_position_embeddings": 256,
    "num_attention_heads": 6,
    "num_hidden_layers": 6,
    "num_key_value_heads": 6,
    "tie_word_embeddings": True,
}
SMOL = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "hidden_act": "silu",
    "hidden_size": 576,
    "initializer_range": 0.041666666666666664,
    "intermediate_size": 1536,
    "is_llama_config": True,
    "max_position_embeddings": 8192,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_interleaved": False,
    "rope_scaling": None,
    "rope_theta": 100000,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 49152,
}
QWEN = {
    "architectures": ["Qwen2ForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "hidden_act": "silu",
    "hidden_size": 896,
    "initializer_range": 0.02,
    "intermediate_size": 4864,
    "max_position_embeddings": 32768,
    "max_window_layers": 24,
    "model_type": "qwen2",
    "num_attention_heads": 14,
    "num_hidden_layers": 24,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_mrope": False,
    "use_sliding_window": False,
    "vocab_size": 151936,
}
# the number of parameters, with tied tables counted once
PUBLISHED = {
    "gpt2": (GPT2, 124_439_808),
    "gpt2-medium": (
        GPT2 | {"n_embd": 1024, "n_head": 16, "n_layer": 24, "n_special": 0, "predict_special_tokens": True},
        354_823_168,
    ),
    "gpt2-large": (GPT2 | {"n_embd": 1280, "n_head": 20, "n_layer": 36}, 774_030_080),
    "gpt2-xl": (GPT2 | {"n_embd": 1600, "n_head": 25, "n_layer": 48, "output_past": True}, 1_557_611_200),
    "distilgpt2": (GPT2 | {"n_layer": 6, "_num_labels": 1, "id2label": {"0": "LABEL_0"}}, 81_912_576),
    "Llama-2-7b": (LLAMA, 6_738_415_616),
    "TinyLlama-1.1B": (TINY_LLAMA, 1_100_048_384),
    "stories15M": (STORIES, 15_191_712),
    "SmolLM2-135M": (SMOL, 134_515_008),
    "SmolLM2-360M": (
        SMOL | {"hidden_size": 960, "intermediate_size": 2560, "num_attention_heads": 15, "num_hidden_layers": 32}
        | {"num_key_value_heads": 5},
        361_821_120,
    ),
    "SmolLM2-1.7B": (
        SMOL | {"hidden_size": 2048, "intermediate_size": 8192, "num_attention_heads": 32, "num_hidden_layers": 24}
        | {"num_key_value_heads": 32, "rope_theta": 130000},
        1_711_376_384,
    ),
    "Qwen2.5-0.5B": (QWEN, 494_032_768),
    "Qwen2.5-1.5B": (
        QWEN | {"hidden_size": 1536, "intermediate_size": 8960, "max_position_embeddings": 131072, "max_window_layers": 28}
        | {"num_attention_heads": 12, "num_hidden_layers": 28, "sliding_window": 131072},
        1_543_714_304,
    ),
}  # fmt: skip
OURS = {"gpt2": (gpt2, LanguageRecipe), "llama": (llama, LlamaRecipe), "qwen2": (llama, LlamaRecipe)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_shapes_are_those_of_transformers(name):
    config, count = PUBLISHED[name]
    architecture, recipe = OURS[config["model_type"]]
    require_published(config, count, architecture, network_of(recipe))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_configuration_that_is_written_is_read_as_the_same_fields(name):
    config = PUBLISHED[name][0]
    architecture, _ = OURS[config["model_type"]]
    fields = architecture.fields(config)
    assert architecture.fields(json.loads(json.dumps(architecture.config(fields)))) == fields
