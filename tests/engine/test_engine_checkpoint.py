"""Checkpoints and run folders: damage is noticed, named and survived; nothing is unpickled; nothing is left half-written."""

import contextlib
import json
import pickle
import re
import resource
import shutil
import struct

import pytest
import safetensors.torch
import torch
from torch import nn

from practice_torch.engine.errors import RunError
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage import checkpoint
from practice_torch.engine.storage.checkpoint import MANIFEST, STATE
from practice_torch.engine.storage.run import Run
from tests.support.engine.toys import RECIPE, Noisy, Players, begin, remains, resume

AVERAGED = Recipe(**(RECIPE.fields() | {"average_decay": 0.7}))
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
        return exec, ("from tests.engine.test_engine_checkpoint import Evil; Evil.ran = True",)


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


@pytest.mark.parametrize("size", [640, 896, 1152, 1408])
def test_a_header_with_a_size_that_begins_like_a_pickle_is_accepted(tmp_path, size):
    """A file of safetensors begins with the size of its header, the low byte first: 896 is 80 03, as of a pickle's protocol 3."""
    tensors = {"n" * (size - 56): torch.ones(1)}
    saved = checkpoint.save(tmp_path, 1, tensors, {})
    begin = (saved / STATE).read_bytes()[:8]
    assert int.from_bytes(begin, "little") == size and begin.startswith(checkpoint.PICKLES)
    assert torch.equal(checkpoint.load(saved)[0].popitem()[1], torch.ones(1))


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


def test_a_header_with_a_wrong_length_is_refused(saved):
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


def test_a_damaged_newest_checkpoint_is_reported_and_skipped(tmp_path):
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
    training = resume(tmp_path / "run", say=said.append)
    assert training.step == 12 and len(said) == 1
    training.train()
    after = (tmp_path / "run" / "metrics.csv").read_bytes(), (tmp_path / "run/checkpoints/step-00000014" / STATE).read_bytes()
    assert after == before


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    begin(tmp_path / "run").train()
    with pytest.raises(RunError, match="of another model: scale is None, here"):
        resume(tmp_path / "run", make=Players)


def test_a_disk_that_fills_up_in_the_middle_leaves_a_run_that_can_go_on(tmp_path):
    begin(tmp_path / "straight").train()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(_experiment, loss):
        training.saver.finish()  # the checkpoint of step 4 is there
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, limit[1]))
        return loss

    training = begin(tmp_path / "run", {6: fill})
    try:
        with pytest.raises(RunError, match="cannot write .*File too large"):
            training.train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in sorted(training.run.checkpoints.iterdir())] == ["step-00000000", "step-00000004"]
    resume(tmp_path / "run").train()
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


# ---------------------------------------------------------------------------------------------------- whole, but not sound


def resign(path, change):
    """Write a checkpoint again with changed content and valid checksums; change(tensors, facts) works in place."""
    tensors, facts = checkpoint.load(path)
    change(tensors, facts)
    step = facts.pop("step")
    shutil.rmtree(path)
    checkpoint.save(path.parent, step, tensors, facts).rename(path)


def put(key, make):
    """A change of one tensor."""
    return lambda tensors, facts: tensors.update({key: make(tensors[key])})


def without(part):
    """A change that leaves out all tensors with this in their names."""
    return lambda tensors, facts: [tensors.pop(name) for name in list(tensors) if part in name]


WEIGHT = "experiment/network.0.weight"
MOMENT = "optimizer/train/network.3.weight/exp_avg"
UNSOUND = {
    "a weight is NaN": (put(WEIGHT, lambda t: t * float("nan")), "not finite, in network.0.weight"),
    "a weight is float64": (put(WEIGHT, torch.Tensor.double), "network.0.weight is torch.float64, here torch.float32"),
    "a weight is transposed": (put(WEIGHT, torch.Tensor.t), r"network.0.weight is \[3, 5\], here \[5, 3\]"),
    "a buffer is missing": (without("experiment/seen"), "seen is None, here"),
    "an average is infinite": (put("average/network.0.bias", lambda t: t / 0), "not finite, in average of network.0.bias"),
    "the averages are missing": (without("average/"), "average of network.0.weight is None"),
    "the optimizer's state is missing": (without("optimizer/"), "optimizer's train/network.0.weight/step is None"),
    "a second moment is missing": (without("network.3.bias/exp_avg_sq"), "network.3.bias/exp_avg_sq is None"),
    "a first moment is infinite": (put(MOMENT, lambda t: t + float("inf")), "not finite, in optimizer's train/network.3.weight"),
    "a first moment is float16": (put(MOMENT, torch.Tensor.half), "is torch.float16, here torch.float32"),
    "a generator is missing": (without("generator/0/torch"), "it lacks 0/torch"),
    "a generator of another device": (lambda t, _: t.update({"generator/0/cuda": torch.zeros(16)}), "of others it has 0/cuda"),
    "a generator's state is none": (put("generator/0/experiment", torch.zeros_like), "holds generator/0/experiment that is no"),
    "a logged value of no one": (lambda t, _: t.update({"pending/other/loss": torch.zeros(1)}), "no phase here has logged"),
    "an unknown tensor": (lambda t, _: t.update({"else": torch.zeros(1)}), "holds else, which this engine does not write"),
    "a step after the last": (lambda _, facts: facts.update(step=15), "is of step 15; the run has 14"),
    "facts are missing": (lambda _, facts: facts.pop("lengths"), "lacks facts"),
    "lengths are words": (lambda _, facts: facts.update(lengths=["a", "b"]), "must be numbers of bytes"),
    "lengths are too large": (lambda _, facts: facts.update(lengths=[10**9, 10**9]), "the file was cut"),
    "another run": (lambda _, facts: facts.update(run={}), "belongs to another run: topic is None"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with averages; tests that damage it take a copy."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    begin(folder, recipe=AVERAGED).train()
    return folder


@pytest.mark.parametrize("name", UNSOUND)
def test_an_intact_but_unusable_checkpoint_is_reported_and_skipped(finished, tmp_path, name):
    """Its checksums are right. The run goes on from the older one to the same bytes; without an older one it is refused."""
    change, because = UNSOUND[name]
    run = shutil.copytree(finished, tmp_path / "run")
    newest, older = (run / "checkpoints" / f"step-{step:08d}" for step in (14, 12))
    resign(newest, change)
    said = []
    training = resume(run, recipe=AVERAGED, say=said.append)
    assert training.step == 12 and len(said) == 1 and "\n" not in said[0]
    assert re.search(f"step-00000014 .*{because}.*; going back to step-00000012", said[0]), said
    training.train()
    assert remains(run) == remains(finished)
    resign(newest, change)
    shutil.rmtree(older)
    with pytest.raises(RunError, match=because):
        resume(run, recipe=AVERAGED)


def test_a_manifest_that_is_nested_too_deeply_is_passed_over(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "checkpoints" / "step-00000014" / MANIFEST).write_text("[" * 100_000)
    said = []
    assert resume(run, recipe=AVERAGED, say=said.append).step == 12
    assert len(said) == 1 and "manifest.json is not JSON: the file is corrupt" in said[0]
    (run / "recipe.json").write_text('{"fields":' * 100_000)
    with pytest.raises(RunError, match="recipe.json cannot be read: the file is corrupt"):
        Run.open(run)


@pytest.mark.parametrize("change", [{"files": {}}, {"files": 3}, {"step": -1}, {"step": "7"}, {"facts": []}])
def test_a_manifest_with_a_valid_signature_and_nothing_in_it_is_refused(saved, change):
    manifest = json.loads((saved / MANIFEST).read_text()) | change
    (saved / MANIFEST).write_text(json.dumps(manifest | {"sha256": checkpoint._digest(manifest)}))
    with pytest.raises(RunError, match="lacks its step, facts or file sizes"):
        checkpoint.load(saved)


def test_parameters_without_a_gradient_have_no_moments_and_resume(tmp_path):
    """AdamW keeps nothing for them; the manifest names them, so that their absence is no damage."""

    class Idle(Noisy):
        def __init__(self):
            super().__init__()
            self.network.idle = nn.Identity()
            self.network.idle.weight = nn.Parameter(torch.ones(2))

    begin(tmp_path / "straight", make=Idle).train()
    begin(tmp_path / "run", make=Idle).train()
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-00000014")
    resume(tmp_path / "run", make=Idle).train()
    assert remains(tmp_path / "run") == remains(tmp_path / "straight")


# ---------------------------------------------------------------------------------------------------- who may write


def test_a_run_that_another_process_writes_is_left_untouched(tmp_path):
    """Its metrics.csv has grown since the last checkpoint: no other process may truncate it."""
    writer = begin(tmp_path / "run")
    writer.train()
    writer.run.lock.take()
    with open(tmp_path / "run" / "metrics.csv", "a") as file:
        file.write("15,train,loss,0.5\n")
    before = {path: path.read_bytes() for path in sorted((tmp_path / "run").rglob("*")) if path.is_file()}
    with pytest.raises(RunError, match="run is being written by another process"):
        resume(tmp_path / "run")
    with pytest.raises(RunError, match="run is not empty"):
        begin(tmp_path / "run")
    assert {path: path.read_bytes() for path in sorted((tmp_path / "run").rglob("*")) if path.is_file()} == before
    writer.run.lock.release()
    resume(tmp_path / "run").train()


def test_a_run_that_is_about_to_begin_belongs_to_its_process(tmp_path):
    first = begin(tmp_path / "run")
    for again in (begin, resume):
        with pytest.raises(RunError, match="run is being written by another process"):
            again(tmp_path / "run")
    first.train()


def test_a_folder_without_write_permission(tmp_path):
    begin(tmp_path / "run").train()
    (tmp_path / "run" / ".lock").unlink()
    (tmp_path / "run" / ".lock").mkdir()  # root may write into read-only folders: this is as good
    with pytest.raises(RunError, match="cannot write into .*run: Is a directory"):
        resume(tmp_path / "run")


def test_the_same_command_takes_up_only_what_it_left_itself(tmp_path):
    first = begin(tmp_path / "run")
    del first  # as if killed: its lock is gone, and there is no checkpoint
    with pytest.raises(RunError, match="contains another run, which has not started: steps is 14, here 15; give another --run"):
        begin(tmp_path / "run", recipe=Recipe(**(RECIPE.fields() | {"steps": 15})))
    (tmp_path / "run" / "checkpoints").mkdir()
    (tmp_path / "run" / "checkpoints" / "model.pt").write_text("precious")
    with pytest.raises(RunError, match="run is not empty"):
        begin(tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "model.pt").unlink()
    begin(tmp_path / "run").train()
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / ".lock").touch()
    with pytest.raises(RunError, match="early has no recipe.json yet, .* repeat its `train` command"):
        resume(tmp_path / "early")
    begin(tmp_path / "early").train()
    assert remains(tmp_path / "early") == remains(tmp_path / "run")
