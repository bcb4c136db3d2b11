"""GPU settings of a run: compiled networks, TF32, cuDNN's search for kernels, CUDA graphs. None of them applies on a CPU.

bfloat16 is the recipe's choice, made by autocast. What autocast leaves in float32, and what is outside of it, stays float32
under TF32, too: weights, gradients, Adam's moments, averages, the statistics of norms, softmax, losses and their sums. Only the
factors of float32 products are rounded, to 10 bits.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Experiment, HasCalls, HasEager

VARIANTS = 8  # compilations of a network: with and without gradients of its own, of its input, of all phases that call it


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


class Compilation(NamedTuple):
    """Which networks of an experiment are compiled, and why the others are not; all by their dotted names."""

    compiled: tuple[str, ...]
    eager: dict[str, str]

    def words(self) -> str:
        """For the beginning of a training."""
        others = "".join(f"; {name} is not: {why}" for name, why in self.eager.items())
        return f"compiled at their first call: {', '.join(self.compiled) or 'no network'}{others}"


def networks_of(experiment: nn.Module) -> dict[str, nn.Module]:
    """{dotted name: network}: the experiment's own modules that have parameters, and of its lists and mappings the items."""

    def items(name, module):
        if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
            for key, item in module.named_children():
                yield from items(f"{name}.{key}", item)
        elif next(module.parameters(), None) is not None:
            yield name, module

    return {name: network for own in experiment.named_children() for name, network in items(*own)}


def compilation_of(experiment: Experiment) -> Compilation:
    """What `compile_networks` compiles. ValueError if the experiment speaks of a network that it does not have."""
    networks = networks_of(experiment)
    eager = dict(experiment.eager) if isinstance(experiment, HasEager) else {}
    calls = experiment.calls if isinstance(experiment, HasCalls) else {}
    if unknown := [name for name in (*eager, *calls) if name not in networks]:
        raise ValueError(f"eager or calls names {', '.join(unknown)}; the experiment's networks are {', '.join(networks)}")
    return Compilation(tuple(name for name in networks if name not in eager), eager)


def compile_networks(experiment: Experiment, *, graphs: bool = False, whole: bool = True, **options: Any) -> Compilation:
    """Let torch.compile translate the networks at their first call, for the shapes they meet; with graphs into CUDA graphs.

    Also those that no phase moves: a frozen network runs in every step, too. What cannot be compiled as it is written is an
    error, in place of a network that quietly runs another way: a break in a graph (unless whole is False: FSDP's hooks break
    it), and too many shapes.
    """
    import torch._dynamo.config  # takes a second: only on a GPU

    compilation, networks = compilation_of(experiment), networks_of(experiment)
    calls = experiment.calls if isinstance(experiment, HasCalls) else {}
    options = {"fullgraph": whole, "dynamic": False} | ({"mode": "reduce-overhead"} if graphs else {}) | options
    for name in compilation.compiled:
        networks[name].compile(**options)
        if name in calls:
            setattr(networks[name], calls[name], torch.compile(getattr(networks[name], calls[name]), **options))
    # of all networks together: they share the code of nn.Module's call, by which torch counts
    torch._dynamo.config.recompile_limit = VARIANTS * max(1, len(compilation.compiled))
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    return compilation


@contextlib.contextmanager
def refusals(compiled: bool) -> Iterator[None]:
    """Inside, what torch.compile refuses is a RunError that says so."""
    try:
        yield
    except Exception as error:
        if not compiled or not type(error).__module__.startswith("torch._dynamo"):
            raise
        why = f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0]
        raise RunError(f"a network cannot be compiled as it is written: {why}; --no-compile trains it uncompiled") from error


def uncompiled(compiled: bool) -> contextlib.AbstractContextManager[Any]:
    """Inside, compiled networks run as they are written: samples and evaluations come in many shapes, each a compilation."""
    return torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext()


def facts(device: torch.device, compilation: Compilation | None, graphs: bool) -> dict[str, Any]:
    """The settings in force, for environment.json."""
    found = {"compiled": compilation is not None} | ({"networks": compilation._asdict()} if compilation else {})
    if device.type == "cuda":
        tf32 = torch.get_float32_matmul_precision() == "high"
        found |= {"cuda_graphs": graphs, "tf32": tf32, "cudnn_benchmark": torch.backends.cudnn.benchmark}
    return found
