"""Galaxies: simulated ones from the seed, a folder with its table, and the messages for an unusable table."""

import numpy as np
import pytest
import torch

from practice_torch.data import galaxies
from tests.support.data.files import gray, refused, save


def folder(root, table):
    """Images a, b and c of 0, 10 and 20 in every pixel, and a table."""
    for number, name in enumerate("abc"):
        save(root / f"{name}.png", np.full((4, 4), 10 * number, np.uint8))
    (root / "properties.csv").write_text(table)
    return root


def test_simulated_galaxies_have_the_stated_ranges_and_come_from_the_seed():
    train, rest = galaxies.load("galaxies", count=500, held_out=0.2, seed=3, side=12)
    assert (len(train), len(rest)) == (400, 100) and train.description["shape"] == [1, 12, 12]
    log_flux, log_radius, index, cosine, sine = torch.cat([train.properties, rest.properties]).T
    ratio = ((1 - torch.hypot(cosine, sine)) / (1 + torch.hypot(cosine, sine))).sqrt()
    for values, ends in (
        (log_flux.exp(), galaxies.FLUXES),
        (log_radius.exp(), galaxies.RADII),
        (index, galaxies.INDICES),
        (ratio, galaxies.AXIS_RATIOS),
    ):
        reach = 0.02 * (ends[1] - ends[0])
        assert ends[0] - 1e-4 <= values.min() < ends[0] + reach and ends[1] - reach < values.max() <= ends[1] + 1e-4
    assert torch.equal(galaxies.load("galaxies", count=500, seed=3)[0].properties, train.properties)
    for name, (mean, deviation) in train.description["properties"].items():
        column = train.properties[:, galaxies.PROPERTIES.index(name)].double()
        assert mean == pytest.approx(column.mean().item()) and deviation == pytest.approx(column.std(correction=0).item())
    assert set(train.batch(torch.tensor([1, 0]))) == {"properties"}


def test_every_image_has_the_row_that_names_it(tmp_path):
    root = folder(tmp_path, "flux,file,size\n2.5,b.png,-1\n 3e2 ,c.png,0.25\n\n1,a.png,7\n")
    batches = [part.batch() for part in galaxies.load(root, held_out=0.3)]
    pairs = [pair for batch in batches for pair in zip(batch["properties"].tolist(), batch["image"], strict=True)]
    found = {tuple(row): round(255 * image[0, 0, 0].item()) for row, image in pairs}
    assert found == {(1.0, 7.0): 0, (2.5, -1.0): 10, (300.0, 0.25): 20}
    assert list(galaxies.load(root)[0].description["properties"]) == ["flux", "size"]
    assert galaxies.load(root, image_size=2)[0].description["shape"] == [1, 2, 2]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("file,flux\na.png,1\nb.png,2\n", "has no row for c.png (1 of 3 images): add one"),
        ("file,flux\na.png,1\nb.png,2\nc.png,3\nd.png,3\n", "names d.png, and"),
        ("file,flux\na.png,1\nb.png,2\na.png,3\n", "row 4: a.png was there before"),
        ("file,flux\na.png,1\nb.png,bright\nc.png,3\n", "row 3: 'bright' is not a finite number"),
        ("file,flux\na.png,1\nb.png,nan\nc.png,3\n", "row 3: 'nan' is not a finite number"),
        ("file,flux\na.png,1\nb.png,1e39\nc.png,3\n", "row 3: '1e39' is not a finite number"),
        ("file,flux\na.png,1\nb.png,2,2\nc.png,3\n", "row 3: 3 cells; the header has 2"),
        ("file,flux\na.png,1\nb.png,1\nc.png,1\n", "'flux' is the same for all of the training galaxies"),
        ("image,flux\na.png,1\n", "has the columns image, flux; it must have file"),
        ("file\na.png\n", "has the columns file; it must have file, and others"),
        ("file,flux,flux\na.png,1,2\n", "others of different names"),
        ("\n", "is not a table"),
    ],
)
def test_a_table_that_cannot_be_used(table, words, tmp_path):
    refused(galaxies.load, folder(tmp_path, table), str(tmp_path), words)


def test_a_folder_without_a_table(tmp_path):
    save(tmp_path / "a.png", gray(0))
    refused(galaxies.load, tmp_path, "has no properties.csv; it must have one, with a column file")
    refused(galaxies.load, tmp_path / "a.png", "is a file; it must be a folder of images with a properties.csv")
    (tmp_path / "properties.csv").write_bytes(b"file,\xff\n")
    refused(galaxies.load, tmp_path, "is not a table")
    refused(galaxies.load, "galaxies", "image_size (8) is for files", image_size=8)
