"""Inception v3 as in the published FID, KID and Inception scores, and the resizing of images to its 299 x 299 pixels.

The network is that of TensorFlow's file inception-2015-12-05, which differs from later ones: average pooling leaves the padding
out, the last block pools by the maximum, and there are 1008 classes. The weights are the user's: nothing is downloaded.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from practice_torch.data.errors import DataError

FILE = "pt_inception-2015-12-05-6726825d.pth"
SIDE, FEATURES, CLASSES = 299, 2048, 1008


class Convolution(nn.Module):
    """Convolution, batch normalization, ReLU."""

    def __init__(self, inputs, outputs, kernel, *, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        """[B, inputs, H, W] -> [B, outputs, H', W']"""
        return functional.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Parallel branches with concatenated channels: convolutions in sequence, and pooling as the last branch.

    branches: for each its convolutions (name, outputs, kernel) in sequence; the last item of a branch may be a list of several
    that have the same input. Where the stride is 2, the last convolution of each branch has it. pooled: the outputs of a
    convolution after the pooling; 0: there is none.
    """

    def __init__(self, inputs, *branches, pool, pooled=0, stride=1):
        super().__init__()
        self.pool, self.pooled, self.branches = pool, pooled, []
        for *sequence, ends in branches:
            width = inputs
            for item in sequence:
                width = self._add(width, *item)
            ends = ends if isinstance(ends, list) else [ends]
            for end in ends:
                self._add(width, *end, stride=stride)
            self.branches.append(([name for name, *_ in sequence], [name for name, *_ in ends]))
        if pooled:
            self._add(inputs, "_pool", pooled, 1)

    def _add(self, inputs, name, outputs, kernel, stride=1):
        tall, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (tall // 2, wide // 2) if stride == 1 else 0
        self.add_module(f"branch{name}", Convolution(inputs, outputs, kernel, stride=stride, padding=padding))
        return outputs

    def forward(self, x):
        """[B, inputs, H, W] -> [B, outputs, H', W']"""
        outputs = []
        for sequence, ends in self.branches:
            y = x
            for name in sequence:
                y = self._modules[f"branch{name}"](y)
            outputs += [self._modules[f"branch{name}"](y) for name in ends]
        pooled = self.pool(x)
        return torch.cat([*outputs, self.branch_pool(pooled) if self.pooled else pooled], 1)


_MEAN = partial(functional.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False)
_MAXIMUM = partial(functional.max_pool2d, kernel_size=3, stride=1, padding=1)
_HALVING = partial(functional.max_pool2d, kernel_size=3, stride=2)


def _block_35(inputs, pooled):
    """Block for 35 x 35 positions."""
    return Mixed(
        inputs,
        [("1x1", 64, 1)],
        [("5x5_1", 48, 1), ("5x5_2", 64, 5)],
        [("3x3dbl_1", 64, 1), ("3x3dbl_2", 96, 3), ("3x3dbl_3", 96, 3)],
        pool=_MEAN,
        pooled=pooled,
    )


def _block_17(width):
    """Block for 17 x 17 positions: kernels of 7 x 7 factored into a row and a column."""
    row, column = (1, 7), (7, 1)
    return Mixed(
        768,
        [("1x1", 192, 1)],
        [("7x7_1", width, 1), ("7x7_2", width, row), ("7x7_3", 192, column)],
        [
            ("7x7dbl_1", width, 1),
            ("7x7dbl_2", width, column),
            ("7x7dbl_3", width, row),
            ("7x7dbl_4", width, column),
            ("7x7dbl_5", 192, row),
        ],
        pool=_MEAN,
        pooled=192,
    )


def _block_8(inputs, pool):
    """Block for 8 x 8 positions: rows next to columns."""
    return Mixed(
        inputs,
        [("1x1", 320, 1)],
        [("3x3_1", 384, 1), [("3x3_2a", 384, (1, 3)), ("3x3_2b", 384, (3, 1))]],
        [("3x3dbl_1", 448, 1), ("3x3dbl_2", 384, 3), [("3x3dbl_3a", 384, (1, 3)), ("3x3dbl_3b", 384, (3, 1))]],
        pool=pool,
        pooled=192,
    )


class Inception(nn.Module):
    """Images [B, 3, H, W] of bytes, 0..255, to features [B, 2048]. resize: what brings them to 299 x 299."""

    width = FEATURES

    def __init__(self, *, resize):
        super().__init__()
        self.resize = resize
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b = _block_35(192, 32)
        self.Mixed_5c = _block_35(256, 64)
        self.Mixed_5d = _block_35(288, 64)
        self.Mixed_6a = Mixed(
            288, [("3x3", 384, 3)], [("3x3dbl_1", 64, 1), ("3x3dbl_2", 96, 3), ("3x3dbl_3", 96, 3)], pool=_HALVING, stride=2
        )
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (_block_17(width) for width in (128, 160, 160, 192))
        self.Mixed_7a = Mixed(
            768,
            [("3x3_1", 192, 1), ("3x3_2", 320, 3)],
            [("7x7x3_1", 192, 1), ("7x7x3_2", 192, (1, 7)), ("7x7x3_3", 192, (7, 1)), ("7x7x3_4", 192, 3)],
            pool=_HALVING,
            stride=2,
        )
        self.Mixed_7b = _block_8(1280, _MEAN)
        self.Mixed_7c = _block_8(2048, _MAXIMUM)  # a maximum here alone: so it is in the published network
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, images):
        """The means of the last block over its 8 x 8 places."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            kind = f"{list(images.shape)} of {str(images.dtype).removeprefix('torch.')}"
            raise ValueError(f"images is {kind}; it must be [B, 3, H, W] of uint8: see as_bytes")
        x = (self.resize(images) - 128) / 128
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(_HALVING(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(_HALVING(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))

    def logits(self, features):
        """[B, 2048] -> [B, 1008], without the bias, as the code of the published Inception scores has them."""
        return functional.linear(features, self.fc.weight)


# ---------------------------------------------------------------------------------------------------- images


def as_bytes(images):
    """Images in [0, 1], [B, 1 or 3, H, W], as they are stored: the nearest of 256 levels, in three channels."""
    return (images.clamp(0, 1) * 255).round().byte().expand(-1, 3, -1, -1)


def resize_as_tensorflow(images):
    """Bilinear, as in the published numbers: place i of the result is i H / 299 of the image; nothing is averaged."""
    x = images.float()
    for axis in (3, 2):
        size = x.shape[axis]
        place = torch.arange(SIDE, dtype=torch.float32, device=x.device) * torch.tensor(size / SIDE)
        before = place.long()
        share = (place - before).reshape(-1, *[1] * (3 - axis))
        low, high = x.index_select(axis, before), x.index_select(axis, (before + 1).clamp(max=size - 1))
        x = low + (high - low) * share
    return x


def resize_by_pillow(images):
    """Bicubic with antialiasing, as clean-fid has it: Pillow's, in floating-point numbers.  Source: Parmar et al. 2022."""
    from PIL import Image

    def of_channel(channel):
        image = Image.fromarray(channel.astype(np.float32))
        return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).clip(0, 255)

    channels = images.flatten(0, 1).cpu().numpy()
    resized = np.stack([of_channel(channel) for channel in channels]) if len(channels) else np.empty((0, SIDE, SIDE), np.float32)
    return torch.from_numpy(resized).unflatten(0, (-1, 3)).to(images.device)


# ---------------------------------------------------------------------------------------------------- weights


def load_inception(path, *, resize=resize_as_tensorflow):
    """The network in evaluation with the weights of a file.  DataError if there is no such file, or it holds other weights.

    The file is read by torch's restricted reader, which loads tensors and runs no code of the file.
    """
    wanted = f"it must be {FILE}, the weights of the published FID, which you must have: nothing is downloaded"
    if not Path(path).is_file():
        raise DataError(f"{path} is no file; {wanted}")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of torch, pickle or zipfile
        raise DataError(f"{path} cannot be read as tensors ({type(error).__name__}); {wanted}") from None
    with torch.device("meta"):  # 24 million numbers that no one needs to draw
        network = Inception(resize=resize)
    if complaint := _unlike(network.state_dict(), weights):
        raise DataError(f"{path}: {complaint}; {wanted}")
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def _unlike(wanted, given):
    """A description of the fault of the weights; empty if there is none."""
    if not isinstance(given, dict):
        return f"it holds a {type(given).__name__}, not tensors by name"
    wanted = {name: tensor for name, tensor in wanted.items() if not name.endswith("num_batches_tracked")}  # old files lack it
    if missing := next((name for name in wanted if name not in given), None):
        return f"it has no {missing}"
    if more := next((name for name in given if name not in wanted and not name.endswith("num_batches_tracked")), None):
        return f"it has {more}, which the network does not have"
    for name, tensor in wanted.items():
        if given[name].shape != tensor.shape:
            return f"{name} has shape {list(given[name].shape)}, not {list(tensor.shape)}"
    return ""
