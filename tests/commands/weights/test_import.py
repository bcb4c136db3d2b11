"""import: a folder of published weights becomes a run folder that the other commands take."""

import errno
import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM

from practice_torch.commands.run_folder import opened
from practice_torch.engine.storage import imported as storage
from practice_torch.engine.storage.run import Run
from tests.commands.test_practice_commands import call, refused
from tests.support.commands import published_folders


def run_of(*words):
    code, out, err = call("import", *words)
    assert code == 0, err
    return out


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return published_folders.gpt2(tmp_path_factory.mktemp("published") / "gpt2")


@pytest.fixture(scope="module")
def run(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "imported"
    said = run_of(published, "--run", folder)
    assert "28 in the files, 28 compared bit for bit" in said and "tokens of tokenizer.json" in said and "float32" in said
    return folder


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "tale.txt"
    path.write_text(published_folders.TEXT)
    return path


@pytest.fixture
def damaged(published, tmp_path):
    return shutil.copytree(published, tmp_path / "damaged")


# ---------------------------------------------------------------------------------------------------- what works


def test_the_run_computes_what_transformers_does(published, run):
    experiment, step = opened(Run.open(run), print)
    tokens = torch.randint(300, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = AutoModelForCausalLM.from_pretrained(published).eval()(tokens).logits
        ours = experiment.eval().network(tokens)
    assert step == 0 and (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


def test_its_recipe_says_where_it_came_from(published, run):
    asked = json.loads((run / "recipe.json").read_text())
    source = asked["imported"]
    assert source["folder"] == str(published) and source["model_type"] == "gpt2" and source["dtype"] == "float32"
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= source["files"].keys()
    assert asked["fields"]["width"] == 16 and asked["fields"]["biases"] == "all" and asked["data"]["vocabulary"] == 300


def test_the_commands_take_it(run, text):
    code, out, err = call("sample", run, "--count", 1, "--length", 5, "--prompt", "A tale of \u201ctwo", "--cpu")
    assert code == 0 and "A tale of \u201ctwo" in out, err
    assert "with --data FILE" in refused(3, "evaluate", run, "--cpu")
    code, out, err = call("evaluate", run, "--data", text, "--cpu")
    assert code == 0 and "bits_per_byte" in out, err
    found = json.loads((run / "evaluation.json").read_text())
    assert found["step"] == 0 and 4 < found["metrics"]["nats_per_token"] < 7 and found["data"] == str(text)
    assert call("report", run)[0] == 0
    page = (run / "report.html").read_text()
    assert "imported and not trained here" in page and "A tale of" in page and str(text) in page
    assert "has no training to resume" in refused(3, "train", "--resume", run)


def test_a_training_begins_from_it(run, text, tmp_path):
    words = ("--data", text, "--steps", 2, "--cpu", "--run", tmp_path / "tuned")
    code, _, err = call("train", "--from", run, *words)
    assert code == 0, err
    asked = json.loads((tmp_path / "tuned" / "recipe.json").read_text())
    assert asked["from"]["step"] == 0 and asked["data"]["tokenizer"]["library"] == "tokenizers"
    assert asked["fields"]["learning_rate"] == 6.25e-5
    for path in (tmp_path / "tuned").glob("checkpoints/step-00000002"):
        shutil.rmtree(path)
    code, _, err = call("train", "--resume", tmp_path / "tuned", "--cpu")
    assert code == 0, err
    assert "give" not in err and call("evaluate", tmp_path / "tuned", "--cpu")[0] == 0
    refused(2, "evaluate", tmp_path / "tuned", "--data", text)
    assert "imported without data" in refused(2, "train", "--from", run, "--run", tmp_path / "none")


def test_data_may_be_named_at_once_and_weights_may_be_half(text, tmp_path):
    published = published_folders.llama(tmp_path / "llama")
    out = run_of(published, "--run", tmp_path / "run", "--data", text)
    assert "bfloat16" in out and str(text) in out
    assert call("evaluate", tmp_path / "run", "--cpu")[0] == 0


# ---------------------------------------------------------------------------------------------------- what does not


def test_an_import_that_stops_leaves_nothing_that_looks_whole(published, run, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(storage.checkpoint, "save", full)
        assert "No space left" in refused(3, "import", published, "--run", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("recipe.json", "metrics.csv"):
        shutil.copy(run / name, killed / name)
    assert "holds no checkpoint yet" in refused(3, "sample", killed, "--cpu")
    assert "was imported" in refused(3, "train", "--resume", killed)
    run_of(published, "--run", killed)
    assert (killed / "checkpoints" / "step-00000000").is_dir()
    assert "is not empty" in refused(3, "import", published, "--run", killed)


def test_a_folder_that_is_none_is_one_line(published, tmp_path, damaged):
    new = ("--run", tmp_path / "new")
    assert "does not exist" in refused(3, "import", tmp_path / "none", *new)
    assert "is a file" in refused(3, "import", published / "config.json", *new)
    (tmp_path / "empty").mkdir()
    assert "has no config.json" in refused(3, "import", tmp_path / "empty", *new)
    (damaged / "tokenizer.json").unlink()
    assert "has no tokenizer.json" in refused(3, "import", damaged, *new)
    (tmp_path / "file").write_text("")
    assert "cannot make the run folder" in refused(3, "import", published, "--run", tmp_path / "file" / "run")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model_type": "bert"}, "'bert', which no network here is; known: "),
        ({"model_type": None}, "names no model_type"),
        ({"vocab_size": 200}, "tokens, and the model of config.json 200"),
        ({"n_layer": 3}, "the weights lack transformer.h.2."),
        ({"activation_function": "relu"}, "activation_function = 'relu'"),
    ],
)
def test_a_configuration_of_another_model_is_refused_by_name(damaged, tmp_path, changes, complaint):
    config = json.loads((damaged / "config.json").read_text()) | changes
    (damaged / "config.json").write_text(json.dumps(config))
    assert complaint in refused(3, "import", damaged, "--run", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_damaged_weights_and_files_are_refused(damaged, tmp_path):
    weights = damaged / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-8])
    assert "cannot be read as safetensors" in refused(3, "import", damaged, "--run", tmp_path / "new")
    weights.write_bytes(whole)
    (damaged / "tokenizer.json").write_text("{}")
    assert "is no tokenizer.json" in refused(3, "import", damaged, "--run", tmp_path / "new")
    assert not (tmp_path / "new").exists()
