"""Galaxies: the properties of simulated ones, or the user's folder of images with a table of measurements."""

import csv
import math
from dataclasses import dataclass, replace

import torch

from practice_torch.data.blank import blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.indices import on_device_of
from practice_torch.data.reading import image_files
from practice_torch.data.reading.decoding import SUFFIXES
from practice_torch.data.reading.files import read_bytes, reading, require_name
from practice_torch.data.reading.folders import files_in
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.splits import existing_path, fingerprint, held_out_count, random_split

SIMULATED, TABLE, FILE = "galaxies", "properties.csv", "file"
NAMES = (SIMULATED,)
KINDS = f"a folder of images with a {TABLE}"
FORMS = (
    f"{SIMULATED} (properties drawn from the seed, of which images are simulated); or a folder of images ({' '.join(SUFFIXES)}) "
    f"of one size, or of any with --image-size, and in it a {TABLE}: a column {FILE} that names every image, and a column of "
    "numbers for each property. Give an angle as the sine and cosine of its double."
)
# From a uniform number to each property. A round galaxy has no angle; its ellipticity (1 - q^2)/(1 + q^2) is 0.
FLUXES, RADII, INDICES, AXIS_RATIOS = (20.0, 200.0), (1.2, 3.0), (0.5, 2.5), (0.3, 1.0)
PROPERTIES = ("log_flux", "log_radius", "index", "ellipticity_cos", "ellipticity_sin")
SMALLER = "use fewer galaxies"


@dataclass(frozen=True, eq=False)
class Galaxies:
    """Properties [N, P] of galaxies, and their pixels [N, C, H, W], bytes, unless they are simulated."""

    properties: torch.Tensor
    pixels: torch.Tensor | None
    description: dict

    def __len__(self):
        return self.properties.shape[0]

    def batch(self, indices=None):
        """{"properties": float32 [B, P], "image": float32 [B, C, H, W] in 0..1}; simulated galaxies have no "image"."""
        found = {"properties": self.properties} | ({} if self.pixels is None else {"image": self.pixels})
        if indices is not None:
            indices = on_device_of(self.properties, indices)
            found = {name: value.index_select(0, indices) for name, value in found.items()}
        return found if self.pixels is None else found | {"image": found["image"].float().div_(255)}

    def to(self, device):
        """The same set with its tensors on the device, so that batches are gathered there."""
        pixels = None if self.pixels is None else self.pixels.to(device)
        return replace(self, properties=self.properties.to(device), pixels=pixels)


def load(source, *, held_out=0.2, seed=0, count=4096, side=16, image_size=None):
    """(train, held-out) galaxies: `count` simulated ones, of `side` x `side` pixels, or all of a folder's.

    Raises DataError, one line, where the galaxies cannot be used.
    """
    name = str(source)
    if name == SIMULATED:
        if image_size is not None:
            raise DataError(f"{name} are simulated at a size of their own; image_size ({image_size}) is for files: leave it out")
        held_out_count(count, held_out, f"galaxies in {name}")
        require_memory(f"{count} galaxies", 8 * 4 * len(PROPERTIES) * count, SMALLER)
        properties, pixels, columns, shape = _drawn(count, seed), None, PROPERTIES, [1, side, side]
    else:
        properties, pixels, columns = _read(existing_path(source, NAMES, KINDS), image_size)
        shape = list(pixels.shape[1:])
    size = properties.nbytes if pixels is None else pixels.nbytes
    train, rest = random_split(len(properties), held_out, seed, f"galaxies in {name}", size=size)
    known = properties[train].double()
    deviations = known.std(0, correction=0).tolist()
    for column, deviation in zip(columns, deviations, strict=True):
        if not deviation > 0:
            raise DataError(f"{name}: '{column}' is the same for all of the training galaxies: leave it out")
    description = {
        "name": name,
        "shape": shape,
        "classes": None,
        "simulated": pixels is None,
        "properties": {column: list(pair) for column, *pair in zip(columns, known.mean(0).tolist(), deviations, strict=True)},
        "sha256": fingerprint(properties, pixels),
    }
    return tuple(
        Galaxies(
            properties[indices],
            None if pixels is None else pixels[indices],
            description | {"split": split, "count": len(indices)},
        )
        for indices, split in ((train, "train"), (rest, "held-out"))
    )


def _drawn(count, seed):
    """Independent properties: logarithms of flux and radius, index, axis ratio and angle are uniform."""
    drawn = torch.rand(5, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    low, high = (
        torch.tensor(
            [[math.log(end) for end in FLUXES], [math.log(end) for end in RADII], INDICES, AXIS_RATIOS, (0.0, 2 * math.pi)]
        )
        .double()
        .T[..., None]
    )
    log_flux, log_radius, index, ratio, doubled = low + (high - low) * drawn
    ellipticity = (1 - ratio**2) / (1 + ratio**2)
    return torch.stack([log_flux, log_radius, index, ellipticity * doubled.cos(), ellipticity * doubled.sin()], 1).float()


def _read(root, side):
    """(properties [N, P], pixels, the names of the properties) of a folder."""
    with reading(root, SMALLER):
        if not root.is_dir():
            raise DataError(f"{root} is a file; it must be {KINDS}: name the folder")
        if not (root / TABLE).exists():
            raise DataError(f"{root} has no {TABLE}; it must have one, with a column {FILE} and one for each property: add it")
        columns, rows = _table(root / TABLE)
        files = files_in(root, SUFFIXES, "images")
        names = [file.relative_to(root).as_posix() for file in files]
        if missing := [name for name in names if name not in rows]:
            raise DataError(f"{root / TABLE} has no row for {missing[0]} ({len(missing)} of {len(names)} images): add one")
        if unknown := sorted(rows.keys() - set(names)):
            raise DataError(f"{root / TABLE} names {unknown[0]}, and {root} holds no such image: leave the row out")
        pixels = image_files.read(root, side).pixels
    return torch.tensor([rows[name] for name in names]), pixels, columns


def _table(path):
    """(the names of the properties, file -> its properties) of a table, every number finite in float32."""
    content = read_bytes(path, SMALLER)
    try:
        lines = content.decode("utf-8-sig").splitlines()
        header, *cells = csv.reader(line for line in lines if line.strip())
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise DataError(f"{path} is not a table ({error!s:.80}): write a line of names, then a line for each image") from None
    header = [name.strip() for name in header]
    if FILE not in header or len(header) < 2 or len(set(header)) < len(header):
        raise DataError(f"{path} has the columns {', '.join(header)}; it must have {FILE}, and others of different names")
    for name in header:
        require_name(name, f"{path}: the name of a column,")
    at, rows = header.index(FILE), {}
    for number, row in enumerate(cells, 2):
        if len(row) != len(header):
            raise DataError(f"{path}, row {number}: {len(row)} cells; the header has {len(header)}: mend the row")
        name = row.pop(at).strip()
        if name in rows:
            raise DataError(f"{path}, row {number}: {name} was there before: leave one of its rows out")
        rows[name] = [_number(f"{path}, row {number}", cell) for cell in row]
    return tuple(header[:at] + header[at + 1 :]), rows


def _number(where, cell):
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not abs(number) < 3e38:
        raise DataError(f"{where}: {cell.strip()[:40]!r} is not a finite number: mend the cell, or leave image and row out")
    return number


def blank(name, facts, *, count=4096, side=16, image_size=None):
    """The training galaxies without data: see blank.py."""
    simulated, side = name == SIMULATED, image_size or side
    shape = [1 if simulated else 3, side, side]
    known = {"shape": shape, "simulated": simulated, "properties": dict.fromkeys(PROPERTIES, [0.0, 1.0])}
    if simulated:
        known["count"] = count

    def form(count):
        image = {} if simulated else {"image": torch.zeros(count, *shape)}
        return {"properties": torch.zeros(count, len(PROPERTIES))} | image

    return blank_set(name, known, facts, form)
