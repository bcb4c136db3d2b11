"""DDPM's U-Net in diffusers' layout: the files of its configurations, the names of its weights, and how they are joined here."""

import re
from pathlib import Path

from practice_torch.data.errors import DataError
from practice_torch.engine.errors import RunError
from practice_torch.pretrained.layout import Joined, Layout, Row, Same
from practice_torch.pretrained.weights import read_json_object

PIPELINE_FILE, NETWORK_FILE, SCHEDULER_FILE = "model_index.json", "config.json", "scheduler_config.json"

# our modules outside blocks, and diffusers' names of them
_OUTSIDE = {
    "time.0": "time_embedding.linear_1",
    "time.1": "time_embedding.linear_2",
    "input": "conv_in",
    "norm": "conv_norm_out",
    "output": "conv_out",
}
_SIDES = {"encoder": ("down_blocks", "downsamplers"), "decoder": ("up_blocks", "upsamplers")}
_OF_BLOCK = {"embed": "time_emb_proj", "shortcut": "conv_shortcut"} | {
    name: name for name in ("norm1", "conv1", "norm2", "conv2")
}
# three layers there are one here, the first thirds of whose rows are the queries
_OF_ATTENTION = {"norm": ("group_norm",), "query_key_value": ("to_q", "to_k", "to_v"), "output": ("to_out.0",)}
# the same in files of diffusers before 0.17, which the published ones are
_EARLIER = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def read_configurations(folder):
    """The configurations of the network and of its scheduler: of a pipeline in its folders unet and scheduler, or in one place.

    DataError if one of them is missing, or the pipeline is another than DDPM's or DDIM's.
    """
    folder = Path(folder)
    if (folder / PIPELINE_FILE).is_file():
        kind = read_json_object(folder / PIPELINE_FILE).get("_class_name")
        if kind not in ("DDPMPipeline", "DDIMPipeline"):
            raise DataError(f"{folder / PIPELINE_FILE} has _class_name {kind!r:.60}; it must be DDPMPipeline or DDIMPipeline")
    places = [folder / inner if (folder / inner).is_dir() else folder for inner in ("unet", "scheduler")]
    return tuple(read_json_object(place / name) for place, name in zip(places, (NETWORK_FILE, SCHEDULER_FILE), strict=True))


def layout(shapes, *, earlier=False):
    """The layout of a UNet2d with DDPM_LAYERS, from the names and shapes of its parameters.

    earlier: with the names of published files. RunError for a network with classes, which diffusers' has no place for.
    """
    if "label.weight" in shapes:
        raise RunError(
            "the network has classes (conditional), which the layout of diffusers' unconditional U-Nets has no place for"
        )
    rows = []
    for ours, shape in shapes.items():
        theirs = _theirs(ours, earlier)
        how = Joined((shape[0] // len(theirs),) * len(theirs)) if len(theirs) > 1 else Same()
        rows.append(Row(ours, theirs, how))
    return Layout(tuple(rows))


def is_earlier(names):
    """Whether tensors have the names of files before diffusers 0.17."""
    return any(f".attentions.0.{old}." in name for name in names for old in _EARLIER.values())


def _theirs(ours, earlier):
    """Diffusers' names of what is joined in our parameter."""
    module, _, leaf = ours.rpartition(".")
    if module in _OUTSIDE:
        return (f"{_OUTSIDE[module]}.{leaf}",)
    if found := re.fullmatch(r"(encoder|decoder)\.(\d+)\.resample", module):
        # its upsampling ends a level, and ours begins the next
        blocks, resamplers = _SIDES[found[1]]
        return (f"{blocks}.{int(found[2]) - (found[1] == 'decoder')}.{resamplers}.0.conv.{leaf}",)
    found = re.fullmatch(r"(?:(encoder|decoder)\.(\d+)\.blocks|middle)\.(\d+)\.(attention\.)?(\w+)", module)
    place = f"{_SIDES[found[1]][0]}.{found[2]}" if found[1] else "mid_block"
    if not found[4]:
        return (f"{place}.resnets.{found[3]}.{_OF_BLOCK[found[5]]}.{leaf}",)
    parts = _OF_ATTENTION[found[5]]
    return tuple(f"{place}.attentions.{found[3]}.{_EARLIER.get(part, part) if earlier else part}.{leaf}" for part in parts)
