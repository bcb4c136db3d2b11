"""Networks of diffusion/unet without a flax counterpart, with their formulas, and mistakes planted into those with one."""

import numpy as np
import torch
from torch import nn

from practice_torch.networks import unet
from practice_torch.networks.unet import DDPM_LAYERS, UNet1d, UNet2d
from shared_specs.diffusion.unet import KERNELS, VECTORS
from shared_specs.rows import Model, begins_as, begins_at, given, normal, uniform
from tests.support.networks import Held
from tests.support.planted_networks import BEGINS, EVALUATED, always_in_training, other_epsilon, put, without_residual

ZERO_ENDS = {"*conv2.weight": begins_at(0), "*output.weight": begins_at(0)}
# of an unconditional network
PREDICTOR = {name: law for name, law in (VECTORS | ZERO_ENDS | KERNELS).items() if name != "label.weight"}


def _of_equal_rows(network, x, t, label):
    """A U-Net on images with rows all equal to x, with kernels that read their middle row alone, treats every row as x."""
    flat = UNet2d(**_UNET).double().eval()
    with torch.no_grad():
        for name, parameter in flat.named_parameters():
            known = dict(network.named_parameters())[name]
            parameter.zero_()
            if parameter.ndim == 4:
                parameter[:, :, parameter.shape[2] // 2] = known
            else:
                parameter.copy_(known)
    return flat(x.unsqueeze(2).repeat(1, 1, x.shape[2], 1), t, label)[:, :, 3]


_UNET = dict(
    channels=2,
    size=8,
    base_channels=4,
    multipliers=(1, 2),
    blocks=1,
    num_classes=3,
    attention_at=(4,),
    head_width=4,
    groups=2,
    compact=True,
)


HELD = (
    Held(
        UNet1d,
        Model(
            "UNet1d",
            "sequences",
            given(x=normal(3, 2, 8), t=uniform(3, high=20.0), label=np.array([0, 3, 2])),
            sizes=_UNET,
            initial=VECTORS | ZERO_ENDS | KERNELS,
            training=dict(dropout=0.5),
        ),
        _of_equal_rows,
    ),
    Held(  # compared with diffusers' in test_unet.py
        UNet2d,
        Model(
            "UNet2d",
            "the layers of DDPM",
            None,
            sizes=dict(channels=2, size=4, base_channels=4, multipliers=(1, 2), blocks=1, attention_at=(2,), groups=2)
            | DDPM_LAYERS,
            # queries, keys and values as three matrices of [C, C]
            initial={"*query_key_value.weight": begins_as(lambda rng, shape: rng.uniform(-1, 1, shape) * (3 / shape[1]) ** 0.5)}
            | PREDICTOR,
        ),
        None,
    ),
)


MISTAKES = {
    "UNet2d": {
        "dropout in evaluation": (always_in_training(unet.UNet2d), EVALUATED),
        "no residual in attention": (without_residual(unet.Attention), "output"),
        "another epsilon": (other_epsilon(nn.GroupNorm, 1e-6), "output"),
        "torch's own weights": (put(unet.UNet2d, "_initialize", lambda self, zero_init: None), BEGINS),
    }
}
