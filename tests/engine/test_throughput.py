"""Tokens, images and seconds of sound per second, and the share of a device's peak, by a clock that the test moves."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
import torch

from practice_torch.engine.costs import throughput
from practice_torch.engine.costs.flops import flops_of_step
from practice_torch.engine.costs.throughput import Throughput, peak_of
from practice_torch.engine.recipe import Recipe
from practice_torch.experiments.autoregressive import transformer
from tests.support.engine.toys import RECIPE, SoundRecipe, begin

TWO = SimpleNamespace(count=2, first=True)


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now.seconds)
    return now


def test_a_laps_rate_and_its_share_of_the_peak(clock, monkeypatch):
    """Two processes, two batches a step of 3 windows of 8 tokens: 96 tokens a step; the peak is 8 steps a second.

    The first lap, slow from compiling, counts neither in the second nor in environment.json.
    """
    recipe = dataclasses.replace(
        transformer.RECIPES["pydoc"], context=8, layers=1, width=8, heads=2, accumulate=2, precision="bfloat16"
    )
    experiment = transformer.build(recipe, SimpleNamespace(description={"vocabulary": 256}))
    batch = {"tokens": torch.zeros(3, 9, dtype=torch.uint8)}
    operations = flops_of_step(experiment, batch, recipe)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA X1")
    monkeypatch.setitem(throughput.PEAKS, "X1", (8.0 * operations, 1.0))
    speed = Throughput(experiment, recipe, torch.device("cuda"), TWO)
    assert speed.words() == ""

    def lap(steps, seconds):
        for _ in range(steps * recipe.accumulate):
            speed.see(batch)
        clock.seconds += seconds
        return speed.lap()

    assert lap(1, 60.0) == pytest.approx((96 / 60, 1 / 60 / 8))
    assert lap(8, 2.0) == pytest.approx((96 * 4, 0.5))
    assert speed.words() == "384 tokens/s (50% of peak)"
    clock.seconds += 1000  # an evaluation
    speed.begin()
    assert lap(2, 1.0) == pytest.approx((96 * 2, 0.25))
    facts = speed.facts()["throughput"]
    assert facts == {
        "unit": "tokens per second",
        "rate": 96 * 10 / 3,
        "flops_of_a_step": 2 * operations,
        "utilization": pytest.approx(10 / 3 / 8),
        "peak_flops": 8.0 * operations,
    }
    json.dumps(facts)


@pytest.mark.parametrize(
    ("recipe", "batch", "words"),
    [
        (Recipe(), {"image": torch.zeros(5, 3, 8, 8)}, "10 images/s"),
        (SoundRecipe(sample_rate=8000), {"audio": torch.zeros(5, 1, 4000)}, "5 seconds of sound/s"),
        (transformer.RECIPES["pydoc"], {"tokens": torch.zeros(5, 129)}, "1,280 tokens/s"),
    ],
)
def test_an_example_is_counted_by_its_modality(recipe, batch, words, clock):
    speed = Throughput(None, recipe, torch.device("cpu"), TWO)
    speed.see(batch)
    clock.seconds += 1
    assert speed.lap()[1] is None and speed.words() == words
    assert "utilization" not in speed.facts()["throughput"]


@pytest.mark.parametrize(
    ("device", "precision", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", "bfloat16", 989e12),
        ("NVIDIA H100 80GB HBM3", "float32", 494e12),
        ("NVIDIA H100 PCIe", "bfloat16", 756e12),
        ("NVIDIA H100 NVL", "bfloat16", 835e12),
        ("NVIDIA H200", "bfloat16", 989e12),
        ("NVIDIA A100-SXM4-80GB", "bfloat16", 312e12),
        ("NVIDIA L4", "bfloat16", 121e12),
        ("NVIDIA L40S", "bfloat16", 362e12),
        ("NVIDIA GeForce RTX 4090", "float32", 82.6e12),
        ("NVIDIA GeForce RTX 4090 D", "bfloat16", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "bfloat16", None),
        ("NVIDIA GeForce RTX 3090 Ti", "bfloat16", None),
        ("NVIDIA GH200 480GB", "bfloat16", None),
        ("Tesla T4", "bfloat16", None),
        ("simulated", "float32", None),
    ],
)
def test_a_peak_is_found_by_the_devices_name_or_not_at_all(device, precision, peak):
    assert peak_of(device, precision) == peak


def test_a_run_records_it_with_its_seconds(tmp_path):
    begin(tmp_path / "run", recipe=dataclasses.replace(RECIPE, steps=6)).train()
    header, *rows = (tmp_path / "run" / "times.csv").read_text().splitlines()
    assert header == "step,seconds,rate,utilization" and [row.split(",")[0] for row in rows] == ["5", "6"]
    assert all(float(row.split(",")[2]) > 0 and row.endswith(",") for row in rows), "no utilization of a CPU"
    speed = json.loads((tmp_path / "run" / "environment.json").read_text())["throughput"]
    assert speed["rate"] > 0 and speed.keys() == {"unit", "rate"}
