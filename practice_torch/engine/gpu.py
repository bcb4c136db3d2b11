"""GPU settings of a run: compiled networks, TF32, cuDNN's search for kernels, CUDA graphs. None of them applies on a CPU.

bfloat16 is the recipe's choice, made by autocast. What autocast leaves in float32, and what is outside of it, stays float32
under TF32, too: weights, gradients, Adam's moments, averages, the statistics of norms, softmax, losses and their sums. Only the
factors of float32 products are rounded, to 10 bits.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from practice_torch.engine.experiment import Experiment


@contextlib.contextmanager
def settings(device: torch.device) -> Iterator[None]:
    """Inside, on a GPU, products of float32 matrices are taken in TF32, and cuDNN tries its kernels for each new shape."""
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.benchmark = before[1]


def compile_networks(experiment: Experiment, *, graphs: bool = False, **options: Any) -> None:
    """Let torch.compile translate, at their first call, the networks that the phases move; with graphs into CUDA graphs."""
    options |= {"mode": "reduce-overhead"} if graphs else {}
    for name in sorted({name for phase in experiment.phases for name in phase.moves}):
        if isinstance(network := getattr(experiment, name), nn.Module):
            network.compile(**options)


def uncompiled(compiled: bool) -> contextlib.AbstractContextManager[Any]:
    """Inside, compiled networks run as they are written: samples and evaluations come in many shapes, each a compilation."""
    return torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext()


def facts(device: torch.device, compiled: bool, graphs: bool) -> dict[str, Any]:
    """The settings in force, for environment.json."""
    found = {"compiled": compiled}
    if device.type == "cuda":
        tf32 = torch.get_float32_matmul_precision() == "high"
        found |= {"cuda_graphs": graphs, "tf32": tf32, "cudnn_benchmark": torch.backends.cudnn.benchmark}
    return found
