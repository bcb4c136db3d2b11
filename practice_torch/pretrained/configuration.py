"""config.json: the keys that an architecture reads, those whose value must be one that it computes, and those without effect.

A key that is none of these may change what a network computes, and is refused by name: a wrong model without an error is worse.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from practice_torch.data.errors import DataError
from practice_torch.pretrained.weights import read_json_object

CONFIG = "config.json"
# of transformers' configurations: about training, generation, files and classifiers, nothing about the computation of logits
WITHOUT_EFFECT = frozenset(
    {
        "_name_or_path",
        "_commit_hash",
        "architectures",
        "auto_map",
        "model_type",
        "transformers_version",
        "torch_dtype",
        "dtype",
        "torchscript",
        "use_cache",
        "initializer_range",
        "attention_dropout",
        "resid_pdrop",
        "embd_pdrop",
        "attn_pdrop",
        "hidden_dropout",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "sep_token_id",
        "unk_token_id",
        "decoder_start_token_id",
        "id2label",
        "label2id",
        "num_labels",
        "problem_type",
        "finetuning_task",
        "tokenizer_class",
        "prefix",
        "task_specific_params",
        "summary_type",
        "summary_use_proj",
        "summary_activation",
        "summary_proj_to_labels",
        "summary_first_dropout",
        "output_attentions",
        "output_hidden_states",
        "output_past",
        "return_dict",
        "gradient_checkpointing",
        "do_sample",
        "temperature",
        "top_k",
        "top_p",
        "max_length",
        "min_length",
        "num_beams",
        "repetition_penalty",
    }
)
# which may be there with the value that changes nothing
HARMLESS = {
    "quantization_config": (None,),
    "pruned_heads": (None, {}),
    "chunk_size_feed_forward": (0,),
    "is_encoder_decoder": (False,),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "cross_attention_hidden_size": (None,),
    "tie_encoder_decoder": (False,),
}


def read_config(folder: str | Path) -> dict[str, Any]:
    """The configuration of a folder's model. DataError if there is none, or it is no JSON object."""
    return read_json_object(Path(folder) / CONFIG)


def require_supported(
    config: Mapping[str, Any], *, read: Collection[str], allowed: Mapping[str, Collection[Any]], ignored: Collection[str] = ()
) -> None:
    """DataError for a key that could change the computation and is not supported, by its name and value.

    read: keys that the caller reads itself. allowed: the values that are computed here, by key. ignored: keys without effect in
    this architecture, next to those that have none in any.
    """
    allowed = HARMLESS | dict(allowed)
    for key, value in config.items():
        if key in allowed:
            if not any(_equal(value, one) for one in allowed[key]):
                only = " or ".join(map(repr, allowed[key]))
                raise DataError(f"{CONFIG} has {key} = {value!r:.80}, which is not computed here; supported: {only}")
        elif key not in read and key not in ignored and key not in WITHOUT_EFFECT:
            why = "which may change the computation: it is not known here"
            raise DataError(f"{CONFIG} has {key} = {value!r:.80}, {why}; remove it if it changes nothing")


def required_size(config: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """A size, at least 1; the default where the key is missing or null. DataError if it is no such number."""
    value = config.get(key)
    value = default if value is None else value
    if type(value) is not int or value < 1:
        raise DataError(f"{CONFIG} has {key} = {value!r:.80}; it must be a whole number of at least 1")
    return value


def required_number(config: Mapping[str, Any], key: str, default: float) -> float:
    """A positive number; the default where the key is missing or null. DataError if it is none."""
    value = config.get(key)
    value = default if value is None else value
    if type(value) not in (int, float) or not 0 < value < float("inf"):
        raise DataError(f"{CONFIG} has {key} = {value!r:.80}; it must be a positive number")
    return float(value)


def required_flag(config: Mapping[str, Any], key: str, default: bool) -> bool:
    """true or false; the default where the key is missing or null. DataError if it is neither."""
    value = config.get(key)
    value = default if value is None else value
    if type(value) is not bool:
        raise DataError(f"{CONFIG} has {key} = {value!r:.80}; it must be true or false")
    return value


def _equal(value, other):
    """Equal, and of one type: in Python True is 1."""
    return value == other and (type(value) is type(other) or {type(value), type(other)} == {int, float})
