"""Configurations: a key that would change the computation is refused by its name and value, and so is one that is not known."""

import pytest

from practice_torch.data.errors import DataError
from practice_torch.pretrained import gpt2, llama

GPT2 = gpt2.config(dict(vocabulary=11, context=8, layers=2, width=16, heads=4, biases="all", exact_gelu=False))
LLAMA_FIELDS = dict(vocabulary=11, context=8, layers=2, width=16, heads=4, key_value_heads=2, feed_forward_width=20, tied=True)
LLAMA_FIELDS |= dict(rotary_base=1e4, epsilon=1e-5, query_key_value_biases=False)
LLAMA, QWEN2 = (llama.config(LLAMA_FIELDS | dict(query_key_value_biases=biases)) for biases in (False, True))
CASES = {"gpt2": (gpt2, GPT2), "llama": (llama, LLAMA), "qwen2": (llama, QWEN2)}


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("gpt2", "activation_function", "relu"),
        ("gpt2", "scale_attn_by_inverse_layer_idx", True),
        ("gpt2", "reorder_and_upcast_attn", True),
        ("gpt2", "scale_attn_weights", False),
        ("gpt2", "add_cross_attention", True),
        ("gpt2", "layer_norm_epsilon", 1e-6),
        ("gpt2", "n_inner", 60),
        ("gpt2", "n_ctx", 4),
        ("gpt2", "tie_word_embeddings", False),
        ("gpt2", "n_head", 0),
        ("gpt2", "n_layer", "2"),
        ("gpt2", "vocab_size", True),
        ("gpt2", "quantization_config", {"bits": 4}),
        ("gpt2", "something_new", 3),
        ("llama", "hidden_act", "gelu"),
        ("llama", "attention_bias", True),
        ("llama", "attention_bias", 0),
        ("llama", "mlp_bias", True),
        ("llama", "head_dim", 8),
        ("llama", "rope_scaling", {"type": "linear", "factor": 2.0}),
        ("llama", "rope_parameters", {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0}),
        ("llama", "rope_parameters", {"rope_type": "default", "partial_rotary_factor": 0.5}),
        ("llama", "rope_theta", 0),
        ("llama", "partial_rotary_factor", 0.5),
        ("llama", "rope_interleaved", True),
        ("llama", "sliding_window", 4096),
        ("llama", "pretraining_tp", 2),
        ("llama", "num_key_value_heads", 3),
        ("llama", "num_attention_heads", 16),
        ("llama", "rms_norm_eps", -1e-5),
        ("llama", "tie_word_embeddings", "yes"),
        ("llama", "num_local_experts", 8),
        ("qwen2", "use_sliding_window", True),
        ("qwen2", "layer_types", ["full_attention", "sliding_attention"]),
        ("qwen2", "use_mrope", True),
        ("qwen2", "num_key_value_heads", None),
    ],
)
def test_what_is_not_computed_here_is_refused_by_name(name, key, value):
    architecture, config = CASES[name]
    assert architecture.fields(config)["width"] == 16
    with pytest.raises(DataError) as refused:
        architecture.fields(config | {key: value})
    message = str(refused.value)
    assert "\n" not in message and f"config.json has {key} = " in message and repr(value) in message, message


def test_two_bases_of_the_angles_must_be_equal():
    with pytest.raises(DataError, match="rope_theta = 10000.0 and rope_parameters with 500000.0; they must be equal"):
        llama.fields(LLAMA | {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}})
    without = {key: value for key, value in LLAMA.items() if key != "rope_theta"}
    assert llama.fields(without | {"rope_parameters": {"rope_theta": 5e5}})["rotary_base"] == 5e5
    assert llama.fields(without)["rotary_base"] == 10000.0


@pytest.mark.parametrize("name", CASES)
def test_keys_of_training_and_generation_change_nothing(name):
    architecture, config = CASES[name]
    more = {"torch_dtype": "bfloat16", "attention_dropout": 0.1, "use_cache": False, "eos_token_id": [1, 2], "pruned_heads": {}}
    assert architecture.fields(config | more) == architecture.fields(config)


def test_windows_of_qwen2_that_are_off_change_nothing():
    off = {"use_sliding_window": False, "sliding_window": 4096, "max_window_layers": 1, "layer_types": ["full_attention"] * 2}
    assert llama.fields(QWEN2 | off) == llama.fields(QWEN2)
