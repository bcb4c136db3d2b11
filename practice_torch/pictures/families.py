"""Samples of many models side by side: a row of images for each, or a square of points."""

import math

import numpy as np

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import BLUE

_ACROSS = 5  # squares in a row


def image_rows(images, caption):
    """images: name -> gray images [N, H, W] in 0..1, as many of each; a row with its name on the left."""
    names, (count, height, width) = list(images), next(iter(images.values())).shape
    gap = max(1, height // 8)
    tall, wide = height + gap, width + gap
    mosaic = np.full((len(names) * tall - gap, count * wide - gap), np.nan)
    for row, some in enumerate(images.values()):
        for column, image in enumerate(some):
            mosaic[row * tall : row * tall + height, column * wide : column * wide + width] = image

    def paint(axes):
        axes.imshow(mosaic, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="equal")
        axes.set_yticks([row * tall + height / 2 for row in range(len(names))], names)
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_anchor("E")  # the names are on the left

    return Figure(paint, caption, (0.1 * max(map(len, names)) + 0.42 * count, 0.1 + 0.42 * len(names)))


def point_squares(points, caption):
    """points: name -> points [N, 2]; a square for each, all of the same scale."""
    points = {name: np.asarray(some) for name, some in points.items()}
    reach = 1.1 * max(np.quantile(np.abs(some), 0.99) for some in points.values())
    rows = math.ceil(len(points) / _ACROSS)

    def paint(axes):
        axes.set_axis_off()
        for place, (name, some) in enumerate(points.items()):
            row, column = divmod(place, _ACROSS)
            square = axes.inset_axes([column / _ACROSS + 0.005, 1 - (row + 0.92) / rows, 0.95 / _ACROSS, 0.8 / rows])
            square.scatter(some[:, 0], some[:, 1], s=1, color=BLUE, linewidths=0)
            square.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=(), yticks=())
            square.set_title(name, fontsize="small")

    return Figure(paint, caption, (2.3 * _ACROSS, 2.6 * rows))
