"""Runs that are killed, and runs of several processes: the same bytes, and the same gradients."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from practice_torch.engine import checkpoint
from tests.test_engine_updates import trained

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
LAUNCH = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
LAUNCH += ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
LAUNCH += ["--main_process_port", "0", "-m", "practice_torch"]


def run(*words, **keywords):
    return subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=400, **keywords)


def kills(folder, *words):
    done = run(sys.executable, "-m", "tests.engine_kills", str(folder), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_whenever_a_run_is_killed_it_ends_in_the_same_bytes(tmp_path):
    """Weights, buffers, averages, optimizer, generators and metrics.csv; two toys, 15 random kills each."""
    answer = kills(tmp_path, "--random", "15")
    assert answer["different"] == [] and answer["killed_while_alive"] == 30 and answer["runs"] >= answer["kills"] >= 30


def test_wherever_in_a_save_a_run_is_killed_it_ends_in_the_same_bytes(tmp_path):
    """Before every call that writes, syncs, renames or removes: the checkpoint is whole or not there."""
    answer = kills(tmp_path, "--save-points")
    assert answer["different"] == [] and answer["killed_while_alive"] == answer["kills"] >= 60


def test_a_command_that_is_killed_before_its_first_checkpoint_goes_on(tmp_path):
    """Given to --resume, and by the same command again: the folder is no dead end, and ends in the same bytes."""
    answer = kills(tmp_path, "--commands")
    assert answer["different"] == [] and answer["killed_while_alive"] == answer["kills"] >= 12
    assert answer["runs"] >= 2 * answer["kills"] - 2


def test_two_processes_that_are_killed_end_in_the_same_bytes(tmp_path):
    answer = kills(tmp_path, "--random", "3", "--processes", "2")
    assert answer["different"] == [] and answer["killed_while_alive"] == 6
    for toy in ("noisy", "players"):
        facts = checkpoint.newest(tmp_path / f"{toy}-straight" / "checkpoints", print)[1]
        assert facts["run"]["processes"] == 2


@pytest.fixture(scope="module")
def weighted(tmp_path_factory):
    """The folder of tests/engine_weighted.py, run by two processes."""
    folder = tmp_path_factory.mktemp("weighted")
    done = run(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               "-m", "tests.engine_weighted", str(folder))  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_the_first_process_downloads_before_the_others(weighted):
    assert (weighted / "downloads.txt").read_text().splitlines() == ["0 begins", "0 ends", "1 begins", "1 ends"]


def test_two_processes_follow_the_gradient_of_the_doubled_batch(tmp_path, weighted):
    """Twice two weighted batches of 6 are one of 24, in another process each: float64, the same examples in the same order."""
    whole = trained(tmp_path / "whole", batch_size=24)
    tensors, facts = checkpoint.newest(weighted / "toy" / "checkpoints", print)
    assert facts["run"]["processes"] == 2
    torch.testing.assert_close(tensors["experiment/linear.weight"], whole.linear.weight.detach(), rtol=1e-10, atol=0)
    losses = [
        [float(row["value"]) for row in csv.DictReader((folder / "metrics.csv").open()) if row["name"] == "loss"]
        for folder in (tmp_path / "whole", weighted / "toy")
    ]
    assert len(losses[0]) == 5 and losses[0] == pytest.approx(losses[1], rel=1e-10)


def test_the_launcher_trains_in_two_processes_and_a_signal_saves(tmp_path):
    """accelerate's own launcher; SIGTERM to the processes; another number of processes is refused with the difference."""
    folder = tmp_path / "run"
    words = [*LAUNCH, "train", "latent/vae", "digits", "--run", str(folder), "--steps", "100000", "--log-every", "5", "--cpu"]
    launcher = subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    metrics = folder / "metrics.csv"
    waited = time.monotonic()
    while not (metrics.exists() and len(metrics.read_bytes().splitlines()) > 3):
        assert launcher.poll() is None and time.monotonic() - waited < 120, launcher.stderr.read()
        time.sleep(0.1)
    launcher.send_signal(signal.SIGTERM)
    told = launcher.communicate(timeout=120)[1]
    assert f"train --resume {folder}" in told and "stopped by SIGTERM after step" in told
    tensors, facts = checkpoint.newest(folder / "checkpoints", print)
    assert facts["run"]["processes"] == 2 and facts["step"] > 0
    assert {"generator/0/experiment", "generator/1/experiment"} <= tensors.keys()
    assert not torch.equal(tensors["generator/0/experiment"], tensors["generator/1/experiment"])
    alone = run(sys.executable, "-m", "practice_torch", "train", "--resume", str(folder), "--cpu")
    assert alone.returncode == 3 and "processes is 2, here 1" in alone.stderr and "Traceback" not in alone.stderr


def test_what_counts_trains_in_one_process(tmp_path):
    words = [*LAUNCH, "train", "autoregressive/ngram", recipe_of("autoregressive/ngram"), "--run", str(tmp_path / "run"), "--cpu"]
    done = run(*words)
    assert done.returncode != 0 and "train it in one process" in done.stderr
    assert not (tmp_path / "run").exists()


def recipe_of(topic):
    listed = json.loads(run(sys.executable, "-m", "practice_torch", "list", "--json").stdout)
    return next(row["recipes"][0] for row in listed["topics"] if row["topic"] == topic)


def test_the_program_that_kills_would_notice(tmp_path):
    """A run that resumes without its generator ends in other bytes, and the program says so."""
    patched = (
        "import sys; from practice_torch.engine import snapshot; import tests.engine_kills as kills; "
        "sys.argv[2:] = ['--save-points']; snapshot.set_torch_states = lambda states: None; sys.exit(kills.main())"
    )
    done = run(sys.executable, "-c", patched, str(tmp_path), cwd=Path(__file__).parent.parent)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["different"]
