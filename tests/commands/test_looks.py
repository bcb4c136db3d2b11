"""What is kept of a run to show on a topic's page, and the folders that are refused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from book import looks, training
from book.looks import main
from practice_torch.engine.artifacts import Figure, ImageGrid, Text
from practice_torch.engine.storage.run import save_artifacts
from practice_torch.experiments.latent.vae import RECIPES

DIGITS = RECIPES["digits"]
JUDGED = {
    "metric": "negative_elbo",
    "value": 17.84,
    "target": 18.5,
    "direction": "lower",
    "step": DIGITS.steps,
    "explains": {"negative_elbo": {"unit": "nats per image", "meaning": "a bound"}},
}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """The repository whose pictures are kept."""
    monkeypatch.setattr(looks, "ROOT", tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def run_of(tmp_path):
    """A folder as a training leaves it: run_of(artifacts, evaluation, **fields)."""

    def make(artifacts=None, judged=JUDGED, **changed):
        asked = {"topic": "latent/vae", "recipe": "digits", "fields": DIGITS.fields() | changed, "data": {}}
        folder = tmp_path / "run"
        folder.mkdir()
        (folder / "recipe.json").write_text(json.dumps(asked), encoding="utf-8")
        if judged:
            (folder / "evaluation.json").write_text(json.dumps(judged), encoding="utf-8")
        save_artifacts(artifacts or {"prior_samples": grid()}, folder / "previews", f"{DIGITS.steps:08d}-")
        return str(folder)

    return make


def grid(count=6, height=8, width=8):
    images = torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(0)).mul(16).round() / 16
    return ImageGrid(images, 3, "Drawn from the prior")


def test_a_grid_is_kept_in_twice_the_images_own_size_with_what_was_measured(run_of, root, capsys):
    assert main([run_of()]) == 0
    path = root / "docs/looks/latent/vae-digits.png"
    assert capsys.readouterr().out == f"{path}\n"
    entry = looks.entries()["latent/vae digits"]
    assert (entry["value"], entry["steps"], entry["seed"]) == (17.84, DIGITS.steps, 0)
    assert entry["command"] == "python -m practice_torch train latent/vae digits --seed 0"
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    assert entry["size"] == [52, 35] and pixels.shape == (35, 52) and entry["pixels"]
    first = (grid().images[0, 0] * 255).round().numpy()
    assert np.array_equal(pixels[1:17:2, 1:17:2], first) and np.array_equal(pixels[2:17:2, 2:17:2], first)
    assert (pixels[[0, 17, 34]] == looks.LINE).all() and (pixels[:, [0, 17, 34, 51]] == looks.LINE).all()


def test_images_that_are_not_square_and_a_row_that_is_not_full_are_kept_whole(run_of, root):
    assert main([run_of({"samples": grid(4, 16, 8)})]) == 0
    with Image.open(root / "docs/looks/latent/vae-digits.png") as image:
        assert image.size == (52, 67)


def test_a_figure_is_kept_without_its_margins(run_of, root):
    assert main([run_of({"points": Figure(lambda axes: axes.set_aspect("equal"), "Points")})]) == 0
    entry = looks.entries()["latent/vae digits"]
    assert not entry["pixels"] and 450 < entry["size"][0] < 650


def test_samples_are_chosen_unless_another_preview_is_named(run_of, root, capsys):
    folder = run_of({"latent_map": Text("a map"), "prior_samples": Text("a sample " * 99), "text": Text("a\x07b")})
    assert main([folder]) == 0
    path = root / "docs/looks/latent/vae-digits.txt"
    assert 380 < len(path.read_text(encoding="utf-8")) <= 400 and path.read_text(encoding="utf-8").endswith("sample …\n")
    assert main([folder, "--picture", "text"]) == 0 and path.read_text(encoding="utf-8") == "a�b\n"
    capsys.readouterr()
    assert main([folder, "--picture", "walks"]) == 2
    assert "has no 'walks' at step 5600; it has prior_samples, latent_map, text" in capsys.readouterr().err


def test_a_picture_takes_the_place_of_a_text(run_of, root):
    assert main([run_of({"text": Text("a"), "zoo": grid()}), "--picture", "text"]) == 0
    assert main([str(root.parent / "run"), "--picture", "zoo"]) == 0
    assert [path.name for path in (root / "docs/looks/latent").iterdir()] == ["vae-digits.png"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"learning_rate": 0.5}, "is a run of a changed recipe, not of latent/vae digits as it stands: learning_rate is 0.002"),
        ({"judged": None}, "is unfinished: evaluated at step 0 of 5600; finish it with `python -m practice_torch train --resume"),
        ({"judged": JUDGED | {"step": 1400}}, "is unfinished: evaluated at step 1400 of 5600"),
        ({"artifacts": {"weights": Text("")}, "judged": JUDGED | {"step": 5601}}, "has no picture and no text of step 5601"),
        (
            {"artifacts": {"noise": Figure(lambda axes: axes.imshow(np.random.default_rng(0).random((900, 900)), cmap="turbo"))}},
            "in 32 colors, and 25,000 are the most; --picture takes another",
        ),
    ],
)
def test_what_is_refused_is_one_line_and_leaves_nothing(run_of, root, capsys, made, said):
    assert main([run_of(**made)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and said in err and err.count("\n") == 1 and not root.exists()


@pytest.mark.parametrize("name", ["nowhere", "folder", "file", "broken"])
def test_what_is_no_run_is_refused(tmp_path, root, capsys, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "recipe.json").write_text("{", encoding="utf-8")
    assert main([str(tmp_path / name)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {tmp_path / name}") and err.count("\n") == 1 and not root.exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("evaluation.json", "{", "evaluation.json is not JSON"),
        ("evaluation.json", "{}", "evaluation.json is no evaluation: it has no 'step'"),
        ("recipe.json", '{"topic": "latent/vae", "recipe": "gone", "fields": {"seed": 0}}', "was not written by this engine"),
    ],
)
def test_a_broken_file_of_a_run_is_refused(run_of, root, capsys, name, text, said):
    folder = run_of()
    (Path(folder) / name).write_text(text, encoding="utf-8")
    assert main([folder]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and not root.exists()


def test_a_recipe_that_has_changed_is_not_shown_and_is_named(run_of, root):
    main([run_of()])
    assert len(looks.shown("latent/vae", RECIPES)) == 1 and list(looks.stale(lambda topic: RECIPES)) == []
    file = root / "docs/looks/index.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    kept["latent/vae digits"]["fields"] |= {"learning_rate": 0.5, "seed": 3}
    file.write_text(json.dumps(kept), encoding="utf-8")
    (line,) = looks.stale(lambda topic: RECIPES)
    assert line.startswith("docs/looks/index.json, latent/vae digits: learning_rate is 0.002, not 0.5: repeat `python -m")
    assert looks.shown("latent/vae", RECIPES) == []
    assert "there is no such recipe" in next(looks.stale(lambda topic: {}))


def test_a_field_that_was_added_with_its_default_changes_nothing(run_of, root):
    fields = DIGITS.fields()
    del fields["patience"]
    assert list(looks.changes({"fields": fields}, DIGITS)) == []
    assert list(looks.changes({"fields": fields | {"old": 1}}, DIGITS)) == ["old is no field any more"]


def test_files_without_an_entry_and_entries_without_a_file_are_named(run_of, root):
    main([run_of()])
    (root / "docs/looks/latent/vae-digits.png").rename(root / "docs/looks/latent/other.png")
    assert list(looks.stale(lambda topic: RECIPES)) == [
        "docs/looks/latent/other.png has no entry in index.json",
        "docs/looks/latent/vae-digits.png is missing",
    ]


def test_the_section_of_a_topic_shows_pictures_and_texts_with_their_captions(run_of, monkeypatch):
    folder = run_of({"prior_samples": grid(), "text": Text("<b>")})
    main([folder])
    text = training.section("topics/latent/vae", "latent/vae")
    assert text.index("What it looks like") < text.index("<table")
    assert (
        '<img src="../../looks/latent/vae-digits.png" alt="Drawn from the prior" width="104" height="70" class="pixels">' in text
    )
    words = re.sub(r"<[^>]*>", "", text)
    assert "digits, 5,600 steps: negative_elbo 17.84 nats per image (target: at most 18.5). Drawn from the prior." in words
    main([folder, "--picture", "text"])
    assert "<pre>&lt;b&gt;</pre>" in training.section("topics/latent/vae", "latent/vae")
