"""The convolutions of VGG-19 up to conv5_1, under torchvision's names, with weights that the user has: nothing is downloaded."""

from itertools import count, pairwise
from pathlib import Path

import torch
from torch import nn

from practice_torch.data.errors import DataError

PLAN = (1, 1, 0, 2, 2, 0, 4, 4, 4, 4, 0, 8, 8, 8, 8, 0, 8)  # channels of each convolution, in units of the width; 0: a pooling
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the colors of ImageNet, by which torchvision's was trained
STYLE, CONTENT = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"), "conv4_2"  # of Gatys et al. 2016
HALVINGS = PLAN.count(0)


class VGG19(nn.Module):
    """Images [B, 3, H, W] in 0..1 to the features of each convolution, behind its ReLU, by name: conv1_1, conv1_2, ..., conv5_1.

    features.N is the layer N of torchvision's vgg19, whose width is 64. The sides of an image are at least 16.

    Source: Simonyan & Zisserman 2015, table 1, configuration E; Gatys et al. 2016, section 2.
    """

    def __init__(self, *, width=64):
        super().__init__()
        layers, self.names = [], {}
        group, number, sizes = 1, count(1), [3] + [width * size for size in PLAN if size]
        convolutions = (nn.Conv2d(*pair, 3, padding=1) for pair in pairwise(sizes))
        for size in PLAN:
            if size:
                layers += [next(convolutions), nn.ReLU()]
                self.names[len(layers) - 1] = f"conv{group}_{next(number)}"
            else:
                layers.append(nn.MaxPool2d(2))
                group, number = group + 1, count(1)
        self.features = nn.Sequential(*layers)
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images):
        """[B, 3, H, W] -> name -> [B, C, H', W']"""
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < 2**HALVINGS:
            raise ValueError(
                f"images has shape {list(images.shape)}; it must be [B, 3, H, W] with sides of {2**HALVINGS} or more"
            )
        x, found = (images - self.mean) / self.deviation, {}
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.names:
                found[self.names[index]] = x
        return found


def load_vgg(path, *, width=64):
    """The network with the weights of a file, safetensors or torch's, in evaluation.

    DataError if there is no such file, or it holds other weights. Layers beyond conv5_1 may be missing, and are left out. torch's
    files are read by its restricted reader, which loads tensors and runs no code of the file.
    """
    wanted = "it must hold the weights of torchvision's vgg19, which you must have: nothing is downloaded"
    if not Path(path).is_file():
        raise DataError(f"{path} is no file; {wanted}")
    try:
        weights = _read(Path(path))
    except Exception as error:  # of torch, pickle, zipfile or safetensors
        raise DataError(f"{path} cannot be read as tensors ({type(error).__name__}); {wanted}") from None
    network = VGG19(width=width)
    if complaint := _unlike(network.state_dict(), weights):
        raise DataError(f"{path}: {complaint}; {wanted}")
    network.load_state_dict({name: weights[name].float() for name in network.state_dict()})
    return network.eval().requires_grad_(False)


def _read(path):
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _unlike(wanted, given):
    """A description of the fault of the weights; empty if there is none."""
    if not isinstance(given, dict):
        return f"it holds a {type(given).__name__}, not tensors by name"
    for name, tensor in wanted.items():
        found = given.get(name)
        if not isinstance(found, torch.Tensor):
            return f"it has no {name}" if found is None else f"{name} is a {type(found).__name__}, not a tensor"
        if found.shape != tensor.shape:
            return f"{name} has shape {list(found.shape)}, not {list(tensor.shape)}"
        if not found.is_floating_point():
            return f"{name} has numbers of type {str(found.dtype).removeprefix('torch.')}, not floating-point ones"
        if wrong := int((~found.isfinite()).sum()):
            return f"{name} has {wrong} numbers that are not finite"
    return ""
