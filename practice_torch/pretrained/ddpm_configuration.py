"""DDPM's U-Net in diffusers' configurations, of the network (UNet2DModel) and of its scheduler, as fields of a recipe and back.

Images are those of the publications: pixels within -1..1, as many channels out as in.
"""

import math

from practice_torch.data.errors import DataError
from practice_torch.engine.errors import RunError

NETWORK_CLASS, SCHEDULER_CLASSES = "UNet2DModel", ("DDPMScheduler", "DDIMScheduler")
PIPELINE = {"_class_name": "DDPMPipeline", "scheduler": ["diffusers", SCHEDULER_CLASSES[0]], "unet": ["diffusers", NETWORK_CLASS]}

# key -> (what diffusers takes where it is missing, the values with which its network is ours)
_OF_NETWORK = {
    "center_input_sample": (False, (False,)),
    "time_embedding_type": ("positional", ("positional",)),
    "time_embedding_dim": (None, (None,)),
    "freq_shift": (0, (1,)),
    "flip_sin_to_cos": (True, (False,)),
    "mid_block_type": ("UNetMidBlock2D", ("UNetMidBlock2D",)),
    "mid_block_scale_factor": (1, (1,)),
    "downsample_padding": (1, (0,)),
    "downsample_type": ("conv", ("conv",)),
    "upsample_type": ("conv", ("conv",)),
    "act_fn": ("silu", ("silu", "swish")),
    "attn_norm_num_groups": (None, (None,)),
    "norm_eps": (1e-5, (1e-6,)),
    "resnet_time_scale_shift": ("default", ("default",)),
    "add_attention": (True, (True,)),
    "class_embed_type": (None, (None,)),
    "num_class_embeds": (None, (None,)),
    "num_train_timesteps": (None, (None,)),
}
# the same of a scheduler: how few steps are spaced is an option of sampling here, and all levels are the same in both ways
_OF_SCHEDULER = {
    "trained_betas": (None, (None,)),
    "thresholding": (False, (False,)),
    "clip_sample_range": (1.0, (1.0,)),
    "timestep_spacing": ("leading", ("leading", "trailing")),
    "steps_offset": (0, (0,)),
    "rescale_betas_zero_snr": (False, (False,)),
    "set_alpha_to_one": (True, (True,)),
    "predict_epsilon": (True, (True,)),  # of diffusers before 0.6
}
_UNREAD = (
    "dynamic_thresholding_ratio",
    "sample_max_value",
    "tensor_format",
    "timestep_values",
)  # of thresholding, and of old files
_SIZES = {
    "sample_size": None,
    "in_channels": 3,
    "out_channels": 3,
    "layers_per_block": 2,
    "block_out_channels": (224, 448, 672, 896),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 8,
    "norm_num_groups": 32,
    "dropout": 0.0,
}
_LEVELS = {
    "num_train_timesteps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "variance_type": "fixed_small",
    "clip_sample": True,
    "prediction_type": "epsilon",
}
_WORDS = {
    "beta_schedule": {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"},
    "variance_type": {"fixed_small": "small", "fixed_large": "large"},
    "prediction_type": {"epsilon": "noise", "sample": "x0", "v_prediction": "velocity"},
}

_DOWN, _UP = ("DownBlock2D", "AttnDownBlock2D"), ("UpBlock2D", "AttnUpBlock2D")  # without and with attention


def fields(network, scheduler):
    """Fields of a recipe from both configurations. DataError for what ours does not compute, by key and value."""
    of_network = _network_fields(_read(network, (NETWORK_CLASS,), _OF_NETWORK, _SIZES))
    levels = _read(scheduler, SCHEDULER_CLASSES, _OF_SCHEDULER, _LEVELS)
    words = {key: _word(key, levels[key], known) for key, known in _WORDS.items()}
    without_ends = words["beta_schedule"] == "cosine"
    return of_network | {
        "num_steps": _whole("num_train_timesteps", levels["num_train_timesteps"]),
        "noise_schedule": words["beta_schedule"],
        "beta_start": 0.0 if without_ends else _share("beta_start", levels["beta_start"]),
        "beta_end": 0.0 if without_ends else _share("beta_end", levels["beta_end"]),
        "prediction": words["prediction_type"],
        "step_variance": words["variance_type"],
        "clip_data": _word("clip_sample", levels["clip_sample"], {True: True, False: False}),
        "conditional": False,
    }


def image_shape(network):
    """[C, H, W] of the images of a network's configuration."""
    size = network.get("sample_size")
    height, width = size if isinstance(size, list | tuple) and len(size) == 2 else (size, size)
    channels = network.get("in_channels", _SIZES["in_channels"])
    return [_whole("in_channels", channels), _whole("sample_size", height), _whole("sample_size", width)]


def configurations(fields, shape):
    """Of the network and of its scheduler, from the fields of a recipe and the shape of its images, [C, H, W].

    RunError for a network or a schedule that diffusers does not have.
    """
    for name, wanted in (("ddpm_layers", True), ("compact", False), ("zero_terminal_snr", False)):
        if fields[name] != wanted:
            raise RunError(f"{name} is {fields[name]}; it must be {wanted} in a U-Net of diffusers' layout")
    widths = [fields["base_channels"] * multiplier for multiplier in fields["multipliers"]]
    attends = [shape[1] >> level in fields["attention_at"] for level in range(len(widths))]
    network = {"_class_name": NETWORK_CLASS} | {key: values[0] for key, (_, values) in _OF_NETWORK.items()}
    network |= {
        "sample_size": shape[1] if shape[1] == shape[2] else list(shape[1:]),
        "in_channels": shape[0],
        "out_channels": shape[0],
        "layers_per_block": fields["blocks"],
        "block_out_channels": widths,
        "down_block_types": [_DOWN[yes] for yes in attends],
        "up_block_types": [_UP[yes] for yes in reversed(attends)],
        "attention_head_dim": fields["head_width"] or None,
        "norm_num_groups": _common_groups(fields["norm_groups"], widths),
        "dropout": fields["dropout"],
    }
    last = fields["beta_end"] or min(20 / fields["num_steps"], 0.999)
    theirs = {key: {ours: word for word, ours in words.items()} for key, words in _WORDS.items()}
    scheduler = {"_class_name": SCHEDULER_CLASSES[0]} | {
        "num_train_timesteps": fields["num_steps"],
        "beta_start": fields["beta_start"] or last / 200,
        "beta_end": last,
        "beta_schedule": theirs["beta_schedule"][fields["noise_schedule"]],
        "variance_type": theirs["variance_type"][fields["step_variance"]],
        "clip_sample": fields["clip_data"],
        "prediction_type": theirs["prediction_type"][fields["prediction"]],
    }
    return network, scheduler


def _network_fields(sizes):
    """The fields of the network alone."""
    widths, blocks = sizes["block_out_channels"], _whole("layers_per_block", sizes["layers_per_block"])
    if not (isinstance(widths, list | tuple) and widths and all(type(width) is int and width > 0 for width in widths)):
        raise _refused("block_out_channels", widths, "whole numbers above 0")
    if any(width % widths[0] for width in widths) or widths[0] % 2:
        raise _refused("block_out_channels", widths, "even, each a multiple of the first")
    shape, down, up = image_shape(sizes), list(sizes["down_block_types"]), list(sizes["up_block_types"])
    if sizes["out_channels"] != shape[0]:
        raise _refused("out_channels", sizes["out_channels"], f"in_channels, {shape[0]}")
    if len(down) != len(widths) or set(down) - set(_DOWN):
        raise _refused("down_block_types", down, f"{len(widths)} of {' and '.join(_DOWN)}")
    attends = [name == _DOWN[1] for name in down]
    if up != (wanted := [_UP[yes] for yes in reversed(attends)]):
        raise _refused("up_block_types", up, f"those of down_block_types: {', '.join(wanted)}")
    groups, head = _whole("norm_num_groups", sizes["norm_num_groups"]), sizes["attention_head_dim"]
    if any(width % groups for width in widths):
        raise _refused("norm_num_groups", groups, f"a divisor of block_out_channels, {', '.join(map(str, widths))}")
    for width in [widths[-1], *(width for width, yes in zip(widths, attends, strict=True) if yes)]:
        if head is not None and width % _whole("attention_head_dim", head):
            raise _refused("attention_head_dim", head, f"null, or a divisor of {width}, the channels of a level with attention")
    return {
        "base_channels": widths[0],
        "multipliers": tuple(width // widths[0] for width in widths),
        "blocks": blocks,
        "attention_at": tuple(shape[1] >> level for level, yes in enumerate(attends) if yes),
        "dropout": _share("dropout", sizes["dropout"]),
        "compact": False,
        "ddpm_layers": True,
        "head_width": head or 0,
        "norm_groups": groups,
    }


def _common_groups(groups, widths):
    """The number of groups that all norms have, also those of joined maps; diffusers has one for all."""
    joined = [width + other for width, other in zip(widths, [widths[0], *widths], strict=False)]
    found = {math.gcd(groups, width) for width in (*widths, *joined, *(2 * width for width in widths))}
    if len(found) > 1:
        counts = ", ".join(map(str, sorted(found)))
        raise RunError(f"norm_groups is {groups}, which gives norms of {counts} groups here; diffusers has one number for all")
    return found.pop()


def _read(configuration, classes, fixed, free):
    """The values of `free`; DataError for another class, for a key that is not known and for a value that is not ours."""
    name = configuration.get("_class_name")
    if name not in classes:
        raise _refused("_class_name", name, " or ".join(classes))
    unknown = sorted(key for key in configuration if not key.startswith("_") and key not in {*fixed, *free, *_UNREAD})
    if unknown:
        raise _refused(unknown[0], configuration[unknown[0]], f"left out of a {name}: nothing here knows what it changes")
    for key, (default, allowed) in fixed.items():
        value = configuration.get(key, default)
        if value not in allowed or isinstance(value, bool) != isinstance(allowed[0], bool):
            missing = "" if key in configuration else ", which diffusers takes where the key is missing"
            raise _refused(key, f"{value!r}{missing}", " or ".join(map(repr, allowed)))
    return {key: configuration.get(key, default) for key, default in free.items()}


def _word(key, value, known):
    if not isinstance(value, str | bool) or value not in known:
        raise _refused(key, value, " or ".join(map(str, known)))
    return known[value]


def _whole(key, value):
    if type(value) is not int or value < 1:
        raise _refused(key, value, "a whole number above 0")
    return value


def _share(key, value):
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 or (value == 0 and key != "dropout"):
        raise _refused(key, value, "a number between 0 and 1")
    return float(value)


def _refused(key, value, allowed):
    return DataError(f"{key} is {value}; it must be {allowed}")
