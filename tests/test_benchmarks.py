"""The benchmarks measure what they say: equal work on both sides, and nothing kept that too few turns cannot bear."""

import io
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks.measuring import turns

ROOT = Path(__file__).resolve().parent.parent


def seconds_of(ours, theirs):
    """The CPU times of two sides' turns; by the wall clock the other side is ever so slightly slower."""
    wall = {"ours": [1.0] * len(ours), "theirs": [1.1] * len(ours)}
    return {side: {"cpu": cpu, "wall": wall[side]} for side, cpu in (("ours", ours), ("theirs", theirs))}


def concluded(folder, monkeypatch, seconds, **asked):
    monkeypatch.setattr(turns, "RESULTS", folder)
    asked = {"ours": "ours", "goals": {"theirs": 1.5}, "began": time.perf_counter()} | asked
    return turns.conclude("trial", "a trial", seconds, **asked)


def test_a_ratio_is_taken_turn_by_turn_and_judged_by_the_clock_that_is_asked_for(tmp_path, monkeypatch):
    # a neighbor makes the third turn ten times slower for both: the ratio stays 2, those of means and of minima would be others
    seconds = seconds_of([1.0, 1.2, 10.0, 1.0, 1.0], [2.0, 2.4, 20.0, 2.0, 2.0])
    assert turns.ratio(seconds, "theirs", "ours")["median"] == 2.0
    assert concluded(tmp_path, monkeypatch, seconds) == 0
    assert json.loads((tmp_path / "trial.json").read_text())["met"] == {"theirs": True}
    assert concluded(tmp_path, monkeypatch, seconds, clock="wall") == 1  # 1.1 is not 1.5


@pytest.mark.parametrize(("count", "keep"), [(4, True), (5, False)])
def test_what_must_not_be_kept_is_not(tmp_path, monkeypatch, count, keep):
    concluded(tmp_path, monkeypatch, seconds_of([1.0] * count, [2.0] * count), keep=keep)
    assert not list(tmp_path.iterdir())


def test_a_turn_that_is_not_counted_is_left_out():
    calls = []
    seconds = turns.in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3, warm_up=2)
    assert calls == ["a", "b"] * 5
    assert {len(values) for kinds in seconds.values() for values in kinds.values()} == {3}


def test_the_networks_of_the_gpu_benchmark_do_the_same_work():
    pytest.importorskip("diffusers")
    from benchmarks.gpu.diffusion import CIFAR, operations, our_network, their_network

    with torch.device("meta"):
        ours, theirs = (sum(p.numel() for p in make(CIFAR).parameters()) for make in (our_network, their_network))
    assert abs(ours - theirs) < 1e-3 * theirs
    makers = our_network, their_network, partial(their_network, head_width=8)
    counted = [operations(partial(make, CIFAR), CIFAR, backward=True) for make in makers]
    assert counted[0] == counted[1] == counted[2]
    without = CIFAR | {"attention_at": ()}  # which the count must notice
    assert operations(partial(our_network, without), without, backward=True) < counted[0]


def test_the_samplers_of_the_gpu_benchmark_are_held_against_each_other(monkeypatch):
    diffusers = pytest.importorskip("diffusers")
    from benchmarks.gpu import sampling

    torch.manual_seed(0)
    sampling.require_same_images()
    for changed in ({"timestep_spacing": "leading"}, {"set_alpha_to_one": False}, {"clip_sample": True}):
        other = lambda changed=changed, **how: diffusers.DDIMScheduler(**how | changed)  # noqa: E731
        monkeypatch.setattr(sampling, "DDIMScheduler", other)
        with pytest.raises(AssertionError, match="do not do the same work"):
            sampling.require_same_images()


def test_the_gpu_benchmark_runs_at_toy_size():
    words = [sys.executable, "-m", "benchmarks.gpu", "--smoke", "adversarial"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "bare loop" in done.stdout and "of the product's rate" in done.stdout


def test_the_table_shows_what_is_kept_and_says_what_was_missed(tmp_path, monkeypatch):
    from rich.console import Console

    from benchmarks import __main__ as benchmarks

    for path in benchmarks.RESULTS.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    kept = json.loads((tmp_path / "generation.json").read_text())
    kept["ratios"]["transformers"]["cpu"] = {"median": 1.234, "quartiles": [1.1, 1.3]}
    (tmp_path / "generation.json").write_text(json.dumps(kept))
    monkeypatch.setattr(benchmarks, "RESULTS", tmp_path)
    console = Console(width=120, file=io.StringIO())
    console.print(benchmarks.table())
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    assert "generation transformers 1.23x 1.10 to 1.30 1.3x MISSED" in lines
    assert any(line.startswith("generation without cache") and line.endswith("5x reached") for line in lines)


def test_an_unknown_benchmark_is_named():
    asked = subprocess.run([sys.executable, "-m", "benchmarks", "typo"], capture_output=True, text=True, cwd=ROOT)
    assert asked.returncode == 2
    assert "typo: the benchmarks are byte_pairs" in asked.stderr
