"""Small U-Nets of diffusers with random weights, the published configurations, and the same networks here."""

import math

import pytest
import torch
from torch import nn

from practice_torch.experiments.diffusion.training import DiffusionRecipe
from practice_torch.pretrained import ddpm, ddpm_configuration
from practice_torch.pretrained.layout import to_ours

_PUBLISHED = {
    "_class_name": "UNet2DModel",
    "_diffusers_version": "0.0.4",
    "act_fn": "silu",
    "attention_head_dim": None,
    "center_input_sample": False,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "in_channels": 3,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-06,
    "norm_num_groups": 32,
    "out_channels": 3,
    "time_embedding_type": "positional",
}
CIFAR = _PUBLISHED | {
    "block_out_channels": [128, 256, 256, 256],
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    "sample_size": 32,
}
LARGE = _PUBLISHED | {
    "block_out_channels": [128, 128, 256, 256, 512, 512],
    "down_block_types": ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "AttnUpBlock2D"] + ["UpBlock2D"] * 4,
    "sample_size": 256,
}
SCHEDULER = {
    "_class_name": "DDPMScheduler",
    "_diffusers_version": "0.1.1",
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "beta_start": 0.0001,
    "clip_sample": True,
    "num_train_timesteps": 1000,
    "trained_betas": None,
    "variance_type": "fixed_large",
}
# as the authors sampled: the large variance on CIFAR-10, the small one of 256 pixels (Ho et al. 2020, their code)
PUBLISHED = {
    "ddpm-cifar10-32": (CIFAR, SCHEDULER),
    "ddpm-celebahq-256": (LARGE, SCHEDULER | {"variance_type": "fixed_small"}),
    "ddpm-church-256": (LARGE, SCHEDULER | {"variance_type": "fixed_small"}),
    "ddpm-bedroom-256": (LARGE, SCHEDULER | {"variance_type": "fixed_small"}),
}
DTYPES = (torch.float64, torch.float32)
SMALL = CIFAR | {
    "block_out_channels": [4, 8],
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "sample_size": 8,
}


def recipe_of(network, scheduler=SCHEDULER):
    """A recipe of both configurations."""
    return DiffusionRecipe(**{"judged_steps": 2} | ddpm_configuration.fields(network, scheduler))


def built_here(network, scheduler=SCHEDULER):
    """The network of a configuration, with weights of its own."""
    return recipe_of(network, scheduler).backbone(tuple(ddpm_configuration.image_shape(network)), None)


class Angles(nn.Module):
    """Their embedding of times, which takes angles in float32 whatever the weights are, in float64."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, times):
        half = self.dim // 2
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float64) / (half - 1))
        angles = times.double()[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def of_diffusers(configuration, dtype=torch.float64):
    """Their network, every parameter of it random, and of the size that training gives it."""
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    network = diffusers.UNet2DModel.from_config({key: value for key, value in configuration.items() if key[0] != "_"})
    for name, parameter in network.named_parameters():
        nn.init.normal_(parameter, mean=float(name.endswith("norm.weight")), std=0.3)
    network.time_proj = Angles(configuration["block_out_channels"][0]) if dtype == torch.float64 else network.time_proj
    return network.to(dtype).eval()


def same_here(theirs, configuration, dtype=torch.float64, **how):
    """Our network with its weights."""
    ours = built_here(configuration)
    shapes = {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()}
    layout = ddpm.layout(shapes, **how)
    ours.load_state_dict(to_ours(layout, theirs.state_dict(), shapes))
    return ours.to(dtype).eval(), layout
