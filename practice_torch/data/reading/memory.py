"""Checks the free memory before a large array is made from a file: a process killed by the system could not report the reason."""

import os
import resource
from pathlib import Path

from practice_torch.data.errors import DataError

# A file of a few megabytes that holds gigabytes is damaged or hostile. Pictures and sounds compress 2 to 20 times, sparse ones up
# to 100 times; a deflated block of zeros 1000 times, a silent flac file 100,000 times.
EXPANSION = 100
ALWAYS_ALLOWED = 10**9  # bytes that even the smallest file may hold
UNCHECKED = 2**24  # bytes: reading the free memory takes a millisecond, too long for each of thousands of small files
LIMITS = (
    "Files are regular files with UTF-8 names; what they hold must fit into memory, and a compressed file may expand to "
    f"{ALWAYS_ALLOWED // 10**9} GB, or {EXPANSION} times its size."
)


def require_memory(what, needed, mend):
    """DataError unless this many bytes, which will be allocated next, are free."""
    if needed > UNCHECKED and needed > (free := available()):
        raise DataError(f"{what} would take {amount(needed)} of memory, and {amount(free)} is left: {mend}")


def require_expansion(what, stored, expanded, mend):
    """DataError if a file of `stored` bytes expands suspiciously, as a compression bomb does."""
    if expanded > max(EXPANSION * stored, ALWAYS_ALLOWED):
        allowed = f"{amount(ALWAYS_ALLOWED)}, or {EXPANSION} times the file"
        raise DataError(f"{what} expands from {amount(stored)} to {amount(expanded)}; allowed are {allowed}: {mend}")


def amount(count):
    """Bytes in a suitable unit: 6.4 GB."""
    power = max(0, min(6, (len(str(int(count))) - 1) // 3))
    return f"{count / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB')[power]}"


def available():
    """Bytes that this process can still allocate, by the machine's free memory and the limits of the process."""
    return max(0, min([_of_machine(), *_of_control_groups(), *_of_process()]))


def _of_machine():
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # no Linux: all of its memory is the best that can be said
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_control_groups():
    """Memory left by the container's limits. Unused file pages count as free."""
    try:
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return
    root = Path("/sys/fs/cgroup")
    for _, controllers, path in groups:
        if controllers == "":
            names, base = ("memory.max", "memory.current", "inactive_file"), root
        elif "memory" in controllers.split(","):
            names, base = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"), root / "memory"
        else:
            continue
        for folder in {base, base / path.lstrip("/")}:
            try:
                limit, used = ((folder / name).read_text().strip() for name in names[:2])
                statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            except OSError:  # the root group has no limit, and a container sees only its own
                continue
            if limit != "max":
                yield int(limit) - int(used) + int(statistics.get(names[2], 0))


def _of_process():
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return
    try:
        yield limit - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        yield limit
