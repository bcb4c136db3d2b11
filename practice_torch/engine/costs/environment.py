"""The environment of a run: versions, device, command, commit, time and memory."""

import os
import platform
import resource
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def environment(device: torch.device, seconds: float, processes: int = 1) -> dict[str, Any]:
    """The content of environment.json."""
    memory = {"peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)}
    if device.type == "cuda":
        memory["peak_device_memory_bytes"] = torch.cuda.max_memory_allocated(device)
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("torch", "accelerate", "numpy")},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "processes": processes,
        "threads": torch.get_num_threads(),
        "command": shlex.join(["python", *sys.orig_argv[1:]]),  # of -m sys.argv has no trace
        "commit": commit(),
        "seconds": round(seconds, 3),
        **memory,
    }


def arithmetic(device: torch.device) -> dict[str, Any]:
    """Settings that affect rounding: a run resumed with the same settings ends, on a CPU, in the same bytes."""
    found = {"torch": version("torch")}
    if device.type == "cuda":
        return found | {"device": torch.cuda.get_device_name(device)}
    kernels = torch.backends.cpu.get_cpu_capability()
    return found | {"processor": _processor_name(), "kernels": kernels, "threads": torch.get_num_threads()}


@cache
def commit() -> str | None:
    """The checked-out commit of this code, with + if files differ from it; None outside a checkout."""

    def git(*words):
        words = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", "..") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _processor():
    return f"{_processor_name()} ({os.cpu_count()} logical cores)"


def _processor_name():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
