"""Llama as published: Llama 1 and 2, SmolLM2, TinyLlama, llama2.c's stories; and Qwen2 and 2.5, which has three biases more.

Fields are those of a Llama here, and `vocabulary`, its number of tokens.
"""

from practice_torch.data.errors import DataError
from practice_torch.pretrained.configuration import CONFIG, require_supported, required_flag, required_number, required_size
from practice_torch.pretrained.layout import Joined, Layout, Padded, Row, Tie

MODEL_TYPES = ("llama", "qwen2")  # in the order of the field query_key_value_biases: False, True
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings", "vocab_size")
_READ = (*_SIZES, "num_key_value_heads", "rms_norm_eps", "rope_theta", "rope_parameters", "tie_word_embeddings")


def fields(config):
    """The sizes of a configuration by our names. Dropout is left out: it is a choice of the training.

    DataError for a key that would change the computation, by its name.
    """
    width, layers, heads, inner, context, vocabulary = (required_size(config, key) for key in _SIZES)
    if width % (2 * heads):
        raise DataError(f"{CONFIG} has num_attention_heads = {heads}, which must divide half the hidden_size, {width}")
    biases = config.get("model_type") == MODEL_TYPES[True]
    groups = required_size(config, "num_key_value_heads", None if biases else heads)
    if heads % groups:
        raise DataError(f"{CONFIG} has num_key_value_heads = {groups}, which must divide num_attention_heads, {heads}")
    allowed = {
        "head_dim": (None, width // heads),
        "hidden_act": ("silu",),
        "rope_scaling": (None,),
        "partial_rotary_factor": (None, 1.0),
    }
    if biases:
        allowed |= {"use_sliding_window": (False,), "use_mrope": (False,), "layer_types": (None, ["full_attention"] * layers)}
    else:
        allowed |= dict.fromkeys(("attention_bias", "mlp_bias", "rope_interleaved"), (False,))
        allowed |= {"pretraining_tp": (1,), "sliding_window": (None,)}
    # of Qwen2: windows that are off
    ignored = ("sliding_window", "max_window_layers") if biases else ("is_llama_config",)
    require_supported(config, read=_READ, allowed=allowed, ignored=ignored)
    return {
        "vocabulary": vocabulary,
        "context": context,
        "layers": layers,
        "width": width,
        "heads": heads,
        "key_value_heads": groups,
        "feed_forward_width": inner,
        "tied": required_flag(config, "tie_word_embeddings", False),
        "rotary_base": _rotary_base(config),
        "epsilon": required_number(config, "rms_norm_eps", 1e-6),
        "query_key_value_biases": biases,
    }


def _rotary_base(config):
    """Of rope_theta, or of rope_parameters, which transformers writes since its version 5."""
    base = required_number(config, "rope_theta", 10000.0)
    if (parameters := config.get("rope_parameters")) is None:
        return base
    plain = isinstance(parameters, dict) and parameters.keys() <= {"rope_type", "rope_theta"}
    if not plain or parameters.get("rope_type", "default") != "default":
        only = "the type default with its rope_theta"
        raise DataError(f"{CONFIG} has rope_parameters = {parameters!r:.120}, which is not computed here; supported: {only}")
    inner = required_number(parameters, "rope_theta", base)
    if "rope_theta" in config and inner != base:
        raise DataError(f"{CONFIG} has rope_theta = {base} and rope_parameters with {inner}; they must be equal")
    return inner


def config(fields):
    """The configuration of a Llama of these fields, as transformers reads it."""
    biases = fields["query_key_value_biases"]
    common = {
        "architectures": ["Qwen2ForCausalLM" if biases else "LlamaForCausalLM"],
        "model_type": MODEL_TYPES[biases],
        "vocab_size": fields["vocabulary"],
        "max_position_embeddings": fields["context"],
        "hidden_size": fields["width"],
        "num_hidden_layers": fields["layers"],
        "num_attention_heads": fields["heads"],
        "num_key_value_heads": fields["key_value_heads"],
        "intermediate_size": fields["feed_forward_width"],
        "hidden_act": "silu",
        "rms_norm_eps": fields["epsilon"],
        "rope_theta": fields["rotary_base"],
        "tie_word_embeddings": fields["tied"],
        "attention_dropout": fields.get("dropout", 0.0),
        "bos_token_id": None,
        "eos_token_id": None,
    }
    return common | ({"use_sliding_window": False} if biases else {"attention_bias": False, "mlp_bias": False})


def layout(fields):
    """The rows of a Llama of these fields."""
    head = fields["width"] // fields["heads"]
    heads = Joined((fields["width"], fields["key_value_heads"] * head, fields["key_value_heads"] * head))
    table = Padded(fields["vocabulary"])
    rows, ties, ignorable = [Row("token_embedding.weight", "model.embed_tokens.weight", table)], (), set()
    for number in range(fields["layers"]):
        ours, theirs = f"blocks.{number}", f"model.layers.{number}"
        attention, feed_forward = f"{theirs}.self_attn", f"{theirs}.mlp"
        for kind in ("weight", "bias") if fields["query_key_value_biases"] else ("weight",):
            parts = tuple(f"{attention}.{part}_proj.{kind}" for part in "qkv")
            rows.append(Row(f"{ours}.query_key_value.{kind}", parts, heads))
        rows += [
            Row(f"{ours}.output.weight", f"{attention}.o_proj.weight"),
            Row(f"{ours}.gate.weight", f"{feed_forward}.gate_proj.weight"),
            Row(f"{ours}.up.weight", f"{feed_forward}.up_proj.weight"),
            Row(f"{ours}.down.weight", f"{feed_forward}.down_proj.weight"),
            Row(f"{ours}.attention_norm.weight", f"{theirs}.input_layernorm.weight"),
            Row(f"{ours}.feed_forward_norm.weight", f"{theirs}.post_attention_layernorm.weight"),
        ]
        ignorable.add(f"{attention}.rotary_emb.inv_freq")  # the clocks, which older files have
    rows.append(Row("final_norm.weight", "model.norm.weight"))
    if fields["tied"]:
        ties = (Tie("lm_head.weight", of="model.embed_tokens.weight"),)
    else:
        rows.append(Row("head.weight", "lm_head.weight", table))
    return Layout(tuple(rows), ties, ignorable=frozenset(ignorable), base="model.")
