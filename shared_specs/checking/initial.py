"""Initial distributions: compares what a Model row states with the initial parameters of many networks."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from math import sqrt
from types import ModuleType

import numpy as np

from shared_specs.checking.trial import Outcome
from shared_specs.rows import Model

NETWORKS = 64  # built from as many seeds
DRAWS = 512  # of a parameter with a distribution known only by draws
STANDARD_ERRORS = 5.0
KURTOSIS = {"normal": 3.0, "uniform": 1.8}


def initial_outcomes(torch: ModuleType, constructor: Callable, row: Model) -> Iterator[Outcome]:
    """Outcomes (quantity, ratio, message), one a parameter; none for a row that states nothing.

    The first pattern that a parameter's dotted name matches gives its statement; a parameter without one fails.
    """
    if not row.initial:
        return
    networks = [torch.parameters(torch.build(constructor, row.sizes, seed)) for seed in range(NETWORKS)]
    unused = set(row.initial)
    for name in networks[0]:
        stated = next((pattern for pattern in row.initial if fnmatchcase(name, pattern)), None)
        if stated is None:
            yield Outcome(f"initial {name}", np.inf, "the row states no initial distribution")
            continue
        unused.discard(stated)
        drawn = np.stack([network[name] for network in networks])
        weight = networks[0].get(f"{name.rpartition('.')[0]}.weight", networks[0][name])
        yield Outcome(f"initial {name}", *_held(drawn, row.initial[stated], _fans(weight)))
    for pattern in sorted(unused):
        yield Outcome(f"initial {pattern}", np.inf, "no parameter is drawn as the row states")


def _fans(weight):
    """Inputs and outputs of one entry of the result: of a convolution's kernel, times the window."""
    if weight.ndim < 2:
        return weight.size, weight.size
    window = weight[0, 0].size
    return weight.shape[1] * window, weight.shape[0] * window


def _held(drawn, stated, fans):
    """The mean and the variance within 5 standard errors of the stated ones; constants but for float32's rounding."""
    if stated.shape == "drawn":
        return _as_drawn(drawn, stated.draw)
    if stated.shape == "constant":
        error = np.abs(drawn - stated.value).max()
        limit = 4 * np.finfo("float32").eps * max(1.0, np.abs(stated.value).max())
        return error / limit, "" if error <= limit else f"differs by {error:.3g} from what is stated"
    scale = stated.scale(*fans)
    kurtosis, count = KURTOSIS[stated.shape], drawn.size
    # of the sample mean, and of the mean square about the stated mean, with variance (kurtosis - 1) scale^4 / count
    mean = abs(drawn.mean() - stated.value) / (STANDARD_ERRORS * scale / sqrt(count))
    square = np.mean((drawn - stated.value) ** 2) / scale**2
    spread = abs(square - 1) / (STANDARD_ERRORS * sqrt((kurtosis - 1) / count))
    furthest = np.abs(drawn - stated.value).max() / scale
    found = f"mean {drawn.mean():.4g}, deviation {sqrt(square) * scale:.4g}; stated {stated.value:g} and {scale:.4g}"
    if max(mean, spread) > 1:
        return max(mean, spread), found
    # a uniform draw ends at sqrt(3) deviations; of 500 normal draws one is beyond 2 but with probability 1e-10
    if stated.shape == "uniform" and furthest > sqrt(3) * (1 + 1e-6) or stated.shape == "normal" and count > 500 and furthest < 2:
        return np.inf, f"the largest draw is {furthest:.3g} deviations from the mean; {stated.shape} draws are stated"
    return max(mean, spread), ""


def _as_drawn(drawn, draw):
    """Mean and mean square of every entry, within 5 standard errors of those of many draws; constants but for rounding."""
    rng = np.random.default_rng(0)
    wanted = np.stack([draw(rng, drawn.shape[1:]) for _ in range(DRAWS)])
    worst, found = 0.0, ""
    for moment, power in (("mean", 1), ("mean square", 2)):
        ours, theirs = drawn**power, wanted**power
        error = np.sqrt(theirs.var(0) * (1 / len(ours) + 1 / len(theirs)))
        limit = STANDARD_ERRORS * error + 4 * np.finfo("float32").eps
        difference = np.abs(ours.mean(0) - theirs.mean(0))
        if (difference / limit).max() > worst:
            worst, found = (difference / limit).max(), f"{moment} differs by up to {difference.max():.4g} from that of draws"
    return worst, found if worst > 1 else ""
