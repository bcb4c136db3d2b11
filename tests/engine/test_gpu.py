"""The engine's GPU settings, as far as a CPU can test them: compiled players, and settings that end with the run."""

import dataclasses

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from practice_torch.engine import evaluation, gpu
from tests.support.engine.compiled import limits_restored
from tests.support.engine.toys import RECIPE, Players, begin


def test_compiled_players_learn_the_same_and_are_evaluated_as_they_are(tmp_path):
    """Each network of both players is compiled, but not the scalar that one of them also trains; evaluation compiles nothing."""
    recipe = dataclasses.replace(RECIPE, steps=3)
    runs = [begin(tmp_path / name, make=Players, recipe=recipe) for name in ("plain", "compiled")]
    counter, compiled = CompileCounter(), runs[1]
    torch._dynamo.reset()
    with limits_restored():
        gpu.compile_networks(compiled.experiment, backend=counter)
    compiled.compiled = True
    for run in runs:
        run._advance()
        run._advance()
    both = (run.experiment.state_dict() for run in runs)
    torch.testing.assert_close(*both, rtol=1e-6, atol=1e-6)
    graphs = counter.frame_count
    assert graphs >= 2, "both networks, with and without gradients of their own"
    points = torch.zeros(5, 3)
    evaluation.call_isolated(compiled, "look", lambda: compiled.experiment({"point": points}, "first"))
    assert counter.frame_count == graphs
    compiled._advance()
    assert counter.frame_count == graphs


def test_settings_are_those_of_a_run_on_a_gpu_only():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    with gpu.settings(torch.device("cpu")):
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark) == before == ("highest", False)
    with pytest.raises(KeyError), gpu.settings(torch.device("cuda")):
        assert torch.backends.cuda.matmul.fp32_precision == "tf32" and torch.backends.cudnn.benchmark
        raise KeyError
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark) == before


@pytest.mark.parametrize("fields", [{"compile": False}, {"accumulate": 2}, {"shard": True}])
def test_graphs_are_refused_where_they_cannot_be_replayed(fields):
    assert dataclasses.replace(RECIPE, cuda_graphs=True).cuda_graphs
    with pytest.raises(ValueError, match="cuda_graphs is True; it must be False without compile, with accumulate or with shard"):
        dataclasses.replace(RECIPE, cuda_graphs=True, **fields)
