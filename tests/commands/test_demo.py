"""The demo: its page needs nothing else and hides no failure, and its folder is replaced at no one's cost."""

import copy
import json
import re
from html import unescape
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

import demo.__main__ as main_job
from book import looks
from demo import gallery, page
from demo.folder import replaced_folder
from practice_torch.commands.loading.examples import examples
from practice_torch.commands.options import changed
from practice_torch.commands.training import recipe_with
from practice_torch.engine.artifacts import ImageGrid, Text
from practice_torch.engine.storage.run import save_artifacts
from practice_torch.experiments.autoregressive.transformer import Writing
from shared_specs.syllabus import load
from tests.support.commands.demo_answers import CONTRACTS, DERIVATIONS
from theory_jax.pages.mathml import to_mathml

COMMANDS = [page.Command("derivations", "python -m theory_jax run --all --json", 1.0, 0.9, 10**8, 0)]


@pytest.fixture
def model(tmp_path):
    """A run folder, small but whole."""
    folder = tmp_path / "vae"
    (folder / "previews").mkdir(parents=True)
    evaluation = {"metric": "negative_elbo", "value": 17.5, "target": 18.5, "direction": "lower", "passed": True, "step": 2}
    files = {
        "recipe.json": {
            "topic": "latent/vae",
            "recipe": "digits",
            "fields": {"steps": 2, "seed": 0},
            "data": {"name": "digits", "count": 1438},
        },
        "evaluation.json": evaluation | {"metrics": {"negative_elbo": 17.5, "kl": 7.0}},
        "environment.json": {"seconds": 20.0, "device": "a processor", "command": "python -m practice_torch train"},
        "previews/captions.json": {"00000002-latent_map.png": "Colored by label", "00000002-notes.wav": "All notes"},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "metrics.csv").write_text(
        "step,phase,name,value\n1,train,loss,30.0\n2,train,loss,20.0\n2,evaluate,negative_elbo,17.5\n"
    )
    for name, color in (("00000001-latent_map", "red"), ("00000002-latent_map", "blue")):
        Image.new("RGB", (4, 3), color).save(folder / "previews" / f"{name}.png")
    Image.new("RGB", (4, 3), "black").save(folder / "previews" / "00000002-notes.png")
    (folder / "previews" / "00000002-notes.wav").write_bytes(b"RIFF")
    (folder / "samples").mkdir()
    (folder / "samples" / "seed0-text.txt").write_text("Once, in <b>bold</b> type")
    return folder


def write(tmp_path, derivations=DERIVATIONS, contracts=CONTRACTS, model_folder="nowhere", commands=COMMANDS):
    made = page.write(tmp_path, derivations, contracts, {"images": model_folder}, commands, 3.0)
    return made.path.read_text(encoding="utf-8"), made.verdicts


@pytest.mark.parametrize("written", [False, True], ids=["no book", "a book"])
def test_the_page_needs_no_other_file_and_no_network(tmp_path, model, monkeypatch, written):
    """It links to the book where that is written."""
    book = tmp_path / "book.html"
    monkeypatch.setattr("demo.page.BOOK", book)
    if written:
        book.touch()
    text, _ = write(tmp_path, model_folder=model)
    sources = re.findall(r"""(?:src|srcset|data|action)=["']([^"']*)""", text)
    assert sources and all(source.startswith(("data:image/png;base64,", "data:audio/wav;base64,")) for source in sources)
    assert "<script" not in text and "@import" not in text and "url(" not in text
    links = set(re.findall(r'href="([^"]*)"', text))
    own = {"#derivations", "#contracts", "#images", "#made", "data:,", "vae/report.html"}
    assert links == own | ({book.as_uri()} if written else set())


def test_the_page_shows_the_results(tmp_path, model):
    text, verdicts = write(tmp_path, model_folder=model)
    assert all(verdict.passed for verdict in verdicts)
    words = " / ".join(verdict.words for verdict in verdicts)
    built = len(load().built)
    assert f"1 of {built} derivations, 2 claims" in words and "17.5" in words and "18.5" in words
    assert f"contracts of 1 of {built} topics: 1 rows, 4 comparisons" in words
    assert "It is so, for p &lt; q &amp; r." in text  # escaped, so that no word of a reason is markup
    assert "enumerated, 1.5e-16" in text and "jensen_<wbr>gap" in text
    assert 'class="curves"' in text and "FAILED" not in text


def test_the_page_lists_what_was_not_checked_and_how_to_check_it(tmp_path):
    some, (_, some_verdict, _) = write(tmp_path)
    every, (_, every_verdict, _) = write(tmp_path, contracts=CONTRACTS | {"topics": CONTRACTS["topics"] * len(load().built)})
    assert some_verdict.words.endswith("for every topic: python -m shared_specs check") and "make demo ALL=1" in some
    assert f"Checked here: 1 of {len(load().built)} topics" in some
    assert "for every topic" not in every_verdict.words and "make demo ALL=1" not in every and "Checked here" not in every


def test_contracts_are_those_of_the_first_topic_of_each_family_or_of_all():
    topics = main_job.first_of_each_family()
    first = {family: next(t.path for t in load().built if t.family == family) for family in {t.family for t in load().built}}
    assert sorted(topics) == sorted(first.values()) and len(topics) > 3
    assert dict(main_job.checks(everything=False))["contracts"] == ("shared_specs", "check", *topics, "--json")
    assert dict(main_job.checks(everything=True))["contracts"] == ("shared_specs", "check", "--json")


def test_the_page_shows_what_a_model_makes(tmp_path, model):
    """Over the training, with what it said when asked, and how it came about."""
    text, _ = write(tmp_path, model_folder=model)
    text = text[text.index("<main>") :]  # below the gallery
    assert text.count("data:image/png") == 3 and text.index("Step 2: Colored by label") < text.index("step 1<")
    assert text.count("<audio controls") == 1 and "Step 2: All notes" in text
    assert "Once, in &lt;b&gt;bold" in text and "more text" in text
    assert "steps 2 (recipe default 5600)" in text and "seed 0 (" not in text
    assert "a processor" in text and '<pre class="command">python -m practice_torch train</pre>' in text


def test_the_gallery_shows_every_family_that_draws(tmp_path):
    """What the models of the package drew takes the place of kept pictures of their families; what is missing is said."""
    drawn = tmp_path / "drawn"
    samples = {"images": ImageGrid(torch.zeros(4, 1, 8, 8), 2), "text": Text("a <b> " * 100), "more": Text("left out")}
    save_artifacts(samples, drawn, "x-")
    entry = {"name": "toy", "topic": load().built[0].path, "metric": "toy_loss", "value": 0.125}
    (drawn / gallery.MADE).write_text(json.dumps({f"x-{name}": entry for name in ("images", "text")}))
    missing = []
    shown = list(gallery.tiles(drawn, missing))
    families = {topic.split("/")[0] for topic in (entry["topic"] for entry in looks.entries().values())}
    assert {tile.family for tile in shown} == families and not missing
    assert [tile.kind for tile in shown if tile.drawn] == ["image", "text"]
    assert len(shown) == len(families) + 1, "a family has a kept picture next to what was drawn"
    text = page.write(tmp_path, DERIVATIONS, CONTRACTS, {}, COMMANDS, 3.0, drawn).path.read_text(encoding="utf-8")
    top = text[: text.index('<ul class="verdicts">')]
    assert top.count("<figure") == len(shown) and top.count("drawn now") == 2 and "toy loss 0.125" in top
    assert "a &lt;b&gt;" in top and "left out" not in top and top.count("a &lt;b&gt;") < 70
    without, _ = write(tmp_path)
    assert "The models that come with the package drew nothing." in without


def test_the_gallery_draws_from_every_example(tmp_path, monkeypatch):
    counts = {
        name: (1, {"length": 16} if "length" in options else {}, shown) for name, (_, options, shown) in gallery.DRAWN.items()
    }
    monkeypatch.setattr(gallery, "DRAWN", counts)
    assert sorted(counts) == sorted(examples())
    assert gallery.main([str(tmp_path / "drawn")]) == 0 and gallery.main([]) == 2
    shown = [tile for tile in gallery.tiles(tmp_path / "drawn", []) if tile.drawn]
    assert {tile.kind for tile in shown} == {"image", "audio", "text"} and len(shown) == len(counts)


def test_a_damaged_preview_is_reported(tmp_path, model):
    (model / "previews" / "00000002-latent_map.png").write_bytes(b"")
    assert "00000002-latent_map.png cannot be read" in write(tmp_path, model_folder=model)[0]


def test_the_commands_of_the_demo_are_commands():
    """Recipes exist, and their fields and the models' options are right: the demo should not find out after minutes."""
    for model in main_job.MODELS:
        recipe = recipe_with(model.topic, model.recipe, list(model.changes))
        if model.changes:
            assert recipe.target is not None and recipe.steps < recipe_with(model.topic, model.recipe, []).steps
    assert [title for title, _ in main_job.checks(everything=False)] == ["derivations", "contracts"]
    assert [model.kind for model in main_job.MODELS] == ["images", "text", "sound"]
    (text,) = (model for model in main_job.MODELS if model.kind == "text")
    changed(Writing(), [w for w in text.sampling if w not in ("--count", "2")], "text", "sample")


def test_claims_become_mathematics():
    mathml = to_mathml(r"\arg\min_q \mathrm{KL}(q\,\|\,p) = \log x")
    assert mathml.startswith("<math") and "\\" not in mathml
    assert "log</mi><mspace" in mathml


@pytest.mark.parametrize(
    ("claim", "pieces"),
    [
        (r"a = b", ["a", "=b"]),
        (r"f(a + b) = (c = d)_k \le e", ["f(a+b)", "=(c=d)k", "≤e"]),  # not within parentheses, also where they bear an index
        (r"a \iff b, \quad x > 0", ["a", "⟺b,", "x", ">0"]),
        (r"-a - b", ["-a-b"]),
        ("a_1 + " * 12 + "b = c", ["a1", *["+a1"] * 11, "+b", "=c"]),  # long: also at its signs
        (r"a \text{ if and only if } b", ["a\u00a0if\u00a0and\u00a0only\u00a0if\u00a0b"]),
    ],
)
def test_a_line_of_mathematics_may_break(claim, pieces):
    """Between pieces, each a separate element: browsers do not break inside one."""
    found = [unescape(re.sub("<[^>]*>", "", piece)).replace("−", "-") for piece in to_mathml(claim).split("<wbr>")]
    assert found == pieces


def test_a_sign_at_the_beginning_of_a_piece_keeps_its_space():
    second = to_mathml("a = b").split("<wbr>")[1]
    assert '<mo form="infix">=</mo>' in second and second.startswith('<math displaystyle="true">')


@pytest.mark.parametrize("claim", [r"\Big\| x \Big\|", r"\#\{i\} = \Big\{ i \Big\}", r"\Big\lfloor x \Big\rfloor"])
def test_large_delimiters_are_characters(claim):
    assert to_mathml(claim).startswith("<math") and "\\" not in to_mathml(claim)


def test_a_claim_that_cannot_be_converted_stays_readable():
    text = to_mathml(r"\notacommand{x} = y")
    assert "<math" not in text and "x" in text and "= y" in text


@pytest.mark.parametrize("break_it", ["step", "row", "target", "no derivations", "no contracts", "no model", "nothing compared"])
def test_no_failure_is_hidden(tmp_path, model, break_it):
    derivations, contracts, folder = copy.deepcopy(DERIVATIONS), copy.deepcopy(CONTRACTS), model
    if break_it == "step":
        record = derivations["derivations"][0]
        record["passed"] = record["claims"][0]["passed"] = False
        record["claims"][0] |= {"residual": 0.5, "error": "left is 1, right is 2"}
    elif break_it == "row":
        contracts["passed"] = contracts["topics"][0]["passed"] = contracts["results"][0]["passed"] = False
        contracts["results"][0] |= {"ratio": None, "message": "the shape is [2], expected [3]"}
    elif break_it == "target":
        evaluation = json.loads((model / "evaluation.json").read_text()) | {"value": 19.0, "passed": False}
        (model / "evaluation.json").write_text(json.dumps(evaluation))
    elif break_it == "nothing compared":
        contracts["results"] = []
    derivations = None if break_it == "no derivations" else derivations
    contracts = None if break_it == "no contracts" else contracts
    folder = tmp_path / "none" if break_it == "no model" else folder
    text, verdicts = write(tmp_path, derivations, contracts, folder)
    assert sum(not verdict.passed for verdict in verdicts) == 1
    reported = {"step": "left is 1, right is 2", "row": "the shape is [2], expected [3]", "target": "missed"}
    assert reported.get(break_it, 'li class="failed"') in text


def test_a_failed_command_is_reported_once(tmp_path, model):
    failed = [page.Command("samples", "python -m practice_torch sample", 1.0, 0.9, 10**8, 3)]
    assert [v.words for v in write(tmp_path, model_folder=model, commands=failed)[1] if not v.passed] == [
        "python -m practice_torch sample ended with exit code 3"
    ]
    explained = [page.Command("contracts", "python -m shared_specs check", 1.0, 0.9, 10**8, 1)]
    verdicts = write(tmp_path, contracts=None, model_folder=model, commands=explained)[1]
    assert sum(not verdict.passed for verdict in verdicts) == 1


@pytest.mark.parametrize(("exit_code", "expected", "words"), [("0", 0, []), ("1", 1, ["--all"])])
def test_the_main_job_runs_the_commands_and_writes_the_page(tmp_path, model, monkeypatch, capfd, exit_code, expected, words):
    folder = tmp_path / "runs" / "demo"
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    monkeypatch.setattr(main_job, "FOLDER", str(folder))
    checks, asked = [(name, ("tests.support.commands.demo_answers", name)) for name in ("derivations", "contracts")], []
    monkeypatch.setattr(main_job, "drawing", lambda: ("gallery", ("tests.support.commands.demo_answers", "gallery")))
    monkeypatch.setattr(main_job, "checks", lambda everything: asked.append(everything) or checks)
    answers = "tests.support.commands.demo_answers"
    parts = [("training", (answers, "training", exit_code)), ("sampling", (answers, "sampling"))]
    monkeypatch.setattr(main_job, "MODELS", [SimpleNamespace(kind="images", folder=str(model), parts=parts)])
    assert main_job.main(words) == expected and asked == [bool(words)]
    assert (folder / "index.html").is_file()
    shown = capfd.readouterr()
    assert "progress of contracts" in shown.err and "images  progress of training" in shown.err
    assert "images  δ of a training" in shown.err
    assert ("exit code 1" in shown.err) == (expected == 1)
    assert ("images  progress of sampling" in shown.err) == (expected == 0)  # of a model that was not trained none are drawn


# ---------------------------------------------------------------------------------------------------- the folder


def fill(folder, **files):
    with replaced_folder(folder) as notes:
        for name, text in files.items():
            (folder / name).write_text(text)
    return notes


def test_a_folder_is_replaced(tmp_path):
    folder = tmp_path / "runs" / "demo"
    assert fill(folder, page="old", only_once="x") == []
    assert fill(folder, page="new") == []
    assert (folder / "page").read_text() == "new" and not (folder / "only_once").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["demo"]


def test_what_someone_else_put_there_is_kept(tmp_path):
    folder = tmp_path / "demo"
    fill(folder, page="old")
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("dear")
    (note,) = fill(folder, page="new")
    assert "notes/mine.txt" in note and str(tmp_path / "demo-1") in note
    assert (tmp_path / "demo-1" / "notes" / "mine.txt").read_text() == "dear"
    assert (folder / "page").read_text() == "new"


@pytest.mark.parametrize("foreign", ["a folder the demo never saw", "a file in its place", "a link to elsewhere"])
def test_nothing_foreign_is_deleted(tmp_path, foreign):
    folder, elsewhere = tmp_path / "demo", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("dear")
    if foreign.startswith("a folder"):
        elsewhere.rename(folder)
    elif foreign.startswith("a file"):
        folder.write_text("dear")
    else:
        folder.symlink_to(elsewhere)
    assert len(fill(folder, page="new")) == 1
    kept = tmp_path / "demo-1"
    assert (kept if foreign.startswith("a file") else kept / "mine.txt").read_text() == "dear"
    assert (folder / "page").read_text() == "new"


def test_an_interrupted_run_leaves_the_former_page(tmp_path):
    folder = tmp_path / "demo"
    fill(folder, page="old")
    with pytest.raises(KeyboardInterrupt), replaced_folder(folder):
        (folder / "page").write_text("half")
        raise KeyboardInterrupt
    assert (folder / "page").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert fill(folder, page="new") == []
