"""The report: the page shows the content of the run folder, and needs nothing else."""

import base64
import io
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
import torch
from PIL import Image

from practice_torch.engine.artifacts import Audio, ImageGrid, Text
from practice_torch.engine.errors import RunError
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import Stage
from practice_torch.engine.storage.run import METRICS_HEADER, Run
from practice_torch.reports import report
from practice_torch.reports.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Mark, Series, gauge, panel, short
from practice_torch.reports.report import write_report

HOSTILE = "</pre><script>alert('x')</script> & \"quoted\""


@dataclass(frozen=True)
class Small(Recipe):
    hidden: int = 8
    sizes: tuple[int, ...] = (3, 5)  # a list in JSON, and no change for that


@pytest.fixture
def run(tmp_path):
    """A run folder as the engine makes it, before its first row."""
    description = {"name": "digits", "count": 9, "shape": [1, 8, 8], "sha256": "ab" * 32}
    return Run.create(tmp_path / "run", "latent/toy", "small", Small(steps=400), description)


def finish(run, *, value=18.25, target=18.5, direction="lower", passed=True, **metrics):
    content = {"metric": "negative_elbo", "value": value, "target": target, "direction": direction, "passed": passed, "step": 400}
    run.write_json("evaluation.json", content | {"metrics": {"negative_elbo": value, **metrics}})
    versions = {"python": "3.11", "torch": "2.14"}
    facts = {"versions": versions, "device": "a CPU", "command": "python -m practice_torch train toy small", "commit": "c0ffee+"}
    run.write_json("environment.json", facts | {"seconds": 125.4, "peak_memory_bytes": 512 * 2**20})


def log(run, rows, tail=""):
    (run.folder / "metrics.csv").write_text(METRICS_HEADER + "".join(",".join(map(str, row)) + "\n" for row in rows) + tail)


class Page(HTMLParser):
    """The page as parsed by a browser: the visible text, the tags, and every address that would be fetched."""

    def __init__(self, path):
        super().__init__()
        self.text, self.tags, self.addresses, self.images, self.sounds, self._silent = "", [], [], [], [], False
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._silent = tag == "style"
        found = dict(attributes)
        self.addresses += [found[name] for name in ("src", "href", "srcset", "action", "data", "poster") if name in found]
        if tag == "img":
            self.images.append(found["src"])
        if tag == "audio":
            assert "controls" in found  # a browser shows nothing otherwise
            self.sounds.append(found["src"])

    def handle_endtag(self, tag):
        self._silent = False

    def handle_data(self, data):
        if not self._silent:
            self.text += data

    @property
    def words(self):
        return " ".join(self.text.split())


def written(run, **options):
    return Page(write_report(run.folder, **options))


def test_a_finished_run(run):
    finish(run, kl=6.5, independent_pixels_floor=25.2)
    log(run, [(s, "train", "loss", 30 - s / 40) for s in range(50, 401, 50)] + [(400, "evaluate", "negative_elbo", 18.25)])
    pixels = torch.rand(3, 1, 8, 8)
    run.save_artifacts({"prior_samples": ImageGrid(pixels, columns=2, caption="Drawn from the prior")}, 400)
    page = written(run)
    for expected in (
        "latent/toy",
        "recipe small",
        "data digits",
        "400 steps",
        "2 min 5 s of training",
        "seed 0",
        "negative ELBO",
        "1 × 8 × 8",
        "18.25",
        "✓ reached: target ≤ 18.5",
        "KL",
        "6.5",
        "independent pixels floor 25.2",
        "train 20",
        "held-out 18.25",
        "prior samples",
        "Step 400: Drawn from the prior",
        "hidden",
        "python -m practice_torch train toy small",
        "c0ffee+",
        "512 MiB",
        "python 3.11, torch 2.14",
        "ab" * 32,
    ):
        assert expected in page.words, expected
    (image,) = page.images
    stored = (run.folder / "previews" / "00000400-prior_samples.png").read_bytes()
    assert base64.b64decode(image.removeprefix("data:image/png;base64,")) == stored
    assert Image.open(io.BytesIO(stored)).size[0] > 0


def test_metrics_are_explained_in_a_phrase_and_a_unit(run):
    """The experiment's description of a metric is below its number; a run of an older version has none."""
    finish(run, kl=6.5)
    evaluation = json.loads((run.folder / "evaluation.json").read_text())
    assert "nats" not in written(run).words
    run.write_json("evaluation.json", evaluation | {"explains": {"kl": {"unit": "nats", "meaning": "from the prior, <b>"}}})
    assert "6.5 nats from the prior, <b>" in written(run).words


def test_what_never_changed_is_a_line_of_words(run):
    rows = [(s, "train", name, number) for s in (50, 100) for name, number in (("loss", s), ("floor", 25.2))]
    log(run, [*rows, (100, "evaluate", "negative_elbo", 18.25)])
    page = written(run)
    assert page.source.count('class="curves"') == 1
    assert "Constant over the run, or logged once: floor: train 25.2; negative ELBO: held-out 18.25." in page.words


def test_earlier_pictures_are_thumbnails_averaged_beforehand(run):
    """A grid of single black and white pixels becomes gray: nothing is skipped."""
    checkers = (torch.arange(1200)[:, None] + torch.arange(1200)).remainder(2).float()[None, None]
    for step in (1, 2):
        run.save_artifacts({"faces": ImageGrid(torch.cat([checkers, checkers * step / 2]), 1)}, step)
    pictures = [Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))) for address in written(run).images]
    assert [picture.width for picture in pictures] == [1204, 480]
    darkest, brightest = pictures[1].convert("L").crop((100, 100, 300, 300)).getextrema()
    assert 100 < darkest <= brightest < 155


def test_the_page_needs_nothing_else(run):
    finish(run)
    log(run, [(s, "train", "loss", 1 / s) for s in range(1, 400)])
    run.save_artifacts({"a": ImageGrid(torch.rand(2, 3, 4, 4), columns=2), "b": Text(HOSTILE)}, 100)
    run.save_artifacts({"note": Audio(torch.zeros(9), 8000)}, 100)
    page = written(run)
    assert page.addresses and all(address.startswith("data:") for address in page.addresses)
    assert not {"script", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"@import|url\(|https?://", page.source)
    assert "audio" in page.tags


def test_a_sound_is_played_below_its_spectrogram(run):
    for step in (100, 200):
        notes = Audio(torch.linspace(-1, step / 100, 500), 8000, caption="All notes")
        run.save_artifacts({"notes": notes, "words": Text("spoken"), "faces": ImageGrid(torch.rand(2, 1, 4, 4), 2)}, step)
    page = written(run)
    previews = run.folder / "previews"
    # of the earlier picture a thumbnail is shown
    sounds, pictures = (page.sounds, "audio/wav", "notes.wav", (200, 100)), (page.images, "image/png", "notes.png", (200,))
    for shown, kind, suffix, steps in (sounds, pictures):
        stored = [base64.b64encode((previews / f"00000{step}-{suffix}").read_bytes()).decode() for step in steps]
        assert [address.removeprefix(f"data:{kind};base64,") for address in shown if address.endswith(tuple(stored))] == stored
    assert len(page.sounds) == 2 and len(page.images) == 4
    assert page.source.index(page.sounds[0]) > page.source.index(page.images[page.images.index(last_picture(previews))])
    assert page.words.count("notes") == 2  # its heading and a caption that both share: the pictures tell no story of their own
    assert "Step 200: All notes; scaled down from 2 times full scale" in page.words


def test_sounds_that_do_not_change_are_next_to_each_other(run):
    """Two or more; a single one, and what has earlier previews, is shown as ever."""
    run.save_artifacts({"drawn": Audio(torch.zeros(9), 8000)}, 100)
    assert '<div class="sounds">' not in written(run).source
    run.save_artifacts({"real": Audio(torch.ones(9), 8000, "Recorded"), "words": Text("spoken")}, 100)
    before, grid = written(run).source.split('<div class="sounds">')
    grid, after = grid.split('<div class="story')
    assert grid.count("<audio") == grid.count("<img") == 2 and "Step 100: Recorded" in grid and "<audio" not in before + after
    run.save_artifacts({"drawn": Audio(torch.ones(9), 8000)}, 200)
    assert '<div class="sounds">' not in written(run).source


def last_picture(previews):
    return "data:image/png;base64," + base64.b64encode((previews / "00000200-notes.png").read_bytes()).decode()


def test_sounds_without_their_pictures_and_pictures_without_their_sounds(run):
    for step in (1, 2, 3):
        run.save_artifacts({"notes": Audio(torch.full((9,), step / 4), 8000)}, step)
    (run.folder / "previews" / "00000001-notes.png").unlink()
    (run.folder / "previews" / "00000002-notes.wav").unlink()
    (run.folder / "previews" / "00000003-notes.png").write_bytes(b"")
    page = written(run)
    assert len(page.sounds) == 2 and len(page.images) == 1
    assert "00000003-notes.png cannot be read" in page.words and "00000001-notes.png" not in page.words


def test_what_users_write_is_text(tmp_path):
    run = Run.create(tmp_path / "run", HOSTILE, HOSTILE, Small(data=HOSTILE), {"name": HOSTILE, "sha256": "0"})
    finish(run)
    run.write_json("environment.json", {"command": HOSTILE, "device": HOSTILE})
    log(run, [(step, HOSTILE.replace('"', ""), HOSTILE.replace('"', "").replace(",", ""), step) for step in (1, 2)])
    run.save_artifacts({"words": Text(HOSTILE, caption=HOSTILE)}, 1)
    page = written(run)
    assert "script" not in page.tags
    # title, heading, two facts, field, name, command, device, preview and caption at least
    assert page.words.count("<script>alert('x')</script>") >= 10


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "✓ reached: target ≤ 18.5"),
        ({"value": 19.0, "passed": False}, "✗ missed: target ≤ 18.5"),
        ({"value": 0.9, "target": 0.8, "direction": "higher"}, "✓ reached: target ≥ 0.8"),
        ({"target": None, "passed": None}, "no target for this data"),
    ],
)
def test_the_verdict(run, changes, words):
    finish(run, **changes)
    page = written(run)
    assert words in page.words
    assert [word in page.words for word in ("✓", "✗")] == [word in words for word in ("✓", "✗")]


def test_an_unfinished_run_is_marked(run):
    log(run, [(50, "train", "loss", 3.0), (100, "train", "loss", 2.0)])
    page = written(run)
    assert "not evaluated yet" in page.words and "100 of 400 steps" in page.words
    assert "✓" not in page.words


def test_a_run_that_has_just_begun(run):
    for content in (None, METRICS_HEADER):
        if content:
            (run.folder / "metrics.csv").write_text(content)
        assert "not evaluated yet" in written(run).words
        assert "Learning curves" not in written(run).words


def test_damaged_pieces_are_left_out_and_reported(run):
    finish(run)
    log(run, [(50, "train", "loss", 3.0), (100, "train", "loss", 2.0)], tail="150,tra")
    run.save_artifacts({"words": Text("sound")}, 50)
    (run.folder / "evaluation.json").write_text('{"metric": "negative_el')
    (run.folder / "environment.json").write_text("[1, 2]")
    (run.folder / "previews" / "00000100-words.png").write_bytes(b"")
    (run.folder / "previews" / "00000100-nothing_else.png").write_bytes(b"")
    (run.folder / "previews" / "captions.json").write_text("{")
    page = written(run)
    for file in ("evaluation.json", "environment.json", "1 of 3 lines of metrics.csv", "00000100-words.png", "captions.json"):
        assert f"{file} cannot be read" in page.words, file
    assert "sound" in page.words and "train 2" in page.words and "nothing else" not in page.words
    (run.folder / "evaluation.json").write_text('{"metric": "negative_elbo"}')
    assert "evaluation.json was not written by this engine" in written(run).words


def test_stages_are_named_with_their_steps(run):
    stages = Stage("none", 0, ("train",)), Stage("reward_model", 1200, ("train",)), Stage("rounds", 2, ("train",))
    assert "stages reward model 1,200, rounds 2" in written(run, stages=stages).words
    assert "stages" not in written(run).words


def test_changed_fields_are_marked(run):
    defaults = Small().fields()
    page = written(run, defaults=defaults)
    assert "400 (recipe default 1000)" in page.words
    assert page.words.count("recipe default") == 1
    assert "recipe default" not in written(run).words


def test_previews_come_in_order_with_first_and_last(run):
    for step in range(100, 2001, 100):
        run.save_artifacts({"words": Text(f"made at {step}.", caption="Same caption")}, step)
    page = written(run)
    shown = [int(number) for number in re.findall(r"made at (\d+)\.", page.text)]
    assert len(shown) == report.MOST_PREVIEWS and shown[0] == 2000  # the newest is the large one, before the strip of the others
    assert shown[1] == 100 and shown[1:] == sorted(shown[1:])
    assert "7 of 20 shown" in page.words and page.words.count("Same caption") == 1


def test_what_never_changes_is_shown_once(run):
    for step in range(10):
        run.save_artifacts({"real": Text("always the same"), "drawn": Text(f"made at {step}")}, step)
    page = written(run)
    assert page.text.count("always the same") == 1 and page.text.count("made at") == report.MOST_PREVIEWS
    assert page.words.count("of 10 shown") == 1


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_earlier_report(run, monkeypatch):
    path = write_report(run.folder)
    earlier = path.read_bytes()
    finish(run)

    def full(self, content, encoding):
        self.write_bytes(content.encode()[:1000])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_report(run.folder)
    assert path.read_bytes() == earlier
    assert not (run.folder / ".report.html").exists()


# Curves


def numbers(svg, tag, style):
    """The coordinates of every such element of the style."""
    found = re.findall(rf'<{tag} class="{style}" points="([^"]*)"', svg)
    return [[tuple(map(float, pair.split(","))) for pair in points.split()] for points in found]


def test_a_line_is_drawn_at_its_values():
    svg = panel("loss", [Series("train", "phase0", ((0, 1.0), (50, 5.0), (100, 3.0)))], last_step=100)
    (line,) = numbers(svg, "polyline", "line phase0")
    middle = (LEFT + WIDTH - RIGHT) / 2
    assert line == [(LEFT, HEIGHT - BOTTOM), (middle, TOP), (WIDTH - RIGHT, (HEIGHT - BOTTOM + TOP) / 2)]


def test_a_wide_range_of_positive_values_is_logarithmic():
    points = ((0, 0.01), (50, 1.0), (100, 100.0))
    (line,) = numbers(panel("loss", [Series("train", "phase0", points)], last_step=100), "polyline", "line phase0")
    assert line[1][1] == pytest.approx((line[0][1] + line[2][1]) / 2, abs=0.11)
    negative = ((0, -0.01), *points[1:])
    (line,) = numbers(panel("loss", [Series("train", "phase0", negative)], last_step=100), "polyline", "line phase0")
    assert line[1][1] == pytest.approx(line[0][1], abs=2)


def test_what_is_not_finite_is_a_gap():
    nan, inf = float("nan"), float("inf")
    values = (1.0, 2.0, nan, 3.0, 4.0, inf, 5.0)
    svg = panel("loss", [Series("train", "phase0", tuple(enumerate(values)))], last_step=6)
    assert [len(line) for line in numbers(svg, "polyline", "line phase0")] == [2, 2]  # the lonely last one is a dot
    assert svg.count("<circle") == 5 and "nan" not in svg.replace('nan"', "") and "inf" not in svg
    assert panel("loss", [Series("train", "phase0", ((0, nan),))], last_step=1) == ""


def test_a_long_line_is_merged_with_its_extremes():
    points = tuple((step, float(step % 2)) for step in range(10_000))
    svg = panel("loss", [Series("train", "phase0", points)], last_step=10_000)
    ((line,), (band,)) = numbers(svg, "polyline", "line phase0"), numbers(svg, "polygon", "band phase0")
    assert len(line) <= 300 and len(band) == 2 * len(line)
    assert {y for _, y in band} == {TOP, HEIGHT - BOTTOM}  # both extremes, in every group
    assert all(y == pytest.approx((HEIGHT - BOTTOM + TOP) / 2, abs=0.5 + 2) for _, y in line)


def test_constant_values_and_single_points_are_drawn():
    for points in (((1, 8.0),), ((1, 0.0), (2, 0.0)), ((1, -3.0), (2, -3.0))):
        assert panel("units", [Series("held-out", "held-out", points)], last_step=2).count("<circle") == len(points)


def test_a_line_is_drawn_where_a_stage_begins(run):
    """Not where the first one does, nor where one would that has no steps or was not reached."""
    steps = {"none": 0, "autoencoder": 100, "skipped": 0, "prior": 100, "decoder": 100}
    stages = tuple(Stage(name, count, ("train",)) for name, count in steps.items())
    log(run, [(step, "train", "loss", 300.0 - step) for step in range(50, 201, 50)])
    page = written(run, stages=stages).source
    (x,) = re.findall(r'<line class="beginning" x1="([^"]*)"', page)
    assert float(x) == (LEFT + WIDTH - RIGHT) / 2
    assert re.findall(r'<text class="beginning"[^>]*>([^<]*)</text>', page) == ["prior"]
    assert "beginning" not in re.sub(r"<style>.*?</style>", "", written(run).source, flags=re.DOTALL)


def test_marks_widen_the_panel():
    svg = panel("loss", [Series("train", "phase0", ((0, 2.0), (9, 1.0)))], 9, marks=(Mark("target", 0.0), Mark("<floor>", 4.0)))
    heights = [float(y) for y in re.findall(r'<line class="mark"[^>]*y1="([^"]*)"', svg)]
    assert heights == [HEIGHT - BOTTOM, TOP]
    assert "&lt;floor&gt;" in svg


def test_the_name_of_a_mark_avoids_the_line():
    line = [Series("train", "phase0", ((0, 9.0), (5, 4.0), (9, 1.0)))]
    svg = panel("loss", line, 9, marks=(Mark("target", 1.1), Mark("floor", 8.0)))
    places = dict(re.findall(r'<text class="mark" x="[^"]*" y="[^"]*" text-anchor="(\w+)">(\w+)<', svg))
    assert places == {"start": "target", "end": "floor"}


def _place(svg, mark):
    return float(re.search(rf'<{mark}[^>]* (?:cx|x1)="([^"]*)"', svg)[1])


@pytest.mark.parametrize(("value", "target"), [(18.0, 18.5), (0.9, 0.8), (-3.0, -2.0), (1.0, -1.0)])
def test_the_gauge_shows_numbers_in_proportion(value, target):
    """Places are linear in the values, with zero on the line: 18.0 and 18.5 stand 3% apart, not at opposite ends."""
    svg = gauge(value, (Mark("target", target),), "lower", "nats")
    left, right = re.findall(r'class="end" x="(?:8|632)"[^>]*>([^<]*)<', svg)
    low, high = float(left), float(right)
    assert low <= min(value, target, 0.0) and high >= max(value, target, 0.0)
    for mark, number in (("circle", value), ('line class="tick"', target)):
        assert _place(svg, mark) == pytest.approx(8 + 624 * (number - low) / (high - low), abs=0.06)


@pytest.mark.parametrize(("direction", "words"), [("lower", "lower is better"), ("higher", "higher is better")])
def test_the_gauge_shows_its_unit_and_the_better_side(direction, words):
    svg = gauge(1.0, (Mark("target", 1.0),), direction, "bits per <byte>")
    assert f"bits per &lt;byte&gt; · {words}" in svg and "nan" not in svg
    assert "nan" not in gauge(0.0, (Mark("target", 0.0),), direction)


@pytest.mark.parametrize(
    ("number", "text"),
    [(18.2134, "18.21"), (0.01264, "0.01264"), (12e3, "12k"), (3e-5, "3e-05"), (25e5, "2.5M"), (0.0, "0"), (-7.0, "-7")],
)
def test_short_numbers(number, text):
    assert short(number) == text


def test_values_as_a_person_writes_them():
    for thing, text in ((None, "none"), (True, "yes"), (1e-5, "1e-05"), ((64, 32), "64, 32"), ({"a": 1, "b": 0.5}, "a 1, b 0.5")):
        assert report.value(thing) == text
    for seconds, text in ((0.031, "0.031 s"), (8.26, "8.26 s"), (59.96, "60 s"), (125.4, "2 min 5 s"), (12_000, "3 h 20 min")):
        assert report.duration(seconds) == text
    assert (report.size(512 * 2**20), report.size(1.5 * 2**30)) == ("512 MiB", "1.5 GiB")
    assert report.words("negative_elbo_floor") == "negative ELBO floor"


def test_metrics_of_samples_are_shown_with_baseline_and_real_data(run):
    finish(run)
    estimate = {"value": 0.25, "low": 0.125, "high": 0.5}
    metric = {"unit": HOSTILE, "meaning": "a distance", "samples": estimate, "real": {"value": 3.0, "low": 2, "high": 4}}
    found = {"step": 400, "samples": 500, "features": "log-mel columns", "metrics": {"kernel_distance": metric}}
    run.write_json("sample_metrics.json", found)
    page = Page(write_report(run.folder))
    for said in ("500 samples", "kernel distance", "0.125 to 0.5", "2 to 4", "Compared: log-mel columns"):
        assert said in page.words, said
    without_numbers = metric | {"samples": {}}
    for damaged in (3, {"x": 1}, {"x": without_numbers}, {"x": {"unit": "", "samples": estimate}}):
        run.write_json("sample_metrics.json", found | {"metrics": damaged})
        assert "sample_metrics.json was not written by this engine" in Page(write_report(run.folder)).words
    (run.folder / "sample_metrics.json").unlink()
    assert "Metrics of samples" not in Page(write_report(run.folder)).words
