"""Runs that are killed, and runs of several processes: the same bytes, and the same gradients."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from practice_torch.engine.distributed.replicas import synchronize_batch_norms
from practice_torch.engine.errors import RunError
from practice_torch.engine.storage import checkpoint
from tests.engine.test_engine_updates import trained
from tests.support.engine.toys import Coded, Players, Sharing, Weighing, resume

pytestmark = pytest.mark.xdist_group("processes")
LAUNCH = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
LAUNCH += ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
LAUNCH += ["--main_process_port", "0", "-m", "practice_torch"]


@pytest.fixture
def kills(forked, tmp_path):
    """kills(...) -> the answer of tests/support/engine/kills.py."""

    def asked(**words):
        (done,) = forked("tests.support.engine.kills:kills", tmp_path, **words)
        assert done.code == 0, done.out + done.err
        return done.value

    return asked


def test_whenever_a_run_is_killed_it_ends_in_the_same_bytes(kills):
    """Weights, buffers, averages, optimizer, generators and metrics.csv; two toys, 8 random kills each."""
    answer = kills(random=8)
    assert answer["different"] == [] and answer["killed_while_alive"] == 16 and answer["runs"] >= answer["kills"] >= 16


def test_wherever_in_a_save_a_run_is_killed_it_ends_in_the_same_bytes(kills):
    """Before every call that writes, syncs, renames or removes: the checkpoint is whole or not there."""
    answer = kills(save_points=True)
    assert answer["different"] == [] and answer["runs"] >= answer["states"] >= 40


def test_a_command_that_is_killed_before_its_first_checkpoint_goes_on(kills):
    """Given to --resume, and by the same command again: the folder is no dead end, and ends in the same bytes."""
    answer = kills(commands=True)
    assert answer["different"] == [] and answer["runs"] == 2 * answer["states"] >= 16


@pytest.mark.weekly
def test_two_processes_that_are_killed_end_in_the_same_bytes(tmp_path, kills):
    answer = kills(random=3, processes=2)
    assert answer["different"] == [] and answer["killed_while_alive"] == 6
    for toy in ("noisy", "players"):
        facts = checkpoint.newest(tmp_path / f"{toy}-straight" / "checkpoints", print)[1]
        assert facts["processes"] == 2


@pytest.fixture(scope="module")
def two(tmp_path_factory, forked):
    """The folder of tests/support/engine/weighted.py, run by two processes, and what came of each."""
    folder = tmp_path_factory.mktemp("weighted")
    done = forked("tests.support.engine.weighted:train", folder, ranks=2)
    assert [each.code for each in done] == [0, 0], done
    return folder, done


@pytest.fixture(scope="module")
def weighted(two):
    return two[0]


def alone(folder, make):
    """The metrics of a run, evaluated by one process, and how many samples it draws for them."""
    training = resume(folder, make=make)
    return training.evaluate(), training.experiment


def test_processes_share_an_evaluation(two, forked):
    """The mean of one process, with the same noise and the buffers of rank 0; as many samples, all different, a part from each.

    Of the 3 samples of a preview the last of four processes draws none.
    """
    folder, done = two
    done_by_four = forked("tests.support.engine.weighted:share", folder / "four" / "shared", ranks=4)
    for place, processes, drawn in (
        (folder, done, ([26, 2], [25, 1])),
        (folder / "four", done_by_four, ([13, 1], [13, 1], [13, 1], [12])),
    ):
        assert all(each.code == 0 for each in processes), processes
        metrics, toy = alone(place / "shared", Sharing)
        for process, its_own in zip(processes, drawn, strict=True):
            assert process.value["metrics"] == pytest.approx(metrics, rel=1e-6) and process.value["drawn"] == its_own * 2
        assert metrics["samples"] == metrics["different"] == 51 and toy.drawn == [51]


def test_a_mean_is_weighed(two):
    """Each process evaluates its part of 37 examples, 19 and 18."""
    folder, done = two
    metrics, _ = alone(folder / "weighing", Weighing)
    examples = (19**2 + 18**2) / 37
    assert all(each.value["weighed"] == pytest.approx(metrics | {"examples": examples}, rel=1e-6) for each in done)


def test_a_process_that_fails_in_an_evaluation_ends_all_with_its_line(two):
    """In a preview, a warning in all, which train on."""
    _, (first, second) = two
    assert first.value["said"] == [
        "warning: no previews at step 14: process 1: ValueError: no paper",
        "ElsewhereError: no ink",
        "MemoryError: no room",
    ]
    assert second.value["said"] == [
        "warning: no previews at step 14: ValueError: no paper",
        "RunError: no ink",
        "ElsewhereError: process 0: MemoryError: no room",
    ]


def test_two_processes_evaluate_a_run_and_one_prints(two):
    folder, (first, second) = two
    assert "negative_elbo" in first.out.split("judged:")[1] and "21 samples" in first.out
    assert second.out.split("judged:")[1].strip() == ""
    found = json.loads((folder / "vae" / "sample_metrics.json").read_text())
    assert found["samples"] == 21 and found["metrics"]["frechet_distance"]["samples"]["value"] > 0


def test_the_first_process_downloads_before_the_others(weighted):
    assert (weighted / "downloads.txt").read_text().splitlines() == [
        "0 begins",
        "0 ends",
        "1 begins",
        "1 ends",
    ] * 2  # to train and to evaluate


def test_two_processes_follow_the_gradient_of_one(tmp_path, weighted):
    """Two weighted batches of 12, half of each in every process, are one of 24: float64, the same examples in the same order."""
    whole = trained(tmp_path / "whole", batch_size=24)
    tensors, facts = checkpoint.newest(weighted / "toy" / "checkpoints", print)
    assert facts["processes"] == 2
    torch.testing.assert_close(tensors["experiment/linear.weight"], whole.linear.weight.detach(), rtol=1e-10, atol=0)
    losses = [
        [float(row["value"]) for row in csv.DictReader((folder / "metrics.csv").open()) if row["name"] == "loss"]
        for folder in (tmp_path / "whole", weighted / "toy")
    ]
    assert len(losses[0]) == 5 and losses[0] == pytest.approx(losses[1], rel=1e-10)


def test_two_processes_learn_the_codes_of_one(tmp_path, weighted, two):
    """Counts, sums and codes are those of the whole batch, to 1e-10; new codes are drawn by rank 0, for both."""
    whole = trained(tmp_path / "whole", make=Coded, batch_size=24)
    tensors, _ = checkpoint.newest(weighted / "coded" / "checkpoints", print)
    for name in ("counts", "sums", "codebook"):
        torch.testing.assert_close(tensors[f"experiment/{name}"], getattr(whole, name), rtol=1e-10, atol=1e-12)
    assert float(whole.counts.sum()) == pytest.approx(24 * (1 - 0.9**14))
    assert [each.value["restarted"] for each in two[1]] == [[[0.0] * 3] * 4] * 2


def test_two_players_follow_their_gradients_in_two_processes(tmp_path, weighted):
    whole = trained(tmp_path / "whole", make=Players, batch_size=24)
    tensors, _ = checkpoint.newest(weighted / "players" / "checkpoints", print)
    for name, parameter in whole.named_parameters():
        torch.testing.assert_close(tensors[f"experiment/{name}"], parameter.detach(), rtol=1e-4, atol=1e-5)


def test_batch_norms_are_synchronized_where_there_is_a_batch_to_share():
    """torch's layer, with the weights that were there; it runs on GPUs alone."""
    experiment = nn.ModuleDict({"network": nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))})
    norm, gpus = experiment["network"][1], SimpleNamespace(count=8, device=torch.device("cuda"))
    synchronize_batch_norms(experiment, SimpleNamespace(count=1, device=torch.device("cuda")))
    assert experiment["network"][1] is norm
    with pytest.raises(RunError, match="sync_batch_norm needs GPUs"):
        synchronize_batch_norms(experiment, SimpleNamespace(count=2, device=torch.device("cpu")))
    synchronize_batch_norms(experiment, gpus)
    found = experiment["network"][1]
    assert isinstance(found, nn.SyncBatchNorm) and found.weight is norm.weight and found.running_mean is norm.running_mean
    with pytest.raises(RunError, match="no batch norm: leave --sync-batch-norm out"):
        synchronize_batch_norms(nn.ModuleDict({"network": nn.Linear(3, 4)}), gpus)


@pytest.mark.weekly
def test_the_launcher_trains_in_two_processes_and_a_signal_saves(tmp_path):
    """accelerate's own launcher; SIGTERM to the processes; the state of both is saved."""
    folder = tmp_path / "run"
    words = [*LAUNCH, "train", "latent/vae", "digits", "--run", str(folder), "--steps", "100000", "--log-every", "5", "--cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    launcher = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    metrics = folder / "metrics.csv"
    while not (metrics.exists() and len(metrics.read_bytes().splitlines()) > 3):
        assert launcher.poll() is None, launcher.stderr.read()
        time.sleep(0.1)
    launcher.send_signal(signal.SIGTERM)
    errors = launcher.communicate()[1]
    assert f"train --resume {folder}" in errors and "stopped by SIGTERM after step" in errors
    tensors, facts = checkpoint.newest(folder / "checkpoints", print)
    assert facts["processes"] == 2 and facts["step"] > 0
    assert {"generator/0/experiment", "generator/1/experiment"} <= tensors.keys()
    assert not torch.equal(tensors["generator/0/experiment"], tensors["generator/1/experiment"])


def test_what_counts_trains_in_one_process(tmp_path, forked):
    words = ["train", "autoregressive/ngram", "trigram", "--run", str(tmp_path / "run"), "--cpu"]
    done = forked("practice_torch.__main__:main", words, ranks=2)
    assert [each.value for each in done] == [3, 3]
    assert all("train it in one process" in each.err for each in done)
    assert not (tmp_path / "run").exists()


def test_the_killing_program_detects_a_difference(tmp_path, forked):
    """A run that resumes without its generator ends in other bytes, and the program reports it."""
    (done,) = forked("tests.support.engine.kills:kills_without_generators", tmp_path)
    assert done.code == 0 and done.value["different"], done
