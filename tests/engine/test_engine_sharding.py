"""A model in parts: the same training as a whole one's, in half the memory, and the same checkpoints."""

import csv
import json
import re
import shutil

import pytest
import torch
from torch.distributed.checkpoint import HuggingFaceStorageReader, load

from practice_torch.engine.distributed.sharding import blocks_of
from practice_torch.engine.errors import RunError
from practice_torch.engine.storage import checkpoint
from tests.commands.test_practice_commands import call
from tests.engine.test_engine_updates import changed
from tests.support.engine.sharded import FIELDS, Noisy, Speaker
from tests.support.engine.toys import begin, remains

pytestmark = pytest.mark.xdist_group("processes")
TOYS = {"speaker": 1e-12, "weighted": 1e-13, "remembering": 1e-5, "copying": 1e-5}  # the first two in float64
SIZES = ["--width", "16", "--layers", "2", "--heads", "2", "--context", "12", "--merges", "4", "--dropout", "0.1"]
SHORT = ["--steps", "7", "--warmup-steps", "2", "--batch-size", "6", "--log-every", "3", "--evaluate-every", "4"]
SPECIAL = ["--average-decay", "0.9", "--accumulate", "2", "--clip-norm", "0.5", "--cpu"]


@pytest.fixture(scope="module")
def toys(tmp_path_factory, forked):
    """The folder of tests/support/engine/sharded.py: toys trained by two processes, whole and in parts."""
    folder = tmp_path_factory.mktemp("toys")
    done = forked("tests.support.engine.sharded:main", folder, ranks=2)
    assert [each.code for each in done] == [0, 0], done
    return folder


@pytest.fixture(scope="module")
def language(tmp_path_factory, forked):
    """A language model on a small text, trained by two processes, whole and in parts."""
    folder = tmp_path_factory.mktemp("language")
    (folder / "text.txt").write_text("".join(f"{n} and {n * n % 97} make {n + n * n % 97}.\n" for n in range(300)))
    for name, more in {"whole": [], "parts": ["--shard"]}.items():
        words = ["train", "autoregressive/transformer", "pydoc", "--data", str(folder / "text.txt"), "--run", str(folder / name)]
        done = forked("practice_torch.__main__:main", [*words, *SIZES, *SHORT, *SPECIAL, *more], ranks=2)
        assert [each.value for each in done] == [0, 0], done
    return folder


def rows(folder):
    """(step, phase, name) -> value of metrics.csv."""
    with (folder / "metrics.csv").open() as file:
        return {(row["step"], row["phase"], row["name"]): float(row["value"]) for row in csv.DictReader(file)}


def assert_same_training(whole, parts, rounding, processes=2):
    """Metrics and every tensor of the last checkpoint, up to rounding; the two checkpoints hold the same names and shapes."""
    assert rows(parts) == pytest.approx(rows(whole), rel=rounding)
    (ours, facts), (theirs, _) = (checkpoint.newest(folder / "checkpoints", print) for folder in (parts, whole))
    assert facts["processes"] == processes and facts["run"]["fields"]["shard"]
    assert {name: (t.shape, t.dtype) for name, t in ours.items()} == {name: (t.shape, t.dtype) for name, t in theirs.items()}
    for name, tensor in theirs.items():
        scale = float(tensor.double().abs().max())
        torch.testing.assert_close(ours[name], tensor, rtol=0, atol=rounding * scale, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("toy", list(TOYS))
def test_parts_are_trained_as_the_whole_is(toys, toy):
    """Unequal weights, accumulation, clipping, averages, dropout, noise, a buffer that must be the first process's."""
    assert_same_training(toys / f"{toy}-whole", toys / f"{toy}-parts", TOYS[toy])


def test_a_language_model_in_parts_is_trained_as_the_whole_is(language):
    assert_same_training(language / "whole", language / "parts", 2e-5)
    assert ("7", "train", "gradient_norm") in rows(language / "parts")
    previews = [(language / name / "previews" / "00000004-text.txt").read_text() for name in ("whole", "parts")]
    assert previews[0] and previews[0] == previews[1]


def test_every_process_keeps_half(toys):
    """Of weights, averages, gradients and the optimizer's slots, parameter by parameter; and in bytes of all its tensors."""
    ranks = [json.loads((toys / f"speaker-parts-{rank}.json").read_text()) for rank in (0, 1)]
    assert {name.split("/")[0] for name in ranks[0]["numbers"]} == {"weight", "average", "gradient", "exp_avg", "exp_avg_sq"}
    for name, (first, total) in ranks[0]["numbers"].items():
        second = ranks[1]["numbers"][name][0]
        row = 1 if name.endswith("bias") or "norm" in name else 120 if ".down" in name else 30
        assert first + second == total and 0 <= first - second <= row, name
    for rank, parts in enumerate(ranks):
        whole = json.loads((toys / f"speaker-whole-{rank}.json").read_text())
        assert all(here == total for here, total in whole["numbers"].values())
        assert 0.45 < parts["bytes"] / whole["bytes"] < 0.55


@pytest.mark.weekly
def test_parts_that_are_killed_end_in_the_same_bytes(toys, tmp_path, forked):
    (done,) = forked("tests.support.engine.sharded:killed", tmp_path, toys / "speaker-parts")
    assert done.code == 0, done.err
    assert done.value == {"killed": True, "ends": [{"step": step, "same": True} for step in (4, 7)]}


def test_one_process_opens_what_two_have_trained_in_parts(language, tmp_path):
    """Sampling and evaluating need neither the processes nor the flag."""
    code, out, err = call("sample", language / "parts", "--count", "1", "--out", tmp_path)
    assert code == 0, err
    (text,) = [path for path in tmp_path.iterdir() if path.suffix == ".txt"]
    call("sample", language / "whole", "--count", "1", "--out", tmp_path / "whole")
    assert text.read_text() == (tmp_path / "whole" / text.name).read_text()
    during = json.loads((language / "parts" / "evaluation.json").read_text())["value"]
    code, out, err = call("evaluate", language / "parts")
    assert code == 0 and "bits_per_byte" in out, err
    after = json.loads((language / "parts" / "evaluation.json").read_text())["value"]
    assert after == pytest.approx(during, rel=1e-6)


@pytest.fixture(scope="module")
def four(tmp_path_factory, forked):
    """The folder of three runs of four processes."""
    folder = tmp_path_factory.mktemp("four")
    done = forked("tests.support.engine.sharded:four", folder, ranks=4)
    assert [each.code for each in done] == [0] * 4, done
    return folder


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")  # one process reads, on purpose
@pytest.mark.parametrize(("name", "writers"), [("parts", 4), ("copies", 2)])
def test_four_processes_hold_four_parts_or_two_copies_in_two(four, name, writers):
    """As the whole in float64. Every process writes its part, of two copies those of the first, and nothing is pickled."""
    assert_same_training(four / "whole", four / name, 1e-12, processes=4)
    path = four / name / "checkpoints" / "step-00000007"
    files = [f"state-{rank:05d}.safetensors" for rank in range(writers)]
    assert sorted(file.name for file in path.iterdir()) == ["manifest.json", *files]
    assert list(json.loads((path / "manifest.json").read_text())["files"]) == files
    ours, _ = checkpoint.load(path)
    tensors = HuggingFaceStorageReader(path).read_metadata().state_dict_metadata
    theirs = {name: torch.empty(tensor.size, dtype=tensor.properties.dtype) for name, tensor in tensors.items()}
    load(theirs, storage_reader=HuggingFaceStorageReader(path), no_dist=True)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_part_that_is_missing_or_changed_is_named(four, tmp_path):
    path = shutil.copytree(four / "parts" / "checkpoints" / "step-00000007", tmp_path / "step-00000007")
    part = path / "state-00002.safetensors"
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    with pytest.raises(RunError, match="state-00002.safetensors does not match its SHA-256"):
        checkpoint.load(path)
    part.unlink()
    with pytest.raises(RunError, match="state-00002.safetensors cannot be read: No such file"):
        checkpoint.load(path)


def test_a_run_of_four_processes_goes_on_with_two_and_with_one(tmp_path, forked):
    """Each stopped by SIGTERM to its last process: the same examples as in one process from the first step, float64, no draws."""
    for ranks, at, step in ((4, 5, 5), (2, 7, 10), (1, None, 14)):
        done = forked("tests.support.engine.sharded:stopped", tmp_path / "run", at, ranks=ranks)
        assert [each.value for each in done] == [step] * ranks, done
        assert len(list((tmp_path / "run" / "checkpoints" / f"step-{step:08d}").glob("state*"))) == ranks
    forked("tests.support.engine.sharded:stopped", tmp_path / "straight", None)
    assert rows(tmp_path / "run") == pytest.approx(rows(tmp_path / "straight"), rel=1e-10)
    (ours, facts), (theirs, _) = (checkpoint.newest(tmp_path / name / "checkpoints", print) for name in ("run", "straight"))
    assert facts["processes"] == 1
    for name in (name for name in theirs if not name.startswith("generator/")):
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-9, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}")


def test_bfloat16_travels_in_half_the_bytes_and_is_added_up_in_float32(tmp_path, forked):
    """Losses as without the flag, where weights are rounded at every use; a residual stream of bfloat16 rounds more often."""
    done = forked("tests.support.engine.sharded:half", tmp_path, ranks=2)
    assert [each.code for each in done] == [0, 0], done
    half, single = ["torch.bfloat16"], ["torch.float32"]
    for rank in (0, 1):
        assert json.loads((tmp_path / f"whole-{rank}.json").read_text()) == {"used": single, "kept": single}
        found = json.loads((tmp_path / f"parts-{rank}.json").read_text())
        assert found == {"used": half, "kept": single, "all_gather_single": half, "reduce_scatter_single": single}
    assert rows(tmp_path / "parts") == pytest.approx(rows(tmp_path / "whole"), rel=2**-8)  # the unit roundoff


def test_a_process_that_cannot_write_or_does_not_come_ends_the_run_with_a_line(tmp_path, forked):
    """The checkpoint of step 4, written in the background, fails in one process: all end, and none leaves half a checkpoint."""
    first, second = forked("tests.support.engine.sharded:failing", tmp_path, ranks=2)
    assert first.code == second.code == 0, (first, second)
    assert first.value.pop("late") == "process 0 of 2 waited in vain for the others: another did not come within 0:00:00.300000"
    assert first.value == second.value
    assert re.search("cannot write the checkpoint .*step-00000004: File too large; earlier", first.value["full"])
    assert [path.name for path in (tmp_path / "full" / "checkpoints").iterdir()] == ["step-00000000"]


def test_one_process_has_nothing_to_split(tmp_path):
    begin(tmp_path / "run", make=Speaker, recipe=changed(**FIELDS)).train()
    begin(tmp_path / "alone", make=Speaker, recipe=changed(**FIELDS, shard=True)).train()
    assert remains(tmp_path / "alone") == remains(tmp_path / "run")


def test_unshardable_experiments_are_refused_with_the_reason(toys):
    for rank in (0, 1):
        messages = json.loads((toys / f"refused-{rank}.json").read_text())
        assert "this one has first, second: train it without --shard" in messages["Players"]
        assert "scalar parameters" in messages["Scaled"] and messages["Scaled"].endswith("train it without --shard")
        assert "non-contiguous parameters" in messages["Turned"] and messages["Turned"].endswith("train it without --shard")


def test_a_network_declares_what_is_gathered_together():
    speaker = Speaker()
    assert blocks_of(speaker) == list(speaker.network.blocks) and len(speaker.network.blocks) == 2
    assert blocks_of(Noisy()) == []
