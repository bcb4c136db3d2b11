"""Images mirrored, scaled, turned, stretched and moved at random, and nine numbers that tell a network what was done.

A network that is told so draws images as they are when it is told of none: the augmentation does not leak. Resampling is that of
ADA (Karras et al. 2020): a wavelet doubles the resolution, pixels of the finer image are interpolated, and the wavelet halves it
again. An image that was not moved stays as it is.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from practice_torch.networks.linear import in_own_precision

LABELS = 9
UNIFORMS, NORMALS = 10, 4  # numbers that are drawn for an image

# The low-pass filter of Daubechies' least asymmetric wavelet with six vanishing moments ("symlet 6").
SYMLET_6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
_BEFORE = 5  # entries of the filter before its middle
_EDGE = 3  # pixels beyond an image's border that the filter reads


class Moves(NamedTuple):
    """What is done to each image of a batch, in this order; [B] each, all of them 0 (False) for an image as it is."""

    left_right: Tensor  # whether it is mirrored
    upside_down: Tensor  # whether it is
    scale: Tensor  # sizes are multiplied by 2^(scale/5)
    angle: Tensor  # of a rotation, in radians
    stretch: Tensor  # one direction is multiplied by 2^(stretch/5), and the one across it divided by that
    direction: Tensor  # the angle of that direction, in radians
    right: Tensor  # an eighth of the width, so many times
    down: Tensor  # an eighth of the height, so many times

    def labels(self) -> Tensor:
        """[B, 9]: zeros for an image as it is. Directions are points on a circle, which has no seam."""
        turned = self.angle.cos() - 1, self.angle.sin()
        stretched = self.stretch * self.direction.cos(), self.stretch * self.direction.sin()
        flips = (flip.to(self.scale.dtype) for flip in (self.left_right, self.upside_down))
        return torch.stack([*flips, self.scale, *turned, *stretched, self.right, self.down], 1)


def moves_of(u: Tensor, normals: Tensor, *, probability: float) -> Moves:
    """Moves by uniform and normal numbers: left-right in half of the cases, each other with this probability.

    An image is turned upside down in half of those cases, and stretched along an axis of its own in half of them.
    Source: Karras et al. 2022, appendix F.2; the standard deviations are ADA's.
    [10, B], [4, B] -> Moves
    """
    circle = math.pi * (2 * u[5:7] - 1)
    happens = u[7:] < probability  # scale, rotation, stretch
    zero = torch.zeros_like(normals[0])
    moved = u[3] < probability
    return Moves(
        left_right=u[0] < 0.5,
        upside_down=(u[1] < 0.5) & (u[2] < probability),
        scale=torch.where(happens[0], normals[0], zero),
        angle=torch.where(happens[1], circle[0], zero),
        stretch=torch.where(happens[2], normals[1], zero),
        direction=torch.where(u[4] < 0.5, circle[1], zero),
        right=torch.where(moved, normals[2], zero),
        down=torch.where(moved, normals[3], zero),
    )


class GeometricAugmentation(nn.Module):
    """Images of this shape, [B, C, H, W], and Moves -> the images after the moves.

    Beyond its border, an image goes on as its mirror image, and then with zeros.
    """

    def __init__(self, shape):
        super().__init__()
        for name, length in zip(("rows", "columns"), shape[1:], strict=True):
            for part, matrix in _resampling(length).items():  # constants, made once: a copy to a GPU would wait for it
                self.register_buffer(f"{name}_{part}", matrix, persistent=False)

    @torch.no_grad()
    def forward(self, images: Tensor, moves: Moves) -> Tensor:
        """[B, C, H, W], [B] each -> [B, C, H, W]"""
        with in_own_precision(images.device.type):
            images = torch.where(moves.left_right[:, None, None, None], images.flip(3), images)
            images = torch.where(moves.upside_down[:, None, None, None], images.flip(2), images)
            fine = self.rows_rise @ images @ self.columns_rise.mT
            fine = functional.grid_sample(fine, _places(moves, images, fine), align_corners=False)
            return self.rows_fall @ fine @ self.columns_fall.mT


def _resampling(length):
    """Matrices along one axis: "rise" doubles an image's resolution, mirrored all around, and "fall" halves it again."""
    margin = length - 1
    padded = length + 2 * margin
    wide = functional.pad(torch.eye(length)[None], (margin, margin), mode="reflect")[0].mT
    return {"rise": _bank(2 * padded, padded, 0) @ wide, "fall": _bank(2 * (length + 2 * _EDGE), length, 2 * _EDGE).mT}


def _bank(fine, coarse, first):
    """[fine, coarse]: column n has the filter around row first + 2n; rows that are not there are left out."""
    taps = torch.tensor(SYMLET_6)
    place = torch.arange(fine)[:, None] - first - 2 * torch.arange(coarse) + _BEFORE
    inside = (place >= 0) & (place < len(taps))
    return torch.where(inside, taps[place.clamp(0, len(taps) - 1)], 0.0)


def _places(moves, images, fine):
    """Where each pixel of the fine result is in the fine image, from -1 to 1: [B, 2(H + 6), 2(W + 6), 2]."""
    height, width = images.shape[2:]

    def pixels(length):  # relative to the middle of the image, in its own pixels
        return torch.arange(2 * (length + 2 * _EDGE), dtype=images.dtype, device=images.device) / 2 - _EDGE - (length - 1) / 2

    # the moves undone, the last one first
    x = pixels(width) - (moves.right * width / 8)[:, None, None]
    y = pixels(height)[:, None] - (moves.down * height / 8)[:, None, None]
    x, y = _turned(*torch.broadcast_tensors(x, y), moves.direction)
    longer = torch.exp2(moves.stretch / 5)[:, None, None]
    x, y = _turned(x / longer, y * longer, -moves.direction)
    x, y = _turned(x, y, moves.angle)
    smaller = torch.exp2(-moves.scale / 5)[:, None, None]
    places = []
    for at, length, whole in ((x * smaller, width, fine.shape[3]), (y * smaller, height, fine.shape[2])):
        index = 2 * (at + (length - 1) / 2 + (length - 1))
        places.append((2 * index + 1) / whole - 1)
    return torch.stack(places, -1)


def _turned(x, y, angle):
    """Points turned by an angle about the origin, [B, H, W] each and [B]."""
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return cos * x - sin * y, sin * x + cos * y
