"""python -m practice_torch: output, files and exit codes."""

import contextlib
import io
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from practice_torch.__main__ import main
from practice_torch.commands.training import recipe_with
from practice_torch.engine import artifacts, estimate
from practice_torch.engine.errors import RunError
from practice_torch.engine.storage.checkpoint import MANIFEST, STATE
from tests.engine.test_engine_checkpoint import resign
from tests.judging.test_published_metrics import Pooled
from tests.support.data.files import shared

ROOT = Path(__file__).parents[2]
QUICK = ("--steps", "3", "--samples", "2", "--log-every", "2")
VAE = ("latent/vae", "digits")


def call(*arguments):
    """(exit code, stdout, stderr) of a command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit:  # --help
            code = exit.code
    return code, out.getvalue(), err.getvalue()


def refused(code, *arguments):
    """The one line of complaint of a command line that must end with `code`."""
    ended, out, err = call(*arguments)
    lines = err.strip().splitlines()
    assert ended == code, (ended, err)
    assert len(lines) == 1 and lines[0].startswith("error: ") and "internal error" not in err, err
    assert not out
    return lines[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of three steps. Tests that damage it take a copy."""
    folder = tmp_path_factory.mktemp("runs") / "vae"
    code, out, err = call("train", *VAE, "--run", folder, *QUICK)
    assert code == 0, err
    assert "negative_elbo" in out and "target <= 18.5 MISSED" in out
    return folder


@pytest.fixture
def copy(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "copy")


# ---------------------------------------------------------------------------------------------------- help and lists


@pytest.mark.parametrize("command", ["list", "prepare", "train", "sample", "evaluate", "report", "project", "import", "export"])
def test_every_command_has_help(command):
    code, out, _ = call(command, "--help")
    assert code == 0 and f"practice_torch {command}" in out
    assert command in call("--help")[1]


def test_a_recipes_help_shows_its_fields_with_their_meaning():
    code, out, _ = call("train", *VAE, "--help")
    assert code == 0
    for flag in ("--data", "--steps", "--seed", "--checkpoint-every", "--learning-rate", "--latent-dim"):
        assert re.search(rf"^\W+{flag[2:]} ", out, re.MULTILINE), flag
    assert "Step size of Adam." in out and "(default: 0.002; positive)" in out
    assert "--metric" not in out and "--direction" not in out


def test_listing_and_helping_need_no_torch():
    """Measured in a fresh interpreter: torch alone would take seconds."""
    script = (
        "import sys\nfrom practice_torch.__main__ import main\n"
        "for words in (['list'], ['list', '--json'], ['train', 'latent/vea', 'x'], ['train']): main(words)\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, 'sklearn' in sys.modules, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "False False False", done.stderr


def test_the_list_is_of_what_can_be_trained():
    code, out, _ = call("list", "--json")
    listed = json.loads(out)["topics"]
    topics, studies = ({row["topic"]: row[key] for row in listed} for key in ("recipes", "study"))
    assert code == 0
    assert topics["latent/vae"] == ["digits", "notes", "mnist", "cifar10", "celeba"]
    assert topics["foundations/maximum_likelihood"] == ["unigram", "bigram", "pixels"]
    assert "foundations/jensen" not in topics
    for path, recipes in topics.items():
        module = __import__(f"practice_torch.experiments.{path.replace('/', '.')}", fromlist=["RECIPES"])
        assert recipes == list(module.RECIPES)
        assert all(len(recipe.fields()) > 10 for recipe in module.RECIPES.values())
        own = [thing for thing in vars(module).values() if isinstance(thing, type) and thing.__module__ == module.__name__]
        assert studies[path] is any(hasattr(thing, "study") for thing in own), path
    assert studies["diffusion/training"] and not studies["latent/vae"]
    said = call("list")[1]
    assert said.count("has a study") == sum(studies.values()) and "evaluate RUN --study" in said


def test_drawn_text_is_printed_as_a_terminal_can_show_it(tmp_path, monkeypatch):
    code, _, err = call("train", "maximum_likelihood", "unigram", "--run", tmp_path / "run")
    assert code == 0, err
    code, out, err = call("sample", tmp_path / "run", "--count", "3")
    path, *lines = out.splitlines()
    assert code == 0 and Path(path).read_text().splitlines() == lines and len(lines) == 3, err
    text = artifacts.Text("a\x1b[2Jb\x07\tc\nd")
    table = "practice_torch.experiments.foundations.maximum_likelihood.CharacterTable"
    monkeypatch.setattr(f"{table}.sample", lambda self, count: {"text": text})
    printed = call("sample", tmp_path / "run")[1].splitlines()[1:]
    assert printed == ["a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}\tc", "d"]


def test_every_field_of_every_recipe_has_a_line_of_help():
    """Fields are declared by the class of a recipe: one of each class is asked."""
    for row in json.loads(call("list", "--json")[1])["topics"]:
        kinds = {type(recipe_with(row["topic"], recipe, [])): recipe for recipe in reversed(row["recipes"])}
        for recipe in kinds.values():
            code, out, _ = call("train", row["topic"], recipe, "--help")
            assert code == 0
            # a flag, its type in capitals or braces, and then words until the default
            flags = re.split(r"^\W+--(?=[a-z])", out, flags=re.MULTILINE)[1:]
            assert len(flags) > 15
            for text in flags:
                flag, *words = re.sub(r"\(default:.*", "", " ".join(text.split())).split()
                assert sum(word.strip(",.;:").islower() for word in words) >= 2, (row["topic"], recipe, flag, text)


# ---------------------------------------------------------------------------------------------------- usage errors: 2


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ("", "which command? list, prepare, train"),
        ("trian latent/vae digits", "unknown command 'trian'; did you mean train?"),
        ("train", "train takes TOPIC and RECIPE"),
        ("train latent/vae", "train takes TOPIC and RECIPE"),
        ("train --steps 5 latent/vae digits", "train takes TOPIC and RECIPE"),
        ("train latent/vae digits more", "given: latent/vae digits more"),
        ("train latent/vea digits", "no topic 'latent/vea'; did you mean latent/vae"),
        ("train 99 digits", "no lecture 99; the course has lectures 1..56"),
        ("train foundations/jensen digits", "foundations/jensen trains nothing; topics that train: "),
        ("train foundations/unbuilt_urn digits", "foundations/unbuilt_urn is planned, not built yet"),
        ("train latent/vae digts", "no recipe 'digts'; did you mean digits?"),
        ("train latent/vae digits --steps 0", "steps is 0; it must be at least 1"),
        ("train latent/vae digits --steps -3", "steps is -3"),
        ("train latent/vae digits --steps many", "--steps: invalid literal"),
        ("train latent/vae digits --steps", "Missing value for argument '--steps'"),
        ("train latent/vae digits --learning-rate -1", "learning_rate is -1.0; it must be positive and finite"),
        ("train latent/vae digits --learning-rate nan", "learning_rate is nan"),
        ("train latent/vae digits --learning-rate inf", "learning_rate is inf"),
        ("train latent/vae digits --held-out 1", "held_out is 1.0; it must be positive and less than 1"),
        ("train latent/vae digits --batch-size 0", "batch_size is 0"),
        ("train latent/vae digits --checkpoint-every 0", "checkpoint_every is 0"),
        ("train latent/vae digits --seed -1", "seed is -1"),
        ("train latent/vae digits --precision half", "invalid choice 'half'"),
        ("train latent/vae digits --hidden-dims 0", "hidden_dims is (0,)"),
        ("train latent/vae digits --stpes 5", "unknown argument '--stpes' of latent/vae digits; did you mean --steps?"),
        ("train latent/vae digits --learning_rat 5", "did you mean --learning-rate?"),
        ("train latent/vae digits --metric kl", "unknown argument '--metric'"),
        ("train latent/vae digits --compile", "unknown argument '--compile' of latent/vae digits; did you mean --no-compile?"),
        ("train latent/vae digits --no-compile --steps 0", "steps is 0; it must be at least 1"),
        ("train foundations/maximum_likelihood bigram --steps 2", "steps is 2; it must be 1"),
        ("train --resume somewhere --seed 5", "--resume takes RUN and --steps alone (given: --seed)"),
        ("train latent/vae digits --resume somewhere", "--resume takes RUN and --steps alone (given: latent/vae)"),
        ("sample", "RUN"),
        ("sample somewhere --count 0", "count is 0"),
        ("sample somewhere --seed -1", "seed is -1"),
        ("sample --prompt somewhere", "Missing value for argument 'run'"),
        ("report --otu x", "unknown argument '--otu' of report; did you mean --out?"),
    ],
)
@pytest.mark.usefixtures("planned_topics")
def test_usage_errors(line, because):
    assert because in refused(2, *shlex.split(line))


def test_a_traceback_only_with_debug(tmp_path):
    refused(3, "sample", tmp_path)
    with pytest.raises(RunError, match="no recipe.json"):
        call("sample", tmp_path, "--debug")


# ---------------------------------------------------------------------------------------------------- bad data: 3


def image(path, height=6, width=5):
    pixels = np.random.default_rng(3).integers(0, 256, (height, width), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def bad_data(kind, folder):
    """A source that must be refused."""
    source = folder / "data"
    if kind == "missing":
        return source
    if kind == "empty folder":
        source.mkdir()
    elif kind == "mixed sizes":
        for number in range(6):
            image(source / f"{number}.png", height=6 + number % 2)
    elif kind == "truncated image":
        for number in range(6):
            image(source / f"{number}.png")
        content = (source / "3.png").read_bytes()
        (source / "3.png").write_bytes(content[: len(content) // 2])
    elif kind == "no image":
        image(source / "0.png")
        (source / "1.png").write_text("this is a letter, not a picture")
    else:
        images, labels = np.zeros((6, 4, 4), np.float32), np.arange(6)
        source = folder / "data.npz"
        if kind == "NaN":
            images[2, 1, 1] = np.nan
        elif kind == "pixels out of range":
            images[2, 1, 1] = -3.0
        elif kind == "labels out of range":
            labels[4] = -1
        elif kind == "labels too few":
            labels = labels[:5]
        np.savez(source, images=images, labels=labels)
        if kind == "empty file":
            source.write_bytes(b"")
        elif kind == "truncated file":
            source.write_bytes(source.read_bytes()[:200])
        elif kind == "pickled":
            np.savez(source, images=np.array([{"a": 1}], dtype=object))
        elif kind == "unknown format":
            source = source.rename(folder / "data.xyz")
    return source


KINDS = (
    "missing",
    "empty folder",
    "mixed sizes",
    "truncated image",
    "no image",
    "NaN",
    "pixels out of range",
    "labels out of range",
    "labels too few",
    "empty file",
    "truncated file",
    "pickled",
    "unknown format",
)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_data(tmp_path, kind):
    source = bad_data(kind, tmp_path)
    assert str(source) in refused(3, "train", *VAE, "--run", tmp_path / "run", "--data", source, *QUICK)
    assert not (tmp_path / "run").exists()


def test_bad_text(tmp_path):
    (tmp_path / "latin.txt").write_bytes("Grüße".encode("latin-1") * 100)
    source = tmp_path / "latin.txt"
    assert "is not UTF-8" in refused(3, "train", "maximum_likelihood", "bigram", "--run", tmp_path / "run", "--data", source)
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------------------------------------------- the output folder: 3


def test_an_output_folder_that_cannot_be_written(tmp_path):
    """A path below a file: read-only folders would not stop root."""
    (tmp_path / "file").write_text("")
    message = refused(3, "train", *VAE, "--run", tmp_path / "file" / "run", *QUICK)
    assert "cannot make the run folder" in message and "Not a directory" in message


def test_an_output_folder_that_is_taken(trained):
    before = sorted(path.name for path in trained.iterdir())
    assert "is not empty" in refused(3, "train", *VAE, "--run", trained, *QUICK)
    assert sorted(path.name for path in trained.iterdir()) == before


@pytest.mark.parametrize("size", [10, 2000])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, size):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
    try:
        message = refused(3, "train", *VAE, "--run", tmp_path / "run", *QUICK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "cannot write" in message and "File too large" in message
    assert not (tmp_path / "run").exists()


def test_samples_that_cannot_be_written(trained, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write into" in refused(3, "sample", trained, "--out", tmp_path / "file" / "samples")


# ---------------------------------------------------------------------------------------------------- run folders: 3


@pytest.mark.parametrize("command", ["sample", "evaluate", "report", "train --resume"])
def test_what_is_no_run_folder(command, tmp_path):
    assert "does not exist" in refused(3, *command.split(), tmp_path / "nowhere")
    assert "it has no recipe.json" in refused(3, *command.split(), tmp_path)
    torch.save({"weight": torch.zeros(3)}, tmp_path / "model.pt")
    assert "is a file, not a run folder" in refused(3, *command.split(), tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("damage", "because"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-100]), "truncated"),
        (lambda file: file.write_bytes(file.read_bytes()[:-100] + bytes(100)), "corrupt"),
        (lambda file: torch.save({"weight": torch.zeros(3)}, file), "is a pickle"),
        (lambda file: file.unlink(), "cannot be read"),
        (lambda file: (file.parent / MANIFEST).write_text('{"format": "pt"}'), "not written by this engine"),
    ],
    ids=["truncated", "corrupt", "pickled", "missing", "foreign"],
)
@pytest.mark.parametrize("command", ["sample", "evaluate", "train --resume"])
def test_damaged_checkpoints(copy, command, damage, because):
    for checkpoint in (copy / "checkpoints").iterdir():
        damage(checkpoint / STATE)
    assert because in refused(3, *command.split(), copy)


def test_a_damaged_newest_checkpoint_is_reported_and_the_previous_is_used(copy):
    state = max((copy / "checkpoints").iterdir()) / STATE
    state.write_bytes(state.read_bytes()[:-1])
    code, out, err = call("sample", copy)
    assert code == 0 and "warning: " in err and "going back to step-00000000" in err
    assert Path(out.strip()).is_file()


@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_a_checkpoint_signed_again_with_nan_is_reported_and_skipped(copy, command):
    """Its checksums are right; samples of it would be noise, and its evaluation NaN."""
    newest = copy / "checkpoints" / "step-00000003"
    resign(newest, lambda tensors, facts: tensors["experiment/network.logits.bias"].fill_(float("nan")))
    _, _, err = call(command, copy)
    assert len(err.splitlines()) == 1
    assert "not finite, in network.logits.bias; going back to step-00000000" in err
    shutil.rmtree(copy / "checkpoints" / "step-00000000")
    assert "not finite, in network.logits.bias" in refused(3, command, copy)


def test_resuming_next_to_a_writer_changes_nothing(copy):
    from practice_torch.engine.storage.run import Run

    writer = Run.open(copy)
    writer.lock.take()
    with open(copy / "metrics.csv", "a") as file:
        file.write("4,train,loss,0.5\n")
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert "is being written by another process" in refused(3, "train", "--resume", copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    writer.lock.release()


LONG = "n" * 300


@pytest.mark.parametrize("name", [LONG, f"{LONG}/run", "/".join(["folder"] * 800)], ids=["name", "parent", "path"])
def test_names_that_no_file_system_holds(trained, tmp_path, name):
    for words in (("train", *VAE, *QUICK, "--run"), ("train", "--resume"), ("sample",), ("evaluate",), ("report",)):
        assert "File name too long" in refused(3, *words, tmp_path / name)
    assert "File name too long" in refused(3, "sample", trained, "--out", tmp_path / name)
    assert "File name too long" in refused(3, "report", trained, "--out", tmp_path / name)


def test_a_folder_that_may_not_be_written(copy):
    (copy / ".lock").unlink()
    (copy / ".lock").mkdir()  # root may write into read-only folders: this is as good
    assert "cannot write into" in refused(3, "train", "--resume", copy)


@pytest.mark.parametrize(
    "fields", [f"--hidden-dims {10**15}", f"--latent-dim {10**15}", f"--latent-dim {4 * 10**18}", f"--samples {10**15}"]
)
def test_sizes_that_no_memory_holds(tmp_path, fields):
    words = ("train", *VAE, "--run", tmp_path / "run", "--steps", "1", *fields.split())
    assert "does not fit into the memory: lower --batch-size" in refused(3, *words)


def test_batches_that_no_memory_holds(tmp_path):
    words = ("train", "variational_divergence", "gaussians", "--run", tmp_path / "run", "--batch-size", 10**15)
    assert "does not fit into the memory: lower --batch-size" in refused(3, *words)


@pytest.mark.parametrize("field", ["--steps", "--latent-dim", "--hidden-dims", "--log-every"])
def test_sizes_that_no_tensor_has(field):
    assert "must be less than 2^63" in refused(2, "train", *VAE, field, 10**30)


def test_samples_that_no_memory_holds(trained):
    assert "does not fit into the memory" in refused(3, "sample", trained, "--count", 10**15)
    assert "less than 2^63" in refused(2, "sample", trained, "--count", 10**30)


def test_a_report_that_fails_does_not_undo_the_training(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise TypeError("a curve of\nnothing")

    monkeypatch.setattr("practice_torch.reports.report.write_report", broken)
    code, out, err = call("train", *VAE, "--run", tmp_path / "run", *QUICK)
    assert code == 0 and "negative_elbo" in out
    (warning,) = (line for line in err.splitlines() if "warning" in line)
    assert warning.startswith("warning: no report (TypeError: a curve of nothing); `")
    assert f"report {tmp_path / 'run'}` writes it again" in warning
    assert "internal error TypeError: a curve of nothing; please report it" in call("report", tmp_path / "run")[2]


def test_a_recipe_json_that_does_not_fit(copy):
    asked = json.loads((copy / "recipe.json").read_text())
    for change, because in (
        ({"recipe": "nothing"}, "latent/vae nothing, which does not exist here"),
        ({"topic": "../secret"}, "which does not exist here"),
        ({"fields": asked["fields"] | {"steps": 0}}, "steps is 0"),
        ({"fields": asked["fields"] | {"colour": "red"}}, "colour"),
        ({"fields": asked["fields"] | {"latent_dim": 5}}, "of another model"),
    ):
        (copy / "recipe.json").write_text(json.dumps(asked | change))
        assert because in refused(3, "sample", copy), change


@pytest.mark.parametrize("command", ["sample", "evaluate", "train --resume", "report"])
def test_a_recipe_json_of_other_types(copy, command):
    """As edited by hand: every value that a command reads has another type once."""
    asked = json.loads((copy / "recipe.json").read_text())
    strange = (None, 3, [], [[]], {}, "x")
    changes = [{key: value} for key in ("topic", "recipe", "fields", "data") for value in strange]
    changes += [{"fields": asked["fields"] | {key: value}} for key in ("steps", "hidden_dims") for value in strange[3:]]
    strange = (None, 3, [[]], {}, [10**9] * 3)
    changes += [{"data": asked["data"] | {key: value}} for key in ("sha256", "shape") for value in strange]
    for change in changes:
        (copy / "recipe.json").write_text(json.dumps(asked | change))
        code, _, err = call(*command.split(), copy)
        assert code in (0, 1, 3) and "internal error" not in err, (change, err)


def test_data_that_changed_since_are_refused(tmp_path):
    np.savez(tmp_path / "data.npz", images=np.random.default_rng(1).random((40, 6, 5), np.float32))
    assert call("train", *VAE, "--run", tmp_path / "run", "--data", tmp_path / "data.npz", *QUICK)[0] == 0
    asked = json.loads((tmp_path / "run" / "recipe.json").read_text())
    for fact, then in (("count", asked["data"]["count"] + 1), ("shape", [1, 5, 6])):  # the same file, cut in another way
        (tmp_path / "run" / "recipe.json").write_text(json.dumps(asked | {"data": asked["data"] | {fact: then}}))
        assert "has changed since" in refused(3, "train", "--resume", tmp_path / "run"), fact
    (tmp_path / "run" / "recipe.json").write_text(json.dumps(asked))
    np.savez(tmp_path / "data.npz", images=np.random.default_rng(2).random((40, 6, 5), np.float32))
    for command in ("evaluate", "train --resume"):
        assert "has changed since" in refused(3, *command.split(), tmp_path / "run")
    assert call("sample", tmp_path / "run")[0] == 0  # sampling needs no data


# ---------------------------------------------------------------------------------------------------- what works


def test_what_a_training_leaves(trained):
    asked = json.loads((trained / "recipe.json").read_text())
    assert (asked["topic"], asked["recipe"], asked["fields"]["steps"]) == ("latent/vae", "digits", 3)
    assert {"prior_samples", "reconstructions", "interpolations", "latent_map"} == {
        path.stem.split("-", 1)[1] for path in (trained / "previews").glob("*.png")
    }
    for path in (trained / "previews").glob("*.png"):
        assert min(Image.open(path).size) > 100
    assert "<html" in (trained / "report.html").read_text()
    command = json.loads((trained / "environment.json").read_text())["command"]
    assert command.startswith("python ")


def test_the_same_seed_draws_the_same(trained, tmp_path):
    def drawn(folder, *options):
        copied = shutil.copytree(trained, tmp_path / folder)
        code, out, _ = call("sample", copied, *options)
        assert code == 0
        return Path(out.strip()).read_bytes()

    first = drawn("a", "--count", 5, "--seed", 7)
    assert drawn("b", "--count", 5, "--seed", 7) == first != drawn("c", "--count", 5, "--seed", 8)
    assert Image.open(io.BytesIO(drawn("d", "--count", 17))).height > Image.open(io.BytesIO(first)).height


def test_a_model_without_options_of_sampling(trained):
    message = refused(2, "sample", trained, "--cuont", 4)
    assert "unknown argument '--cuont' of sample (and latent/vae has no further options); did you mean --count?" in message
    code, out, _ = call("sample", trained, "--help")
    assert code == 0 and "Number of samples." in out


def test_a_model_without_a_study(copy):
    assert "latent/vae has no study: leave --study out" in refused(2, "evaluate", copy, "--study")


def test_samples_are_judged_with_a_baseline_and_real_data(copy, monkeypatch):
    monkeypatch.setattr(estimate, "_SPLITS", 3)
    code, out, err = call("evaluate", copy, "--samples", "60")
    assert code == 1 and not err  # the target is missed after three steps
    assert "60 samples" in out and "baseline" in out and "principal components" in out
    found = json.loads((copy / "sample_metrics.json").read_text())
    assert "Metrics of samples" in (copy / "report.html").read_text()
    assert (found["samples"], found["step"]) == (60, 3)
    assert all(f"{metric['samples']['value']:.3g} " in out for metric in found["metrics"].values())
    distance = found["metrics"]["frechet_distance"]
    assert distance["real"]["value"] < distance["samples"]["value"]
    assert distance["meaning"] and distance["samples"]["low"] < distance["samples"]["high"]
    again = call("evaluate", copy, "--samples", "60")[1]
    assert again == out  # its own random numbers


def test_samples_are_judged_as_published(copy, tmp_path, monkeypatch):
    """All of them next to the whole training set, from files: those of `sample --out`, or drawn into the run's folder."""
    network, weights = Pooled(), tmp_path / "weights.pth"
    weights.write_bytes(b"weights")
    monkeypatch.setattr("practice_torch.experiments.judging.published_samples.load_inception", lambda path, resize: network)
    monkeypatch.setenv("DIPTYCH_CACHE", str(tmp_path / "cache"))
    code, out, err = call("evaluate", copy, "--samples", 40, "--inception", weights, "--cpu")
    assert code == 1 and "the train part of digits (1,438 images)" in out  # the target is missed after three steps
    assert len(network.batches) == 45 + 2 and not err
    found = json.loads((copy / "published_metrics.json").read_text())
    assert (found["samples"], found["reference_images"], found["step"]) == (40, 1438, 3)
    assert set(found["metrics"]) == {"frechet_distance", "kernel_distance", "precision", "recall", "inception_score"}
    assert "Metrics by Inception" in (copy / "report.html").read_text()
    drawn = copy / "samples" / "judged-step3-40"
    assert len([*drawn.glob("*.png")]) == 40
    assert call("sample", copy, "--count", 40, "--out", tmp_path / "out", "--cpu")[0] == 0
    assert all((tmp_path / "out" / path.name).read_bytes() == path.read_bytes() for path in drawn.glob("*.png"))
    files = call("evaluate", copy, "--samples", tmp_path / "out", "--inception", weights, "--cpu")
    again = json.loads((copy / "published_metrics.json").read_text())
    assert files[0] == 1 and again == found | {"folder": str(tmp_path / "out")}
    assert len(network.batches) == 45 + 4, "the statistics of the training set were computed again"
    others = refused(3, "evaluate", copy, "--samples", 40, "--inception", weights, "--against", tmp_path, "--cpu")
    assert "pixels, the samples 8 x 8: bring the reference to the size of the samples" in others


def test_samples_that_cannot_be_judged_are_refused(copy, tmp_path):
    assert "also give --inception FILE" in refused(2, "evaluate", copy, "--samples", "20", "--against", "train")
    assert "also give --samples" in refused(2, "evaluate", copy, "--float32")
    assert "also give --inception FILE" in refused(2, "evaluate", copy, "--samples", tmp_path)
    assert "it must be a number, at least 20, or a folder" in refused(2, "evaluate", copy, "--samples", tmp_path / "none")
    assert "samples is 19; it must be at least 20" in refused(2, "evaluate", copy, "--samples", "19")
    assert "also give --samples" in refused(2, "evaluate", copy, "--inception", "weights.pth")
    fields = json.loads((copy / "recipe.json").read_text())
    assert "does not exist" in refused(3, "evaluate", tmp_path / "none", "--samples", "20")
    missing = refused(3, "evaluate", copy, "--samples", "20", "--inception", tmp_path / "none.pth")
    assert "is no file; it must be pt_inception-2015-12-05-6726825d.pth" in missing
    fields["fields"]["steps"] = 9
    (copy / "recipe.json").write_text(json.dumps(fields))
    assert "is unfinished, at step 3 of 9: finish it with `train --resume" in refused(3, "evaluate", copy, "--samples", "20")


def test_evaluating_again_finds_the_same(copy):
    before = json.loads((copy / "evaluation.json").read_text())
    (copy / "evaluation.json").unlink()
    code, out, _ = call("evaluate", copy)
    assert code == 1 and "MISSED" in out  # three steps are not enough, and the exit code is 1
    assert json.loads((copy / "evaluation.json").read_text()) == before
    assert before["passed"] is False and before["target"] == 18.5 and before["step"] == 3


def test_the_report_is_written_again(copy):
    (copy / "report.html").unlink()
    code, out, _ = call("report", copy)
    assert code == 0 and Path(out.strip()) == copy / "report.html" and (copy / "report.html").is_file()


def test_a_finished_run_stays_as_it_is(copy):
    before = (copy / "metrics.csv").read_bytes()
    code, _, err = call("train", "--resume", copy)
    assert code == 0 and "continuing after step 3 of 3" in err
    assert (copy / "metrics.csv").read_bytes() == before


def test_topics_may_be_named_by_a_part_or_by_their_lecture(tmp_path):
    for name in ("maximum_likelihood", "foundations/maximum_likelihood"):
        code, out, _ = call("train", name, "pixels", "--run", tmp_path / name.replace("/", "-"))
        assert code == 0 and "reached" in out


@pytest.mark.parametrize("recipe", ["unigram", "bigram"])
def test_the_character_tables_reach_what_counting_reaches(tmp_path, recipe):
    code, out, _ = call("train", "maximum_likelihood", recipe, "--run", tmp_path / "run")
    assert code == 0
    if sys.version_info[:2] == (3, 11):  # the pages differ from version to version
        assert "reached" in out
        measured = {"unigram": 3.24, "bigram": 2.32}[recipe]
        assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["value"] == pytest.approx(measured, abs=0.01)
    assert call("sample", tmp_path / "run", "--count", 3)[0] == 0
    lines = (tmp_path / "run" / "samples" / "seed0-text.txt").read_text().splitlines()
    assert [len(line) for line in lines] == [72, 72, 72]


def test_a_model_without_hidden_layers(tmp_path):
    code, _, err = call("train", *VAE, "--run", tmp_path / "run", *QUICK, "--hidden-dims")
    assert code == 0, err


def test_other_data_have_no_target(tmp_path):
    np.savez(tmp_path / "data.npz", images=np.random.default_rng(1).random((40, 6, 5), np.float32))
    code, out, _ = call("train", *VAE, "--run", tmp_path / "run", "--data", tmp_path / "data.npz", *QUICK)
    assert code == 0 and "no target was set for this data" in out
    code, out, _ = call("train", *VAE, "--run", tmp_path / "own", "--data", tmp_path / "data.npz", "--target", "99", *QUICK)
    assert code == 0 and "target <= 99 reached" in out


def test_a_folder_of_colored_images_and_real_pixels(tmp_path):
    for number in range(12):
        folder = tmp_path / "data" / ("cats" if number % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (6, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    code, _, err = call("train", "latent/vae", "cifar10", "--run", tmp_path / "run", "--data", tmp_path / "data", *QUICK)
    assert code == 0, err
    metrics = json.loads((tmp_path / "run" / "evaluation.json").read_text())["metrics"]
    assert "importance_weighted" not in metrics and np.isfinite(list(metrics.values())).all()


def test_the_data_of_a_recipe_name_the_command_that_makes_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = call("train", "transformer", "gpt2")
    assert code == 3 and err.startswith("error: data 'openwebtext' does not exist: it is OpenWebText, 8 million documents")
    assert "make it with `python -m practice_torch prepare text openwebtext_parquet --tokens tiktoken:gpt2 --out open" in err
    code, _, err = call("train", "transformer", "gpt2", "--data", "elsewhere")
    assert code == 3 and "a UTF-8 text file or a folder that `prepare text` wrote" in err


def test_steps_alone_shorten_the_warm_up(tmp_path):
    recipe = recipe_with("autoregressive/wavenet", "notes", [])
    assert (recipe.warmup_steps, recipe.steps) == (50, 2000)
    for words, warmup_steps in ((["--steps", "60"], 50), (["--steps=40"], 1), (["--steps", "2"], 0)):
        assert recipe_with("autoregressive/wavenet", "notes", words).warmup_steps == warmup_steps
    small = ("--length", "64", "--doublings", "2", "--residual-channels", "2", "--skip-channels", "2", "--batch-size", "2")
    code, _, err = call("train", "wavenet", "notes", "--steps", "2", "--run", tmp_path / "run", *small)
    assert code == 0, err
    assert "note: the warm-up of 50 of the recipe's 2000 steps is now 0 of 2; --warmup-steps sets another" in err
    code, _, err = call("train", "wavenet", "notes", "--steps", "30", "--warmup_steps", "40")
    assert (code, err) == (2, "error: warmup_steps is 40; it must be less than steps (30)\n")


def test_real_images(tmp_path):
    source = shared("mnist10k.npz")
    code, _, err = call("train", "latent/vae", "mnist", "--run", tmp_path / "run", "--data", source, *QUICK, "--held-out", "0.01")
    assert code == 0, err


def test_a_signal_saves_and_prints_how_to_resume(tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    folder = tmp_path / "my run"
    words = [sys.executable, "-m", "practice_torch", "train", *VAE, "--run", str(folder), "--steps", "100000"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)}  # also where the tests run under nohup
    with subprocess.Popen(words, cwd=ROOT, env=environment, **pipes, **heard) as process:
        while not (folder / "times.csv").is_file() or (folder / "times.csv").stat().st_size < 30:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate()
    assert process.returncode == 129 and "Traceback" not in err
    assert "stopped by SIGHUP after step" in err
    assert f"python -m practice_torch train --resume '{folder}'" in err  # to be copied into a shell
    step = int(re.search(r"after step (\d+)", err)[1])
    assert (folder / "checkpoints" / f"step-{step:08d}" / MANIFEST).is_file()


@pytest.mark.parametrize("command", [["practice_torch", "train", *VAE], ["shared_specs", "grade"], ["theory_jax", "run"]])
def test_a_closed_pipe_is_silent(command):
    """`... --help | head -1`: the pipe closes while the command writes."""
    shown = subprocess.Popen([sys.executable, "-m", *command, "--help"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    shown.stdout.close()
    assert shown.stderr.read() == b""
    assert shown.wait() == 1
