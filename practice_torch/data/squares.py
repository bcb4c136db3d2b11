"""Images of one white square, at every place and of every size: three known factors, for models that look for such."""

import torch

SIDE = 16
FACTORS = {"column": 13, "row": 13, "size": 8}  # half a pixel apart: centers from 5 to 11, sides from 4 to 7.5
WHITE = 16


def squares():
    """(pixels, factors): sixteenths [1352, 1, 16, 16], the part of each pixel that is covered, and which value of each factor."""
    center = 5 + torch.arange(FACTORS["column"])[:, None] / 2
    side = 4 + torch.arange(FACTORS["size"]) / 2
    pixel = torch.arange(SIDE)
    above = torch.minimum(pixel + 1, (center + side / 2)[..., None])
    covered = (above - torch.maximum(pixel, (center - side / 2)[..., None])).clamp(min=0)  # [centers, sizes, pixels]
    pixels = WHITE * torch.einsum("rsy,csx->crsyx", covered, covered)
    factors = torch.cartesian_prod(*(torch.arange(count) for count in FACTORS.values()))
    return pixels.to(torch.uint8).view(-1, 1, SIDE, SIDE), factors
