"""Images of one white square, at every place and of every size: three known factors, for models that look for such."""

import torch

SIDE = 16
FACTORS = {"column": 17, "row": 17, "size": 8}  # half a pixel apart: centers from 4 to 12, sides from 2 to 5.5
WHITE = 16


def squares():
    """(pixels, factors): sixteenths [2312, 1, 16, 16], the part of each pixel that is covered, and which value of each factor."""
    center = 4 + torch.arange(FACTORS["column"])[:, None] / 2
    side = 2 + torch.arange(FACTORS["size"]) / 2
    pixel = torch.arange(SIDE)
    above = torch.minimum(pixel + 1, (center + side / 2)[..., None])
    covered = (above - torch.maximum(pixel, (center - side / 2)[..., None])).clamp(min=0)  # [centers, sizes, pixels]
    pixels = WHITE * torch.einsum("rsy,csx->crsyx", covered, covered)
    factors = torch.cartesian_prod(*(torch.arange(count) for count in FACTORS.values()))
    return pixels.to(torch.uint8).view(-1, 1, SIDE, SIDE), factors
