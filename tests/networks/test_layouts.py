"""The layouts of images inside the convolutional networks on a GPU, seen on fake tensors: where channels_last is kept.

A GPU's group normalization gives contiguous images, whatever it is given, unless a compiler has taken it apart.
"""

from collections import Counter

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from practice_torch.networks.dcgan import Discriminator, Generator
from practice_torch.networks.unet import UNet2d


class Layouts(TorchDispatchMode):
    """Counts of channels_last inputs and outputs of convolutions and norms."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        name = operation.overloadpacket.__name__
        for kind in ("convolution", "norm"):
            if kind in name:
                image = result[0] if isinstance(result, tuple) else result
                self.seen[kind, *(_is_last(tensor) for tensor in (args[0], image))] += 1
        return result


def _is_last(image):
    return image.is_contiguous(memory_format=torch.channels_last) and not image.is_contiguous()


def layouts(make, *shape):
    """Layouts in a forward pass on a fake GPU of a network with channels_last kernels."""
    with FakeTensorMode(), torch.device("cuda"), torch.no_grad():
        network, given = make(), [torch.zeros(shape)]
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.weight = nn.Parameter(module.weight.contiguous(memory_format=torch.channels_last))
        given += [torch.zeros(shape[0], dtype=torch.int64)] if isinstance(network, UNet2d) else []
        with Layouts() as found:
            network(*given)
    return dict(found.seen)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: Generator(latent=16, shape=(3, 32, 32), width=16), (4, 16)),
        (lambda: Discriminator(shape=(3, 32, 32), width=16), (4, 3, 32, 32)),
    ],
    ids=["generator", "discriminator"],
)
def test_batch_normalization_keeps_channels_last(make, shape):
    """Only the first convolution is given another layout: the projected noise, or the images as the data has them."""
    seen = layouts(make, *shape)
    assert seen["convolution", False, True] == 1 and seen["convolution", True, True] == 3
    assert seen["norm", True, True] == 3 and sum(seen.values()) <= 8 and ("norm", True, False) not in seen


def test_group_normalization_undoes_channels_last_on_a_gpu():
    """All 51 norms give contiguous images, and 46 of 65 convolutions are given those: cuDNN turns them round again.

    An uncompiled U-Net therefore gains nothing from channels_last on a GPU. Should torch learn to keep it, this is to be turned
    round, and so are the words of the recipes' field.
    """
    seen = layouts(
        lambda: UNet2d(channels=3, size=32, base_channels=32, multipliers=(1, 2, 2, 2), attention_at=(16,)), 2, 3, 32, 32
    )
    assert {given: count for (kind, _, given), count in seen.items() if kind == "norm"} == {False: 51}
    assert sum(count for (kind, given, _), count in seen.items() if kind == "convolution" and not given) == 46
    assert sum(count for (kind, *_), count in seen.items() if kind == "convolution") == 65
