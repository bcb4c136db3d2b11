"""GPT-2 as published: gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2, and others of their architecture.

Its layers are Conv1D of transformers: matrices [in, out]. Fields are those of a decoder here, and `vocabulary`, its number of
tokens.
"""

from practice_torch.pretrained.configuration import require_supported, required_size
from practice_torch.pretrained.layout import Layout, Padded, Row, Same, Tie, Transposed

MODEL_TYPE = "gpt2"
_EXACT = {"gelu_new": False, "gelu_pytorch_tanh": False, "gelu": True}
_SIZES = ("n_embd", "n_layer", "n_head", "n_positions", "vocab_size")
_IGNORED = ("predict_special_tokens", "_num_labels")


def fields(config):
    """The sizes of a configuration by our names. Dropout is left out: it is a choice of the training.

    DataError for a key that would change the computation, by its name.
    """
    width, layers, heads, context, vocabulary = (required_size(config, key) for key in _SIZES)
    allowed = {
        "n_inner": (None, 4 * width),
        "n_ctx": (None, context),
        "n_special": (0,),
        "activation_function": tuple(_EXACT),
        "layer_norm_epsilon": (1e-5,),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "reorder_and_upcast_attn": (False,),
        "tie_word_embeddings": (True,),
    }
    require_supported(config, read=_SIZES, allowed=allowed, ignored=_IGNORED)
    return {
        "vocabulary": vocabulary,
        "context": context,
        "layers": layers,
        "width": width,
        "heads": heads,
        "biases": "all",
        "exact_gelu": _EXACT[config.get("activation_function", "gelu_new")],
    }


def config(fields):
    """The configuration of a decoder of these fields, as transformers reads it."""
    dropout = fields.get("dropout", 0.0)
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": MODEL_TYPE,
        "vocab_size": fields["vocabulary"],
        "n_positions": fields["context"],
        "n_embd": fields["width"],
        "n_layer": fields["layers"],
        "n_head": fields["heads"],
        "n_inner": None,
        "activation_function": "gelu" if fields["exact_gelu"] else "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "resid_pdrop": dropout,
        "embd_pdrop": dropout,
        "attn_pdrop": dropout,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def layout(fields):
    """The rows of a decoder of these fields. Biases that it does not have are zero in theirs."""
    width, biases = fields["width"], fields["biases"]
    of_attention, of_others = biases == "all", biases != "none"
    rows = [
        Row("token_embedding.weight", "transformer.wte.weight", Padded(fields["vocabulary"])),
        Row("position_embedding.weight", "transformer.wpe.weight"),
    ]
    absent, ignorable = {}, set()

    def layer(ours, theirs, how, inner, has_bias):
        rows.append(Row(f"{ours}.weight", f"{theirs}.weight", how))
        if has_bias:
            rows.append(Row(f"{ours}.bias", f"{theirs}.bias"))
        else:
            absent[f"{theirs}.bias"] = (inner,)

    for number in range(fields["layers"]):
        ours, theirs = f"blocks.{number}", f"transformer.h.{number}"
        layer(f"{ours}.attention_norm", f"{theirs}.ln_1", Same(), width, of_others)
        layer(f"{ours}.query_key_value", f"{theirs}.attn.c_attn", Transposed(), 3 * width, of_attention)
        layer(f"{ours}.output", f"{theirs}.attn.c_proj", Transposed(), width, of_attention)
        layer(f"{ours}.feed_forward_norm", f"{theirs}.ln_2", Same(), width, of_others)
        layer(f"{ours}.up", f"{theirs}.mlp.c_fc", Transposed(), 4 * width, of_others)
        layer(f"{ours}.down", f"{theirs}.mlp.c_proj", Transposed(), width, of_others)
        ignorable |= {f"{theirs}.attn.bias", f"{theirs}.attn.masked_bias"}  # the causal mask, and its -10000
    layer("final_norm", "transformer.ln_f", Same(), width, of_others)
    ties = (Tie("lm_head.weight", of="transformer.wte.weight"),)
    return Layout(tuple(rows), ties, absent, frozenset(ignorable), base="transformer.")
