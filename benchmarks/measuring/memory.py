"""The memory that a call takes, on Linux, measured in separate processes."""

import importlib
import re
import statistics
import subprocess
import sys
from pathlib import Path


def peak(module, name, runs=3):
    """Bytes beyond what the process held before, at the peak of the call that `module`.side(name) makes: the median of `runs`.

    The C library's heap makes one run differ from the next by a tenth.
    """
    return int(statistics.median(_peak(module, name) for _ in range(runs)))


def _peak(module, name):
    code = f"from benchmarks.measuring.memory import print_peak; print_peak({module!r}, {name!r})"
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()[-1])


def print_peak(module, name):
    call = importlib.import_module(module).side(name)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here; getrusage's would be the parent's
    before = _kilobytes("VmRSS")
    call()
    print((_kilobytes("VmHWM") - before) * 1024)


def _kilobytes(name):
    return int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1])
