"""Style transfer: its tables are those of its images, sounds and weights, and the reading follows its numbers."""

import numpy as np
import pytest
import torch

from practice_torch.engine.estimate import Estimate
from practice_torch.experiments.adversarial import image_translation
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.projects import style_transfer
from practice_torch.projects.runner import Row
from tests.support.commands.projects import of, require_same_after_stops, small, table, trained

pytestmark = pytest.mark.xdist_group("style_transfer")  # it is run whole once


def test_a_stopped_project_goes_on_to_the_same_bytes(finished, tmp_path, monkeypatch):
    require_same_after_stops("style_transfer", finished, tmp_path, monkeypatch)


def transfer_rows(trained=(0.35, 0.85, 0.9), more=(0.25, 0.5, 0.4), untrained=(0.5, 0.9, 0.8), matched=0.95, moved=(0.05, 0.07)):
    names = ("trained features", "trained features, ten times the weight of the style", "untrained features")
    values = dict(zip(names, (trained, more, untrained), strict=True)) | {
        "content images": (1.0, 1.0, 1.0),
        "mean and deviation of the pixels": (matched, 1.0, 1.0),
        "style images": (0.0, 0.0, 0.1),
    }
    columns = ("patches", "resemblance", "class_accuracy")
    near = lambda value: Estimate(value, value - 0.01, value + 0.01)  # noqa: E731
    rows = {name: Row("model", dict(zip(columns, map(near, row), strict=True))) for name, row in values.items()}
    values = {
        "coarse images": (0.15, 0.8),
        "pix2pix": (moved[0], 0.95),
        "what the coarse images show": (0.0, 0.99),
        "blurred images": (0.19, 0.6),
        "CycleGAN": (moved[1], 0.8 - moved[1]),
        "what the blurred images show": (0.0, 0.98),
    }
    for name, (error, share) in values.items():
        rows[name] = Row("model", {"absolute_error": near(error), "class_accuracy": near(share), "cycle_error": near(0.03)})
    return rows


def test_the_reading_of_style_transfer_follows_its_numbers():
    reading = style_transfer.read(transfer_rows())
    assert (
        "by 35% of what" in reading.sentences[0]
        and "0.85" in reading.sentences[0]
        and "90% of the digits" in reading.sentences[0]
    )
    assert "25% are left, at a correlation of 0.50, and 40% are recognized" in reading.sentences[1]
    assert "leaves 95%" in reading.sentences[2] and "trained features are better than random" in reading.sentences[3]
    assert "from 0.150 to 0.050; 95% of the translations are recognized, of the coarse images 80%." in reading.sentences[4]
    assert "73% of the translations are recognized, of the blurred images 60% and of the true outputs 98%" in reading.sentences[5]
    assert "wrong by 0.030, which" in reading.sentences[5] and "wrong by 0.070, blurred images by 0.190" in reading.sentences[5]
    assert [part.holds for part in reading.expectations] == [True] * 8
    reading = style_transfer.read(transfer_rows((0.6, 0.5, 0.9), (0.7, 0.8, 0.4), (0.5, 0.9, 0.8), 0.4, (0.1, 0.185)))
    assert "no better than random" in reading.sentences[3]
    assert [part.holds for part in reading.expectations] == [False] * 7 + [True]
    assert not style_transfer.read(transfer_rows(moved=(0.05, 0.02))).expectations[-1].holds


def test_the_table_of_style_transfer_is_that_of_its_images(finished):
    """Correlations and classes are counted again, from the pixels of the run's last checkpoint."""
    whole = small(of("style_transfer"))
    results, folder = finished("style_transfer")
    rows = table(results)
    assert rows["content images"]["patches"] == pytest.approx(1) and rows["content images"]["resemblance"] == pytest.approx(1)
    assert rows["style images"]["patches"] == pytest.approx(0, abs=1e-9)
    for name in whole.models:
        if name in style_transfer.TRANSLATIONS:
            continue
        recipe, experiment, *_ = trained(whole, folder, name)
        width, images = recipe.enlarge, experiment.pixels.detach().sigmoid()
        pooled = [torch.nn.functional.avg_pool2d(some, width).flatten(1).numpy() for some in (images, experiment.content)]
        found = [np.corrcoef(one, other)[0, 1] for one, other in zip(*pooled, strict=True)]
        assert rows[name]["resemblance"] == pytest.approx(np.mean(found), abs=1e-5)
    matched = rows["mean and deviation of the pixels"]
    assert matched["resemblance"] == pytest.approx(1)
    of_styles = [row for row in rows.values() if "resemblance" in row]
    classes = [round(row["class_accuracy"] * len(images), 6) for row in of_styles]
    assert all(count == int(count) for count in classes)
    assert rows["content images"]["class_accuracy"] > rows["style images"]["class_accuracy"]


def test_the_tables_of_translations_are_those_of_their_images(finished):
    """Errors and classes of held-out images one by one; classes are learned from the outputs of the training."""
    whole = small(of("style_transfer"))
    results, folder = finished("style_transfer")
    rows = table(results)
    for name, inputs, outputs in (
        ("pix2pix", "coarse images", "what the coarse images show"),
        ("CycleGAN", "blurred images", "what the blurred images show"),
    ):
        recipe, experiment, train, held_out = trained(whole, folder, name)
        batch, known = held_out.batch(), train.batch()
        x, y = image_translation.MADE[recipe.domains](batch["image"])
        translator = experiment.eval().translator if name == "pix2pix" else experiment.eval().to_y
        with torch.no_grad():
            moved = torch.cat([(translator(2 * image[None] - 1) + 1) / 2 for image in x])
        classify = Judge(known["image"], known["label"]).classify
        for row, images in ((inputs, x), (name, moved), (outputs, y)):
            assert results["rows"][row]["table"] == results["rows"][name]["table"]
            assert rows[row]["class_accuracy"] == pytest.approx((classify(images) == batch["label"]).float().mean().item())
            if row != outputs:
                assert rows[row]["absolute_error"] == pytest.approx((images - y).abs().mean().item(), rel=1e-4)
    with torch.no_grad():
        back = (experiment.to_x(2 * moved - 1) + 1) / 2
    assert rows["CycleGAN"]["cycle_error"] == pytest.approx((back - x).abs().mean().item(), rel=1e-4)
    assert "cycle_error" not in rows["pix2pix"]
