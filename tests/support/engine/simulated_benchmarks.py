"""The program that tests/commands/test_benchmarks.py runs: `python -m benchmarks.gpu --smoke`, all of it, on a simulated GPU.

    python -m tests.support.engine.simulated_benchmarks

The last line of its output is JSON: what should have been compiled, and how. Nothing is compiled, and memory is made up.
"""

import gc
import importlib
import json
import sys

import torch

from practice_torch.engine.costs import flops
from tests.support.engine import simulated_gpu

MEMORY = {"memory_allocated": 0, "memory_reserved": 0, "max_memory_allocated": 10**9, "max_memory_reserved": 2 * 10**9}
COMPILED = []


def compiled(network, **options):
    COMPILED.append((type(network).__name__, options))
    return network


def main():
    simulated_gpu.install()
    torch.set_num_threads(1)
    torch.compile, torch.cuda.is_available = compiled, lambda: True
    for name, amount in MEMORY.items():
        setattr(torch.cuda, name, lambda device=None, amount=amount: amount)
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        setattr(torch.cuda, name, lambda: None)
    from benchmarks.gpu import diffusion
    from benchmarks.gpu.__main__ import SUBJECTS
    from benchmarks.gpu.__main__ import main as command

    # counting takes a third of the time, and has its own tests
    flops.flops_of_step = diffusion.operations = lambda *_, **options: 1.0
    for subject in SUBJECTS:
        importlib.import_module(f"benchmarks.gpu.{subject}")
    gc.freeze()  # the command collects garbage often, and nothing of this is any
    sys.argv = ["benchmarks.gpu", "--smoke"]
    code = command()
    print(json.dumps({"by hand": COMPILED, "in the engine": simulated_gpu.COMPILED}))
    return code


if __name__ == "__main__":
    sys.exit(main())
