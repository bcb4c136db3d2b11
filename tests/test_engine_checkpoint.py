"""Checkpoints and run folders: damage is noticed, named and survived; nothing is unpickled; nothing is left half-written."""

import contextlib
import json
import pickle
import resource
import struct

import pytest
import safetensors.torch
import torch

from practice_torch.engine import checkpoint
from practice_torch.engine.checkpoint import MANIFEST, STATE
from practice_torch.engine.errors import RunError
from practice_torch.engine.run import Run
from tests.engine_toys import RECIPE, Players, begin, go_on

TENSORS = {"experiment/weight": torch.arange(6.0).view(2, 3), "generator/torch": torch.tensor([1, 2], dtype=torch.uint8)}


@pytest.fixture
def saved(tmp_path):
    """A sound checkpoint of step 7."""
    return checkpoint.save(tmp_path / "checkpoints", 7, TENSORS, {"who": "test"})


@contextlib.contextmanager
def no_file_over(size):
    """A disk that is full after `size` bytes of any file: works for root, too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Evil:
    """Unpickling this would leave a mark."""

    ran = False

    def __reduce__(self):
        return exec, ("from tests.test_engine_checkpoint import Evil; Evil.ran = True",)


# ---------------------------------------------------------------------------------------------------- one checkpoint


def test_what_is_saved_is_what_is_loaded(saved):
    tensors, facts = checkpoint.load(saved)
    assert facts == {"who": "test", "step": 7}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], tensor) and tensors[name].dtype == tensor.dtype for name, tensor in TENSORS.items())


def test_other_readers_can_read_it(saved):
    """safetensors and json alone are enough."""
    manifest = json.loads((saved / MANIFEST).read_text())
    assert manifest["format"] == "diptych checkpoint" and manifest["step"] == 7
    assert torch.equal(safetensors.torch.load_file(saved / STATE)["experiment/weight"], TENSORS["experiment/weight"])


def test_tied_weights_transposed_views_and_empty_tensors_survive(tmp_path):
    weight = torch.arange(6.0).view(2, 3)
    tensors = {"a": weight, "b": weight, "c": weight.T, "d": weight[1], "e": torch.zeros(0), "f": torch.tensor(3)}
    loaded, _ = checkpoint.load(checkpoint.save(tmp_path, 1, tensors, {}))
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


def flip(file, bit):
    content = bytearray(file.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    file.write_bytes(content)


@pytest.mark.parametrize("name", [STATE, MANIFEST])
def test_every_flipped_bit_is_noticed(saved, name):
    whole = (saved / name).read_bytes()
    for bit in range(0, 8 * len(whole), 37):
        flip(saved / name, bit)
        with pytest.raises(RunError, match="corrupt|not written by this engine|version|truncated") as error:
            checkpoint.load(saved)
        assert "\n" not in str(error.value) and name in str(error.value) or name == MANIFEST
        (saved / name).write_bytes(whole)
    checkpoint.load(saved)


@pytest.mark.parametrize("name", [STATE, MANIFEST])
def test_every_truncation_is_noticed(saved, name):
    whole = (saved / name).read_bytes()
    for length in (0, 1, 8, len(whole) // 2, len(whole) - 1):
        (saved / name).write_bytes(whole[:length])
        with pytest.raises(RunError, match="truncated|corrupt"):
            checkpoint.load(saved)


def test_a_replaced_tensor_file_is_noticed(saved):
    """A sound safetensors file, but another one: the manifest does not know it."""
    safetensors.torch.save_file({"experiment/weight": torch.zeros(2, 3)}, saved / STATE)
    with pytest.raises(RunError, match="truncated or replaced|corrupt"):
        checkpoint.load(saved)


@pytest.mark.parametrize("write", [torch.save, lambda thing, file: file.write_bytes(pickle.dumps(thing))])
@pytest.mark.parametrize("name", [STATE, MANIFEST])
def test_a_pickle_is_refused_and_never_run(saved, write, name):
    write({"weight": Evil()}, saved / name)
    with pytest.raises(RunError, match="is a pickle, which could run any code when read"):
        checkpoint.load(saved)
    assert not Evil.ran


def test_a_pickled_file_in_place_of_a_checkpoint_is_refused(tmp_path):
    torch.save({"weight": Evil()}, tmp_path / "model.pt")
    with pytest.raises(RunError, match="model.pt is a pickle"):
        checkpoint.load(tmp_path / "model.pt")
    assert not Evil.ran


@pytest.mark.parametrize(
    ("manifest", "because"),
    [
        ({"format": "pt", "tensors": {}}, "not written by this engine"),
        ([1, 2], "not written by this engine"),
        ({"format": "diptych checkpoint", "version": 99}, "has version 99; this engine reads version 1"),
    ],
)
def test_a_foreign_manifest_is_refused(saved, manifest, because):
    (saved / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=because):
        checkpoint.load(saved)


def test_a_header_that_lies_about_its_length_is_refused(saved):
    content = (saved / STATE).read_bytes()
    (saved / STATE).write_bytes(struct.pack("<Q", 2**62) + content[8:])
    with pytest.raises(RunError, match="corrupt"):
        checkpoint.load(saved)


def test_missing_files_are_named(saved, tmp_path):
    (saved / STATE).unlink()
    with pytest.raises(RunError, match=f"{STATE} cannot be read: No such file"):
        checkpoint.load(saved)
    with pytest.raises(RunError, match="holds no checkpoint"):
        checkpoint.newest(tmp_path / "nowhere", print)


# ---------------------------------------------------------------------------------------------------- several of them


def test_two_are_kept(tmp_path):
    for step in (0, 4, 8, 12):
        checkpoint.save(tmp_path, step, TENSORS, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000008", "step-00000012"]


def test_a_damaged_newest_one_is_said_and_passed_over(tmp_path):
    for step in (4, 8):
        checkpoint.save(tmp_path, step, TENSORS, {})
    flip(tmp_path / "step-00000008" / STATE, 999)
    said = []
    assert checkpoint.newest(tmp_path, said.append)[1]["step"] == 4
    assert len(said) == 1 and "step-00000008" in said[0] and "going back to step-00000004" in said[0]
    # the run goes on from 4 and comes to 8 again: the damaged one makes place
    checkpoint.save(tmp_path, 8, TENSORS, {"again": True})
    assert checkpoint.newest(tmp_path, said.append)[1] == {"again": True, "step": 8}
    assert len(said) == 1


def test_when_all_are_damaged_the_newest_is_blamed(tmp_path):
    for step in (4, 8):
        checkpoint.save(tmp_path, step, TENSORS, {})
        (tmp_path / f"step-0000000{step}" / MANIFEST).write_text("{")
    with pytest.raises(RunError, match="step-00000008.*corrupt .and none of the 1 older"):
        checkpoint.newest(tmp_path, print)


def test_what_a_killed_save_left_is_never_read_and_soon_removed(tmp_path):
    checkpoint.save(tmp_path, 4, TENSORS, {})
    (tmp_path / ".writing-00000008").mkdir()
    (tmp_path / ".writing-00000008" / STATE).write_bytes(b"half")
    assert checkpoint.newest(tmp_path, pytest.fail)[1]["step"] == 4
    checkpoint.save(tmp_path, 8, TENSORS, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004", "step-00000008"]


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path):
    checkpoint.save(tmp_path, 4, TENSORS, {})
    message = "cannot write the checkpoint .*File too large.*earlier checkpoints are untouched"
    with no_file_over(1000), pytest.raises(RunError, match=message):
        checkpoint.save(tmp_path, 8, {"experiment/weight": torch.zeros(1000)}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000004"]
    checkpoint.load(tmp_path / "step-00000004")


# ---------------------------------------------------------------------------------------------------- runs


def test_a_run_goes_on_from_the_older_checkpoint_when_the_newer_is_damaged(tmp_path):
    begin(tmp_path / "run").train()
    before = (tmp_path / "run" / "metrics.csv").read_bytes(), (tmp_path / "run/checkpoints/step-00000014" / STATE).read_bytes()
    flip(tmp_path / "run/checkpoints/step-00000014" / STATE, 4321)
    said = []
    training = go_on(tmp_path / "run", say=said.append)
    assert training.step == 12 and len(said) == 1
    training.train()
    after = (tmp_path / "run" / "metrics.csv").read_bytes(), (tmp_path / "run/checkpoints/step-00000014" / STATE).read_bytes()
    assert after == before


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    begin(tmp_path / "run").train()
    with pytest.raises(RunError, match="of another model: scale is None, here"):
        go_on(tmp_path / "run", make=Players)


def test_a_disk_that_fills_up_in_the_middle_leaves_a_run_that_can_go_on(tmp_path):
    begin(tmp_path / "straight").train()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(_experiment, loss):
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, limit[1]))
        return loss

    training = begin(tmp_path / "run", {6: fill})
    try:
        with pytest.raises(RunError, match="cannot write .*File too large"):
            training.train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in sorted(training.run.checkpoints.iterdir())] == ["step-00000000", "step-00000004"]
    go_on(tmp_path / "run").train()
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == (tmp_path / "straight" / "metrics.csv").read_bytes()


def test_a_folder_that_cannot_be_made_or_is_taken(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot make the run folder .*file/run: Not a directory"):
        begin(tmp_path / "file" / "run")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="taken is not empty .thesis.txt.; give another --run"):
        begin(tmp_path / "taken")
    assert (tmp_path / "taken" / "thesis.txt").read_text() == "precious"


def test_the_default_folder_is_the_first_that_is_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [Run.create(None, "toys/noisy", "toy", RECIPE, {"sha256": ""}).folder.as_posix() for _ in range(3)]
    assert folders == ["runs/toys-noisy-toy-1", "runs/toys-noisy-toy-2", "runs/toys-noisy-toy-3"]


@pytest.mark.parametrize(
    ("content", "because"),
    [(None, "it has no recipe.json"), ("{", "the file is corrupt"), ("[]", "not written by"), ("\x80\x04", "corrupt")],
)
def test_what_is_no_run_folder(tmp_path, content, because):
    if content is not None:
        (tmp_path / "recipe.json").write_text(content)
    with pytest.raises(RunError, match=because):
        Run.open(tmp_path)
