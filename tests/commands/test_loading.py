"""Runs as Python objects: what a model draws, how it shows itself, and that it leaves the process as it was."""

import base64
import doctest
import io
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

import practice_torch
from practice_torch.commands.drawing import seed_sampling
from practice_torch.commands.loading.examples import FOLDER, examples
from practice_torch.commands.loading.samples import Samples
from practice_torch.engine.artifacts import Audio, Figure, ImageGrid, Text
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.errors import OptionError, RunError
from shared_specs.commands.errors import UsageError
from tests.commands.test_practice_commands import QUICK, VAE, call, refused

MOST_BYTES = 3_000_000  # of all examples together
NOISE = 0.02  # relative, of metrics that draw
QUICKLY = {"digits": {"steps": 3}, "notes": {}, "pydoc": {"length": 24}}


@pytest.fixture(scope="module")
def models():
    return {name: practice_torch.load(name, device="cpu") for name in QUICKLY}


def drawn(model, name, **more):
    """The tensor or the texts of two samples."""
    samples = model.sample(2, **QUICKLY[name] | more)
    return {"digits": lambda: samples.images, "notes": lambda: samples.sounds, "pydoc": lambda: samples.texts}[name]()


def equal(one, other):
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_the_examples_are_small_whole_and_all_here():
    assert sorted(QUICKLY) == list(examples())
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= MOST_BYTES
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in QUICKLY:
        run = practice_torch.open_run(name)
        judged, command = run.evaluation, f"train {run.run.asked['topic']} {run.run.asked['recipe']} "
        assert judged["passed"], f"{name} misses its target"
        line = next(line for line in card.splitlines() if line.startswith(f"| {name} |"))
        assert f"{judged['metric'].replace('_', ' ')} {judged['value']:.3g}" in line and command in line


@pytest.mark.parametrize("name", QUICKLY)
def test_an_example_is_as_good_as_its_card_says(models, name):
    """Measured again on the held-out data; of the diffusion model its loss, which needs no samples."""
    model, judged = models[name], practice_torch.open_run(name).evaluation["metrics"]
    train, held_out = load_data(model.recipe)
    if train.description["sha256"] != model.run.asked["data"]["sha256"]:
        pytest.skip("the documentation of another Python is another text")
    with torch.no_grad():
        seed_sampling(model.experiment, model.device, model.recipe.seed)
        if name == "digits":
            found = {"loss": model.experiment._loss_by_level(held_out).mean().item()}
        else:
            found = {name: value for name, value in model.experiment.evaluate(held_out).items() if name == model.recipe.metric}
    assert found == {name: pytest.approx(judged[name], rel=NOISE) for name in found} and found


@pytest.mark.parametrize("name", QUICKLY)
def test_an_example_draws_the_same_for_a_seed_and_only_for_it(models, name):
    first = drawn(models[name], name)
    assert equal(first, drawn(practice_torch.load(FOLDER / name, device="cpu"), name))
    assert not equal(first, drawn(models[name], name, seed=7))
    if name == "pydoc":
        assert len(first) == 2 and all(isinstance(text, str) and len(text.encode()) >= 24 for text in first)
    else:
        assert len(first) == 2 and first.isfinite().all() and first.std() > 0.01


def test_models_share_nothing_and_leave_the_process_as_it_was(models):
    alone = {name: drawn(model, name) for name, model in models.items()}
    torch.manual_seed(7)
    before = torch.get_rng_state(), torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32
    half = practice_torch.load("digits", device="cpu", dtype=torch.bfloat16)
    rounded = drawn(half, "digits")
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.autocast("cpu", torch.bfloat16):
            mixed = {name: drawn(model, name) for name, model in reversed(models.items())}
            again = drawn(practice_torch.load("digits", device="cpu"), "digits")
            assert torch.is_autocast_enabled("cpu") and torch.empty(0).device.type == "meta"
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(equal(alone[name], mixed[name]) for name in models) and torch.equal(again, alone["digits"])
    assert 1e-4 < (rounded - alone["digits"]).abs().max() < 0.2, "bfloat16 is no precision of its own"
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32) == before[1:]


def test_a_model_is_in_eval_mode_and_keeps_its_options(models):
    model = models["digits"]
    options = model.options
    model.sample(1, steps=2, label=3)
    assert model.options is options and options.label is None and not model.experiment.training
    assert not any(parameter.requires_grad for parameter in model.experiment.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in model.experiment.parameters())


WRONG = {
    "an unknown option": ({"stepz": 3}, "stepz is no option of diffusion/training; did you mean steps?"),
    "a type": ({"steps": "3"}, "steps is '3'; it must be an integer"),
    "a truth value": ({"steps": True}, "steps is True; it must be an integer"),
    "a bound": ({"steps": 0}, "steps is 0; it must be at least 1"),
    "a count": ({"count": 0}, "count is 0; it must be an integer, at least 1 and less than 2^63"),
    "a seed": ({"seed": -1}, "seed is -1; it must be an integer, at least 0"),
    "what this model cannot meet": ({"label": 10}, "label is 10"),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_wrong_options_are_refused(models, options, words):
    with pytest.raises(OptionError, match=re.escape(words)):
        models["digits"].sample(**options)


@pytest.mark.parametrize(
    ("run", "options", "words"),
    [
        ("nowhere", {}, "nowhere is no run folder, and no model that comes with the package (digits, notes, pydoc)"),
        ("digits", {"device": "abacus"}, "device is 'abacus', which cannot be used here"),
        ("digits", {"dtype": torch.float64}, "dtype is torch.float64; it must be one of torch.float32"),
        ("digits", {"checkpoint": "last"}, "checkpoint is 'last'; it must be the number of a step, 'best', or None"),
        ("digits", {"checkpoint": 3}, "no checkpoint of step 3"),
    ],
)
def test_what_cannot_be_loaded_is_refused(run, options, words):
    with pytest.raises((OptionError, RunError), match=re.escape(words)):
        practice_torch.load(run, **options)


def test_a_damaged_run_is_refused_in_one_line(tmp_path):
    folder = shutil.copytree(FOLDER / "digits", tmp_path / "digits")
    (state,) = folder.glob("checkpoints/*/state.safetensors")
    state.write_bytes(state.read_bytes()[:-1])
    with pytest.raises(RunError, match="the file is truncated or replaced"):
        practice_torch.load(folder)
    with pytest.raises(RunError, match="is not a run folder: it has no recipe.json"):
        practice_torch.open_run(tmp_path)


class Page(HTMLParser):
    """The tags of a page, each of which must be closed, and what they fetch."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.sources = [], [], []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def content(source, kind):
    head, _, data = source.partition(",")
    assert head == f"data:{kind};base64"
    return io.BytesIO(base64.b64decode(data))


def test_artifacts_show_themselves_without_other_files():
    sounds = Audio(torch.tensor([[0.5, -0.25]]).repeat(1, 300), 8000, "<heard>")
    samples = Samples(
        {
            "images": ImageGrid(torch.eye(3)[None, None], 8, "a & b"),
            "points": Figure(lambda axes: axes.plot([0, 1]), points=torch.ones(4, 2)),
            "sounds": sounds,
            "text": Text("<b>not bold</b>"),
        }
    )
    html = samples._repr_html_()
    page = Page(html)
    assert page.tags.count("img") == 3 and page.tags.count("audio") == 1 and "b" not in page.tags
    assert "a &amp; b" in html and "&lt;heard&gt;" in html and "&lt;b&gt;not bold&lt;/b&gt;" in html
    assert Image.open(content(page.sources[0], "image/png")).size == (61, 61)  # as one image, not as a row of eight
    heard, rate = soundfile.read(content(page.sources[3], "audio/wav"))
    assert rate == 8000 and heard == pytest.approx(sounds.samples[0].numpy(), abs=1e-4)
    assert repr(samples).startswith("Samples(images: ImageGrid [1, 1, 3, 3], points: Figure of points [4, 2], sounds: Audio")
    assert samples.points.shape == (4, 2) and samples.texts == ["<b>not bold</b>"] and samples.sample_rate == 8000
    with pytest.raises(AttributeError, match=r"these samples hold no sounds; they hold text \(Text\)"):
        Samples({"text": Text("")}).sounds  # noqa: B018


def test_models_and_runs_show_themselves(models):
    shown = models["digits"]._repr_html_()
    assert Page(shown).tags.count("table") == 1 and "network (202,177 parameters)" in shown and "steps=" in shown
    run = practice_torch.open_run("digits")
    page = run._repr_html_()
    assert Page(page).sources and f"{run.evaluation['value']:.5g}" in page and "training" in repr(run)
    assert np.asarray(Image.open(content(Page(page).sources[0], "image/png"))).std() > 10
    assert len(run.metrics["train/loss"]) > 10 and run.load(device="cpu").step == models["digits"].step


def test_importing_the_package_stays_light():
    words = "import sys, practice_torch; print(*{'torch', 'numpy', 'matplotlib', 'jax'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout == "\n"


def test_the_commands_take_an_example_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("sample", "digits", "--count", 2, "--steps", 2, "--cpu")
    assert code == 0, err
    (path,) = out.split()
    assert path == "runs/example-digits/samples/seed0-samples.png" and Image.open(path).size == (60, 118)
    assert call("sample", "digits", "--count", 2, "--steps", 2, "--out", "out", "--cpu")[0] == 0
    same = practice_torch.load("digits", device="cpu").sample(2, steps=2, seed=0)
    assert same.images.shape == (2, 1, 8, 8)
    (tmp_path / "pydoc").mkdir()  # a folder of the user's comes first
    assert "pydoc is not a run folder" in refused(3, "sample", "pydoc")
    assert "coins does not exist" in refused(3, "sample", "coins")


def test_what_a_run_draws_from_python_is_what_the_command_draws(tmp_path):
    assert call("train", *VAE, "--run", tmp_path / "run", *QUICK)[0] == 0
    assert call("sample", tmp_path / "run", "--count", 3, "--seed", 5)[0] == 0
    samples = practice_torch.load(tmp_path / "run", device="cpu").sample(3, seed=5)
    paths = samples.save(tmp_path / "saved", "seed5-")
    assert paths and all(path.read_bytes() == (tmp_path / "run" / "samples" / path.name).read_bytes() for path in paths)


def test_the_page_about_python_says_what_happens(tmp_path, monkeypatch):
    """Every example of docs/python.md, executed in order."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **words: None)
    text = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", text, re.DOTALL))
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(doctest.DocTestParser().get_doctest(examples, {}, "docs/python.md", None, 0), out=said.write)
    assert (runner.failures, runner.tries > 10) == (0, True), said.getvalue()


def test_a_training_from_python_is_that_of_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    topic, recipe = VAE
    run = practice_torch.train(topic, recipe, steps=1, target=None, augment_flip=False, hidden_dims=(8,))
    assert run.folder == Path("runs") / f"{topic.replace('/', '-')}-{recipe}-1" and run.evaluation["step"] == 1
    assert f"{topic} {recipe}, step 1" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--stepz.*did you mean --steps"):
        practice_torch.train(topic, recipe, stepz=1)
    with pytest.raises(UsageError, match="steps is 0; it must be at least 1"):
        practice_torch.train(topic, recipe, steps=0)
    with pytest.raises(UsageError, match=f"no recipe 'digitz'; did you mean {recipe}"):
        practice_torch.train(topic, "digitz")
    with pytest.raises(RunError, match="is not empty"):
        practice_torch.train(topic, recipe, run=run.folder, steps=1)
