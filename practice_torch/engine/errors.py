"""Errors of a run: its folder, its checkpoints, its numbers, the options of its model."""

import re

# How torch and Python say, in errors of no class of their own, that no memory has room for a size, or no integer holds it.
_TOO_LARGE = re.compile(
    "can't allocate memory|not enough memory|out of memory|overflowed with sizes|integer multiplication overflow|"
    "index-sized integer|int too (big|large) to convert"
)


class RunError(ValueError):
    """A run or its folder is at fault; the command line prints the message alone and exits with 3."""


class Halted(RunError):
    """An experiment cannot take the next step now, and has left its state as it was before: the engine saves it, and a resumed
    run goes on from there.
    """


class OptionError(ValueError):
    """A sampling option that this model cannot meet; the command line prints the message alone and exits with 2."""


def too_large(error: BaseException) -> str | None:
    """The error line for an exception caused by sizes beyond the memory; None for any other."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or isinstance(error, (RuntimeError, OverflowError)) and _TOO_LARGE.search(text):
        return f"this does not fit into the memory: lower --batch-size, the model's sizes or how many are drawn ({text[:160]})"
    return None
