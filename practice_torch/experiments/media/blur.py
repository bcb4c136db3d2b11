"""Blurred images, a second domain next to sharp ones."""

from torch.nn import functional


def blurred(images):
    """Twice a mean of 3 x 3 pixels with the weights 1, 2, 1 along both axes; black beyond the border."""
    for _ in range(2):
        rows = functional.pad(images, (0, 0, 1, 1))
        images = (rows[..., :-2, :] + 2 * images + rows[..., 2:, :]) / 4
        columns = functional.pad(images, (1, 1))
        images = (columns[..., :-2] + 2 * images + columns[..., 2:]) / 4
    return images
