"""Where a result came from: versions, device, command, commit, time and memory."""

import os
import platform
import resource
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch


def environment(device, seconds):
    """The content of environment.json."""
    memory = {"peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)}
    if device.type == "cuda":
        memory["peak_device_memory_bytes"] = torch.cuda.max_memory_allocated(device)
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("torch", "accelerate", "numpy")},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "threads": torch.get_num_threads(),
        "command": shlex.join(["python", "-m", "practice_torch", *sys.argv[1:]]) if _is_ours(sys.argv[0]) else shlex.join(sys.argv),
        "commit": commit(),
        "seconds": round(seconds, 3),
        **memory,
    }


def commit():
    """The checked-out commit of this code, with + if files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here)]
    try:
        name = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "--", "."], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return name + ("+" if changed else "")


def _is_ours(program):
    return os.path.basename(os.path.dirname(program)) == "practice_torch"


def _processor():
    try:
        names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0] if names else platform.processor() or platform.machine()} ({os.cpu_count()} logical cores)"
