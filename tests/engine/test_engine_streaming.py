"""Streamed data: the same batches as from memory, with any workers and after any kill; and the placement of data."""

import contextlib
import functools
import itertools
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.preparation import prepare_audio, prepare_images
from practice_torch.engine.batches import placement
from practice_torch.engine.batches.order import Batches, Order
from practice_torch.engine.batches.streaming import Stream
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.engine.loop import Interrupted
from tests.commands.test_practice_commands import refused
from tests.engine.test_engine import terminate
from tests.support.data.files import gray, save
from tests.support.engine.streams import STREAMED
from tests.support.engine.toys import RECIPE, StreamedPoints, begin, remains, resume

pytestmark = pytest.mark.xdist_group("processes")
CPU = torch.device("cpu")


@contextlib.contextmanager
def streaming(workers, numbers=itertools.count, **words):
    data = replace(StreamedPoints.drawn(), **words)
    with contextlib.closing(Stream(data, Order(37, 8, seed=1), CPU, workers, numbers)) as stream:
        yield stream


def alive(process):
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_gives_the_batches_of_memory_from_any_number_on(workers):
    expected, draws = Batches(StreamedPoints.drawn(), 8, seed=1), torch.get_rng_state()
    with streaming(workers) as stream:
        for number in (*range(7), 3, 4, 10**12):
            assert all(torch.equal(tensor, stream[number][name]) for name, tensor in expected[number].items())
    assert torch.equal(torch.get_rng_state(), draws)


def test_batches_that_are_not_wanted_are_not_read(tmp_path):
    """Of a phase that does not play in a stage: the workers go on, and never meet its examples, which would be an error."""
    order, numbers = Order(37, 8, seed=1), functools.partial(itertools.count, step=4)
    wanted = [order.indices(order.draws(number)) for number in (0, 4)]
    assert all(5 not in indices for indices in wanted) and any(5 in order.indices(order.draws(number)) for number in (1, 2, 3))
    with streaming(2, numbers, readers=tmp_path, broken=DataError("example 5")) as stream:
        for number, indices in zip((0, 4), wanted, strict=True):
            assert torch.equal(stream[number]["point"], stream.data.points[indices])
        with pytest.raises(ValueError, match="batch 9 is not wanted: the next one is 13"):
            stream.numbers = lambda first: iter([first + 4])
            stream[9]
    assert len(list(tmp_path.iterdir())) <= 2


def test_an_example_gets_its_place_in_the_whole_training():
    with streaming(2, varies=True) as stream:
        plain = stream.data.points
        for number in (0, 9):  # the second is in another epoch
            batch = stream[number]
            assert torch.equal(batch["point"], plain[batch["index"]] + torch.arange(8 * number, 8 * number + 8)[:, None])


def test_a_streamed_run_ends_in_the_bytes_of_one_in_memory_also_when_interrupted(tmp_path):
    """Dropout draws from torch's own generator, which no worker may move."""
    begin(tmp_path / "memory").train()
    data = StreamedPoints.drawn()
    with pytest.raises(Interrupted):
        begin(tmp_path / "run", {7: terminate}, recipe=STREAMED, data=data).train()
    resume(tmp_path / "run", recipe=STREAMED, data=data).train()
    assert remains(tmp_path / "run") == remains(tmp_path / "memory")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc which processes live")
def test_a_killed_run_takes_its_workers_along_and_goes_on_to_the_same_bytes(tmp_path, forked):
    begin(tmp_path / "memory").train()
    for again, step in enumerate((6, 11, None)):
        (done,) = forked("tests.support.engine.streams:train", tmp_path / "killed", step=step, again=again > 0)
        assert done.code == (-signal.SIGKILL if step else 0), done.err
        readers, waited = [int(path.name) for path in (tmp_path / "readers").iterdir()], time.monotonic()
        assert len(readers) >= 2 * (again + 1)
        while any(map(alive, readers)):
            assert time.monotonic() - waited < 60  # however busy the machine
            time.sleep(0.01)
    assert remains(tmp_path / "killed" / "run") == remains(tmp_path / "memory")


@pytest.mark.parametrize("modality", ["images", "audio"])
def test_a_killed_command_goes_on_to_the_same_bytes(tmp_path, forked, modality):
    """The whole of it: two workers that crop prepared files at random, kill -9 in step 5, and the command that goes on."""
    for number in range(12):
        if modality == "images":
            save(tmp_path / "in" / f"{number}.png", gray(number, width=9 + number % 3))
        else:
            samples = gray(number, 1, 90 + 30 * number)[0].astype(np.int16)
            (tmp_path / "in").mkdir(exist_ok=True)
            soundfile.write(tmp_path / "in" / f"{number % 2}_{number}.wav", samples, 8000)
    prepare = {"images": prepare_images, "audio": prepare_audio}[modality]
    options = prepare.Options(workers=1) if modality == "images" else prepare.Options(workers=1, sample_rate=8000)
    prepare.prepare([tmp_path / "in"], tmp_path / "data", options, lambda line: None)
    (whole,) = forked("tests.support.data.media_streams:train", tmp_path / "whole", tmp_path / "data", modality)
    (killed,) = forked("tests.support.data.media_streams:train", tmp_path / "killed", tmp_path / "data", modality, killed_at=5)
    assert (whole.code, whole.value, killed.code) == (0, 0, -signal.SIGKILL), whole.err
    assert "streamed from the disk, 2 workers" in whole.err
    (again,) = forked("tests.support.data.text_streams:resume", tmp_path / "killed")
    assert again.value == 0 and "continuing after step" in again.err, again.err
    assert remains(tmp_path / "killed") == remains(tmp_path / "whole")


def test_two_processes_see_what_one_would_with_the_doubled_batch(tmp_path, forked):
    done = forked("tests.support.engine.streams:examples", tmp_path, ranks=2)
    assert [each.code for each in done] == [0, 0], done
    order = Order(37, 8, seed=RECIPE.seed)
    for step in range(6):
        mine, others = (each.value[step] for each in done)
        assert mine + others == order.indices(order.draws(step)).tolist()
        assert set(mine).isdisjoint(others) or step == 4  # which reaches into the second epoch


@pytest.mark.parametrize("workers", [0, 2])
def test_a_worker_names_the_faulty_example_in_one_line(workers):
    for error, line in (
        (DataError("photos/5.jpg is damaged: remove it"), "^photos/5.jpg is damaged: remove it$"),
        (OSError(5, "Input/output error", "photos/shard-3"), "^photos cannot be read .Input/output error, photos/shard-3.: c"),
    ):
        with streaming(workers, broken=error) as stream, pytest.raises(DataError, match=line):
            [stream[number] for number in range(5)]


def test_a_killed_worker_ends_the_training_in_one_line_and_signals_to_the_group_do_not_reach_it(tmp_path):
    with streaming(2, readers=tmp_path) as stream:
        stream[0]
        workers = [int(path.name) for path in tmp_path.iterdir()]
        assert os.getpid() not in workers
        for worker in workers:
            os.kill(worker, signal.SIGTERM)
            os.kill(worker, signal.SIGINT)
        [stream[number] for number in range(1, 12)]
        answer = signal.getsignal(signal.SIGCHLD)
        os.kill(workers[0], signal.SIGKILL)
        assert answer == signal.SIG_DFL
        with pytest.raises(RunError, match="a process that reads photos was killed: .*--workers .now 2."):
            [stream[number] for number in range(12, 40)]


# ---------------------------------------------------------------------------------------------------- placement


@pytest.mark.parametrize(
    ("asked", "needed", "varies", "streams", "line"),
    [
        ("auto", 500, False, False, "500 bytes: on cpu (at most half of the 1 kB that are free is taken)"),
        ("auto", 501, False, True, "501 bytes: streamed from the disk, 2 workers (at most half of the 1 kB that are free is t"),
        ("auto", 500, True, True, "streamed from the disk, 2 workers (each time, another part of an example is taken)"),
        ("device", 501, True, False, "on cpu (as set by --placement)"),
        ("stream", 500, False, True, "streamed from the disk, 2 workers (as set by --placement)"),
    ],
)
def test_data_are_placed_by_size_and_a_line_gives_the_reason(tmp_path, monkeypatch, capsys, asked, needed, varies, streams, line):
    monkeypatch.setattr(placement, "available", lambda: 1000)
    data = replace(StreamedPoints.drawn(), resident_bytes=needed, varies=varies)
    training = begin(tmp_path / "run", recipe=replace(STREAMED, placement=asked), data=data)
    assert capsys.readouterr().err == ""
    assert isinstance(training.batches, Stream) == streams
    assert line in capsys.readouterr().err


def test_an_evaluation_reads_no_training_data(tmp_path):
    data = replace(StreamedPoints.drawn(), readers=tmp_path)
    begin(tmp_path / "run", recipe=STREAMED, data=data).evaluate()
    assert not [path for path in tmp_path.iterdir() if path.name.isdigit()]


def test_data_in_memory_cannot_be_streamed(tmp_path):
    with pytest.raises(OptionError, match="placement is stream, but this set is read into memory"):
        begin(tmp_path / "run", recipe=STREAMED).train()
    words = ("train", "latent/vae", "digits", "--run", tmp_path / "digits", "--placement", "stream", "--cpu")
    assert "digits is read into memory: leave --placement out" in refused(2, *words)
    assert not (tmp_path / "digits").exists()
