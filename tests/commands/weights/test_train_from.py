"""train --from RUN, and --resume RUN --steps N: trainings that begin from other weights, or take more steps than they were to."""

import json
import shutil

import pytest
import torch

from practice_torch.commands.run_folder import opened, restored, same_data, tokenizer_of_run
from practice_torch.engine.storage.run import Run
from tests.commands.test_practice_commands import call, refused

MODEL = ("autoregressive/transformer", "pydoc")
SIZES = ("--context", "16", "--layers", "1", "--width", "16", "--heads", "2", "--batch-size", "4")
TEXT, OTHER = "a tale of two tables: " * 60, "two tails, one cable, no fable. " * 60


def weights(folder):
    return opened(Run.open(folder), print)[0].state_dict()


def begun(*words):
    code, _, err = call("train", *words, "--cpu", "--steps", 2)
    assert code == 0, err


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name, text in (("tale.txt", TEXT), ("other.txt", OTHER)):
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def base(texts):
    """A model with byte pairs of the first text."""
    begun(*MODEL, "--run", texts / "base", "--data", texts / "tale.txt", *SIZES, "--merges", 3)
    return texts / "base"


@pytest.fixture(scope="module")
def tuned(base, texts):
    begun(*MODEL, "--from", base, "--run", texts / "tuned", "--data", texts / "other.txt")
    return texts / "tuned"


def test_a_training_begins_with_the_weights_and_the_tokens_of_the_other_run(base, tuned):
    asked, source = (json.loads((folder / "recipe.json").read_text()) for folder in (tuned, base))
    assert {name: asked["fields"][name] for name in ("width", "merges", "context")} == {"width": 16, "merges": 3, "context": 16}
    assert asked["from"]["step"] == 2 and asked["from"]["folder"] == str(base.absolute())
    first = Run.open(tuned).checkpoints / "step-00000000"
    from practice_torch.engine.storage.checkpoint import load

    tensors, _ = load(first)
    for name, tensor in weights(base).items():
        assert torch.equal(tensors[f"experiment/{name}"], tensor), name
    assert not any(name.startswith("optimizer/") for name in tensors), "its moments are its own"
    merges = weights(tuned)["merges"]
    assert torch.equal(merges, weights(base)["merges"]) and len(merges) == 3
    assert source["data"]["vocabulary"] == asked["data"]["vocabulary"] == 259
    page = (tuned / "report.html").read_text()
    assert "Begins from the weights of" in page and str(base) in page


def test_its_text_is_encoded_by_the_other_runs_tokenizer(tuned):
    run = Run.open(tuned)
    _, recipe = restored(run)
    tokenizer = tokenizer_of_run(run, recipe, print)
    train, _ = same_data(run, recipe, tokenizer)
    assert tokenizer.encoder.decode(train.stream[:40]) == OTHER[: len(tokenizer.encoder.decode(train.stream[:40]))]
    assert call("evaluate", tuned, "--cpu")[0] == 0


def test_without_a_topic_the_recipe_is_that_of_the_run(base, tmp_path):
    begun("--from", base, "--run", tmp_path / "on")
    asked = json.loads((tmp_path / "on" / "recipe.json").read_text())
    assert (asked["topic"], asked["recipe"]) == MODEL and asked["fields"]["batch_size"] == 4


@pytest.mark.parametrize("left", [("recipe.json",), ("recipe.json", "checkpoints", "metrics.csv", "times.csv")])
def test_a_stopped_one_ends_in_the_same_bytes(tuned, tmp_path, left):
    """Also one that stopped before its first checkpoint, and has only its recipe."""
    folder = tmp_path / "stopped"
    folder.mkdir()
    for name in left:
        (shutil.copytree if (tuned / name).is_dir() else shutil.copy)(tuned / name, folder / name)
    for path in (folder / "checkpoints").glob("step-00000002"):
        shutil.rmtree(path)
    code, _, err = call("train", "--resume", folder, "--cpu")
    assert code == 0, err
    for name in ("checkpoints/step-00000002/state.safetensors", "metrics.csv"):
        assert (folder / name).read_bytes() == (tuned / name).read_bytes(), name


def test_a_stopped_one_notices_that_the_weights_have_changed(base, tuned, tmp_path):
    moved = shutil.copytree(base, tmp_path / "base")
    shutil.rmtree(moved / "checkpoints" / "step-00000002")
    folder = tmp_path / "stopped"
    folder.mkdir()
    asked = json.loads((tuned / "recipe.json").read_text())
    asked["from"]["folder"] = str(moved)
    (folder / "recipe.json").write_text(json.dumps(asked))
    assert "has changed since" in refused(3, "train", "--resume", folder, "--cpu")


def test_what_contradicts_the_run_is_refused_by_name(base, texts, tmp_path):
    new = ("--run", tmp_path / "new", "--data", texts / "other.txt", "--cpu")
    assert "width is 32, and 16 in" in refused(2, "train", *MODEL, "--from", base, *new, "--width", 32)
    assert "merges is 5, and 3 in" in refused(2, "train", "--from", base, *new, "--merges", 5)
    assert not (tmp_path / "new").exists()
    code, _, err = call("train", *MODEL, "--from", base, *new, "--steps", 2, "--context", 8)
    assert code == 3 and "(context is 16, here 8)" in err and not (tmp_path / "new").exists()
    llama = refused(2, "train", MODEL[0], "tinystories", "--from", base, *new)
    assert "LanguageRecipe" in llama and "LlamaRecipe" in llama
    assert "a run of autoregressive/transformer" in refused(2, "train", "latent/vae", "digits", "--from", base, *new)


def test_a_run_that_is_none_is_one_line(tmp_path, base):
    assert "does not exist" in refused(3, "train", "--from", tmp_path / "none")
    damaged = shutil.copytree(base, tmp_path / "damaged")
    for state in damaged.glob("checkpoints/*/state.safetensors"):
        state.write_bytes(state.read_bytes()[:-9])
    assert "truncated" in refused(3, "train", "--from", damaged, "--run", tmp_path / "new", "--cpu")
    assert not (tmp_path / "new").exists()


def test_a_topic_may_begin_from_runs_of_others(texts, tmp_path):
    """Its own function `begin` takes what it needs from the run."""
    begun(*MODEL, "--run", tmp_path / "bytes", "--data", texts / "tale.txt", *SIZES)
    pairs = tmp_path / "pairs.jsonl"
    row = {"prompt": "a ", "chosen": "tale", "rejected": "sail"}
    pairs.write_text("".join(json.dumps(row | {"prompt": f"a{k} "}) + "\n" for k in range(6)))
    run = tmp_path / "pairs"
    begun("preference/dpo", "pydoc", "--from", tmp_path / "bytes", "--run", run, "--data", pairs)
    asked = json.loads((run / "recipe.json").read_text())
    assert asked["fields"]["start"] == str(tmp_path / "bytes") and asked["fields"]["width"] == 16
    assert asked["from"]["topic"] == MODEL[0]
    other = refused(2, "train", "preference/dpo", "pydoc", "--from", tmp_path / "bytes", "--data", pairs, "--layers", 3)
    assert "layers is 3, and 1 in" in other


# ---------------------------------------------------------------------------------------------------- more steps


def test_an_ended_run_takes_more_steps_and_says_so(texts, tmp_path):
    """Without a schedule, what it ends in is what it would have ended in."""
    words = (*MODEL, "--data", texts / "tale.txt", *SIZES, "--schedule", "constant", "--warmup-steps", 0, "--cpu")
    for name, steps in (("more", 2), ("whole", 4)):
        code, _, err = call("train", *words, "--run", tmp_path / name, "--steps", steps)
        assert code == 0, err
    more, whole = tmp_path / "more", tmp_path / "whole"
    code, _, err = call("train", "--resume", more, "--steps", 4, "--cpu")
    assert code == 0, err
    asked = json.loads((more / "recipe.json").read_text())
    assert asked["fields"]["steps"] == 4 and asked["extended"] == [2]
    for (name, tensor), other in zip(sorted(weights(more).items()), sorted(weights(whole).items()), strict=True):
        assert torch.equal(tensor, other[1]), name
    assert "It was to end after 2 steps" in (more / "report.html").read_text()
    shutil.rmtree(more / "checkpoints" / "step-00000004")
    code, _, err = call("train", "--resume", more, "--cpu")
    assert code == 0 and "continuing after step 2 of 4" in err, "a checkpoint from before is one of the run"


def test_fewer_steps_and_other_fields_are_refused(base):
    assert "steps is 2; " in refused(2, "train", "--resume", base, "--steps", 2)
    assert "steps is 'many'" in refused(2, "train", "--resume", base, "--steps", "many")
    assert "(given: --width)" in refused(2, "train", "--resume", base, "--width", 3)
    assert json.loads((base / "recipe.json").read_text())["fields"]["steps"] == 2
