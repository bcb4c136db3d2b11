"""The benchmarks measure what they say: equal work on both sides, and nothing kept that too few turns cannot bear."""

import io
import json
import os
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from benchmarks.measuring import turns
from benchmarks.verification import suite
from tests.support.engine import simulated_gpu

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = {"DecoderTransformer", "Discriminator", "Generator", "UNet2d"}


def seconds_of(ours, theirs):
    """The CPU times of two sides' turns; by the wall clock the other side is ever so slightly slower."""
    wall = {"ours": [1.0] * len(ours), "theirs": [1.1] * len(ours)}
    return {side: {"cpu": cpu, "wall": wall[side]} for side, cpu in (("ours", ours), ("theirs", theirs))}


def concluded(folder, monkeypatch, seconds, **asked):
    monkeypatch.setattr(turns, "RESULTS", folder)
    asked = {"ours": "ours", "goals": {"theirs": 1.5}, "began": time.perf_counter()} | asked
    return turns.conclude("trial", "a trial", seconds, **asked)


def test_a_ratio_is_taken_in_alternation_and_judged_by_the_requested_clock(tmp_path, monkeypatch):
    # a neighbor makes the third turn ten times slower for both: the ratio stays 2, those of means and of minima would be others
    seconds = seconds_of([1.0, 1.2, 10.0, 1.0, 1.0], [2.0, 2.4, 20.0, 2.0, 2.0])
    assert turns.ratio(seconds, "theirs", "ours")["median"] == 2.0
    assert concluded(tmp_path, monkeypatch, seconds) == 0
    assert json.loads((tmp_path / "trial.json").read_text())["goals"] == {"theirs": 1.5}
    assert concluded(tmp_path, monkeypatch, seconds, clock="wall") == 1  # 1.1 is not 1.5


def test_goals_on_a_cpu_are_those_of_one_file_and_may_compare_any_two_sides(tmp_path, monkeypatch, capsys):
    seconds = seconds_of([1.0] * 5, [2.0] * 5) | {"a third": {"cpu": [4.0] * 5, "wall": [4.0] * 5}}
    for least, missed in ((2.0, 0), (2.5, 1)):  # the third takes 4 times as long as ours, and twice as long as theirs
        monkeypatch.setitem(turns.GOALS, "trial", {"a third": 4.0, ("theirs", "a third"): least, "absent": 9.0})
        assert concluded(tmp_path, monkeypatch, seconds, goals=None) == missed
        said = capsys.readouterr().out
        assert "against a third: 4.00x as fast (4.00-4.00), goal 4x reached" in said
        assert f"against a third (theirs): 2.00x as fast (2.00-2.00), goal {least:g}x {'MISSED' if missed else 'reached'}" in said
        assert "against absent: not measured, goal 9x" in said
    assert "goals" not in json.loads((tmp_path / "trial.json").read_text()), "a result is judged by the goals of today"


def test_a_part_that_cannot_be_left_out_bounds_a_ratio_and_has_none(tmp_path, monkeypatch, capsys):
    seconds = seconds_of([4.0] * 5, [5.0] * 5) | {"products alone": {"cpu": [2.5] * 5, "wall": [1.0] * 5}}
    assert concluded(tmp_path, monkeypatch, seconds, floors={"theirs": ("products alone", "they are the same")}) == 1
    assert "against theirs, at most 2.00x: they are the same" in capsys.readouterr().out
    kept = json.loads((tmp_path / "trial.json").read_text())
    assert turns.bounds(kept) == {"theirs": (2.0, "they are the same")} and set(kept["ratios"]) == {"theirs"}
    assert turns.bounds({"seconds": {}}) == {}


def test_a_single_turn_is_its_own_quartiles_and_none_is_refused():
    assert turns.ratio(seconds_of([1.0], [2.0]), "theirs", "ours") == {"median": 2.0, "quartiles": [2.0, 2.0]}
    with pytest.raises(SystemExit, match="--repeats is 0; it must be at least 1"):
        turns.in_turns({"a": int}, repeats=0)


@pytest.mark.parametrize(("count", "keep"), [(4, True), (5, False)])
def test_what_must_not_be_kept_is_not(tmp_path, monkeypatch, count, keep):
    concluded(tmp_path, monkeypatch, seconds_of([1.0] * count, [2.0] * count), keep=keep)
    assert not list(tmp_path.iterdir())


def test_a_turn_that_is_not_counted_is_left_out():
    calls = []
    seconds = turns.in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3, warm_up=2)
    assert calls == ["a", "b"] * 5
    assert {len(values) for kinds in seconds.values() for values in kinds.values()} == {3}


@pytest.mark.weekly
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


@pytest.mark.weekly
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


@pytest.mark.weekly
@pytest.mark.skipif(simulated_gpu.why_not() is not None, reason=simulated_gpu.why_not() or "")
def test_all_of_the_gpu_benchmark_runs_on_a_simulated_gpu():
    """In its own process, in which torch is patched."""
    pytest.importorskip("diffusers")
    words = [sys.executable, "-m", "tests.support.engine.simulated_benchmarks"]
    kept = {path: path.read_bytes() for path in turns.RESULTS.iterdir()}
    with simulated_gpu.environment() as settings:
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=ROOT, env=settings, check=False)
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in turns.RESULTS.iterdir()} == kept, "toys are not kept"
    row = r"^ +(?:(\w+(?: \w+)?) {2,})?(\w[^ ]*(?: [^ ]+)*?) {2,}[\d.,]+ \w+/s .* 1.00 GB +2.00 GB"
    rows = re.findall(row, done.stdout, re.MULTILINE)
    sides, subject = {}, None
    for named, side in rows:
        subject = named or subject
        sides.setdefault(subject, []).append(side)
    ways = "eager", "compiled", "CUDA graphs"
    assert sides == {
        "language": ["engine", "bare loop", "transformers"],
        "adversarial": ["engine", "bare loop"],
        "diffusion": ["engine", "bare loop", "diffusers", "diffusers as it comes"],
        "streamed tokens": ["engine", "bare loop"],
        "streamed images": ["engine", "bare loop"],
        "sampling 3": [f"{maker}, {way}" for way in ways for maker in ("ours", "diffusers")],
    }
    compiled = json.loads(done.stdout.splitlines()[-1])
    assert {name for name, _ in compiled["by hand"]} == {*NETWORKS, "GPT2LMHeadModel", "UNet2DModel", "Toy"}
    how = [options for side in compiled.values() for _, options in side]
    assert all(options["fullgraph"] and options["dynamic"] is False for options in how), "by hand and in the engine alike"
    judge = "Sequential"  # the classifier that a whole run trains, too, to judge with
    assert {name for name, _ in compiled["in the engine"]} == {*NETWORKS, judge}


def test_a_subject_that_fails_or_begins_too_late_takes_nothing_from_the_others(monkeypatch, capsys):
    from benchmarks.gpu import __main__ as command

    clock, ran = iter([0.0, 100.0, 200.0, 300.0]), []

    def measured(card, subject, arguments):
        ran.append(subject)
        if subject == "diffusion":
            raise ImportError("no diffusers")
        return 0

    monkeypatch.setattr(command, "measured", measured)
    monkeypatch.setattr(command.time, "perf_counter", lambda: next(clock))
    assert command.run(None, command.SUBJECTS, SimpleNamespace(minutes=5.0), 0.0) == 1
    assert ran == ["imported", "language", "diffusion"]
    said = capsys.readouterr()
    assert "5 minutes are over: inception, whole_run, adversarial, sampling, streaming not measured" in said.out
    assert "ImportError: no diffusers" in said.err and "error: diffusion failed" in said.err


def test_a_result_has_its_own_file_with_the_devices_name(tmp_path, monkeypatch):
    from benchmarks.gpu import comparison
    from benchmarks.gpu.card import Card

    monkeypatch.setattr(comparison, "RESULTS", tmp_path)
    card = Card(toy=True)
    comparison.keep(card, "card", "rates", 0.0)
    assert not list(tmp_path.iterdir()), "toys are not kept"
    card.toy, card.name = False, "NVIDIA H100 80GB-HBM3"
    comparison.keep(card, "card", "rates", 0.0, more=1)
    kept = json.loads((tmp_path / "gpu_nvidia_h100_80gb_hbm3_card.json").read_text())
    assert kept["machine"]["product_operations_per_second"] == card.rate and kept["more"] == 1
    assert kept["environment"]["device"]


def test_launches_are_counted_without_views_and_with_the_turns_that_are_left_out():
    from benchmarks.training.launches import Compiled, Launches

    with Launches() as tally:
        x = torch.ones(3, 2)  # 24 bytes
        for _ in tally.twice(5):
            torch.empty(7)
            y = x.T + x.T
        y = torch.complex(y, y) * 2
    assert tally.launches == {"ones": 1, "add": 5, "complex": 1, "mul": 1}
    # a complex number has eight bytes; the two of a product are scalars to it
    assert tally.facts == {"bytes": 24 + 5 * 72 + (24 + 24 + 48) + 96, "complex": 2}
    network = SimpleNamespace(forward=lambda x: x + x, play=lambda x: network.forward(x) + x)
    with Launches() as tally:
        inside = [Compiled(network, name, tally) for name in ("forward", "play")]
        network.play(x + x)
    assert [(each.launches, each.calls) for each in inside] == [(0, 0), (2, 1)] and tally.launches == {"add": 3}


def test_the_table_shows_kept_ratios_and_lists_missed_ones(tmp_path, monkeypatch):
    from benchmarks import __main__ as benchmarks

    for path in benchmarks.RESULTS.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    kept = json.loads((tmp_path / "generation.json").read_text())
    kept["ratios"]["transformers"]["cpu"] = {"median": 1.834, "quartiles": [1.1, 1.9]}
    kept["goals"] = {"transformers": 1.3}  # of the day of the run, which no longer counts
    kept["floors"] = {"transformers": ["ours, cached", "all of it"]}
    (tmp_path / "generation.json").write_text(json.dumps(kept))
    monkeypatch.setattr(benchmarks, "RESULTS", tmp_path)
    monkeypatch.setitem(benchmarks.GOALS, "of tomorrow", {"others": 1.5})
    console = Console(width=160, file=io.StringIO())
    console.print(benchmarks.table())
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    most = turns.bounds(kept)["transformers"][0]
    assert any(line.startswith("generation transformers 1.83x 1.10 to 1.90 2x MISSED, at most") for line in lines)
    assert f"generation, against transformers: at most {most:.2f}x; all of it" in lines
    assert any(line.startswith("generation without cache") and line.endswith("5x reached") for line in lines)
    assert "of tomorrow others 1.5x not measured" in lines


def test_every_kept_side_that_has_a_goal_has_the_name_of_the_goal():
    """A goal with a misspelled side would be shown as not measured for ever."""
    from benchmarks.measuring.goals import GOALS

    for name, goals in GOALS.items():
        if (kept := turns.RESULTS / f"{name}.json").exists():
            sides = set(json.loads(kept.read_text())["seconds"])
            asked = {side for key in goals for side in (key if isinstance(key, tuple) else (key,))}
            assert asked <= sides, f"{name}: {sorted(asked - sides)} have a goal; the sides are {sorted(sides)}"


def test_an_unknown_benchmark_is_named(monkeypatch, capsys):
    from benchmarks import __main__ as benchmarks

    monkeypatch.setattr(sys, "argv", ["benchmarks", "typo"])
    with pytest.raises(SystemExit) as stopped:
        benchmarks.main()
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and "typo: the benchmarks are " in said
    assert {"byte_pairs", "scan"} <= set(benchmarks.SCRIPTS) and all(name in said for name in benchmarks.SCRIPTS)


BURNS = r"""
import subprocess, sys, time
import pytest

BURN = "import time\nwhile time.process_time() < 0.3: pass"

@pytest.mark.parametrize("topic", ["latent/vae", "none/such"])
def test_in_a_child(topic):
    subprocess.run([sys.executable, "-c", BURN], check=True)

def test_here():
    exec(BURN.replace("0.3", str(time.process_time() + 0.2)))

@pytest.fixture(scope="session")
def server():
    with subprocess.Popen([sys.executable, "-c", BURN + "\nprint(flush=True)\ninput()"], stdin=-1, stdout=-1) as process:
        process.stdout.readline()
        yield process
        process.stdin.close()

def test_while_a_server_runs(server):
    pass

def test_after_it_has_run(server):
    pass
"""


@pytest.mark.weekly
def test_the_seconds_of_a_test_are_its_own_and_its_childrens(tmp_path):
    (tmp_path / "test_burns.py").write_text(BURNS)
    (tmp_path / "pytest.ini").write_text("[pytest]")
    words = ["-q", "-n", "1", "-p", "benchmarks.measuring.cpu_of_tests", "--cpu-to", "records.json"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    records = json.loads((tmp_path / "records.json").read_text())
    assert len(records) == 15 and {record["file"] for record in records} == {"test_burns.py"}
    tests = [records[k : k + 3] for k in range(0, 15, 3)]  # set-up, call, tear-down
    assert [test[1]["topics"] for test in tests] == [["latent/vae"], [], [], [], []]
    assert [sum(record["starts"] for record in test) for test in tests] == [1, 1, 0, 1, 0]
    seconds = [sum(record["seconds"] for record in test) for test in tests]
    assert min(seconds[0], seconds[1], seconds[3]) > 0.25 and seconds[2] > 0.15
    assert seconds[4] < 0.15  # though the server ends only now
    shared = [sum(record["shared"] for record in test) for test in tests]
    assert shared[3] > 0.25 and max(shared[:3]) == shared[4] == 0


def test_the_suite_is_summed_by_part_file_and_topic(monkeypatch):
    def record(path, seconds, *topics, phase="call", starts=0, shared=0.0):
        return {"file": path, "phase": phase, "topics": topics, "seconds": seconds, "starts": starts, "shared": shared}

    records = [
        record("tests/specs/test_contracts.py", 5.0, "latent/vae"),
        record("tests/specs/test_contracts.py", 1.0, "latent/vae", phase="setup"),
        record("tests/specs/test_contracts.py", 1.0, "latent/vae", phase="setup", shared=1.0),
        record("tests/latent/test_vae.py", 2.0, "latent/vae"),
        record("tests/data/test_data.py", 4.0, "latent/vae", "latent/elbo", starts=3),
        record("tests/data/test_data.py", 3.0),
    ]
    found = suite.summed(records, 20.0)
    parts = {"contracts": 7.0, "topics' own tests": 2.0, "other tests": 7.0, "imports, collection, pytest": 4.0}
    assert found["parts"] == parts and found["tests"] == 4 and found["processes"] == 3
    assert found["files"]["tests/data/test_data.py"] == {"seconds": 7.0, "processes": 3}
    assert found["topics"]["latent/vae"] == {"contracts": 6.0, "topics' own tests": 2.0, "other tests": 2.0}
    checked = {"latent/vae": {"reference": 3.0, "torch": 0.5}, "latent/elbo": {"reference": 1.0, "torch": 0.5}}
    assert suite.totals(checked, found)["latent/vae"] == {"check": 3.5, "suite": 10.0}
    console = Console(width=100, file=io.StringIO(), force_terminal=True)
    for table in suite.tables(checked, found):
        console.print(table)
    assert "\x1b[1;31m10.0" in console.file.getvalue() and "\x1b[1;31m3.5" not in console.file.getvalue()


@pytest.mark.weekly
@pytest.mark.xdist_group("autoregressive/chain_rule")
def test_a_check_is_measured_part_by_part():
    found, failed = suite.check(["autoregressive/chain_rule"])
    assert failed == 0 and set(found) == {"autoregressive/chain_rule"}
    parts = found["autoregressive/chain_rule"]
    assert list(parts) == ["reference", "torch", "jax, compiled rows", "jax, other rows"] and min(parts.values()) > 0
