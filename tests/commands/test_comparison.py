"""Several runs on one page: each under its own name and color, nothing lost, nothing of one said of the other."""

import math
import re
import shutil

import pytest
import torch

from practice_torch.engine.artifacts import Audio, ImageGrid, Text
from practice_torch.engine.errors import RunError
from practice_torch.engine.storage.run import Run
from practice_torch.reports.comparison import MOST_PREVIEWS, write_comparison
from practice_torch.reports.curves import LEFT, RIGHT, WIDTH
from tests.commands.test_practice_commands import call, refused
from tests.commands.test_report import HOSTILE, Page, Small, finish, log


@pytest.fixture
def make(tmp_path):
    """A run folder of this name, trained for some steps with a loss that ends at `loss`."""

    def make(name, *, topic="latent/toy", loss=2.0, evaluation=None, sha256="ab" * 32, data="digits", **fields):
        description = {"name": data, "count": 9, "shape": [1, 8, 8], "sha256": sha256}
        run = Run.create(tmp_path / name, topic, "small", Small(**{"steps": 100} | fields), description)
        rows = [(step, "train", "loss", loss + 100 - step) for step in (25, 50, 75, 100)]
        log(run, rows + [(step, "evaluate", "negative_elbo", loss + 1 + 100 - step) for step in (50, 100)])
        finish(run, value=loss + 1, **evaluation or {})
        return run

    return make


def compared(*runs):
    folders = [run.folder for run in runs]
    return Page(write_comparison(folders, folders[0].parent / "comparison.html"))


def table(page, heading):
    """name -> cells of the first table after the heading."""
    html = page.source[page.source.index(f">{heading}<") :]
    html = html[html.index("<table") : html.index("</table>")]
    rows = {}
    for row in re.findall(r"<tr.*?</tr>", html, re.DOTALL):
        cells = [" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        rows[cells[0]] = cells[1:]
    return rows


def test_metrics_are_side_by_side_with_their_targets(make):
    page = compared(
        make("first", loss=20.0, evaluation={"target": 18.5, "passed": False, "kl": 6.5}),
        make("second", loss=17.0, evaluation={"target": 18.5, "passed": True, "kl": 7.5, "active_units": 8}),
        make("third", loss=30.0, evaluation={"target": None, "passed": None}),
    )
    rows = table(page, "Results")
    assert rows[""] == ["first", "second", "third"]
    assert rows["judged by"] == ["negative ELBO 21", "negative ELBO 18 the best", "negative ELBO 31"]
    assert rows["target"] == ["✗ ≤ 18.5", "✓ ≤ 18.5", "no target"]
    assert rows["KL"] == ["6.5", "7.5", "–"] and rows["active units"] == ["–", "8", "–"]
    assert rows["steps"] == ["100"] * 3
    assert "may not be comparable" not in page.words


def test_seeds_of_one_recipe_have_a_mean_and_a_spread(make):
    """5, 8 and 11 have the deviation 3. A seed counts once; another recipe and an unfinished run do not count."""
    runs = [make(f"seed-{seed}", seed=seed, evaluation={"kl": 5.0 + 3 * seed}) for seed in range(3)]
    others = [make("again", seed=1, evaluation={"kl": 50.0}), make("other", hidden=9), make("unfinished", seed=3)]
    (others[-1].folder / "evaluation.json").unlink()
    page = compared(*runs, *others)
    rows = table(page, "latent/toy small, seeds 0, 1, 2")
    assert rows[""] == ["mean", "standard deviation", "lowest", "highest"] and rows["KL"] == ["8", "3", "5", "11"]
    assert page.words.count("These runs differ in the seed alone.") == 1
    assert "seed alone" not in compared(runs[0], *others[1:]).words


def test_higher_may_be_the_better(make):
    higher = {"target": 0.5, "direction": "higher", "passed": True}
    page = compared(make("low", loss=0.1, evaluation=higher), make("high", loss=0.3, evaluation=higher))
    assert table(page, "Results")["judged by"][1].endswith("the best")
    assert "✓ ≥ 0.5" in page.words
    other = compared(make("lower", loss=0.1), make("higher", loss=0.3, evaluation=higher))
    assert "the best" not in other.words  # they are not judged alike


def test_an_unfinished_run_has_its_place(make):
    runs = [make("whole"), make("begun", steps=400)]
    for name in ("evaluation.json", "environment.json"):
        (runs[1].folder / name).unlink()
    rows = table(compared(*runs), "Results")
    assert rows["judged by"][1] == "not evaluated yet" and rows["target"][1] == "–" and rows["steps"] == ["100", "100 of 400"]
    (runs[1].folder / "metrics.csv").unlink()
    page = compared(*runs)
    assert table(page, "Results")["steps"] == ["100", "none of 400"]
    assert "the command is written at the last step" in page.words
    assert compared(*reversed(runs)).words.count("not evaluated yet") == 1


def lines(page, title, phase):
    """style -> points of every curve of the panel."""
    figure = next(part for part in page.source.split("<figure>") if f"<h3>{title} <small>{phase}</small>" in part)
    svg = figure[figure.index("<svg") : figure.index("</svg>")]
    found = re.findall(r'<polyline class="line (\w+)" points="([^"]*)"', svg)
    return {style: [tuple(map(float, pair.split(","))) for pair in points.split()] for style, points in found}


def test_one_metric_is_in_one_panel(make):
    page = compared(make("first", loss=20.0), make("second", loss=60.0))
    first, second = (lines(page, "loss", "train")[f"run{index}"] for index in (0, 1))
    assert [x for x, _ in first] == [x for x, _ in second]
    assert all(upper < lower for (_, lower), (_, upper) in zip(first, second, strict=True))  # pages count from the top
    assert lines(page, "negative ELBO", "held-out").keys() == {"run0", "run1"}
    # what the runs are judged by comes first, with the target across
    assert page.words.index("negative ELBO held-out") < page.words.index("loss train")
    assert page.source.count('<text class="mark"') == 1
    assert "first 20" in page.words and "second 60" in page.words


def test_the_longer_run_reaches_further(make):
    runs = [make("short"), make("long", steps=400)]
    log(runs[1], [(step, "train", "loss", 3.0 + step) for step in (100, 200, 400)])
    page = compared(*runs)
    ends = [lines(page, "loss", "train")[style][-1][0] for style in ("run0", "run1")]
    assert ends == pytest.approx([LEFT + (WIDTH - RIGHT - LEFT) / 4, WIDTH - RIGHT], abs=0.06)
    assert table(page, "Results")["steps"] == ["100", "400"]
    assert "negative ELBO held-out" not in page.words  # logged by the first alone


def test_one_point_is_no_curve(make):
    runs = [make("first"), make("second")]
    for run in runs:
        log(run, [(1, "train", "loss", 3.0), (1, "train", "kl", 1.0)])
    assert "Learning curves" not in compared(*runs).words
    log(runs[0], [(1, "train", "loss", 3.0), (2, "train", "loss", 2.0)])
    assert "loss train" in compared(*runs).words and "KL train" not in compared(*runs).words


def test_what_only_one_logged_is_named_and_losses_of_different_topics_are_not_mixed(make):
    runs = [make("vae"), make("flow", topic="flows/toy")]
    log(runs[0], [(step, phase, name, step) for step in (1, 2) for phase, name in (("train", "loss"), ("train", "kl"))])
    log(runs[1], [(step, "train", "loss", step) for step in (1, 2)])
    page = compared(*runs)
    assert "Learning curves" not in page.words
    log(runs[1], [(step, phase, name, step) for step in (1, 2) for phase, name in (("train", "loss"), ("evaluate", "nll"))])
    log(runs[0], [(step, phase, name, step) for step in (1, 2) for phase, name in (("train", "kl"), ("evaluate", "nll"))])
    page = compared(*runs)
    assert "Logged by one run only: KL (train), loss (train)." in page.words
    assert lines(page, "NLL", "held-out").keys() == {"run0", "run1"}


def test_numbers_that_are_not_finite_are_no_curve(make):
    runs = [make("first"), make("second")]
    for run in runs:
        log(run, [(step, "train", "loss", math.nan) for step in (1, 2)])
    assert "Learning curves" not in compared(*runs).words


def test_samples_over_the_training(make):
    runs = [make("first"), make("second")]
    for run in runs:  # the sounds are the same in both: each must be shown under its own name all the same
        for step in range(20, 140, 20):
            words = Text(f"{run.folder.name} at {step}.", "Same words")
            sounds = Audio(torch.full((40,), step / 50), 8000, "Same sounds")
            run.save_artifacts({"words": words, "sounds": sounds}, step)
    runs[1].save_artifacts({"faces": ImageGrid(torch.rand(2, 1, 4, 4), columns=2)}, 100)
    page = compared(*runs)
    shown = re.findall(r"(first|second) at (\d+)\.", page.text)
    assert shown == [(name, str(step)) for name in ("first", "second") for step in (20, 60, 80, 120)]
    assert len(shown) == 2 * MOST_PREVIEWS
    assert len(page.sounds) == 2 * MOST_PREVIEWS and len(page.images) == 2 * MOST_PREVIEWS + 1
    keys = re.findall(r'<p class="key (run\d)"><b>(\w+)</b> <span', page.source)
    assert keys == [("run0", "first"), ("run1", "second")] * 2 + [("run1", "second")]
    assert "Same words · 4 of 6 shown" in page.words
    assert page.words.count("scaled down from 1.2 times full scale") == 2 and "step 60: scaled down" in page.words


def test_what_differs_and_what_does_not(make):
    runs = [make("first", learning_rate=0.1), make("second", learning_rate=0.2, hidden=9, sha256="cd" * 32)]
    page = compared(*runs)
    assert table(page, "Recipe") == {"": ["first", "second"], "learning rate": ["0.1", "0.2"], "hidden": ["8", "9"]}
    assert table(page, "Data") == {"": ["first", "second"], "sha256": ["ab" * 32, "cd" * 32]}
    assert "may not be comparable" in page.words
    same = table(page, "Equal in all runs")
    assert same["versions"] == ["python 3.11, torch 2.14"] and same["device"] == ["a CPU"] and same["commit"] == ["c0ffee+"]
    assert page.words.count("python -m practice_torch train toy small") == 2
    runs[1].write_json("environment.json", {"device": "a GPU", "seconds": 125.4, "command": "x", "peak_memory_bytes": 2**20})
    rows = table(compared(*runs), "Commands, versions and hardware")
    assert rows == {
        "": ["first", "second"],
        "versions": ["python 3.11, torch 2.14", "–"],
        "device": ["a CPU", "a GPU"],
        "commit": ["c0ffee+", "–"],
        "peak memory": ["512 MiB", "1 MiB"],
    }
    assert table(compared(*runs), "Equal in all runs") == {"seconds": ["2 min 5 s"]}


def test_equal_runs(make):
    page = compared(make("first"), make("second"))
    assert "All fields of the recipes are equal." in page.words and page.words.count("the best") == 2


def test_the_page_needs_nothing_else_and_what_users_write_is_text(make):
    runs = [make("first", data=HOSTILE), make("second", topic=HOSTILE)]
    for run in runs:
        run.save_artifacts({"words": Text(HOSTILE, "Earlier " + HOSTILE)}, 50)
        run.save_artifacts({"words": Text(HOSTILE, HOSTILE), "sounds": Audio(torch.zeros(9), 8000, HOSTILE)}, 100)
        run.write_json("environment.json", {"command": HOSTILE, "device": HOSTILE})
    page = compared(*runs)
    assert page.addresses and all(address.startswith("data:") for address in page.addresses)
    assert not {"script", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"@import|url\(|https?://", page.source)
    assert page.words.count("<script>alert('x')</script>") >= 10


def test_damaged_pieces_are_reported_with_their_run(make):
    runs = [make("first"), make("second")]
    (runs[1].folder / "evaluation.json").write_text("{")
    log(runs[0], [(1, "train", "loss", 3.0)], tail="2,tra")
    page = compared(*runs)
    assert "second: evaluation.json cannot be read" in page.words
    assert "first: 1 of 2 lines of metrics.csv cannot be read" in page.words


def test_runs_of_the_same_name_are_called_by_their_paths(make):
    runs = [make("a/run"), make("b/run"), make("c")]
    assert table(compared(*runs), "Results")[""] == [str(run.folder) for run in runs]


def test_more_runs_than_colors(make):
    page = compared(*(make(f"run-{index}") for index in range(10)))
    assert len(lines(page, "loss", "train")) == 8 and page.source.count('<polyline class="line run0"') == 4


# ---------------------------------------------------------------------------------------------------- the command


def test_the_command(make, tmp_path):
    runs = [make("first"), make("second")]
    code, out, _ = call("report", *(run.folder for run in runs))
    assert code == 0 and out.strip() == str(tmp_path / "comparison.html")
    assert "comparison of runs" in Page(tmp_path / "comparison.html").words
    code, out, _ = call("report", *(run.folder for run in runs), "--out", tmp_path / "other.html")
    assert code == 0 and out.strip() == str(tmp_path / "other.html")
    assert (tmp_path / "other.html").read_bytes() == (tmp_path / "comparison.html").read_bytes()


def test_bad_input(make, tmp_path, monkeypatch):
    runs = [make("first"), make("second")]
    folders = [run.folder for run in runs]
    assert "report takes RUN" in refused(2, "report")
    assert "is given twice" in refused(3, "report", *folders, tmp_path / "second" / ".." / "first")
    assert "does not exist" in refused(3, "report", *folders, tmp_path / "third")
    (tmp_path / "third").mkdir()
    assert "it has no recipe.json" in refused(3, "report", *folders, tmp_path / "third")
    assert not (tmp_path / "comparison.html").exists()
    assert "cannot write into" in refused(3, "report", *folders, "--out", tmp_path / "nowhere" / "x.html")
    monkeypatch.chdir(tmp_path / "first")
    assert "is given twice" in refused(3, "report", ".", tmp_path / "first")
    shutil.rmtree(folders[1])
    with pytest.raises(RunError, match="does not exist"):
        write_comparison(folders, tmp_path / "comparison.html")
