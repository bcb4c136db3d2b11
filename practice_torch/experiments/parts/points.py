"""Generated points compared with real ones: distance, a figure, and the check of data for recipes that count modes."""

import torch

from practice_torch.data.errors import DataError
from shared_specs.palette import BLUE


def distance(real, fakes):
    """The mean distance to the nearest neighbor, from fakes to real points and back, halved."""
    distances = torch.cdist(real, fakes)
    return float(distances.amin(dim=0).mean() + distances.amin(dim=1).mean()) / 2


def scatter(axes, real, fakes):
    """The first two dimensions of fakes, over real points if there are any; points on a line are spread by their rank."""
    for points, color in ((real, "0.4"), (fakes, BLUE)):
        if points is not None:
            second = points[:, 1] if points.shape[1] > 1 else torch.linspace(0, 1, len(points))
            axes.scatter(points[:, 0], second, s=3, color=color, linewidths=0)


def require_mixture(recipe, description):
    """Raises DataError where the recipe is judged by modes and the data are no mixture."""
    if recipe.metric != "distance" and "mixture" not in description:
        name = description["name"]
        raise DataError(f"{name} is not a mixture with known modes, and this recipe counts modes: use the recipe two_moons")
