"""Wrong forms of the layers from a latent vector to an image that the rows must refuse, and other right forms."""

import torch
from torch.nn import functional

from practice_torch.latent import convolutional_vae as right
from tests.support.mistakes import Mistake


def _convolution(weight_of=lambda w: w, bias_of=lambda b: b):
    """The convolution with something changed."""

    def wrong(x, weight, bias, *, stride=1, padding=0):
        right.convolution2d(x, weight, bias, stride=stride, padding=padding)
        return functional.conv2d(x, weight_of(weight), bias_of(bias), stride, padding)

    return wrong


def _transposed(weight_of):
    def wrong(x, weight, bias, *, stride=1, padding=0):
        right.transposed_convolution2d(x, weight, bias, stride=stride, padding=padding)
        return functional.conv_transpose2d(x, weight_of(weight), bias, stride, padding)

    return wrong


def _bias_for_each_kernel(x, weight, bias, *, stride=1, padding=0):
    made = right.transposed_convolution2d(x, weight, 0 * bias, stride=stride, padding=padding)
    ones = functional.conv_transpose2d(torch.ones_like(x[:, :1]), torch.ones_like(weight[:1, :1]), None, stride, padding)
    return made + bias[:, None, None] * ones


def _turned(weight):
    return weight.flip(2, 3)


def _unfolded(x, weight, bias, *, stride=1, padding=0):
    """Windows as rows of a matrix, and one product."""
    made = right.convolution2d(x, weight, bias, stride=stride, padding=padding)
    windows = functional.unfold(x, weight.shape[2:], stride=stride, padding=padding)
    return torch.einsum("os,bsp->bop", weight.flatten(1), windows).view_as(made) + bias[:, None, None]


def _gradient(x, weight, bias, *, stride=1, padding=0):
    """The transposed convolution as torch's gradient of a convolution by its input."""
    made = right.transposed_convolution2d(x, weight, bias, stride=stride, padding=padding)
    return torch.nn.grad.conv2d_input(made.shape, weight, x, stride, padding) + bias[:, None, None]


MISTAKES = (
    Mistake("convolution2d", "the kernel turned over", _convolution(_turned)),
    Mistake("convolution2d", "no bias", _convolution(bias_of=lambda bias: 0 * bias)),
    Mistake("convolution2d", "a kernel too large accepted", lambda x, weight, bias, *, stride=1, padding=0: functional.conv2d(
        functional.pad(x, (0, max(0, weight.shape[3] - x.shape[3] - 2 * padding), 0, max(
            0, weight.shape[2] - x.shape[2] - 2 * padding))), weight, bias, stride, padding), only_checks=True),
    Mistake("transposed_convolution2d", "the kernel turned over", _transposed(_turned)),
    Mistake("transposed_convolution2d", "a bias for each kernel that overlaps", _bias_for_each_kernel),
    Mistake("transposed_convolution2d", "output padding", lambda x, weight, bias, *, stride=1, padding=0: (
        functional.conv_transpose2d(x, weight, bias, stride, padding, output_padding=stride - 1))),
    Mistake("transposed_convolution2d", "weights with the outputs first", lambda x, weight, bias, *, stride=1, padding=0: (
        right.transposed_convolution2d(
            x, weight.transpose(0, 1).reshape(weight.shape), bias, stride=stride, padding=padding))),
    Mistake("nearest_upsample", "the image repeated", lambda x, *, factor: (
        right.nearest_upsample(x, factor=factor) * 0 + x.repeat(1, 1, factor, factor))),
    Mistake("nearest_upsample", "interpolated", lambda x, *, factor: (
        right.nearest_upsample(x, factor=factor) * 0 + functional.interpolate(x, scale_factor=factor, mode="bilinear"))),
    Mistake("average_pool", "sums", lambda x, *, window: window**2 * right.average_pool(x, window=window)),
    Mistake("average_pool", "the largest", lambda x, *, window: (
        right.average_pool(x, window=window) * 0 + functional.max_pool2d(x, window))),
    Mistake("average_pool", "the last rows and columns dropped", lambda x, *, window: (
        functional.avg_pool2d(x, max(window, 1))), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("convolution2d", "a product of windows", _unfolded),
    Mistake("transposed_convolution2d", "the gradient of a convolution", _gradient),
    Mistake(
        "nearest_upsample",
        "by torch's interpolation",
        lambda x, *, factor: (
            right.nearest_upsample(x, factor=factor) * 0 + functional.interpolate(x, scale_factor=factor, mode="nearest")
        ),
    ),
    Mistake(
        "average_pool",
        "by torch's pooling",
        lambda x, *, window: right.average_pool(x, window=window) * 0 + functional.avg_pool2d(x, window),
    ),
)
