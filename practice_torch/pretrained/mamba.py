"""Mamba as published in transformers' layout: state-spaces/mamba-130m-hf to mamba-2.8b-hf.

Fields are those of a Mamba here, and `vocabulary`, its number of tokens. It has no context length: a training chooses one.
"""

from practice_torch.pretrained.configuration import require_supported, required_size
from practice_torch.pretrained.layout import Layout, Padded, Row, Tie

MODEL_TYPE = "mamba"
_SIZES = ("hidden_size", "num_hidden_layers", "state_size", "vocab_size")
_EXPAND, _TAPS, _WIDTH_A_RANK = 2, 4, 16
# of the initial weights, of the form of the computation, and of the precision of sums
_IGNORED = """
    time_step_scale time_step_min time_step_max time_step_init_scheme time_step_floor rescale_prenorm_residual
    use_mambapy use_associative_scan fused_add_norm residual_in_fp32 pad_vocab_size_multiple
"""
_LAYERS = {
    "norm.weight": "norm.weight",
    "input.weight": "mixer.in_proj.weight",
    "convolution.weight": "mixer.conv1d.weight",
    "convolution.bias": "mixer.conv1d.bias",
    "projection.weight": "mixer.x_proj.weight",
    "step.weight": "mixer.dt_proj.weight",
    "step.bias": "mixer.dt_proj.bias",
    "log_negative_a": "mixer.A_log",
    "skip": "mixer.D",
    "output.weight": "mixer.out_proj.weight",
}


def fields(config):
    """The sizes of a configuration by our names. DataError for a key that would change the computation, by its name."""
    width, layers, states, vocabulary = (required_size(config, key) for key in _SIZES)
    allowed = {
        "expand": (_EXPAND,),
        "intermediate_size": (None, _EXPAND * width),
        "d_inner": (None, _EXPAND * width),
        "d_model": (None, width),
        "n_layer": (None, layers),
        "conv_kernel": (_TAPS,),
        "time_step_rank": ("auto", -(-width // _WIDTH_A_RANK)),
        "hidden_act": ("silu",),
        "layer_norm_epsilon": (1e-5,),
        "rms_norm": (True,),
        "use_bias": (False,),
        "use_conv_bias": (True,),
        "ssm_cfg": (None, {}),
        "tie_word_embeddings": (True,),
    }
    require_supported(config, read=_SIZES, allowed=allowed, ignored=_IGNORED.split())
    return {"vocabulary": vocabulary, "layers": layers, "width": width, "states": states}


def config(fields):
    """The configuration of a Mamba of these fields, as transformers reads it."""
    width = fields["width"]
    return {
        "architectures": ["MambaForCausalLM"],
        "model_type": MODEL_TYPE,
        "vocab_size": fields["vocabulary"],
        "hidden_size": width,
        "num_hidden_layers": fields["layers"],
        "state_size": fields["states"],
        "expand": _EXPAND,
        "intermediate_size": _EXPAND * width,
        "conv_kernel": _TAPS,
        "time_step_rank": -(-width // _WIDTH_A_RANK),
        "hidden_act": "silu",
        "layer_norm_epsilon": 1e-5,
        "use_bias": False,
        "use_conv_bias": True,
        "residual_in_fp32": True,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }


def layout(fields):
    """The rows of a Mamba of these fields."""
    table = "backbone.embeddings.weight"
    rows = [Row("embedding.weight", table, Padded(fields["vocabulary"]))]
    for number in range(fields["layers"]):
        ours, theirs = f"blocks.{number}", f"backbone.layers.{number}"
        rows += [Row(f"{ours}.{name}", f"{theirs}.{other}") for name, other in _LAYERS.items()]
    rows.append(Row("norm.weight", "backbone.norm_f.weight"))
    # the second is what the authors' own code calls it
    return Layout(tuple(rows), (Tie("lm_head.weight", of=table), Tie("backbone.embedding.weight", of=table)), base="backbone.")
