"""Style transfer: its tables are those of its images, sounds and weights, and the reading follows its numbers."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from practice_torch.data import textures
from practice_torch.data.errors import DataError
from practice_torch.engine.estimate import Estimate
from practice_torch.experiments.adversarial import image_translation
from practice_torch.experiments.judging.image_judge import Judge
from practice_torch.experiments.media import photograph_style
from practice_torch.networks import vgg
from practice_torch.projects import _style_sounds as sounds
from practice_torch.projects import style_transfer
from practice_torch.projects.runner import Row
from tests.commands.test_practice_commands import call, refused
from tests.support.commands.projects import of, require_same_after_stops, small, table, trained

pytestmark = pytest.mark.xdist_group("style_transfer")  # it is run whole once


@pytest.mark.weekly
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
    return rows | texture_rows()


def texture_rows(**changed):
    """Rows of sounds; changed: of the Gram matrices' row."""
    values = {
        "noise with the spectrum of the texture": (0.0, 0.3, 6.0, 0.07),
        "a texture of another kind": (18.1, 10.9, 5.2, 0.04),
        "means of the features alone": (-5.0, 1.3, 1.5, 0.08),
        "Gram matrices of the features": (-12.4, 0.7, 0.6, 0.09),
        "another recording of the texture": (-5.1, 1.6, 0.9, 0.1),
    }
    columns = ("style", "spectrum", "fluctuation", "copied")
    rows = {name: dict(zip(columns, row, strict=True)) for name, row in values.items()}
    rows["Gram matrices of the features"] |= changed
    near = lambda value: Estimate(value, value - 0.01, value + 0.01)  # noqa: E731
    return {name: Row("model", {column: near(value) for column, value in row.items()}) for name, row in rows.items()}


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
    assert [part.holds for part in reading.expectations] == [True] * 13
    reading = style_transfer.read(transfer_rows((0.6, 0.5, 0.9), (0.7, 0.8, 0.4), (0.5, 0.9, 0.8), 0.4, (0.1, 0.185)))
    assert "no better than random" in reading.sentences[3]
    assert [part.holds for part in reading.expectations] == [False] * 7 + [True] * 6
    assert not style_transfer.read(transfer_rows(moved=(0.05, 0.02))).expectations[7].holds


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


# ---------------------------------------------------------------------------------------------------- sounds


def test_the_reading_of_sounds_follows_its_numbers():
    sentences, expectations = sounds.read_sounds(texture_rows())
    assert "by 12.4 dB, as other random features have it, their means alone by 5.0" in sentences[0]
    assert "5.1 below the noise, and one of another kind 18.1 above" in sentences[0]
    assert "to 0.3 dB, but its levels fluctuate by 6.0 dB more or less; with Gram matrices 0.7 and 0.6 are left" in sentences[1]
    assert "with the example is 0.09, that of another recording 0.10" in sentences[1]
    assert [part.holds for part in expectations] == [True] * 5
    for place, value, wrong in (("style", -9.5, {0}), ("style", -8.0, {0, 1}), ("fluctuation", 1.3, {3}), ("copied", 0.9, {4})):
        holds = [part.holds for part in sounds.read_sounds(texture_rows(**{place: value}))[1]]
        assert {k for k, right in enumerate(holds) if not right} == wrong


@pytest.mark.parametrize("kind", textures.KINDS)
def test_textures_are_those_of_a_seed(kind):
    one, again, other = (textures.synthesize(kind, length=4000, sample_rate=8000, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one, again) and np.abs(one).max() == pytest.approx(0.9)
    assert np.corrcoef(one, other)[0, 1] < 0.3 and one.shape == (4000,)


def test_what_a_texture_cannot_be_is_refused():
    with pytest.raises(DataError, match="texture 'sea' is not known; there are rain, wind, crackle"):
        textures.synthesize("sea", length=100, sample_rate=8000, seed=0)
    with pytest.raises(DataError, match="sample_rate is 4000; .* it must be 8000 or more"):
        textures.synthesize("rain", length=100, sample_rate=4000, seed=0)


@pytest.fixture
def examples(monkeypatch):
    """A recording of each kind, in small."""
    for name, value in (("LENGTH", 4096), ("FILTERS", 128), ("STEPS", 50), ("RECORDINGS", 1)):
        monkeypatch.setattr(sounds, name, value)
    return sounds.recordings(0, 0)


def test_features_are_products_with_pieces_of_the_spectrogram(examples):
    features = sounds.Features(examples, torch.Generator().manual_seed(0))
    levels = sounds.levels_of(examples)
    off = (levels - levels.mean(2, keepdim=True)) / levels.std(2, keepdim=True).clamp(min=0.1)
    found = features(examples)
    assert found.shape == (3, 128, 1, levels.shape[2] - 10)
    for b, c, s in ((0, 3, 0), (1, 7, 20), (2, 31, 30)):
        assert found[b, c, 0, s] == pytest.approx(max(0.0, (features.weight[c] * off[b, :, s : s + 11]).sum().item()), abs=1e-4)


def test_losses_are_those_of_moments(examples):
    one, other = (torch.rand(2, 4, 1, 9, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    grams = [np.einsum("bcs,bds->bcd", x[:, :, 0], x[:, :, 0]) for x in (one, other)]
    expected = ((grams[0] - grams[1]) ** 2).sum((1, 2)) / (grams[1] ** 2).sum((1, 2))
    assert np.allclose(sounds.gram_loss(one, other), expected, rtol=1e-4)
    means = [x.mean((2, 3)) for x in (one, other)]
    assert torch.allclose(sounds.mean_loss(one, other), (means[0] - means[1]).square().sum(1) / means[1].square().sum(1))


def test_gram_matrices_make_the_noise_fluctuate_and_exchanged_ones_do_not(examples):
    """By features that the descent does not see; the levels' deviations come nearer to the example's."""
    generator = torch.Generator().manual_seed(0)
    features, judge = (sounds.Features(examples, generator) for _ in range(2))
    noise = sounds.noise_like(examples, generator)
    found = sounds.transferred(noise, examples, features, sounds.gram_loss)
    exchanged = lambda maps, target: sounds.gram_loss(maps, target.flip(1))  # noqa: E731
    wrong = sounds.transferred(noise, examples, features, exchanged)
    cells = [sounds.cells(some, examples, noise, judge) for some in (noise, found, wrong)]
    style, fluctuation = ([each[column].value for each in cells] for column in ("style", "fluctuation"))
    assert style[0] == 0 and style[1] < -4 and style[2] > style[1] + 2
    assert fluctuation[1] < 0.5 * fluctuation[0]
    assert cells[0]["spectrum"].value < 1 and cells[1]["copied"].value < 0.5


def test_a_copy_is_found_at_any_shift():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 1, 1000, generator=generator)
    moved = torch.nn.functional.pad(-0.5 * one, (100, 0))[:, :1000]
    assert sounds.copied(moved, one).item() == pytest.approx(0.9**0.5, abs=0.03)
    assert sounds.copied(other, one).item() < 0.2


def test_the_table_of_sounds_is_that_of_its_textures(finished):
    rows = {name: row for name, row in table(finished("style_transfer")[0]).items() if "copied" in row}
    assert list(rows) == list(sounds.ROLES) and rows[sounds.NOISE]["style"] == 0
    assert rows[sounds.NOISE]["spectrum"] < rows[sounds.OTHER]["spectrum"]


# ---------------------------------------------------------------------------------------------------- photographs


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """The words of the command for two images and a network of the layout of VGG-19, in small."""
    torch.manual_seed(0)
    torch.save(vgg.VGG19(width=4).state_dict(), tmp_path / "vgg19.pth")
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(256, size=(40, 24, 3), dtype=np.uint8)).save(tmp_path / "content.png")
    stripes = np.tile(np.repeat(np.uint8([0, 255]), 2), (20, 5))
    Image.fromarray(stripes).save(tmp_path / "style.png")  # gray, and of another size
    monkeypatch.setattr(vgg, "load_vgg", partial(vgg.load_vgg, width=4))
    monkeypatch.setattr(photograph_style, "STEPS", 12)
    files = {"vgg": "vgg19.pth", "content": "content.png", "style": "style.png"}
    return [word for option, name in files.items() for word in (f"--{option}", str(tmp_path / name))]


def test_two_images_are_combined_by_the_users_network(photographs, tmp_path):
    code, out, err = call("project", "style_transfer", *photographs, "--out", tmp_path / "out", "--cpu", "--json")
    assert code == 0 and "step 12 of 12: style loss" in err
    losses = json.loads(out)["losses"]
    assert losses["style"]["end"] < 0.8 * losses["style"]["begin"] and losses["content"]["begin"] == 0 < losses["content"]["end"]
    assert json.loads((tmp_path / "out" / "losses.json").read_text()) == losses
    with Image.open(tmp_path / "out" / "transferred.png") as image:
        assert image.size == (24, 40) and image.mode == "RGB"
    code, out, _ = call("project", "style_transfer", *photographs, "--out", tmp_path / "kept", "--cpu", "--style-weight", "0")
    assert code == 0 and f"image: {tmp_path / 'kept' / 'transferred.png'}" in out
    kept, content = (np.asarray(Image.open(path)) for path in (tmp_path / "kept" / "transferred.png", tmp_path / "content.png"))
    assert np.array_equal(kept, content)


def test_losses_are_relative_to_no_features():
    torch.manual_seed(0)
    network = vgg.VGG19(width=2).eval().requires_grad_(False)
    content, style, x = torch.rand(3, 1, 3, 20, 24)
    found = photograph_style.losses_of(network, content, style)(x)
    of_x, of_style = network(x), network(style)
    parts = []
    for name in ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"):
        one, other = (maps[name].flatten(2)[0] for maps in (of_x, of_style))
        grams = [rows @ rows.T / rows.numel() for rows in (one, other)]
        parts.append((grams[0] - grams[1]).square().sum() / grams[1].square().sum())
    assert found[0].item() == pytest.approx(sum(parts).item() / 5, rel=1e-4)
    kept = network(content)["conv4_2"]
    assert found[1].item() == pytest.approx(((of_x["conv4_2"] - kept).square().sum() / kept.square().sum()).item(), rel=1e-4)


def test_large_images_are_scaled_down_and_small_ones_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(photograph_style, "MOST_SIDE", 40)
    for size, name in (((80, 60), "large.png"), ((80, 20), "narrow.png")):
        Image.fromarray(np.zeros((size[1], size[0]), np.uint8)).save(tmp_path / name)
    assert photograph_style.opened(tmp_path / "large.png").shape == (1, 3, 30, 40)
    with pytest.raises(DataError, match="is 80x20 .width x height.; its sides must be 16 or more, at 40 of the longer one"):
        photograph_style.opened(tmp_path / "narrow.png")


def test_what_two_images_cannot_be_made_of_is_refused(photographs, tmp_path):
    def said(*words, code=2):
        return refused(code, *words)

    assert "are of the project style_transfer, not of galaxies" in said("project", "galaxies", *photographs)
    assert "not of the list: name that project" in said("project", "--vgg", "vgg19.pth")
    assert "--content and --style missing" in said("project", "style_transfer", *photographs[:2])
    assert "--vgg and --content and --style missing" in said("project", "style_transfer", "--style-weight", "3")
    assert "style_weight is -1.0; it must be 0 or more" in said("project", "style_transfer", *photographs, "--style-weight", "-1")
    assert "none is trained with --vgg" in said("project", "style_transfer", *photographs, "--data", "mnist")
    missing = [str(tmp_path / "none.png") if word.endswith("content.png") else word for word in photographs]
    assert "none.png does not exist" in said("project", "style_transfer", *missing, code=3)
