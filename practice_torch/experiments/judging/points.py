"""Generated points compared with real ones: distance, a figure, and the check of data for recipes that count modes."""

import torch

from practice_torch.data.errors import DataError
from practice_torch.engine.experiment import Metric
from practice_torch.evaluation.kernel_distance import unbiased_discrepancy
from practice_torch.evaluation.memorization import nearest_distance
from practice_torch.evaluation.mode_coverage import assign_modes
from shared_specs.palette import BLUE

# What `modes` measures.
MODES = {
    "modes": Metric("modes", "modes of the mixture with at least a quarter of their share of good samples"),
    "high_quality": Metric("fraction", "samples within the recipe's radius of a mode"),
    "quality_times_coverage": Metric("fraction", "good samples times covered modes; 1 is best"),
    "spread": Metric("ratio", "standard deviation of samples within a mode over that of the mode; 1 is right"),
}


def modes(fakes, mixture, radius):
    """A mode is covered by a quarter of its share of good fakes; spread is their deviation in units of the mode's own."""
    means, stds, weights = (torch.tensor(mixture[key], device=fakes.device) for key in ("means", "stds", "weights"))
    assigned = assign_modes(fakes, means, radius=radius)
    good, mode = assigned >= 0, assigned[assigned >= 0]
    shares = torch.bincount(mode, minlength=len(means)) / len(fakes)
    covered, quality = float((shares >= weights / 4).double().mean()), float(good.double().mean())
    spread = ((fakes[good] - means[mode]) / stds[mode, None]).square().mean().sqrt()
    return {
        "modes": covered * len(means),
        "high_quality": quality,
        "quality_times_coverage": quality * covered,  # with 8 modes, 0.9 is reached only if no mode is missed
        "spread": float(spread) if good.any() else 0.0,
    }


def on_the_plane(scores_fn, real):
    """x, y and scores_fn of the points of a grid around real points, as arrays for a picture."""
    low, high = real.amin(0) - 1, real.amax(0) + 1
    x, y = (torch.linspace(float(a), float(b), 120, device=real.device) for a, b in zip(low, high, strict=True))
    scores = scores_fn(torch.cartesian_prod(x, y)).view(120, 120).T
    return tuple(tensor.float().cpu().numpy() for tensor in (x, y, scores))


def over_the_plane(reach, device, **functions):
    """places, and functions of them, on a square grid about 0: the arrays that pictures.scores.score_fields draws."""
    across = 41
    line = torch.linspace(-reach, reach, across, dtype=torch.float64, device=device)
    places = torch.cartesian_prod(line, line)
    measured = {"places": places} | {name: function(places) for name, function in functions.items()}
    return {name: values.unflatten(0, (across, across)).float().cpu().numpy() for name, values in measured.items()}


def distance(real, fakes):
    """The mean distance to the nearest neighbor, from fakes to real points and back, halved."""
    return float(nearest_distance(fakes, real).mean() + nearest_distance(real, fakes).mean()) / 2


def energy_distance(real, fakes):
    """2 E|x - y| - E|x - x'| - E|y - y'|, unbiased: 0 on average for equal laws.  Source: Szekely & Rizzo 2004."""
    pairs = (real, real), (fakes, fakes), (real, fakes)
    return float(unbiased_discrepancy(*(-torch.cdist(x, y) for x, y in pairs)))


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


def require_known_score(description):
    """Raises DataError where the data are no mixture in the plane."""
    name = description["name"]
    if "mixture" not in description or description["shape"] != [2]:
        raise DataError(f"{name} is not a mixture of Gaussians in 2 dimensions with a known score: use eight_gaussians")
