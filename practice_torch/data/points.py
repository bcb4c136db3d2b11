"""Points: distributions in one and two dimensions drawn from a seed, or the user's own .npz or .csv of points."""

import itertools
import math
import warnings
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from practice_torch.data.blank import blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.indices import on_device_of
from practice_torch.data.reading.files import reading, size_of
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.reading.npz import read_npz
from practice_torch.data.splits import existing_path, fingerprint, held_out_count, random_split

KINDS = "an .npz or .csv file of points"
SMALLER = "use fewer points"
# A gradient of squared errors is of the order of x^2. Adam squares it again, and the norm of a gradient adds up a million
# squares: beyond this, 10^6 x^4 is more than float32 holds, and no learning rate helps.
LARGEST = 1e8
DRAWING = 64  # bytes a point while it is drawn: float32, two axes, and intermediates


@dataclass(frozen=True)
class Mixture:
    """Isotropic Gaussians: component k has weight weights[k], center means[k] and standard deviation stds[k] on every axis."""

    weights: tuple[float, ...]
    means: tuple[tuple[float, ...], ...]
    stds: tuple[float, ...]

    def draw(self, count, generator):
        """[count, D] points."""
        chosen = torch.multinomial(torch.tensor(self.weights), count, replacement=True, generator=generator)
        means, stds = torch.tensor(self.means)[chosen], torch.tensor(self.stds)[chosen]
        return means + stds[:, None] * torch.randn(means.shape, generator=generator)


EIGHT_GAUSSIANS = Mixture(
    weights=(1 / 8,) * 8,
    means=tuple((2 * math.cos(math.pi * k / 4), 2 * math.sin(math.pi * k / 4)) for k in range(8)),
    stds=(0.02,) * 8,
)
# Asymmetric on purpose: mode-covering and mode-seeking fits must differ, and so must left and right.
BIMODAL = Mixture(weights=(0.3, 0.7), means=((-2.0,), (1.5,)), stds=(0.5, 0.8))

MOONS_NOISE = 0.05
# The moons' own mean and variance, from integrals over the two half circles: standardizing by them draws no second sample.
MOONS_MEAN = (0.5, 0.25)
MOONS_VARIANCE = (0.75 + MOONS_NOISE**2, 9 / 16 - 1 / math.pi + MOONS_NOISE**2)


def _draw_moons(count, generator):
    """Two interleaved half circles of radius 1 with Gaussian noise, standardized to mean 0 and variance 1 on both axes."""
    angle = math.pi * torch.rand(count, generator=generator)
    lower = torch.rand(count, generator=generator) < 0.5
    x = torch.where(lower, 1 - angle.cos(), angle.cos())
    y = torch.where(lower, 0.5 - angle.sin(), angle.sin())
    points = torch.stack((x, y), dim=1) + MOONS_NOISE * torch.randn((count, 2), generator=generator)
    return (points - torch.tensor(MOONS_MEAN)) / torch.tensor(MOONS_VARIANCE).sqrt()


TOYS = {"eight_gaussians": EIGHT_GAUSSIANS.draw, "two_moons": _draw_moons, "bimodal": BIMODAL.draw}
MIXTURES = {"eight_gaussians": EIGHT_GAUSSIANS, "bimodal": BIMODAL}
NAMES = tuple(TOYS)
FORMS = (
    f"{', '.join(NAMES)} (drawn from the seed); an .npz file with an array points, [N, D] or [N]; or a .csv file with a point "
    "on every line."
)


@dataclass(frozen=True, eq=False)
class Points:
    """A set of points [N, D], float32."""

    points: torch.Tensor
    description: dict

    def __len__(self):
        return self.points.shape[0]

    def batch(self, indices=None):
        """{"point": float32 [B, D]}; all of them, without a copy, where indices is None."""
        return {"point": self.points if indices is None else self.points.index_select(0, on_device_of(self.points, indices))}

    def to(self, device):
        """The same set on the device, so that batches are gathered there."""
        return replace(self, points=self.points.to(device))


def load(source, *, count=4096, held_out=0.2, seed=0):
    """(train, held-out) points: `count` draws from a toy (eight_gaussians, two_moons, bimodal), or all of a file's.

    Files: .npz (array points, [N, D] or [N]) or .csv (a row per point; a first line of names is skipped).

    Raises DataError, one line, where the points cannot be used.
    """
    name = str(source)
    if name in TOYS:
        held_out_count(count, held_out, f"points of {name}")
        require_memory(f"{count} points of {name}", DRAWING * count, SMALLER)
        points = TOYS[name](count, torch.Generator().manual_seed(seed))
    else:
        points = _read(existing_path(source, NAMES, KINDS))
    description = {"name": name, "shape": list(points.shape[1:]), "classes": None, "sha256": fingerprint(points)}
    if name in MIXTURES:
        description["mixture"] = asdict(MIXTURES[name])
    parts = random_split(len(points), held_out, seed, f"points in {name}", size=points.nbytes)
    return tuple(
        Points(points[indices], description | {"split": split, "count": len(indices)})
        for indices, split in zip(parts, ("train", "held-out"), strict=True)
    )


def _read(path):
    readers = {".npz": _read_npz, ".csv": _read_csv}
    with reading(path, SMALLER):
        if not path.is_dir():
            size_of(path)
        if path.is_dir() or path.suffix.lower() not in readers:
            raise DataError(f"{path} is neither an .npz nor a .csv file of points: convert it")
        points = readers[path.suffix.lower()](path)
        points = points[:, None] if points.ndim == 1 else points
        if points.ndim != 2 or 0 in points.shape:
            raise DataError(f"{path}: points has shape {list(points.shape)}; it must be [N, D], a row per point")
        require_memory(path, 4 * points.size, SMALLER)
        with np.errstate(over="ignore"):
            points = points.astype(np.float32)
        if not np.isfinite(points).all():
            row = int(np.isfinite(points).all(axis=1).argmin())
            axis = int(np.isfinite(points[row]).argmin())
            found = f"point {row} holds {points[row, axis]} on axis {axis}"
            raise DataError(f"{path}: {found}; points must be finite in float32: fix or remove the row")
        if np.abs(points).max() > LARGEST:
            row, axis = np.unravel_index(np.abs(points).argmax(), points.shape)
            found = f"point {row} holds {points[row, axis]:g} on axis {axis}"
            raise DataError(f"{path}: {found}; training in float32 takes points up to {LARGEST:g}: divide them by their scale")
        return torch.from_numpy(points)


def _read_npz(path):
    points = read_npz(path, "points")["points"]
    if not (np.issubdtype(points.dtype, np.floating) or np.issubdtype(points.dtype, np.integer)):
        raise DataError(f"{path}: points has dtype {points.dtype}; it must hold real numbers: convert it")
    return points


def _read_csv(path):
    # a number takes 8 bytes, and two in the file: a digit and a comma
    require_memory(path, 4 * size_of(path), "save it as .npz, or use fewer points")
    try:
        with path.open(encoding="utf-8-sig") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of a file of comments only; the error below reports that it is empty
            lines = filter(str.strip, file)
            first = next(lines, "")
            first = first if _is_numeric(first) else next(lines, "")
            if not first:
                raise ValueError("no numbers in it")
            return np.loadtxt(itertools.chain([first], lines), delimiter=",", ndmin=2)
    except ValueError as error:
        why = " ".join(str(error).split())[:160]
        raise DataError(f"{path} is not a table of numbers ({why}): give every line equally many numbers, with commas") from None


def _is_numeric(line):
    try:
        [float(cell) for cell in line.split(",")]
    except ValueError:
        return False
    return True


def blank(name, facts, *, count=4096):
    """The training points without data: see blank.py."""
    mixture = {"mixture": asdict(MIXTURES[name])} if name in MIXTURES else {}
    size = len(MIXTURES[name].means[0]) if mixture else 2
    known = {"shape": [size], "count": count, **mixture}
    return blank_set(name, known, facts, lambda count: {"point": torch.zeros(count, size)})
